"""The outermost layer of the application: what every request passes first and last.

One class, because each layer around `send` costs more than all that is done here: ids in and out, limits, the
operational routes, the histogram, the access line, and a problem document for what nobody caught.
"""

import asyncio
from logging import getLogger
from time import perf_counter
from typing import Any, Final

import structlog
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from . import logs
from .context import RequestContext, current
from .endpoints import Endpoints
from .lifecycle import LIFECYCLE
from .loop import watch_lag
from .metrics import ACTIVE, LIMIT, UNMATCHED, RequestSeries
from .problems import Problem
from .settings import LimitSettings

CLIENT_CLOSED: Final = 499  # nginx's code for a client that went away: no error of the service
_ACCESS: Final = getLogger("access")
_INFO: Final = 20
_DEBUG: Final = 10

log = structlog.get_logger(__name__)


def route_path(scope: Scope) -> str:
    """The path that routes are matched with: without the prefix that the gateway has stripped."""
    path: str = scope["path"]
    return get_route_path(scope) if scope["root_path"] else path


class Edge:
    """ASGI middleware around everything else.

    Args:
        app: the rest of the application.
        endpoints: the operational routes.
        series: finds the metric series of a request.
        limits: what one worker accepts.
    """

    def __init__(self, app: ASGIApp, endpoints: Endpoints, series: RequestSeries, limits: LimitSettings) -> None:
        self.app = app
        self.endpoints = endpoints
        self.series = series
        self.limits = limits
        self.active: dict[Exchange, None] = {}  # requests whose answer is not complete, the oldest first
        self.exchange: type[Exchange] = Exchange  # tracing has its own
        self._operational = frozenset(endpoints.routes)
        self._sweeper: asyncio.AbstractEventLoop | None = None  # the loop that has a sweep planned

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            exchange = self.exchange(self, scope, receive, send)
            token = current.set(exchange.context)
            try:
                if route_path(scope) in self._operational:
                    await exchange.operate()
                else:
                    await exchange.run()
            finally:
                current.reset(token)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        monitor = self.endpoints.monitor
        tasks: list[asyncio.Task[None]] = []

        async def from_server() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self.endpoints.started = False
                for task in tasks:
                    task.cancel()
                await monitor.stop()
            return message

        async def to_server(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                LIMIT.set(self.limits.concurrent_requests)
                self.series.prepare()
                tasks.append(asyncio.create_task(watch_lag()))
                monitor.start()
                self.endpoints.started = True
            elif message["type"] in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
                stack = message.get("message", "").strip()
                log.critical(message["type"], exception_message=stack.rpartition("\n")[2], exception_stacktrace=stack)
                message = {"type": message["type"]}  # the server would log the bare text
            await send(message)

        await self.app(scope, from_server, to_server)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, headers = perf_counter(), dict(scope["headers"])
        token = current.set(RequestContext(headers.get(b"x-request-id"), headers.get(b"traceparent")))
        try:
            await self.converse(scope, receive, send)
        except WebSocketDisconnect:
            pass  # the client has closed it: that is how they end
        except Exception:
            log.exception("unhandled exception", http_route=self.series.route(scope))
            raise
        finally:
            if _ACCESS.isEnabledFor(_INFO):
                seconds = perf_counter() - began
                fields = {"http_route": self.series.route(scope), "duration_ms": round(seconds * 1000, 3)}
                logs.emit("info", "access", "websocket", fields)
            current.reset(token)

    async def converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a websocket on to the application; tracing does more."""
        await self.app(scope, receive, send)

    def enter(self, exchange: "Exchange") -> None:
        """Count a request as in flight, and see to it that it can't stay so for ever."""
        self.active[exchange] = None
        ACTIVE.inc()
        if len(self.active) == 1 and self._sweeper is not (loop := asyncio.get_running_loop()):
            self._sweep_later(loop)

    def leave(self, exchange: "Exchange") -> None:
        """The answer is complete, or nobody will complete it."""
        if self.active.pop(exchange, exchange) is None:
            ACTIVE.dec()

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeper = loop
        loop.call_later(min(1.0, self.limits.request_seconds / 4), self._sweep)

    def _sweep(self) -> None:
        """Time out requests that have not begun to answer. One timer for all is cheaper than one for each."""
        self._sweeper = None
        oldest = perf_counter() - self.limits.request_seconds
        for exchange in list(self.active):
            if exchange.began > oldest:
                break
            exchange.time_out()
        if self.active:
            self._sweep_later(asyncio.get_running_loop())


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "began",
        "context",
        "done",
        "edge",
        "receive_",
        "received",
        "route",
        "scope",
        "seconds",
        "send_",
        "status",
        "task",
        "timed_out",
    )

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self.began = perf_counter()
        self.edge = edge
        self.scope = scope
        self.receive_ = receive
        self.send_ = send
        self.status = 0
        self.done = False
        self.timed_out = False
        self.route: str | None = None  # None until it is counted
        self.seconds = 0.0
        self.received = -1  # bytes of the body so far; -1 for a request without one
        self.task: asyncio.Task[Any] | None = None
        request_id = traceparent = tracestate = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value if request_id is None else b""
            elif name == b"traceparent":
                traceparent = value if traceparent is None else b""
            elif name == b"tracestate":
                tracestate = value if tracestate is None else tracestate + b"," + value
            elif name == b"content-length":
                if value != b"0":
                    self.received = 0
            elif name == b"transfer-encoding":
                self.received = 0
        self.context = RequestContext(request_id, traceparent, tracestate)

    async def operate(self) -> None:
        """Answer an operational route: no limits, no SLI, and an access line only at DEBUG."""
        request = Request(self.scope, self.receive_)
        try:
            response = await self.edge.endpoints.answer(request)
        except Exception:
            log.exception("an operational route failed")
            response = Problem(500)
        await self._respond(response, self._send_with_ids)
        if _ACCESS.isEnabledFor(_DEBUG):
            fields = {
                "http_request_method": self.edge.series.method(self.scope["method"]),
                "http_route": self.scope["path"],
            }
            fields |= {
                "http_response_status_code": self.status,
                "duration_ms": round((perf_counter() - self.began) * 1000, 3),
            }
            logs.emit("debug", "access", "request", fields)

    async def run(self) -> None:
        """Pass the request on to the application within the limits."""
        edge = self.edge
        if len(edge.active) >= edge.limits.concurrent_requests:
            await self._refuse(503, "Too many requests are in flight.", {"Retry-After": "1"})
            return
        if self.received == 0 and self._declared_length() > edge.limits.request_body_bytes:
            await self._refuse(413, f"The body may have {edge.limits.request_body_bytes} bytes.")
            return
        self.task = asyncio.current_task()
        edge.enter(self)
        try:
            await edge.app(self.scope, self.receive_ if self.received < 0 else self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - logged, counted and answered
            await self._failed(error)
        except asyncio.CancelledError:
            if not self.timed_out:  # the time to stop is over
                await self._stopped()
                raise
            if self.task is not None:
                self.task.uncancel()
        finally:
            if not self.done:
                if 0 < self.status < 400:
                    self.status = CLIENT_CLOSED  # it began to answer and nobody failed: the client went away
                self._finish()

    async def receive(self) -> Message:
        """The request's body, up to the limit."""
        message = await self.receive_()
        if message["type"] == "http.disconnect" and self.status == 0:
            self.status = CLIENT_CLOSED  # whatever the application answers, nobody reads it
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if self.received > self.edge.limits.request_body_bytes:
                raise HTTPException(413, f"The body may have {self.edge.limits.request_body_bytes} bytes.")
        return message

    async def send(self, message: Message) -> None:
        """The application's answer on its way out."""
        if self.timed_out:
            return
        if message["type"] == "http.response.start":
            self.status = self.status or message["status"]
            self._add_ids(message)
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            # Right before the last byte goes: to write it wakes the client up, which may put this process off the
            # processor for a while, and one that is killed then would have given an answer that it did not count.
            self._count()
            await self.send_(message)
            self._finish()
            return
        await self.send_(message)

    def time_out(self) -> None:
        """No answer has begun in time: give one, whether or not the handler can be stopped."""
        if self.status == 0 and not self.timed_out:
            self.timed_out = True
            log.error("request timed out", seconds=self.edge.limits.request_seconds, http_route=self._route())
            asyncio.ensure_future(self._answer_timeout())  # noqa: RUF006 - ends at once, and the loop holds it

    async def _answer_timeout(self) -> None:
        token = current.set(self.context)
        try:
            await self._refuse(503, "The request took too long.", {"Retry-After": "1"})
        finally:
            current.reset(token)
            if self.task is not None:
                self.task.cancel()

    async def _failed(self, error: Exception) -> None:
        if self.timed_out:
            return
        if isinstance(error, ClientDisconnect):
            self.status = CLIENT_CLOSED
            return
        if isinstance(error, HTTPException) and self.status == 0:  # raised outside of FastAPI's own handling
            await self._refuse(error.status_code, error.detail, dict(error.headers or {}))
            return
        log.error("unhandled exception", exc_info=error, http_route=self._route())
        if self.status == 0:
            await self._refuse(500, "The service failed to answer; it has been told what happened.")
        else:
            self.status = 500  # the answer breaks off: whatever its head said, it failed

    async def _stopped(self) -> None:
        LIFECYCLE.cut()
        if self.status == 0:
            await self._refuse(503, "The service is being stopped.", {"Retry-After": "1"})

    async def _refuse(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        if self.route is None:
            self._count()
        await self._respond(Problem(status, detail, headers=headers), self._send_with_ids)
        if not self.done:
            self._finish()

    async def _respond(self, response: Response, send: Send) -> None:
        self.status = response.status_code
        await response(self.scope, self.receive_, send)

    async def _send_with_ids(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._add_ids(message)
        await self.send_(message)

    def _add_ids(self, message: Message) -> None:
        context = self.context
        message["headers"] = headers = [
            *message.get("headers", ()),
            (b"x-request-id", context.request_id.encode("ascii")),
            (b"traceparent", context.traceparent.encode("ascii")),
        ]
        if LIFECYCLE.closing:
            headers.append((b"connection", b"close"))

    def _count(self) -> None:
        """Count the request, once: when its answer is complete, or when nobody will complete it."""
        self.seconds = perf_counter() - self.began
        try:
            self.route = self.edge.series.observe(self.scope, self.scope["method"], self.status or 500, self.seconds)
        except Exception:  # noqa: BLE001 - no space for metrics is no reason to fail a request
            self.route = UNMATCHED

    def _finish(self) -> None:
        """The request is over: it is no longer in flight, and has its line."""
        self.done = True
        if self.route is None:
            self._count()
        edge = self.edge
        edge.leave(self)
        if _ACCESS.isEnabledFor(_INFO):
            logs.access(
                edge.series.method(self.scope["method"]), self.route or UNMATCHED, self.status or 500, self.seconds
            )

    def _route(self) -> str:
        return self.edge.series.route(self.scope)

    def _declared_length(self) -> int:
        for name, value in self.scope["headers"]:
            if name == b"content-length":
                return int(value[:20]) if value.isdigit() else 0
        return 0

"""Spans of requests, by the edge, and of outgoing calls. Imported only where tracing is on.

A span has the ids of the request's log lines. It tells route templates, methods, statuses, types of exceptions and the
peers' hosts: nothing that a caller can choose, and no text of an exception.
"""

import logging
from typing import Any, Final

import httpx2
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from .context import RequestContext, current
from .edge import Edge, Exchange
from .metrics import METHODS, OTHER, UNMATCHED
from .tracing import TRACING

OWN: Final = frozenset(
    {
        "error.type",
        "http.request.method",
        "http.request.resend_count",
        "http.response.status_code",
        "http.route",
        "peer.service",
        "server.address",
        "server.port",
        "url.scheme",
    }
)
_NOTHING: Final = Context()
_FLAGS: Final = ("00", "01", "02", "03")  # as a header names them
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Under the SDK's name, since its lines are held to one a minute: a processor that fails does so with every span.
log = logging.getLogger("opentelemetry.service")


class TracedExchange(Exchange):
    """A request with a span around it."""

    __slots__ = ("error", "span")

    async def run(self) -> None:
        self.error: str | None = None
        self.span, context = began(self.context, self.scope["method"])
        token = attach(context)
        try:
            await super().run()
        finally:
            detach(token)

    async def _failed(self, error: Exception) -> None:
        self.error = type(error).__qualname__
        await super()._failed(error)

    def _finish(self) -> None:
        super()._finish()
        ended(self.span, self.scope, self.route or UNMATCHED, self.status or 500, self.error)


class TracedEdge(Edge):
    """The edge, with spans for what is not operational."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.exchange = TracedExchange

    async def converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, failure = 0, None

        async def watched(message: Message) -> None:
            nonlocal status
            if not status:
                status = {"websocket.accept": 101, "websocket.close": 403}.get(message["type"], 0)
                status = message.get("status", status)
            await send(message)

        span, context = began(current.get() or RequestContext(), "GET")
        token = attach(context)
        try:
            await super().converse(scope, receive, watched)
        except WebSocketDisconnect:
            raise
        except Exception as error:
            failure = type(error).__qualname__
            raise
        finally:
            detach(token)
            ended(span, {**scope, "method": "GET"}, self.series.route(scope), status, failure)


def began(request: RequestContext, method: str) -> tuple[Span, Context]:
    """A span for a request, which gets its ids, and OpenTelemetry's context in which it is the current one."""
    parent = _NOTHING
    if request.parent_id is not None:
        flags = TraceFlags(int(request.flags, 16))
        remote = SpanContext(int(request.trace_id, 16), int(request.parent_id, 16), is_remote=True, trace_flags=flags)
        parent = set_span_in_context(NonRecordingSpan(remote), parent)
    span = _started(method if method in METHODS else "HTTP", parent, SpanKind.SERVER)
    ids = span.get_span_context()
    if ids.is_valid:
        request.trace_id, request.span_id = f"{ids.trace_id:032x}", f"{ids.span_id:016x}"
        request.flags = _FLAGS[ids.trace_flags & 3]
    return span, set_span_in_context(span, parent)


def ended(span: Span, scope: Scope, route: str, status: int, error: str | None) -> None:
    """End a request's span with what has become of it. It never raises."""
    try:
        if span.is_recording():
            method = scope["method"]
            known = method in METHODS
            attributes: dict[str, AttributeValue] = {
                "http.request.method": method if known else OTHER,
                "url.scheme": scope["scheme"],
            }
            if scope.get("server"):  # the address that was called, and not the `Host` header: a caller can choose that
                attributes["server.address"] = scope["server"][0]
            if status:
                attributes["http.response.status_code"] = status
            if route != UNMATCHED:
                attributes["http.route"] = route
                span.update_name(f"{method if known else 'HTTP'} {route}")
            if status >= 500 or (error is not None and status < 200):
                attributes["error.type"] = error or str(status)
                span.set_status(StatusCode.ERROR)
            span.set_attributes(attributes)
        span.end()
    except Exception:
        log.exception("a span could not be ended")


class Call:
    """The span of one attempt to call another service.

    Args:
        peer: its name.
        request: gets the header that names this span as the parent.
    """

    __slots__ = ("_span",)

    def __init__(self, peer: str, request: httpx2.Request) -> None:
        known, url = request.method in METHODS, request.url
        self._span = span = _started(request.method if known else "HTTP", None, SpanKind.CLIENT)
        ids = span.get_span_context()
        if ids.is_valid:
            request.headers["traceparent"] = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{_FLAGS[ids.trace_flags & 3]}"
        if span.is_recording():
            attributes: dict[str, AttributeValue] = {
                "http.request.method": request.method if known else OTHER,
                "peer.service": peer,
                "server.address": url.host,
                "server.port": url.port or _DEFAULT_PORTS.get(url.scheme, 0),
            }
            if resent := request.extensions.get("resend_count"):
                attributes["http.request.resend_count"] = resent
            span.set_attributes(attributes)

    def end(self, status: str, error: str) -> None:
        """The head of the answer is here, or what came in its place. It never raises."""
        try:
            if status:
                self._span.set_attribute("http.response.status_code", int(status))
                error = status if int(status) >= 400 else error
            if error:
                self._span.set_attribute("error.type", error)
                self._span.set_status(StatusCode.ERROR)
            self._span.end()
        except Exception:
            log.exception("a span could not be ended")


def _started(name: str, parent: Context | None, kind: SpanKind) -> Span:
    try:
        return INVALID_SPAN if TRACING.tracer is None else TRACING.tracer.start_span(name, parent, kind)
    except Exception:
        log.exception("a span could not be started")
        return INVALID_SPAN

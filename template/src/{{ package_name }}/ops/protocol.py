"""uvicorn's HTTP/1.1 protocol with what it lacks: limits before the application sees anything, and strict framing.

Refused are headers, trailers and chunk extensions that are too large or slow, and what a proxy might read in another
way. An `Upgrade` that is not wanted is ignored, as RFC 9110 (7.8) has it: the parser would take the body of such a
request for the next request. Each refusal is a problem document with a request id, an access line and a count.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import logs
from .context import RequestContext, current
from .metrics import DURATION, OTHER, UNMATCHED
from .settings import LimitSettings

_LINGER_SECONDS: Final = 1.0
_MAX_DISCARDED_BYTES: Final = 16_777_216  # of a body that is still coming though the answer is complete
_REST_OF: Final = b"POST / HTTP/1.1\r\nHost: x\r\n%b: %b\r\n\r\n"


def limited(limits: LimitSettings) -> type[HttpToolsProtocol]:
    """The protocol class with these limits."""

    class Limited(LimitedProtocol):
        max_header_bytes = limits.request_header_bytes
        max_header_seconds = limits.request_header_seconds

    return Limited


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    max_header_bytes: int
    max_header_seconds: float

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._loose_bytes = 0  # received since the last headers or piece of a body were complete
        self._in_headers = True  # or between two requests
        self._resuming = False  # a new parser is told what kind of body it is in
        self._framing: tuple[bytes, bytes] | None = None  # the header that says how long the body is
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since: float | None = None  # when the last answer was complete, if nothing has come since
        self._idle_timer: asyncio.TimerHandle | None = None
        self._refusal: tuple[int, str | None] | None = None  # to be given when the requests before it are answered
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self._refusal is not None:
            return
        self._unset_keepalive_if_required()
        self._loose_bytes += len(data)
        # One piece may hold a whole request with its body: only what stays incomplete, or is far too much, counts.
        if self._in_headers and self._loose_bytes > self.max_header_bytes and not self._ends_within(data):
            self._refuse(431)
            return
        self._feed(data)
        if self._refused or self.parser is None:
            return
        if self._in_headers:
            if self._loose_bytes and self._deadline is None:
                self._wait(self._too_late)
        elif self.cycle is not None and self.cycle.response_complete:
            if self._loose_bytes > _MAX_DISCARDED_BYTES:
                self.transport.close()
        elif self._loose_bytes > self.max_header_bytes:
            self._refuse(431)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._refused:
                return
            if self._should_upgrade():
                if self._framing is not None:
                    self._refuse(400, "A request to upgrade may have no body.")
                else:
                    self._forget_deadline()
                    self.handle_websocket_upgrade()
                return
            self._go_on(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self._refused:
                self.send_400_response("This is not HTTP.")

    def _go_on(self, rest: bytes) -> None:
        """Read what follows a request whose `Upgrade` is ignored: its body, if it has one, and the next requests."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        if self._framing is not None:
            self._resuming = True
            self.parser.feed_data(_REST_OF % self._framing)
            self._resuming = False
        if rest:
            self._feed(rest)

    def on_message_begin(self) -> None:
        if not self._resuming:
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_headers:  # and not in trailers, which nobody asks for, and which are no headers (RFC 9110, 6.5.1)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._resuming or self._refused:
            return
        self._in_headers, self._loose_bytes, self._framing = False, 0, None
        self._forget_deadline()
        hosts = 0
        for header in self.headers:
            name = header[0]
            if name == b"host":
                hosts += 1
            elif (name == b"content-length" and header[1] != b"0") or name == b"transfer-encoding":
                self._framing = header
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(505)
        elif hosts != 1 and (hosts or version == "1.1"):
            self._refuse(400, "A request must have one Host header.")
        elif self.parser.get_method() == b"CONNECT":
            self._refuse(405)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        if not self.cycle.response_complete:
            self._loose_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        # Asked to upgrade, the parser says so before the body: that comes from another parser.
        if self._resuming or self._refused or (self.parser.should_upgrade() and self._framing is not None):
            return
        self._in_headers, self._loose_bytes = True, 0
        self._forget_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)
        if self._refusal is not None:
            self._give_refusal(*self._refusal)
        elif not self._in_headers and self._deadline is None:
            self._wait(self.transport.close)  # for the rest of a body that nobody wants

    def _unset_keepalive_if_required(self) -> None:
        """uvicorn's timer is set and cancelled for each request; here one a connection looks when it was idle last."""
        self._idle_since = None

    def _close_if_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None or self.transport.is_closing():
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._close_if_idle)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what is not HTTP, as a problem document."""
        self._refuse(400, msg)

    def _should_upgrade(self) -> bool:
        return not self._resuming and super()._should_upgrade()

    def _ends_within(self, data: bytes) -> bool:
        """Whether the headers that end in this piece of data are within the limit."""
        end = data.find(b"\r\n\r\n")
        return end >= 0 and self._loose_bytes - len(data) + end <= self.max_header_bytes

    def _wait(self, then: Any) -> None:
        self._deadline = self.loop.call_later(self.max_header_seconds, then)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or not self._in_headers:
            return
        if self._loose_bytes:
            self._refuse(408)
        else:
            self.transport.close()  # a connection that was opened and never used

    def _refuse(self, status: int, detail: str | None = None) -> None:
        """Read no more, and answer, after the requests that came before, outside of any request; then close."""
        self._forget_deadline()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._give_refusal(status, detail)
        elif cycle.more_body:  # it is this request's body that is refused: its handler waits for the rest in vain
            cycle.disconnected = True
            cycle.message_event.set()
            if self.pipeline:  # it has not begun, and others before it have
                self.pipeline.popleft()
                self._refusal = status, detail
            else:
                self._give_refusal(status, detail)
        else:
            self._refusal = status, detail

    def _give_refusal(self, status: int, detail: str | None) -> None:
        self._refused = True
        if self.transport.is_closing():
            return
        context = RequestContext()
        phrase = HTTPStatus(status).phrase
        document = {"type": "about:blank", "title": phrase, "status": status, "request_id": context.request_id}
        body = orjson.dumps({**document, "detail": detail} if detail else document)
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {context.request_id}\r\ntraceparent: {context.traceparent}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        if self.transport.can_write_eof():
            # Closing while the peer still sends would reset the connection, and it might never read the answer.
            self.transport.write_eof()
            self._deadline = self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()
        token = current.set(context)
        logs.access(OTHER, UNMATCHED, status, 0.0)
        current.reset(token)
        DURATION.labels(OTHER, UNMATCHED, str(status)).observe(0.0)

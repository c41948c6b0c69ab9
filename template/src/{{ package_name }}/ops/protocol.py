"""uvicorn's HTTP/1.1 protocol with the limits it lacks: the size of the headers, and the time to send them."""

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .settings import LimitSettings

_LINGER_SECONDS = 1.0


def limited(limits: LimitSettings) -> type[HttpToolsProtocol]:
    """The protocol class with these limits."""

    class Limited(LimitedProtocol):
        max_header_bytes = limits.request_header_bytes
        max_header_seconds = limits.request_header_seconds

    return Limited


class LimitedProtocol(HttpToolsProtocol):
    """Refuses, before the application sees anything, what no honest client sends."""

    max_header_bytes: int
    max_header_seconds: float

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._header_bytes = 0  # received since the last complete headers
        self._in_headers = True  # or between two requests
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_headers:
            # One piece may hold a whole request with its body: only what stays incomplete, or is far too much, counts.
            self._header_bytes += len(data)
            if self._header_bytes > self.max_header_bytes and not self._ends_within(data):
                self._refuse(431)
                return
        super().data_received(data)
        if self._in_headers and self._header_bytes and self._deadline is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        self._in_headers, self._header_bytes = False, 0
        self._forget_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what is not HTTP, as a problem document."""
        self._refuse(400, msg)

    def _ends_within(self, data: bytes) -> bool:
        """Whether the headers that end in this piece of data are within the limit."""
        end = data.find(b"\r\n\r\n")
        return end >= 0 and self._header_bytes - len(data) + end <= self.max_header_bytes

    def _wait_for_headers(self) -> None:
        self._deadline = self.loop.call_later(self.max_header_seconds, self._too_late)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or not self._in_headers:
            return
        if self._header_bytes:
            self._refuse(408)
        else:
            self.transport.close()  # a connection that was opened and never used

    def _refuse(self, status: int, detail: str | None = None) -> None:
        """Answer with a problem document outside of any request, and close."""
        phrase = HTTPStatus(status).phrase
        document = {"type": "about:blank", "title": phrase, "status": status}
        body = orjson.dumps({**document, "detail": detail} if detail else document)
        head = (
            f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self._refused = True
        self._forget_deadline()
        self.transport.write(head.encode("ascii") + body)
        if self.transport.can_write_eof():
            # Closing while the peer still sends would reset the connection, and it might never read the answer.
            self.transport.write_eof()
            self._deadline = self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

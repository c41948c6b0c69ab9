"""A proxy in front of a real service that changes one thing, over http or https, and servers that misbehave."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_NOT_SENT_ON = 2**30  # a request that declares more has no body yet
_HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "keep-alive")


@dataclass
class Exchange:
    """A request that a proxy passes on, then its answer; a fault changes either."""

    method: str
    path: str
    sent: dict[str, str]
    connection: object = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def set(self, status: int, body: bytes, kind: str = "application/json") -> None:
        """Answer this instead, with the headers that there are."""
        self.status, self.body, self.headers["content-type"] = status, body, kind


Fault = Callable[[Exchange], None]


def nothing(_: Exchange) -> None:
    """No fault."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    requests: list[Exchange]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients close when they have seen enough."""


@contextmanager
def proxy(
    port: int, change: Fault = nothing, before: Fault = nothing, tls: ssl.SSLContext | None = None
) -> Iterator["Served"]:
    """Pass all on to the service at this port of 127.0.0.1; `before` changes requests, `change` answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet: a client's delayed acknowledgement would cost 40 ms

        def _pass(self) -> None:
            sent = {name.lower(): value for name, value in self.headers.items()}
            exchange = Exchange(self.command, self.path, sent, self.connection)
            self.server.requests.append(exchange)  # type: ignore[attr-defined]
            length = int(exchange.sent.get("content-length", 0))
            body = self.rfile.read(length) if length < _NOT_SENT_ON else b""
            before(exchange)
            _ask(port, exchange, body)
            change(exchange)
            self.send_response_only(exchange.status)
            for name, value in {**exchange.headers, "content-length": str(len(exchange.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(exchange.body)

        do_GET = do_POST = do_PATCH = _pass  # noqa: N815

        def handle_expect_100(self) -> bool:
            return True  # whether the body is wanted, the service says

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with _served(_Server(("127.0.0.1", 0), Handler), tls) as served:
        yield served


@dataclass
class Served:
    """A server that runs in this process, and what it was asked."""

    port: int
    requests: list[Exchange]
    scheme: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def _served(server: _Server, tls: ssl.SSLContext | None) -> Iterator[Served]:
    server.requests = []
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Served(server.server_address[1], server.requests, "http" if tls is None else "https")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _ask(port: int, exchange: Exchange, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(exchange.method, exchange.path, skip_host=True, skip_accept_encoding=True)
        for name, value in exchange.sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        exchange.status, exchange.body = answer.status, answer.read()
        exchange.headers = {name.lower(): value for name, value in answer.getheaders()}
        for name in _HOP_BY_HOP:
            exchange.headers.pop(name, None)
    finally:
        connection.close()


@dataclass
class Raw:
    """A server that speaks in bytes."""

    url: str
    received: list[bytes]
    sent: int = 0


@contextmanager
def raw(*pieces: bytes, pause: float = 0.0, repeat: bool = False) -> Iterator[Raw]:
    """Answer every connection's first bytes with these pieces, the last of them for ever if `repeat`.

    With no pieces it never answers.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    state = Raw(f"http://127.0.0.1:{listener.getsockname()[1]}", [])
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            state.received.append(connection.recv(65_536))
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            while pieces and repeat and not ended.is_set():
                connection.sendall(pieces[-1])
                state.sent += len(pieces[-1])
                time.sleep(pause)
            if not pieces:
                ended.wait(20)

    def listen() -> None:
        with suppress(OSError):
            while not ended.is_set():
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)

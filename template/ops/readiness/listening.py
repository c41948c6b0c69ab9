"""Servers of the checks' own, on loopback: of syslog, of mail, and another service that the service calls."""

import socket
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_LARGEST: Final = 65_536
_SECONDS: Final = 10.0


@dataclass
class Syslog:
    """Datagrams that arrived."""

    port: int
    received: list[bytes] = field(default_factory=list)


@dataclass
class Mailbox:
    """Mails that arrived, as text: head and body."""

    port: int
    received: list[str] = field(default_factory=list)


@dataclass
class Peer:
    """Requests that arrived: method, path, body, and headers by name in lower case."""

    port: int
    received: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def syslog(ending: ExitStack) -> Syslog:
    """A server of syslog over UDP."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.2)
    made, stopped = Syslog(server.getsockname()[1]), threading.Event()

    def receive() -> None:
        while not stopped.is_set():
            with suppress(TimeoutError):
                made.received.append(server.recv(_LARGEST))
        server.close()

    threading.Thread(target=receive, daemon=True).start()
    ending.callback(stopped.set)
    return made


def mailbox(ending: ExitStack) -> Mailbox:
    """A server of SMTP that takes every mail."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)
    made, stopped = Mailbox(server.getsockname()[1]), threading.Event()

    def accept() -> None:
        while not stopped.is_set():
            with suppress(TimeoutError):
                connection, _ = server.accept()
                threading.Thread(target=_converse, args=(connection, made), daemon=True).start()
        server.close()

    threading.Thread(target=accept, daemon=True).start()
    ending.callback(stopped.set)
    return made


def _converse(connection: socket.socket, made: Mailbox) -> None:
    """The server's side of RFC 5321, as far as one client needs it."""
    connection.settimeout(_SECONDS)
    with connection, connection.makefile("rwb", buffering=0) as stream, suppress(OSError):
        stream.write(b"220 readiness\r\n")
        while line := stream.readline(1000):
            command = line[:4].upper().strip()
            if command == b"DATA":
                stream.write(b"354 go on\r\n")
                made.received.append(_data(stream))
            stream.write(b"221 bye\r\n" if command == b"QUIT" else b"250 readiness\r\n")
            if command == b"QUIT":
                return


def _data(stream: Any) -> str:
    lines = []
    while (line := stream.readline(_LARGEST)) not in (b".\r\n", b""):
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines).decode("utf-8", "replace")


def peer(ending: ExitStack, answers: dict[str, bytes] | None = None) -> Peer:
    """Another service: answers 200 to everything, with `answers` by method."""
    made = Peer(0)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.received.append((self.command, self.path, body, headers))
            content = (answers or {}).get(self.command, b"{}")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the standard library's names

        def log_message(self, *_: object, **__: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    ending.callback(server.server_close)
    ending.callback(server.shutdown)
    return made

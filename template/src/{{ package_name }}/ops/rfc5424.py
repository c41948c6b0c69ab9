"""Log lines to a syslog server: RFC 5424, over UDP, TCP, TLS or a unix socket, with the JSON line as the message."""

import errno
import os
import re
import select
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from .about import About

SEVERITY: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # RFC 5424, section 6.2.1
_FACILITY: Final = 16  # local0
_ENTERPRISE: Final = "32473"  # set aside for examples and documentation by RFC 5612; structured data names need one
_FIELDS: Final = ("request_id", "trace_id", "span_id", "version")
_PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}  # RFC 5426, 6587 (its note on 514), 5425
_LARGEST: Final = {"udp": 1_400, "unix": 8_192, "tcp": 65_536, "tls": 65_536}  # bytes; a datagram in one packet
_CONNECT_SECONDS: Final = 5.0
_SEND_SECONDS: Final = 5.0
_SELECTABLE: Final = 1024  # select(2) knows no larger descriptors
_UNIX_KINDS: Final = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a syslog server listens: `udp`, `tcp` or `tls` with host and port, or `unix` with a path."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, address: str) -> "Target":
        """Read `udp://host:514`, `tcp://host:601`, `tls://host:6514` or `unix:///dev/log`; the port may be left out.

        Raises:
            ValueError: it is none of these.
        """
        accepted = "write udp://host:514, tcp://host:601, tls://host:6514 or unix:///dev/log"
        try:
            url = urlsplit(address)
            port = url.port
        except ValueError:
            raise ValueError(f"no address of a syslog server: {accepted}") from None
        if url.username is not None or url.query or url.fragment:
            raise ValueError(f"a syslog server's address has neither user nor query: {accepted}")
        if url.scheme == "unix" and url.path.startswith("/") and not url.netloc:
            return cls("unix", path=url.path)
        if url.scheme in _PORTS and url.hostname and url.path in ("", "/"):
            return cls(url.scheme, url.hostname, port or _PORTS[url.scheme])
        raise ValueError(f"no address of a syslog server: {accepted}")


class Format:
    """From a JSON line to a syslog message, in RFC 5424's form.

    Args:
        about: its name is the APP-NAME.
        largest: bytes of a message. A longer one loses the end of its JSON text.
    """

    def __init__(self, about: About, largest: int) -> None:
        self._largest = largest
        host = _name(socket.gethostname(), 255)
        self._head = f"{host} {_name(about.name, 48)} {os.getpid()}"

    def message(self, line: bytes, level: str) -> bytes:
        """One message without a frame. `line` is a JSON object with `timestamp` and `logger`."""
        fields = _fields(line)
        priority = _FACILITY * 8 + SEVERITY[level]
        data = " ".join(f'{name}="{_escaped(str(fields[name]))}"' for name in _FIELDS if fields.get(name))
        structured = f"[service@{_ENTERPRISE} {data}]" if data else "-"
        kind = _name(str(fields.get("logger") or "-"), 32)
        stamp = fields.get("timestamp") or "-"
        head = f"<{priority}>1 {stamp} {self._head} {kind} {structured} ".encode()
        text = line.rstrip(b"\n").replace(b"\n", b" ")
        if len(head) + len(text) > self._largest:
            text = text[: max(0, self._largest - len(head) - 3)].decode("utf-8", "ignore").encode() + "…".encode()
        return head + text


def _fields(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _name(text: str, longest: int) -> str:
    """A header field: printable ASCII without spaces (section 6)."""
    return re.sub(r"[^\x21-\x7e]", "_", text)[:longest] or "-"


def _escaped(text: str) -> str:
    """A parameter's value (section 6.3.3)."""
    return re.sub(r'(["\\\]])', r"\\\1", text)


class Syslog:
    """A syslog server, as the destination of a queue of (line, level).

    Args:
        target: where it listens.
        tls: for `tls`; None takes the platform's certificate authorities.
    """

    def __init__(self, target: Target, about: About, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._about = about
        self._tls = tls
        self._format: Format | None = None
        self._socket: socket.socket | None = None
        self._stream = target.scheme in ("tcp", "tls")

    def deliver(self, items: Sequence[tuple[bytes, str]]) -> int:
        """Send them all over a stream, or as many datagrams as the server takes.

        Raises:
            OSError: the server can't be reached.
        """
        if self._socket is None:
            self._socket = self._connect()
        if self._format is None:  # here, in the process that sends
            self._format = Format(self._about, _LARGEST[self._target.scheme])
        messages = [self._format.message(line, level) for line, level in items]
        try:
            if self._stream:
                self._alive()
                # Octet counting (RFC 6587, section 3.4.1): a message may hold anything.
                self._socket.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
                return len(items)
            for message in messages:
                self._send_datagram(message)
        except OSError:
            self.close()
            raise
        return len(items)

    def tick(self, *, closing: bool) -> None:
        """Nothing is due later."""

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None

    def _send_datagram(self, message: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(message)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:  # this network takes less
                raise
            self._socket.send(message[:480])  # what every receiver must take (RFC 5426, section 3.2)

    def _alive(self) -> None:
        """Raise if the server has closed the connection: what is written to such a one is lost without an error."""
        sock = self._socket
        if sock is None or isinstance(sock, ssl.SSLSocket) or sock.fileno() >= _SELECTABLE:
            return
        readable, _, _ = select.select([sock], [], [], 0)
        if readable and sock.recv(1, socket.MSG_PEEK) == b"":
            raise ConnectionResetError("the syslog server has closed the connection")

    def _connect(self) -> socket.socket:
        target = self._target
        if target.scheme == "unix":
            return self._connect_unix(target.path)
        if target.scheme == "udp":
            family, kind, proto, _, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)[0]
            sock = socket.socket(family, kind, proto)
            sock.settimeout(_SEND_SECONDS)
            sock.connect(address)
            return sock
        sock = socket.create_connection((target.host, target.port), _CONNECT_SECONDS)
        sock.settimeout(_SEND_SECONDS)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if target.scheme == "tls":
            context = self._tls or ssl.create_default_context()
            try:
                return context.wrap_socket(sock, server_hostname=target.host)
            except OSError:
                sock.close()
                raise
        return sock

    def _connect_unix(self, path: str) -> socket.socket:
        """A datagram socket, as /dev/log usually is, or a stream, whatever listens there."""
        for kind in _UNIX_KINDS:
            sock = socket.socket(socket.AF_UNIX, kind)
            sock.settimeout(_SEND_SECONDS)
            try:
                sock.connect(path)
            except OSError as error:
                sock.close()
                if error.errno != errno.EPROTOTYPE or kind == _UNIX_KINDS[-1]:  # it is of the other kind
                    raise
            else:
                self._stream = kind == socket.SOCK_STREAM
                return sock
        raise OSError(f"nothing listens at {path}")

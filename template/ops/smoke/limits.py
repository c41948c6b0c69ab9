"""The check that a huge body is refused, without sending one."""

import socket

from .outcome import Failed
from .target import Target
from .trust import connected

_DECLARED = 2**40 + 1  # more than the largest limit that can be set
_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ops-smoke\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
)


def body(target: Target) -> str:
    """A body beyond the limit is refused before it is sent."""
    address = target.client.address
    path = address.prefix + target.plan.unknown_path
    head = _HEAD.format(path=path, host=address.authority, length=_DECLARED)
    try:
        with connected(address, target.trust.context, target.client.left) as connection:
            connection.sendall(head.encode("ascii"))
            line = _first_line(connection)
    except OSError as error:
        raise Failed(f"no answer to a request that declares {_DECLARED:,} bytes: {type(error).__name__}") from None
    if line.split(" ")[1:2] != ["413"]:
        raise Failed(f"a request that declares {_DECLARED:,} bytes was answered {line[:80]!r}")
    return "413 to a declared length, with no byte of a body sent"


def _first_line(connection: socket.socket) -> str:
    received = b""
    while b"\r\n" not in received and len(received) < 1000 and (piece := connection.recv(1000)):
        received += piece
    return received.split(b"\r\n", maxsplit=1)[0].decode("ascii", "replace")

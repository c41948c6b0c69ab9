"""What is refused before the application sees it: headers that are too large or too slow, and what is not HTTP."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from fastapi import Request
from uvicorn.server import ServerState

from . import ops, service

_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


async def length(request: Request) -> int:
    return len(await request.body())


def talk(
    steps: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]], **limits: float
) -> tuple[int, bytes]:
    """Serve one connection on this machine; returns the status and body of its last answer."""

    async def run() -> bytes:
        protocol = ops.protocol.limited(ops.settings.LimitSettings(**limits))
        app = service()
        app.post("/length")(length)
        config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, timeout_keep_alive=1)
        config.load()
        state = ServerState()

        def made() -> Any:
            return protocol(config=config, server_state=state, app_state={})

        server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(steps(reader, writer), 2)
        finally:
            writer.close()
            server.close()

    answer = asyncio.run(run())
    head, _, body = answer.rpartition(b"\r\n\r\n")
    return (int(head[head.rindex(b"HTTP/1.1 ") :].split()[1]) if head else 0), body


def sending(*pieces: bytes, pause: float = 0.002) -> Any:
    """Send pieces and read until the connection is closed."""

    async def steps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause)
        return await reader.read()

    return steps


def test_headers_within_the_limits_pass() -> None:
    status, body = talk(
        sending(_GET + b"X: " + b"x" * 900 + b"\r\nConnection: close\r\n\r\n"), request_header_bytes=1024
    )

    assert (status, body) == (200, b'{"status":"pass"}')


@pytest.mark.parametrize(
    "pieces",
    [
        [_GET + b"X: " + b"x" * 2000 + b"\r\n\r\n"],
        [_GET + b"X: " + b"x" * 2000],
        [_GET, *[b"X: " + b"x" * 100 + b"\r\n"] * 10],
        [b"GET /" + b"x" * 2000],
    ],
    ids=["whole", "unfinished", "in pieces", "request line"],
)
def test_headers_beyond_the_limit_are_refused(pieces: list[bytes]) -> None:
    status, body = talk(sending(*pieces), request_header_bytes=1024)

    assert status == 431
    assert json.loads(body) == {"type": "about:blank", "title": "Request Header Fields Too Large", "status": 431}


def test_a_large_body_does_not_count_as_headers() -> None:
    post = b"POST /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5000\r\n\r\n"

    assert talk(sending(post + b"x" * 5000), request_header_bytes=1024) == (200, b"5000")


def test_the_headers_of_each_request_count_for_themselves() -> None:
    request = _GET + b"X: " + b"x" * 600 + b"\r\n\r\n"
    last = _GET + b"Connection: close\r\n\r\n"
    status, _ = talk(sending(request, request, request, last), request_header_bytes=1024)

    assert status == 200


def test_headers_that_come_too_slowly_are_refused() -> None:
    status, _ = talk(sending(_GET, b"X: "), request_header_seconds=0.05)

    assert status == 408


def test_a_connection_that_is_never_used_is_closed_without_a_word() -> None:
    assert talk(sending(), request_header_seconds=0.05) == (0, b"")


def test_a_later_requests_headers_have_a_time_of_their_own() -> None:
    status, _ = talk(sending(_GET + b"\r\n", _GET), request_header_seconds=0.05)

    assert status == 408


def test_a_request_that_is_served_is_not_cut_by_the_time_for_headers() -> None:
    post = b"POST /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"

    assert talk(sending(post, b"x", b"x", pause=0.04), request_header_seconds=0.05) == (200, b"2")


def test_what_is_not_http_is_a_problem_document() -> None:
    status, body = talk(sending(b"\x16\x03\x01 hello\r\n\r\n"))

    assert status == 400
    assert json.loads(body)["title"] == "Bad Request"

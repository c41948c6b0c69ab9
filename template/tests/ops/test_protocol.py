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
    steps: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]], seconds: float = 2, **limits: float
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
            return await asyncio.wait_for(steps(reader, writer), seconds)
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
    document = json.loads(body)
    assert len(document.pop("request_id")) == 32
    assert document == {"type": "about:blank", "title": "Request Header Fields Too Large", "status": 431}


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


def statuses(*pieces: bytes, pause: float = 0.002, **limits: float) -> list[int]:
    """The statuses of all answers on one connection."""

    async def steps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        answers = await sending(*pieces, pause=pause)(reader, writer)
        found.extend(int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:])
        bodies.append(answers)
        return b""

    found: list[int] = []
    bodies: list[bytes] = []
    talk(steps, **limits)
    return found


_POST = b"POST /length HTTP/1.1\r\nHost: x\r\n"
_LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("upgrade", [b"foo", b"h2c", b"websocket"])
@pytest.mark.parametrize("pause", [0.0, 0.01])
@pytest.mark.parametrize("framing", [b"Content-Length: %d", b"Transfer-Encoding: chunked"])
def test_the_body_of_a_request_that_asks_to_upgrade_is_its_body_and_no_request(
    upgrade: bytes, pause: float, framing: bytes
) -> None:
    smuggled = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"Transfer" in framing
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled) if chunked else smuggled
    head = _POST + b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n"
    head += (framing if chunked else framing % len(smuggled)) + b"\r\n\r\n"
    lengths: list[bytes] = []

    async def steps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        lengths.append(await sending(head, body, _LAST, pause=pause)(reader, writer))
        return b""

    talk(steps)
    answers = lengths[0].split(b"HTTP/1.1 ")[1:]

    assert [answer[:3] for answer in answers] == [b"200", b"200"]
    assert answers[0].endswith(b"\r\n\r\n%d" % len(smuggled))


def test_a_tunnel_is_refused() -> None:
    assert statuses(b"CONNECT /length HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == [405]


def test_an_upgrade_without_a_body_is_ignored_and_the_next_request_is_read() -> None:
    first = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

    assert statuses(first + _LAST) == [200, 200]
    assert statuses(first, _LAST) == [200, 200]


def test_trailers_are_dropped_and_bounded() -> None:
    head = _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"

    assert statuses(head + b"Authorization: Bearer x\r\n\r\n", _LAST) == [200, 200]
    assert statuses(head, *[b"X-%d: a\r\n" % number for number in range(300)], request_header_bytes=1024, pause=0) == [
        431
    ]
    assert statuses(head, b"X: " + b"a" * 900, b"a" * 900, request_header_bytes=1024) == [431]


def test_chunk_extensions_are_bounded() -> None:
    head = _POST + b"Transfer-Encoding: chunked\r\n\r\n1;a="

    assert statuses(head, b"a" * 900, b"a" * 900, request_header_bytes=1024) == [431]


def test_a_chunked_body_beyond_the_limit_of_headers_is_none_of_theirs() -> None:
    chunks = [b"100\r\n" + b"x" * 256 + b"\r\n"] * 20

    assert statuses(
        _POST + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n", _LAST, request_header_bytes=1024
    ) == [200, 200]


def test_requests_before_garbage_are_answered_first_and_none_of_them_fails(log_lines: Any) -> None:
    good = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

    assert statuses(good + good + b"\0garbage\r\n\r\n") == [200, 200, 400]
    assert not [line for line in log_lines.lines if line["level"] == "error"]


def test_garbage_within_a_body_ends_that_request(log_lines: Any) -> None:
    head = _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"

    assert statuses(head, b"garbage\r\n") == [400]
    assert not [line for line in log_lines.lines if line["level"] == "error"]


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
def test_a_request_has_one_host(hosts: bytes) -> None:
    assert statuses(b"GET /livez HTTP/1.1\r\n" + hosts + b"\r\n") == [400]


def test_the_old_version_needs_no_host_and_another_is_refused() -> None:
    assert statuses(b"GET /livez HTTP/1.0\r\n\r\n") == [200]
    assert statuses(b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n") in ([505], [400])


def test_a_refusal_is_logged_under_the_request_id_that_it_tells(log_lines: Any) -> None:
    _, body = talk(sending(b"nonsense\r\n\r\n"))
    (line,) = log_lines.named("request")

    assert line["request_id"] == json.loads(body)["request_id"]
    assert (line["http_response_status_code"], line["http_route"]) == (400, "_UNMATCHED")


def test_what_still_comes_of_a_body_after_the_answer_is_awaited_for_a_moment_only() -> None:
    refused = _POST.replace(b"/length", b"/livez") + b"Content-Length: 100\r\n\r\n"

    assert statuses(refused, request_header_seconds=0.1) == [405]
    assert statuses(refused, b"x", request_header_seconds=0.1) == [405]
    assert statuses(refused, b"x" * 100, _LAST, request_header_seconds=0.1) == [405, 200]


def test_a_request_that_waits_behind_another_and_turns_to_garbage_spoils_neither(log_lines: Any) -> None:
    good = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    broken = _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\ngarbage\r\n"

    assert statuses(good + good + broken) == [200, 200, 400]
    assert not [line for line in log_lines.lines if line["level"] == "error"]


def test_an_idle_connection_is_closed_after_its_time_and_a_used_one_is_not() -> None:
    async def steps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(4):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            seen.append(await reader.readuntil(b'"pass"}'))
            await asyncio.sleep(0.4)
        began = asyncio.get_running_loop().time()
        seen.append(await reader.read())
        waited.append(asyncio.get_running_loop().time() - began)
        return b""

    seen: list[bytes] = []
    waited: list[float] = []
    talk(steps, seconds=5)

    assert len(seen) == 5
    assert seen[-1] == b""
    assert 0.4 < waited[0] < 1.2

"""Calls to other services, against a small server on this machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from . import ops, sample

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
CLOSE = ""  # the connection is closed without an answer
HANG = "hang"


class Peer:
    """Another service: it plays its answers in order, the last one for ever, and keeps what it was asked."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().rstrip().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines)
                await reader.readexactly(int(headers.get("content-length", 0)))
                if headers.get("transfer-encoding") == "chunked":
                    await reader.readuntil(b"0\r\n\r\n")
                self.asked.append(first.split()[0])
                self.headers.append(headers)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == HANG:
                    await asyncio.sleep(1)
                if answer in (CLOSE, HANG):
                    break
                writer.write(answer.encode())
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def talk(steps: Callable[[Any, Peer], Awaitable[Any]], *answers: str, peer: str = "shop", **options: Any) -> Any:
    """Run `steps` with a client of a peer that gives these answers; returns what they return, and the peer."""

    async def run() -> Any:
        other = Peer(list(answers) or [OK])
        server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
        other.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            async with ops.http_client(peer, other.url, **{"backoff_seconds": 0.001, **options}) as client:
                return await steps(client, other), other
        finally:
            server.close()

    return asyncio.run(run())


def get(*answers: str, method: str = "GET", **options: Any) -> tuple[Any, Peer]:
    async def steps(client: Any, _: Peer) -> Any:
        return await client.request(method, "/x")

    answer, peer = talk(steps, *answers, **options)
    return answer, peer


# --- what is said to the peer


def test_a_call_tells_which_request_it_belongs_to() -> None:
    async def steps(client: Any, _: Peer) -> Any:
        parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        context = ops.context.RequestContext(b"abc-1", parent, b"a=1")
        ops.context.current.set(context)
        await client.get("/x")
        return context

    context, peer = talk(steps)

    assert peer.headers[0]["x-request-id"] == "abc-1"
    assert peer.headers[0]["traceparent"] == context.traceparent
    assert peer.headers[0]["traceparent"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert peer.headers[0]["tracestate"] == "a=1"


def test_a_call_outside_of_a_request_tells_none() -> None:
    _, peer = get()

    assert not {"x-request-id", "traceparent", "tracestate"} & set(peer.headers[0])


def test_a_call_says_who_calls_and_the_owners_headers() -> None:
    _, peer = get(headers={"X-Tenant": "t1"})

    assert peer.headers[0]["user-agent"] == f"{ops.about.ABOUT.name}/{ops.about.ABOUT.version}"
    assert peer.headers[0]["x-tenant"] == "t1"


# --- retries


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("failure", [BUSY, CLOSE], ids=["busy", "closed"])
def test_an_idempotent_call_is_tried_again(method: str, failure: str) -> None:
    ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    answer, peer = get(failure, failure, ok, method=method)

    assert answer.status_code == 200
    assert peer.asked == [method] * 3


@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
def test_other_calls_are_made_once(method: str) -> None:
    answer, peer = get(BUSY, OK, method=method)

    assert answer.status_code == 503
    assert peer.asked == [method]


def test_a_call_that_is_not_idempotent_is_not_tried_again_after_a_broken_connection() -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        get(CLOSE, OK, method="POST")


@pytest.mark.parametrize(
    ("status", "times"), [(200, 1), (400, 1), (404, 1), (500, 1), (501, 1), (429, 3), (502, 3), (503, 3), (504, 3)]
)
def test_only_what_may_pass_is_tried_again(status: int, times: int) -> None:
    answer, peer = get(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")

    assert answer.status_code == status
    assert len(peer.asked) == times


def test_retries_end_with_the_last_failure() -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        get(CLOSE)


def test_retries_can_be_switched_off() -> None:
    _, peer = get(BUSY, retries=0)

    assert peer.asked == ["GET"]


def test_a_body_that_is_read_from_a_stream_is_sent_once() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"piece"

    async def steps(client: Any, _: Peer) -> Any:
        return await client.put("/x", content=body())

    answer, peer = talk(steps, BUSY)

    assert (answer.status_code, len(peer.asked)) == (503, 1)


def test_a_body_in_memory_is_sent_again_whole() -> None:
    async def steps(client: Any, _: Peer) -> Any:
        return await client.put("/x", json={"a": 1})

    answer, peer = talk(steps, BUSY, OK)

    assert (answer.text, len(peer.asked)) == ("ok", 2)


def test_a_peer_that_is_not_there_is_tried_again() -> None:
    async def steps(client: Any, peer: Peer) -> Any:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1/x")

    before = _attempts("ghost", "", "ConnectError")
    talk(steps, peer="ghost")

    assert _attempts("ghost", "", "ConnectError") - before == 3


# --- Retry-After


def busy(after: str) -> str:
    return f"HTTP/1.1 503 Busy\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that a client makes, which take no time."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    class Asyncio:
        def __getattr__(self, name: str) -> Any:
            return sleep if name == "sleep" else getattr(asyncio, name)

    monkeypatch.setattr(ops.outgoing, "asyncio", Asyncio())
    return found


@pytest.mark.parametrize(("after", "waited"), [("0", [0.0]), ("3", [3.0]), ("10", [10.0])])
def test_the_peer_says_when_to_try_again(waits: list[float], after: str, waited: list[float]) -> None:
    get(busy(after), OK)

    assert waits == waited


def test_the_peer_may_say_it_as_a_date(waits: list[float]) -> None:
    get(busy(format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)), OK)

    assert 3 < waits[0] <= 5


def test_a_date_that_is_past_means_now(waits: list[float]) -> None:
    get(busy("Wed, 21 Oct 2015 07:28:00 GMT"), OK)

    assert waits == [0.0]


@pytest.mark.parametrize("after", ["11", "99999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_peer_that_asks_for_too_long_a_wait_is_not_tried_again(waits: list[float], after: str) -> None:
    answer, peer = get(busy(after), OK)

    assert (answer.status_code, len(peer.asked), waits) == (503, 1, [])


@pytest.mark.parametrize(
    "after", ["", "soon", "-1", "1.5", "٣", "Wed, 99 Oct 2015 07:28:00 GMT", f"Wed, 21 Oct {'9' * 30} 07:28:00 GMT"]
)
def test_a_wait_that_makes_no_sense_is_ignored(waits: list[float], after: str) -> None:
    value = ops.outgoing._retry_after(after)

    assert value is None


def test_the_pause_grows_and_is_random(waits: list[float]) -> None:
    for _ in range(10):
        get(BUSY, backoff_seconds=1.0, retries=3)

    assert all(0 <= wait <= limit for wait, limit in zip(waits, [1, 2, 4] * 10, strict=True))
    assert max(waits[2::3]) > 1
    assert len(set(waits)) == 30


# --- time


def test_a_peer_that_hangs_is_not_waited_for() -> None:
    began = time.monotonic()
    with pytest.raises(httpx2.ReadTimeout):
        get(HANG, timeout_seconds=0.05, retries=1)

    assert 0.1 <= time.monotonic() - began < 0.8


# --- metrics


def _attempts(peer: str, status: str, error: str, method: str = "GET") -> float:
    return sample(
        "http_client_request_duration_seconds_count",
        peer=peer,
        http_request_method=method,
        http_response_status_code=status,
        error_type=error,
    )


def test_each_attempt_is_measured_by_peer() -> None:
    get(BUSY, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", peer="measured")

    assert _attempts("measured", "503", "503") == 1
    assert _attempts("measured", "404", "") == 1


def test_an_attempt_without_an_answer_is_measured_by_its_error() -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        get(CLOSE, peer="broken", retries=0)

    assert _attempts("broken", "", "RemoteProtocolError") == 1


def test_a_call_that_is_cancelled_is_measured_as_such() -> None:
    async def steps(client: Any, _: Peer) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("/x"), 0.03)

    talk(steps, HANG, peer="cancelled")

    assert _attempts("cancelled", "", "cancelled") == 1


def test_methods_that_are_made_up_share_one_value() -> None:
    get(method="BREW", peer="methods")

    assert _attempts("methods", "200", "", method="_OTHER") == 1


@pytest.mark.parametrize("peer", ["", "Shop", "my shop", 'x"} 1', "a" * 64, "https://shop"])
def test_a_peers_name_must_be_a_safe_label(peer: str) -> None:
    with pytest.raises(ValueError, match="lower case letters"):
        ops.http_client(peer)


def test_the_client_takes_all_that_httpx_takes() -> None:
    async def run() -> Any:
        transport = httpx2.MockTransport(lambda request: httpx2.Response(200, text=request.url.path))
        async with ops.http_client("shop", "http://shop/api", transport=transport, follow_redirects=True) as client:
            return client.follow_redirects, (await client.get("orders")).text

    assert asyncio.run(run()) == (True, "/api/orders")


def test_options_of_the_connection_reach_it() -> None:
    async def run() -> None:
        async with ops.http_client("shop", limits=httpx2.Limits(max_connections=1), verify=False):
            """It was made."""

    asyncio.run(run())

"""Whatever a server does, the smoke tests end in time, read little, and go nowhere else."""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import Running, serving
from tests.smoke.faults import GREEN, answering, on
from tests.smoke.faulty import Exchange, proxy, raw
from tests.smoke.smoking import smoke, smoke_here

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def service(orders: Path) -> Iterator[Running]:
    with serving(orders) as running:
        yield running


def test_a_server_that_never_answers_fails_every_check_in_bounded_time() -> None:
    with raw() as server:
        done = smoke_here(None, "--timeout", "0.3", "--request", "GET /a", server.url)

    assert (done.status, done.ids("pass")) == (1, set())
    assert "GET /livez: no whole answer within 0.3 s" in done.evidence("livez")
    assert done.evidence("stack-traces") == "not made: other checks took all the time there is"
    assert done.seconds < 10


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ((HEAD + b"Content-Length: 9999\r\n\r\n", b"x"), "GET /livez: no whole answer within 0.3 s"),
        ((b"HTTP/1.1 200 OK\r\n", b"X-Again: 1\r\n"), "no result within 0.3 s"),
        ((b"nonsense\r\n\r\n",), "GET /livez: no answer: RemoteProtocolError"),
        ((b"",), "GET /livez: no answer: RemoteProtocolError"),
    ],
    ids=["body by drops", "headers by drops", "no HTTP", "closed"],
)
def test_an_answer_that_does_not_end_or_begin_is_cut(pieces: tuple[bytes, ...], told: str) -> None:
    with raw(*pieces, pause=0.05, repeat=len(pieces) > 1) as server:
        done = smoke_here(None, "--timeout", "0.3", "--wait", "0.2", server.url)

    assert done.status == 1
    assert "not ready after" in done.stdout
    assert told in done.evidence("livez")
    assert done.seconds < 10


def test_a_body_without_end_is_not_read_to_its_end() -> None:
    with raw(HEAD + b"\r\n", b"x" * 65_536, repeat=True) as server:
        done = smoke_here(None, "--timeout", "1", server.url)

    assert "answered more than 1,048,576 bytes" in done.evidence("livez")
    assert server.sent < 200_000_000  # of all checks; what lies in sockets' buffers is in it, too


def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    head = HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with raw(head + bomb) as server:
        done = smoke_here(None, "--timeout", "2", server.url)

    assert "no JSON: GET /livez answered 200: " in done.evidence("livez")


def test_redirects_lead_nowhere() -> None:
    with raw(HEAD + b"Content-Length: 2\r\n\r\n{}") as elsewhere:
        target = f"{elsewhere.url}/login?next=secret"
        with raw(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()) as server:
            done = smoke_here(None, "--timeout", "2", "--request", "GET /a", server.url)

    assert (done.status, elsewhere.received) == (1, [])
    assert f"GET /livez answered 302: a redirect to {elsewhere.url}, which was not followed" in done.evidence("livez")
    assert "secret" not in done.stdout


@pytest.mark.slow
def test_one_hanging_check_stops_none_of_the_others(orders: Path, service: Running) -> None:
    def hang(_: Exchange) -> None:
        time.sleep(20)

    with proxy(service.port, on("/readyz")(hang)) as hanging:
        done = smoke(orders, "--timeout", "1", hanging.url)

    assert (done.status, done.ids("fail"), done.ids("pass")) == (1, {"readyz"}, GREEN - {"readyz"})
    assert done.evidence("readyz") == "GET /readyz: no whole answer within 1 s"
    assert done.seconds < 10


@pytest.mark.slow
def test_a_huge_answer_of_one_route_fails_that_check_alone(orders: Path, service: Running) -> None:
    with proxy(service.port, on("/livez")(answering(200, "[" + "1," * 1_000_000))) as huge:
        done = smoke_here(orders, huge.url)

    assert done.ids("fail") == {"livez"}


def test_json_that_is_nested_too_deeply_or_holds_a_huge_number_is_no_json() -> None:
    for body in (b"[" * 200_000, b"1" * 10_000):
        with raw(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body) as server:
            done = smoke_here(None, "--timeout", "2", server.url)

        assert done.evidence("livez").startswith("no JSON: GET /livez answered 200: ")

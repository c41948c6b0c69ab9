"""What one worker accepts, who it believes, and what its errors look like."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.services import Running, labels, serving

pytestmark = pytest.mark.slow
LIMITS = {
    "APP_LIMITS__REQUEST_BODY_BYTES": "1000",
    "APP_LIMITS__REQUEST_HEADER_BYTES": "4096",
    "APP_LIMITS__REQUEST_HEADER_SECONDS": "0.7",
    "APP_LIMITS__REQUEST_SECONDS": "0.8",
    "APP_LIMITS__CONCURRENT_REQUESTS": "4",
}


@pytest.fixture(scope="module")
def service(probes: Path) -> Iterator[Running]:
    with serving(probes, env=LIMITS) as running:
        yield running


def raw(service: Running, data: bytes, seconds: float = 5, more: tuple[float, bytes] = (0.0, b"")) -> bytes:
    """Send bytes (and `more` of them after so many seconds), return all that comes until the server closes."""

    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(data)
        await asyncio.sleep(more[0])
        writer.write(more[1])
        try:
            return await asyncio.wait_for(reader.read(), seconds)
        finally:
            writer.close()

    return asyncio.run(talk())


def problem(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and document of a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    return int(head[9:12]), json.loads(body)


def test_a_body_that_is_too_large_is_413(service: Running) -> None:
    body = {"name": "x" * 2000, "count": 1}
    declared = httpx2.post(f"{service.url}/v1/items", json=body)
    streamed = httpx2.post(
        f"{service.url}/v1/items",
        content=iter([json.dumps(body).encode()]),
        headers={"content-type": "application/json"},
    )
    fits = httpx2.post(f"{service.url}/v1/items", json={"name": "x" * 900, "count": 1})

    assert [answer.status_code for answer in (declared, streamed, fits)] == [413, 413, 200]
    assert declared.json()["title"] == streamed.json()["title"]
    assert declared.json()["request_id"] == declared.headers["x-request-id"]


def test_headers_that_are_too_large_are_431(service: Running) -> None:
    line = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    at_once = raw(service, line + b"X-Big: " + b"x" * 9000 + b"\r\n\r\n")
    without_end = raw(service, line + b"X-Big: " + b"x" * 5000)
    long_path = raw(service, b"GET /" + b"x" * 5000)

    assert [problem(answer)[0] for answer in (at_once, without_end, long_path)] == [431, 431, 431]


def test_headers_that_come_too_slowly_are_408(service: Running) -> None:
    began = time.monotonic()
    status, _ = problem(raw(service, b"GET /livez HTTP/1.1\r\nHost: loc", more=(0.4, b"alhost\r\n")))

    assert status == 408
    assert time.monotonic() - began < 2


def test_a_connection_that_says_nothing_is_closed(service: Running) -> None:
    assert raw(service, b"") == b""


def test_what_is_not_http_is_400_in_the_same_form(service: Running) -> None:
    status, document = problem(raw(service, b"\x16\x03\x01 hello\r\n\r\n"))

    assert (status, document["title"]) == (400, "Bad Request")


@pytest.mark.parametrize("path", ["/v1/slow?seconds=3", "/v1/slow-thread?seconds=2"])
def test_a_request_that_takes_too_long_is_503_in_time(service: Running, path: str) -> None:
    answer = service.get(path)

    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() < 1.8
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["detail"] == "The request took too long."


def test_a_stream_may_last_longer_than_the_time_to_its_beginning(service: Running) -> None:
    answer = service.get("/v1/stream?chunks=5&seconds=0.4")

    assert (answer.status_code, len(answer.content)) == (200, 10_000)


def test_past_the_requests_in_flight_it_is_503_with_retry_after_and_probes_still_answer(service: Running) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(service.get, ["/v1/slow?seconds=0.5"] * 7 + ["/livez"]))
    refused = [answer for answer in answers if answer.status_code == 503]

    assert len(refused) == 3
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert answers[-1].status_code == 200
    assert service.get("/v1/items/a").status_code == 200


def test_forwarded_headers_are_ignored_without_a_trusted_proxy(service: Running) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}

    assert service.get("/v1/client", headers=forwarded).json() == {"host": "127.0.0.1", "scheme": "http"}


def test_forwarded_headers_are_taken_from_trusted_proxies_only(probes: Path) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto": "https"}
    with serving(probes, env={"APP_PROXIES__TRUSTED": '["127.0.0.0/8", "10.0.0.0/8"]'}) as service:
        trusted = service.get("/v1/client", headers=forwarded).json()
    with serving(probes, env={"APP_PROXIES__TRUSTED": '["192.0.2.0/24"]'}) as service:
        untrusted = service.get("/v1/client", headers=forwarded).json()

    assert trusted == {"host": "203.0.113.9", "scheme": "https"}
    assert untrusted == {"host": "127.0.0.1", "scheme": "http"}


def test_errors_are_problem_documents_with_the_request_id_and_nothing_of_the_inside(service: Running) -> None:
    answers = {
        404: service.get("/nowhere"),
        405: httpx2.delete(f"{service.url}/v1/items/a"),
        422: httpx2.post(f"{service.url}/v1/items", json={"name": "n", "count": "hunter2"}),
        500: service.get("/v1/crash"),
        503: service.get("/v1/unavailable"),
    }

    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
    assert answers[503].headers["retry-after"] == "7"
    assert answers[422].json()["errors"][0]["loc"] == ["body", "count"]


def test_an_exception_counts_as_500_and_a_client_that_leaves_is_no_error(probes: Path) -> None:
    with serving(probes) as service:
        service.get("/v1/crash")
        with pytest.raises(httpx2.RemoteProtocolError):
            service.get("/v1/stream?chunks=2&crash=true")
        with httpx2.stream("GET", f"{service.url}/v1/stream?chunks=1000&seconds=0.01") as answer:
            next(answer.iter_bytes())
        time.sleep(0.5)
        service.get("/tenants/acme/users/7")
        service.get("/anything/at/all")
        httpx2.request("PROPFIND", f"{service.url}/v1/items/a")
        samples = service.metric("http_server_request_duration_seconds_count")
        service.stop()
    found = [(labels(name), int(value)) for name, value in samples.items()]
    by_route = {(each["http_route"], each["http_response_status_code"]): value for each, value in found}

    assert by_route[("/v1/crash", "500")] == 1
    assert by_route[("/v1/stream", "500")] == 1
    assert by_route[("/tenants/{tenant}/users/{user}", "200")] == 1
    assert by_route[("_UNMATCHED", "404")] == 1
    assert by_route[("/v1/items/{item}", "405")] == 1
    assert {each["http_request_method"] for each, value in found if value} == {"GET", "_OTHER"}
    assert len(service.logged(event="unhandled exception")) == 2


def test_the_duration_ends_with_the_answer_and_not_with_background_tasks(probes: Path) -> None:
    with serving(probes) as service:
        service.get("/v1/background")
        service.stop()

    (line,) = service.logged(event="request")
    assert line["duration_ms"] < 400


def test_a_body_that_nobody_wants_is_not_read_for_ever(service: Running) -> None:
    async def flood() -> int:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"POST /v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n")
        sent = 0
        try:
            while sent < 200_000_000:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                sent += 1_000_000
        except OSError:
            pass
        writer.close()
        return sent

    assert asyncio.run(flood()) < 60_000_000
    assert service.get("/livez").status_code == 200

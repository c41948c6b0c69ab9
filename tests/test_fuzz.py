"""Whatever callers send: no 5xx, no line that is not JSON, no label that they made up."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services import Running, labels, serving

pytestmark = pytest.mark.slow
ROUTES = {"/v1/vat-rates/{country}", "/v1/quotes", "_UNMATCHED", "/openapi.json", "/docs", "/redoc"}


@pytest.fixture(scope="module")
def service(orders: Path) -> Iterator[Running]:
    env = {"APP_PROXIES__TRUSTED": '["127.0.0.0/8"]', "APP_LIMITS__CONCURRENT_REQUESTS": "1000"}
    with serving(orders, env=env) as running:
        yield running
        running.stop()
        lines = [json.loads(line) for line in running.lines]  # each one parses
        assert not [line for line in lines if line["level"] in ("error", "critical")]
        assert {line["http_route"] for line in lines if line["event"] == "request"} <= ROUTES


def send(service: Running, request: bytes) -> bytes:
    """One request over a raw connection: no client library stands between the test and the service."""

    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        except EOFError:
            return b""
        finally:
            writer.close()

    return asyncio.run(talk())


def bounded(service: Running) -> bool:
    """Whether no label holds what a caller could choose."""
    found = [labels(name) for name in service.metric("http_server_request_duration_seconds_count")]
    routes = {each["http_route"] for each in found}
    methods = {each["http_request_method"] for each in found}
    return routes <= ROUTES and methods <= {
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "QUERY",
        "_OTHER",
    }


def test_schemathesis_finds_no_server_error_and_no_answer_beside_the_description(service: Running) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{service.url}/openapi.json",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--max-examples", "60", "--workers", "1", "--no-color", "--seed", "1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)

    assert done.returncode == 0, done.stdout[-4000:]
    assert bounded(service)


HEADERS = st.sampled_from(
    [
        "X-Request-ID",
        "traceparent",
        "tracestate",
        "Authorization",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Accept",
        "Host",
    ]
)
VALUES = st.one_of(
    st.binary(max_size=300).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")),
    st.text(max_size=200).map(
        lambda text: text.encode("utf-8", "surrogatepass").replace(b"\n", b"").replace(b"\r", b"")
    ),
    st.sampled_from(
        [
            b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00",
            b"ff-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01",
            b"%s%n",
            b"\x1b[31m",
        ]
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.lists(st.tuples(HEADERS, VALUES), min_size=1, max_size=6),
    path=st.sampled_from(["/v1/vat-rates/NO", "/status", "/readyz"]),
)
def test_hostile_headers_break_nothing(service: Running, headers: list[tuple[str, bytes]], path: str) -> None:
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    answer = send(
        service, b"GET " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + lines + b"Connection: close\r\n\r\n"
    )
    given_ids = [value.strip(b" \t") for name, value in headers if name == "X-Request-ID"]
    returned = [line for line in answer.split(b"\r\n") if line.startswith(b"x-request-id: ")]

    assert not answer.startswith(b"HTTP/1.1 5")
    for line in returned:
        value = line.removeprefix(b"x-request-id: ")
        assert len(value) <= 128
        assert value.replace(b".", b"").replace(b"_", b"").replace(b"-", b"").isalnum() or given_ids == [value]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"PATCH", b"PROPFIND", b"BREW", b"get"]),
    path=st.binary(max_size=80).map(lambda raw: b"/" + bytes(byte for byte in raw if 32 < byte < 127)),
)
def test_any_path_and_method_break_nothing(service: Running, method: bytes, path: bytes) -> None:
    answer = send(service, method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert not answer.startswith(b"HTTP/1.1 5")


def test_after_all_this_no_label_is_a_callers(service: Running) -> None:
    assert bounded(service)

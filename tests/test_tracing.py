"""One trace over services that call each other, to a receiver that decodes the real protobuf and may be gone."""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import installed
from tests.otlp import Collector, collecting
from tests.services import Client, Load, Running, free_port, render, run, serving, until

pytestmark = pytest.mark.slow

OWNER = Path(__file__).parent / "owners" / "traced"
QUICKLY = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"


@pytest.fixture(scope="module")
def shop(shared: Path, source: Path) -> Path:
    """A service with OpenTelemetry's packages, as its owner adds them."""
    project = installed(shared / "tracedshop", source, owner=OWNER)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(project / ".venv/bin/python")]
    subprocess.run([*uv, "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"], check=True)
    return project


@pytest.fixture(scope="module")
def stock(shop: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another service, rendered under its own name, in the environment of the first: that saves installing."""
    project = render(source, tmp_path_factory.mktemp("stock") / "tracedstock", service_name="tracedstock")
    for file in OWNER.iterdir():
        shutil.copy(file, project / "src/tracedstock")
    app = project / ".venv/bin/app"
    app.parent.mkdir(parents=True)
    lines = ["import sys", f"sys.path.insert(0, {str(project / 'src')!r})", "from tracedstock.__main__ import run"]
    app.write_text("\n".join([f"#!{shop}/.venv/bin/python", *lines, "run()", ""]))
    app.chmod(0o755)
    return project


@pytest.fixture(scope="module")
def pair(shop: Path, stock: Path) -> Iterator[tuple[Running, Running, Collector]]:
    """A service that calls another one, both traced by one receiver."""
    with collecting() as collector:
        env = {**QUICKLY, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        own = {
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.name=other",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
        with (
            serving(stock, env=env) as called,
            serving(shop, env={**env, **own, "STOCK_URL": called.url}) as calling,
        ):
            yield calling, called, collector


def to(collector: Collector, **variables: str) -> dict[str, str]:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "APP_SHUTDOWN__DRAIN_SECONDS": "0"}
    return {**QUICKLY, **endpoint, **variables}


# --- one trace


def test_a_trace_goes_on_over_two_services_with_the_ids_of_their_log_lines(
    pair: tuple[Running, Running, Collector],
) -> None:
    calling, called, collector = pair
    answer = calling.get("/v1/orders/17", headers={"traceparent": f"{CALLER}01", "X-Request-ID": "both"})
    (counted,) = collector.wait_for("GET /v1/stock/{order}", found=lambda span: span.trace_id == CALLER[3:35])
    (outer,) = collector.wait_for("GET /v1/orders/{order}")
    (own,) = collector.wait_for("look it up")
    (call,) = collector.wait_for("GET", found=lambda span: span.kind == "CLIENT")

    assert [span.kind for span in (outer, own, call, counted)] == ["SERVER", "INTERNAL", "CLIENT", "SERVER"]
    assert {span.trace_id for span in (outer, own, call, counted)} == {CALLER[3:35]}
    assert (outer.parent_id, own.parent_id) == (CALLER[36:52], outer.span_id)
    assert (call.parent_id, counted.parent_id) == (own.span_id, call.span_id)
    assert answer.headers["traceparent"] == f"00-{outer.trace_id}-{outer.span_id}-01"
    for service, span in ((calling, outer), (called, counted)):
        lines = [service.wait_for(event="request", request_id="both"), *service.logged(request_id="both")]
        assert {(line["trace_id"], line["span_id"]) for line in lines} == {(span.trace_id, span.span_id)}


def test_spans_say_who_sends_them(pair: tuple[Running, Running, Collector]) -> None:
    calling, _, collector = pair
    calling.get("/v1/orders/1")
    (outer, *_) = collector.wait_for("GET /v1/orders/{order}")
    (counted, *_) = collector.wait_for("GET /v1/stock/{order}")

    assert outer.resource["service.name"] == "shop"
    assert outer.resource["deployment.environment.name"] == "test"
    assert outer.resource["service.version"] == "0.1.0"
    assert counted.resource["service.name"] == "tracedstock"
    assert outer.resource["service.instance.id"] != counted.resource["service.instance.id"]
    assert any(sent.get("authorization") == "Bearer abc" for sent in collector.headers)
    assert any(sent.get("content-encoding") == "gzip" for sent in collector.headers)


def test_spans_have_the_attributes_of_the_conventions_and_no_others(pair: tuple[Running, Running, Collector]) -> None:
    calling, called, collector = pair
    calling.get("/v1/orders/2")
    (counted, *_) = collector.wait_for("GET /v1/stock/{order}")
    (call, *_) = collector.wait_for("GET", found=lambda span: span.kind == "CLIENT")

    assert counted.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/stock/{order}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
    }
    assert call.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "peer.service": "stock",
        "server.address": "127.0.0.1",
        "server.port": called.port,
    }


def test_each_attempt_of_a_call_is_a_span_and_the_peers_parent(pair: tuple[Running, Running, Collector]) -> None:
    calling, called, collector = pair
    httpx2.put(f"{called.url}/v1/failures/2")
    trace = calling.get("/v1/orders/3").headers["traceparent"][3:35]
    calls = collector.wait_for("GET", 3, lambda span: span.kind == "CLIENT" and span.trace_id == trace)
    answers = collector.wait_for("GET /v1/stock/{order}", 3, lambda span: span.trace_id == trace)

    assert sorted(
        (call.attributes.get("http.request.resend_count", 0), call.attributes["http.response.status_code"])
        for call in calls
    ) == [(0, 503), (1, 503), (2, 200)]
    assert {each.parent_id for each in answers} == {call.span_id for call in calls}
    assert sorted(each.status for each in answers) == ["ERROR", "ERROR", "UNSET"]


def test_no_span_holds_what_callers_and_exceptions_say(pair: tuple[Running, Running, Collector]) -> None:
    calling, _, collector = pair
    told = {"X-Name": "kari", "Authorization": "Bearer hunter2", "Cookie": "kari=1", "Host": "kari.example"}
    for path in ("/v1/crash?q=kari", "/v1/own/kari", "/kari/hunter2", "/v1/orders/kari?email=kari@example.org"):
        calling.get(path, headers={**told, "tracestate": "kari=hunter2", "traceparent": f"{CALLER}01"})
    (crash,) = collector.wait_for("GET /v1/crash")
    (own,) = collector.wait_for("GET /v1/own/{person}")
    (charge,) = collector.wait_for("charge [redacted:card]")
    collector.wait_for("GET", found=lambda span: span.kind == "SERVER")

    assert (crash.status, crash.attributes["error.type"]) == ("ERROR", "RuntimeError")
    assert crash.attributes["http.response.status_code"] == 500
    assert own.attributes["shop.email"] == "[redacted:key:email]"
    assert charge.attributes == {"password": "[redacted:key:password]", "shop.items": 3}
    assert [(event["name"], event["exception.type"]) for event in charge.events] == [("exception", "ValueError")]
    for raw in collector.raw:
        for planted in (b"kari", b"hunter2", b"4111"):
            assert planted not in raw


def test_a_stream_and_a_client_that_leaves_end_their_spans(pair: tuple[Running, Running, Collector]) -> None:
    calling, _, collector = pair
    calling.get("/v1/stream?seconds=0.1")
    (streamed,) = collector.wait_for("GET /v1/stream")
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.get(f"{calling.url}/v1/slow?seconds=0.5", timeout=0.1)
    (left,) = collector.wait_for("GET /v1/slow")

    assert streamed.seconds >= 0.2
    assert left.seconds >= 0.4


def test_operational_routes_make_no_spans(pair: tuple[Running, Running, Collector]) -> None:
    calling, _, collector = pair
    for path in ("/livez", "/readyz", "/status", "/metrics", "/version"):
        calling.get(path)
    calling.get("/v1/stream")
    collector.wait_for("GET /v1/stream")

    routes = {span.attributes.get("http.route") for span in collector.spans if span.kind == "SERVER"}
    assert not routes & {"/livez", "/readyz", "/status", "/metrics", "/version"}


# --- sampling, workers


def test_who_is_sampled_is_said_by_the_sampler_and_the_caller(shop: Path) -> None:
    with collecting() as collector:
        with serving(shop, env=to(collector, OTEL_TRACES_SAMPLER="parentbased_always_off")) as service:
            off = [service.get("/v1/stream", headers=given) for given in ({}, {"traceparent": f"{CALLER}00"})]
            on = service.get("/v1/stream", headers={"traceparent": f"{CALLER}01"})
            service.stop()
        assert [span.parent_id for span in collector.spans] == [CALLER[36:52]]
        assert [answer.headers["traceparent"][-2:] for answer in off] == ["02", "00"]
        assert on.headers["traceparent"][-2:] == "01"
        collector.spans.clear()
        with serving(shop, env=to(collector, OTEL_TRACES_SAMPLER="always_off")) as service:
            service.get("/v1/stream", headers={"traceparent": f"{CALLER}01"})
            line = service.wait_for(event="request")
            service.stop()
        assert collector.spans == []
        assert line["trace_id"] == CALLER[3:35]


def test_every_worker_delivers_and_none_of_its_spans_is_lost_at_the_end(shop: Path) -> None:
    seen = Load()
    slowly = {"OTEL_BSP_SCHEDULE_DELAY": "60000"}  # nothing goes before the end
    with collecting() as collector, serving(shop, "--workers", "3", env=to(collector, **slowly)) as service:
        until(lambda: len(service.workers()) == 3, "three workers")
        assert threads(service.process.pid) == ["app"]

        async def load() -> None:
            waiting = []
            for _ in range(3):  # a worker that is busy leaves a new connection to the others
                waiting.append(asyncio.ensure_future(Client(service.port, "/v1/busy?seconds=1", seen).send(1)))
                await asyncio.sleep(0.2)
            await asyncio.gather(*waiting)
            await asyncio.gather(*(Client(service.port, "/v1/stock/1", seen).send(40) for _ in range(12)))

        asyncio.run(load())
        before = len(collector.spans)
        status = service.stop()

    instances = {span.resource["service.instance.id"] for span in collector.spans}
    assert (before, status, seen.answered) == (0, 0, {200: 483})
    assert len({span.span_id for span in collector.spans if span.kind == "SERVER"}) == 483
    assert len(instances) == 3


def threads(pid: int) -> list[str]:
    """The names of a process's threads that Python has made, its own first."""
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))
    return [(task / "comm").read_text().strip() for task in tasks]


# --- a receiver that is gone, or hangs


def latencies(service: Running, count: int = 150) -> list[float]:
    found = []
    with httpx2.Client(base_url=service.url) as client:
        for _ in range(count):
            began = time.perf_counter()
            assert client.get("/v1/stock/1").status_code == 200
            found.append(time.perf_counter() - began)
    return found


SMALL = {"OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16"}


@pytest.mark.parametrize("how", ["dead", "hanging", "refusing"])
def test_a_receiver_that_takes_nothing_delays_neither_requests_nor_the_end(shop: Path, how: str) -> None:
    with collecting() as collector:
        if how == "hanging":
            collector.hold = threading.Event()
        collector.status = 400
        env = to(collector, **SMALL, APP_LOG__CLOSE_SECONDS="1")
        if how == "dead":
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
        with serving(shop, env=env) as service:
            times = latencies(service, 300)
            lost = until(lambda: service.metric('log_records_dropped_total{sink="traces"}'), "drops")
            began = time.monotonic()
            status = service.stop()
            took = time.monotonic() - began

    said = [line for line in service.logged() if line["logger"].startswith("opentelemetry")]
    assert (status, service.errors) == (0, [])
    assert took < 2.5
    assert max(lost.values()) >= 16
    assert statistics.median(times) < 0.05
    assert max(times) < 1
    assert len(said) == (0 if how == "hanging" else 1)
    assert all(line["service"] and line["level"] in ("warning", "error") for line in said)


def test_memory_is_bounded_while_the_receiver_hangs(shop: Path) -> None:
    with collecting() as collector:
        collector.hold = threading.Event()
        with serving(shop, env=to(collector, **SMALL)) as service:
            latencies(service, 300)
            before = resident(service.process.pid)
            latencies(service, 800)
            after = resident(service.process.pid)

    assert collector.asked >= 1
    assert after - before < 2_000_000


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# --- off, and refused


def test_without_an_endpoint_nothing_of_the_sdk_is_imported_and_no_thread_is_made(shop: Path) -> None:
    with serving(shop, env={"OTEL_SERVICE_NAME": "shop"}) as service:
        modules: list[str] = service.get("/v1/modules").json()
        answer = service.get("/v1/stock/1")
        names = threads(service.process.pid)

    assert not [name for name in modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
    assert answer.headers["traceparent"][-2:] == "00"
    assert names == ["app"]


@pytest.mark.parametrize("command", ["serve", "config"])
def test_without_the_packages_it_is_refused_with_the_remedy(orders: Path, command: str) -> None:
    ended = run(orders, command, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})

    assert (ended.status, ended.stdout) == (78, "")
    head, problem = ended.stderr.splitlines()
    assert head == "configuration refused, 1 problem:"
    assert problem.startswith("  - environment variable OTEL_EXPORTER_OTLP_ENDPOINT: traces need packages: ")
    assert problem.endswith('uv add "opentelemetry-sdk" "opentelemetry-exporter-otlp-proto-http"')


def test_grpc_is_refused_unless_its_exporter_is_there(shop: Path) -> None:
    env: dict[str, Any] = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    ended = run(shop, "serve", env=env)

    assert ended.status == 78
    assert 'uv add "opentelemetry-sdk" "opentelemetry-exporter-otlp-proto-grpc"' in ended.stderr

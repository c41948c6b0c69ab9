"""Metrics of requests: one histogram, labels that no caller can multiply."""

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY, Counter
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from . import ops, requests, sample, service


def series() -> set[tuple[str, ...]]:
    """Labels of all series of the histogram."""
    return {
        tuple(sample.labels.values())
        for family in REGISTRY.collect()
        if family.name == "http_server_request_duration_seconds"
        for sample in family.samples
        if sample.name.endswith("_count")
    }


async def item(key: str = "") -> str:
    return key


def test_a_request_is_counted_under_its_routes_template() -> None:
    app = service()
    app.get("/m-plain/{key}")(item)
    with TestClient(app) as client:
        client.get("/m-plain/1")
        client.get("/m-plain/2?secret=x")

    assert requests("/m-plain/{key}", 200) == 2


def test_the_prefix_of_a_router_is_a_part_of_the_template() -> None:
    app = service()
    for version in ("/v1", "/v2"):
        router = APIRouter(prefix="/m-prefix")
        router.get("/{key}")(item)
        app.include_router(router, prefix=version)
    with TestClient(app) as client:
        client.get("/v1/m-prefix/1")
        client.get("/v2/m-prefix/1")
        client.get("/v2/m-prefix/2")

    assert requests("/v1/m-prefix/{key}", 200) == 1
    assert requests("/v2/m-prefix/{key}", 200) == 2


def test_one_router_under_two_prefixes_is_two_routes() -> None:
    app, router = service(), APIRouter()
    router.get("/m-twice/{key}")(item)
    app.include_router(router, prefix="/a")
    app.include_router(router, prefix="/b")
    with TestClient(app) as client:
        client.get("/a/m-twice/1")
        client.get("/b/m-twice/1")

    assert (requests("/a/m-twice/{key}", 200), requests("/b/m-twice/{key}", 200)) == (1, 1)


def test_the_prefixes_of_nested_routers_are_a_part_of_the_template() -> None:
    app, outer, inner = service(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    inner.get("/m-nested/{key}")(item)
    outer.include_router(inner, prefix="/{shop}")
    app.include_router(outer)
    with TestClient(app) as client:
        client.get("/outer/s1/inner/m-nested/1")

    assert requests("/outer/{shop}/inner/m-nested/{key}", 200) == 1


def test_a_converter_is_not_a_part_of_the_template() -> None:
    app = service()
    app.get("/m-files/{name:path}")(item)
    with TestClient(app) as client:
        client.get("/m-files/a/b/c")

    assert requests("/m-files/{name}", 200) == 1


def test_a_mounted_applications_routes_have_the_mounts_path() -> None:
    app, mounted = service(), FastAPI()
    mounted.get("/{key}")(item)
    app.mount("/m-mounted", mounted)
    with TestClient(app) as client:
        client.get("/m-mounted/1")

    assert requests("/m-mounted/{key}", 200) == 1


def test_applications_mounted_in_mounted_ones_have_all_the_paths() -> None:
    app, outer, inner = service(), FastAPI(), FastAPI()
    inner.get("/{key}")(item)
    outer.mount("/inner", inner)
    app.mount("/m-deep", outer)
    with TestClient(app) as client:
        client.get("/m-deep/inner/1")

    assert requests("/m-deep/inner/{key}", 200) == 1


def test_a_mounted_starlette_application_has_bounded_labels() -> None:
    async def answer(_: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = service()
    app.mount("/m-starlette", Starlette(routes=[Mount("/sub", routes=[Route("/{key}", answer)])]))
    with TestClient(app) as client:
        before = series()
        for key in range(5):
            client.get(f"/m-starlette/sub/{key}")

    assert len(series() - before) <= 1


def test_all_unmatched_paths_share_one_value() -> None:
    before = requests("_UNMATCHED", 404)
    with TestClient(service(openapi_url=None)) as client:
        for path in ("/m-no-1", "/m-no-2", "/m-no-3?x=1", "/%00", "/m-no/../x"):
            client.get(path)

    assert requests("_UNMATCHED", 404) - before == 5
    assert not [labels for labels in series() if "m-no" in str(labels)]


def test_a_method_that_a_route_does_not_know_adds_one_series_at_most() -> None:
    app = service()
    app.get("/m-405/{key}")(item)
    with TestClient(app) as client:
        before = series()
        assert client.post("/m-405/1").status_code == 405
        assert client.post("/m-405/2").status_code == 405

    assert series() - before <= {("POST", "/m-405/{key}", "405"), ("POST", "_UNMATCHED", "405")}


def test_methods_that_callers_make_up_share_one_value() -> None:
    app = service()
    app.api_route("/m-method", methods=["GET", "BREW", "MELT", "get2"])(item)
    with TestClient(app) as client:
        for method in ("BREW", "MELT", "GET2"):
            client.request(method, "/m-method")

    assert requests("/m-method", 200, "_OTHER") + requests("_UNMATCHED", 405, "_OTHER") >= 2
    assert not [labels for labels in series() if labels[0] in ("BREW", "MELT", "GET2")]


def test_many_hostile_requests_do_not_multiply_the_series() -> None:
    app = service()
    app.get("/m-bounded/{key}")(item)
    with TestClient(app) as client:
        client.get("/m-bounded/0")
        client.get("/m-unknown")
        before = len(series())
        for number in range(50):
            client.get(f"/m-bounded/{number}?{number}")
            client.get(f"/m-unknown/{number}")
            client.request(f"X{number}", f"/m-unknown/{number}")

    assert len(series()) - before <= 1


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("oh"), 500), (HTTPException(418), 418), (HTTPException(503), 503)], ids=str
)
def test_an_exception_counts_as_its_status(error: Exception, status: int) -> None:
    app = service()

    @app.get(f"/m-raise-{status}")
    async def fail() -> None:
        raise error

    with TestClient(app) as client:
        assert client.get(f"/m-raise-{status}").status_code == status

    assert requests(f"/m-raise-{status}", status) == 1


def test_refused_input_counts_under_its_route() -> None:
    app = service()

    @app.get("/m-422/{number}")
    async def get(number: int) -> int:
        return number

    with TestClient(app) as client:
        client.get("/m-422/x")

    assert requests("/m-422/{number}", 422) == 1


def test_a_middleware_that_answers_is_counted() -> None:
    app = service()

    @app.middleware("http")
    async def refuse(request: Any, call_next: Any) -> Any:
        return PlainTextResponse("no", 403)

    before = requests("_UNMATCHED", 403)
    with TestClient(app) as client:
        client.get("/m-refused")

    assert requests("_UNMATCHED", 403) - before == 1


def test_requests_in_flight_are_counted_while_they_last() -> None:
    app, seen = service(), []

    @app.get("/m-active")
    async def look() -> None:
        seen.append(sample("http_server_active_requests"))

    with TestClient(app) as client:
        client.get("/m-active")
        seen.append(sample("http_server_active_requests"))

    assert seen == [1, 0]


def test_every_latency_objective_is_a_buckets_edge() -> None:
    edges = ops.about.ABOUT.latency_edges_seconds

    assert len(edges) >= 1
    assert set(edges) <= set(ops.metrics.DURATION._upper_bounds)


def test_latency_objectives_are_those_of_slo_json_or_the_answer_where_it_is_not_there(tmp_path: Path) -> None:
    answers, objectives = tmp_path / "answers.json", tmp_path / "slo.json"
    answers.write_text('{"latency_target_ms": 250}', "utf-8")

    assert ops.about.read(answers, objectives).latency_edges_seconds == (0.25,)

    objectives.write_text('{"latency_edges_seconds": [0.2, 1.5]}', "utf-8")

    assert ops.about.read(answers, objectives).latency_edges_seconds == (0.2, 1.5)


def test_a_route_has_its_series_of_failures_before_the_first_one() -> None:
    """Prometheus sees no increase in a counter that begins to exist at 1: it would miss the first error."""
    app, router = service(), APIRouter(prefix="/m-first")
    router.put("/{name:path}")(item)
    app.include_router(router, prefix="/v1")
    with TestClient(app):
        pass

    assert ("PUT", "/v1/m-first/{name}", "500") in series()
    assert requests("/v1/m-first/{name}", 500) == 0


def test_the_event_loops_lag_is_measured_while_the_service_runs() -> None:
    app = service()

    @app.get("/m-block")
    async def block() -> None:
        time.sleep(0.6)  # noqa: ASYNC251 - what it must show

    before = sample("event_loop_lag_seconds_sum")
    with TestClient(app) as client:
        client.get("/m-block")
        time.sleep(0.6)

    assert sample("event_loop_lag_seconds_sum") - before > 0.05


def test_the_limit_of_requests_in_flight_is_a_metric() -> None:
    with TestClient(service()):
        assert sample("http_server_active_requests_limit") == 256


def test_methods_that_callers_make_up_fill_no_memory() -> None:
    series = ops.metrics.RequestSeries(service())
    for number in range(100):
        series.observe({}, f"X{number}", 404, 0.001)

    assert len(series._series) == 0


# --- the exposition


def test_the_exposition_has_the_names_of_the_contract(log_lines: Any) -> None:
    app = service(checks=[ops.Check("m-db", _pass)])
    app.get("/m-names")(item)
    with TestClient(app) as client:
        client.get("/m-names")
        answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    for name in (
        'http_response_status_code="200",http_route="/m-names"} 1.0',
        "http_server_active_requests 0.0",
        f'service_name="{ops.about.ABOUT.name}"',
        'dependency_up{dependency="m-db"} 1.0',
        'log_records_total{level="info"}',
        'process_cpu_seconds_total{worker="0"}',
        'process_resident_memory_bytes{worker="0"}',
    ):
        assert name in answer.text


async def _pass() -> None:
    """A dependency that works."""


def test_the_exposition_is_openmetrics_for_those_who_accept_it() -> None:
    with TestClient(service()) as client:
        answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_the_owners_metrics_are_exposed() -> None:
    Counter("m_quotes", "Quotes made.").inc(3)
    with TestClient(service()) as client:
        text = client.get("/metrics").text

    assert "m_quotes_total 3.0" in text


def test_no_series_tells_when_another_was_made() -> None:
    with TestClient(service()) as client:
        text = client.get("/metrics").text

    assert "_created" not in text


def test_the_versions_are_labels_of_one_series() -> None:
    app = service(build=ops.settings.BuildSettings(commit="abc123"))
    with TestClient(app) as client:
        (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith("service_info{")]

    assert 'commit="abc123"' in line
    assert f'service_version="{ops.about.ABOUT.version}"' in line
    assert line.endswith(" 1.0")

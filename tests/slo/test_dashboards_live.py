"""Every query of every dashboard returns data from a live service in the real Prometheus."""

import json
import math
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ops.slo import alerts, rules, text

from tests.conftest import installed
from tests.services import Running, serving, until
from tests.slo.boards import Asked, Json, asked, filled, made, panels
from tests.slo.prometheus import Prometheus, prometheus
from tests.slo.specs import availability, document, latency, objective_of, parsed

pytestmark = pytest.mark.slow

OWNER = Path(__file__).parents[1] / "owners" / "watched"
PATHS = ["orders/1", "search", "checkout", "block", "jobs", "ask", "nothing-here"]
# Their metrics are those of cAdvisor and kube-state-metrics, which no service exports:
# test_panels_of_containers_show_what_their_exporters_tell gives them series.
EXEMPT = {
    "CPU of the limit",
    "CPU throttled",
    "Memory of the limit",
    "Container restarts",
    "Last end by lack of memory",
    "Replicas",
}
# Beside the seed's: a name of forty characters and routes of their own; counters, and minutes, in place of requests.
FURTHER = {
    "a-service-whose-name-has-forty-character": document(
        availability("checkout", 99.99, ',http_route="/v1/checkout"'),
        latency("search.latency", 90, "0.25", ',http_route=~"/v1/search.*"'),
        latency("block-latency", 95, "0.1", ',http_route="/v1/block",http_request_method!~"PUT|HEAD"'),
        window="30d",
        job="watched",
    ),
    "counters": document(
        objective_of(
            "jobs", 99, "sum(increase(jobs_failed_total[{{.window}}]))", "sum(increase(jobs_total[{{.window}}]))"
        ),
        objective_of(
            "freshness",
            99.5,
            "sum_over_time((time() - max(orders_imported_timestamp_seconds) > bool 900)[{{.window}}:1s])",
            "count_over_time((time() - max(orders_imported_timestamp_seconds))[{{.window}}:1s])",
        ),
        job="watched",
    ),
}


@pytest.fixture(scope="module")
def watched(shared: Path, source: Path) -> Path:
    """A service with dependencies, one up and one down, and routes that fail, are slow, block and call others."""
    return installed(shared / "watched", source, owner=OWNER)


@pytest.fixture(scope="module")
def boards(watched: Path) -> dict[str, Json]:
    """The dashboards of three slo.yaml files by service and name; the first are those that the service came with."""
    folder = watched / "monitoring/grafana/dashboards"
    own = {f"watched {file.name}": json.loads(file.read_text("utf-8")) for file in folder.iterdir()}
    further = {f"{service} {name}": board for service in FURTHER for name, board in made(of(service)).items()}
    assert len(own) == 2
    return {**own, **further}


@pytest.fixture(scope="module")
def seen(watched: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus with the rules of all three."""
    folder = watched / "monitoring/prometheus/rules"
    files = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    files |= {f"{service}.yaml": text.dump({"groups": groups(service)}) for service in FURTHER}
    with prometheus(tmp_path_factory.mktemp("prometheus"), {"watched": []}, files) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def versions(watched: Path, boards: dict[str, Json], seen: Prometheus) -> Iterator[list[Running]]:
    """Two versions of the service, which Prometheus has watched under load for as long as the panels need."""
    with running(watched, seen, "0" * 40) as old, running(watched, seen, "1" * 40) as new:
        with suppress(AssertionError):  # a test tells what is still missing
            until(lambda: not any(without_data(seen, board) for board in boards.values()), "data in each panel", 60)
        yield [old, new]


def of(service: str) -> str:
    return FURTHER[service].replace("service: orders", f"service: {service}").replace('job="orders"', 'job="watched"')


def groups(service: str) -> list[dict[str, Any]]:
    spec = parsed(of(service))
    return [*(group for each in spec.objectives for group in rules.groups(spec, each)), alerts.group(spec)]


@contextmanager
def running(project: Path, server: Prometheus, commit: str) -> Iterator[Running]:
    """A version of the service, scraped, and asked for everything again and again."""
    with serving(project, "--workers", "2", env={"APP_BUILD__COMMIT": commit}) as service:
        server.scrape("watched", [*server.targets["watched"], f"127.0.0.1:{service.port}"])
        stopped = threading.Event()
        callers = [threading.Thread(target=call, args=(f"{service.url}/v1/{path}", stopped)) for path in PATHS]
        for caller in callers:
            caller.start()
        try:
            yield service
        finally:
            stopped.set()
            for caller in callers:
                caller.join()


def call(url: str, stopped: threading.Event) -> None:
    with httpx2.Client(timeout=10) as client:
        while not stopped.wait(0.2):
            with suppress(httpx2.TransportError):
                client.get(url)


def without_data(server: Prometheus, board: Json) -> list[str]:
    """Titles of panels and names of annotations of which a query has no data, or no label that its legend names."""
    return sorted({each.place for each in asked(board) if each.place not in EXEMPT and not has_data(server, each)})


def has_data(server: Prometheus, each: Asked) -> bool:
    now = time.time()
    found = server.query_range(each.query, now - 120, now, step=5)
    some = [series for series in found if any(math.isfinite(value) for _, value in series.points)]
    return bool(some) and any(each.legend <= set(series.labels) for series in some)


def test_every_query_of_every_dashboard_returns_data(seen: Prometheus, boards: dict[str, Json]) -> None:
    assert len(boards) == 6
    assert [(name, title) for name, board in boards.items() for title in without_data(seen, board)] == []


def test_every_rule_is_evaluated_without_an_error(seen: Prometheus) -> None:
    assert [rule["name"] for rule in seen.rules() if rule["health"] != "ok"] == []


def test_only_panels_of_containers_are_exempt(boards: dict[str, Json]) -> None:
    for name, board in boards.items():
        collapsed = [row for row in board["panels"] if row["type"] == "row" and row["collapsed"]]
        found = {panel["title"] for row in collapsed for panel in row["panels"]}

        assert found == (EXEMPT if "service.json" in name else set())


@pytest.mark.parametrize(
    ("right", "wrong", "empty"),
    [
        ("http_server_active_requests_limit", "http_server_active_limit", ["In flight", "Of the concurrency limit"]),
        ("service_info", "service_infos", ["Deployments", "Versions"]),
        ("{{sink}}", "{{outlet}}", ["Log records dropped"]),
        ('job="watched"', 'job="watcher"', None),
    ],
)
def test_a_metric_or_label_that_the_service_does_not_have_is_found(
    seen: Prometheus, boards: dict[str, Json], right: str, wrong: str, empty: list[str] | None
) -> None:
    """Otherwise the test above would prove nothing."""
    right, wrong = (json.dumps(each)[1:-1] for each in (right, wrong))
    board = json.loads(json.dumps(boards["watched service.json"]).replace(right, wrong))
    every = {panel["title"] for panel in panels(board)} - EXEMPT - {"Alerts firing"} | {"Deployments"}

    assert without_data(seen, board) == (empty or sorted(every))


def test_panels_tell_what_happens(seen: Prometheus, boards: dict[str, Json]) -> None:
    board = boards["watched service.json"]
    shown = {panel["title"]: values(seen, board, panel["title"]) for panel in panels(board)}

    assert shown["Instances answering"] == {(): 1}
    assert shown["Dependencies"] == {("partner",): 0, ("store",): 1}
    assert shown["Dependencies down"] == {(): 1}
    assert shown["Failing by route"][("/v1/checkout",)] == 1
    assert shown["Failing by route"][("/v1/search",)] == 0
    assert set(shown["Failures by route and status"]) == {("GET", "/v1/checkout", "500")}
    assert set(shown["Calls to others"]) == {("mail",), ("stock",)}
    assert set(shown["Calls to others that fail"]) == {("mail", "ConnectError")}
    assert 0.25 < shown["Latency by route"][("/v1/search",)] < 0.75
    assert 0 < shown["Share in time"][()] < 1
    assert list(shown["Workers"].values()) == [2, 2]
    assert len(shown["CPU by worker"]) == len(shown["Memory by worker"]) == 4
    assert 0.05 < max(shown["Event loop lag"].values()) < 1
    assert sorted(commit for _, commit, _ in shown["Versions"]) == ["0" * 12, "1" * 12]
    assert set(shown["Errors logged"]) == {("watched.ops.edge",)}


def test_a_worker_that_dies_is_shown_as_replaced(
    seen: Prometheus, boards: dict[str, Json], versions: list[Running]
) -> None:
    board, service = boards["watched service.json"], versions[1]
    os.kill(service.workers()["1"], signal.SIGKILL)
    until(lambda: sum(values(seen, board, "Workers replaced").values()), "a replaced worker", 15)

    assert {worker for (worker,), count in values(seen, board, "Workers replaced").items() if count} == {
        f"127.0.0.1:{service.port}"
    }


def values(server: Prometheus, board: Json, title: str) -> dict[tuple[str, ...], float]:
    """The last value of each line of a panel, by the labels that its legend names."""
    (panel,) = [each for each in panels(board) if each["title"] == title]
    shown = {}
    for target in panel["targets"]:
        labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        for sample in server.query(filled(target["expr"])):
            shown[tuple(sample.labels.get(label, "") for label in labels)] = sample.value
    return shown


def test_choices_of_instances_and_routes_are_offered(seen: Prometheus, boards: dict[str, Json]) -> None:
    queries = {each["name"]: each.get("query") for each in boards["watched service.json"]["templating"]["list"]}
    offered = {}
    for name in ("instance", "route"):
        asked_for = re.fullmatch(r"label_values\((.*), (\w+)\)", str(queries[name]))
        assert asked_for
        offered[name] = seen.label_values(asked_for[2], asked_for[1])

    assert queries["datasource"] == "prometheus"
    assert len(offered["instance"]) == 2
    assert {"/v1/orders/{order}", "/v1/checkout", "_UNMATCHED"} <= set(offered["route"])


def test_each_deployment_is_marked_once_at_the_moment_its_first_process_started(
    seen: Prometheus, boards: dict[str, Json]
) -> None:
    (mark,) = [each for each in asked(boards["watched service.json"]) if each.place == "Deployments"]
    now = time.time()
    found = {each.labels["commit"]: each.points for each in seen.query_range(mark.query, now - 300, now, step=5)}
    started = {each.labels["commit"]: each.value for each in seen.query(STARTED)}

    assert sorted(found) == ["0" * 40, "1" * 40]
    for commit, points in found.items():
        assert len({value for _, value in points}) == 1
        assert points[0][1] == pytest.approx(1000 * started[commit], abs=1)
        assert points[-1][0] - points[0][0] <= 5


STARTED = "min by (commit) (service_info * on (instance) group_left min by (instance) (process_start_time_seconds))"

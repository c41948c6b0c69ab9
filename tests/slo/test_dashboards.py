"""Dashboards: what they are made of, and that Grafana's own types know every key of them."""

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from ops.slo import dashboards, grid

from tests.slo.boards import Json, asked, made, panels
from tests.slo.specs import SPECS, availability, document, latency, parsed

LONG = "a-service-whose-name-has-forty-character"
UNITS = {"percentunit", "reqps", "s", "bytes", "short", "cpm", "none", "suffix:×", "suffix:/s"}
TYPES = Path(__file__).with_name("grafana")
BOARDS = [(name, board) for name, text in SPECS.items() for board in made(text).items()]
EACH = pytest.mark.parametrize("board", [board for _, (_, board) in BOARDS], ids=[f"{n} {f}" for n, (f, _) in BOARDS])


def named(service: str) -> dict[str, Json]:
    return made(document(availability(), latency()).replace("service: orders", f"service: {service}"))


def panel(board: Json, title: str) -> Json:
    return next(each for each in panels(board) if each["title"] == title)


def limits(board: Json, title: str) -> list[tuple[float | None, str]]:
    """The thresholds of a panel."""
    steps = panel(board, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps]


# --- what they are made of


def test_there_are_two_of_them() -> None:
    assert list(dashboards.make(parsed(SPECS["seed"]))) == [
        "monitoring/grafana/dashboards/slo.json",
        "monitoring/grafana/dashboards/service.json",
    ]


def test_they_are_made_the_same_each_time() -> None:
    once, again = dashboards.make(parsed(SPECS["seed"])), dashboards.make(parsed(SPECS["seed"]))

    assert once == again
    assert all(text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n" for text in once.values())


@EACH
def test_every_panel_says_what_it_shows_and_when_to_worry(board: Json) -> None:
    for each in panels(board):
        assert re.fullmatch(
            r"(?s)[A-Z].{14,}\n\nWorry (about|above|at|below|from|most|outside|when) .{14,}", each["description"]
        )
        assert not re.search(r"<(?!script>)", each["description"])
        assert each["fieldConfig"]["defaults"]["unit"] in UNITS


@EACH
def test_no_two_panels_overlap_or_share_a_number(board: Json) -> None:
    every = [*(each for each in board["panels"] if each["type"] == "row"), *panels(board)]
    numbers = [each["id"] for each in every]

    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 2**31 for number in numbers)
    collapsed = [row for row in board["panels"] if row["type"] == "row" and row["collapsed"]]
    for group in (board["panels"], *(row["panels"] for row in collapsed)):
        places = [each["gridPos"] for each in group]
        assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
        assert not [(one, other) for one, other in itertools.combinations(places, 2) if overlap(one, other)]


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


@EACH
def test_every_query_is_promql_and_of_this_service(board: Json) -> None:
    for each in asked(board):
        promql_parser.parse(each.query)

        assert re.search(r'(job|service|sloth_service|deployment|pod)=~?"orders', each.query), each.place


@pytest.mark.parametrize("service", ["o", "orders", LONG, f"{LONG}-and-even-more-than-that"[:63]])
def test_uids_titles_and_tags_are_within_grafanas_limits(service: str) -> None:
    boards = named(service).values()

    assert len({board["uid"] for board in boards}) == 2
    for board in boards:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", board["uid"])
        assert 0 < len(board["title"]) <= 189
        assert all(0 < len(tag) <= 50 for tag in board["tags"])


def test_long_names_that_begin_alike_have_uids_of_their_own() -> None:
    uids = {board["uid"] for service in (LONG, f"{LONG[:-1]}s") for board in named(service).values()}

    assert len(uids) == 4


def test_a_new_objective_changes_no_number_of_the_others_panels() -> None:
    """Links to a panel hold its number."""
    before = made(document(availability()))["slo.json"]
    after = made(document(latency(), availability()))["slo.json"]

    old, new = ({each["id"]: each["targets"] for each in panels(board)} for board in (before, after))

    assert {number: new.get(number) for number in old} == old


def test_panels_of_one_name_have_numbers_of_their_own() -> None:
    row = grid.Row("row", "Row", [grid.Line(1, [(12, {"title": "Same"}), (12, {"title": "Same"})])])
    numbers = [each["id"] for each in grid.arrange([row])]

    assert len(set(numbers)) == 3


def test_they_lead_to_each_other_and_to_the_runbook() -> None:
    boards = made(document(availability(), runbook_url="https://git.example.org/runbook.md"))

    assert [link["url"] for link in boards["slo.json"]["links"]] == [
        "/d/orders-service",
        "https://git.example.org/runbook.md",
    ]
    assert boards["service.json"]["links"][0]["url"] == f"/d/{boards['slo.json']['uid']}"


def test_a_runbook_that_is_no_address_is_told_and_no_broken_link() -> None:
    board = made(document(availability()))["slo.json"]

    assert [link["url"] for link in board["links"]] == ["/d/orders-service"]
    assert "Runbook: docs/runbook.md." in board["description"]


def test_texts_of_the_owner_stay_texts() -> None:
    boards = made(SPECS["hostile texts"])

    assert 'Owner: {{ .Evil }} "team" \\ <b>.' in boards["slo.json"]["description"]
    assert '{{ $labels.x }} "quoted"' in panel(boards["slo.json"], "Objective")["description"]


# --- when to worry comes from slo.yaml


def test_thresholds_of_failures_are_the_budget_and_the_fastest_burn() -> None:
    board = made(document(availability(objective=99.5), availability("checkout", 99.9), window="30d"))["service.json"]

    assert limits(board, "Failing") == [(None, "green"), (0.001, "orange"), (0.0144, "red")]
    assert "Worry above 0.1 % when it lasts" in panel(board, "Failing")["description"]


def test_thresholds_of_latency_are_what_is_promised_of_each_edge() -> None:
    board = made(document(latency("quick", 90, "0.1"), latency("slow", 99, "0.75"), window="30d"))["service.json"]

    assert limits(board, "Latency") == [(None, "green"), (0.1, "orange"), (0.75, "orange")]
    assert limits(board, "Share in time") == [(None, "green"), (0.9, "orange"), (0.99, "orange")]
    assert limits(board, "In time") == [(None, "red"), (0.1, "orange"), (0.9, "green")]
    assert panel(board, "All latencies")["options"]["yAxis"]["unit"] == "s"
    assert [each["legendFormat"] for each in panel(board, "Share in time")["targets"]] == [
        "within 0.1 s",
        "within 0.75 s",
    ]


def test_without_an_objective_of_latency_its_panels_are_left_out_and_leave_no_hole() -> None:
    board = made(document(availability()))["service.json"]
    first = [each["gridPos"] for each in board["panels"] if each["gridPos"]["y"] == 1]

    assert not {"In time", "Share in time"} & {each["title"] for each in panels(board)}
    assert sum(place["w"] for place in first) == 24
    assert panel(board, "Latency")["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "off"}


def test_thresholds_of_saturation_are_those_of_the_alerts_as_the_owner_has_tuned_them() -> None:
    tuned = {"ConcurrencyNearLimit": {"threshold": 0.6}}
    board = made(document(availability(), alerts=tuned))["service.json"]

    assert limits(board, "Of the concurrency limit") == [(None, "green"), (0.6, "orange")]
    assert limits(board, "Event loop late") == [(None, "green"), (0.1, "orange")]
    assert "Worry above 60 % of the limit" in panel(board, "In flight")["description"]


def test_thresholds_of_burn_rates_are_those_at_which_alerts_fire() -> None:
    board = made(document(availability(), window="30d"))["slo.json"]

    assert limits(board, "Burn rate by window") == [
        (None, "green"),
        (1, "yellow"),
        (3, "orange"),
        (6, "red"),
        (14.4, "dark-red"),
    ]


def test_thresholds_of_a_low_objective_are_what_its_errors_can_reach() -> None:
    """At 60 % a burn of 14.4 would be 576 % of events."""
    board = made(document(availability(objective=60), window="30d"))["slo.json"]

    assert limits(board, "Burn rate by window")[-2:] == [(1, "yellow"), (2.25, "dark-red")]


def test_only_alerts_that_there_are_have_thresholds() -> None:
    without = {"name": "Burn", "page_alert": {"disable": True}}
    board = made(document(availability(alerting=without), window="30d"))["slo.json"]

    assert limits(board, "Burn rate by window") == [(None, "green"), (1, "yellow"), (3, "orange")]
    assert [each["legendFormat"] for each in panel(board, "How near each alert is")["targets"]] == [
        "ticket 1d/2h",
        "ticket 3d/6h",
    ]


# --- panels of containers, whose exporters run beside no service here


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": values}


POD = {"namespace": "shop", "pod": "orders-7d9c5-x2x4z"}
INSIDE = {**POD, "container": "app"}
OTHER = {"namespace": "shop", "pod": "orders-db-7d9c5-x2x4z", "container": "app"}
EXPORTED = [
    series("container_cpu_usage_seconds_total", "0+30x60", **INSIDE),
    series("container_cpu_usage_seconds_total", "0+60x60", **OTHER),
    series("container_cpu_usage_seconds_total", "0+90x60", **POD),
    series("kube_pod_container_resource_limits", "2x60", **INSIDE, resource="cpu"),
    series("container_cpu_cfs_throttled_periods_total", "0+15x60", **INSIDE),
    series("container_cpu_cfs_periods_total", "0+60x60", **INSIDE),
    series("container_memory_working_set_bytes", "300x60", **INSIDE),
    series("kube_pod_container_resource_limits", "400x60", **INSIDE, resource="memory"),
    series("kube_pod_container_status_restarts_total", "0x30 3x30", **INSIDE),
    series("kube_pod_container_status_last_terminated_reason", "1x60", **INSIDE, reason="OOMKilled"),
    series("kube_deployment_spec_replicas", "3x60", namespace="shop", deployment="orders"),
    series("kube_deployment_status_replicas_available", "2x60", namespace="shop", deployment="orders"),
]
SHOWN: dict[str, list[tuple[dict[str, str], float]]] = {
    "CPU of the limit": [(POD, 0.25)],
    "CPU throttled": [(POD, 0.25)],
    "Memory of the limit": [(POD, 0.75)],
    "Container restarts": [(INSIDE, 3)],
    "Last end by lack of memory": [(INSIDE, 1)],
    "Replicas": [({"namespace": "shop"}, 3), ({"namespace": "shop"}, 2)],
}


def test_panels_of_containers_show_what_their_exporters_tell(tmp_path: Path) -> None:
    row = made(SPECS["seed"])["service.json"]["panels"][-1]
    expected = [
        expectation(target["expr"], "1h", {labelled(labels): value})
        for panel in row["panels"]
        for target, (labels, value) in zip(panel["targets"], SHOWN[panel["title"]], strict=True)
    ]
    promtool(tmp_path, EXPORTED, expected)

    assert {each["title"] for each in row["panels"]} == set(SHOWN)


# --- marks of deployments


def test_a_version_is_marked_when_it_comes_and_when_it_comes_back_and_not_when_it_restarts(tmp_path: Path) -> None:
    """Commit aa restarts after 10 minutes, commit bb of the same version takes its place from minute 20 to 30."""
    (mark,) = [
        each.query.replace("5s", "1m") for each in asked(made(SPECS["seed"])["slo.json"]) if each.place == "Deployments"
    ]
    one, two = ({"job": "orders", "instance": instance} for instance in ("a", "b"))
    first, second = ({"service_version": version, "commit": commit} for version, commit in (("1", "aa"), ("1", "bb")))
    exported = [
        series("service_info", "1x9 stale _x1 1x7 stale _x9 1x9", **one, **first),
        series("process_start_time_seconds", "7x9 stale _x1 719x7 stale _x9 1799x9", **one, worker="0"),
        series("process_start_time_seconds", "8x9 stale _x1 720x7 stale _x9 1800x9", **one, worker="1"),
        series("service_info", "_x20 1x9 stale", **two, **second),
        series("process_start_time_seconds", "_x20 1199x9 stale", **two, worker="0"),
    ]
    marks = {0: {labelled(first): 7000}, 20: {labelled(second): 1199000}, 30: {labelled(first): 1799000}}
    expected = [expectation(mark, f"{minute}m", marks.get(minute, {})) for minute in range(36)]
    promtool(tmp_path, exported, expected)


def labelled(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{text}"' for name, text in labels.items()) + "}"


def expectation(query: str, after: str, found: Mapping[str, float]) -> Json:
    """What promtool has to find at a time: values by labels."""
    samples = [{"labels": labels, "value": value} for labels, value in found.items()]
    return {"expr": query.replace("$__rate_interval", "5m"), "eval_time": after, "exp_samples": samples}


def promtool(folder: Path, exported: list[dict[str, str]], expected: list[Json]) -> None:
    """Let promtool compare, with a sample of each series a minute."""
    group = {"interval": "1m", "input_series": exported, "promql_expr_test": expected}
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [group]}), "utf-8")
    program = shutil.which("promtool")
    assert program, "promtool is not installed: apt-get install prometheus"
    command = [program, "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- Grafana's own types


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Grafana's types and TypeScript, as the lock file has them."""
    assert shutil.which("npm"), "npm is not installed: node 20 or newer is needed to check dashboards against Grafana"
    folder = tmp_path_factory.mktemp("grafana") / "types"
    shutil.copytree(TYPES, folder, ignore=shutil.ignore_patterns("node_modules", "checked"))
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def complaints(types: Path, boards: dict[str, Any]) -> dict[str, str]:
    """What TypeScript says of dashboards, the first complaint of each."""
    shutil.rmtree(types / "checked", ignore_errors=True)
    (types / "checked").mkdir()
    for name, board in boards.items():
        head = 'import type { Dashboard } from "../dashboard";\n\nexport const dashboard: Dashboard = '
        (types / "checked" / f"{name}.ts").write_text(f"{head}{json.dumps(board, indent=2)};\n", "utf-8")
    command = ["node_modules/.bin/tsc", "--project", ".", "--pretty", "false"]
    done = subprocess.run(command, cwd=types, capture_output=True, text=True, check=False)
    found = dict(reversed(re.findall(r"^checked/(\S+)\.ts\(.*?\): error (.*)$", done.stdout, re.MULTILINE)))
    assert bool(found) == bool(done.returncode), done.stdout + done.stderr
    return found


@pytest.mark.slow
def test_grafanas_types_know_every_key_of_every_dashboard(types: Path) -> None:
    boards = {f"{number}-{name}": board for number, (_, (name, board)) in enumerate(BOARDS)}

    assert len(boards) >= 6
    assert complaints(types, boards) == {}


@pytest.mark.slow
def test_a_key_or_value_that_grafana_does_not_know_is_told(types: Path) -> None:
    """Otherwise the test above would prove nothing."""
    boards = {name: made(SPECS["seed"])["service.json"] for name in ("key", "panel", "option", "value", "query", "row")}
    lines = {name: panel(board, "Latency") for name, board in boards.items()}
    boards["key"]["colour"] = "red"
    lines["panel"]["hight"] = 3
    lines["option"]["fieldConfig"]["defaults"]["custom"]["linewidth"] = 1
    lines["value"]["options"]["tooltip"]["mode"] = "several"
    lines["query"]["targets"][0]["expression"] = "up"
    boards["row"]["panels"][-1]["panels"][0]["hight"] = 3
    found = complaints(types, boards)

    assert sorted(found) == ["key", "option", "panel", "query", "row", "value"]
    assert '"several"' in found["value"]
    assert '"linewidth"' in found["option"]


def test_the_lock_file_names_no_registry() -> None:
    text = (TYPES / "package-lock.json").read_text("utf-8")

    assert "resolved" not in text
    assert "://" not in text

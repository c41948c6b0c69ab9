"""slo.yaml: what is refused, and in which words."""

from typing import Any

import pytest
import yaml
from ops.slo.document import DocumentError

from tests.slo.specs import BUCKET, COUNT, SPECS, WINDOW, availability, document, latency, objective_of, parsed


def problems(text: str) -> list[str]:
    """What is said of a file that is refused."""
    with pytest.raises(DocumentError) as refused:
        parsed(text)
    return list(refused.value.problems)


def changed(*path: Any, to: Any) -> str:
    """The seed's file with one value changed; `...` as value removes the key."""
    whole = yaml.safe_load(document(availability(), latency()))
    place = whole
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return yaml.safe_dump(whole, sort_keys=False)


EVENTS = ("slos", 0, "sli", "events")
REFUSED = {
    "another form": (changed("version", to="openslo/v1"), "version: 'openslo/v1': write prometheus/v1"),
    "no version": (changed("version", to=...), "`version` missing"),
    "a bad service": (changed("service", to="My Service"), "service: 'My Service': write a name such as orders"),
    "no objectives": (changed("slos", to=[]), "slos: write a list with at least one objective"),
    "a mapping in place of the list": (changed("slos", to={"name": "x"}), "slos: write a list"),
    "an unknown key": (changed("slos", 0, "objectve", to=99), "objectve: unknown: did you mean `objective`?"),
    "no objective": (changed("slos", 0, "objective", to=...), "slos[0]: `objective` missing"),
    "text for a number": (
        changed("slos", 0, "objective", to="99.9 %"),
        "slos[0].objective: '99.9 %': write a percentage",
    ),
    "all of them": (
        changed("slos", 0, "objective", to=100),
        "slos[0].objective: 100: write a percentage above 0 and below",
    ),
    "none of them": (changed("slos", 0, "objective", to=0), "slos[0].objective: 0: write a percentage above 0"),
    "a ratio": (changed("slos", 0, "objective", to=True), "slos[0].objective: True: write a percentage"),
    "no number": (changed("slos", 0, "objective", to=float("nan")), "slos[0].objective: nan: write a percentage"),
    "too many nines": (changed("slos", 0, "objective", to=99.99999999), "six digits after the point are enough"),
    "two of a name": (document(availability(), availability()), "name 'availability' is used twice"),
    "names that differ in case": (document(availability("A1"), availability("a1")), "name 'a1' is used twice"),
    "an alert of the template's name": (
        changed("slos", 0, "alerting", "name", to="ServiceDown"),
        "alerting.name 'ServiceDown' is used twice, or is one of the template's",
    ),
    "an alert without a name": (changed("slos", 0, "alerting", to={"labels": {}}), "alerting: `name` is missing"),
    "no alerting": (changed("slos", 0, "alerting", to=...), "slos[0]: `alerting` missing"),
    "no window in a query": (
        changed(*EVENTS, "error_query", to="sum(rate(x[5m]))"),
        "sli.events.error_query: it has no window: write [{{.window}}]",
    ),
    "another template": (
        changed(*EVENTS, "error_query", to="sum(rate(x{{.service}}[{{.window}}]))"),
        "only {{.window}} is replaced",
    ),
    "no PromQL": (
        changed(*EVENTS, "error_query", to="sum(rate(x[{{.window}}])"),
        "no PromQL: unclosed left parenthesis",
    ),
    "several series": (
        changed(*EVENTS, "total_query", to="sum by (http_route) (rate(x[{{.window}}]))"),
        "it may give several series",
    ),
    "a rate over an increase": (
        changed(*EVENTS, "error_query", to="sum(increase(x[{{.window}}]))"),
        "total_query: it is in per second, error_query in events: use one function",
    ),
    "a ratio that is made": (
        changed("slos", 0, "sli", to={"raw": {"error_ratio_query": "x"}}),
        "sli.raw: not supported here: a ratio that is made already can't be weighted",
    ),
    "a plug-in's indicator": (changed("slos", 0, "sli", to={"plugin": {"id": "x"}}), "sli.plugin: not supported here"),
    "plug-ins": (changed("slo_plugins", to={"chain": []}), "slo_plugins: not supported here: Sloth's plug-ins"),
    "an objective's plug-ins": (changed("slos", 0, "plugins", to={"chain": []}), "slos[0].plugins: not supported here"),
    "an edge that is written otherwise": (
        document(latency(edge="1")),
        'le="1" matches no bucket: the service writes it le="1.0"',
    ),
    "an edge that is no number": (document(latency(edge="fast")), 'le="fast" is no number of seconds'),
    "an edge below any clock": (document(latency(edge="1e-05")), "between 0.0005 and 600 seconds"),
    "a bucket without an edge": (
        document(
            objective_of(
                "x1", 99, f"sum(rate({COUNT}{WINDOW})) - sum(rate({BUCKET}{WINDOW}))", f"sum(rate({COUNT}{WINDOW}))"
            )
        ),
        'needs one edge: {le="0.3"}',
    ),
    "too many edges": (
        document(*(latency(f"l{number}", edge=f"0.{number}") for number in range(1, 10))),
        "9 different latencies",
    ),
    "another window": (changed("x-ops", "window", to="7d"), "x-ops.window: '7d': write 28d or 30d"),
    "an unknown alert": (changed("x-ops", "alerts", to={"MemryNearLimit": {}}), "did you mean `MemoryNearLimit`?"),
    "a threshold for what has none": (
        changed("x-ops", "alerts", to={"ServiceDown": {"threshold": 1}}),
        "x-ops.alerts.ServiceDown.threshold: ServiceDown has no threshold",
    ),
    "no address": (changed("x-ops", "grafana_url", to="grafana"), "x-ops.grafana_url: 'grafana': write an address"),
    "no number of errors": (
        changed("x-ops", "minimum_errors", to=0.5),
        "minimum_errors: 0.5: write a whole number from 1",
    ),
    "a label of ours": (changed("slos", 0, "labels", to={"severity": "x"}), "`severity` is set by what is derived"),
    "Sloth's label": (changed("labels", to={"sloth_id": "x"}), "labels.sloth_id: no name for it"),
    "a label that is no text": (changed("labels", to={"tier": 1}), "labels.tier: 1: write text, in quotes"),
    "a list for a mapping": (changed("x-ops", to=["window"]), "x-ops: write a mapping"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_refused_with_its_place_and_a_remedy(what: str) -> None:
    text, expected = REFUSED[what]
    said = problems(text)

    assert any(expected in line for line in said), said
    assert all(line.startswith("slo.yaml:") and line.split(":")[1].isdigit() for line in said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "slo.yaml:1: it is empty"),
        ("version: prometheus/v1\nslos: [\n", "slo.yaml:3: no YAML"),
        ("a: &x 1\nb: *x\n", "slo.yaml:1: b: an alias (*)"),
        ("a: 1\na: 2\n", "slo.yaml:2: the document: the key 'a' is there twice"),
        ("- 1\n", "slo.yaml:1: the document: write a mapping"),
        ("a: !!python/object/apply:os.system [x]\n", "slo.yaml:1"),
        ("a: 1\n---\nb: 2\n", "slo.yaml:"),
        ("[" * 100 + "]" * 100, "slo.yaml:1"),
        ("1: x\n", "a key must be text"),
        ("a: '" + "x" * 300_000 + "'", "slo.yaml:1: it has 300"),
    ],
    ids=["empty", "broken", "alias", "twice", "list", "tag", "two", "deep", "number", "long"],
)
def test_a_file_that_is_no_plain_yaml_is_refused(text: str, expected: str) -> None:
    assert expected in problems(text)[0]


def test_every_mistake_is_told_at_once_each_with_its_line() -> None:
    text = document(availability(objective=100), latency(edge="1")).replace("service: orders", "service: Orders")

    lines = text.splitlines()
    named = [lines[int(line.split(":")[1]) - 1] for line in problems(text)]

    assert [line.strip().split(":")[0] for line in named] == ["service", "objective", "error_query"]


def test_a_secret_in_the_wrong_place_is_not_shown_beyond_a_short_part() -> None:
    assert "x" * 70 not in problems(changed("service", to="x" * 500))[0]


@pytest.mark.parametrize("name", SPECS)
def test_valid_files_are_read(name: str) -> None:
    assert len(parsed(SPECS[name]).objectives) >= 1


def test_the_edges_of_all_latency_objectives_are_those_of_the_service() -> None:
    assert parsed(SPECS["route classes"]).edges == [0.1, 2.5]

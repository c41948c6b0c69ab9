"""The derived rules: Sloth's conventions, and what promtool says of them."""

import shutil
import string
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ops.slo import contract, outputs, rules, windows

from tests.debian import program
from tests.slo.specs import COUNT, SPECS, availability, document, freshness, latency, parsed, written

pytestmark = pytest.mark.slow

IDENTITY = {"sloth_id": "orders-availability", "sloth_service": "orders", "sloth_slo": "availability"}


def tool(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: apt-get install prometheus"
    return found


def run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def groups(text: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """Rules of an objective by the name of their group."""
    spec = parsed(text)
    found = next(each for each in spec.objectives if each.name == name)
    return {group["name"]: group["rules"] for group in rules.groups(spec, found)}


@pytest.mark.parametrize(("window", "last", "days"), [("30d", "30d", 30), ("28d", "4w", 28)])
def test_records_and_their_labels_have_sloths_names(window: str, last: str, days: int) -> None:
    """Sloth writes 28 days as Prometheus does: 4w."""
    found = groups(document(availability(), window=window), "availability")
    ratios = [each for each in found["sloth-slo-sli-recordings-orders-availability"] if ":ratio_rate" in each["record"]]

    assert [each["record"] for each in ratios] == [
        f"slo:sli_error:ratio_rate{each}" for each in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", last)
    ]
    assert [each["labels"]["sloth_window"] for each in ratios] == ["5m", "30m", "1h", "2h", "6h", "1d", "3d", last]
    assert all({name: each["labels"][name] for name in IDENTITY} == IDENTITY for each in ratios)

    metadata = {each["record"]: each for each in found["sloth-slo-meta-recordings-orders-availability"]}

    assert list(metadata) == [
        "slo:objective:ratio",
        "slo:error_budget:ratio",
        "slo:time_period:days",
        "slo:current_burn_rate:ratio",
        "slo:period_burn_rate:ratio",
        "slo:period_error_budget_remaining:ratio",
        "sloth_slo_info",
    ]
    assert metadata["slo:objective:ratio"]["expr"] == "vector(0.999)"
    assert metadata["slo:error_budget:ratio"]["expr"] == "vector(0.001)"
    assert metadata["slo:time_period:days"]["expr"] == f"vector({days})"
    assert {"sloth_mode", "sloth_version", "sloth_spec", "sloth_objective"} <= set(metadata["sloth_slo_info"]["labels"])
    assert metadata["sloth_slo_info"]["labels"]["sloth_objective"] == "99.9"


@pytest.mark.parametrize(
    ("window", "factors"), [("30d", ["14.4", "6", "3", "1"]), ("28d", ["13.44", "5.6", "2.8", "0.933333333333333"])]
)
def test_burn_factors_and_windows_are_sloths(window: str, factors: list[str]) -> None:
    """SRE workbook, table 5-6, and Sloth's windows for 28 and 30 days: 2 %, 5 %, 10 % and 10 % of the budget."""
    found = windows.burns(window)

    assert [windows.number(each.factor) for each in found] == factors
    assert [(each.severity, each.short, each.long) for each in found] == [
        ("page", "5m", "1h"),
        ("page", "30m", "6h"),
        ("ticket", "2h", "1d"),
        ("ticket", "6h", "3d"),
    ]


def test_thresholds_are_the_burn_factor_times_the_budget() -> None:
    found = groups(document(availability(), window="30d"), "availability")["sloth-slo-alerts-orders-availability"]
    burns = [each for each in found if each["alert"] == "AvailabilityBurn"]

    limits = ["0.0144", "0.006", "0.003", "0.001"]

    assert [each["expr"].count(f"> {limit})") for each, limit in zip(burns, limits, strict=True)] == [2, 2, 2, 2]
    assert [(each["labels"]["sloth_severity"], each["labels"]["severity"]) for each in burns] == [
        ("page", "page"),
        ("page", "page"),
        ("ticket", "ticket"),
        ("ticket", "ticket"),
    ]


def test_an_objective_so_low_that_no_burn_could_reach_the_threshold_can_still_page() -> None:
    """14.4 times a budget of 10 % is more than all requests: the threshold is 90 % of them."""
    found = groups(document(availability(objective=90), window="30d"), "availability")

    assert found["sloth-slo-alerts-orders-availability"][0]["expr"].count("> 0.9)") == 2


OWN_ALERTS = {"seed", "hostile texts", "no pages"}  # in the others the template's own alerts are the seed's


@pytest.mark.parametrize("name", SPECS)
def test_promtool_and_amtool_accept_what_is_derived_and_every_derived_test_passes(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path, outputs.made(parsed(SPECS[name]), "orders")) / "monitoring"
    rule_files = sorted(folder.glob("prometheus/rules/*"))
    test_files = sorted(folder.glob("prometheus/tests/" + ("*" if name in OWN_ALERTS else "slo-*")))
    amtool = program("prometheus-alertmanager", "amtool")

    checked = run(tool("promtool"), "check", "rules", "--lint-fatal", *rule_files, cwd=folder)
    tested = run(tool("promtool"), "test", "rules", *test_files, cwd=folder)
    routed = run(amtool, "check-config", "alertmanager/alertmanager.yaml", cwd=folder)
    scraped = run(tool("promtool"), "check", "config", "--syntax-only", "prometheus/prometheus.yaml", cwd=folder)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count("SUCCESS") == len(test_files)
    assert len(test_files) >= len(rule_files) - 1 == len(parsed(SPECS[name]).objectives)
    assert routed.returncode == 0, routed.stderr
    assert scraped.returncode == 0, scraped.stderr


BREAKS = {
    "the short window is left out": (r"ratio_rate5m{IDS} > 0.01344", r"ratio_rate1h{IDS} > 0.01344"),
    "it fires too early": ("> 0.01344", "> 0.004"),
    "it fires too late": ("> 0.01344", "> 0.05"),
    "the slow burn fires too early": ("> 0.0056", "> 0.002"),
    "the ticket fires too early": ("> 0.0028", "> 0.001"),
    "the slow ticket fires too late": ("> 0.000933333333333", "> 0.0014"),
    "no number of errors is needed": (">= 10", ">= 0"),
    "windows are averages of ratios": (
        (
            "sum_over_time(slo:sli_error:rate5m{IDS}[1d])\n          /\n"
            "          (sum_over_time(slo:sli_total:rate5m{IDS}[1d]) > 0)"
        ),
        "avg_over_time(slo:sli_error:ratio_rate5m{IDS}[1d])",
    ),
    "a missing metric is not told": ("absent(slo:sli_total:rate5m{IDS})", "absent(vector(1))"),
    "successes count as errors": ('http_response_status_code=~"5.."}[1h]', 'http_response_status_code=~"2.."}[1h]'),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_rule_fails_its_derived_test(what: str, tmp_path: Path) -> None:
    ids = '{sloth_id="orders-availability", sloth_service="orders", sloth_slo="availability"}'
    old, new = (text.replace("{IDS}", ids) for text in BREAKS[what])
    spec = parsed(document(availability()))
    folder = written(tmp_path, outputs.made(spec, "orders")) / "monitoring/prometheus"
    file = folder / "rules/slo-availability.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace(old, new), "utf-8")

    tests = sorted(folder.glob("tests/slo-*"))  # of pages, then of tickets, which take longer

    assert old in text
    assert len(tests) == 2
    assert any(run(tool("promtool"), "test", "rules", each, cwd=folder).returncode == 1 for each in tests)


def test_an_outage_at_three_requests_an_hour_pages_after_four_hours(tmp_path: Path) -> None:
    folder = written(tmp_path, outputs.made(parsed(document(availability())), "orders")) / "monitoring/prometheus"
    labels = '{job="orders", http_response_status_code="500"}'
    third = " ".join(f"{number}x9" for number in range(30))  # each tenth sample, two minutes apart, counts one more
    pages = 'count(ALERTS{alertname="AvailabilityBurn", severity="page", alertstate="firing"})'
    asked = [
        {"expr": pages, "eval_time": "180m", "exp_samples": []},
        {"expr": pages, "eval_time": "240m", "exp_samples": [{"labels": "{}", "value": 1}]},
    ]
    test = {
        "interval": "2m",
        "input_series": [{"series": f"{COUNT}{labels}", "values": third}],
        "promql_expr_test": asked,
    }
    order = [f"sloth-slo-{part}-orders-availability" for part in ("sli-recordings", "meta-recordings", "alerts")]
    whole = {"rule_files": ["rules/slo-availability.yaml"], "evaluation_interval": "4m", "group_eval_order": order}
    (folder / "low.yaml").write_text(yaml.safe_dump({**whole, "tests": [test]}), "utf-8")

    done = run(tool("promtool"), "test", "rules", "low.yaml", cwd=folder)

    assert done.returncode == 0, done.stdout


def test_every_alert_of_every_file_carries_the_whole_contract() -> None:
    for text in SPECS.values():
        spec = parsed(text)
        derived = outputs.made(spec, "orders")
        found = [
            rule
            for path, made in derived.items()
            if "prometheus/rules/" in path
            for group in yaml.safe_load(made)["groups"]
            for rule in group["rules"]
            if "alert" in rule
        ]

        assert found
        for rule in found:
            assert contract.lacking(rule) == []
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert rule["annotations"]["runbook_url"].endswith(f"#{rule['alert'].lower()}")


def test_a_deployment_may_mute_all_but_the_fastest_burn_and_that_nobody_answers() -> None:
    derived = yaml.safe_load(outputs.made(parsed(SPECS["seed"]), "orders")["monitoring/kubernetes/prometheusrule.yaml"])
    alerts = [rule for group in derived["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    pages = [rule for rule in alerts if rule["labels"]["severity"] == "page"]
    never = [rule for rule in pages if rule["labels"]["muted_by_deployment"] == "false"]

    assert {rule["labels"].get("long_window", rule["alert"]) for rule in never} == {
        "1h",
        "ServiceDown",
        "SyntheticProbeFailed",
    }
    assert {rule["labels"].get("long_window") for rule in pages if rule not in never} == {"6h"}


NAMES = st.text(string.ascii_letters + string.digits + "._-", max_size=20).map(lambda text: f"a{text}z")
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029"), min_size=1, max_size=40
)
OBJECTIVES = st.decimals(min_value=1, max_value="99.9999", places=4).map(float)
EDGES = st.sampled_from(["0.001", "0.05", "0.25", "0.3", "1.0", "7.5", "30.0"])
LABELS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
        lambda name: name not in ("severity", "service", "owner", "alertname")
    ),
    TEXTS,
    max_size=3,
)
ONE = st.one_of(
    st.builds(availability, NAMES, OBJECTIVES, description=TEXTS, labels=LABELS),
    st.builds(latency, NAMES, OBJECTIVES, EDGES, description=TEXTS),
    st.builds(freshness, NAMES, OBJECTIVES),
)


@given(
    slos=st.lists(ONE, min_size=1, max_size=4, unique_by=lambda each: each["name"].lower()),
    window=st.sampled_from(["28d", "30d"]),
    owner=TEXTS,
    errors=st.integers(1, 100_000),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_valid_file_compiles_to_rules_that_promtool_accepts(
    tmp_path: Path, slos: list[dict[str, Any]], window: str, owner: str, errors: int
) -> None:
    for number, each in enumerate(slos):
        each["alerting"] = {"name": f"Burn{number}"}
    spec = parsed(document(*slos, window=window, owner=owner, minimum_errors=errors))
    shutil.rmtree(tmp_path / "monitoring", ignore_errors=True)
    folder = written(tmp_path, outputs.made(spec, "orders")) / "monitoring/prometheus"

    done = run(tool("promtool"), "check", "rules", "--lint-fatal", *sorted(folder.glob("rules/*")), cwd=folder)

    assert done.returncode == 0, done.stdout + done.stderr

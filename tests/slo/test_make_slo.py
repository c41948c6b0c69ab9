"""`make slo` and `make check` in a rendered service: what is derived is up to date, and nobody edits it."""

import copy
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.services import clean_environment, serving

pytestmark = pytest.mark.slow

DERIVED = "monitoring/prometheus/rules/slo-availability.yaml"


@pytest.fixture
def service(orders: Path, tmp_path: Path) -> Path:
    """A copy of an installed service that may be edited; its environment is the other's."""
    mine = tmp_path / "orders"
    shutil.copytree(orders, mine, symlinks=True, ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__"))
    (mine / ".venv").symlink_to(orders / ".venv")
    return mine


def make(service: Path, *verbs: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", *verbs],
        cwd=service,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def slo(service: Path, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [service / ".venv/bin/python", "-m", "ops.slo", command],
        cwd=service,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_a_fresh_service_has_all_that_is_derived_once_it_is_installed(service: Path) -> None:
    done = slo(service, "check")

    assert done.returncode == 0, done.stderr
    assert (service / DERIVED).is_file()


def test_a_change_of_an_objective_fails_the_check_until_make_slo(service: Path) -> None:
    edit(service / "slo.yaml", "objective: 99.9", "objective: 99.5")
    refused = make(service, "check")

    assert refused.returncode != 0
    assert f"{DERIVED}: is not what slo.yaml gives" in refused.stderr
    assert "make slo makes them anew" in refused.stderr
    assert make(service, "slo").returncode == 0

    passed = make(service, "check")

    assert passed.returncode == 0, passed.stdout + passed.stderr


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (DERIVED, "> 0.01344", "> 0.5"),
        ("monitoring/prometheus/rules/alerts.yaml", "for: 3m", "for: 3h"),
        ("monitoring/prometheus/tests/alerts.yaml", "value: 1", "value: 2"),
        ("monitoring/grafana/dashboards/slo.json", "{", "{ "),
        ("monitoring/kubernetes/prometheusrule.yaml", "PrometheusRule", "Prometheusrule"),
        ("src/orders/slo.json", "0.3", "0.25"),
    ],
)
def test_an_edit_of_what_is_derived_fails_the_check(service: Path, path: str, old: str, new: str) -> None:
    edit(service / path, old, new)
    refused = slo(service, "check")

    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"{path}: is not what slo.yaml gives",
        "make slo makes them anew; an edit belongs into slo.yaml",
    ]


def test_what_is_missing_or_left_over_fails_the_check_and_make_slo_mends_it(service: Path) -> None:
    (service / DERIVED).unlink()
    (service / "monitoring/prometheus/rules/old.yaml").write_text("groups: []\n", "utf-8")
    refused = slo(service, "check")

    assert refused.returncode == 1
    assert f"{DERIVED}: is missing" in refused.stderr
    assert "monitoring/prometheus/rules/old.yaml: nothing makes it (any more)" in refused.stderr
    assert slo(service, "make").returncode == slo(service, "check").returncode == 0
    assert not (service / "monitoring/prometheus/rules/old.yaml").exists()


def test_line_ends_of_windows_are_no_edit(service: Path) -> None:
    file = service / DERIVED
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert slo(service, "check").returncode == 0


def test_a_latency_objective_is_a_bucket_of_the_running_service(service: Path) -> None:
    """The edge comes from slo.yaml alone: without it, the share of requests within it would be a guess."""
    edit(service / "slo.yaml", 'le="0.3"', 'le="0.42"')

    assert slo(service, "make").returncode == 0
    assert json.loads((service / "src/orders/slo.json").read_text("utf-8")) == {"latency_edges_seconds": [0.42]}

    with serving(service, env={"PYTHONPATH": str(service / "src")}) as running:
        running.get("/v1/vat-rates/NO")
        edges = {
            line.split('le="')[1].split('"')[0] for line in running.metric("http_server_request_duration_seconds_b")
        }

    assert "0.42" in edges
    assert "0.3" not in edges


def test_a_new_objective_brings_its_rules_its_tests_and_its_section_in_the_runbook(service: Path) -> None:
    document = yaml.safe_load((service / "slo.yaml").read_text("utf-8"))
    sli = copy.deepcopy(document["slos"][0]["sli"])
    document["slos"].append({"name": "quotes", "objective": 99, "sli": sli, "alerting": {"name": "QuotesFail"}})
    (service / "slo.yaml").write_text(yaml.safe_dump(document), "utf-8")
    before = (service / "docs/runbook.md").read_text("utf-8")
    done = slo(service, "make")
    after = (service / "docs/runbook.md").read_text("utf-8")

    assert "docs/runbook.md: added sections for QuotesFail" in done.stdout
    assert (service / "monitoring/prometheus/tests/slo-quotes.page.yaml").is_file()
    assert "### QuotesFail" in after
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert slo(service, "check").returncode == 0


def test_an_alert_without_its_section_and_a_section_without_its_alert_fail_the_check(service: Path) -> None:
    edit(service / "docs/runbook.md", "### ServiceDown", "### ServceDown")
    refused = slo(service, "check")

    assert refused.returncode == 1
    assert "ServiceDown" in refused.stderr
    assert "ServceDown" in refused.stderr


def test_a_service_without_slo_yaml_has_nothing_derived_and_passes(service: Path) -> None:
    (service / "slo.yaml").unlink()
    refused = slo(service, "check")

    assert refused.returncode == 2
    assert "delete monitoring/, too" in refused.stderr

    shutil.rmtree(service / "monitoring")

    assert slo(service, "check").returncode == 0


def test_what_is_not_committed_with_slo_yaml_fails_the_check(service: Path) -> None:
    """In a pipeline `make install` would make it, and a missing commit would go unseen."""
    for command in (
        ["init", "-q"],
        ["add", "slo.yaml"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=service, check=True)
    refused = slo(service, "check")

    assert refused.returncode == 1
    assert refused.stderr == "monitoring/: is not committed: git add monitoring\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("objective: 99.9", "objective: 100", "slos[0].objective: 100: write a percentage above 0 and below 100"),
        ("slos:", "slo:", "slo.yaml:10: slo: unknown: did you mean `slos`?"),
        ("version:", "version: [", "slo.yaml:"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_nothing_is_written(
    service: Path, old: str, new: str, expected: str
) -> None:
    before = {path: path.read_bytes() for path in (service / "monitoring").rglob("*") if path.is_file()}
    edit(service / "slo.yaml", old, new)
    refused = slo(service, "make")

    assert refused.returncode == 2
    assert expected in refused.stderr
    assert "Traceback" not in refused.stderr
    assert {path: path.read_bytes() for path in (service / "monitoring").rglob("*") if path.is_file()} == before

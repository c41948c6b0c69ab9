"""`make load` sends real load to a running service, with the real Locust in an environment of its own."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.test_deploy import tools
from tests.services import Running, clean_environment, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(orders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the service in which load.yaml may be changed."""
    folder = tmp_path_factory.mktemp("load") / "orders"
    shutil.copytree(orders, folder, ignore=shutil.ignore_patterns(".venv", ".git", ".*_cache"))
    (folder / ".venv").symlink_to(orders / ".venv")
    (folder / ".tools").symlink_to(tools(orders), target_is_directory=True)
    return folder


@pytest.fixture(scope="module")
def service(orders: Path) -> Iterator[Running]:
    with serving(orders) as running:
        yield running


def load(project: Path, url: str, *variables: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    """`make load` with a scenario of a few seconds."""
    text = re.sub(r"seconds: \d+", "seconds: 1", (project / "load.yaml").read_text("utf-8"))
    for old, new in changes.items():
        assert f"{old}:" in text
        text = re.sub(rf"\b{old}: [^\s#}},]+", f"{old}: {new}", text)
    (project / "changed.yaml").write_text(text, "utf-8")
    command = ["make", "load", f"URL={url}", *variables]
    environment = {name: value for name, value in clean_environment().items() if name != "MAKEFLAGS"}
    kept = (project / "load.yaml").read_bytes()
    (project / "load.yaml").write_text(text, "utf-8")
    try:
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    finally:
        (project / "load.yaml").write_bytes(kept)


def test_the_seeds_scenario_passes_and_counts_what_the_service_counts(project: Path, service: Running) -> None:
    before = sum(service.metric("http_server_request_duration_seconds_count").values())
    done = load(project, service.url, "JSON=load.json", "HTML=load.html", p99_ms="2000", requests_per_second="1")
    after = sum(service.metric("http_server_request_duration_seconds_count").values())
    told = json.loads((project / "load.json").read_text("utf-8"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert told["passed"] is True
    assert told["total"]["count"] == after - before
    assert {each["name"] for each in told["requests"]} == {"a quote", "the VAT rate of a country"}
    assert told["total"]["failed"] == 0
    assert "<html" in (project / "load.html").read_text("utf-8")


def test_wrong_answers_and_missed_thresholds_fail(project: Path, service: Running) -> None:
    done = load(project, service.url, total='"1.00"', requests_per_second="100000", p99_ms="2000")

    assert done.returncode != 0
    assert "the answer.total is '74.63', and '1.00' is wanted" in done.stdout
    assert "failed_percent is" in done.stdout
    assert "requests_per_second is" in done.stdout
    assert "load test FAILED: profile short" in done.stdout


def test_a_service_that_is_not_there_fails_and_bad_input_is_one_line(project: Path, service: Running) -> None:
    gone = load(project, "http://127.0.0.1:9")
    unknown = load(project, service.url, "PROFILE=huge")
    address = load(project, "orders:8000")

    assert gone.returncode != 0
    assert "no answer" in gone.stdout
    assert unknown.stderr.splitlines()[0] == "load: --profile 'huge': load.yaml has short, capacity"
    assert address.stderr.splitlines()[0].startswith("load: URL 'orders:8000': it needs a scheme")

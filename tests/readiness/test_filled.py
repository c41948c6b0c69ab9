"""A service that is filled in and signed passes the gate to production, and no other way leads through it."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ops.readiness import documents, reading, statements, tested
from ops.readiness.assessment import assess
from ops.readiness.registry import Check
from ops.readiness.service import Service

from tests import services
from tests.readiness import filled, mutating
from tests.readiness.mutating import edit

pytestmark = pytest.mark.slow
TODAY = date.today()  # noqa: DTZ011


def scorecard(root: Path, orders: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status and document of `make readiness`, by the installed service's interpreter."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "COVERAGE"))}
    environment["PYTHONPATH"] = str(root / "src")
    command: list[str | Path] = [orders / ".venv/bin/python", "-m", "ops.readiness", "--json", *options]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def left(document: dict[str, Any]) -> dict[str, str]:
    return {
        row["id"]: f"{row['state']}: {row['seen']}"
        for row in document["rows"]
        if row["state"] not in ("pass", "not applicable")
    }


@pytest.fixture(scope="module")
def done(fresh: Path, orders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default render, filled in and signed today."""
    root = mutating.changed(fresh, tmp_path_factory.mktemp("filled") / "orders", [])
    filled.fill(root, TODAY)
    environment = services.clean_environment(PYTHONPATH=str(root / "src"))
    make: list[str | Path] = [orders / ".venv/bin/python", "-m", "ops.documents", "make"]
    subprocess.run(make, cwd=root, env=environment, check=True, capture_output=True)
    tested.record(root, 90.0, 86.0)
    mutating.committed(root)
    return root


def test_a_service_that_is_filled_in_and_signed_opens_the_gate_to_production(done: Path, orders: Path) -> None:
    status, document = scorecard(done, orders, "--gate", "production")

    assert left(document) == {}
    assert status == 0


def test_in_a_fresh_service_every_row_that_people_sign_is_open(fresh: Path) -> None:
    problems: list[str] = []
    said = statements.read(fresh, reading.catalogue(problems), TODAY, problems)
    signed = [row for row in said.rows if row.evidence == ("signed",)]
    results = assess(signed, {}, said, Service(fresh), TODAY)

    assert len(signed) > 12
    assert {result.id: result.state for result in results if result.state != "open"} == {}
    assert [result.id for result in results if "nobody has signed it" not in result.evidence] == []


@pytest.mark.parametrize(
    ("path", "old", "new", "row", "told"),
    [
        (
            "docs/ros.md",
            "## Scale\n",
            "## Scale\n\nTODO: who\n",
            "ros",
            "docs/ros.md has 1 TODO left, the first in line",
        ),
        ("docs/ros.md", "status: approved", "status: draft", "ros", "docs/ros.md is not approved: its status is draft"),
        ("docs/ros.md", f"expires: {TODAY + timedelta(365)}", f"expires: {TODAY}", "ros", f"ros.md expired on {TODAY}"),
        (
            "docs/ros.md",
            f"expires: {TODAY + timedelta(365)}",
            "expires: 2099-01-01",
            "ros",
            "docs/ros.md: it expires on 2099-01-01, ",
        ),
        ("docs/ros.md", f"reviewed: {TODAY}", "reviewed: soon", "ros", "docs/ros.md: no date in reviewed"),
        ("docs/ros.md", "---\nowner", "owner", "ros", "docs/ros.md has no front matter"),
    ],
)
def test_a_document_that_is_not_finished_reopens_its_row(
    done: Path, tmp_path: Path, path: str, old: str, new: str, row: str, told: str
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / path).write_text((done / path).read_text("utf-8"), "utf-8")
    before = documents.state(tmp_path, path, TODAY)
    edit(tmp_path, path, old, new)

    assert before == []
    assert told in " ".join(documents.state(tmp_path, path, TODAY))
    assert path in next(each for each in reading.catalogue([]) if each.id == row).documents


def test_every_document_that_people_fill_in_is_asked_for_by_a_row(done: Path) -> None:
    asked = {path for row in reading.catalogue([]) if "signed" in row.evidence for path in row.documents}
    pages = {each.relative_to(done).as_posix(): each.read_text("utf-8") for each in (done / "docs").rglob("*.md")}

    assert {path for path, text in pages.items() if text.startswith("---\n")} == asked


def test_nothing_is_left_to_write_in_a_service_that_is_filled_in(done: Path) -> None:
    files = [each for folder in ("docs", "deploy", "config") for each in (done / folder).rglob("*") if each.is_file()]
    files += [done / name for name in ("slo.yaml", "CODEOWNERS", "catalog-info.yaml", "readiness.yaml")]

    assert [
        each.name for each in files if "TODO" in each.read_text("utf-8").replace("if none of their TODO: is", "")
    ] == []
    assert all(entry["by"] for entry in yaml.safe_load((done / "readiness.yaml").read_text("utf-8"))["signed"].values())


def test_a_signature_that_lapses_reopens_its_row_alone(done: Path) -> None:
    """Each of them; the checks are taken to pass, for other tests try them."""
    said = statements.read(done, reading.catalogue([]), TODAY, [])
    rows = [row for row in said.rows if "signed" in row.evidence]
    checks = {row.id: Check(row.id, "static", lambda _: "seen") for row in rows if row.evidence != ("signed",)}
    service = Service(done)

    def left_open(signed: Mapping[str, statements.Signature]) -> list[str]:
        results = assess(rows, checks, replace(said, signed=signed), service, TODAY)
        return [result.id for result in results if result.state != "pass"]

    assert set(left_open(said.signed)) <= {row.id for row in rows if row.from_availability}
    for id_, signature in said.signed.items():
        assert left_open({**said.signed, id_: replace(signature, expires=TODAY)}) == [id_]

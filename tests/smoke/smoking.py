"""Runs the smoke tests as people and pipelines do."""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from template.ops.smoke.__main__ import main

from tests.services import ROOT, TOKEN, clean_environment

WITH_TOKEN = {"SMOKE_STATUS_TOKEN": TOKEN}


@dataclass(frozen=True)
class Smoked:
    """A run of the smoke tests that has ended."""

    status: int
    stdout: str
    stderr: str
    json: dict[str, Any]
    seconds: float

    def ids(self, outcome: str) -> set[str]:
        """The checks that ended so."""
        return {check["id"] for check in self.json["checks"] if check["outcome"] == outcome}

    def evidence(self, check: str) -> str:
        """What a check has seen."""
        return next(str(each["evidence"]) for each in self.json["checks"] if each["id"] == check)


def smoke(project: Path, *arguments: str, env: Mapping[str, str] = WITH_TOKEN) -> Smoked:
    """Run it in a service's folder and its venv."""
    return _run(project, str(project / ".venv/bin/python"), arguments, env)


def smoke_without_service(folder: Path, *arguments: str, env: Mapping[str, str] = WITH_TOKEN) -> Smoked:
    """Run it in a folder that has `ops/smoke/` and nothing else, with the Python of these tests."""
    if not (folder / "ops").exists():
        (folder / "ops").mkdir(parents=True)
        (folder / "ops" / "smoke").symlink_to(ROOT / "template" / "ops" / "smoke")
    return _run(folder, sys.executable, arguments, env)


def smoke_here(project: Path | None, *arguments: str, env: Mapping[str, str] = WITH_TOKEN) -> Smoked:
    """Run it in this process, which is faster, with the `smoke.yaml` of a project, or with none."""
    plan = () if project is None or "--config" in arguments else ("--config", str(project / "smoke.yaml"))
    out, errors = io.StringIO(), io.StringIO()
    with _report() as report, patch.dict(os.environ, clean_environment(**env), clear=True):
        began = time.monotonic()
        with redirect_stdout(out), redirect_stderr(errors):
            status = main(["--json", str(report), *plan, *arguments])
        return _smoked(status, out.getvalue(), errors.getvalue(), report, began)


def _run(folder: Path, python: str, arguments: tuple[str, ...], env: Mapping[str, str]) -> Smoked:
    with _report() as report:
        began = time.monotonic()
        done = subprocess.run(
            [python, "-W", "error", "-m", "ops.smoke", "--json", str(report), *arguments],
            cwd=folder,
            env={**clean_environment(**env), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return _smoked(done.returncode, done.stdout, done.stderr, report, began)


@contextmanager
def _report() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "report.json"


def _smoked(status: int, stdout: str, stderr: str, report: Path, began: float) -> Smoked:
    seconds = time.monotonic() - began
    text = report.read_text("utf-8") if report.is_file() else ""
    return Smoked(status, stdout, stderr, json.loads(text) if text else {}, seconds)

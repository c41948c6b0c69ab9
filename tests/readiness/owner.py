"""A service of a few lines, with a catalogue of its own: what the engine does with rows, checks and statements."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ops.readiness import __main__ as command
from ops.readiness import reading

TODAY = date.today()  # noqa: DTZ011 - as the command takes it
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
SAID = "It says in ten words and more what is what here.\n"
DATES = f"reviewed: {YESTERDAY}\nexpires: {TOMORROW}\n"
DONE = f"---\nowner: Platform team\nstatus: approved\n{DATES}---\n# Launch\n{SAID}"


def row(id_: str, **other: Any) -> dict[str, Any]:
    """A row of the catalogue that a person signs at the gate `production`."""
    return {
        "id": id_,
        "text": f"{id_} holds",
        "why": "Else it does not.",
        "sources": [{"document": "own", "text": "It must hold"}],
        "gate": "production",
        "evidence": ["signed"],
        "remedy": {"do": "Make it hold"},
    } | other


def signature(**other: Any) -> dict[str, Any]:
    """A signature that counts."""
    return {
        "by": "Kari Nordmann",
        "on": YESTERDAY,
        "evidence": "https://wiki.example.org/1",
        "expires": TOMORROW,
    } | other


@dataclass
class Owner:
    """A service's folder, and the command that is run in it."""

    root: Path
    out: pytest.CaptureFixture[str]

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def says(self, **statements: Any) -> None:
        """Write readiness.yaml."""
        self.write("readiness.yaml", yaml.safe_dump(statements, sort_keys=False))

    def asked(self, *options: str) -> tuple[int, dict[str, Any], str]:
        """Exit status, the report as JSON, and standard error."""
        status = command.main(["--json", *options])
        captured = self.out.readouterr()
        return status, json.loads(captured.out) if captured.out else {}, captured.err

    def run(self, *options: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        status = command.main(list(options))
        captured = self.out.readouterr()
        return status, captured.out, captured.err

    def states(self) -> dict[str, tuple[str, str]]:
        """State and evidence of each row."""
        return {each["id"]: (each["state"], each["seen"]) for each in self.asked()[1]["rows"]}


def made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, out: pytest.CaptureFixture[str], *rows: dict[str, Any]
) -> Owner:
    """A service whose catalogue has these rows."""
    owner = Owner(folder / "shop", out)
    owner.write("src/shop/ops/__init__.py", "")
    owner.write("ops/__init__.py", "")
    owner.write(".copier-answers.yml", "service_name: shop\npersonal_data: 'no'\navailability_target: '99.9'\n")
    owner.says()
    (folder / "catalogue").mkdir()
    (folder / "catalogue/tests.yaml").write_text(yaml.safe_dump({"theme": "Tests", "rows": list(rows)}), "utf-8")
    monkeypatch.setattr(reading, "FOLDER", folder / "catalogue")
    monkeypatch.chdir(owner.root)
    return owner

"""What a careless owner writes closes no eyes: it is told, and the rest of the report still appears."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from ops.readiness import documents, reading, statements, tested
from ops.readiness.outcome import Failed
from ops.readiness.service import Service

TODAY = date(2026, 11, 30)


def problems(root: Path, text: str) -> list[str]:
    """What is said of a readiness.yaml."""
    (root / "readiness.yaml").write_text(text, "utf-8")
    said: list[str] = []
    statements.read(root, reading.catalogue([]), TODAY, said)
    return said


@pytest.mark.parametrize(
    ("code", "limit", "said"),
    [
        ("import sys\nsys.exit(0)\n", 20, "SystemExit"),
        ("raise KeyboardInterrupt\n", 20, "KeyboardInterrupt"),
        ("while True:\n    pass\n", 0.2, "not loaded within 0.2 s"),
    ],
)
def test_a_file_of_checks_that_ends_or_hangs_is_told_and_none_of_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, limit: float, said: str
) -> None:
    monkeypatch.setattr(statements, "_LOAD_SECONDS", limit)
    (tmp_path / "own.py").write_text(code.replace("pass", "__import__('time').sleep(0.05)"), "utf-8")
    [told] = problems(tmp_path, "checks: own.py\n")

    assert said in told
    assert told.endswith("none of it counts")


def test_what_a_file_of_checks_prints_does_not_get_into_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text("print('hello')\n", "utf-8")

    assert problems(tmp_path, "checks: own.py\n") == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["!!bool nonsense", '!!int ""', "2026-99-99"])
def test_a_value_that_yaml_itself_chokes_on_is_told_wherever_it_stands(tmp_path: Path, value: str) -> None:
    told = problems(tmp_path, f"live: {{env: {{A: {value}}}}}\n")
    (tmp_path / "slo.yaml").write_text(f"x: {value}\n", "utf-8")
    (tmp_path / "page.md").write_text(f"---\nowner: {value}\n---\n# Page\n", "utf-8")

    assert value == "2026-99-99" or told[0].startswith("readiness.yaml:1: live.env.A: ")  # there a date is a text
    with pytest.raises(Failed, match=r"slo.yaml(:\d+)?: is no YAML"):
        Service(tmp_path).mapping("slo.yaml")
    assert documents.state(tmp_path, "page.md", TODAY) != []


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (".git/config", "is neither an address"),
        ("readiness.yaml", "is neither an address"),
        ("https://me:secret@wiki.example.org/p", "names a user"),
    ],
)
def test_evidence_that_shows_nothing_or_shows_too_much_is_refused(tmp_path: Path, evidence: str, said: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").touch()
    dates = f"on: {TODAY}, expires: {TODAY + timedelta(365)}"
    [told] = problems(tmp_path, f'signed:\n  pentest: {{by: Kari Nordmann, evidence: "{evidence}", {dates}}}\n')

    assert said in told
    assert "secret" not in told


SAID = "# Page\n\nThis page says in ten words and more what is what.\n\n"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("x\n", "page.md says nothing: it has 1 words"),
        (SAID + "## Who\n\n## When\n\n<!-- -->\n", "page.md has nothing under Who, When"),
        (SAID + "TBD: when\n", "page.md has 1 TODO left"),
    ],
)
def test_a_document_that_says_nothing_is_not_done(tmp_path: Path, body: str, left: str) -> None:
    front = f"---\nowner: Kari\nstatus: approved\nreviewed: {TODAY}\nexpires: {TODAY + timedelta(90)}\n---\n"
    (tmp_path / "page.md").write_text(front + body, "utf-8")
    (tmp_path / "whole.md").write_text(front + SAID + "## Who\n\n### Day\n\nKari\n", "utf-8")
    (tmp_path / "other.md").symlink_to("whole.md")
    (tmp_path / "twice.md").write_text(front.replace("---\n", "---\nstatus: draft\n", 1) + SAID, "utf-8")

    assert left in " ".join(documents.state(tmp_path, "page.md", TODAY))
    assert documents.state(tmp_path, "whole.md", TODAY) == []
    assert documents.state(tmp_path, "other.md", TODAY) == ["other.md is a link to another file: write it"]
    assert documents.state(tmp_path, "twice.md", TODAY) == ["twice.md: its front matter says status twice"]


def test_a_todo_is_one_however_it_is_written(tmp_path: Path) -> None:
    front = f"---\nowner: Kari\nstatus: approved\nreviewed: {TODAY}\nexpires: {TODAY + timedelta(90)}\n---\n"
    (tmp_path / "page.md").write_text(
        front + "# Page\n\nThis page says in ten words and more what is what.\n\ntodo: who?\n", "utf-8"
    )

    assert documents.state(tmp_path, "page.md", TODAY) == ["page.md has 1 TODO left, the first in line 11"]


@pytest.mark.parametrize(
    "path", ["src/a.py", "tests/test_a.py", "config/dev.yaml", "uv.lock", "pyproject.toml", "slo.yaml"]
)
def test_what_the_suite_was_run_with_and_on_is_part_of_its_record(tmp_path: Path, path: str) -> None:
    for each in ("src/a.py", "tests/test_a.py", "config/dev.yaml", "uv.lock", "pyproject.toml", "slo.yaml"):
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text("a", "utf-8")
    tested.record(tmp_path, 90.0, 86.0)
    (tmp_path / "src/.ruff_cache").mkdir()
    (tmp_path / "src/.ruff_cache/left").touch()
    before = tested.state(tmp_path)
    (tmp_path / path).write_text("b", "utf-8")
    after = tested.state(tmp_path)

    assert before is not None
    assert after is not None
    assert (before.current, after.current) == (True, False)


def test_the_record_counts_the_services_own_code_alone_and_what_is_left_out(tmp_path: Path) -> None:
    for path, lines in (("src/a/routes.py", 30), ("src/a/omitted.py", 10), ("src/a/ops/edge.py", 500)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("a = 1\n" * lines, "utf-8")
    routes = {"num_statements": 30, "covered_lines": 15, "num_branches": 10, "covered_branches": 5}
    edge = {"num_statements": 500, "covered_lines": 500, "num_branches": 0, "covered_branches": 0}
    measured = {"src/a/routes.py": {"summary": routes}, "src/a/ops/edge.py": {"summary": edge}}

    assert tested.figures(tmp_path, measured) == (50.0, 50.0, 25.0)
    assert tested.figures(tmp_path, {}) == (100.0, None, 100.0)

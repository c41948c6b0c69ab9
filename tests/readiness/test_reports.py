"""The report in the forms that machines read: nothing that is open looks passed, and foreign text stays text."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft7Validator
from markdown_it import MarkdownIt
from ops.readiness import report_badge, report_junit, report_markdown, report_sarif

from tests.readiness.cards import HOSTILE, card, mixed, pair


def test_junit_tells_what_is_broken_apart_from_what_waits() -> None:
    suites = ET.fromstring(report_junit.render(mixed()))
    told = {case.get("name"): [(child.tag, child.get("message")) for child in case] for case in suites.iter("testcase")}

    assert {name: suites.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "errors": "2",
        "skipped": "2",
    }
    assert told == {
        "limits": [("system-out", None)],
        "probes": [("failure", "fail: deploy/dev/kustomization.yaml:12: no probe")],
        "cdn": [("skipped", "open: nobody has signed it")],
        "hostile": [("error", f"cannot tell: {HOSTILE}")],
        "store": [("skipped", "not applicable: no data store")],
        "mistake 1": [("error", f"readiness.yaml:3: {HOSTILE}")],
    }


def test_sarif_names_the_place_of_each_row_that_is_left() -> None:
    run = json.loads(report_sarif.render(mixed()))["runs"][0]
    told = [
        (each["ruleId"], each["level"], each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        for each in run["results"]
    ]

    assert told == [
        ("probes", "error", "deploy/dev/kustomization.yaml"),
        ("hostile", "warning", "readiness.yaml"),
        ("cdn", "note", "readiness.yaml"),
    ]
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 12}
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["limits", "probes", "hostile", "cdn", "store"]


@pytest.mark.slow
def test_sarif_is_valid(tmp_path: Path) -> None:
    """By the standard's own schema."""
    folder = tmp_path / "npm"
    folder.mkdir()
    for file in (Path(__file__).parent / "sarif").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    schema = folder / "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
    validator = Draft7Validator(json.loads(schema.read_text("utf-8-sig")))

    assert [error.message for error in validator.iter_errors(json.loads(report_sarif.render(mixed())))] == []
    assert list(validator.iter_errors({"version": "2.1.0", "runs": [{}]}))


def test_markdown_tells_the_gates_and_what_is_left() -> None:
    text = report_markdown.render(mixed())

    assert text.startswith(
        "# orders: readiness\n\n**Not ready for any environment; 3 rows are left before production.**\n"
    )
    assert "| dev | closed | 1 of 2 | 50 % |" in text
    assert "| fail | probes: probes holds | dev | deploy/dev/kustomization.yaml:12: no probe | Mend it |" in text
    assert "| open | cdn: cdn holds | production | nobody has signed it | Mend it |" in text


def test_foreign_text_is_text_in_markdown() -> None:
    """No HTML but the page's own, no link, no further column, and no template's action comes of it."""
    raw = report_markdown.render(mixed())
    tokens = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").parse(raw)
    inline = [child for token in tokens for child in token.children or []]
    html = [each.content.strip() for each in [*tokens, *inline] if each.type.startswith("html")]

    assert all(each.startswith("<details><summary>") or each == "</details>" for each in html)
    assert not [each for each in inline if each.type in ("link_open", "image", "code_inline", "em_open")]
    assert "{{" not in raw
    assert "https://evil" not in raw
    cells = ["".join(child.content for child in token.children or []) for token in tokens if token.type == "inline"]
    assert f"hostile: {HOSTILE}" in cells


@pytest.mark.parametrize(
    ("rows", "told", "colour"),
    [
        ([pair("a", "T", "production", "pass")], "production ready", "#1a6b34"),
        ([pair("a", "T", "dev", "pass"), pair("b", "T", "production", "open")], "1 of 2", "#8a5a00"),
        ([pair("a", "T", "dev", "fail"), pair("b", "T", "production", "pass")], "1 of 2", "#b3261e"),
        ([pair("a", "T", "dev", "not applicable")], "0 of 0", "#8a5a00"),
    ],
)
def test_the_badge_tells_the_production_gate(rows: list[object], told: str, colour: str) -> None:
    picture = ET.fromstring(report_badge.render(card(*rows)))  # type: ignore[arg-type]
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]

    assert texts == ["readiness", told]
    assert colour in [each.get("fill") for each in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert "http" not in report_badge.render(card(*rows)).replace("http://www.w3.org/2000/svg", "")  # type: ignore[arg-type]


def test_a_part_of_the_rows_is_no_score() -> None:
    assert "not judged" in report_badge.render(card(pair("a", "T", "dev", "pass"), whole=False))
    assert "no gate is judged by a part" in report_markdown.render(card(pair("a", "T", "dev", "pass"), whole=False))

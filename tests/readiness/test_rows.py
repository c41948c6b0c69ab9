"""A row that is not as it must be is refused alone, with its place."""

from pathlib import Path
from typing import Any

import pytest

from tests.readiness.owner import Owner, made, row


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Owner:
    return made(tmp_path, monkeypatch, capsys, row("cdn"))


def test_an_owners_row_stands_beside_the_templates(owner: Owner) -> None:
    owner.says(rows=[row("handbook", sources=[{"document": "Our handbook", "text": "Every service has a page"}])])
    status, report, errors = owner.asked()

    assert (status, errors) == (0, "")
    assert [(each["id"], each["theme"]) for each in report["rows"]] == [("cdn", "Tests"), ("handbook", "Our own")]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"id": "cdn"}, "the id 'cdn' is taken: choose another"),
        ({"id": "My Row"}, "rows[0].id: 'My Row' is no id: write small letters, digits and dashes"),
        ({"gate": "prod"}, "rows[0].gate: gate: 'prod' is none: write dev, staging, production"),
        ({"evidence": ["magic"]}, "'magic' is no kind of evidence: static, live, signed"),
        ({"evidence": []}, "no evidence: list some of static, live, signed"),
        ({"sources": []}, "no source: say which document asks for it, in its words"),
        ({"sources": "the handbook"}, "'the handbook' stands where a list of sources must"),
        ({"sources": [{"document": "x"}]}, "rows[0].sources[0]: text is missing: write one"),
        ({"text": ""}, "rows[0].text: '' is no text"),
        ({"remedy": {}}, "rows[0].remedy: do is missing: write one"),
        ({"remedy": {"do": "x", "fix": "y"}}, "rows[0].remedy.fix: 'fix' is no key here"),
        ({"from_availability": "high"}, "rows[0].from_availability: 'high' is no percentage: write one, as 99.9"),
        ({"documents": ["../secret"]}, "'../secret' is no path in the service's folder"),
        (
            {"only_if": {"personal_data": True}},
            "rows[0].only_if.personal_data: True is no text: write the answer in quotes",
        ),
        ({"colour": "red"}, "rows[0].colour: 'colour' is no key here"),
    ],
    ids=str,
)
def test_a_wrong_row_is_told_and_left_out(owner: Owner, wrong: dict[str, Any], told: str) -> None:
    owner.says(
        rows=[row("handbook", **{key: value for key, value in wrong.items() if key != "id"}) | wrong, row("map")]
    )
    status, report, errors = owner.asked()

    assert status == 1
    assert told in errors
    assert all(line.startswith("readiness: readiness.yaml:") for line in errors.splitlines())
    assert [each["id"] for each in report["rows"]] == ["cdn", "map"]


def test_a_broken_file_of_the_catalogue_is_told_and_the_others_are_reported(owner: Owner, tmp_path: Path) -> None:
    (tmp_path / "catalogue/broken.yaml").write_text("theme: []]", "utf-8")
    status, report, errors = owner.asked()

    assert (status, [each["id"] for each in report["rows"]]) == (1, ["cdn"])
    assert errors.startswith("readiness: ops/readiness/catalogue/broken.yaml:1: this is no YAML")


def test_without_any_row_nothing_is_reported(owner: Owner, tmp_path: Path) -> None:
    (tmp_path / "catalogue/tests.yaml").unlink()

    assert owner.run() == (2, "", "readiness: ops/readiness/catalogue/ has no rows; take it back from git's history\n")

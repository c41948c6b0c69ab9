"""The catalogue answers the four documents, bullet by bullet, and is sound itself."""

import re
from pathlib import Path

import pytest
import yaml
from ops.readiness import reading
from ops.readiness.rows import DOCUMENTS, FIRST, THEMES

from tests.services import ROOT

SEEDS = yaml.safe_load(Path(__file__).with_name("bullets.yaml").read_text("utf-8"))
BULLETS: dict[str, list[str]] = SEEDS["documents"]


def plain(text: str) -> str:
    """Without what copying changes: spaces, quotes, upper case, the end's punctuation."""
    return re.sub(r"\s+", " ", text.replace("’", "'").replace("“", '"').replace("”", '"')).strip(" .;,").lower()


def test_nothing_is_wrong_with_the_catalogue() -> None:
    problems: list[str] = []
    reading.catalogue(problems)

    assert problems == []


def test_no_row_of_the_standard_is_missing() -> None:
    assert [row for row in SEEDS["rows"] if row not in {each.id for each in reading.catalogue([])}] == []


@pytest.mark.parametrize("document", BULLETS)
def test_every_bullet_is_quoted_by_a_row(document: str) -> None:
    quoted = [
        plain(source.text) for row in reading.catalogue([]) for source in row.sources if source.document == document
    ]

    assert [bullet for bullet in BULLETS[document] if not any(plain(bullet) in text for text in quoted)] == []


def test_rows_name_documents_and_themes_that_there_are() -> None:
    rows = reading.catalogue([])

    assert {source.document for row in rows for source in row.sources} <= DOCUMENTS.keys()
    assert {row.theme for row in rows} <= set(THEMES)


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each != "own"])
def test_what_a_row_quotes_is_told_in_a_sentence_of_its_document(document: str) -> None:
    """A quotation of another document's words would be a mistake; one bullet at least is in each."""
    asked = [plain(bullet) for bullet in BULLETS[document]]
    quotes = [
        (row.id, plain(source.text))
        for row in reading.catalogue([])
        for source in row.sources
        if source.document == document
    ]

    assert [(id_, text) for id_, text in quotes if not any(each in text or text in each for each in asked)] == []


def test_a_row_that_a_later_version_brings_is_named_in_the_changelog() -> None:
    """An update shows what the standard now asks."""
    later = [row.id for row in reading.catalogue([]) if row.since != FIRST]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert [id_ for id_ in later if f"`{id_}`" not in changelog] == []

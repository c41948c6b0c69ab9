"""Reads rows: of the catalogue's files and of an owner's. A row that is not as it must be is refused alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from . import entries
from .entries import Entry, shown
from .outcome import line
from .rows import FIRST, GATES, THEMES, Gate, Remedy, Row, Source

FOLDER: Final = Path(__file__).parent / "catalogue"
EVIDENCE: Final = ("static", "live", "signed")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*").fullmatch
_KEYS: Final = (
    "id",
    "text",
    "why",
    "sources",
    "gate",
    "evidence",
    "remedy",
    "from_availability",
    "documents",
    "only_if",
    "since",
)
_NEEDED: Final = ("id", "text", "why", "sources", "gate", "evidence", "remedy")


def catalogue(problems: list[str]) -> list[Row]:
    """The template's rows, theme by theme; what is wrong becomes a problem."""
    found: list[Row] = []
    for file in sorted(FOLDER.glob("*.yaml")):
        document = entries.read(file, f"ops/readiness/catalogue/{file.name}", problems)
        if document is not None:
            given = document.keys(("theme", "rows"), problems)
            theme = _text(given, "theme", document, problems)
            found += rows(given.get("rows", document), theme or "", found, problems) if theme else []
    return sorted(found, key=lambda row: (THEMES.index(row.theme) if row.theme in THEMES else len(THEMES), row.theme))


def rows(given: Entry, theme: str, known: list[Row], problems: list[str], *, own: bool = False) -> list[Row]:
    """The rows of a list.

    Args:
        given: the list.
        theme: that they stand under; an owner's row (`own`) may name another.
        known: rows that are there already; none may have their ids.
        problems: gets what is wrong.
        own: they are the owner's.
    """
    found: list[Row] = []
    for entry in given.list("rows", problems):
        row = _row(entry, theme, problems, own)
        if row is not None and any(each.id == row.id for each in [*known, *found]):
            problems.append(entry.problem(f"the id {row.id!r} is taken: choose another"))
        elif row is not None:
            found.append(row)
    return found


def _row(entry: Entry, theme: str, problems: list[str], own: bool) -> Row | None:
    wrong: list[str] = []
    given = entry.keys((*_KEYS, "theme") if own else _KEYS, wrong)
    name = _text(given, "id", entry, wrong)
    if name and not _ID(name):
        wrong.append(given["id"].problem(f"{name!r} is no id: write small letters, digits and dashes"))
    row = Row(
        id=name,
        theme=_text(given, "theme", entry, wrong) if "theme" in given else theme,
        text=_text(given, "text", entry, wrong),
        why=_text(given, "why", entry, wrong),
        sources=tuple(_sources(given, entry, wrong)),
        gate=_gate(given, entry, wrong),
        evidence=tuple(_evidence(given, entry, wrong)),
        remedy=_remedy(given, entry, wrong),
        from_availability=_availability(given, wrong),
        documents=tuple(_paths(given, wrong)),
        only_if=tuple(_answers(given, wrong)),
        since=str(given["since"].value if "since" in given else FIRST),
    )
    problems += wrong
    return None if wrong else row


def _text(given: dict[str, Entry], key: str, entry: Entry, wrong: list[str]) -> str:
    value = given[key].value if key in given else None
    if not isinstance(value, str) or not value.strip():
        at = given.get(key, entry)
        wrong.append(at.problem(f"{shown(value)} is no text" if key in given else f"{key} is missing: write one"))
        return ""
    return line(value)


def _sources(given: dict[str, Entry], entry: Entry, wrong: list[str]) -> Iterator[Source]:
    listed = list(given["sources"].list("sources", wrong)) if "sources" in given else []
    if not listed:
        wrong.append(given.get("sources", entry).problem("no source: say which document asks for it, in its words"))
    for each in listed:
        one = each.keys(("document", "text"), wrong)
        yield Source(_text(one, "document", each, wrong), _text(one, "text", each, wrong))


def _gate(given: dict[str, Entry], entry: Entry, wrong: list[str]) -> Gate:
    value = given["gate"].value if "gate" in given else None
    for gate in GATES:
        if value == gate:
            return gate
    wrong.append(given.get("gate", entry).problem(f"gate: {shown(value)} is none: write {', '.join(GATES)}"))
    return "dev"


def _evidence(given: dict[str, Entry], entry: Entry, wrong: list[str]) -> Iterator[str]:
    listed = list(given["evidence"].list("kinds", wrong)) if "evidence" in given else []
    if not listed:
        wrong.append(given.get("evidence", entry).problem(f"no evidence: list some of {', '.join(EVIDENCE)}"))
    for each in listed:
        if each.value in EVIDENCE:
            yield each.value
        else:
            wrong.append(each.problem(f"{shown(each.value)} is no kind of evidence: {', '.join(EVIDENCE)}"))


def _remedy(given: dict[str, Entry], entry: Entry, wrong: list[str]) -> Remedy:
    if "remedy" not in given:
        wrong.append(entry.problem("remedy is missing: say what to do, and in which file or by which command"))
        return Remedy("")
    one = given["remedy"].keys(("do", "file", "command"), wrong)
    file, command = (_text(one, key, entry, wrong) if key in one else "" for key in ("file", "command"))
    return Remedy(_text(one, "do", given["remedy"], wrong), file, command)


def _availability(given: dict[str, Entry], wrong: list[str]) -> float:
    value = given["from_availability"].value if "from_availability" in given else 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 100:
        wrong.append(given["from_availability"].problem(f"{shown(value)} is no percentage: write one, as 99.9"))
        return 0.0
    return float(value)


def _paths(given: dict[str, Entry], wrong: list[str]) -> Iterator[str]:
    for each in given["documents"].list("paths", wrong) if "documents" in given else ():
        if isinstance(each.value, str) and each.value and not each.value.startswith("/") and ".." not in each.value:
            yield each.value
        else:
            wrong.append(each.problem(f"{shown(each.value)} is no path in the service's folder"))


def _answers(given: dict[str, Entry], wrong: list[str]) -> Iterator[tuple[str, str]]:
    for key, each in given["only_if"].entries("answers must: answer: value", wrong) if "only_if" in given else ():
        if isinstance(each.value, str):
            yield key, each.value
        else:
            wrong.append(each.problem(f"{shown(each.value)} is no text: write the answer in quotes"))

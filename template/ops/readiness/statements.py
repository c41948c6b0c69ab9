"""`readiness.yaml`: what people have signed, what does not concern the service, and the owner's own rows and checks."""

import re
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePath
from typing import Final

from ops.smoke.runner import within

from . import documents, entries, reading, registry
from .entries import Entry, close, day, shown
from .outcome import line
from .rows import Row
from .service import Live

FILE: Final = "readiness.yaml"
OWN_THEME: Final = "Our own"
_LOAD_SECONDS: Final = 10.0
_KEYS: Final = ("signed", "not_applicable", "rows", "checks", "live")
_URL = re.compile(r"(?i)https?://[^\s/…]+\.?[^\s…]*").fullmatch
# What people write while they do not know what to write.
_PLACEHOLDER = re.compile(
    r"(?i)\W*\w?\W*|.*\b(todo|tbd|fixme)\b.*|(a |the )?(name|your name|full name|firstname lastname|"
    r"(some|any|every|no)(one|body)|me|i|we|us|you|myself|admin|root|user|tester|"
    r"n\W?n\W?|xx+|unknown|none|null|n/a|reason|why|evidence|link)\W*|.*[<>…].*"
).fullmatch


@dataclass(frozen=True, slots=True)
class Signature:
    """Who has signed a row, when, on what evidence, and until when it counts."""

    by: str
    on: date
    evidence: str
    expires: date


@dataclass(frozen=True, slots=True)
class Waiver:
    """Why a row does not concern the service, and who says so."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Statements:
    """All that the owner says. `rows` holds the template's and the owner's own, `checks` the owner's own."""

    rows: tuple[Row, ...]
    signed: Mapping[str, Signature] = field(default_factory=dict)
    not_applicable: Mapping[str, Waiver] = field(default_factory=dict)
    checks: Mapping[str, registry.Check] = field(default_factory=dict)
    live: Live = field(default_factory=Live)


def read(root: Path, known: list[Row], today: date, problems: list[str]) -> Statements:
    """Read the file; an entry that is wrong is a problem, and counts as not there."""
    document = entries.read(root / FILE, FILE, problems)
    given = document.keys(_KEYS, problems) if document is not None else {}
    none = Entry(None, FILE, 1, "")
    rows = (*known, *reading.rows(given.get("rows", none), OWN_THEME, known, problems, own=True))
    waived = _waivers(given.get("not_applicable", none), rows, problems)
    signed = _signatures(given.get("signed", none), rows, today, root, problems)
    for both in sorted(signed.keys() & waived.keys()):
        problems.append(f"{FILE}: {both}: it is signed and not applicable: take one away; neither counts")
        del signed[both], waived[both]
    return Statements(
        rows, signed, waived, _checks(given.get("checks", none), root, rows, problems), _live(given, root, problems)
    )


def _signatures(
    given: Entry, rows: tuple[Row, ...], today: date, root: Path, problems: list[str]
) -> dict[str, Signature]:
    found = {}
    for id_, entry in _of_rows(given, rows, "signatures must: id: {by, on, evidence, expires}", problems):
        wrong: list[str] = []
        if "signed" not in next(row for row in rows if row.id == id_).evidence:
            wrong.append(entry.problem("a check alone decides this row, no signature: take it away"))
        fields = _fields(entry, ("by", "on", "evidence", "expires"), wrong)
        signature = Signature(
            _said(fields, "by", "the full name of who has signed", wrong),
            _day(fields, "on", wrong),
            _evidence(fields, root, wrong),
            _day(fields, "expires", wrong),
        )
        if not wrong and signature.on > today:
            wrong.append(fields["on"].problem(f"{signature.on} has not come yet: write the day on which it was signed"))
        if not wrong and signature.expires <= signature.on:
            wrong.append(
                fields["expires"].problem(f"{signature.expires} is not after {signature.on}, when it was signed")
            )
        if not wrong and signature.expires - signature.on > documents.LONGEST:
            told = documents.too_long(signature.expires, signature.on, "it was signed")
            wrong.append(fields["expires"].problem(f"{signature.expires} is {told}"))
        if not wrong:
            found[id_] = signature
        problems += wrong
    return found


def _waivers(given: Entry, rows: tuple[Row, ...], problems: list[str]) -> dict[str, Waiver]:
    found = {}
    for id_, entry in _of_rows(given, rows, "rows must: id: {reason, by}", problems):
        wrong: list[str] = []
        fields = _fields(entry, ("reason", "by"), wrong)
        waiver = Waiver(
            _said(fields, "reason", "why it does not concern this service, in a sentence", wrong),
            _said(fields, "by", "the full name of who says so", wrong),
        )
        if not wrong:
            found[id_] = waiver
        problems += wrong
    return found


def _of_rows(given: Entry, rows: tuple[Row, ...], what: str, problems: list[str]) -> list[tuple[str, Entry]]:
    known = {row.id for row in rows}
    found = []
    for id_, entry in given.entries(what, problems):
        if id_ in known:
            found.append((id_, entry))
        else:
            problems.append(entry.problem(f"{id_!r} is no row: {close(id_, sorted(known))}"))
    return found


def _fields(entry: Entry, keys: tuple[str, ...], wrong: list[str]) -> dict[str, Entry]:
    if not isinstance(entry.value, dict):
        wrong.append(entry.problem(f"{shown(entry.value)} stands where {{{', '.join(keys)}}} must"))
        return {}
    fields = entry.keys(keys, wrong)
    if missing := [key for key in keys if key not in entry.value]:
        wrong.append(entry.problem(f"{', '.join(missing)} missing: each of {', '.join(keys)} is needed"))
    return fields


def _said(fields: dict[str, Entry], key: str, what: str, wrong: list[str]) -> str:
    value = fields[key].value if key in fields else ""
    if key in fields and (not isinstance(value, str) or _PLACEHOLDER(value)):
        wrong.append(fields[key].problem(f"{shown(value)} tells nobody anything: write {what}"))
    return line(str(value))


def _evidence(fields: dict[str, Entry], root: Path, wrong: list[str]) -> str:
    value = _said(fields, "evidence", "the address of what was seen, or a file in this repository", wrong)
    if _URL(value) and "@" in value.partition("//")[2].partition("/")[0]:
        wrong.append(fields["evidence"].problem("the address names a user, and is told in reports: leave that out"))
    if "evidence" in fields and not wrong and not _URL(value) and not _inside(root, value):
        what = "is neither an address (https://…) nor a file in this repository"
        wrong.append(fields["evidence"].problem(f"{shown(value)} {what}: link what was seen"))
    return value


def _inside(root: Path, path: str) -> bool:
    file = root / path.partition("#")[0]
    if PurePath(path).parts[:1] == (".git",) or path.partition("#")[0] == FILE:
        return False  # says nothing of the service
    try:
        return file.is_file() and file.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False


def _day(fields: dict[str, Entry], key: str, wrong: list[str]) -> date:
    return (day(fields[key], wrong) if key in fields else None) or date.min


def _checks(given: Entry, root: Path, rows: tuple[Row, ...], problems: list[str]) -> Mapping[str, registry.Check]:
    if given.value is None:
        return {}
    if not isinstance(given.value, str) or not given.value.endswith(".py") or not _inside(root, given.value):
        problems.append(given.problem(f"{shown(given.value)} is no Python file in this repository: name one that is"))
        return {}
    try:
        with redirect_stdout(sys.stderr):  # standard output may be the report
            found = within(_LOAD_SECONDS, lambda: registry.loaded(root / given.value))
    except TimeoutError:
        problems.append(given.problem(f"{given.value}: not loaded within {_LOAD_SECONDS:g} s; none of it counts"))
        return {}
    except BaseException as error:  # noqa: BLE001 - the owner's code, which may exit; the rest is still to appear
        problems.append(given.problem(f"{given.value}: {registry.place(error, root / given.value)}; none of it counts"))
        return {}
    known = {row.id for row in rows}
    problems += [
        given.problem(f"{given.value}: {id_!r} is no row: add it under rows, or mend the name")
        for id_ in sorted(found.keys() - known)
    ]
    return {id_: check for id_, check in found.items() if id_ in known}


def _live(given: Mapping[str, Entry], root: Path, problems: list[str]) -> Live:
    fields = given["live"].keys(("config", "env"), problems) if "live" in given else {}
    config, env = fields.get("config"), {}
    if config is not None and not (isinstance(config.value, str) and _inside(root, config.value)):
        problems.append(
            config.problem(f"{shown(config.value)} is no file in this repository; {Live().config} is taken")
        )
        config = None
    for name, entry in fields["env"].entries("variables must: NAME: value", problems) if "env" in fields else ():
        if isinstance(entry.value, str | int | float) and not isinstance(entry.value, bool):
            env[name] = str(entry.value)
        else:
            problems.append(entry.problem("an environment variable is a text: write it in quotes"))
    return Live(Live().config if config is None else config.value, env)

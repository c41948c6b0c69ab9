"""YAML that people wrote: every value with its line, and a problem told for what can't be taken; the rest is kept."""

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

_LOADER: Final[type[Any]] = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
_SCALARS: Final = yaml.SafeLoader("")
_DATE: Final = "tag:yaml.org,2002:timestamp"  # kept as text: a date that is none is one entry's problem, not the file's
_DEEPEST: Final = 20
_LONGEST: Final = 400_000
_MOST: Final = 50_000  # values, those of aliases included


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and where it stands: a dict or list of entries, or a plain value; lines begin at 1."""

    value: Any
    file: str
    line: int
    place: str

    def problem(self, what: str) -> str:
        """A message that names this place."""
        return f"{self.file}:{self.line}: {f'{self.place}: ' if self.place else ''}{what}"

    def keys(self, known: Collection[str], problems: list[str]) -> dict[str, "Entry"]:
        """The entries of a mapping; what is none, or a key that is not known, becomes a problem."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            problems.append(self.problem(f"{shown(self.value)} stands where keys must: {', '.join(known)}"))
            return {}
        for key, entry in self.value.items():
            if key not in known:
                problems.append(entry.problem(f"{key!r} is no key here: {close(key, known)}"))
        return {key: entry for key, entry in self.value.items() if key in known}

    def entries(self, what: str, problems: list[str]) -> Iterator[tuple[str, "Entry"]]:
        """The entries of a mapping whose keys are the owner's; a problem if it is none."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif self.value is not None:
            problems.append(self.problem(f"{shown(self.value)} stands where {what}"))

    def list(self, what: str, problems: list[str]) -> Iterator["Entry"]:
        """The entries of a list; a problem if it is none."""
        if isinstance(self.value, list):
            yield from self.value
        elif self.value is not None:
            problems.append(self.problem(f"{shown(self.value)} stands where a list of {what} must"))


def read(file: Path, name: str, problems: list[str]) -> Entry | None:
    """The document in a file; None, and a problem, if there is none that can be read."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        problems.append(f"{name}: it is not there; take it back from git's history")
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        problems.append(f"{name}: it can't be read: {reason}")
        return None
    return parse(text, name, problems)


def parse(text: str, name: str, problems: list[str]) -> Entry | None:
    """The document in a text; None, and a problem, if it is no YAML."""
    if len(text) > _LONGEST:
        problems.append(
            f"{name}: it has {len(text)} characters, and may have {_LONGEST}; move what is no statement away"
        )
        return None
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}" if mark else ""
        problems.append(f"{name}{at}: this is no YAML: {error.problem or error.context}; nothing in the file counts")
        return None
    except (yaml.YAMLError, RecursionError) as error:
        problems.append(f"{name}: this is no YAML: {str(error).splitlines()[0]}; nothing in the file counts")
        return None
    if node is None:
        return Entry(None, name, 1, "")
    return _entry(node, name, "", [], problems)


def _entry(node: yaml.Node, name: str, place: str, seen: list[yaml.Node], problems: list[str]) -> Entry | None:
    entry = Entry(None, name, node.start_mark.line + 1, place)
    seen.append(node)
    if len(seen) > _MOST or place.count(".") + place.count("[") > _DEEPEST:
        if len(seen) <= _MOST + 1:  # aliases in aliases: told once
            problems.append(entry.problem("too deep, or too much: write values out instead of aliases (*)"))
        return None
    if isinstance(node, yaml.MappingNode):
        return Entry(_mapping(node, name, place, seen, problems), name, entry.line, place)
    if isinstance(node, yaml.SequenceNode):
        made = (_entry(each, name, f"{place}[{at}]", seen, problems) for at, each in enumerate(node.value))
        return Entry([each for each in made if each is not None], name, entry.line, place)
    try:
        value = node.value if node.tag == _DATE else _SCALARS.construct_object(node)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        problems.append(entry.problem(f"{node.value!r} can't be read: {str(error).splitlines()[0]}"))
        return None
    return Entry(value, name, entry.line, place)


def _mapping(
    node: yaml.MappingNode, name: str, place: str, seen: list[yaml.Node], problems: list[str]
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for key, value in node.value:
        where = Entry(None, name, key.start_mark.line + 1, place)
        if not isinstance(key, yaml.ScalarNode):
            problems.append(where.problem("a key must be a plain text"))
        elif key.value in found:
            problems.append(where.problem(f"the key {key.value!r} is there twice: neither counts beyond the first"))
        elif (entry := _entry(value, name, f"{place}.{key.value}" if place else key.value, seen, problems)) is not None:
            found[key.value] = entry
    return found


def day(entry: Entry, problems: list[str]) -> date | None:
    """The date that stands there, as 2026-11-30; a problem if none does."""
    try:
        if isinstance(entry.value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", entry.value):
            return date.fromisoformat(entry.value)
    except ValueError:
        pass
    problems.append(entry.problem(f"{shown(entry.value)} is no date: write year, month and day, as 2026-11-30"))
    return None


def close(given: str, known: Collection[str]) -> str:
    """What may have been meant, or all there is."""
    if likely := difflib.get_close_matches(given, known, n=1):
        return f"did you mean {likely[0]}?"
    return f"there are {', '.join(known)}" if len(known) <= 12 else "`python -m ops.readiness` lists what there is"


def shown(value: Any) -> str:
    """A value, short enough for a message."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"

"""What is still open in a document that people fill in, and what stands under its headings."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

FIELDS: Final = ("owner", "status", "reviewed", "expires")
_HEAD: Final = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_OPEN: Final = re.compile(r"(?i)\bTODO\b")


def state(root: Path, path: str, today: date) -> list[str]:
    """What is still open in a document, one sentence each; nothing if people are done with it."""
    try:
        text = (root / path).read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        return [f"{path} is not there"]
    except (OSError, UnicodeDecodeError):
        return [f"{path} can't be read as UTF-8 text"]
    head = _HEAD.match(text)
    if head is None:
        return [f"{path} has no front matter: {', '.join(FIELDS)} between two lines of ---"]
    try:
        fields = yaml.safe_load(head[1])
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError):
        return [f"{path}: its front matter is no YAML"]
    if not isinstance(fields, dict):
        return [f"{path}: its front matter holds no {', '.join(FIELDS)}"]
    return [*_left(path, text, head.end()), *_front(path, fields, today)]


def _left(path: str, text: str, begin: int) -> Iterator[str]:
    """What people have still to write, with the line of the first."""
    if not text[begin:].strip():
        yield f"{path} says nothing"
    found = list(_OPEN.finditer(text, begin))
    if found:
        line = text.count("\n", 0, found[0].start()) + 1
        yield f"{path} has {len(found)} TODO left, the first in line {line}"


def _front(path: str, fields: dict[Any, Any], today: date) -> Iterator[str]:
    if not isinstance(owner := fields.get("owner"), str) or not owner.strip() or _OPEN.search(owner):
        yield f"{path} names no owner"
    if fields.get("status") != "approved":
        yield f"{path} is not approved: its status is {fields.get('status', 'missing')}"
    reviewed, expires = (_day(fields.get(name)) for name in ("reviewed", "expires"))
    if undated := [name for name, day in (("reviewed", reviewed), ("expires", expires)) if day is None]:
        yield f"{path}: no date in {' and '.join(undated)}; write one, as 2026-11-30"
    if reviewed and reviewed > today:
        yield f"{path}: reviewed is {reviewed}, which has not come yet"
    if expires is None:
        return
    if expires <= today:
        yield f"{path} expired on {expires}: review it again"
    elif reviewed and expires <= reviewed:
        yield f"{path}: it expires on {expires}, before it was reviewed"


def _day(value: object) -> date | None:
    """A date of YAML's, without its time of day if it has one."""
    return getattr(value, "date", lambda: value)() if isinstance(value, date) else None

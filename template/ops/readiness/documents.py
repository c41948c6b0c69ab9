"""What is still open in a document that people fill in, and what stands under its headings."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from ops.slo import runbook_page

FIELDS: Final = ("owner", "status", "reviewed", "expires")
_HEAD: Final = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_OPEN: Final = re.compile(r"\b(?i:TODO)\b|\b(?:TBD|FIXME)\b")
# What people have looked at, or signed, counts no longer: once a year they look again, with a month to find the time.
LONGEST: Final = timedelta(days=400)
# Fewer, with the heading, are no document.
WORDS: Final = 10


def state(root: Path, path: str, today: date) -> list[str]:
    """What is still open in a document, one sentence each; nothing if people are done with it."""
    if (root / path).is_symlink():
        return [f"{path} is a link to another file: write it"]
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
    names = re.findall(r"(?m)^(\w+)[ \t]*:", head[1])
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return [f"{path}: its front matter says {', '.join(twice)} twice"]
    if not isinstance(fields, dict):
        return [f"{path}: its front matter holds no {', '.join(FIELDS)}"]
    return [*_left(path, text, head.end()), *_front(path, fields, today)]


def _left(path: str, text: str, begin: int) -> Iterator[str]:
    """What people have still to write, with the line of the first."""
    words = len(re.findall(r"\w+", text[begin:]))
    if words < WORDS:
        yield f"{path} says nothing: it has {words} words"
    page = runbook_page.read(text[begin:])
    hollow = [each.name for each in page.headings if each.level > 1 and not _says_something(page, each)]
    if hollow:
        yield f"{path} has nothing under {', '.join(hollow[:3])}"
    found = list(_OPEN.finditer(text, begin))
    if found:
        line = text.count("\n", 0, found[0].start()) + 1
        yield f"{path} has {len(found)} TODO left, the first in line {line}"


def _says_something(page: runbook_page.Page, heading: runbook_page.Heading) -> bool:
    """Whether there is text, code or a heading of its own under a heading."""
    under = range(heading.after, page.until(heading, heading.level))
    return any(page.kinds[index] != "mark" and re.search(r"\w", page.lines[index]) for index in under)


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
    elif reviewed and expires - reviewed > LONGEST:
        yield f"{path}: it expires on {expires}, {too_long(expires, reviewed, 'it was reviewed')}"


def too_long(expires: date, begin: date, what: str) -> str:
    """Why a day is too far away, and which one is not."""
    days = f"{(expires - begin).days} days after {begin}, when {what}, and {LONGEST.days} are the most"
    return f"{days}: write {begin + LONGEST} or an earlier day"


def _day(value: object) -> date | None:
    """A date of YAML's, without its time of day if it has one."""
    return getattr(value, "date", lambda: value)() if isinstance(value, date) else None

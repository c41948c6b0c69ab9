"""What is still open in a document that people fill in: markers, and what its front matter says."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

_HEAD: Final = re.compile(r"\A---\n(.*?\n)---\n(.*)", re.DOTALL)
_TODO: Final = "TODO:"


def state(root: Path, path: str, today: date) -> list[str]:
    """What is still open in a document, one sentence each; nothing if people are done with it."""
    try:
        text = (root / path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return [f"{path} is not there, or is no text"]
    head = _HEAD.match(text)
    if head is None:
        return [f"{path} has no front matter: owner, status, reviewed and expires between two lines of ---"]
    try:
        fields = yaml.safe_load(head[1])
    except (yaml.YAMLError, ValueError):
        return [f"{path}: its front matter is no YAML"]
    return list(_open(path, fields if isinstance(fields, dict) else {}, head[2], today))


def _open(path: str, fields: dict[Any, Any], body: str, today: date) -> Iterator[str]:
    if left := body.count(_TODO):
        yield f"{path} has {left} {_TODO} left"
    if fields.get("status") != "approved":
        yield f"{path} is not approved: its status is {fields.get('status', 'missing')}"
    reviewed, expires = fields.get("reviewed"), fields.get("expires")
    if not isinstance(reviewed, date):
        yield f"{path} was never reviewed: `reviewed` must be a date"
    elif reviewed > today:
        yield f"{path}: reviewed is {reviewed}, which has not come yet"
    if not isinstance(expires, date):
        yield f"{path} has no date in `expires`"
    elif expires <= today:
        yield f"{path} expired on {expires}"

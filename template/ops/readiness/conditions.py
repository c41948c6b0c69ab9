"""What a pipeline's conditions and filters let through, as far as that can be told without running it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

# The branch that is delivered, by the names that it has in the field.
MAIN: Final = ("main", "master", "trunk")
_HEADS: Final = tuple(f"refs/heads/{name}" for name in MAIN)
# What GitHub says of each event, by the names that a pipeline has for them.
_NAMES: Final = {
    "pull_request": "pull_request",
    "schedule": "schedule",
    "manual": "workflow_dispatch",
    "main": "push",
    "hotfix": "push",
    "tag": "push",
}
_REFS: Final = {
    "pull_request": ("refs/pull/7/merge",),
    "schedule": _HEADS,
    "main": _HEADS,
    "hotfix": ("refs/heads/hotfix/1.4.1",),
    "tag": ("refs/tags/v1.4.1",),
}
_STATIC: Final = {"true": True, "false": False, "success()": True, "always()": True, "!cancelled()": True, "": True}
_CALL: Final = re.compile(r"(startsWith|endsWith|contains)\(([^(),]+),([^(),]+)\)", re.IGNORECASE)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether GitHub's patterns of branches, tags or paths match; the last that does decides, and `!` takes out."""
    found = False
    for pattern in patterns:
        if _pattern(pattern.removeprefix("!")).fullmatch(name):
            found = not pattern.startswith("!")
    return found


def _pattern(text: str) -> re.Pattern[str]:
    signs = re.findall(r"\*\*/|\*\*|\*|\[[^\]]*\]|\\.|.", text)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    written = "".join(
        known.get(sign) or (sign if len(sign) > 1 and sign[0] in "[\\" else re.escape(sign)) for sign in signs
    )
    try:
        return re.compile(written)
    except re.error:
        return re.compile(re.escape(text))


def terms(text: str, mark: str) -> list[str]:
    """The parts of a condition between marks (`&&`, `||`) that stand in no parentheses and no quotes."""
    parts, depth, quoted, start, place = [], 0, False, 0, 0
    while place < len(text):
        quoted ^= text[place] == "'"
        if not quoted:
            depth += {"(": 1, ")": -1}.get(text[place], 0)
            if depth == 0 and text.startswith(mark, place):
                parts.append(text[start:place].strip())
                place = start = place + len(mark)
                continue
        place += 1
    return [*parts, text[start:].strip()]


def holds(condition: str, inputs: Mapping[str, Any], event: str) -> bool | None:
    """Whether a condition of GitHub's holds, by the event and literal inputs; None if that is not known here."""
    text = condition.strip()
    for mark, decides in (("||", True), ("&&", False)):
        parts = terms(text, mark)
        if len(parts) > 1:
            found = [holds(part, inputs, event) for part in parts]
            return decides if decides in found else None if None in found else not decides
    if text.lower() in _STATIC:
        return _STATIC[text.lower()]
    if text.startswith("!"):
        inner = holds(text[1:], inputs, event)
        return None if inner is None else not inner
    if text.startswith("(") and text.endswith(")"):
        return holds(text[1:-1], inputs, event)
    return _one(text, inputs, event)


def _one(text: str, inputs: Mapping[str, Any], event: str) -> bool | None:
    if found := re.fullmatch(r"([^=!<>]+?)\s*([=!]=)\s*([^=!<>]+)", text):
        left, right = (_values(side, inputs, event) for side in (found[1], found[3]))
        return None if left is None or right is None else bool(left & right) is (found[2] == "==")
    if found := _CALL.fullmatch(text):
        whole, part = (_values(side, inputs, event) for side in (found[2], found[3]))
        if whole is None or part is None:
            return None
        ask = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}[found[1].lower()]
        return any(ask(one, other) for one in whole for other in part)
    values = _values(text, inputs, event)
    return None if values is None else not values <= {"", "false", "0"}


def _values(text: str, inputs: Mapping[str, Any], event: str) -> set[str] | None:
    """What an operand may be, in small letters, for GitHub compares so; None if that is not known here."""
    text = text.strip()
    if quoted := re.fullmatch(r"'((?:[^']|'')*)'", text):
        return {quoted[1].replace("''", "'").lower()}
    if re.fullmatch(r"true|false|\d+", text):
        return {text}
    if (named := re.fullmatch(r"inputs\.([\w-]+)", text)) and named[1] in inputs:
        given = "" if inputs[named[1]] is None else str(inputs[named[1]])
        return None if "${{" in given else {given.lower()}
    refs = {each.lower() for each in _REFS.get(event, ())} or None
    if text == "github.event_name":
        return {_NAMES[event]}
    if text == "github.ref":
        return refs
    if refs and text == "github.ref_name":
        return {each.split("/", 2)[2] for each in refs}
    if refs and text == "github.ref_type" and event != "pull_request":
        return {"tag" if event == "tag" else "branch"}
    return None

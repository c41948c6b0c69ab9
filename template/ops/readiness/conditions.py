"""What a pipeline's conditions and filters let through, as far as that can be told without running it."""

import re
from collections.abc import Callable, Iterable, Mapping
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
# GitLab's variables, by event; in a pipeline of another kind one of them is empty.
_VARIABLES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "CI_PIPELINE_SOURCE": {
        "pull_request": ("merge_request_event",),
        "schedule": ("schedule",),
        **dict.fromkeys(("main", "hotfix", "tag"), ("push",)),
    },
    "CI_COMMIT_BRANCH": {"schedule": MAIN, "main": MAIN, "hotfix": ("hotfix/1.4.1",)},
    "CI_COMMIT_TAG": {"tag": ("v1.4.1",)},
    "CI_COMMIT_REF_NAME": {"schedule": MAIN, "main": MAIN, "hotfix": ("hotfix/1.4.1",), "tag": ("v1.4.1",)},
    "CI_DEFAULT_BRANCH": dict.fromkeys(_NAMES, MAIN),
    "CI_MERGE_REQUEST_ID": {"pull_request": ("7",)},
    "CI_MERGE_REQUEST_IID": {"pull_request": ("7",)},
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": {"pull_request": MAIN},
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
    return _together(condition.strip(), lambda text: _githubs(text, inputs, event))


def holds_on_gitlab(condition: str, event: str) -> bool | None:
    """Whether a condition of a rule of GitLab's holds, by the event; None if that is not known here."""
    return _together(condition.strip(), lambda text: _gitlabs(text, event))


def _together(text: str, one: Callable[[str], bool | None]) -> bool | None:
    for mark, decides in (("||", True), ("&&", False)):
        parts = terms(text, mark)
        if len(parts) > 1:
            found = [_together(part, one) for part in parts]
            return decides if decides in found else None if None in found else not decides
    return _together(text[1:-1].strip(), one) if text.startswith("(") and text.endswith(")") else one(text)


def _gitlabs(text: str, event: str) -> bool | None:
    if not text:
        return True
    found = re.fullmatch(r"(\S+)(?:\s*([=!]=|[=!]~)\s*(.+))?", text)
    left = _gitlabs_values(found[1], event) if found else None
    if found is None or left is None:
        return None
    if not found[2]:
        return left != {""}
    if found[2][1] == "~":
        pattern = re.fullmatch(r"/(.*)/(i?)", found[3].strip())
        flags = re.IGNORECASE if pattern and pattern[2] else 0
        try:
            matched = pattern and any(re.search(pattern[1], value, flags) for value in left)
        except re.error:
            return None
        return None if pattern is None else bool(matched) is (found[2] == "=~")
    right = _gitlabs_values(found[3].strip(), event)
    return None if right is None else bool(left & right) is (found[2] == "==")


def _gitlabs_values(text: str, event: str) -> set[str] | None:
    if text == "null":
        return {""}
    if quoted := re.fullmatch(r"\"([^\"]*)\"|'([^']*)'", text):
        return {quoted[1] or quoted[2] or ""}
    known = _VARIABLES.get(text.removeprefix("$"))
    return None if known is None else set(known.get(event, ("",)))


def _githubs(text: str, inputs: Mapping[str, Any], event: str) -> bool | None:
    if text.lower() in _STATIC:
        return _STATIC[text.lower()]
    if text.startswith("!"):
        inner = holds(text[1:], inputs, event)
        return None if inner is None else not inner
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

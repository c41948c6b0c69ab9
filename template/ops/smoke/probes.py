"""Checks of the routes that every service has, and of their absence at the gateway."""

from typing import Any, Final

from .client import PROBLEM, Answer
from .outcome import Failed
from .target import Target

OPERATIONAL: Final = ("/livez", "/readyz", "/version", "/metrics", "/status", "/status/log-levels")
_ASKED_TIMES: Final = 5


def livez(target: Target) -> str:
    """The process answers."""
    return _passes(target.get("/livez"))


def readyz(target: Target) -> str:
    """The service takes requests, and what it depends on is there."""
    return _passes(target.get("/readyz"))


def version(target: Target) -> str:
    """Every instance that answers is what was deployed."""
    found: list[dict[str, Any]] = []
    for _ in range(_ASKED_TIMES):  # on connections of their own: an instance of the last release may be left
        answer = target.get("/version")
        if answer.status != 200:
            raise Failed(answer.told)
        if (document := answer.document()) not in found:
            found.append(document)
        target.client.disconnect()
    if len(found) > 1:
        raise Failed(f"instances differ: {' and '.join(map(_named, found))}")
    return _as_wanted(found[0], target)


def not_published(target: Target) -> str:
    """Nobody reaches the operational routes by way of the gateway."""
    reached = [answer.told for answer in map(target.get, OPERATIONAL) if not _absent(answer)]
    if reached:
        raise Failed("; ".join(reached))
    return f"{', '.join(OPERATIONAL)}: 404 or 403"


def _absent(answer: Answer) -> bool:
    # The service's own /status says 403, too, when it has no token: that would be the service, reached.
    return answer.status in (404, 410) or (answer.status == 403 and answer.media_type != PROBLEM)


def _passes(answer: Answer) -> str:
    if answer.status != 200 or answer.document().get("status") != "pass":
        raise Failed(answer.told)
    return f"200 {answer.text}"


def _as_wanted(document: dict[str, Any], target: Target) -> str:
    wanted = {"name": target.plan.service, "version": target.wanted.version, "commit": target.wanted.commit}
    wrong = [
        f"{key} is {document.get(key)!r}, and {value!r} is wanted"
        for key, value in wanted.items()
        if value is not None and not _same(key, document.get(key), value)
    ]
    if not isinstance(document.get("version"), str):
        wrong.append("no version is told")
    if wrong:
        raise Failed("; ".join(wrong))
    compared = [key for key, value in wanted.items() if value is not None]
    return f"{_named(document)}; compared: {', '.join(compared) or 'nothing, for nothing was given'}"


def _same(key: str, found: object, wanted: str) -> bool:
    if key == "commit" and isinstance(found, str) and min(len(found), len(wanted)) >= 7:
        return found.startswith(wanted) or wanted.startswith(found)  # one of them may be the short form
    return found == wanted


def _named(document: dict[str, Any]) -> str:
    return f"{document.get('name')} {document.get('version')}, commit {document.get('commit') or 'unknown'}"

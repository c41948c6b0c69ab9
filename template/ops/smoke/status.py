"""Checks of the status route: closed without a token, and telling with one."""

from secrets import token_urlsafe

from .client import Answer
from .outcome import Failed, Skipped
from .target import Target

_ROUTES = ("/status", "/status/log-levels")


def closed(target: Target) -> str:
    """Nobody reads the status without a token, or with a wrong one."""
    told = []
    for route in _ROUTES:
        for answer in (target.get(route), target.get(route, Authorization=f"Bearer {token_urlsafe(32)}")):
            _refused(answer)
            told.append(str(answer.status))
    return f"{', '.join(_ROUTES)}, without and with a wrong token: {', '.join(told)}"


def answers(target: Target) -> str:
    """The status tells the state of the service and of what it depends on."""
    if target.wanted.token is None:
        raise Skipped("no token was given: --status-token-file, or the environment variable")
    answer = target.get("/status", Authorization=f"Bearer {target.wanted.token}")
    if answer.status != 200:
        raise Failed(answer.told)
    document = answer.document()
    checks = document.get("checks")
    if document.get("status") not in ("pass", "warn") or not isinstance(checks, dict) or "releaseId" not in document:
        raise Failed(f"not as a status should be: {answer.told}")
    return f"{document['status']}, release {document['releaseId']}, {len(checks)} checks of dependencies"


def _refused(answer: Answer) -> None:
    challenged = answer.status == 401 and answer.headers.get("www-authenticate", "").lower().startswith("bearer")
    if not challenged and answer.status != 403:  # 403: no token is configured
        raise Failed(answer.told)

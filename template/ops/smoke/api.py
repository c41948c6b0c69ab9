"""Checks of the API: the owner's own requests, and what every answer of it must be like."""

import json
import re
from typing import Any

from .client import PROBLEM, Answer
from .matching import difference
from .outcome import Failed, Skipped
from .plan import ANYTHING, Request
from .probes import OPERATIONAL
from .target import Target

_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}").fullmatch
_DOCUMENTATION = ("/docs", "/redoc", "/openapi.json")


def request(target: Target, wanted: Request) -> str:
    """A real request of the API is answered as its owner expects."""
    answer = send(target, wanted)
    right = 200 <= answer.status < 300 if wanted.status is None else answer.status == wanted.status
    if not right:
        raise Failed(f"{answer.told}; {wanted.status or '200 to 299'} is wanted")
    if wanted.json is not ANYTHING and (found := difference(wanted.json, answer.json())):
        raise Failed(f"{found}: {answer.told}")
    return f"{answer.asked} answered {answer.status}{'' if wanted.json is ANYTHING else ', with what is wanted in it'}"


def no_request(_: Target) -> str:
    """Stands for the owner's requests if there are none."""
    raise Skipped("there are no requests in smoke.yaml, and no --request")


def unknown_path(target: Target) -> str:
    """Errors are problem documents that name the request."""
    answer = target.get(target.plan.unknown_path)
    if answer.status not in (401, 403, 404) or answer.media_type != PROBLEM:
        raise Failed(f"{answer.told}, as {answer.media_type or 'nothing'}")
    document = answer.document()
    if document.get("status") != answer.status or document.get("request_id") != answer.headers.get("x-request-id"):
        raise Failed(f"status or request id in the document are not the answer's: {answer.told}")
    return f"{answer.status}, a problem document with the request's id"


def request_id(target: Target) -> str:
    """A caller's good request id is kept, a bad one is replaced."""
    good = "smoke-Test_4711.a"
    echoed = target.get(target.plan.unknown_path, X_Request_ID=good).headers.get_list("x-request-id")
    if echoed != [good]:
        raise Failed(f"X-Request-ID {good!r} came back as {echoed}")
    for bad in ("not valid!", "x" * 129):
        replaced = target.get(target.plan.unknown_path, X_Request_ID=bad).headers.get_list("x-request-id")
        if len(replaced) != 1 or not _OWN_ID(replaced[0]):
            raise Failed(f"X-Request-ID {bad[:12]!r}, which is not allowed, came back as {[i[:24] for i in replaced]}")
    return "a good one is echoed, bad ones are replaced"


def documentation(target: Target) -> str:
    """The API's documentation is there, or not, as smoke.yaml says."""
    if target.plan.documentation is None:
        raise Skipped("smoke.yaml does not say whether it should be open or closed")
    if target.plan.documentation == "closed":
        found = [answer.told for answer in map(target.get, _DOCUMENTATION) if answer.status not in (401, 403, 404)]
        if found:
            raise Failed("; ".join(found))
        return f"{', '.join(_DOCUMENTATION)} are not there"
    answer = target.client.ask("GET", "/openapi.json", most=2**24)
    paths = answer.document().get("paths") if answer.status == 200 else None
    if not isinstance(paths, dict):
        raise Failed(answer.told)
    if told := sorted(set(paths) & set(OPERATIONAL)):
        raise Failed(f"/openapi.json tells of {', '.join(told)}")
    return f"/openapi.json describes {len(paths)} paths, and no operational route"


def headers(target: Target) -> str:
    """Headers that protect are set: those that the service has by itself, and those of smoke.yaml."""
    missing: list[str] = []
    names = sorted(target.plan.headers)
    if not target.wanted.published:
        names.append("Cache-Control on operational routes")
        missing += [
            f"{answer.asked} may be stored: no Cache-Control: no-store"
            for answer in map(target.get, ("/livez", "/version", "/metrics", "/status"))
            # That one of them is not there at all is for another check to say.
            if answer.status in (200, 401, 403) and "no-store" not in answer.headers.get("cache-control", "")
        ]
    if target.plan.headers:
        requests = target.plan.requests
        answer = send(target, requests[0]) if requests else target.get(target.plan.unknown_path)
        missing += _unlike(answer, target)
    if missing:
        raise Failed("; ".join(missing))
    if not names:
        raise Skipped("no headers are listed in smoke.yaml")
    return ", ".join(names)


def send(target: Target, wanted: Request) -> Answer:
    """Send one of the owner's requests."""
    given = {name.lower() for name in wanted.headers}
    content = None if wanted.body is None else json.dumps(wanted.body).encode()
    kind = {} if content is None or "content-type" in given else {"Content-Type": "application/json"}
    return target.client.ask(wanted.method, wanted.path, headers={**kind, **wanted.headers}, content=content)


def _unlike(answer: Answer, target: Target) -> list[str]:
    found: dict[str, Any] = {name: answer.headers.get(name) for name in target.plan.headers}
    return [
        f"{answer.asked}: {name} is {found[name]!r}, and {value!r} is wanted"
        for name, value in target.plan.headers.items()
        if found[name] != value
    ]

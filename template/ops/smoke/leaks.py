"""Checks that answers tell nothing of the inside; of all answers that the run has seen, so they come last."""

import re

from .outcome import Failed
from .target import Target

_NAMES = re.compile(
    r"x-powered-by|x-aspnet(mvc)?-version|x-generator|x-runtime|x-python-version|x-php-.*|x-debug.*|x-drupal-.*",
    re.IGNORECASE,
).fullmatch
# A gateway may say what it is; a version, or what the service is made of, helps only those who look for holes.
_SERVER = re.compile(
    r"/\d|\d\.\d|python|uvicorn|gunicorn|hypercorn|granian|starlette|fastapi|werkzeug|waitress",
    re.IGNORECASE,
).search
_INSIDE = re.compile(
    r"""Traceback\ \(most\ recent\ call\ last\)
    | File\ \\?"[^"\n]{1,300}\.py\\?",\ line\ \d+
    | \b(?:sqlalchemy|psycopg|asyncpg|pydantic_core|starlette|fastapi|uvicorn)\.[a-z_]+\.[A-Za-z_]+
    | /site-packages/
    | \bat\ [\w.$]{1,200}\([\w$]{1,100}\.java:\d+\)
    | Werkzeug\ Debugger""",
    re.VERBOSE,
).search


def leaking_headers(target: Target) -> str:
    """No header tells which software answers, in which version."""
    target.get(target.plan.unknown_path)
    told = {header for answer in target.seen for header in answer.headers.multi_items()}
    found = [f"{name}: {value}" for name, value in sorted(told) if _tells(name, value)]
    if found:
        raise Failed(", ".join(found))
    return f"none on {len(target.seen)} answers"


def stack_traces(target: Target) -> str:
    """Errors tell nothing of the code."""
    provoke(target)
    errors = [answer for answer in target.seen if answer.status >= 400]
    for answer in errors:
        if found := _INSIDE(answer.text):
            where = f"{answer.asked} answered {answer.status} (request id {answer.request_id})"
            raise Failed(f"{where} with {found[0][:80]!r} in its body")
    return f"none in {len(errors)} answers that are errors"


def provoke(target: Target) -> None:
    """Make mistakes, as callers do, that change nothing: a wrong path, a wrong method, JSON that breaks off."""
    target.get(target.plan.unknown_path)
    target.client.ask("PATCH", target.plan.unknown_path)
    for request in target.plan.requests:
        if request.body is not None:
            headers = {"Content-Type": "application/json", **request.headers}
            target.client.ask(request.method, request.path, headers=headers, content=b'{"broken')


def _tells(name: str, value: str) -> bool:
    return bool(_NAMES(name) or (name.lower() == "server" and _SERVER(value)))

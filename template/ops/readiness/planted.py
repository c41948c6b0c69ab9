"""What checks add to the service's own application while they exercise it.

Routes under a random prefix, and checks of dependencies that do not exist. It runs in the process of the service, and
never in one that serves anybody.
"""

import asyncio
import logging
import os
from importlib import import_module
from pathlib import Path
from typing import Any, Final

APPLICATION: Final = "READINESS_APPLICATION"
PREFIX: Final = "READINESS_PREFIX"
PEER: Final = "READINESS_PEER"
BREAK: Final = "READINESS_BREAK"
# After the prefix: routes that the owner's middleware is not asked about.
BESIDE: Final = "-beside"
# Dependencies: one that is there unless the file BREAK is, and one that never answers.
STEADY: Final = "readiness-steady"
HANGING: Final = "readiness-hanging"
HANGING_SECONDS: Final = 0.2
LOUD, PLAIN, QUIET = "readiness.loud", "readiness.plain", "readiness.quiet"


def create_app(settings: Any) -> Any:
    """The owner's application, with what checks need in it."""
    module, _, function = os.environ[APPLICATION].partition(":")
    app = getattr(import_module(module), function)(settings)
    ops = f"{module.partition('.')[0]}.ops"
    inner = _service(app)
    if inner is not None:  # else it is served as it is, and the checks tell that their routes are not there
        prefix = os.environ[PREFIX]
        inner.router.routes[:0] = _routes(
            prefix, ops
        )  # first, or a mount of the owner's at / would take their requests
        _before_middleware(inner, _routes(prefix + BESIDE, ops), prefix + BESIDE)
        _depend(inner, settings, import_module(f"{ops}.health"))
    return app


def _service(app: Any) -> Any:
    """What `create_service` has made, within whatever the owner has put around it; None if it is not to be found."""
    while app is not None and not (hasattr(app, "endpoints") and hasattr(app, "router")):
        app = getattr(app, "app", None)
    return app


def _routes(prefix: str, ops: str) -> list[Any]:
    route = import_module("starlette.routing").Route
    endpoints = {
        "/process": _process,
        "/work": _work,
        "/levels": _levels,
        "/fail": _fail,
        "/fail-otherwise": _fail_otherwise,
        "/leak": _leak,
        "/counted/{item}": _counted,
        "/call": _call(ops),
    }
    return [route(f"{prefix}{path}", endpoint, methods=["GET", "POST"]) for path, endpoint in endpoints.items()]


def _before_middleware(app: Any, routes: list[Any], prefix: str) -> None:
    """Answer these routes within the template's layer, before the owner's middleware, which may keep strangers out."""
    build, router = app.build_middleware_stack, import_module("starlette.routing").Router(routes)

    def built() -> Any:
        edge = build()
        owners = edge.app

        async def chosen(scope: Any, receive: Any, send: Any) -> None:
            ours = scope["type"] == "http" and scope["path"].startswith(prefix)
            await (router if ours else owners)(scope, receive, send)

        edge.app = chosen
        return edge

    app.build_middleware_stack = built


def _depend(app: Any, settings: Any, health: Any) -> None:
    """Two dependencies more. Neither makes the service unready by itself."""

    async def steady() -> bool:
        return not Path(os.environ[BREAK]).exists()  # noqa: ASYNC240 - a look at memory

    async def hanging() -> None:
        await asyncio.sleep(3600)

    checks = (
        health.Check(STEADY, steady, interval_seconds=0.2, failure_threshold=1),
        health.Check(
            HANGING,
            hanging,
            critical=False,
            timeout_seconds=HANGING_SECONDS,
            interval_seconds=60.0,
            failure_threshold=1,
        ),
    )
    app.endpoints.monitor.watches += [health.Watch(check, settings.health) for check in checks]


def _json(document: object) -> Any:
    return import_module("starlette.responses").JSONResponse(document)  # by name: only the service needs to have it


async def _process(_: Any) -> Any:
    return _json({"pid": os.getpid()})


async def _work(_: Any) -> Any:
    await asyncio.sleep(0.02)
    return _json({"done": True})


async def _levels(_: Any) -> Any:
    for name in (LOUD, PLAIN, QUIET):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).log(level, "of %s", logging.getLevelName(level))
    return _json({})


async def _fail(_: Any) -> Any:
    raise RuntimeError("provoked by a readiness check")


async def _fail_otherwise(_: Any) -> Any:
    raise LookupError("provoked by a readiness check, in another place")


async def _leak(request: Any) -> Any:
    """Log what is sent in every way in which a careless program does, and fail with it."""
    sent = await request.json()
    logging.getLogger("readiness").error("%s", sent["text"], extra={"sent": sent["fields"], **sent["fields"]})
    raise ValueError(sent["text"])


async def _counted(request: Any) -> Any:
    if request.path_params["item"] == "fail":
        raise RuntimeError("provoked by a readiness check of what is counted")
    return _json({})


def _call(ops: str) -> Any:
    async def call(_: Any) -> Any:
        """Call another service, as the owner's code would."""
        async with import_module(f"{ops}.outgoing").http_client("readiness-peer", os.environ[PEER]) as client:
            answer = await client.get("/asked")
        return _json({"status": answer.status_code})

    return call

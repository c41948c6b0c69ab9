"""The operational routes: `/livez`, `/readyz`, `/status`, `/status/log-levels`, `/metrics`, `/version`.

They answer before the application: no middleware, limit or dependency of the service can get in their way, and they
count neither in the SLIs nor in the OpenAPI document.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from pydantic import ValidationError
from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.responses import Response

from . import slots
from .about import About
from .health import Monitor
from .levels import SERVICE, Wanted
from .lifecycle import LIFECYCLE
from .metrics import Exposition
from .problems import Problem

Endpoint = Callable[[Request], Awaitable[Response]]

LOG_LEVELS: Final = "/status/log-levels"
_LARGEST_BODY: Final = 4096
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Endpoints:
    """Answers of the operational routes of one application."""

    def __init__(self, about: About, monitor: Monitor, token_digests: list[bytes]) -> None:
        self._about = about
        self.monitor = monitor
        self._digests = token_digests
        self._exposition = Exposition(about)
        self.started = False
        self.routes: dict[str, Endpoint] = {
            "/livez": self.livez,
            "/readyz": self.readyz,
            "/status": self.status,
            LOG_LEVELS: self.log_levels,
            "/metrics": self.metrics,
            "/version": self.version,
        }

    async def answer(self, request: Request) -> Response:
        """Answer a request to one of the routes; all but log levels can only be read."""
        path = get_route_path(request.scope)
        allowed = ("GET", "HEAD", "PUT", "DELETE") if path == LOG_LEVELS else ("GET", "HEAD")
        if request.method not in allowed:
            return Problem(405, headers={"Allow": ", ".join(allowed)})
        return await self.routes[path](request)

    @property
    def ready(self) -> bool:
        """Whether new requests should be sent here."""
        return self.started and not LIFECYCLE.draining and self.monitor.passes

    async def livez(self, _: Request) -> Response:
        return _json({"status": "pass"})

    async def readyz(self, _: Request) -> Response:
        return _json({"status": "pass"}) if self.ready else _json({"status": "fail"}, 503)

    async def version(self, _: Request) -> Response:
        about = self._about
        return _json(
            {"name": about.name, "version": about.version, "commit": about.commit, "build_time": about.build_time}
        )

    async def metrics(self, request: Request) -> Response:
        # In a thread: with many series this takes milliseconds, which requests need not wait for.
        body, media_type = await asyncio.to_thread(self._exposition.render, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type, **_NO_STORE})

    async def status(self, request: Request) -> Response:
        return self._refused(request) or self._status()

    async def log_levels(self, request: Request) -> Response:
        """GET: the levels that are changed now. PUT: change one for a while. DELETE: all as configured."""
        if refused := self._refused(request):
            return refused
        levels = SERVICE.levels
        if request.method == "PUT":
            try:
                wanted = Wanted.model_validate_json(await _body(request))
            except ValidationError as error:
                wrong = [{"loc": list(each["loc"]), "msg": each["msg"]} for each in error.errors(include_input=False)]
                detail = 'Send {"logger": "httpx2", "level": "DEBUG", "seconds": 300}; at most 3600 seconds.'
                return Problem(422, detail, {"errors": wrong}, _NO_STORE)
            if not levels.change(wanted):
                return Problem(409, "Too many levels are changed already: DELETE takes them back.", headers=_NO_STORE)
        elif request.method == "DELETE":
            levels.revert()
        return _json({"log_levels": levels.active()})

    def _refused(self, request: Request) -> Response | None:
        """What to answer somebody without a valid token; None for one who has it."""
        if not self._digests:
            return Problem(
                403,
                "No status token is configured, so nobody may read this. Set APP_STATUS__TOKENS.",
                headers=_NO_STORE,
            )
        given = request.headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            return self._unauthorized('Bearer realm="status"')
        if not self._known(token.strip().encode("latin-1")):
            return self._unauthorized('Bearer realm="status", error="invalid_token"')
        return None

    def _known(self, token: bytes) -> bool:
        presented, known = hashlib.sha256(token).digest(), False
        for digest in self._digests:  # always all of them: the time taken tells nothing
            known |= hmac.compare_digest(presented, digest)
        return known

    def _unauthorized(self, challenge: str) -> Response:
        return Problem(401, "A valid status token is needed.", headers={"WWW-Authenticate": challenge, **_NO_STORE})

    def _status(self) -> Response:
        about, ready, checks = self._about, self.ready, self.monitor.report()
        warned = any(entry["status"] != "pass" for entries in checks.values() for entry in entries)
        document: dict[str, Any] = {
            "status": "fail" if not ready else "warn" if warned else "pass",
            "phase": "draining" if LIFECYCLE.draining else "serving" if self.started else "starting",
            "serviceId": about.name,
            "version": about.version.split(".")[0],
            "releaseId": about.version,
            "commit": about.commit,
            "build_time": about.build_time,
            "template_version": about.template_version,
            "started_at": LIFECYCLE.started_at,
            "uptime_seconds": round(LIFECYCLE.uptime_seconds, 3),
            "workers": [{"worker": each.slot, "pid": each.pid, "ready": each.ready} for each in slots.living()],
            "checks": checks,
        }
        if changed := SERVICE.levels.active():
            document["log_levels"] = changed
        return _json(document, 200 if ready else 503, "application/health+json")


async def _body(request: Request) -> bytes:
    """The request's body, or as much of one that is too large as shows that it is none of what is accepted."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_BODY:
            break
    return body


def _json(document: object, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(document, option=orjson.OPT_UTC_Z), status, _NO_STORE, media_type)

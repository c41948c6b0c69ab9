"""The operational routes: `/livez`, `/readyz`, `/status`, `/metrics`, `/version`.

They answer before the application: no middleware, limit or dependency of the service can get in their way, and they
count neither in the SLIs nor in the OpenAPI document.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.responses import Response

from . import slots
from .about import About
from .health import Monitor
from .lifecycle import LIFECYCLE
from .metrics import Exposition
from .problems import Problem

Endpoint = Callable[[Request], Awaitable[Response]]

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
            "/metrics": self.metrics,
            "/version": self.version,
        }

    async def answer(self, request: Request) -> Response:
        """Answer a request to one of the routes; only GET and HEAD are known."""
        if request.method not in ("GET", "HEAD"):
            return Problem(405, headers={"Allow": "GET, HEAD"})
        return await self.routes[get_route_path(request.scope)](request)

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
        return self._status()

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
        document = {
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
        return _json(document, 200 if ready else 503, "application/health+json")


def _json(document: object, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(orjson.dumps(document, option=orjson.OPT_UTC_Z), status, _NO_STORE, media_type)

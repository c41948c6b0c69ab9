"""Puts the operational parts around the service's own application."""

from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from . import problems
from .about import ABOUT
from .edge import Edge
from .endpoints import Endpoints
from .health import Check, Monitor
from .layers import slimmed
from .metrics import RequestSeries
from .redaction import REDACTOR
from .settings import OpsSettings
from .tracing import TRACING

# FastAPI's own telemetry is off: it asks OpenTelemetry for its providers three times a request even when none is set.
_TELEMETRY_OFF = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


class Service(FastAPI):
    """A FastAPI application with the template's layer outermost, whatever middleware is added later."""

    def __init__(self, settings: OpsSettings, checks: Sequence[Check], **options: Any) -> None:
        options.setdefault("title", ABOUT.name)
        options.setdefault("version", ABOUT.version)
        options["responses"] = {**problems.RESPONSES, **(options.get("responses") or {})}
        super().__init__(telemetry=_TELEMETRY_OFF, **options)  # type: ignore[arg-type]
        self._settings = settings
        about = ABOUT.built(settings.build)
        self.endpoints = Endpoints(about, Monitor(checks, settings.health), settings.status.digests())
        problems.install(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI's own, without the question whether its telemetry is on."""
        if scope["type"] != "http" or self.middleware_stack is None or self.root_path:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The application's layers, built at the first request."""
        paths = {str(route.path) for route in iter_route_contexts(self.routes)}
        if taken := sorted(paths & set(self.endpoints.routes)):
            raise RuntimeError(f"{', '.join(taken)}: this path is the template's; give your route another")
        problems.install_in_mounted(self)
        REDACTOR.declare(self, self._settings)
        inner = slimmed(super().build_middleware_stack(), self.router, self.max_body_size)
        if trusted := self._settings.proxies.trusted:
            from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware  # noqa: PLC0415 - only where used

            hosts = [str(network) for network in trusted]
            inner = ProxyHeadersMiddleware(inner, trusted_hosts=hosts)
        edge = TRACING.edge or Edge
        return edge(cast(ASGIApp, inner), self.endpoints, RequestSeries(self), self._settings.limits)


def create_service(settings: OpsSettings, *, checks: Sequence[Check] = (), **options: Any) -> FastAPI:
    """Make the FastAPI application that the service adds its routers and middleware to.

    Args:
        settings: the loaded settings.
        checks: of the service's dependencies.
        options: everything that `FastAPI` takes: `lifespan`, `description`, `docs_url`, `root_path` …
    """
    return Service(settings, checks, **options)

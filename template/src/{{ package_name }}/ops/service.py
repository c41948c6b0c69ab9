"""Puts the operational parts around the service's own application."""

from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from . import problems
from .about import ABOUT
from .edge import Edge
from .endpoints import Endpoints
from .health import Check, Monitor
from .metrics import RequestSeries
from .settings import OpsSettings

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

    def build_middleware_stack(self) -> ASGIApp:
        """The application's layers, built at the first request."""
        taken = [route for route in self.routes if getattr(route, "path", None) in self.endpoints.routes]
        if taken:
            paths = ", ".join(str(getattr(route, "path", "")) for route in taken)
            raise RuntimeError(
                f"{paths}: this path is the template's (see docs/operations.md); give your route another"
            )
        inner = super().build_middleware_stack()
        if isinstance(inner, ServerErrorMiddleware) and inner.handler is None:
            inner = inner.app  # the edge does its work; an owner's handler for Exception keeps it
        if trusted := self._settings.proxies.trusted:
            from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware  # noqa: PLC0415 - only where used

            hosts = [str(network) for network in trusted]
            inner = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, inner), trusted_hosts=hosts))
        return Edge(inner, self.endpoints, RequestSeries(self), self._settings.limits)


def create_service(settings: OpsSettings, *, checks: Sequence[Check] = (), **options: Any) -> FastAPI:
    """Make the FastAPI application that the service adds its routers and middleware to.

    Args:
        settings: the loaded settings.
        checks: of the service's dependencies.
        options: everything that `FastAPI` takes: `lifespan`, `description`, `docs_url`, `root_path` …
    """
    return Service(settings, checks, **options)

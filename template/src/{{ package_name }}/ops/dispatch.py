"""Finds a request's route in one pass over the routes, where FastAPI's router matches anew at every `include_router`.

Only what is sure to be the same is done here: plain API routes, with their own method. All else (mounts, redirects,
404 and 405, form limits, route classes of one's own) is FastAPI's, as it always was. FastAPI's inside is used, so
`pyproject.toml` pins its minor version, and a test compares the answers with those of FastAPI's own router.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute, APIWebSocketRoute, _EffectiveRouteContext, _IncludedRouter
from starlette._utils import get_route_path
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send


class Dispatcher:
    """ASGI application in the place of FastAPI's router, which it falls back to."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._entries: list[_Entry] = []
        self._routes = -1  # how many routes the entries were made from

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._routes != len(self._router.routes):  # the first request, or a route was added
                self._entries, self._routes = list(_entries(self._router)), len(self._router.routes)
            path = get_route_path(scope) if scope["root_path"] else scope["path"]
            method = scope["method"]
            for entry in self._entries:
                if (found := entry.match(path)) is not None and method in entry.methods:
                    entry.select(scope, found.groupdict(), self._router)
                    await entry.app(scope, receive, send)
                    return
        await self._router(scope, receive, send)


class _Entry:
    __slots__ = ("app", "convertors", "effective", "endpoint", "match", "methods", "route")

    def __init__(self, route: Any, effective: _EffectiveRouteContext | None) -> None:
        given: Any = effective or route
        self.match = given.path_regex.match
        self.methods: set[str] = given.methods or set()
        self.convertors = {name: one.convert for name, one in given.param_convertors.items()}
        self.endpoint = given.endpoint
        self.app = given.app
        self.route = route
        self.effective = effective

    def select(self, scope: Scope, params: dict[str, Any], router: APIRouter) -> None:
        """Tell what was found in the words of Starlette's and FastAPI's routers."""
        for name, convert in self.convertors.items():
            params[name] = convert(params[name])
        scope["router"] = router
        scope["route"] = self.route
        scope["endpoint"] = self.endpoint
        scope["path_params"] = params
        if self.effective is not None:
            scope["fastapi"] = {"effective_route_context": self.effective}


def _entries(router: APIRouter) -> Iterator[_Entry]:
    """Plain routes in FastAPI's order, up to the first of which only FastAPI knows whether it matches."""
    for entry in _all(router.routes) if not router.form_limits else ():
        if entry is None:
            return
        yield entry


def _all(routes: list[BaseRoute]) -> Iterator[_Entry | None]:
    for route in routes:
        yield from _included(route) if isinstance(route, _IncludedRouter) else _of(route, None)


def _included(router: _IncludedRouter) -> Iterator[_Entry | None]:
    if router.include_context.form_limits or type(router.original_router) is not APIRouter:
        yield None
    for candidate in router.effective_candidates():
        if isinstance(candidate, _IncludedRouter):
            yield from _included(candidate)
        elif candidate.starlette_route is not None:
            yield from _of(candidate.starlette_route, None)
        else:
            yield from _of(candidate.original_route, candidate)


def _of(route: BaseRoute, effective: _EffectiveRouteContext | None) -> Iterator[_Entry | None]:
    kind = type(route)
    if isinstance(route, APIRoute):
        yield _Entry(route, effective) if kind.matches is APIRoute.matches and kind.handle is APIRoute.handle else None
    elif kind is Route:
        yield _Entry(route, None)
    elif not isinstance(route, WebSocketRoute | APIWebSocketRoute):  # these match no HTTP request
        yield None

"""FastAPI's layers between the edge and the routes, without what does nothing here: each costs every request.

What the layers mean stays as it is; `tests/ops` compares with FastAPI as it comes.
"""

from typing import Any

from fastapi import APIRouter
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from .dispatch import Dispatcher

_TELEMETRY = "fastapi.telemetry._asgi.ExceptionTelemetryMiddleware"
_BODY_LIMIT = "fastapi._body_limit.AppBodyLimitMiddleware"


def slimmed(stack: Any, router: APIRouter, max_body_size: int | None) -> Any:
    """The layers that `FastAPI.build_middleware_stack` has made, slimmed.

    Args:
        stack: its outermost layer.
        router: its innermost application, which a `Dispatcher` takes the place of.
        max_body_size: FastAPI's own limit; None if the edge's is the only one.
    """
    layer = stack
    while getattr(layer, "app", router) is not router:
        while _idle(layer.app, max_body_size):
            layer.app = layer.app.app
        if type(layer.app) is ExceptionMiddleware:
            layer.app = _Handlers(layer.app)
        layer = layer.app
    layer.app = Dispatcher(router)
    if isinstance(stack, ServerErrorMiddleware) and stack.handler is None:
        return stack.app  # the edge does its work; an owner's handler for Exception keeps it
    return stack


def _idle(layer: object, max_body_size: int | None) -> bool:
    """Whether a layer has nothing to do: telemetry is off, and no other body limit is set."""
    name = f"{type(layer).__module__}.{type(layer).__qualname__}"
    return name == _TELEMETRY or (name == _BODY_LIMIT and max_body_size is None)


class _Handlers:
    """Starlette's exception handlers: only a request that raises passes through the machinery that looks for one."""

    def __init__(self, whole: ExceptionMiddleware) -> None:
        self.app: Any = whole.app
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            self._whole.app = self.app  # by now the dispatcher
            await self._whole(scope, receive, send)
            return
        scope["starlette.exception_handlers"] = self._whole._exception_handlers, self._whole._status_handlers
        try:
            await self.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - raised again where its handler is looked for
            raised = error

            async def again(*_: object) -> None:
                raise raised

            await wrap_app_handling_exceptions(again, Request(scope, receive, send))(scope, receive, send)

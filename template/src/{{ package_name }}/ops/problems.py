"""Errors as RFC 9457 problem documents, which name the request and tell nothing of the inside."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .context import current
from .redaction import REDACTOR

MEDIA_TYPE = "application/problem+json"
_BODILESS = frozenset({204, 205, 304})
_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "request_id": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": _TEXT,
                    "type": _TEXT,
                },
            },
        },
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request was refused.", "content": {MEDIA_TYPE: {"schema": SCHEMA}}},
    "5XX": {"description": "The service could not answer.", "content": {MEDIA_TYPE: {"schema": SCHEMA}}},
}


class Problem(Response):
    """A problem document as a response.

    Args:
        status: the HTTP status code.
        detail: what went wrong this time, in words for the caller.
        extensions: further members of the document.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        extensions: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        request = current.get()
        document: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status}
        if detail is not None and detail != document["title"]:
            document["detail"] = REDACTOR.text(detail)
        if request is not None:
            document["request_id"] = request.request_id
        document.update(REDACTOR.value(dict(extensions)) if extensions else {})
        body = b"" if status in _BODILESS or status < 200 else orjson.dumps(document, str)
        super().__init__(body, status, headers)


def install(app: FastAPI) -> None:
    """Answer HTTP errors and refused input with problem documents. The unexpected is the edge's."""
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]


def install_in_mounted(app: FastAPI) -> None:
    """Give FastAPI applications that are mounted in `app` the same answers, where their owner has chosen no others."""
    for route in app.routes:
        mounted = getattr(route, "app", None)
        if isinstance(mounted, FastAPI):
            for kind, default, handler in (
                (HTTPException, http_exception_handler, _http),
                (RequestValidationError, request_validation_exception_handler, _invalid),
                (Exception, None, unexpected),
            ):
                if mounted.exception_handlers.get(kind) is default:
                    mounted.exception_handlers[kind] = handler
            install_in_mounted(mounted)


async def unexpected(_: Request, __: Exception) -> Response:
    """The answer to an exception that nobody caught; the edge logs and counts it."""
    return Problem(500, "The service failed to answer; it has been told what happened.")


async def _http(_: Request, error: HTTPException) -> Response:
    if isinstance(error.detail, str):
        return Problem(error.status_code, error.detail or None, headers=error.headers)
    return Problem(error.status_code, extensions={"details": error.detail}, headers=error.headers)


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    # Neither `input` nor `ctx`: they hold what the caller sent.
    errors = [{"loc": list(each["loc"]), "msg": _message(each), "type": each["type"]} for each in error.errors()]
    return Problem(422, "The request does not match the API's description.", {"errors": errors})


def _message(error: Mapping[str, Any]) -> str:
    """Pydantic's message, unless it repeats what the caller sent."""
    if error["type"] == "union_tag_invalid":
        return f"Input should have one of the expected tags: {error['ctx']['expected_tags']}"
    given, message = error.get("input"), str(error["msg"])
    if isinstance(given, str | int | float) and len(str(given)) > 2 and str(given) in message:
        return "The value is not accepted"
    return message


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

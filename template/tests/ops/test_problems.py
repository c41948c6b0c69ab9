"""Errors as problem documents, without what the caller sent and without what is inside."""

import asyncio
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from . import ask, ops, service


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(le=9)


class Dog(BaseModel):
    kind: Literal["dog"]


class Order(BaseModel):
    quantity: int = Field(ge=1, le=9)
    size: Literal["S", "M"]
    email: str = Field(pattern=r"^[a-z]+@[a-z]+$")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None


def answer_of(error: Exception) -> Any:
    app = service()

    @app.get("/")
    async def handler() -> None:
        raise error

    return asyncio.run(ask(app, headers=[(b"x-request-id", b"abc-1")]))


def test_an_http_exception_is_a_problem_document() -> None:
    answer = answer_of(HTTPException(404, "There is no such order."))

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such order.",
        "request_id": "abc-1",
    }


def test_a_detail_that_says_no_more_than_the_title_is_left_out() -> None:
    assert "detail" not in answer_of(HTTPException(404)).document


def test_a_detail_that_is_no_text_becomes_details() -> None:
    assert answer_of(HTTPException(409, {"code": 7})).document["details"] == {"code": 7}


def test_the_headers_of_an_http_exception_are_sent() -> None:
    assert answer_of(HTTPException(429, headers={"Retry-After": "3"})).headers["retry-after"] == "3"


@pytest.mark.parametrize(("status", "title"), [(418, "I'm a Teapot"), (499, "Error"), (599, "Error")])
def test_every_status_has_a_title(status: int, title: str) -> None:
    assert answer_of(HTTPException(status)).document["title"] == title


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    assert answer_of(HTTPException(status)).body == b""


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/none", 404), ("POST", "/", 405)])
def test_what_the_router_refuses_is_a_problem_document(method: str, path: str, status: int) -> None:
    app = service()

    @app.get("/")
    async def handler() -> None:
        """An answer."""

    answer = asyncio.run(ask(app, method, path))

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.document["request_id"] == answer.headers["x-request-id"]


def orders() -> FastAPI:
    app: FastAPI = service()

    @app.post("/orders/{key}")
    async def handler(key: int, order: Order, page: int = 1) -> None:
        """An order."""

    return app


def test_refused_input_names_each_place_and_rule() -> None:
    with TestClient(orders()) as client:
        answer = client.post("/orders/x", json={"quantity": 10, "email": "a@b"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "The request does not match the API's description."
    assert [(error["loc"], error["type"]) for error in answer.json()["errors"]] == [
        (["path", "key"], "int_parsing"),
        (["body", "quantity"], "less_than_equal"),
        (["body", "size"], "missing"),
    ]
    assert all(set(error) == {"loc", "msg", "type"} for error in answer.json()["errors"])


@pytest.mark.parametrize(
    "request_",
    [
        {"url": "/orders/hunter2", "json": {}},
        {"url": "/orders/1?page=hunter2", "json": {}},
        {"url": "/orders/1", "json": {"quantity": "hunter2", "size": "hunter2", "email": "hunter2"}},
        {"url": "/orders/1", "json": {"pet": {"kind": "hunter2"}}},
        {"url": "/orders/1", "json": {"pet": {"kind": "cat", "lives": "hunter2"}}},
        {"url": "/orders/1", "json": ["hunter2"]},
        {"url": "/orders/1", "content": b"{hunter2"},
        {"url": "/orders/1", "content": b"hunter2", "headers": {"Content-Type": "text/plain"}},
        {"url": "/hunter2"},
    ],
    ids=str,
)
def test_no_value_that_the_caller_sent_is_sent_back_or_logged(log_lines: Any, request_: dict[str, Any]) -> None:
    with TestClient(orders()) as client:
        answer = client.post(**request_)

    assert answer.status_code in (404, 422)
    assert "hunter2" not in answer.text
    assert not [line for line in log_lines.lines if line["logger"] != "httpx2" and "hunter2" in str(line)]


@pytest.mark.parametrize("kind", ["type", "response", "key"])
def test_an_error_of_the_service_tells_nothing_of_its_inside(kind: str) -> None:
    app = service()

    @app.get("/", response_model=Order if kind == "response" else None)
    async def handler() -> Any:
        if kind == "response":
            return {"quantity": "hunter2"}
        raise {"type": TypeError, "key": KeyError}[kind]("hunter2")

    answer = asyncio.run(ask(app))

    assert answer.status == 500
    for inside in (b"hunter2", b"Traceback", b"Error(", b"test_problems"):
        assert inside not in answer.body


def test_a_problem_may_be_made_outside_of_a_request() -> None:
    assert ops.problems.Problem(404).body == b'{"type":"about:blank","title":"Not Found","status":404}'


def test_problems_are_described_in_the_openapi_document() -> None:
    document = orders().openapi()

    responses = document["paths"]["/orders/{key}"]["post"]["responses"]
    assert list(responses["4XX"]["content"]) == ["application/problem+json"]
    assert list(responses["5XX"]["content"]) == ["application/problem+json"]


def test_the_openapi_document_does_not_describe_another_form_of_error() -> None:
    responses = orders().openapi()["paths"]["/orders/{key}"]["post"]["responses"]

    assert "application/json" not in responses.get("422", {"content": {}})["content"]


def test_the_owners_own_answers_are_left_alone() -> None:
    app = service()

    @app.get("/")
    async def handler() -> Response:
        return Response("nope", 404, media_type="text/plain")

    answer = asyncio.run(ask(app))

    assert (answer.status, answer.body) == (404, b"nope")


def test_a_mounted_application_answers_with_problems_too(log_lines: Any) -> None:
    mounted = FastAPI()

    @mounted.get("/items/{item}")
    async def get_item(item: int) -> int:
        return 1 // item

    app = service()
    app.mount("/sub", mounted)
    client = TestClient(app, raise_server_exceptions=False)
    answers = {path: client.get(f"/sub{path}") for path in ("/nowhere", "/items/x", "/items/0")}

    assert [answer.status_code for answer in answers.values()] == [404, 422, 500]
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert len(log_lines.named("unhandled exception")) == 1


def test_a_mounted_application_keeps_the_handlers_of_its_owner() -> None:
    mounted = FastAPI()

    @mounted.exception_handler(404)
    @mounted.exception_handler(Exception)
    async def own(*_: object) -> PlainTextResponse:
        return PlainTextResponse("own", 404)

    app = service()
    app.mount("/sub", mounted)

    assert TestClient(app).get("/sub/nowhere").text == "own"

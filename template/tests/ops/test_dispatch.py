"""The dispatcher answers as FastAPI's own router does: whatever the routes, whatever is asked."""

from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import Mount, Route

from . import ops


def seen(request: Request) -> dict[str, Any]:
    """What a handler and its dependencies can see of the routing."""
    route = request.scope["route"]
    return {
        "path": route.path,
        "name": route.name,
        "params": request.path_params,
        "endpoint": request.scope["endpoint"].__name__,
        "url": str(request.url_for("leaf", number=1)),
    }


class Shouting(APIRoute):
    """A route class of an owner's that matches in its own way."""

    def matches(self, scope: Any) -> Any:
        return super().matches({**scope, "path": scope["path"].lower()})


def routes() -> APIRouter:
    leaf = APIRouter(prefix="/leaf")

    @leaf.get("/{number:int}", name="leaf")
    async def get_leaf(request: Request, number: int) -> dict[str, Any]:
        return {**seen(request), "number": number}

    @leaf.post("/{number:int}")
    async def post_leaf(request: Request, number: int) -> dict[str, Any]:
        return {**seen(request), "number": number}

    async def refuse(token: str = "") -> str:
        return token

    branch = APIRouter(prefix="/branch", dependencies=[Depends(refuse)])
    branch.include_router(leaf, prefix="/{side}")
    shouting = APIRouter(route_class=Shouting)

    @shouting.get("/loud")
    async def loud() -> str:
        return "LOUD"

    tree = APIRouter()

    @tree.get("/first")
    async def first(request: Request) -> dict[str, Any]:
        return seen(request)

    tree.include_router(leaf)
    tree.include_router(branch, prefix="/v1", tags=["v1"])
    tree.include_router(branch, prefix="/v2")

    @tree.get("/before/{rest:path}")
    def before(rest: str) -> str:
        return rest

    tree.include_router(shouting)

    @tree.get("/both")
    async def both(request: Request) -> str:
        return request.method

    @tree.get("/files/{name}.{kind}")
    async def file(name: str, kind: str) -> list[str]:
        return [name, kind]

    return tree


def filled(app: FastAPI) -> FastAPI:
    async def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"plain {request.method}")

    mounted = FastAPI()

    @mounted.get("/inside/{what}")
    async def inside(what: str) -> str:
        return what

    app.include_router(routes())
    app.router.routes.append(Route("/plain", plain, methods=["GET", "POST"]))
    app.router.routes.append(Mount("/mounted", mounted))

    @app.get("/last/{anything:path}")
    async def last(request: Request, anything: str) -> dict[str, Any]:
        return {**seen(request), "anything": anything}

    return app


ASKED = [
    (method, path)
    for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE")
    for path in (
        "/first",
        "/first/",
        "/leaf/7",
        "/leaf/x",
        "/leaf/",
        "/v1/branch/left/leaf/3",
        "/v2/branch/ri%20ght/leaf/03",
        "/v1/branch/a/b/leaf/3",
        "/before/a/b/c",
        "/before/",
        "/loud",
        "/LOUD",
        "/both",
        "/files/a.b.c",
        "/plain",
        "/mounted/inside/x",
        "/mounted/nothing",
        "/last/x",
        "/last/",
        "/nowhere",
        "/",
        "/openapi.json",
        "/docs",
        "/last/%2F%C3%A6",
        "//first",
    )
]


@pytest.fixture(scope="module")
def both_clients() -> tuple[TestClient, TestClient]:
    """The same routes in FastAPI as it comes, and in a service."""
    bare = filled(FastAPI(responses=ops.problems.RESPONSES))
    ops.problems.install(bare)
    ops.problems.install_in_mounted(bare)
    return TestClient(bare), TestClient(filled(ops.service.create_service(ops.settings.OpsSettings())))


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_every_answer_is_that_of_fastapis_own_router(
    both_clients: tuple[TestClient, TestClient], method: str, path: str
) -> None:
    theirs, ours = (client.request(method, path, follow_redirects=False) for client in both_clients)
    ids = {"request_id": None} if theirs.headers.get("content-type") == "application/problem+json" else {}

    assert ours.status_code == theirs.status_code
    assert ours.headers.get("content-type") == theirs.headers.get("content-type")
    assert ours.headers.get("location") == theirs.headers.get("location")
    assert ours.headers.get("allow") == theirs.headers.get("allow")
    if path in ("/openapi.json", "/docs"):
        return
    if ids and method != "HEAD":
        assert {**ours.json(), **ids} == {**theirs.json(), **ids}
    else:
        assert ours.content == theirs.content


class RefusedError(Exception):
    """An owner's exception."""


def raising(app: FastAPI) -> FastAPI:
    """What a route may raise, with handlers of an owner's."""

    @app.exception_handler(RefusedError)
    async def handled(request: Request, error: RefusedError) -> PlainTextResponse:
        return PlainTextResponse(f"handled {error}", 418)

    @app.exception_handler(409)
    async def conflict(*_: object) -> PlainTextResponse:
        return PlainTextResponse("conflict", 409)

    @app.get("/{what}")
    async def raise_it(what: str) -> None:
        if what == "own":
            raise RefusedError("by the route")
        raise HTTPException(int(what), "by the route")

    return app


@pytest.mark.parametrize("path", ["/own", "/409", "/404", "/500", "/204", "/x/y"])
def test_what_is_raised_is_handled_as_by_fastapi(path: str) -> None:
    bare = raising(FastAPI())
    ops.problems.install(bare)
    theirs = TestClient(bare, raise_server_exceptions=False).get(path)
    ours = TestClient(raising(ops.service.create_service(ops.settings.OpsSettings()))).get(path)

    assert ours.status_code == theirs.status_code
    assert ours.headers.get("content-type") == theirs.headers.get("content-type")
    assert ours.text[:12] == theirs.text[:12]


def test_a_route_that_is_added_after_the_first_request_is_found() -> None:
    app: FastAPI = ops.service.create_service(ops.settings.OpsSettings())
    client = TestClient(app)
    client.get("/")

    @app.get("/late")
    async def late() -> str:
        return "late"

    assert client.get("/late").json() == "late"


def test_dependency_overrides_hold() -> None:
    app: FastAPI = ops.service.create_service(ops.settings.OpsSettings())

    async def real() -> str:
        return "real"

    router = APIRouter()

    @router.get("/d")
    async def depending(value: str = Depends(real)) -> str:
        return value

    app.include_router(router, prefix="/x")
    app.dependency_overrides[real] = lambda: "fake"

    assert TestClient(app).get("/x/d").json() == "fake"


def test_a_prefix_that_the_gateway_strips_is_known_to_urls_and_to_operational_routes() -> None:
    app = filled(ops.service.create_service(ops.settings.OpsSettings()))
    client = TestClient(app, root_path="/api")

    assert client.get("/first").json()["url"].endswith("/api/leaf/1")
    assert client.get("/livez").status_code == 200


def test_plain_routes_are_really_dispatched_here(monkeypatch: pytest.MonkeyPatch) -> None:
    app = filled(ops.service.create_service(ops.settings.OpsSettings()))

    async def unexpected(*_: object) -> None:
        raise AssertionError("FastAPI's router was asked")

    client = TestClient(app)
    client.get("/")
    monkeypatch.setattr(type(app.router), "__call__", unexpected)

    assert client.get("/v1/branch/left/leaf/3").json()["number"] == 3

"""The operational routes, word for word."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from . import TOKEN, ask, ops, service

PATHS = ["/livez", "/readyz", "/status", "/metrics", "/version"]


def status(*tokens: str) -> Any:
    return ops.settings.StatusSettings(tokens=list(tokens))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(service(status=status(TOKEN))) as client:
        yield client


# --- probes


def test_livez_answers_while_the_process_can(client: TestClient) -> None:
    answer = client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_readyz_is_terse(client: TestClient) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.content) == (200, b'{"status":"pass"}')


def test_the_service_is_alive_and_not_ready_before_it_has_started() -> None:
    app = service()

    assert asyncio.run(ask(app, path="/readyz")).status == 503
    assert asyncio.run(ask(app, path="/livez")).status == 200


def test_the_service_is_not_ready_once_it_has_stopped() -> None:
    app = service()
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200

    assert asyncio.run(ask(app, path="/readyz")).status == 503


def test_the_service_is_not_ready_when_its_start_failed() -> None:
    async def run() -> int:
        app = service(lifespan=_broken)
        messages: list[Any] = [{"type": "lifespan.startup"}]

        async def receive() -> Any:
            return messages.pop()

        async def send(message: Any) -> None:
            assert message["type"] == "lifespan.startup.failed"

        with pytest.raises(ValueError, match="no start"):
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
        return (await ask(app, path="/readyz")).status

    assert asyncio.run(run()) == 503


def _broken(_: Any) -> Any:
    raise ValueError("no start")


def test_while_draining_readiness_fails_and_liveness_does_not(client: TestClient, lifecycle: Any) -> None:
    lifecycle.drain()

    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200
    answer = client.get("/status", headers=bearer(TOKEN))
    assert (answer.status_code, answer.json()["phase"], answer.json()["status"]) == (503, "draining", "fail")


def test_while_draining_every_answer_asks_to_close_the_connection(client: TestClient, lifecycle: Any) -> None:
    assert "connection" not in client.get("/none").headers
    lifecycle.drain()

    assert client.get("/none").headers["connection"] == "close"
    assert client.get("/livez").headers["connection"] == "close"


# --- version


def test_version_tells_what_runs() -> None:
    build = ops.settings.BuildSettings(commit="abc123", time="2026-01-31T12:00:00Z")
    with TestClient(service(build=build)) as client:
        answer = client.get("/version")

    about = ops.about.ABOUT
    assert answer.json() == {
        "name": about.name,
        "version": about.version,
        "commit": "abc123",
        "build_time": "2026-01-31T12:00:00Z",
    }


# --- status


def test_status_is_closed_when_no_token_is_configured() -> None:
    with TestClient(service()) as client:
        answer = client.get("/status", headers=bearer("any"))

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == (
        "No status token is configured, so nobody may read this. Set APP_STATUS__TOKENS."
    )


@pytest.mark.parametrize(
    ("given", "challenge"),
    [
        (None, 'Bearer realm="status"'),
        ("", 'Bearer realm="status"'),
        ("Bearer", 'Bearer realm="status"'),
        ("Bearer ", 'Bearer realm="status"'),
        (f"Basic {TOKEN}", 'Bearer realm="status"'),
        (TOKEN, 'Bearer realm="status"'),
        ("Bearer wrong", 'Bearer realm="status", error="invalid_token"'),
        (f"Bearer {TOKEN}x", 'Bearer realm="status", error="invalid_token"'),
        (f"Bearer {TOKEN[:-1]}", 'Bearer realm="status", error="invalid_token"'),
        (f"Bearer {TOKEN.upper()}", 'Bearer realm="status", error="invalid_token"'),
        (f"Bearer sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}", 'Bearer realm="status", error="invalid_token"'),
    ],
)
def test_status_needs_a_valid_token(client: TestClient, given: str | None, challenge: str) -> None:
    answer = client.get("/status", headers={} if given is None else {"Authorization": given})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    assert answer.headers["content-type"] == "application/problem+json"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("given", [b"Bearer \xff\xfe", b"\xff", b"Bearer " + b"x" * 10_000])
def test_a_token_of_odd_bytes_is_refused(given: bytes) -> None:
    app = service(status=status(TOKEN))

    assert asyncio.run(ask(app, path="/status", headers=[(b"authorization", given)])).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_status_is_open_to_a_valid_token(client: TestClient, scheme: str) -> None:
    answer = client.get("/status", headers={"Authorization": f"{scheme} {TOKEN}"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.headers["cache-control"] == "no-store"


def test_a_token_may_be_configured_by_its_hash() -> None:
    hashed = "sha256:" + hashlib.sha256(b"a-token-known-by-its-hash").hexdigest().upper()
    with TestClient(service(status=status(hashed))) as client:
        assert client.get("/status", headers=bearer("a-token-known-by-its-hash")).status_code == 200
        assert client.get("/status", headers=bearer(hashed)).status_code == 401


def test_all_tokens_are_valid_at_once_so_that_they_can_be_rotated() -> None:
    with TestClient(service(status=status("the-old-token-of-2025", "the-new-token-of-2026"))) as client:
        codes = [
            client.get("/status", headers=bearer(token)).status_code
            for token in ("the-old-token-of-2025", "the-new-token-of-2026", "the-next-token-of-2027")
        ]

    assert codes == [200, 200, 401]


def test_status_tells_all_there_is_to_know() -> None:
    async def ping() -> None:
        """A dependency that works."""

    app = service(status=status(TOKEN), checks=[ops.Check("db", ping)])
    with TestClient(app) as client:
        client.get("/livez")
        document = client.get("/status", headers=bearer(TOKEN)).json()

    assert (document["status"], document["phase"]) == ("pass", "serving")
    assert document["serviceId"] == ops.about.ABOUT.name
    assert document["releaseId"] == ops.about.ABOUT.version
    assert document["workers"] == [{"worker": "0", "pid": os.getpid(), "ready": True}]
    assert document["uptime_seconds"] > 0
    (check,) = document["checks"]["db"]
    assert (check["status"], check["state"], check["critical"], check["observedUnit"]) == ("pass", "pass", True, "ms")
    assert 0 <= check["age_seconds"] < 5
    assert abs((datetime.now(UTC) - datetime.fromisoformat(check["time"])).total_seconds()) < 5


def test_status_names_what_is_wrong() -> None:
    async def fail() -> None:
        raise ConnectionError("refused")

    app = service(status=status(TOKEN), checks=[ops.Check("db", fail, failure_threshold=1)])
    with TestClient(app) as client:
        client.get("/livez")
        answer = client.get("/status", headers=bearer(TOKEN))

    assert answer.status_code == 503
    assert answer.json()["status"] == "fail"
    assert answer.json()["checks"]["db"][0]["output"] == "ConnectionError: refused"


# --- all of them


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_as_get_is(client: TestClient, path: str) -> None:
    asked, headed = (client.request(method, path, headers=bearer(TOKEN)) for method in ("GET", "HEAD"))

    assert (headed.status_code, headed.content) == (asked.status_code, b"")
    assert headed.headers["content-type"] == asked.headers["content-type"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(client: TestClient, path: str, method: str) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", PATHS)
def test_the_operational_routes_carry_the_requests_ids(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"


def test_the_operational_routes_are_not_in_the_openapi_document(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["paths"] == {}


def test_the_operational_routes_are_not_in_the_histogram(client: TestClient) -> None:
    for path in PATHS:
        client.get(path)

    routes = {
        sample.labels["http_route"]
        for family in REGISTRY.collect()
        if family.name == "http_server_request_duration_seconds"
        for sample in family.samples
    }
    assert not routes & set(PATHS)


def test_the_operational_routes_are_in_the_access_log_at_debug_only(log_lines: Any) -> None:
    with TestClient(service()) as client:
        client.get("/livez")
        client.get("/none")

    assert [(line["level"], line["http_route"]) for line in log_lines.named("request")] == [
        ("debug", "/livez"),
        ("info", "_UNMATCHED"),
    ]


def test_no_middleware_of_the_service_gets_in_the_way() -> None:
    app = service()

    @app.middleware("http")
    async def refuse(request: Any, call_next: Any) -> Any:
        raise ValueError("in the way")

    with TestClient(app) as client:
        assert [client.get(path).status_code for path in PATHS] == [200, 200, 403, 200, 200]


def test_no_limit_gets_in_the_way() -> None:
    app = service(limits=ops.settings.LimitSettings(concurrent_requests=1, request_body_bytes=0))

    async def run() -> list[int]:
        inside, done = asyncio.Event(), asyncio.Event()

        @app.get("/slow")
        async def slow() -> None:
            inside.set()
            await done.wait()

        held = asyncio.create_task(ask(app, path="/slow"))
        await inside.wait()
        found = [(await ask(app, path=path)).status for path in ("/livez", "/version", "/metrics", "/slow")]
        done.set()
        await held
        return found

    assert asyncio.run(run()) == [200, 200, 200, 503]


def test_an_operational_route_that_fails_is_a_problem(log_lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(ops.metrics.Exposition, "render", fail)
    answer = asyncio.run(ask(service(), path="/metrics"))

    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert b"no disk" not in answer.body
    assert log_lines.named("an operational route failed")[0]["exception_message"] == "no disk"


async def nothing() -> None:
    """A route's answer."""


@pytest.mark.parametrize("path", PATHS)
def test_a_route_of_the_service_can_not_take_an_operational_path(path: str) -> None:
    app = service()
    app.get(path)(nothing)

    with pytest.raises(RuntimeError, match=f"{path}: this path is the template's"):
        asyncio.run(ask(app))


def test_a_route_of_a_router_can_not_take_an_operational_path() -> None:
    app, router = service(), APIRouter()
    router.get("/status")(nothing)
    app.include_router(router)

    with pytest.raises(RuntimeError, match="/status: this path is the template's"):
        asyncio.run(ask(app))


def test_a_route_that_ends_like_an_operational_path_is_the_services_own() -> None:
    app, router = service(), APIRouter()
    router.get("/status")(nothing)
    app.include_router(router, prefix="/v1")

    assert asyncio.run(ask(app, path="/v1/status")).status == 200

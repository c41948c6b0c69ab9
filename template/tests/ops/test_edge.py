"""What every request passes first and last: ids, limits, times, and what nobody caught."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from . import ask, ops, requests, sample, service, trickle

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_PARENT = f"00-{_TRACE}-00f067aa0ba902b7-01".encode()


def limits(**values: float) -> Any:
    return ops.settings.LimitSettings(**values)


def access(log_lines: Any) -> list[Any]:
    """Route, status and level of each access line."""
    return [
        (line["http_route"], line["http_response_status_code"], line["level"]) for line in log_lines.named("request")
    ]


# --- ids


def test_an_answer_carries_the_callers_request_id() -> None:
    answer = asyncio.run(ask(service(), headers=[(b"x-request-id", b"abc-1")]))

    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.document["request_id"] == "abc-1"


@pytest.mark.parametrize("given", [b"a b", b"", b"x" * 129, b"a\r\nx: y", b"\xff"])
def test_a_hostile_request_id_is_not_sent_back(given: bytes) -> None:
    answer = asyncio.run(ask(service(), headers=[(b"x-request-id", given)]))

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("name", [b"x-request-id", b"traceparent"])
def test_an_id_that_is_given_twice_is_not_taken_over(name: bytes) -> None:
    value = {b"x-request-id": b"abc-1", b"traceparent": _PARENT}[name]
    answer = asyncio.run(ask(service(), headers=[(name, value), (name, value)]))

    assert answer.headers["x-request-id"] != "abc-1"
    assert _TRACE not in answer.headers["traceparent"]


def test_the_trace_goes_on_in_the_handler_and_in_the_answer() -> None:
    app, seen = service(), []

    @app.get("/")
    async def handler() -> None:
        seen.append(ops.context.current.get())

    answer = asyncio.run(
        ask(app, headers=[(b"traceparent", _PARENT), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")])
    )

    assert seen[0].trace_id == _TRACE
    assert seen[0].tracestate == "a=1,b=2"
    assert answer.headers["traceparent"] == f"00-{_TRACE}-{seen[0].span_id}-01"


@pytest.mark.parametrize("parent", [[], [b""], [b"broken"], [_PARENT, _PARENT]], ids=len)
def test_a_tracestate_without_its_trace_is_dropped(parent: list[bytes]) -> None:
    app, seen = service(), []

    @app.get("/")
    async def handler() -> None:
        seen.append(ops.context.current.get().tracestate)

    asyncio.run(ask(app, headers=[*((b"traceparent", each) for each in parent), (b"tracestate", b"a=1")]))

    assert seen == [None]


def test_def_handlers_and_background_tasks_know_their_request(log_lines: Any) -> None:
    app, seen = service(), []

    @app.get("/")
    def handler(tasks: BackgroundTasks) -> None:
        seen.append(ops.context.current.get().request_id)
        tasks.add_task(lambda: seen.append(ops.context.current.get().request_id))

    asyncio.run(ask(app, headers=[(b"x-request-id", b"abc-1")]))

    assert seen == ["abc-1", "abc-1"]
    assert log_lines.named("request")[0]["request_id"] == "abc-1"


def test_requests_at_the_same_time_keep_their_ids_apart() -> None:
    app = service()

    @app.get("/")
    async def handler() -> Any:
        await asyncio.sleep(0.001)
        return ops.context.current.get().request_id

    async def run() -> list[Any]:
        return await asyncio.gather(*(ask(app, headers=[(b"x-request-id", b"%d" % number)]) for number in range(20)))

    assert [answer.document for answer in asyncio.run(run())] == [str(number) for number in range(20)]


def test_after_a_request_there_is_none() -> None:
    async def run() -> Any:
        await ask(service())
        return ops.context.current.get()

    assert asyncio.run(run()) is None


# --- the access line


def test_the_access_line_has_the_fields_of_the_contract(log_lines: Any) -> None:
    app = service()

    @app.get("/items/{key}")
    async def handler(key: str) -> str:
        return key

    with TestClient(app) as client:
        client.get("/items/some-body?name=some-one")

    (line,) = log_lines.named("request")
    assert line["logger"] == "access"
    assert line["http_request_method"] == "GET"
    assert line["http_route"] == "/items/{key}"
    assert line["http_response_status_code"] == 200
    assert 0 < line["duration_ms"] < 5000
    assert not [text for text in map(str, line.values()) if "some-body" in text or "some-one" in text]


def test_the_access_line_does_not_tell_a_method_that_a_caller_made_up(log_lines: Any) -> None:
    asyncio.run(ask(service(), method="JOHNDOE"))

    assert log_lines.named("request")[0]["http_request_method"] == "_OTHER"


def test_access_lines_can_be_switched_off(log_lines: Any) -> None:
    ops.logs.configure(ops.settings.LogSettings(levels={"access": "WARNING"}), ops.about.ABOUT, [log_lines])
    asyncio.run(ask(service()))

    assert log_lines.named("request") == []


# --- the size of a body


def echo() -> Any:
    app = service(limits=limits(request_body_bytes=10))

    @app.post("/")
    async def handler(request: Request) -> int:
        return len(await request.body())

    @app.post("/lines")
    async def lines(request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    @app.post("/model")
    async def model(order: Order) -> str:
        return order.name

    @app.post("/unread")
    async def unread() -> str:
        return "ok"

    return app


class Order(BaseModel):
    name: str


def post(app: Any, path: str, *pieces: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> Any:
    chunked = [(b"transfer-encoding", b"chunked")] if headers is None else headers
    return asyncio.run(ask(app, "POST", path, [(b"content-type", b"application/json"), *chunked], pieces))


@pytest.mark.parametrize("path", ["/", "/lines"])
def test_a_body_of_the_limits_size_passes(path: str) -> None:
    assert post(echo(), path, b"x" * 10, headers=[(b"content-length", b"10")]).document == 10
    assert post(echo(), path, b"x" * 5, b"x" * 5).document == 10


@pytest.mark.parametrize("path", ["/", "/lines", "/model", "/unread", "/none"])
def test_a_body_that_says_it_is_too_large_is_refused_unread(path: str) -> None:
    answer = post(echo(), path, b"", headers=[(b"content-length", b"11")])

    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["detail"] == "The body may have 10 bytes."
    assert answer.headers["x-request-id"] == answer.document["request_id"]


@pytest.mark.parametrize("path", ["/", "/lines", "/model"])
def test_a_body_that_grows_too_large_is_refused(path: str) -> None:
    answer = post(echo(), path, b'{"name":', b'"xxxxxxxxxxxx"}')

    assert (answer.status, answer.document["detail"]) == (413, "The body may have 10 bytes.")


def test_a_body_that_is_longer_than_it_says_is_refused() -> None:
    assert post(echo(), "/", b"x" * 11, headers=[(b"content-length", b"1")]).status == 413


def test_a_body_that_says_that_it_is_empty_is_not_beyond_the_limit() -> None:
    both = [(b"transfer-encoding", b"chunked"), (b"content-length", b"0")]

    assert post(echo(), "/", b"x" * 11, headers=both).status == 413


@pytest.mark.parametrize("length", [b"x", b"-1", b"1e9", b"", b"9" * 5000, "٣".encode()])
def test_a_length_that_is_no_number_does_no_harm(length: bytes) -> None:
    assert post(echo(), "/", b"x" * 5, headers=[(b"content-length", length)]).status in (200, 400, 413)


def test_a_limit_of_zero_lets_requests_without_a_body_pass() -> None:
    app = service(limits=limits(request_body_bytes=0))

    @app.get("/")
    async def handler() -> None:
        """Nothing to read."""

    assert asyncio.run(ask(app)).status == 200
    assert asyncio.run(ask(app, headers=[(b"content-length", b"0")])).status == 200


# --- requests in flight


def test_beyond_the_limit_of_requests_in_flight_a_request_is_refused_at_once() -> None:
    app = service(limits=limits(concurrent_requests=2))

    async def run() -> tuple[Any, Any, list[int]]:
        release = asyncio.Event()

        @app.get("/held")
        async def held() -> None:
            await release.wait()

        tasks = [asyncio.create_task(ask(app, path="/held")) for _ in range(2)]
        await asyncio.sleep(0.01)
        refused, active = await ask(app, path="/held"), sample("http_server_active_requests")
        release.set()
        done = [answer.status for answer in await asyncio.gather(*tasks)]
        return refused, active, [*done, (await ask(app, path="/held")).status]

    refused, active, others = asyncio.run(run())

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert active == 2
    assert others == [200, 200, 200]


# --- time


def test_a_request_that_takes_too_long_is_answered_and_cancelled(log_lines: Any) -> None:
    app, ended = service(limits=limits(request_seconds=0.04)), []

    @app.get("/e-slow")
    async def slow() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append("cancelled")

    answer = asyncio.run(ask(app, path="/e-slow", headers=[(b"x-request-id", b"abc-1")]))

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.document["detail"] == "The request took too long."
    assert answer.document["request_id"] == answer.headers["x-request-id"] == "abc-1"
    assert ended == ["cancelled"]
    assert requests("/e-slow", 503) == 1
    assert log_lines.named("request timed out")[0]["http_route"] == "/e-slow"
    assert access(log_lines) == [("/e-slow", 503, "info")]


def test_a_def_handler_that_takes_too_long_is_answered_in_time() -> None:
    app, answered = service(limits=limits(request_seconds=0.04)), []

    @app.get("/e-def")
    def slow() -> str:
        time.sleep(0.2)
        return "too late"

    async def run() -> Any:
        began = time.monotonic()
        messages: list[Any] = []

        async def send(message: Any) -> None:
            answered.append(time.monotonic() - began)
            messages.append(message)

        async def through(scope: Any, receive: Any, _: Any) -> None:
            await app(scope, receive, send)

        await ask(through, path="/e-def")
        return messages

    start, body = asyncio.run(run())

    assert start["status"] == 503
    assert b"too late" not in body["body"]
    assert answered[-1] < 0.18
    assert requests("/e-def", 503) == 1
    assert sample("http_server_active_requests") == 0


def test_a_handler_that_ignores_its_cancellation_answers_nothing_more(log_lines: Any) -> None:
    app = service(limits=limits(request_seconds=0.03))

    @app.get("/e-stubborn")
    async def slow() -> str:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            return "all the same"
        return "never"

    answer = asyncio.run(ask(app, path="/e-stubborn"))

    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    assert answer.status == 503
    assert access(log_lines) == [("/e-stubborn", 503, "info")]


def test_a_handler_that_fails_at_its_cancellation_answers_nothing_more(log_lines: Any) -> None:
    app = service(limits=limits(request_seconds=0.03))

    @app.get("/e-failing")
    async def slow() -> None:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            raise ValueError("could not stop") from None

    answer = asyncio.run(ask(app, path="/e-failing"))

    assert answer.status == 503
    assert len(answer.messages) == 2
    assert access(log_lines) == [("/e-failing", 503, "info")]


def test_an_answer_that_has_begun_may_take_its_time() -> None:
    app = service(limits=limits(request_seconds=0.03))

    @app.get("/e-stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(trickle("abcdefgh", 0.01))

    answer = asyncio.run(ask(app, path="/e-stream"))

    assert (answer.status, answer.body) == (200, b"abcdefgh")


def test_a_request_that_is_quick_is_not_timed_out_by_a_slow_one() -> None:
    app = service(limits=limits(request_seconds=0.06))

    @app.get("/wait/{seconds}")
    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def run() -> list[int]:
        slow = asyncio.create_task(ask(app, path="/wait/5"))
        await asyncio.sleep(0.04)
        quick = await ask(app, path="/wait/0.04")
        return [quick.status, (await slow).status]

    assert asyncio.run(run()) == [200, 503]


def test_the_time_limit_holds_in_a_second_event_loop() -> None:
    app = service(limits=limits(request_seconds=0.03))

    @app.get("/")
    async def slow() -> None:
        await asyncio.sleep(0.1)

    assert [asyncio.run(ask(app)).status for _ in range(2)] == [503, 503]


@pytest.mark.parametrize("begun", [False, True])
def test_a_request_that_is_cut_when_the_service_stops_is_answered_if_it_can_be(lifecycle: Any, begun: bool) -> None:
    app = service()

    @app.get("/e-cut")
    async def slow() -> StreamingResponse:
        if begun:
            return StreamingResponse(trickle("ab", 10))
        await asyncio.sleep(10)
        raise AssertionError

    async def run() -> Any:
        messages: list[Any] = []

        async def through(scope: Any, receive: Any, send: Any) -> None:
            async def keep(message: Any) -> None:
                messages.append(message)
                await send(message)

            await app(scope, receive, keep)

        task = asyncio.create_task(ask(through, path="/e-cut"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return messages

    messages = asyncio.run(run())

    assert lifecycle.was_cut
    assert messages[0]["status"] == (200 if begun else 503)
    assert sample("http_server_active_requests") == 0


def test_background_tasks_do_not_count_in_the_duration(log_lines: Any) -> None:
    app, order = service(), []

    async def after() -> None:
        await asyncio.sleep(0.1)
        order.append(len(log_lines.named("request")))

    @app.get("/e-background")
    async def handler(tasks: BackgroundTasks) -> None:
        tasks.add_task(after)

    asyncio.run(ask(app, path="/e-background"))

    assert order == [1]
    assert log_lines.named("request")[0]["duration_ms"] < 90


def test_a_stream_counts_until_its_last_byte(log_lines: Any) -> None:
    app = service()

    @app.get("/e-long")
    async def handler() -> StreamingResponse:
        return StreamingResponse(trickle("ab", 0.02))

    asyncio.run(ask(app, path="/e-long"))

    assert log_lines.named("request")[0]["duration_ms"] > 35


# --- what nobody caught


@pytest.mark.parametrize("kind", ["async", "def", "dependency", "middleware"])
def test_an_exception_is_logged_once_and_tells_the_caller_nothing(log_lines: Any, kind: str) -> None:
    app = service()

    async def fail() -> None:
        raise ValueError("the password is hunter2")

    def fail_too() -> None:
        raise ValueError("the password is hunter2")

    if kind == "middleware":

        @app.middleware("http")
        async def broken(request: Any, call_next: Any) -> None:
            raise ValueError("the password is hunter2")

    app.get("/")(fail_too if kind in ("def", "dependency") else fail)
    answer = asyncio.run(ask(app, headers=[(b"x-request-id", b"abc-1")]))

    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The service failed to answer; it has been told what happened.",
        "request_id": "abc-1",
    }
    (line,) = log_lines.named("unhandled exception")
    assert (line["level"], line["exception_type"], line["request_id"]) == ("error", "ValueError", "abc-1")


def test_an_exception_after_the_answer_began_counts_as_500(log_lines: Any) -> None:
    app = service()

    async def break_off() -> AsyncIterator[str]:
        yield "first"
        raise ValueError("half way")

    @app.get("/e-half")
    async def handler() -> StreamingResponse:
        return StreamingResponse(break_off())

    answer = asyncio.run(ask(app, path="/e-half"))

    assert answer.status == 200
    assert [message["type"] for message in answer.messages].count("http.response.start") == 1
    assert answer.messages[-1].get("more_body") is True
    assert requests("/e-half", 500) == 1
    assert access(log_lines) == [("/e-half", 500, "info")]
    assert log_lines.named("unhandled exception")


def test_an_exception_in_a_background_task_is_logged_and_the_answer_counts_as_it_was(log_lines: Any) -> None:
    app = service()

    async def fail() -> None:
        raise ValueError("afterwards")

    @app.get("/e-after")
    async def handler(tasks: BackgroundTasks) -> None:
        tasks.add_task(fail)

    answer = asyncio.run(ask(app, path="/e-after"))

    assert answer.status == 200
    assert requests("/e-after", 200) == 1
    assert requests("/e-after", 500) == 0
    assert log_lines.named("unhandled exception")[0]["exception_message"] == "afterwards"


def test_the_owners_exception_handler_wins() -> None:
    app = service()

    @app.exception_handler(KeyError)
    async def missing(request: Any, error: Exception) -> Any:
        return ops.problems.Problem(404, "There is no such thing.")

    @app.get("/")
    async def handler() -> None:
        raise KeyError

    assert asyncio.run(ask(app)).status == 404


def test_the_owners_handler_of_every_exception_is_used() -> None:
    app = service()

    @app.exception_handler(Exception)
    async def all_of_them(request: Any, error: Exception) -> Any:
        return ops.problems.Problem(502, "Mine.")

    @app.get("/")
    async def handler() -> None:
        raise KeyError

    assert asyncio.run(ask(app)).status == 502


def test_an_application_that_answers_nothing_counts_as_500(log_lines: Any) -> None:
    app = service()

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        """No answer."""

    app.mount("/e-silent", silent)
    asyncio.run(ask(app, path="/e-silent/x"))

    assert [status for _, status, _ in access(log_lines)] == [500]


@pytest.mark.parametrize("path", ["/body", "/model"])
def test_a_client_that_leaves_before_its_body_is_complete_is_no_error(log_lines: Any, path: str) -> None:
    app = service()

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    @app.post("/model")
    async def model(order: Order) -> str:
        return order.name

    headers = [(b"content-length", b"20"), (b"content-type", b"application/json")]
    asyncio.run(ask(app, "POST", path, headers, [b'{"na'], leave=True))

    assert access(log_lines) == [(path, 499, "info")]
    assert log_lines.named("unhandled exception") == []


def test_a_client_that_leaves_during_a_stream_is_no_success(log_lines: Any) -> None:
    app = service()

    @app.get("/e-left")
    async def stream() -> StreamingResponse:
        return StreamingResponse(trickle("abc", 0.05))

    answer = asyncio.run(ask(app, path="/e-left", leave=True))

    assert answer.messages[-1].get("more_body") is not False
    assert access(log_lines) == [("/e-left", 499, "info")]


# --- what else passes


@pytest.mark.parametrize("kind", ["owner", "mounted"])
def test_websockets_pass_with_their_ids(kind: str) -> None:
    app, inner = service(), FastAPI()

    @(app if kind == "owner" else inner).websocket("/ws")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(ops.context.current.get().request_id + await socket.receive_text())
        await socket.close()

    app.mount("/in", inner)
    with (
        TestClient(app) as client,
        client.websocket_connect("/ws" if kind == "owner" else "/in/ws", headers={"X-Request-ID": "abc-1"}) as socket,
    ):
        socket.send_text("!")

        assert socket.receive_text() == "abc-1!"


def test_an_exception_in_a_websocket_is_logged_with_its_ids(log_lines: Any) -> None:
    app = service()

    @app.websocket("/ws")
    async def talk(socket: WebSocket) -> None:
        raise ValueError("oh")

    with TestClient(app) as client, pytest.raises(ValueError, match="oh"):  # noqa: SIM117
        with client.websocket_connect("/ws", headers={"X-Request-ID": "abc-1"}):
            pass

    (line,) = log_lines.named("unhandled exception")
    assert (line["request_id"], line["exception_type"]) == ("abc-1", "ValueError")


def test_the_lifespan_runs_around_the_requests() -> None:
    from contextlib import asynccontextmanager  # noqa: PLC0415

    told = []

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None]:
        told.append("opened")
        yield
        told.append("closed")

    with TestClient(service(lifespan=lifespan)) as client:
        client.get("/livez")
        told.append("asked")

    assert told == ["opened", "asked", "closed"]


def whoami(**options: Any) -> str:
    app = service(**options)

    @app.get("/")
    async def handler(request: Request) -> str:
        return f"{request.url.scheme} {request.client.host if request.client else ''}"

    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]
    return str(asyncio.run(ask(app, headers=headers)).document)


def test_nobody_may_say_who_the_client_is() -> None:
    assert whoami() == "http 127.0.0.1"


def test_a_trusted_proxy_may_say_who_the_client_is() -> None:
    assert whoami(proxies=ops.settings.ProxySettings(trusted=["127.0.0.0/8"])) == "https 203.0.113.9"
    assert whoami(proxies=ops.settings.ProxySettings(trusted=["10.0.0.0/8"])) == "http 127.0.0.1"


def test_a_websocket_that_its_client_closes_is_no_error_and_its_line_has_no_path(log_lines: Any) -> None:
    app = service()

    @app.websocket("/echo/{name}")
    async def echo(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(name + await websocket.receive_text())

    with TestClient(app).websocket_connect("/echo/ada?token=hunter2") as websocket:
        websocket.send_text("x")
        assert websocket.receive_text() == "adax"
    (line,) = log_lines.named("websocket")

    assert line["http_route"] == "/echo/{name}"
    assert not [each for each in log_lines.lines if each["level"] == "error" or "hunter2" in str(each)]

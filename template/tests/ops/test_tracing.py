"""Spans of requests and calls, by a tracer that is played here: the SDK is an optional dependency."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import HTTPException, WebSocket
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from . import ask, ops, sample, service, trickle

_TRACE, _CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_PARENT = (b"traceparent", f"00-{_TRACE}-{_CALLER}-01".encode())
_ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


class Recorded(NonRecordingSpan):
    """A span that keeps what it is told."""

    def __init__(self, context: SpanContext, name: str, kind: Any, parent: SpanContext | None) -> None:
        super().__init__(context)
        self.name, self.kind, self.parent = name, kind, parent
        self.attributes: dict[str, Any] = {}
        self.status: Any = None
        self.ended = 0

    def is_recording(self) -> bool:
        return not self.ended

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: Any) -> None:
        self.attributes.update(attributes)

    def update_name(self, name: str) -> None:
        self.name = name

    def set_status(self, status: Any, description: str | None = None) -> None:
        assert description is None
        self.status = status

    def end(self, end_time: int | None = None) -> None:  # noqa: ARG002 - as it is called
        self.ended += 1


class Tracer:
    """Makes spans as the SDK does: a child of what is in the given context, or else in the current one."""

    def __init__(self) -> None:
        self.spans: list[Recorded] = []
        self.sampled = True

    def start_span(self, name: str, context: Any = None, kind: Any = None) -> Any:
        parent = trace.get_current_span(context).get_span_context()
        trace_id = parent.trace_id if parent.is_valid else 0xABC
        ids = SpanContext(trace_id, 0xDEF + len(self.spans), is_remote=False, trace_flags=TraceFlags(self.sampled))
        if not self.sampled:
            return NonRecordingSpan(ids)
        self.spans.append(Recorded(ids, name, kind, parent if parent.is_valid else None))
        return self.spans[-1]


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracer]:
    """Tracing that is on, with spans that can be looked at."""
    from importlib import import_module  # noqa: PLC0415

    spans = import_module(f"{ops.__name__}.spans")
    tracing = ops.tracing.TRACING
    played = Tracer()
    monkeypatch.setattr(tracing, "tracer", played)
    monkeypatch.setattr(tracing, "edge", spans.TracedEdge)
    monkeypatch.setattr(tracing, "call", spans.Call)
    yield played
    assert [span.ended for span in played.spans] == [1] * len(played.spans)


# --- requests


def test_a_request_is_a_span_named_by_its_route(tracer: Tracer) -> None:
    app = service()

    @app.get("/v1/items/{item}")
    async def handler(item: str) -> None:
        """It answers."""

    asyncio.run(ask(app, path="/v1/items/kari@example.org"))

    (span,) = tracer.spans
    assert (span.name, span.kind.name, span.parent, span.status) == ("GET /v1/items/{item}", "SERVER", None, None)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/items/{item}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
    }


def test_a_span_goes_on_with_the_callers_trace(tracer: Tracer) -> None:
    answer = asyncio.run(ask(service(), headers=[_PARENT]))

    (span,) = tracer.spans
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (_TRACE, _CALLER)
    assert span.parent.is_remote
    assert span.parent.trace_flags.sampled
    assert answer.headers["traceparent"] == f"00-{_TRACE}-{span.get_span_context().span_id:016x}-01"


def test_log_lines_and_the_answer_have_the_spans_ids(tracer: Tracer, log_lines: Any) -> None:
    answer = asyncio.run(ask(service()))

    ids = tracer.spans[0].get_span_context()
    (line,) = log_lines.named("request")
    assert (line["trace_id"], line["span_id"]) == (f"{ids.trace_id:032x}", f"{ids.span_id:016x}")
    assert answer.headers["traceparent"] == f"00-{line['trace_id']}-{line['span_id']}-01"


def test_what_is_not_sampled_says_so_to_others(tracer: Tracer) -> None:
    tracer.sampled = False
    answer = asyncio.run(ask(service(), headers=[_PARENT]))

    assert answer.headers["traceparent"].endswith("-00")


def test_the_span_is_the_current_one_in_the_handler_and_no_longer(tracer: Tracer) -> None:
    app, seen = service(), []

    @app.get("/")
    async def handler() -> None:
        seen.append(trace.get_current_span())

    async def run() -> Any:
        await ask(app)
        return trace.get_current_span()

    after = asyncio.run(run())

    assert seen == tracer.spans
    assert not after.get_span_context().is_valid


def test_a_failure_tells_the_exceptions_type_and_not_its_text(tracer: Tracer) -> None:
    app = service()

    @app.get("/")
    async def handler() -> None:
        raise LookupError("kari@example.org")

    asyncio.run(ask(app))

    (span,) = tracer.spans
    assert (span.status.name, span.attributes["error.type"]) == ("ERROR", "LookupError")
    assert span.attributes["http.response.status_code"] == 500
    assert "kari" not in repr(span.attributes)


@pytest.mark.parametrize(("status", "error"), [(503, "503"), (404, None), (400, None)])
def test_only_a_failure_of_the_service_is_an_error(tracer: Tracer, status: int, error: str | None) -> None:
    app = service()

    @app.get("/")
    async def handler() -> None:
        raise HTTPException(status)

    asyncio.run(ask(app))

    (span,) = tracer.spans
    assert span.attributes.get("error.type") == error
    assert (span.status is not None) == (error is not None)


def test_what_a_caller_makes_up_is_not_in_a_span(tracer: Tracer) -> None:
    asyncio.run(ask(service(), "KARI", "/kari", [(b"host", b"kari.example"), (b"x-request-id", b"kari")]))

    (span,) = tracer.spans
    assert span.name == "HTTP"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert "kari" not in repr(span.attributes).lower()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/status", "/metrics", "/version"])
def test_operational_routes_make_no_spans(tracer: Tracer, path: str) -> None:
    asyncio.run(ask(service(), path=path))

    assert tracer.spans == []


def test_a_request_that_is_refused_has_a_span(tracer: Tracer) -> None:
    headers = [(b"content-length", b"99999999")]
    asyncio.run(ask(service(), "POST", headers=headers, body=[b"x"]))

    assert tracer.spans[0].attributes["http.response.status_code"] == 413


def test_a_stream_ends_its_span_with_the_last_piece(tracer: Tracer) -> None:
    app, seen = service(), []

    @app.get("/")
    async def handler() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            async for piece in trickle(["a", "b"]):
                seen.append(tracer.spans[0].ended)
                yield piece

        return StreamingResponse(body())

    asyncio.run(ask(app))

    assert seen == [0, 0]


def test_a_stream_that_breaks_off_is_an_error(tracer: Tracer) -> None:
    app = service()

    @app.get("/")
    async def handler() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield "a"
            raise LookupError

        return StreamingResponse(body())

    asyncio.run(ask(app))

    assert tracer.spans[0].attributes["error.type"] == "LookupError"


def test_a_request_that_is_cancelled_ends_its_span(tracer: Tracer, lifecycle: Any) -> None:
    app = service()

    @app.get("/")
    async def handler() -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.create_task(ask(app))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())

    assert tracer.spans[0].attributes["http.response.status_code"] == 503


def test_a_request_that_times_out_ends_its_span(tracer: Tracer) -> None:
    app = service(limits=ops.settings.LimitSettings(request_seconds=0.05))

    @app.get("/")
    async def handler() -> None:
        await asyncio.sleep(60)

    asyncio.run(ask(app))

    assert tracer.spans[0].attributes["http.response.status_code"] == 503


@pytest.mark.parametrize("broken", ["start_span", "set_attributes", "end"])
def test_a_broken_tracer_fails_no_request(tracer: Tracer, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no span today")

    monkeypatch.setattr(tracer if broken == "start_span" else Recorded, broken, fail)
    app = service()

    @app.get("/")
    async def handler() -> None:
        """It answers."""

    answer = asyncio.run(ask(app))
    tracer.spans.clear()

    assert answer.status == 200


# --- websockets


def talking(tracer: Tracer, *, fail: bool = False, accept: bool = True) -> Recorded:
    app = service()

    @app.websocket("/talk/{room}")
    async def talk(websocket: WebSocket, room: str) -> None:
        if accept:
            await websocket.accept()
            await websocket.send_text(str(trace.get_current_span() is tracer.spans[0]))
        if fail:
            raise LookupError("kari")
        await websocket.close()

    client = TestClient(app)
    try:
        with client.websocket_connect("/talk/1") as websocket:
            assert websocket.receive_text() == "True"
            websocket.receive_text()
    except (LookupError, WebSocketDisconnect):
        pass
    return tracer.spans[0]


def test_a_websocket_is_a_span_until_it_is_closed(tracer: Tracer) -> None:
    span = talking(tracer)

    assert (span.name, span.kind.name, span.status) == ("GET /talk/{room}", "SERVER", None)
    assert span.attributes["http.response.status_code"] == 101


def test_a_websocket_that_fails_is_an_error(tracer: Tracer) -> None:
    span = talking(tracer, fail=True)

    assert (span.status.name, span.attributes["error.type"]) == ("ERROR", "LookupError")


def test_a_websocket_that_is_refused_says_so(tracer: Tracer) -> None:
    assert talking(tracer, accept=False).attributes["http.response.status_code"] == 403


# --- calls


def call(answers: list[Any], method: str = "GET", url: str = "http://shop:8080/x?email=kari", **options: Any) -> Any:
    """Call a peer that gives these answers; returns the requests it got."""
    asked = []

    async def peer(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.headers))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer)

    async def run() -> None:
        transport = httpx2.MockTransport(peer)
        async with ops.http_client("shop", transport=transport, backoff_seconds=0, **options) as client:
            await client.request(method, url)

    asyncio.run(run())
    return asked


def test_a_call_is_a_span_that_the_peer_goes_on_from(tracer: Tracer) -> None:
    (asked,) = call([200])

    (span,) = tracer.spans
    ids = span.get_span_context()
    assert asked["traceparent"] == f"00-{ids.trace_id:032x}-{ids.span_id:016x}-01"
    assert (span.name, span.kind.name, span.status) == ("GET", "CLIENT", None)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "peer.service": "shop",
        "server.address": "shop",
        "server.port": 8080,
    }


def test_a_call_in_a_request_is_its_child(tracer: Tracer) -> None:
    app, asked = service(), []

    @app.get("/")
    def handler() -> None:
        asked.extend(call([200]))

    asyncio.run(ask(app, headers=[_PARENT, (b"tracestate", b"a=1"), (b"x-request-id", b"r-1")]))

    outer, inner = tracer.spans
    assert inner.parent == outer.get_span_context()
    assert asked[0]["traceparent"] == f"00-{_TRACE}-{inner.get_span_context().span_id:016x}-01"
    assert (asked[0]["tracestate"], asked[0]["x-request-id"]) == ("a=1", "r-1")


def test_each_attempt_is_a_span(tracer: Tracer) -> None:
    asked = call([503, httpx2.ConnectError("no"), 200])

    said = [
        (span.attributes.get("http.request.resend_count"), span.attributes.get("error.type")) for span in tracer.spans
    ]
    assert said == [(None, "503"), (1, "ConnectError"), (2, None)]
    assert len({each["traceparent"] for each in asked}) == 3


def test_a_refused_call_is_an_error_of_the_caller(tracer: Tracer) -> None:
    call([404])

    assert tracer.spans[0].status.name == "ERROR"
    assert tracer.spans[0].attributes["error.type"] == "404"


@pytest.mark.parametrize(("url", "port"), [("http://shop/x", 80), ("https://shop/x", 443)])
def test_a_port_that_is_not_named_is_known(tracer: Tracer, url: str, port: int) -> None:
    call([200], url=url)

    assert tracer.spans[0].attributes["server.port"] == port


def test_a_call_that_is_cancelled_ends_its_span(tracer: Tracer) -> None:
    async def hang(_: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def run() -> None:
        async with ops.http_client("shop", "http://shop", transport=httpx2.MockTransport(hang)) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get("/x"), 0.03)

    asyncio.run(run())

    assert tracer.spans[0].attributes["error.type"] == "cancelled"


# --- whether, and what is refused


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (_ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/v1/traces"}, True),
        ({**_ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({**_ENDPOINT, "OTEL_SDK_DISABLED": "True "}, False),
        ({**_ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
        ({**_ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**_ENDPOINT, "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_the_standard_variables_say_whether(variables: dict[str, str], on: bool) -> None:
    assert ops.tracing.wanted(variables) == on


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "http/protobuf or grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318", "URL"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "always_on, always_off"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip, deflate or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "seconds"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0", "seconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan", "seconds"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "file"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "whole number"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "whole number"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9" * 20, "whole number"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    ],
)
def test_a_value_that_nobody_would_understand_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setattr(ops.tracing, "_installed", lambda _: True)
    (problem,) = ops.tracing.problems({**_ENDPOINT, name: value})

    assert said in problem
    assert name in problem


@pytest.mark.parametrize("argument", ["1.5", "-0.1", "half", "nan"])
def test_a_ratio_is_from_0_to_1(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    monkeypatch.setattr(ops.tracing, "_installed", lambda _: True)
    sampler = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": argument}

    assert len(ops.tracing.problems({**_ENDPOINT, **sampler})) == 1


def test_what_the_sdk_understands_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ops.tracing, "_installed", lambda _: True)
    (tmp_path / "ca.pem").touch()
    given = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "ca.pem"),
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
        "OTEL_BSP_MAX_QUEUE_SIZE": "4096",
    }

    assert ops.tracing.problems({**_ENDPOINT, **given}) == []


@pytest.mark.parametrize(("protocol", "package"), [("http/protobuf", "proto-http"), ("grpc", "proto-grpc")])
def test_missing_packages_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, protocol: str, package: str
) -> None:
    monkeypatch.setattr(ops.tracing, "_installed", lambda _: False)
    variables = {**_ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    with pytest.raises(ops.configuration.ConfigurationError) as refused:
        ops.configuration.load(ops.OpsSettings, variables)

    (problem,) = refused.value.problems
    assert f'uv add "opentelemetry-sdk" "opentelemetry-exporter-otlp-{package}"' in problem


def test_a_refused_endpoint_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.tracing, "_installed", lambda _: True)
    (problem,) = ops.tracing.problems({"OTEL_EXPORTER_OTLP_ENDPOINT": "user:hunter2@collector"})

    assert "hunter2" not in problem


def test_without_an_endpoint_nothing_is_checked() -> None:
    assert ops.tracing.problems({"OTEL_TRACES_SAMPLER": "sometimes"}) == []


# --- delivery


class Exporter:
    """Takes batches, or does not."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.works, self.shut, self.asked = True, 0, 0

    def export(self, spans: list[Any]) -> str:
        self.asked += not self.shut
        self.taken += spans if self.works else []
        return "success" if self.works else "failure"

    def shutdown(self) -> None:
        self.shut += 1


class Processor:
    """The SDK's, without its thread."""

    def __init__(self, delivery: Any) -> None:
        self.delivery = delivery
        self.queue: list[Any] = []

    def on_end(self, span: Any) -> None:
        self.queue.append(span)

    def flush(self) -> Any:
        batch, self.queue = self.queue, []
        return self.delivery.export(batch)

    def shutdown(self) -> None:
        self.flush()
        self.delivery.shutdown()


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Any:
    sdk = SimpleNamespace(BatchSpanProcessor=Processor, SpanExportResult=SimpleNamespace(SUCCESS="success"))
    monkeypatch.setattr(ops.tracing, "import_module", lambda _: sdk)
    monkeypatch.setattr(ops.tracing, "_cleaner", lambda: lambda span: span)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "3")
    return ops.tracing.Delivery(Exporter(), ops.tracing._drop)


def finished(sampled: bool = True) -> Any:
    return SimpleNamespace(context=SimpleNamespace(trace_flags=TraceFlags(sampled)))


def dropped() -> float:
    return sample("log_records_dropped_total", sink="traces")


def test_spans_beyond_the_bound_are_dropped_and_counted(delivery: Any) -> None:
    before = dropped()
    for _ in range(5):
        delivery.processor.on_end(finished())
    delivery.processor.flush()
    delivery.processor.on_end(finished())

    assert (dropped() - before, len(delivery._exporter.taken), len(delivery.processor.queue)) == (2, 3, 1)


def test_spans_that_are_not_sampled_take_no_room(delivery: Any) -> None:
    for _ in range(5):
        delivery.processor.on_end(finished(sampled=False))

    assert delivery._waiting == 0


def test_a_batch_that_the_collector_did_not_take_is_counted(delivery: Any) -> None:
    before, delivery._exporter.works = dropped(), False
    delivery.processor.on_end(finished())
    delivery.processor.flush()

    assert dropped() - before == 1


def test_at_the_end_a_collector_that_is_gone_is_not_asked_again(delivery: Any) -> None:
    delivery._exporter.works = False
    delivery.processor.on_end(finished())
    delivery.processor.flush()
    delivery.processor.on_end(finished())
    delivery.drain()

    assert (delivery._exporter.asked, delivery._exporter.shut) == (1, 1)


def test_at_the_end_a_collector_that_works_gets_what_waits(delivery: Any) -> None:
    delivery.processor.on_end(finished())
    delivery.drain()

    assert (len(delivery._exporter.taken), delivery._exporter.shut) == (1, 1)


def test_what_nobody_delivers_any_more_is_counted(delivery: Any) -> None:
    before = dropped()
    delivery.processor.on_end(finished())
    delivery.give_up()
    delivery.processor.on_end(finished())

    assert dropped() - before == 2


# --- the SDK's own lines


def test_the_sdk_says_once_a_minute_that_the_collector_is_gone(log_lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(ops.tracing, "monotonic", lambda: now[0])
    parent = logging.getLogger("opentelemetry_played")
    ops.tracing._calm(parent)
    logger = logging.getLogger("opentelemetry_played.exporter")
    for number in range(10):
        logger.warning("Transient error %s", number)
    now[0] += 61
    logger.error("Failed to export")

    said = [(line["event"], line.get("held_back")) for line in log_lines.lines]
    assert said == [("Transient error 0", None), ("Failed to export", 9)]

"""An OTLP receiver for the tests: it decodes the real protobuf, and can be slow, refuse or hang."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.services import until


@dataclass
class Received:
    """A span as the receiver has understood it."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    status: str
    message: str
    events: list[dict[str, Any]]
    seconds: float
    resource: dict[str, Any]
    scope: str


@dataclass
class Collector:
    """What has come in; `status` is what it answers, `hold` what it waits for before."""

    port: int = 0
    spans: list[Received] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    hold: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Received]:
        """The spans of this name."""
        return [span for span in list(self.spans) if span.name == name]

    def wait_for(self, name: str, count: int = 1, found: Callable[[Received], bool] = lambda _: True) -> list[Received]:
        """The spans of this name, once there are so many."""

        def enough() -> list[Received] | None:
            spans = [span for span in self.named(name) if found(span)]
            return spans if len(spans) >= count else None

        spans: list[Received] = until(enough, f"{count} spans {name!r} among {[each.name for each in self.spans]}")
        return spans

    def take(self, body: bytes) -> None:
        """Decode one request."""
        message = ExportTraceServiceRequest()
        message.ParseFromString(body)
        for each in message.resource_spans:
            resource = _attributes(each.resource.attributes)
            for scoped in each.scope_spans:
                self.spans += [_received(span, resource, scoped.scope.name) for span in scoped.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A receiver that runs until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            collector.asked += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.hold is not None:
                collector.hold.wait(60)
            if collector.status == 200 and self.path == "/v1/traces":
                plain = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
                collector.raw.append(plain)
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                collector.take(plain)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A sender that has ended while it was held is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        if collector.hold is not None:
            collector.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _received(span: Span, resource: dict[str, Any], scope: str) -> Received:
    return Received(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_attributes(span.attributes),
        status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        message=span.status.message,
        events=[{"name": event.name, **_attributes(event.attributes)} for event in span.events],
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        resource=resource,
        scope=scope,
    )


def _attributes(given: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(given)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)

"""Traces by OpenTelemetry, where the standard `OTEL_` variables ask for them; free where they do not.

The SDK and its exporter are an optional dependency: nothing of them is imported, and no thread is started, unless an
endpoint is set. Then each worker has a queue and a thread of its own, made after the fork, that deliver what
`spans` makes. Neither a request nor the end of the service waits for the collector.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from .edge import Edge
    from .spans import Call

REMEDY: Final = 'uv add "opentelemetry-sdk" "opentelemetry-exporter-otlp-proto-{}"'
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS: Final = {"http/protobuf": "http", "grpc": "grpc"}
_QUEUE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
_BATCH: Final = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_QUEUE_SIZE: Final = 2048  # the SDK's own defaults
_BATCH_SIZE: Final = 512
_RATIO: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off", *_RATIO)
_BETWEEN_WARNINGS_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces."""
    if _lower(environ, "OTEL_SDK_DISABLED") == "true" or _lower(environ, "OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environ.get(name) for name in _ENDPOINTS)


def problems(environ: Mapping[str, str]) -> list[str]:
    """What stands in the way of the traces that are asked for: missing packages, values that nobody would understand.

    The SDK itself would go on with a default; here whatever is wrong is refused at the start.
    """
    if not wanted(environ):
        return []
    found = [
        f"environment variable {name}: {'' if value is None else f'{value!r} is '}not {accepted}"
        for name, value, accepted in _misunderstood(environ)
    ]
    protocol = _protocol(environ)
    if protocol not in _EXPORTERS:
        return [
            *found,
            f"environment variable {_named(environ, _PROTOCOLS)}: {protocol!r} is not http/protobuf or grpc",
        ]
    exporter = _EXPORTERS[protocol]
    modules = ("opentelemetry.sdk.trace", f"opentelemetry.exporter.otlp.proto.{exporter}.trace_exporter")
    if not all(map(_installed, modules)):
        name = _named(environ, _PROTOCOLS if exporter == "grpc" else _ENDPOINTS)
        found.append(f"environment variable {name}: traces need packages: {REMEDY.format(exporter)}")
    return found


def prepare() -> None:
    """Import what tracing needs, so that forked workers share it."""
    if wanted(os.environ):
        for name in ("opentelemetry.sdk.trace.export", "opentelemetry.sdk.resources", _exporter_module()):
            import_module(name)
        import_module(".spans", __package__)


class Tracing:
    """What traces in this process: nothing, until it is started."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None
        self.edge: type[Edge] | None = None  # in place of the edge that makes no spans
        self.call: type[Call] | None = None  # of an outgoing call, the same
        self._delivery: Delivery | None = None
        self._closing: threading.Thread | None = None
        self._end = 0.0

    def start(self) -> None:
        """Trace from now on, if the environment asks for it. In a worker: after the fork, and before its lifespan."""
        if self.tracer is None and wanted(os.environ):
            try:
                self._start()
            except Exception:
                log.exception("tracing could not be started: it is off")

    def _start(self) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - only where it is used

        from .about import ABOUT  # noqa: PLC0415
        from .spans import Call, TracedEdge  # noqa: PLC0415

        _calm(logging.getLogger("opentelemetry"))
        if isinstance(provider := trace.get_tracer_provider(), trace.ProxyTracerProvider):
            self._delivery = Delivery(import_module(_exporter_module()).OTLPSpanExporter(), _drop)
            provider = import_module("opentelemetry.sdk.trace").TracerProvider(
                resource=_resource(), shutdown_on_exit=False
            )
            provider.add_span_processor(self._delivery.processor)
            trace.set_tracer_provider(provider)
        else:
            log.info("the application's own tracer provider is used")
        self.tracer = provider.get_tracer(__name__, ABOUT.template_version)
        self.edge, self.call = TracedEdge, Call

    def finish(self, seconds: float) -> None:
        """Deliver what waits, for so long at most. Returns at once."""
        if self._delivery is not None:
            self._end = monotonic() + seconds
            self._closing = threading.Thread(target=self._delivery.drain, name="traces-drain", daemon=True)
            self._closing.start()

    def close(self) -> None:
        """Wait until the end that `finish` has set; what is left then is dropped."""
        if self._delivery is not None and self._closing is not None:
            self._closing.join(max(0.0, self._end - monotonic()))
            self._delivery.give_up()


TRACING: Final = Tracing()


class Delivery:
    """The SDK's batch processor and exporter, with a bound that counts what it drops, and a look at what goes out.

    Args:
        exporter: the SDK's.
        on_drop: is called with a number of spans that were dropped.
    """

    def __init__(self, exporter: Any, on_drop: Callable[[int], None]) -> None:
        export = import_module("opentelemetry.sdk.trace.export")
        self._success = export.SpanExportResult.SUCCESS
        self._exporter, self._on_drop = exporter, on_drop
        self._capacity = _number(_QUEUE, _QUEUE_SIZE)
        self._lock = threading.Lock()
        self._waiting = 0
        self._failing = self._ended = False
        self.clean = _cleaner()
        self.processor = _bounded(export.BatchSpanProcessor)(self)  # starts its thread

    def admit(self) -> bool:
        """Whether there is room for one more span, which then is waited for."""
        with self._lock:
            room = self._waiting < self._capacity and not self._ended
            self._waiting += room
        if not room:
            self._on_drop(1)
        return room

    def export(self, spans: Sequence[Any]) -> Any:
        """Deliver a batch. Called by the processor's thread alone."""
        with self._lock:
            self._waiting -= len(spans)
        result = None
        try:
            result = self._exporter.export([self.clean(span) for span in spans])
        finally:
            self._failing = result is not self._success
            if self._failing:
                self._on_drop(len(spans))
        return result

    def drain(self) -> None:
        """Let the processor deliver what waits; a collector that did not take the last batch is not asked again."""
        if self._failing:
            self.shutdown()
        self.processor.shutdown()

    def give_up(self) -> None:
        """Count what nobody will deliver any more."""
        self.shutdown()
        with self._lock:
            left, self._waiting = self._waiting, 0
        if left:
            self._on_drop(left)

    def shutdown(self) -> None:
        """Let the exporter end what it does, and wait for nothing."""
        with self._lock:
            ended, self._ended = self._ended, True
        if not ended:
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - as the SDK calls it
        """Nothing waits here."""
        return True


def _bounded(base: Any) -> Callable[[Delivery], Any]:
    """A `BatchSpanProcessor` that takes only what there is room for: the SDK's would log each span that it drops."""

    class Bounded(base):  # type: ignore[misc]
        def __init__(self, delivery: Delivery) -> None:
            self._delivery = delivery
            super().__init__(delivery)

        def on_end(self, span: Any) -> None:
            if span.context.trace_flags.sampled and self._delivery.admit():
                super().on_end(span)

    return Bounded


def _cleaner() -> Callable[[Any], Any]:
    """A function from a span to the same without what may be personal.

    The template's own spans hold nothing of the kind. An owner's, or a library's, are redacted as log lines are; and
    of an exception only its type stays: its text is in the log, redacted, under the same trace.
    """
    from .redaction import REDACTOR  # noqa: PLC0415 - only where it is used
    from .spans import OWN  # noqa: PLC0415

    sdk, api = import_module("opentelemetry.sdk.trace"), import_module("opentelemetry.trace")

    def event(given: Any) -> Any:
        attributes = dict(given.attributes or {})
        for name in ("exception.message", "exception.stacktrace"):
            attributes.pop(name, None)
        return sdk.Event(REDACTOR.text(given.name), REDACTOR.value(attributes), given.timestamp)

    def clean(span: Any) -> Any:
        attributes = span.attributes or {}
        own = span.instrumentation_scope is not None and span.instrumentation_scope.name == __name__
        if own and not span.events and OWN.issuperset(attributes) and span.status.description is None:
            return span
        return sdk.ReadableSpan(
            name=span.name if own else REDACTOR.text(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=REDACTOR.value(dict(attributes)),
            events=[event(each) for each in span.events],
            links=[api.Link(each.context, REDACTOR.value(dict(each.attributes or {}))) for each in span.links],
            kind=span.kind,
            status=api.Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    return clean


def _resource() -> Any:
    """Who sends the spans: the service as it knows itself, unless the environment says otherwise."""
    from .about import ABOUT  # noqa: PLC0415

    resources: Any = import_module("opentelemetry.sdk.resources")
    plain: Any = resources.Resource
    said = resources.OTELResourceDetector().detect().attributes
    made = plain.create({"service.name": ABOUT.name, "service.version": ABOUT.version, **said})

    class Resource(plain):  # type: ignore[misc]
        """The same, whose hash is computed once: the exporter asks for it with every span, and it is made by JSON."""

        hashed = hash(made)

        def __hash__(self) -> int:
            return self.hashed

    return Resource(made.attributes, made.schema_url)


class _Sparse(logging.Handler):
    """Passes on one record a minute of each logger, and says how many were held back."""

    def __init__(self) -> None:
        super().__init__()
        self._until: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def handle(self, record: logging.LogRecord) -> bool:
        name, now = record.name, monotonic()
        if now < self._until.get(name, 0.0):
            self._held[name] = self._held.get(name, 0) + 1
            return False
        self._until[name] = now + _BETWEEN_WARNINGS_SECONDS
        if held := self._held.pop(name, 0):
            record.held_back = held
        for handler in logging.getLogger().handlers:
            handler.handle(record)
        return True


def _calm(logger: logging.Logger) -> None:
    """A collector that is gone would fill the log: the SDK tells of every attempt."""
    logger.handlers = [_Sparse()]
    logger.propagate = False


def _drop(spans: int) -> None:
    from .logs import DROPPED  # noqa: PLC0415 - it makes metrics, whose place is settled late

    try:
        DROPPED.labels("traces").inc(spans)
    except (OSError, ValueError):  # no space for metrics
        log.debug("dropped spans could not be counted")


def _exporter_module() -> str:
    return f"opentelemetry.exporter.otlp.proto.{_EXPORTERS[_protocol(os.environ)]}.trace_exporter"


def _protocol(environ: Mapping[str, str]) -> str:
    return next((value.lower() for name in _PROTOCOLS if (value := environ.get(name))), "http/protobuf")


def _named(environ: Mapping[str, str], names: Sequence[str]) -> str:
    return next((name for name in names if environ.get(name)), names[-1])


def _lower(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip().lower()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it would be in
        return False


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def _misunderstood(environ: Mapping[str, str]) -> list[tuple[str, str | None, str]]:
    """Variables with a value that the SDK would not take: name, value (None: not to be shown), what it would take."""
    found: list[tuple[str, str | None, str]] = []

    def check(names: Sequence[str], accepted: str, fits: Callable[[str], bool], *, shown: bool = True) -> None:
        given = ((name, environ.get(name, "").strip()) for name in names)
        found.extend((name, value if shown else None, accepted) for name, value in given if value and not fits(value))

    def otlp(name: str) -> tuple[str, str]:
        return f"OTEL_EXPORTER_OTLP_{name}", f"OTEL_EXPORTER_OTLP_TRACES_{name}"

    check(
        otlp("ENDPOINT"), "an http:// or https:// URL", lambda url: url.startswith(("http://", "https://")), shown=False
    )
    check(["OTEL_TRACES_EXPORTER"], "otlp or none", lambda name: name.lower() == "otlp")
    check(["OTEL_TRACES_SAMPLER"], f"one of {', '.join(_SAMPLERS)}", lambda name: name.lower() in _SAMPLERS)
    if _lower(environ, "OTEL_TRACES_SAMPLER") in _RATIO:
        check(["OTEL_TRACES_SAMPLER_ARG"], "a number from 0 to 1", lambda text: 0 <= _float(text) <= 1)
    check(otlp("COMPRESSION"), "gzip, deflate or none", lambda name: name.lower() in ("gzip", "deflate", "none"))
    check(otlp("TIMEOUT"), "a number of seconds", lambda text: 0 < _float(text) <= 3600)
    for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
        check(otlp(name), "a file that can be read", lambda path: os.access(path, os.R_OK) and Path(path).is_file())
    counts = [_QUEUE, _BATCH, "OTEL_BSP_SCHEDULE_DELAY"]
    check(counts, "a whole number from 1 to 1000000", _counts)
    if not any(name in (_QUEUE, _BATCH) for name, _, _ in found):
        queue, batch = int(environ.get(_QUEUE) or _QUEUE_SIZE), int(environ.get(_BATCH) or _BATCH_SIZE)
        if batch > queue:
            found.append((_BATCH, str(batch), f"at most {_QUEUE}, which is {queue}"))
    return found


def _counts(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:8]) <= 1_000_000


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0

"""Logs: one JSON object a line on standard output, from every source, through one pipeline.

structlog's loggers, the standard library's (uvicorn, gunicorn, libraries), warnings and uncaught exceptions all end
in `Pipeline.emit`: context, redaction seam, rendering, sinks.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import gmtime, strftime, time
from types import TracebackType
from typing import Any, Final, Protocol

import orjson
import structlog
from prometheus_client import Counter, disable_created_metrics

from .about import About
from .context import current
from .lifecycle import LIFECYCLE
from .redaction import REDACTOR
from .settings import LogSettings
from .stdout import Stdout

Event = MutableMapping[str, Any]
Processor = Callable[[Event], Event]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_URGENT: Final = frozenset({"warning", "error", "critical"})
_ERRORS: Final = frozenset({"error", "critical"})
MAX_LINE_BYTES: Final = 32_768
# They log the URL of every call at INFO, and URLs hold personal data; `levels` may say otherwise.
_QUIET: Final = {"httpx2": "WARNING", "httpcore2": "WARNING", "httpx": "WARNING", "httpcore": "WARNING"}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_JSON: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_MOST_LOGGERS: Final = 64
_OWN_FIELDS: Final = 9  # timestamp to span_id, which every line has
_NO_REQUEST: Final = {"request_id": None, "trace_id": None, "span_id": None}

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each series, which several workers could not keep anyway
RECORDS = Counter("log_records", "Log records by level, whether or not a sink could take them.", ["level"])
ERRORS = Counter("log_errors", "Log records from ERROR on, by logger; beyond 64 loggers, `_OTHER`.", ["logger"])
DROPPED = Counter("log_records_dropped", "Log records that a sink could not take.", ["sink"])


class Sink(Protocol):
    """Takes finished lines; must return at once and never raise."""

    def write(self, line: bytes, *, urgent: bool = False) -> None: ...


class Queue(Protocol):
    """Takes lines or records for a destination that may be slow; returns at once and never raises."""

    def put(self, item: Any, level: str) -> None: ...


class Pipeline:
    """The one way of a log record from its source to the sinks.

    Args:
        lines: get each line as (line, level), always as JSON.
        errors: get each record from ERROR on as (mapping redacted like the line, exception or None).
    """

    def __init__(
        self,
        about: About,
        sinks: Sequence[Sink],
        render: Callable[[Event], bytes],
        *,
        json: bool,
        lines: Sequence[Queue] = (),
        errors: Sequence[Queue] = (),
    ) -> None:
        self.processors: list[Processor] = []  # the seam for redaction: each sees the event before it is rendered
        self._lines, self._errors = tuple(lines), tuple(errors)
        self._forwarded = render if json else json_line(MAX_LINE_BYTES)
        self._service = {"service": about.name, "version": about.version}
        self._sinks = tuple(sinks)
        self._render = render
        self._json = json
        self._access: dict[tuple[str, str, int], str] = {}
        self._second, self._stamp = 0, ""
        self._counters = {level: RECORDS.labels(level) for level in LEVELS}
        self._failing: dict[str, Counter] = {}

    def emit(self, level: str, logger: str, event: str, fields: Event) -> None:
        """Log one record. `fields` may hold `exc_info`; the pipeline's own names win over its keys."""
        request = current.get()
        line: Event = {"timestamp": datetime.now(UTC), "level": level, "event": event, "logger": logger}
        line.update(self._service)
        if request is None:
            line.update(_NO_REQUEST)
        else:
            line["request_id"] = request.request_id
            line["trace_id"] = request.trace_id
            line["span_id"] = request.span_id
        error = None
        if fields:
            error = exception(fields.pop("exc_info", None))
            if error is not None:
                fields.update(described(error))
            for name, value in fields.items():
                line[name if name not in line else f"{name}_"] = value
        for processor in self.processors:
            line = processor(line)
        with suppress(OSError, TypeError, ValueError):  # no space for metrics is no reason to lose a line
            self._counters[level].inc()
            if level in _ERRORS:
                self._counter(logger).inc()
        if self._errors and level in _ERRORS:
            failure = (dict(line), error)
            for queue in self._errors:
                queue.put(failure, level)
        if self._lines and not self._json:
            self._forward(self._forwarded(dict(line)), level)
        rendered = self._render(line)
        if self._lines and self._json:
            self._forward(rendered, level)
        self._send(rendered, urgent=level in _URGENT)

    def _counter(self, logger: str) -> Counter:
        """The count of a logger's errors: for so many loggers as a service has, and one for whatever else there is."""
        if logger not in self._failing:
            name = logger if len(self._failing) < _MOST_LOGGERS else "_OTHER"
            if name == "_OTHER":
                return ERRORS.labels(name)
            self._failing[logger] = ERRORS.labels(name)
        return self._failing[logger]

    def access(self, method: str, route: str, status: int, seconds: float) -> None:
        """Log the line that every request has, as `emit` would, at a fifth of its cost.

        Args:
            method, route: bounded by the caller, since a template is kept for each that was met.
            seconds: duration of the request.
        """
        request = current.get()
        if request is None or not self._json:
            fields = {"http_request_method": method, "http_route": route, "http_response_status_code": status}
            self.emit("info", "access", "request", {**fields, "duration_ms": round(seconds * 1000, 3)})
            return
        try:
            template = self._access[method, route, status]
        except KeyError:
            template = self._access[method, route, status] = self._access_template(method, route, status)
        now = time()
        if int(now) != self._second:
            self._second, self._stamp = int(now), strftime("%Y-%m-%dT%H:%M:%S", gmtime(now))
        fraction = int(now % 1 * 1e6)
        values = (self._stamp, fraction, request.request_id, request.trace_id, request.span_id, seconds * 1000)
        try:  # noqa: SIM105 - half a microsecond less, for every request
            self._counters["info"].inc()
        except (OSError, TypeError, ValueError):  # no space for metrics is no reason to lose a line
            pass
        rendered = (template % values).encode()
        if self._lines:
            self._forward(rendered, "info")
        self._send(rendered, urgent=False)

    def _access_template(self, method: str, route: str, status: int) -> str:
        """A line with six places for `%`; the ids that come into them need no JSON quoting."""
        line: dict[str, object] = {
            "timestamp": "\0t",
            "level": "info",
            "event": "request",
            "logger": "access",
            **self._service,
        }
        line |= {"request_id": "\0s", "trace_id": "\0s", "span_id": "\0s"}
        line |= {"http_request_method": method, "http_route": route, "http_response_status_code": status}
        text = orjson.dumps({**line, "duration_ms": "\0d"}).decode().replace("%", "%%")
        text = text.replace("\\u0000t", "%s.%06dZ").replace("\\u0000s", "%s").replace('"\\u0000d"', "%.3f")
        return f"{text}\n"

    def _forward(self, line: bytes, level: str) -> None:
        for queue in self._lines:
            queue.put((line, level), level)

    def _send(self, rendered: bytes, *, urgent: bool) -> None:
        for sink in self._sinks:
            sink.write(rendered, urgent=urgent)


def configure(
    settings: LogSettings,
    about: About,
    sinks: Sequence[Sink],
    *,
    lines: Sequence[Queue] = (),
    errors: Sequence[Queue] = (),
    max_line: int = MAX_LINE_BYTES,
) -> Pipeline:
    """Send everything that is logged in this process through one new pipeline, and return it.

    Args:
        lines, errors: as `Pipeline` takes them.
        max_line: bytes of a line, beyond which its longest texts lose their middle.
    """
    render = json_line(max_line) if settings.format == "json" else console_line()
    pipeline = Pipeline(about, sinks, render, json=settings.format == "json", lines=lines, errors=errors)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.contextvars.merge_contextvars, _BRIDGE],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=_Named,
        cache_logger_on_first_use=True,
    )
    pipeline.processors.append(REDACTOR.event)
    _BRIDGE.pipeline = pipeline
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [_BRIDGE]
    _levels(settings)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread
    return pipeline


def emit(level: str, logger: str, event: str, fields: Event) -> None:
    """Log one record without the way through a logger; its level is the caller's to check."""
    if _BRIDGE.pipeline is not None:
        _BRIDGE.pipeline.emit(level, logger, event, fields)


def access(method: str, route: str, status: int, seconds: float) -> None:
    """Log a request's line; its level is the caller's to check."""
    if _BRIDGE.pipeline is not None:
        _BRIDGE.pipeline.access(method, route, status, seconds)


def stdout_sink(turns: Path | None = None) -> Stdout:
    """The sink for standard output; `turns` is a file by which several processes take turns."""
    return Stdout(on_drop=DROPPED.labels("stdout").inc, turns=turns)


def described(error: ExcInfo) -> dict[str, str]:
    """An exception in OpenTelemetry's attribute names; never with local variables."""
    kind, value, trace = error
    try:
        stack = "".join(traceback.format_exception(kind, value, trace))
    except Exception:  # noqa: BLE001 - an exception whose text can't be made must still be logged
        stack = "".join(traceback.format_tb(trace)) + kind.__qualname__
    try:
        message = str(value)
    except Exception:  # noqa: BLE001
        message = "<its text can't be made>"
    return {"exception_type": kind.__qualname__, "exception_message": message, "exception_stacktrace": stack}


def exception(given: Any) -> ExcInfo | None:
    """What `exc_info` means: True, an exception or a triple."""
    if not given:
        return None
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    found = given if isinstance(given, tuple) else sys.exc_info()
    return (found[0], found[1], found[2]) if found[0] is not None and found[1] is not None else None


def json_line(max_line: int) -> Callable[[Event], bytes]:
    """A function from an event to its JSON line of at most `max_line` bytes; it never raises."""

    def render(event: Event) -> bytes:
        try:
            line = orjson.dumps(event, _text, _JSON)
        except Exception:  # noqa: BLE001 - odd values: lone surrogates, huge integers, cycles, keys that repeat
            event = {str(name): _plain(value) for name, value in event.items()}
            line = orjson.dumps(event, _text, _JSON)
        while len(line) > max_line and _shorten(event, len(line) - max_line):
            line = orjson.dumps(event, _text, _JSON)
        while len(line) > max_line and len(event) > _OWN_FIELDS:  # very many fields, or very long names
            for name in list(event)[-max(1, (len(event) - _OWN_FIELDS) // 2) :]:
                del event[name]
            line = orjson.dumps(event, _text, _JSON)
        return line

    return render


def console_line() -> Callable[[Event], bytes]:
    """A function from an event to a coloured line (and traceback) for a developer's terminal."""
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=0)
    hidden = {"service", "version", "trace_id", "span_id", "exception_type", "exception_message"}

    def render(event: Event) -> bytes:
        stack = event.pop("exception_stacktrace", None)
        shown = {name: value for name, value in event.items() if name not in hidden and value is not None}
        shown["timestamp"] = event["timestamp"].astimezone().strftime("%H:%M:%S")
        line = str(renderer(None, "", shown))
        return f"{line}\n{stack or ''}".encode("utf-8", "backslashreplace")

    return render


class _Named:
    """What structlog calls a logger: a name and its level, as the standard library knows them."""

    __slots__ = ("_logger", "name")

    def __init__(self, name: str | None = None, *_: object) -> None:
        self.name = name or "root"
        self._logger = logging.getLogger(name)

    @property
    def disabled(self) -> bool:
        return self._logger.disabled

    def getEffectiveLevel(self) -> int:  # noqa: N802 - the standard library's names
        return self._logger.getEffectiveLevel()

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        return self._logger.isEnabledFor(level)


class _Bridge(logging.Handler):
    """The pipeline's two entrances: structlog's last processor, and the standard library's only handler."""

    pipeline: Pipeline | None = None

    def __call__(self, logger: Any, method: str, event: Event) -> Any:
        if self.pipeline is None:
            raise structlog.DropEvent
        level = {"exception": "error", "warn": "warning", "fatal": "critical"}.get(method, method)
        text = str(event.pop("event", ""))
        if (arguments := event.pop("positional_args", None)) is not None:
            with suppress(TypeError, ValueError):
                text = text % arguments
        if method == "exception" and "exc_info" not in event:
            event["exc_info"] = True
        self.pipeline.emit(level if level in LEVELS else "info", logger.name, text, event)
        raise structlog.DropEvent

    def handle(self, record: logging.LogRecord) -> bool:
        # No lock and no filters: the sinks are safe to call from any thread.
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        if self.pipeline is None:
            return
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - wrong arguments for the format: better the format than nothing
            text = str(record.msg)
        fields = structlog.contextvars.get_contextvars()
        fields.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        if record.stack_info:
            fields["stack"] = record.stack_info
        self.pipeline.emit(_level_name(record.levelno), record.name, text, fields)


_BRIDGE: Final = _Bridge()


def _level_name(number: int) -> str:
    return LEVELS[max(0, min(4, number // 10 - 1))]


def _levels(settings: LogSettings) -> None:
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):  # servers and libraries bring handlers of their own
            logger.handlers, logger.propagate = [], True
    logging.getLogger().setLevel(settings.level)
    for name, level in {**_QUIET, **settings.levels}.items():
        logging.getLogger(None if name in ("", "root") else name).setLevel(level)


def _uncaught(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("python").critical("uncaught exception", exc_info=(kind, value, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        error = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("python").critical("uncaught exception in a thread", exc_info=error)


def _unraisable(args: Any) -> None:
    if args.exc_type is SystemExit and LIFECYCLE.told_to_end:
        return  # a signal that came in a place that can't raise: `serve` looks at its flag
    error = (args.exc_type, args.exc_value, args.exc_traceback) if args.exc_value is not None else None
    logging.getLogger("python").error(args.err_msg or "exception that could not be raised", exc_info=error)


def _text(value: object) -> str:
    """A value that JSON has no form for, as short text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(bytes(value))} bytes>"
    try:
        return str(value)[:1024].encode("utf-8", "backslashreplace").decode()
    except Exception:  # noqa: BLE001
        return f"<{type(value).__qualname__}>"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | bool | float | None):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    try:
        return orjson.loads(orjson.dumps(value, _text, orjson.OPT_NON_STR_KEYS))
    except Exception:  # noqa: BLE001
        return _text(value)


def _shorten(event: Event, excess: int) -> bool:
    """Cut the middle out of the longest text. False when nothing is left to cut."""
    sizes = {name: len(value) for name, value in event.items() if isinstance(value, str)}
    for name, value in event.items():
        if isinstance(value, dict | list | tuple):  # one text is easier to cut than a tree
            sizes[name] = len(str(value))
    name = max(sizes, key=lambda each: sizes[each], default="")
    if sizes.get(name, 0) <= 64:
        return False
    value = event[name] if isinstance(event[name], str) else str(event[name])
    keep = max(24, (len(value) - max(excess, len(value) // 8) - 40) // 2)
    event[name] = f"{value[:keep]} … {len(value) - 2 * keep} characters left out … {value[-keep:]}"
    return True

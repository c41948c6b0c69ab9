"""Logs: every source, one JSON object a line, whatever is logged."""

import gc
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog

from . import PACKAGE, ops, sample

LogSettings = ops.settings.LogSettings
ABOUT = ops.about.About("orders", "1.2.3", "v1.0.0", 0.3)


class Lines:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def write(self, line: bytes, *, urgent: bool = False) -> None:  # noqa: ARG002
        self.raw.append(line)

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]

    @property
    def last(self) -> dict[str, Any]:
        return self.parsed[-1]


@pytest.fixture
def lines() -> Lines:
    return configured()


def configured(max_line: int = 32_768, **settings: Any) -> Lines:
    lines = Lines()
    ops.logs.configure(LogSettings(**settings), ABOUT, [lines], max_line=max_line)
    return lines


@pytest.fixture
def request_context() -> Iterator[Any]:
    context = ops.context.RequestContext(b"abc-1")
    token = ops.context.current.set(context)
    yield context
    ops.context.current.reset(token)


# --- the fields of the contract


def test_a_line_is_one_json_object_with_the_fields_of_the_contract(lines: Lines, request_context: Any) -> None:
    structlog.get_logger("shop").info("quote made", country="NO")

    (line,) = lines.raw
    assert line.count(b"\n") == 1
    assert line.endswith(b"}\n")
    assert {name: value for name, value in lines.last.items() if name != "timestamp"} == {
        "level": "info",
        "event": "quote made",
        "logger": "shop",
        "service": "orders",
        "version": "1.2.3",
        "request_id": "abc-1",
        "trace_id": request_context.trace_id,
        "span_id": request_context.span_id,
        "country": "NO",
    }


def test_the_timestamp_is_rfc_3339_in_utc(lines: Lines) -> None:
    structlog.get_logger().info("now")

    assert lines.last["timestamp"].endswith("Z")
    age = datetime.now(UTC) - datetime.fromisoformat(lines.last["timestamp"])
    assert 0 <= age.total_seconds() < 5


def test_outside_of_a_request_its_ids_are_null(lines: Lines) -> None:
    structlog.get_logger().info("starting")

    assert (lines.last["request_id"], lines.last["trace_id"], lines.last["span_id"]) == (None, None, None)


def test_a_field_can_not_take_the_place_of_the_pipelines_own(lines: Lines) -> None:
    structlog.get_logger("shop").info("real", level="fake", service="fake", request_id="fake", timestamp="fake")

    assert (lines.last["level"], lines.last["service"], lines.last["request_id"]) == ("info", "orders", None)
    assert (lines.last["level_"], lines.last["service_"], lines.last["request_id_"]) == ("fake", "fake", "fake")


def test_records_are_counted_by_level(lines: Lines) -> None:
    before = sample("log_records_total", level="warning")

    structlog.get_logger().warning("one")
    logging.getLogger("x").warning("two")

    assert sample("log_records_total", level="warning") - before == 2


def test_a_processor_sees_each_line_before_it_is_rendered() -> None:
    lines = Lines()
    pipeline = ops.logs.configure(LogSettings(), ABOUT, [lines])
    pipeline.processors.append(lambda event: {**event, "email": "hidden"})

    structlog.get_logger().info("signed up", email="me@example.com")

    assert lines.last["email"] == "hidden"


def test_every_sink_gets_every_line() -> None:
    sinks = [Lines(), Lines()]
    ops.logs.configure(LogSettings(), ABOUT, sinks)

    structlog.get_logger().info("told")

    assert [sink.last["event"] for sink in sinks] == ["told", "told"]


# --- every source


def test_standard_library_records_take_the_same_form(lines: Lines) -> None:
    logging.getLogger("lib").error("failed after %d tries", 3, extra={"peer": "db"})

    assert (lines.last["level"], lines.last["logger"], lines.last["event"], lines.last["peer"]) == (
        "error",
        "lib",
        "failed after 3 tries",
        "db",
    )
    assert not {"args", "msg", "pathname", "lineno", "process", "taskName"} & set(lines.last)


def test_a_record_with_wrong_arguments_is_logged_all_the_same(lines: Lines) -> None:
    logging.getLogger("lib").error("%d", "three")
    structlog.get_logger("lib").error("%d and %d", 1)

    assert [line["event"] for line in lines.parsed] == ["%d", "%d and %d"]


def test_structlog_takes_positional_arguments(lines: Lines) -> None:
    structlog.get_logger().info("%s of %s", 1, 2)

    assert lines.last["event"] == "1 of 2"


def test_a_stack_that_was_asked_for_is_a_field(lines: Lines) -> None:
    logging.getLogger("lib").info("here", stack_info=True)

    assert "test_logs.py" in lines.last["stack"]


def test_bound_values_and_context_variables_are_fields(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(order="o-1"):
        structlog.get_logger().bind(line=2).info("priced")

    assert (lines.last["order"], lines.last["line"]) == ("o-1", 2)


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, "debug"), (10, "debug"), (25, "info"), (30, "warning"), (50, "critical"), (99, "critical")],
)
def test_levels_between_and_beyond_take_the_name_below(number: int, level: str) -> None:
    lines = configured(level="DEBUG")
    logging.getLogger("lib").setLevel(1)
    logging.getLogger("lib").log(number, "x")

    assert lines.last["level"] == level


def test_errors_are_counted_by_logger_and_their_number_of_names_is_bounded(lines: Lines) -> None:
    before = sample("log_errors_total", logger="shop.payments")
    structlog.get_logger("shop.payments").error("no funds")
    structlog.get_logger("shop.payments").warning("slow")
    for number in range(200):
        logging.getLogger(f"made.up.{number}").critical("bad")

    assert sample("log_errors_total", logger="shop.payments") - before == 1
    assert sample("log_errors_total", logger="_OTHER") > 0
    assert sample("log_errors_total", logger="made.up.199") == 0


def test_warnings_are_log_records(lines: Lines) -> None:
    logging.captureWarnings(capture=False)
    with warnings.catch_warnings():
        logging.captureWarnings(capture=True)
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    logging.captureWarnings(capture=False)

    assert (lines.last["logger"], lines.last["level"]) == ("py.warnings", "warning")
    assert "old ways" in lines.last["event"]


def test_an_uncaught_exception_is_a_critical_record(lines: Lines) -> None:
    sys.excepthook(ValueError, ValueError("oh"), None)

    assert (lines.last["level"], lines.last["event"]) == ("critical", "uncaught exception")
    assert (lines.last["exception_type"], lines.last["exception_message"]) == ("ValueError", "oh")


def test_ctrl_c_is_no_uncaught_exception(lines: Lines) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert lines.raw == []


def test_an_uncaught_exception_in_a_thread_is_a_critical_record(lines: Lines) -> None:
    thread = threading.Thread(target=lambda: 1 / 0)
    hook, threading.excepthook = threading.excepthook, ops.logs._uncaught_in_thread
    thread.start()
    thread.join()
    threading.excepthook = hook

    assert (lines.last["event"], lines.last["exception_type"]) == (
        "uncaught exception in a thread",
        "ZeroDivisionError",
    )


def test_an_exception_that_nobody_could_catch_is_a_record(lines: Lines) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("in del")

    hook, sys.unraisablehook = sys.unraisablehook, ops.logs._unraisable
    Broken()
    gc.collect()
    sys.unraisablehook = hook

    assert (lines.last["level"], lines.last["exception_message"]) == ("error", "in del")


def test_a_process_that_dies_says_why_in_json_only() -> None:
    program = f"""
import warnings
from {PACKAGE}.ops import logs, settings, stdout
from {PACKAGE}.ops.about import ABOUT
logs.configure(settings.LogSettings(), ABOUT, [stdout.Stdout()])
warnings.simplefilter("always")
warnings.warn("careful")
raise ValueError("the end\\nof it")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    warned, died = map(json.loads, ended.stdout.splitlines())
    assert "careful" in warned["event"]
    assert died["exception_message"] == "the end\nof it"
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_logging_before_it_is_configured_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = configured()
    monkeypatch.setattr(ops.logs._BRIDGE, "pipeline", None)

    logging.getLogger("early").error("x")
    structlog.get_logger("early").error("x")
    ops.logs.emit("error", "early", "x", {})

    assert lines.raw == []


# --- exceptions


def test_an_exception_is_one_line(lines: Lines) -> None:
    try:
        raise ValueError("no\nway")
    except ValueError:
        structlog.get_logger().exception("failed")

    assert len(lines.raw) == 1
    assert lines.raw[0].count(b"\n") == 1
    assert lines.last["level"] == "error"
    assert (lines.last["exception_type"], lines.last["exception_message"]) == ("ValueError", "no\nway")
    assert lines.last["exception_stacktrace"].startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize("form", ["exception", "triple", "true", "standard"])
def test_an_exception_may_be_given_in_any_of_its_forms(lines: Lines, form: str) -> None:
    try:
        raise KeyError("k")
    except KeyError as error:
        if form == "standard":
            logging.getLogger("lib").log(40, "x", exc_info=True)
        else:
            given = {"exception": error, "triple": sys.exc_info(), "true": True}[form]
            structlog.get_logger().error("x", exc_info=given)

    assert lines.last["exception_type"] == "KeyError"
    assert "exc_info" not in lines.last


def test_a_traceback_that_is_asked_for_without_an_exception_is_nothing(lines: Lines) -> None:
    structlog.get_logger().error("calm", exc_info=True)
    logging.getLogger("lib").error("calm", exc_info=(None, None, None))

    assert [line["event"] for line in lines.parsed] == ["calm", "calm"]
    assert not any(name.startswith("exception") for line in lines.parsed for name in line)


def test_a_traceback_does_not_tell_local_values(lines: Lines) -> None:
    def fail(password: str) -> None:
        raise ValueError("wrong")

    try:
        fail("hunter2-" * 2)
    except ValueError:
        structlog.get_logger().exception("failed")

    assert b"hunter2-hunter2-" not in lines.raw[0]


def test_an_exception_without_a_text_is_logged(lines: Lines) -> None:
    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("no text")

    try:
        raise Mute
    except Mute:
        structlog.get_logger().exception("failed")

    assert lines.last["exception_type"].endswith("Mute")


# --- odd values


class _Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


class _Odd:
    def __str__(self) -> str:
        return "odd \ud800"


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def _deep() -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"in": deep}
    return deep


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
        (2**64, str(2**64)),
        (-(2**70), str(-(2**70))),
        (2**63 - 1, 2**63 - 1),
        (float("nan"), None),
        (float("inf"), None),
        (b"\xff\x00", "<2 bytes>"),
        (bytearray(b"abc"), "<3 bytes>"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00Z"),
        (Path("/tmp"), "/tmp"),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        ({"in": {"a": "\ud800"}}, "{'in': {'a': '\\ud800'}}"),
        ((1, "a"), [1, "a"]),
        ({3}, "{3}"),
        (_Mute(), "[redacted:error]"),
        (_Odd(), "odd \\ud800"),
        ("line\nbreak\x00\x1b[31m", "line\nbreak\x00\x1b[31m"),
        (True, True),
        (None, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_odd_value_is_still_one_line_of_json(lines: Lines, value: Any, shown: Any) -> None:
    structlog.get_logger().info("odd", value=value)

    assert len(lines.raw) == 1
    assert lines.raw[0].count(b"\n") == 1
    assert lines.last["value"] == shown


def test_a_value_that_holds_itself_ends_where_it_is_too_deep(lines: Lines) -> None:
    structlog.get_logger().info("odd", value=_cycle())

    assert "[too deep]" in json.dumps(lines.last["value"])


@pytest.mark.parametrize("value", [_deep(), {"a": {b"key": 1}}, {(1, 2): 3}, {"1": "a", 1: "b"}, object()], ids=type)
def test_a_value_without_any_form_costs_no_line(lines: Lines, value: Any) -> None:
    structlog.get_logger().info("odd", value=value, next="kept")

    assert (lines.last["event"], lines.last["next"]) == ("odd", "kept")


def test_an_odd_value_spoils_no_other(lines: Lines) -> None:
    structlog.get_logger().info(
        "odd", bad="\ud800", number=3, real=1.5, flag=True, none=None, tree={"a": [1]}, big=2**70
    )

    line = lines.last
    assert (line["number"], line["real"], line["flag"], line["none"], line["tree"]) == (3, 1.5, True, None, {"a": [1]})
    assert line["big"] == str(2**70)


def test_an_event_may_be_anything(lines: Lines) -> None:
    structlog.get_logger().info({"a": 1})
    structlog.get_logger().info("\ud800")
    logging.getLogger("lib").info(3)

    assert [line["event"] for line in lines.parsed] == ["{'a': 1}", "\\ud800", "3"]


# --- long lines


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "x" * 100_000},
        {"text": "ø" * 100_000},
        {"text": "\x00" * 100_000},
        {"text": '"\\' * 50_000},
        {"tree": {"a": ["x" * 1000] * 100}},
        {"numbers": list(range(50_000))},
        {f"text{number}": "x" * 3000 for number in range(30)},
        {f"text{number}": "x" * 50 for number in range(2000)},
        {f"number{number}": number for number in range(2000)},
        {"n" * 100_000: 1},
    ],
    ids=lambda fields: next(iter(fields))[:12],
)
def test_a_long_line_is_shortened_to_the_limit_and_still_json(fields: dict[str, Any]) -> None:
    lines = configured(max_line=4096)
    structlog.get_logger("shop").info("long", **fields)

    assert len(lines.raw[0]) <= 4096
    assert (lines.last["event"], lines.last["logger"], lines.last["level"]) == ("long", "shop", "info")


def test_a_shortened_text_keeps_its_ends_and_says_so() -> None:
    lines = configured(max_line=4096)
    structlog.get_logger().info("long", text="begin" + "x" * 50_000 + "end", short="kept")

    text = lines.last["text"]
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "characters left out" in text
    assert lines.last["short"] == "kept"


def test_a_long_traceback_is_shortened_in_its_middle() -> None:
    def deep(times: int) -> None:
        if not times:
            raise ValueError("at the bottom")
        deeper(times - 1)

    def deeper(times: int) -> None:  # lines that take turns are not summed up
        deep(times)

    lines = configured(max_line=4096)
    try:
        deep(150)
    except ValueError:
        structlog.get_logger().exception("failed")

    assert len(lines.raw[0]) <= 4096
    assert lines.last["exception_stacktrace"].startswith("Traceback")
    assert lines.last["exception_stacktrace"].endswith("ValueError: at the bottom\n")


# --- levels


def test_the_level_holds_for_every_source() -> None:
    lines = configured(level="WARNING")
    structlog.get_logger("a").info("no")
    logging.getLogger("b").info("no")
    structlog.get_logger("a").warning("yes")
    logging.getLogger("b").warning("yes")

    assert [line["event"] for line in lines.parsed] == ["yes", "yes"]


def test_a_loggers_own_level_wins() -> None:
    lines = configured(level="INFO", levels={"loud.one": "ERROR", "quiet": "DEBUG"})
    for name in ("loud.one", "loud.one.child", "loud", "quiet"):
        structlog.get_logger(name).info(name)
    structlog.get_logger("quiet").debug("more")

    assert [line["event"] for line in lines.parsed] == ["loud", "quiet", "more"]


@pytest.mark.parametrize("name", ["root", ""])
def test_the_root_loggers_level_may_be_named(name: str) -> None:
    lines = configured(level="INFO", levels={name: "ERROR"})
    logging.getLogger("any").warning("no")

    assert lines.raw == []


def test_handlers_that_libraries_brought_are_gone(lines: Lines) -> None:
    logging.getLogger("proud").addHandler(logging.StreamHandler())
    logging.getLogger("proud").propagate = False
    lines = configured()
    logging.getLogger("proud").info("mine")

    assert logging.getLogger("proud").handlers == []
    assert [line["event"] for line in lines.parsed] == ["mine"]


# --- for people


def test_the_console_format_is_for_people(request_context: Any) -> None:
    lines = configured(format="console")
    structlog.get_logger("shop").info("quote made", country="NO", nothing=None)

    text = lines.raw[0].decode()
    assert "quote made" in text
    assert "country=NO" in text
    assert "abc-1" in text
    assert "nothing" not in text
    assert "1.2.3" not in text


def test_the_console_format_shows_a_traceback_as_python_does() -> None:
    lines = configured(format="console")
    try:
        raise ValueError("no way \ud800")
    except ValueError:
        logging.getLogger("shop").exception("failed")

    text = lines.raw[0].decode()
    assert "\nTraceback (most recent call last):\n" in text
    assert text.endswith("ValueError: no way \\ud800\n")


def test_values_that_are_bound_to_a_context_are_on_lines_of_libraries_too() -> None:
    written = Lines()
    ops.logs.configure(ops.settings.LogSettings(), ops.about.ABOUT, [written])
    with structlog.contextvars.bound_contextvars(order=7):
        logging.getLogger("library").warning("said")

    assert json.loads(written.raw[0])["order"] == 7


def test_urls_of_outgoing_calls_are_logged_only_on_demand() -> None:
    written = Lines()
    ops.logs.configure(ops.settings.LogSettings(level="DEBUG"), ops.about.ABOUT, [written])
    logging.getLogger("httpx2").info("HTTP Request: GET https://x/?token=hunter2")
    ops.logs.configure(ops.settings.LogSettings(levels={"httpx2": "INFO"}), ops.about.ABOUT, [written])
    logging.getLogger("httpx2").info("wanted")

    assert [json.loads(line)["event"] for line in written.raw] == ["wanted"]

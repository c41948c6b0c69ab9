"""The ids of a request: what is taken over from the caller, and what is made up."""

import re

import pytest

from . import ops

RequestContext = ops.context.RequestContext

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_PARENT = f"00-{_TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("given", ["a", "ABC-def_1.2", "0" * 128])
def test_a_well_formed_request_id_is_taken_over(given: str) -> None:
    assert RequestContext(given.encode()).request_id == given


@pytest.mark.parametrize(
    "given", [b"", b" ", b"a b", b"a\n", b"a\r\nx: y", b"0" * 129, "ø".encode(), b"\xff", b'"', b"a/b", b"a;b", b"\x00"]
)
def test_a_hostile_request_id_is_replaced_whole(given: bytes) -> None:
    assert re.fullmatch("[0-9a-f]{32}", RequestContext(given).request_id)


def test_made_up_ids_differ_and_have_their_lengths() -> None:
    one, other = RequestContext(), RequestContext()

    assert re.fullmatch("[0-9a-f]{32}", one.request_id)
    assert re.fullmatch("[0-9a-f]{32}", one.trace_id)
    assert re.fullmatch("[0-9a-f]{16}", one.span_id)
    assert len({one.request_id, other.request_id, one.trace_id, other.trace_id}) == 4


def test_a_trace_goes_on_with_a_span_of_its_own() -> None:
    context = RequestContext(None, _PARENT.encode())

    assert context.trace_id == _TRACE
    assert context.span_id != "00f067aa0ba902b7"
    assert context.traceparent == f"00-{_TRACE}-{context.span_id}-01"


def test_a_trace_that_begins_here_is_not_sampled() -> None:
    context = RequestContext()

    assert context.traceparent == f"00-{context.trace_id}-{context.span_id}-00"


def test_a_later_version_of_traceparent_may_have_more_fields() -> None:
    context = RequestContext(None, f"cc-{_TRACE}-00f067aa0ba902b7-01-what-the-future-holds".encode())

    assert context.trace_id == _TRACE
    assert context.traceparent.startswith("00-")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "00",
        f"00-{_TRACE}-00f067aa0ba902b7",
        f"00-{_TRACE}-00f067aa0ba902b7-01-extra",
        f"00-{_TRACE}-00f067aa0ba902b7-01-",
        f"ff-{_TRACE}-00f067aa0ba902b7-01",
        f"cc-{_TRACE}-00f067aa0ba902b7-01.x",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{_TRACE}-{'0' * 16}-01",
        f"00-{_TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{_TRACE}-00f067aa0ba902b7-0g",
        f" {_PARENT}",
        f"{_PARENT}\n",
        f"{_PARENT},{_PARENT}",
    ],
)
def test_a_broken_traceparent_is_replaced_whole(given: str) -> None:
    assert RequestContext(None, given.encode()).trace_id != _TRACE


def test_flags_that_no_standard_defines_are_not_passed_on() -> None:
    context = RequestContext(None, f"00-{_TRACE}-00f067aa0ba902b7-ff".encode())

    assert context.traceparent[-2:] in ("01", "03")


def test_a_well_formed_tracestate_is_kept() -> None:
    context = RequestContext(None, _PARENT.encode(), b"vendor=value,other=1")

    assert context.tracestate == "vendor=value,other=1"


@pytest.mark.parametrize("given", [b"", b"x" * 513, b"a=\xff", b"a=1\r\nX-Evil: 1", b"a=\x00"])
def test_a_hostile_tracestate_is_dropped(given: bytes) -> None:
    assert RequestContext(None, _PARENT.encode(), given).tracestate is None


@pytest.mark.parametrize("parent", [None, b"", b"broken"])
def test_a_tracestate_without_its_trace_is_dropped(parent: bytes | None) -> None:
    assert RequestContext(None, parent, b"a=1").tracestate is None

"""The request that the running code belongs to: its ids, and the W3C trace context that goes on to others."""

import re
from contextvars import ContextVar
from random import getrandbits
from typing import Final

_FLAGS: Final = 0b11  # sampled, random: those that the standard defines; others are set to zero
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch
# https://www.w3.org/TR/trace-context/#traceparent-header; a later version may append fields after a dash.
_TRACEPARENT: Final = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?").fullmatch
# https://www.w3.org/TR/trace-context/#tracestate-header; at most 512 characters are passed on.
_TRACESTATE: Final = re.compile(rb"[\x20-\x7e]{1,512}").fullmatch


class RequestContext:
    """Ids of one request. `trace_id` has 32 hex digits, `span_id` 16, both lower case."""

    __slots__ = ("flags", "parent_id", "request_id", "span_id", "trace_id", "tracestate")

    def __init__(
        self, request_id: bytes | None = None, traceparent: bytes | None = None, tracestate: bytes | None = None
    ) -> None:
        """Take over what the caller sent if it is well formed, and make up the rest.

        A hostile or broken value is replaced, never repaired: it would end in every log line and in answers.
        """
        if request_id is not None and _REQUEST_ID(request_id):
            self.request_id = request_id.decode("ascii")
        else:
            self.request_id = f"{getrandbits(128):032x}"
        self.tracestate: str | None = None
        self.span_id = f"{getrandbits(64) or 1:016x}"
        self.parent_id: str | None  # the caller's span, if it named one
        if traceparent is not None and (given := parse_traceparent(traceparent)) is not None:
            self.trace_id, self.parent_id, self.flags = given
            if tracestate is not None and _TRACESTATE(tracestate):
                self.tracestate = tracestate.decode("ascii")
        else:
            self.trace_id, self.parent_id, self.flags = f"{getrandbits(128) or 1:032x}", None, "00"

    @property
    def traceparent(self) -> str:
        """The header value that names this request as the parent."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def parse_traceparent(value: bytes) -> tuple[str, str, str] | None:
    """Trace id, the caller's span id and flags of a valid `traceparent` header, else None."""
    match = _TRACEPARENT(value)
    if match is None or (match[1] == b"00" and match[5] is not None):
        return None
    if match[2] == b"0" * 32 or match[3] == b"0" * 16:
        return None
    return match[2].decode("ascii"), match[3].decode("ascii"), f"{int(match[4], 16) & _FLAGS:02x}"


current: ContextVar[RequestContext | None] = ContextVar("request", default=None)

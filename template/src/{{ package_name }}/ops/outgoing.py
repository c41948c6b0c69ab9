"""Calls to other services: an HTTP client with time-outs, retries, trace propagation and metrics by peer."""

import asyncio
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from random import uniform
from time import perf_counter, time
from typing import Any, Final

import httpx2
from prometheus_client import Histogram

from .about import ABOUT
from .context import current
from .metrics import METHODS, OTHER
from .tracing import TRACING

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})  # RFC 9110, 9.2.2
RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
_MAX_WAIT_SECONDS: Final = 10.0
_PEER = re.compile(r"[a-z][a-z0-9._-]{0,62}").fullmatch
_TRANSIENT = (
    httpx2.ConnectError,
    httpx2.TimeoutException,
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.RemoteProtocolError,
)

DURATION = Histogram(
    "http_client_request_duration_seconds",
    "Duration of outgoing HTTP requests, each attempt for itself, until the head of the answer.",
    ["peer", "http_request_method", "http_response_status_code", "error_type"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


def http_client(
    peer: str,
    base_url: str = "",
    *,
    timeout_seconds: float = 5.0,
    connect_seconds: float = 1.0,
    retries: int = 2,
    backoff_seconds: float = 0.1,
    headers: Mapping[str, str] | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    **options: Any,
) -> httpx2.AsyncClient:
    """A client for one other service; make it once, in the application's lifespan, and close it there.

    Args:
        peer: the other service's name, a metric label: lower case letters, digits, `.`, `_` and `-`.
        base_url: of relative URLs.
        timeout_seconds: for each attempt to read, write and get a connection from the pool.
        connect_seconds: for each attempt to connect.
        retries: further attempts of idempotent methods after a connection error, a time-out or an answer of 429,
            502, 503 or 504, after a random pause up to `backoff_seconds` times 2 to the number of the attempt, or
            what `Retry-After` asks for, at most 10 s. 0 switches them off.
        headers: sent with every request.
        transport: sends the requests; httpx2's own by default.
        options: everything else that `httpx2.AsyncClient` takes.

    Raises:
        ValueError: for a peer's name that is no safe label.
    """
    if not _PEER(peer):
        raise ValueError(f"peer {peer!r}: use 1 to 63 lower case letters, digits, '.', '_' and '-'")
    passed = {name: options.pop(name) for name in ("verify", "cert", "http2", "limits", "proxy") if name in options}
    inner = transport or httpx2.AsyncHTTPTransport(**passed)
    return httpx2.AsyncClient(
        base_url=base_url,
        timeout=httpx2.Timeout(timeout_seconds, connect=connect_seconds),
        headers={"User-Agent": f"{ABOUT.name}/{ABOUT.version}", **(headers or {})},
        transport=_Retrying(_Measured(inner, peer), retries, backoff_seconds),
        **options,
    )


class _Measured(httpx2.AsyncBaseTransport):
    """Says to the peer which request this call belongs to, and measures it."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, peer: str) -> None:
        self._inner, self._peer = inner, peer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if (context := current.get()) is not None:
            request.headers["X-Request-ID"] = context.request_id
            request.headers["traceparent"] = context.traceparent
            if context.tracestate is not None:
                request.headers["tracestate"] = context.tracestate
        call = None if TRACING.call is None else TRACING.call(self._peer, request)
        began, status, error = perf_counter(), "", "cancelled"
        try:
            response = await self._inner.handle_async_request(request)
            status = str(response.status_code)
            error = status if response.status_code >= 500 else ""
            return response
        except Exception as raised:
            error = type(raised).__name__
            raise
        finally:
            method = request.method if request.method in METHODS else OTHER
            DURATION.labels(self._peer, method, status, error).observe(perf_counter() - began)
            if call is not None:
                call.end(status, error)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Retrying(httpx2.AsyncBaseTransport):
    """Tries idempotent requests again, with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, retries: int, backoff_seconds: float) -> None:
        self._inner, self._retries, self._backoff = inner, retries, backoff_seconds

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A body that is read from a stream can be sent only once.
        again = request.method in IDEMPOTENT and isinstance(request.stream, httpx2.ByteStream)
        left = self._retries if again else 0
        for attempt in range(left + 1):
            wait: float | None = None
            if attempt:
                request.extensions["resend_count"] = attempt
            try:
                response = await self._inner.handle_async_request(request)
            except _TRANSIENT:
                if attempt == left:
                    raise
            else:
                if attempt == left or response.status_code not in RETRIED_STATUS:
                    return response
                wait = _retry_after(response.headers.get("Retry-After"))
                if wait is not None and wait > _MAX_WAIT_SECONDS:
                    return response
                await response.aclose()
            await asyncio.sleep(uniform(0, self._backoff * 2**attempt) if wait is None else wait)  # noqa: S311
        raise AssertionError("unreachable")  # pragma: no cover

    async def aclose(self) -> None:
        await self._inner.aclose()


def _retry_after(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header (RFC 9110, 10.2.3) asks for, in either form; None without a usable one."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return None

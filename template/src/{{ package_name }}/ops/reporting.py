"""Errors to a server that speaks Sentry's protocol (Sentry, GlitchTip, Bugsink). Needs the package `sentry-sdk`.

The package builds the events; this module sends them, in the thread of its queue, with the bounds and the patience that
every outlet has. Neither local variables nor requests are in an event, and all of it is redacted as the log is.
"""

import http.client
import ssl
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from .about import About
from .logs import ExcInfo

Failure = tuple[Mapping[str, Any], ExcInfo | None]

_SECONDS: Final = 5.0
_OWN: Final = frozenset(
    {
        "timestamp", "level", "event", "logger", "service", "version", "request_id", "trace_id", "span_id",
        "exception_type", "exception_message", "exception_stacktrace",
    }
)  # fmt: skip


def available() -> bool:
    """Whether the package is installed."""
    return find_spec("sentry_sdk") is not None


class Sentry:
    """A Sentry server, as the destination of a queue of (record, exception).

    Args:
        dsn: its address with the project's public key.
        environment: such as `production`.
        redact: gives a copy of plain values without what must not leave the service.
    """

    def __init__(self, dsn: str, about: About, environment: str | None, redact: Callable[[Any], Any]) -> None:
        self._dsn = dsn
        self._about = about
        self._environment = environment
        self._redact = redact
        self._client: Any = None
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, items: Sequence[Failure]) -> int:
        """Send the first of these.

        Raises:
            OSError: the server can't be reached, or wants to be left alone for a while.
        """
        record, error = items[0]
        if self._client is None:
            self._client = self._made()
        self._client.capture_event(self._event(record, error))
        return 1

    def tick(self, *, closing: bool) -> None:
        """Nothing is due later."""

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _made(self) -> Any:
        import sentry_sdk  # noqa: PLC0415 - only where it is used
        from sentry_sdk.transport import Transport  # noqa: PLC0415

        def send(transport: Any, envelope: Any) -> None:
            self._post(transport.parsed_dsn, envelope.serialize())

        return sentry_sdk.Client(
            self._dsn,
            transport=type("Sender", (Transport,), {"capture_envelope": send}),  # at once, in this thread
            release=f"{self._about.name}@{self._about.version}",
            environment=self._environment,
            default_integrations=False,
            auto_enabling_integrations=False,
            send_default_pii=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            send_client_reports=False,
            auto_session_tracking=False,
            server_name="",  # a pod's name says nothing that the ids do not
            before_send=lambda event, _: self._redact(event),
        )

    def _event(self, record: Mapping[str, Any], error: ExcInfo | None) -> dict[str, Any]:
        from sentry_sdk.utils import event_from_exception  # noqa: PLC0415

        event: dict[str, Any] = {}
        if error is not None:
            event, _ = event_from_exception(error, {**self._client.options, "include_local_variables": False})
        event |= {
            "level": {"critical": "fatal"}.get(record["level"], record["level"]),
            "logger": record["logger"],
            "logentry": {"message": str(record["event"])},
            "tags": {name: record[name] for name in ("request_id", "trace_id") if record.get(name)},
            "extra": {name: value for name, value in record.items() if name not in _OWN},
        }
        if record.get("trace_id") and record.get("span_id"):
            event["contexts"] = {"trace": {"trace_id": record["trace_id"], "span_id": record["span_id"]}}
        return event

    def _post(self, dsn: Any, body: bytes) -> None:
        auth = dsn.to_auth("ops/1")
        headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth.to_header()}
        if self._connection is None:
            self._connection = self._connect(dsn)
        try:
            self._connection.request("POST", f"{dsn.path}api/{dsn.project_id}/envelope/", body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise OSError(type(error).__name__) from error
        if answer.status == http.HTTPStatus.TOO_MANY_REQUESTS or answer.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise OSError(f"status {answer.status}")  # any other refusal would be the same the next time

    def _connect(self, dsn: Any) -> http.client.HTTPConnection:
        if dsn.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(dsn.host, dsn.port, timeout=_SECONDS, context=context)
        return http.client.HTTPConnection(dsn.host, dsn.port, timeout=_SECONDS)

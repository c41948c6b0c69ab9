"""Where log lines and errors go beside standard output: made from the settings, closed last."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from .about import About
from .queued import Queued
from .redaction import REDACTOR
from .settings import ErrorSettings, LogSettings, OpsSettings

Line = tuple[bytes, str]


class Outlets:
    """The queues that the settings ask for: `lines` take every (line, level), `errors` every failure from ERROR on."""

    def __init__(self, settings: OpsSettings, about: About, shared: Path | None = None) -> None:
        self.lines: list[Queued[Line]] = []
        self.errors: list[Queued[Any]] = []
        log = settings.log
        self._close_seconds = log.close_seconds
        if log.syslog is not None:
            self.lines.append(_syslog(log.syslog, about))
        if log.email.to:
            self.errors.append(_mail(log, about, shared))
        if settings.errors.dsn is not None:
            self.errors.append(_sentry(settings.errors, settings.errors.dsn.get_secret_value(), about))

    def close(self) -> None:
        """Deliver what waits, within the limit for all of them together."""
        end = monotonic() + self._close_seconds
        queues: Sequence[Queued[Any]] = [*self.errors, *self.lines]
        for queue in queues:
            queue.finish(self._close_seconds)
        for queue in queues:
            queue.close(max(0.0, end - monotonic()))


def _dropped(name: str) -> Any:
    from .logs import DROPPED  # noqa: PLC0415 - it makes metrics, whose place is settled later

    return DROPPED.labels(name).inc


def _syslog(address: str, about: About) -> Queued[Line]:
    from .rfc5424 import Syslog, Target  # noqa: PLC0415 - only where it is used

    destination = Syslog(Target.parse(address), about)
    return Queued("syslog", destination, size=lambda item: len(item[0]), on_drop=_dropped("syslog"))


def _mail(settings: LogSettings, about: About, shared: Path | None) -> Queued[Any]:
    from .mail import Ledger, Mail  # noqa: PLC0415

    destination = Mail(settings.email, about, Ledger(shared))
    return Queued("email", destination, size=_failure_size, on_drop=_dropped("email"), capacity=2048)


def _sentry(settings: ErrorSettings, dsn: str, about: About) -> Queued[Any]:
    from .reporting import Sentry  # noqa: PLC0415

    destination = Sentry(dsn, about, settings.environment, REDACTOR.value)
    return Queued("sentry", destination, size=_failure_size, on_drop=_dropped("sentry"), capacity=256)


def _failure_size(failure: Any) -> int:
    return 512 + len(failure[0].get("exception_stacktrace") or "")

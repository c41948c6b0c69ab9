"""Checks of what the service depends on. They run in the background: a probe only reads their last result."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from random import uniform
from time import monotonic
from typing import Any

import structlog
from prometheus_client import Gauge

from .redaction import REDACTOR
from .settings import HealthSettings

UP = Gauge(
    "dependency_up",
    "Whether a dependency's check passes, in every worker.",
    ["dependency"],
    multiprocess_mode="livemin",
)
LATENCY = Gauge(
    "dependency_check_duration_seconds",
    "Duration of the last check of a dependency, the longest of all workers.",
    ["dependency"],
    multiprocess_mode="livemax",
)
CHECKED = Gauge(
    "dependency_check_timestamp_seconds",
    "Unix time at which the last check of a dependency ended, the oldest of all workers.",
    ["dependency"],
    multiprocess_mode="livemin",
)
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}").fullmatch
_RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """How to find out whether a dependency works.

    Args:
        name: of the dependency: lower case letters, digits, `.`, `_` and `-`.
        probe: an async callable; it has failed if it raises, returns False or takes too long. It must not block.
        critical: whether the service is not ready while this check fails.
        timeout_seconds, interval_seconds, failure_threshold, success_threshold: in place of the settings' defaults.
    """

    name: str
    probe: Callable[[], Awaitable[object]]
    critical: bool = True
    timeout_seconds: float | None = None
    interval_seconds: float | None = None
    failure_threshold: int | None = None
    success_threshold: int | None = None

    def __post_init__(self) -> None:
        if not _NAME(self.name):
            raise ValueError(f"check name {self.name!r}: use 1 to 63 lower case letters, digits, '.', '_' and '-'")
        called = getattr(self.probe, "__call__", self.probe)  # noqa: B004 - an object with an async __call__ is fine
        inner = getattr(self.probe, "func", self.probe)  # functools.partial
        if not any(iscoroutinefunction(each) for each in (self.probe, called, inner)):
            raise TypeError(f"check {self.name!r}: its probe must be an async callable; put blocking code in a thread")
        for option in ("timeout_seconds", "interval_seconds", "failure_threshold", "success_threshold"):
            value = getattr(self, option)
            if value is not None and value <= 0:
                raise ValueError(f"check {self.name!r}: {option} is {value}, it must be above 0")


class Watch:
    """One check with its state: `starting` until it has first passed or failed, then `pass` or `fail`."""

    def __init__(self, check: Check, defaults: HealthSettings) -> None:
        self.check = check
        self.state = "starting"
        self.output: str | None = None
        self.time: datetime | None = None
        self.duration_seconds = 0.0
        self._ended = 0.0
        self._in_a_row = 0
        self._last_passed: bool | None = None
        self._probe: asyncio.Task[object] | None = None
        self._timeout = check.timeout_seconds or defaults.timeout_seconds
        self._interval = check.interval_seconds or defaults.interval_seconds
        self._to_fail = check.failure_threshold or defaults.failure_threshold
        self._to_pass = check.success_threshold or defaults.success_threshold

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the last result; None before the first."""
        return monotonic() - self._ended if self.time is not None else None

    async def run_for_ever(self) -> None:
        """Check again and again, a little out of step with the other workers."""
        while True:
            await self.run()
            pause = self._interval if self.state == "pass" else min(self._interval, _RETRY_SECONDS)
            await asyncio.sleep(pause * uniform(0.9, 1.1))  # noqa: S311 - jitter

    async def run(self) -> None:
        """Check once, within the time-out whatever the probe does."""
        began = monotonic()
        error: str | None
        if self._probe is not None and not self._probe.done():
            error = "the last run of the probe has not ended"
        else:
            self._probe = asyncio.ensure_future(self._call())
            await asyncio.wait({self._probe}, timeout=self._timeout)
            if self._probe.done():
                error = _outcome(self._probe)
            else:
                self._probe.cancel()  # not awaited: a probe that ignores this must not hold up the others
                error = f"timed out after {self._timeout:g} s"
        self._ended = monotonic()
        self.time, self.duration_seconds = datetime.now(UTC), self._ended - began
        # The series are made by the first result, in the worker that has it: made before the fork they would say 0.
        LATENCY.labels(self.check.name).set(self.duration_seconds)
        CHECKED.labels(self.check.name).set(self.time.timestamp())
        self._note(error)

    def cancel(self) -> None:
        """End the probe that runs now, if any."""
        if self._probe is not None:
            self._probe.cancel()

    async def _call(self) -> object:
        return await self.check.probe()

    def _note(self, error: str | None) -> None:
        passed = error is None
        self._in_a_row = self._in_a_row + 1 if passed is self._last_passed else 1
        self._last_passed, self.output = passed, error
        if self._in_a_row >= (self._to_pass if passed else self._to_fail):
            state = "pass" if passed else "fail"
            if state != self.state:
                tell = log.info if passed else log.warning
                tell("dependency check changed", dependency=self.check.name, state=state, output=error)
            self.state = state
        UP.labels(self.check.name).set(1 if self.state == "pass" else 0)


class Monitor:
    """All checks of the service."""

    def __init__(self, checks: Sequence[Check], defaults: HealthSettings) -> None:
        names = [check.name for check in checks]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"checks need names of their own: {', '.join(sorted(twice))} is used twice")
        self.watches = [Watch(check, defaults) for check in checks]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def passes(self) -> bool:
        """Whether every critical check passes."""
        return all(watch.state == "pass" for watch in self.watches if watch.check.critical)

    def start(self) -> None:
        """Begin to check. In the event loop that serves."""
        self._tasks = [asyncio.ensure_future(watch.run_for_ever()) for watch in self.watches]

    async def stop(self) -> None:
        """End all checks."""
        for watch in self.watches:
            watch.cancel()
        for task in self._tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def report(self) -> dict[str, list[dict[str, Any]]]:
        """The checks in the form of draft-inadarei-api-health-check-06, section 4."""
        return {watch.check.name: [_entry(watch)] for watch in self.watches}


def _entry(watch: Watch) -> dict[str, Any]:
    critical, age = watch.check.critical, watch.age_seconds
    entry: dict[str, Any] = {
        "status": "pass" if watch.state == "pass" else "fail" if critical else "warn",
        "state": watch.state,
        "critical": critical,
        "time": watch.time,
        "age_seconds": None if age is None else round(age, 3),
        "observedValue": round(watch.duration_seconds * 1000, 3),
        "observedUnit": "ms",
    }
    if watch.output is not None:
        entry["output"] = watch.output
    return entry


def _outcome(probe: "asyncio.Task[object]") -> str | None:
    if probe.cancelled():
        return "cancelled"
    if (error := probe.exception()) is not None:
        try:
            text = f"{type(error).__name__}: {error}"
        except Exception:  # noqa: BLE001 - an error whose text can't be made is an error, too
            text = type(error).__name__
        return REDACTOR.text(text[:10_000])[:300]
    return "the probe returned False" if probe.result() is False else None

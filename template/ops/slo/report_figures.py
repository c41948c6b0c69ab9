"""The figures of an SLO report: what was measured, as plain data, the same for every form of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

SLOT: Final = 300  # seconds; the finest that data and its gaps are seen
HOUR: Final = 3600
DAY: Final = 86_400


@dataclass(frozen=True)
class Window:
    """Whole days up to `end`; times are Unix time in seconds."""

    end: int
    days: int

    @property
    def start(self) -> int:
        """When it begins."""
        return self.end - self.days * DAY

    @property
    def before(self) -> "Window":
        """The window of the same length that ends where this one begins."""
        return Window(self.start, self.days)


@dataclass(frozen=True)
class Slice:
    """A part of the window.

    Attributes:
        start: Unix time in seconds.
        bad, total: events in it; as the queries count, so with fractions.
        measured: seconds of it that had data.
    """

    start: int
    bad: float
    total: float
    measured: int


@dataclass(frozen=True)
class Gap:
    """A time without data, to five minutes: Unix time in seconds."""

    start: int
    end: int


@dataclass(frozen=True)
class Measured:
    """What came of one objective in one window.

    Attributes:
        source: `counters` (the objective's own queries over what the service counted) or `records` (what the recording
            rules kept of it).
        days, hours, slots: slices of the window, by time; hours and slots of five minutes are there for the window
            itself only. Sums are those of the days: the shorter a slice, the more of it is estimated.
        recorded: share of the window, 0 to 1, that has records: at other times no burn-rate alert could fire.
    """

    window: Window
    source: str
    days: list[Slice]
    hours: list[Slice]
    slots: list[Slice]
    gaps: list[Gap]
    recorded: float

    @property
    def bad(self) -> float:
        """Bad events."""
        return sum(each.bad for each in self.days)

    @property
    def total(self) -> float:
        """All events."""
        return sum(each.total for each in self.days)

    @property
    def measured(self) -> float:
        """Share of the window that had data, 0 to 1."""
        return 1 - sum(each.end - each.start for each in self.gaps) / (self.window.days * DAY)


@dataclass(frozen=True)
class Route:
    """One route's part in an objective; `share` is that of all bad events, 0 to 1."""

    method: str
    route: str
    bad: float
    total: float
    share: float


@dataclass(frozen=True)
class Outcome:
    """One objective: what was wanted and what came of it.

    Attributes:
        objective, budget: ratios, 0 to 1: of events that should be good, and of those that may be bad.
        noun: what is counted: `requests`, `events` or `samples`.
        routes: the worst first; None where the objective does not read the service's own histogram.
        other_routes: how many more had bad events.
        routes_bad: bad events on all routes, listed or not.
    """

    name: str
    description: str
    objective: float
    budget: float
    noun: str
    measured: Measured
    previous: Measured | None
    routes: list[Route] | None
    other_routes: int
    routes_bad: float

    @property
    def idle(self) -> bool:
        """Whether there was nothing to judge."""
        return self.measured.total <= 0

    @property
    def met(self) -> bool:
        """Whether at least as many events were good as should be."""
        return self.spent <= 1 + 1e-9  # not missed by the noise of floating point

    @property
    def reached(self) -> float:
        """Ratio of good events, 0 to 1."""
        return good(self.measured)

    @property
    def spent(self) -> float:
        """Share of the window's error budget that is gone; above 1: more than there was."""
        return self.cost(self.measured.bad)

    @property
    def outage_minutes(self) -> float:
        """Minutes of full outage, at the window's average traffic, that would have cost as much."""
        return self.spent * self.budget_minutes

    @property
    def budget_minutes(self) -> float:
        """Minutes of full outage, at the window's average traffic, that the budget allows."""
        return self.budget * self.measured.window.days * DAY / 60

    def cost(self, bad: float) -> float:
        """Share of the window's error budget that so many bad events are."""
        return 0.0 if self.idle else bad / (self.budget * self.measured.total)

    def burn(self, part: Slice) -> float | None:
        """How many times as fast as the budget allows it was spent in a part of the window; None without events."""
        return part.bad / part.total / self.budget if part.total > 0 else None


@dataclass(frozen=True)
class Firing:
    """Once that an alert fired, to a minute: Unix time in seconds. `open`: it still fired when the window ended."""

    start: int
    end: int
    open: bool


@dataclass(frozen=True)
class Alert:
    """An alert that fired; `objective` and `window` (its long one) are empty where it has none."""

    name: str
    severity: str
    objective: str
    window: str
    firings: list[Firing]

    @property
    def seconds(self) -> int:
        """How long it fired altogether."""
        return sum(each.end - each.start for each in self.firings)


@dataclass(frozen=True)
class Change:
    """A version that appeared.

    Attributes:
        time: when it was first seen, to a minute: Unix time in seconds.
        before: versions that were seen just before; those are gone, or are being replaced.
        effects: by objective, the ratio of good events in the six hours before (or since the change before) and in the
            six hours after (or until the next change); None without events.
    """

    time: int
    version: str
    before: list[str]
    effects: dict[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        own_days: length of the window that slo.yaml gives the objectives.
        versions: all that ran in the window.
        warnings: Prometheus' own, about its answers.
    """

    service: str
    owner: str
    window: Window
    own_days: int
    outcomes: list[Outcome]
    alerts: list[Alert]
    versions: list[str]
    changes: list[Change]
    warnings: list[str]


def good(measured: Measured) -> float:
    """Ratio of good events, 0 to 1."""
    return 1 - measured.bad / measured.total


def moment(seconds: int) -> datetime:
    """A time in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)

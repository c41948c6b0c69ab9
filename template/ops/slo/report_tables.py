"""The tables of an SLO report, the same in each form."""

from dataclasses import dataclass
from typing import Final

from . import report_format as shown
from . import report_words as words
from .report_figures import DAY, Outcome, Report

_MOST_CHANGES: Final = 30


@dataclass(frozen=True)
class Table:
    """Plain text, to be escaped by whoever shows it. `numbers` are the columns with figures, from 0."""

    caption: str
    heads: list[str]
    rows: list[list[str]]
    numbers: frozenset[int]


def overview(report: Report) -> Table:
    """A line for each objective."""
    heads = [
        "objective",
        "result",
        "wanted",
        "reached",
        "budget spent",
        "left",
        "bad",
        "of all",
        "has data",
        "window before",
    ]
    rows = [
        [
            each.name,
            shown.verdict(each),
            shown.objective(each),
            shown.reached(each, each.measured),
            "–" if each.idle else shown.spent(each.spent),
            "–" if each.idle else shown.left(each.spent),
            shown.count(each.measured.bad),
            shown.count(each.measured.total),
            shown.covered(each.measured.measured),
            words.before(each),
        ]
        for each in report.outcomes
    ]
    return Table("What was wanted, and what came of it", heads, rows, frozenset(range(2, 10)))


def days(each: Outcome, *, every: bool) -> Table:
    """Each day, or each that took one percent of the budget or more."""
    parts = each.measured.days if every else words.costly(each)
    rows = [
        [
            shown.day(part.start) if part.start % DAY == 0 else f"from {shown.time(part.start)}",
            shown.count(part.bad),
            shown.count(part.total),
            shown.spent(each.cost(part.bad)),
            "all" if part.measured == DAY else shown.duration(part.measured) if part.measured else "none",
        ]
        for part in parts
    ]
    caption = f"{each.name}: each day" if every else f"{each.name}: days that took one percent of the budget or more"
    return Table(caption, ["day", "bad", "of all", "budget spent", "has data"], rows, frozenset(range(1, 5)))


def routes(each: Outcome) -> Table:
    """The worst routes."""
    rows = [
        [
            route.method,
            route.route,
            shown.count(route.bad),
            shown.count(route.total),
            shown.percent(route.bad / route.total, 2) if route.total > 0 else "–",
            shown.percent(route.share),
        ]
        for route in each.routes or ()
    ]
    more = f" ({each.other_routes} more had bad ones, too)" if each.other_routes else ""
    heads = ["method", "route", "bad", "of all", "bad of its own", "of all that were bad"]
    return Table(f"{each.name}: the worst routes{more}", heads, rows, frozenset(range(2, 6)))


def alerts(report: Report) -> Table:
    """Each alert that fired."""
    rows = [
        [
            words.alert_name(each),
            each.severity,
            str(len(each.firings)),
            shown.duration(each.seconds),
            words.firings(each),
        ]
        for each in report.alerts
    ]
    return Table(
        "Pages first, then by time (UTC)",
        ["alert", "severity", "times", "altogether", "when, and for how long"],
        rows,
        frozenset({2, 3}),
    )


def changes(report: Report) -> Table:
    """Each version that came, with what was good before and after; the newest, if there are many."""
    names = [each.name for each in report.outcomes]
    newest = report.changes[-_MOST_CHANGES:]
    rows = [
        [
            shown.time(each.time),
            ", ".join(each.before),
            each.version,
            *(" → ".join(shown.effect(ratio) for ratio in each.effects[name]) for name in names),
        ]
        for each in newest
    ]
    more = f": the last {len(newest)} of {len(report.changes)}" if len(newest) < len(report.changes) else ""
    heads = ["time", "from", "to", *(f"{name}, before → after" for name in names)]
    caption = f"Changes of version{more}; before and after: up to six hours, from one change to the next"
    return Table(caption, heads, rows, frozenset(range(3, 3 + len(names))))

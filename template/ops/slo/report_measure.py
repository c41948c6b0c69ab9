"""Measures one objective over one window, by the objective's own queries or by what the recording rules kept of them.

Counters are preferred: the increases of each day are summed up, which counts each event once, survives resets, and sees
what the service counted while Prometheus or its rules stood still. Where the records reach further back (raw data kept
for 15 days, records for a year) they are the source. So they are where a value does not grow with its window, such as
that of `avg_over_time`: there each evaluation of the rules has the same weight.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from . import rules
from .prometheus import Prometheus
from .report_figures import DAY, HOUR, SLOT, Gap, Measured, Slice, Window
from .spec import Objective, Spec

# So much less data than the other source has is no reason to change.
_ENOUGH: Final = 0.99


def measure(asked: Prometheus, spec: Spec, objective: Objective, window: Window, *, parts: bool) -> Measured:
    """Figures of one objective; without data it has no events, and one gap. `parts`: hours and slots, too.

    Raises:
        PrometheusError: no answer that can be used.
    """
    counted = slots(asked, window, objective.total.over("5m"))
    # Not 5m: the last record before a gap, at the very end of a slot, would count for the next one, too.
    recorded = slots(asked, window, f"count_over_time({rules.TOTAL}{rules.selector(spec, objective)}[299s])")
    first, second = (counted, recorded) if _adds_up(objective) else (recorded, counted)
    used = first if len(first) >= _ENOUGH * len(second) else second
    queries = (
        _Counters(objective) if used is counted else _Records(rules.selector(spec, objective), objective.error.unit)
    )
    return Measured(
        window=window,
        source=queries.source,
        days=_slices(asked, queries, window, used, DAY),
        hours=_slices(asked, queries, window, used, HOUR) if parts else [],
        slots=_slices(asked, queries, window, used, SLOT) if parts else [],
        gaps=gaps(window, used),
        recorded=len(recorded) * SLOT / (window.days * DAY),
    )


def _adds_up(objective: Objective) -> bool:
    """Whether the values of short windows add up to that of a long one."""
    if objective.error.unit != "samples":
        return True
    functions = [re.findall(r"(\w+)_over_time\b", each.text) for each in (objective.error, objective.total)]
    return all(functions) and set().union(*functions) <= {"sum", "count"}


def slots(asked: Prometheus, window: Window, query: str) -> set[int]:
    """Numbers of the window's five-minute slots at whose end the query has a value."""
    series = asked.range(query, window.start + SLOT, window.end, SLOT)
    return {(round(time) - window.start) // SLOT - 1 for each in series for time, _ in each.points}


def gaps(window: Window, used: set[int]) -> list[Gap]:
    """The times between slots that have data."""
    edges = [-1, *sorted(used), window.days * DAY // SLOT]
    return [
        Gap(window.start + (left + 1) * SLOT, window.start + right * SLOT)
        for left, right in pairwise(edges)
        if right - left > 1
    ]


@dataclass(frozen=True)
class _Counters:
    """The objective's own queries, over a slice."""

    objective: Objective
    source: str = "counters"

    def bad(self, span: str) -> str:
        # On lines of their own: a query may end with a comment.
        return f"(\n{self.objective.error.over(span)}\n) or 0 * (\n{self.objective.total.over(span)}\n)"

    def total(self, span: str) -> str:
        return self.objective.total.over(span)

    def scale(self, seconds: int, measured: int) -> float:  # noqa: ARG002 - a rate is the increase over all of the slice
        return seconds if self.objective.error.unit == "per second" else 1


@dataclass(frozen=True)
class _Records:
    """The records of five minutes, averaged over a slice: of all evaluations, which overlap and so lose nothing."""

    selector: str
    unit: str
    source: str = "records"

    def bad(self, span: str) -> str:
        return f"avg_over_time({rules.ERRORS}{self.selector}[{span}])"

    def total(self, span: str) -> str:
        return f"avg_over_time({rules.TOTAL}{self.selector}[{span}])"

    def scale(self, seconds: int, measured: int) -> float:  # noqa: ARG002 - an average knows nothing of its gaps
        return measured if self.unit == "per second" else measured / SLOT


def _slices(
    asked: Prometheus, queries: "_Counters | _Records", window: Window, used: set[int], seconds: int
) -> list[Slice]:
    measured = Counter(slot * SLOT // seconds for slot in used)
    spans = {DAY: "1d", HOUR: "1h", SLOT: "5m"}

    def values(query: str) -> dict[int, float]:
        series = asked.range(query, window.start + seconds, window.end, seconds)
        return {(round(time) - window.start) // seconds - 1: value for each in series for time, value in each.points}

    bad, total = values(queries.bad(spans[seconds])), values(queries.total(spans[seconds]))
    made = []
    for number in range(window.days * DAY // seconds):
        covered = measured[number] * SLOT
        scale = queries.scale(seconds, covered)
        # A count less a bucket's may come out a hair below zero.
        made.append(
            Slice(
                window.start + number * seconds,
                max(bad.get(number, 0.0), 0.0) * scale,
                max(total.get(number, 0.0), 0.0) * scale,
                covered,
            )
        )
    return made

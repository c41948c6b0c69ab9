"""The plots of one objective: what each day took of the budget, what was left of it, and how fast it went."""

import math
from itertools import accumulate
from typing import Final

from . import plots
from . import report_format as shown
from . import report_words as words
from .plots import Mark, Plot, Tick
from .report_figures import DAY, HOUR, Change, Outcome, Window
from .windows import burns

_LOWEST: Final = 0.1  # times as fast as the budget allows; what is slower lies on the floor
_LABELS: Final = 5


def days(name: str, each: Outcome, changes: list[Change]) -> str:
    """A bar a day: share of the budget."""
    costs = [each.cost(part.bad) for part in each.measured.days]
    top = _round_up(max([*costs, 0.01]))
    worst = max(each.measured.days, key=lambda part: part.bad)
    plot = Plot(
        f"{name}-days",
        "Budget spent each day",
        f"{words.costly_days(each)} The most, {shown.spent(max(costs))}, went on {shown.day(worst.start)}."
        if worst.bad
        else "No day took any of it.",
        _dates(each.measured.window),
        [Tick(0, "0"), *(Tick(part, shown.axis(top * part), "grid") for part in (0.5, 1))],
        _gaps(each),
        _marks(each.measured.window, changes),
    )
    texts = [
        f"{shown.day(part.start)}: {shown.spent(cost)} of the budget, "
        f"{shown.count(part.bad)} of {shown.count(part.total)} bad"
        for part, cost in zip(each.measured.days, costs, strict=True)
    ]
    return plots.bars(plot, [cost / top for cost in costs], texts)


def left(name: str, each: Outcome, changes: list[Change]) -> str:
    """A line of the budget that was left after each day."""
    rest = [1.0, *(1 - gone for gone in accumulate(each.cost(part.bad) for part in each.measured.days))]
    low = min(0.0, -_round_up(-min(rest))) if min(rest) < 0 else 0.0
    points = [(number / (len(rest) - 1), (value - low) / (1 - low)) for number, value in enumerate(rest)]
    ticks = [Tick((0 - low) / (1 - low), "0", "limit"), Tick(1, "100 %", "grid")]
    if low < 0:
        ticks.append(Tick(0, shown.axis(low), "grid"))
    plot = Plot(
        f"{name}-left",
        "Budget left",
        f"From 100 % to {shown.left(each.spent)} at the end of the window.",
        _dates(each.measured.window),
        ticks,
        _gaps(each),
        _marks(each.measured.window, changes),
    )
    return plots.line(plot, points, area=low == 0)


def burn(name: str, each: Outcome, changes: list[Change], own_window: str) -> str:
    """A line of how fast the budget went, hour by hour, with the speeds at which alerts fire."""
    window = each.measured.window
    speeds = [(part.start, each.burn(part)) for part in each.measured.hours]
    fastest = max((speed for _, speed in speeds if speed is not None), default=0.0)
    top = 10.0 ** math.ceil(math.log10(max(fastest, 30.0)))
    points = [
        ((start + HOUR / 2 - window.start) / (window.days * DAY), None if speed is None else _height(speed, top))
        for start, speed in speeds
    ]
    limits = [
        Tick(_height(float(pair.factor), top), f"{shown.burn(float(pair.factor))} ×", pair.severity)
        for pair in burns(own_window)
    ]
    plot = Plot(
        f"{name}-burn",
        "Speed of spending, hour by hour (1 × spends just the whole budget)",
        words.peak(each),
        _dates(window),
        [Tick(1, f"{top:,.0f} ×", "grid"), *limits],
        _gaps(each),
        _marks(window, changes),
    )
    return plots.line(plot, points)


def _height(speed: float, top: float) -> float:
    return plots.logarithmic(speed, _LOWEST, top)


def _dates(window: Window) -> list[Tick]:
    step = max(1, round(window.days / _LABELS))
    # The last ones would reach out of a narrow page.
    days = [number for number in range(0, window.days, step) if number <= 0.88 * window.days]
    return [Tick(number / window.days, shown.day(window.start + number * DAY)) for number in days]


def _gaps(each: Outcome) -> list[tuple[float, float]]:
    window = each.measured.window
    whole = window.days * DAY
    return [((gap.start - window.start) / whole, (gap.end - window.start) / whole) for gap in each.measured.gaps]


def _marks(window: Window, changes: list[Change]) -> list[Mark]:
    return [
        Mark(
            (each.time - window.start) / (window.days * DAY),
            f"{shown.time(each.time)}: version {shown.clean(each.version)}",
        )
        for each in changes
    ]


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 5, 6, 8, 10, 20 … of whatever size."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(size * step for step in (1, 2, 3, 4, 5, 6, 8, 10) if size * step >= value * 0.999)

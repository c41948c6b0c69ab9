"""Figures and times of an SLO report as people read them; no figure is rounded to look better than it is."""

import unicodedata
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from .report_figures import DAY, Measured, Outcome, Report, good, moment

_HIDDEN: Final = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
_TINY: Final = Decimal("1e-9")


def clean(text: str) -> str:
    """Foreign text on one line, without characters that show nothing or turn the direction."""
    return "".join(" " if unicodedata.category(each) in _HIDDEN else each for each in text)


def count(events: float) -> str:
    """Events as a whole number: `1,234`."""
    return "<1" if 0 < events < 0.5 else f"{events:,.0f}"


def percent(ratio: float, digits: int = 1) -> str:
    """A ratio as percent, rounded."""
    least = 10**-digits
    return f"<{least:.{digits}f} %" if 0 < ratio * 100 < least / 2 else f"{ratio * 100:,.{digits}f} %"


def objective(each: Outcome) -> str:
    """What was wanted: `99.9 %`."""
    return f"{_plain(each.objective)} %"


def reached(each: Outcome, measured: Measured) -> str:
    """What was reached, rounded down, so that a missed objective never looks met."""
    if measured.total <= 0:
        return "–"
    digits = max(2, -int(Decimal(_plain(each.objective)).normalize().as_tuple().exponent) + 2)
    return f"{_rounded(good(measured) * 100, digits, ROUND_FLOOR)} %"


def spent(ratio: float) -> str:
    """Budget spent, rounded up."""
    return f"{_rounded(ratio * 100, 1, ROUND_CEILING):,} %"


def left(ratio: float) -> str:
    """Budget left of a window in which this was spent: the rest to 100 of what `spent` shows."""
    return f"{100 - _rounded(ratio * 100, 1, ROUND_CEILING):,} %"


def effect(ratio: float | None) -> str:
    """A ratio of good events around a change."""
    return "–" if ratio is None else f"{_rounded(ratio * 100, 2, ROUND_FLOOR)} %"


def covered(ratio: float) -> str:
    """How much of the window had data, rounded down: never 100 while anything is missing."""
    return f"{_rounded(ratio * 100, 1, ROUND_FLOOR)} %"


def verdict(each: Outcome) -> str:
    """`met`, `missed`, or why neither can be said."""
    if each.measured.measured == 0:
        return "no data"
    if each.idle:
        return "no traffic"
    return "met" if each.met else "missed"


def day(seconds: int) -> str:
    """`9 Nov`."""
    return f"{moment(seconds).day} {moment(seconds):%b}"


def time(seconds: int) -> str:
    """`9 Nov 14:05`."""
    return f"{day(seconds)} {moment(seconds):%H:%M}"


def span(report: Report) -> str:
    """`24 October 2026 to 20 November 2026 (UTC)`, or with times where days are not those of the calendar."""
    first, last = moment(report.window.start), moment(report.window.end)
    if report.window.end % DAY == 0:
        last = moment(report.window.end - DAY)
        return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y} (UTC)"
    return f"{first.day} {first:%B %Y %H:%M} to {last.day} {last:%B %Y %H:%M} (UTC)"


def duration(seconds: float) -> str:
    """`2 d 3 h`, `1 h 20 min`, `5 min`: the two largest units."""
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{value} {unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if value]
    return " ".join(parts[:2]) or "under a minute"


def outage(minutes: float) -> str:
    """A length of outage: `2.4 minutes`, `2 h 9 min`."""
    if minutes >= 120:
        return duration(minutes * 60)
    return f"{minutes:.1f} minutes" if minutes < 10 else f"{minutes:.0f} minutes"


def burn(value: float) -> str:
    """`13.4 times`; above ten thousand no digit after the point matters."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def axis(share: float) -> str:
    """A share of the budget beside an axis."""
    return f"{share * 100:,.3g} %" if share < 10 else f"{share * 100:,.0f} %"


def listed(texts: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def _plain(ratio: float) -> str:
    return f"{Decimal(str(round(ratio * 100, 9))).normalize():f}"


def _rounded(value: float, digits: int, how: str) -> Decimal:
    """Rounded one way, but not for the noise of floating point."""
    exact = Decimal(repr(value))
    nearest = round(exact, digits)
    return nearest if abs(exact - nearest) < _TINY else exact.quantize(Decimal(1).scaleb(-digits), how)

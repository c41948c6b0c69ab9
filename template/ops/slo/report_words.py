"""The words of an SLO report, the same in each form; no figure is rounded to look better than it is."""

import unicodedata
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from .report_figures import DAY, Alert, Change, Firing, Gap, Measured, Outcome, Report, Slice, good, moment
from .windows import burns

_HIDDEN: Final = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
_SHOWN_GAPS: Final = 3
NO_ALERT: Final = "No alert of the service fired."
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


def head(report: Report) -> str:
    """What the report is about: the time, and whose service it is."""
    return span(report) if report.owner == "unknown" else f"{span(report)}. Owner: {report.owner}"


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


def headline(report: Report) -> str:
    """The one sentence."""
    judged = [each for each in report.outcomes if not each.idle]
    met = [each for each in judged if each.met]
    if len(judged) == len(met):
        which = {1: "its objective", 2: "both objectives"}.get(len(met), f"all {len(met)} objectives")
        text = (
            f"met {which}"
            if len(judged) == len(report.outcomes)
            else f"met what can be judged, {len(met)} of its objectives"
        )
    elif not met:
        text = "missed its objective" if len(judged) == 1 else f"missed all {len(judged)} objectives"
    else:
        text = f"met {len(met)} of {len(judged)} objectives and missed {_listed([e.name for e in judged if not e.met])}"
    whole = all(each.measured.measured == 1 for each in report.outcomes)
    return f"{report.service} {text}{'' if whole else ', as far as there are data'}."


def costs(each: Outcome) -> str:
    """What one objective came to."""
    if each.idle:
        reason = "there are no data" if each.measured.measured == 0 else f"there were no {each.noun}"
        return f"{each.name} can't be judged: {reason}."
    part = "" if each.measured.measured == 1 else f" in the {covered(each.measured)} of the window that has data"
    return (
        f"{each.name} was {verdict(each)}{part}: {reached(each, each.measured)} of {each.noun} were good, "
        f"{objective(each)} should be. {count(each.measured.bad)} of {count(each.measured.total)} were bad. "
        f"That is {spent(each.spent)} of the error budget, as much as a full outage of {outage(each.outage_minutes)}"
        f" ({outage(each.budget_minutes)} may be spent)."
    )


def look_at(report: Report) -> list[str]:
    """What to look at first, by the figures: at most a sentence for each cause."""
    found = []
    for each in (one for one in report.outcomes if not one.idle and one.spent >= 0.25):
        worst = max(each.measured.days, key=lambda part: part.bad)
        share = percent(worst.bad / each.measured.bad, 0)
        text = f"{each.name}: {share} of the bad {each.noun} fell on {day(worst.start)}"
        if each.routes:
            first = each.routes[0]
            text += f", {percent(first.share, 0)} on {first.method} {first.route}"
        found.append(f"{text}.")
    found += [
        _suspect(change, each) for change in report.changes for each in report.outcomes if suspicious(change, each)
    ]
    pages = [each for each in report.alerts if each.severity == "page"]
    if pages:
        longest = max(pages, key=lambda each: each.seconds)
        times = sum(len(each.firings) for each in pages)
        found.append(
            f"{times} {'page' if times == 1 else 'pages'} fired; {longest.name} for the longest time, "
            f"{duration(longest.seconds)}, first on {time(longest.firings[0].start)}."
        )
    return found


def suspicious(change: Change, each: Outcome) -> bool:
    """Whether an objective burnt its budget after a change at least twice as fast as before, and faster than it may."""
    before, after = change.effects.get(each.name, (None, None))
    if before is None or after is None:
        return False
    return 1 - after > each.budget and 1 - after >= 2 * (1 - before)


def _suspect(change: Change, each: Outcome) -> str:
    before, after = change.effects[each.name]
    return (
        f"Version {change.version} came on {time(change.time)}: {each.name} was {effect(before)} before "
        f"and {effect(after)} after it."
    )


def effect(ratio: float | None) -> str:
    """A ratio of good events around a change."""
    return "–" if ratio is None else f"{_rounded(ratio * 100, 2, ROUND_FLOOR)} %"


def covered(measured: Measured) -> str:
    """How much of the window had data, rounded down: never 100 while anything is missing."""
    return f"{_rounded(measured.measured * 100, 1, ROUND_FLOOR)} %"


def missing(report: Report) -> list[str]:
    """What the figures don't hold; empty only if all of the window had data."""
    names: dict[tuple[Gap, ...], list[str]] = {}
    for each in report.outcomes:
        names.setdefault(tuple(each.measured.gaps), []).append(each.name)
    found = [_gaps(gaps, _listed(those), report) for gaps, those in names.items() if gaps]
    return [*found, *(f"Prometheus warns: {warning}" for warning in report.warnings)]


def _gaps(gaps: tuple[Gap, ...], names: str, report: Report) -> str:
    longest = sorted(sorted(gaps, key=lambda gap: gap.start - gap.end)[:_SHOWN_GAPS], key=lambda gap: gap.start)
    shown = _listed([f"{time(gap.start)} to {time(gap.end)} ({duration(gap.end - gap.start)})" for gap in longest])
    more = f", and for {len(gaps) - _SHOWN_GAPS} shorter times" if len(gaps) > _SHOWN_GAPS else ""
    part = next(covered(each.measured) for each in report.outcomes if tuple(each.measured.gaps) == gaps)
    return (
        f"Not the whole window: there are data of {names} for {part} of it, and none from {shown}{more}. "
        "What happened then is at best partly in these figures."
    )


def method(report: Report) -> list[str]:
    """How the figures were made, and what they can't tell."""
    sources = {
        source: _listed([each.name for each in report.outcomes if each.measured.source == source])
        for source in sorted({each.measured.source for each in report.outcomes})
    }
    told = {
        "counters": "the service's own counters: increases of each day, by the queries of slo.yaml, summed up",
        "records": "the records of the recording rules (five-minute rates), as the counters reach less far back or "
        "can't be added up",
    }
    lines = [f"{names}: from {told[source]}." for source, names in sources.items()]
    lines.append(
        "All windows are weighted by events. As everywhere in Prometheus, the first event of a series that is new is "
        "not seen, and what lies between two scrapes at the edge of a day is estimated."
    )
    lines.append(
        "The budget is the share of events that may be bad. Its equivalent in minutes is the length of a full outage, "
        "at the window's average traffic, that would cost as much."
    )
    if report.window.days != report.own_days:
        lines.append(
            f"slo.yaml gives the objectives a window of {report.own_days} days; this is one of {report.window.days}."
        )
    for each in report.outcomes:
        if each.measured.recorded < each.measured.measured * 0.99:
            part = f"{_rounded(each.measured.recorded * 100, 1, ROUND_FLOOR)} %"
            lines.append(
                f"{each.name}: the recording rules ran for {part} of the window; at other times no alert could fire."
            )
        if each.routes is not None and abs(each.routes_bad - each.measured.bad) > max(1.0, 0.01 * each.measured.bad):
            lines.append(
                f"{each.name}: its routes add up to {count(each.routes_bad)} bad {each.noun}, not to "
                f"{count(each.measured.bad)}: the counters reach less far back, or its queries can't be told by route."
            )
    return lines


def no_change(report: Report) -> str:
    """What ran, where nothing changed."""
    if not report.versions:
        return "Which version ran is not known: there is no service_info in the window."
    return f"No version came in the window; {_listed(report.versions)} ran."


def before(each: Outcome) -> str:
    """The window before in a few words."""
    if each.previous is None:
        return "no data"
    part = "" if each.previous.measured == 1 else f" (data for {covered(each.previous)})"
    return f"{reached(each, each.previous)}{part}"


def alert_name(alert: Alert) -> str:
    """An alert with what tells it from others of its name."""
    details = [text for text in (alert.objective, f"over {alert.window}" if alert.window else "") if text]
    return f"{alert.name} ({', '.join(details)})" if details else alert.name


def firings(alert: Alert, most: int = 5) -> str:
    """When it fired: the first few times, and how many more."""
    shown = [f"{time(each.start)} for {duration(each.end - each.start)}{still(each)}" for each in alert.firings[:most]]
    more = len(alert.firings) - most
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def still(firing: Firing) -> str:
    """Whether it went on."""
    return ", still firing at the end" if firing.open else ""


def peak(each: Outcome) -> str:
    """The hour that burnt most."""
    hours = [(value, part) for part in each.measured.hours if (value := each.burn(part)) is not None]
    value, part = max(hours, key=lambda pair: (pair[0], -pair[1].start))
    if value == 0:
        return "No hour spent any of the budget."
    return (
        f"The worst hour began on {time(part.start)}: {percent(part.bad / part.total)} of {each.noun} were bad, "
        f"{burn(value)} times what the budget allows."
    )


def costly(each: Outcome) -> list[Slice]:
    """Days that took one percent of the budget or more."""
    return [part for part in each.measured.days if each.cost(part.bad) >= 0.01]


def costly_days(each: Outcome) -> str:
    """On how many days budget went."""
    number = len(costly(each))
    return f"{number} of {len(each.measured.days)} days took one percent of the budget or more."


def axis(share: float) -> str:
    """A share of the budget beside an axis."""
    return f"{share * 100:,.3g} %" if share < 10 else f"{share * 100:,.0f} %"


def limits(report: Report, severity: str) -> str:
    """At which speeds an alert of this severity fires."""
    pairs = [pair for pair in burns(f"{report.own_days}d") if pair.severity == severity]
    told = _listed([f"{burn(float(pair.factor))} × over {pair.long}" for pair in pairs])
    return f"{severity} at {told}"


def _plain(ratio: float) -> str:
    return f"{Decimal(str(round(ratio * 100, 9))).normalize():f}"


def _rounded(value: float, digits: int, how: str) -> Decimal:
    """Rounded one way, but not for the noise of floating point."""
    exact = Decimal(repr(value))
    nearest = round(exact, digits)
    return nearest if abs(exact - nearest) < _TINY else exact.quantize(Decimal(1).scaleb(-digits), how)


def _listed(texts: list[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)

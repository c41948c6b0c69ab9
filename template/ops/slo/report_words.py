"""The sentences of an SLO report, the same in each form."""

from typing import Final

from . import report_format as shown
from .report_figures import Alert, Change, Firing, Gap, Outcome, Report, Slice
from .windows import burns

_SHOWN_GAPS: Final = 3
NO_ALERT: Final = "No alert of the service fired."


def head(report: Report) -> str:
    """What the report is about: the time, and whose service it is."""
    return shown.span(report) if report.owner == "unknown" else f"{shown.span(report)}. Owner: {report.owner}"


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
        missed = shown.listed([each.name for each in judged if not each.met])
        text = f"met {len(met)} of {len(judged)} objectives and missed {missed}"
    whole = all(each.measured.measured == 1 for each in report.outcomes)
    return f"{report.service} {text}{'' if whole else ', as far as there are data'}."


def costs(each: Outcome) -> str:
    """What one objective came to."""
    if each.idle:
        reason = "there are no data" if each.measured.measured == 0 else f"there were no {each.noun}"
        return f"{each.name} can't be judged: {reason}."
    part = (
        ""
        if each.measured.measured == 1
        else f" in the {shown.covered(each.measured.measured)} of the window that has data"
    )
    return (
        f"{each.name} was {shown.verdict(each)}{part}: {shown.reached(each, each.measured)} of {each.noun} were good, "
        f"{shown.objective(each)} should be. {shown.count(each.measured.bad)} of {shown.count(each.measured.total)} "
        f"were bad. That is {shown.spent(each.spent)} of the error budget, as much as a full outage of "
        f"{shown.outage(each.outage_minutes)} ({shown.outage(each.budget_minutes)} may be spent)."
    )


def look_at(report: Report) -> list[str]:
    """What to look at first, by the figures: at most a sentence for each cause."""
    found = []
    for each in (one for one in report.outcomes if not one.idle and one.spent >= 0.25):
        worst = max(each.measured.days, key=lambda part: part.bad)
        share = shown.percent(worst.bad / each.measured.bad, 0)
        text = f"{each.name}: {share} of the bad {each.noun} fell on {shown.day(worst.start)}"
        if each.routes:
            first = each.routes[0]
            text += f", {shown.percent(first.share, 0)} on {first.method} {first.route}"
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
            f"{shown.duration(longest.seconds)}, first on {shown.time(longest.firings[0].start)}."
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
        f"Version {change.version} came on {shown.time(change.time)}: {each.name} was {shown.effect(before)} before "
        f"and {shown.effect(after)} after it."
    )


def missing(report: Report) -> list[str]:
    """What the figures don't hold; empty only if all of the window had data."""
    names: dict[tuple[Gap, ...], list[str]] = {}
    for each in report.outcomes:
        names.setdefault(tuple(each.measured.gaps), []).append(each.name)
    found = [_gaps(gaps, shown.listed(those), report) for gaps, those in names.items() if gaps]
    return [*found, *(f"Prometheus warns: {warning}" for warning in report.warnings)]


def _gaps(gaps: tuple[Gap, ...], names: str, report: Report) -> str:
    longest = sorted(sorted(gaps, key=lambda gap: gap.start - gap.end)[:_SHOWN_GAPS], key=lambda gap: gap.start)
    told = shown.listed([_gap(gap) for gap in longest])
    more = f", and for {len(gaps) - _SHOWN_GAPS} shorter times" if len(gaps) > _SHOWN_GAPS else ""
    part = next(shown.covered(each.measured.measured) for each in report.outcomes if tuple(each.measured.gaps) == gaps)
    return (
        f"Not the whole window: there are data of {names} for {part} of it, and none from {told}{more}. "
        "What happened then is at best partly in these figures."
    )


def _gap(gap: Gap) -> str:
    return f"{shown.time(gap.start)} to {shown.time(gap.end)} ({shown.duration(gap.end - gap.start)})"


def method(report: Report) -> list[str]:
    """How the figures were made, and what they can't tell."""
    sources = {
        source: shown.listed([each.name for each in report.outcomes if each.measured.source == source])
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
    lines.append("All is judged by slo.yaml as it is now.")
    if report.window.days != report.own_days:
        lines.append(
            f"slo.yaml gives the objectives a window of {report.own_days} days; this is one of {report.window.days}."
        )
    for each in report.outcomes:
        if each.measured.recorded < each.measured.measured * 0.99:
            part = shown.covered(each.measured.recorded)
            lines.append(
                f"{each.name}: the recording rules ran for {part} of the window; at other times no alert could fire."
            )
        if each.routes is not None and abs(each.routes_bad - each.measured.bad) > max(1.0, 0.01 * each.measured.bad):
            lines.append(
                f"{each.name}: its routes add up to {shown.count(each.routes_bad)} bad {each.noun}, not to "
                f"{shown.count(each.measured.bad)}: the counters reach less far back, or its queries can't be told by "
                "route."
            )
    return lines


def no_change(report: Report) -> str:
    """What ran, where nothing changed."""
    if not report.versions:
        return "Which version ran is not known: there is no service_info in the window."
    return f"No version came in the window; {shown.listed(report.versions)} ran."


def before(each: Outcome) -> str:
    """The window before in a few words."""
    if each.previous is None:
        return "no data"
    part = "" if each.previous.measured == 1 else f" (data for {shown.covered(each.previous.measured)})"
    return f"{shown.reached(each, each.previous)}{part}"


def alert_name(alert: Alert) -> str:
    """An alert with what tells it from others of its name."""
    details = [text for text in (alert.objective, f"over {alert.window}" if alert.window else "") if text]
    return f"{alert.name} ({', '.join(details)})" if details else alert.name


def firings(alert: Alert, most: int = 5) -> str:
    """When it fired: the first few times, and how many more."""
    told = [
        f"{shown.time(each.start)} for {shown.duration(each.end - each.start)}{still(each)}"
        for each in alert.firings[:most]
    ]
    more = len(alert.firings) - most
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


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
        f"The worst hour began on {shown.time(part.start)}: {shown.percent(part.bad / part.total)} of {each.noun} were "
        f"bad, {shown.burn(value)} times what the budget allows."
    )


def costly(each: Outcome) -> list[Slice]:
    """Days that took one percent of the budget or more."""
    return [part for part in each.measured.days if each.cost(part.bad) >= 0.01]


def costly_days(each: Outcome) -> str:
    """On how many days budget went."""
    number = len(costly(each))
    return f"{number} of {len(each.measured.days)} days took one percent of the budget or more."


def limits(report: Report, severity: str) -> str:
    """At which speeds an alert of this severity fires."""
    pairs = [pair for pair in burns(f"{report.own_days}d") if pair.severity == severity]
    told = shown.listed([f"{shown.burn(float(pair.factor))} × over {pair.long}" for pair in pairs])
    return f"{severity} at {told}"

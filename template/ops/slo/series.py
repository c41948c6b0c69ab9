"""Series for promtool that make an objective's queries give a wanted ratio of bad events, minute by minute."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .queries import Matcher, Query, Selector
from .spec import Objective

Series = dict[str, str]
INTERVAL: Final = 2  # minutes between samples: two in each five minutes, which a rate needs
# Values that label matchers are tried with, to find a series that is, and one that is not, bad.
_TRIED: Final = ("500", "503", "200", "404", "GET", "POST", "/", "/v1/orders", "true", "false", "error", "ok", "a", "")


@dataclass(frozen=True)
class Phase:
    """Some minutes with this many events a minute, and this ratio of bad ones (0 to 1)."""

    minutes: int
    events: float
    bad: float = 0.0


def raw(objective: Objective, phases: list[Phase]) -> Series | None:
    """Counters that the objective's own queries read; None if they are of no form that is known here.

    Known are one counter for the bad events and one for all, and a histogram's count less one of its buckets.
    """
    error, total = objective.error, objective.total
    if error.unit == "samples" or total.operators or len(total.selectors) != 1:
        return None
    if not error.operators and len(error.selectors) == 1:
        return _counters(error, total, phases)
    if error.operators == ("-",) and len(error.selectors) == 2:
        return _histogram(error, total, phases)
    return None


def _counters(error: Query, total: Query, phases: list[Phase]) -> Series | None:
    bad, every = error.selectors[0], total.selectors[0]
    if bad.metric != every.metric:
        names = _labels(bad), _labels(every)
        if names[0] is None or names[1] is None:
            return None
        return {
            _name(bad.metric, names[0]): _counter(phases, lambda phase: phase.events * phase.bad),
            _name(every.metric, names[1]): _counter(phases, lambda phase: phase.events),
        }
    failing = next((each for each in _candidates(bad, every) if bad.matches(each) and every.matches(each)), None)
    fine = next((each for each in _candidates(bad, every) if every.matches(each) and not bad.matches(each)), None)
    if failing is None or fine is None:
        return None
    return {
        _name(bad.metric, failing): _counter(phases, lambda phase: phase.events * phase.bad),
        _name(bad.metric, fine): _counter(phases, lambda phase: phase.events * (1 - phase.bad)),
    }


def _histogram(error: Query, total: Query, phases: list[Phase]) -> Series | None:
    whole, within = error.selectors
    bucket = Selector(within.metric, tuple(each for each in within.matchers if each.label != "le"))
    edge = next((each.value for each in within.matchers if each.label == "le"), None)
    every = total.selectors[0]
    if edge is None or whole.metric != every.metric or within.metric != whole.metric.removesuffix("_count") + "_bucket":
        return None
    labels = next(
        (each for each in _candidates(whole, every) if all(one.matches(each) for one in (whole, every, bucket))), None
    )
    if labels is None:
        return None
    return {
        _name(whole.metric, labels): _counter(phases, lambda phase: phase.events),
        _name(within.metric, {**labels, "le": edge}): _counter(phases, lambda phase: phase.events * (1 - phase.bad)),
    }


def _candidates(*selectors: Selector) -> Iterator[dict[str, str]]:
    """Sets of labels that some of the selectors may match."""
    found: list[dict[str, str]] = [{}]
    for label in sorted({matcher.label for each in selectors for matcher in each.matchers}):
        matchers = [matcher for each in selectors for matcher in each.matchers if matcher.label == label]
        values = dict.fromkeys([*(_plain(matcher) for matcher in matchers), *_TRIED])
        found = [{**labels, label: value} for labels in found for value in values if value is not None][:20_000]
    for labels in found:
        yield {label: value for label, value in labels.items() if value}


def _plain(matcher: Matcher) -> str | None:
    """A value that stands in the matcher itself; the first alternative of a pattern."""
    value = matcher.value.split("|")[0].strip("()")
    return value if matcher.holds(value) or matcher.op in ("=", "!=") else None


def _labels(selector: Selector) -> dict[str, str] | None:
    return next((each for each in _candidates(selector) if selector.matches(each)), None)


def _name(metric: str, labels: dict[str, str]) -> str:
    inside = ", ".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{metric}{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _counter(phases: list[Phase], rate: Callable[[Phase], float]) -> str:
    """A counter in promtool's notation, a sample each `INTERVAL`."""
    parts, value = ["0"], 0.0
    for phase in phases:
        step, samples = rate(phase) * INTERVAL, phase.minutes // INTERVAL
        parts.append(f"{figure(value + step)}+{figure(step)}x{samples - 1}")
        value += step * samples
    return " ".join(parts)


def ramp(points: list[tuple[int, float]]) -> str:
    """A gauge in promtool's notation that goes straight from point to point (minute, value); the first is minute 0."""
    parts = [figure(points[0][1])]
    for (first, before), (last, after) in pairwise(points):
        start, end = first // INTERVAL, last // INTERVAL
        if end > start:
            step = (after - before) / (end - start)
            sign = "-" if step < 0 else "+"
            parts.append(f"{figure(before + step)}{sign}{figure(abs(step))}x{end - start - 1}")
    return " ".join(parts)


def figure(value: float) -> str:
    """A number without an exponent, 12 digits after the point at most."""
    return f"{value:.12f}".rstrip("0").rstrip(".") or "0"

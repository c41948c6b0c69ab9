"""What happened in the window: alerts that fired, and versions that came."""

from typing import Final

from .prometheus import Points, Prometheus
from .report_figures import HOUR, SLOT, Alert, Change, Firing, Measured, Outcome, Window
from .spec import Spec

_MINUTE: Final = 60
# Two evaluations, with what they may come late; an alert that pauses for less than _PAUSE fired once.
_LOOKBACK: Final = 120
_PAUSE: Final = 300
_EFFECT: Final = 6 * HOUR
_ORDER: Final = {"page": 0, "ticket": 1}


def alerts(asked: Prometheus, spec: Spec, window: Window) -> list[Alert]:
    """Alerts of the service that fired, pages first, then by time.

    Raises:
        PrometheusError: no answer that can be used.
    """
    query = (
        "max by (alertname, severity, sloth_slo, long_window) "
        f'(max_over_time(ALERTS{{service="{spec.service}", alertstate="firing"}}[{_LOOKBACK}s]))'
    )
    found = [
        Alert(
            each.labels.get("alertname", ""),
            each.labels.get("severity", ""),
            each.labels.get("sloth_slo", ""),
            each.labels.get("long_window", ""),
            _firings(each.points, window),
        )
        for each in asked.range(query, window.start + _MINUTE, window.end, _MINUTE)
    ]
    return sorted(found, key=lambda each: (_ORDER.get(each.severity, 2), each.firings[0].start, each.name, each.window))


def _firings(points: Points, window: Window) -> list[Firing]:
    """Times of firing: a value says that it fired within the look-back before it; the first one, within that minute."""
    groups: list[list[int]] = []
    for time in (round(time) for time, _ in points):
        if not groups or time - groups[-1][-1] > _PAUSE + _MINUTE:
            groups.append([])
        groups[-1].append(time)
    return [_firing(group[0], group[-1], window) for group in groups]


def _firing(start: int, last: int, window: Window) -> Firing:
    still = last >= window.end
    return Firing(max(start, window.start), window.end if still else max(last - _MINUTE, start + _MINUTE), still)


def versions(asked: Prometheus, spec: Spec, window: Window) -> dict[int, set[str]]:
    """Versions that ran in the five minutes before, by minute.

    Raises:
        PrometheusError: no answer that can be used.
    """
    query = f'count by (service_version, commit) (count_over_time(service_info{{job="{spec.job}"}}[5m]))'
    seen: dict[int, set[str]] = {}
    for each in asked.range(query, window.start + _MINUTE, window.end, _MINUTE):
        commit = each.labels.get("commit", "")[:7]
        version = each.labels.get("service_version", "unknown") + (f" ({commit})" if commit else "")
        for time, _ in each.points:
            seen.setdefault(round(time), set()).add(version)
    return seen


def changes(seen: dict[int, set[str]], outcomes: list[Outcome]) -> list[Change]:
    """Versions that appeared after others, by time, each with the objectives before and after."""
    came: list[tuple[int, str, list[str]]] = []
    before: set[str] = set()
    for time, there in sorted(seen.items()):
        if before:
            came += [(time, new, sorted(before)) for new in sorted(there - before)]
        before = there
    times = sorted({time for time, _, _ in came})
    return [Change(time, new, old, _effects(time, times, outcomes)) for time, new, old in came]


def _effects(time: int, times: list[int], outcomes: list[Outcome]) -> dict[str, tuple[float | None, float | None]]:
    """Good events in six hours before and after, or from the change before and to the one after."""
    first = max([time - _EFFECT, *(other for other in times if other < time)])
    last = min([time + _EFFECT, *(other for other in times if other > time)])
    made = {}
    for each in outcomes:
        made[each.name] = _good(each.measured, first, time), _good(each.measured, time, last)
    return made


def _good(measured: Measured, start: int, end: int) -> float | None:
    """Good events in the slots that lie in a time altogether."""
    first = max(0, -((measured.window.start - start) // SLOT))
    parts = measured.slots[first : max(0, (end - measured.window.start) // SLOT)]
    total = sum(part.total for part in parts)
    return 1 - sum(part.bad for part in parts) / total if total > 0 else None

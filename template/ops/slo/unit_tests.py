"""Tests of the derived rules for `promtool test rules`: two files an objective, one for the template's own alerts.

Tickets have windows of days: their tests have a file of their own, in which rules are evaluated less often.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from . import alerts, rules
from .series import INTERVAL, Phase, Series, ramp, raw
from .spec import Objective, Spec
from .windows import DAYS, HOURS, Burn, burns

_EVALUATION: Final = {"page": 4, "ticket": 30}  # minutes; alerts are asked for at multiples of it
# Minutes around a computed moment that sampling may shift it by.
_SETTLE: Final = {"1h": 8, "6h": 16, "1d": 60, "3d": 120}


@dataclass(frozen=True)
class _Scene:
    """One burn: healthy, then bad until a while after the alert must have fired, then healthy again."""

    burn: Burn
    ratio: float
    events: float
    history: int
    moment: int  # minutes after the beginning of the bad time at which the long window crosses the threshold
    settle: int

    @property
    def phases(self) -> list[Phase]:
        return [
            Phase(self.history, self.events),
            Phase(self.moment + 2 * self.settle, self.events, self.ratio),
            Phase(_minutes(self.burn.short) + 3 * self.settle, self.events),
        ]

    @property
    def bad(self) -> tuple[int, int]:
        """Begin and end of the bad time in minutes."""
        return self.history, self.history + self.moment + 2 * self.settle


def objective(spec: Spec, subject: Objective, severity: str, rule_file: str) -> dict[str, Any]:
    """The test file of one objective's pages or tickets; `rule_file` relative to where it will lie."""
    wanted = bool(subject.alert) and not subject.options(severity).disable
    tests = [_burn(spec, subject, burn) for burn in burns(spec.window) if wanted and burn.severity == severity]
    if severity == "ticket":
        tests.append(_weighted(spec, subject))
    elif subject.alert:
        tests.append(_absent(spec, subject))
        if low := _low_traffic(spec, subject):
            tests.append(low)
    return {
        "rule_files": [rule_file],
        "evaluation_interval": f"{_EVALUATION[severity]}m",
        "group_eval_order": [group["name"] for group in rules.groups(spec, subject)],  # or promtool takes any
        "tests": tests,
    }


def own_alerts(spec: Spec, rule_file: str) -> dict[str, Any]:
    """The test file of the template's own alerts."""
    tests = []
    wanted = alerts.wanted(spec)
    for test, entry in alerts.CATALOGUE.items():
        name = entry.get("rule_of", test)
        if name not in wanted:
            continue
        for kind, value in (("fires", 1), ("quiet", 0)):
            given = {alerts.fill(spec, name, key): alerts.fill(spec, name, text) for key, text in entry[kind].items()}
            asked = [_firing(f'alertname="{name}"', entry["at"], value)]
            tests.append(_test(f"{test}: {kind}", given, asked, "1m"))
    return {"rule_files": [rule_file], "evaluation_interval": "1m", "tests": tests}


def _whole(minutes: float, severity: str) -> int:
    return round(minutes / _EVALUATION[severity]) * _EVALUATION[severity]


def _minutes(window: str) -> int:
    return int(HOURS[window] * 60)


def _scene(spec: Spec, subject: Objective, burn: Burn) -> _Scene:
    threshold = float(burn.threshold(subject.budget))
    long = _minutes(burn.long)
    ratio = min(1.0, threshold * (2 if burn.long == "1h" else 1.4))
    # Enough traffic that the number of errors is never what holds an alert back.
    events = max(1000.0, 10 * spec.minimum_errors / (threshold * long))
    return _Scene(burn, ratio, events, long + 60, _whole(long * threshold / ratio, burn.severity), _SETTLE[burn.long])


def _burn(spec: Spec, subject: Objective, burn: Burn) -> dict[str, Any]:
    """It fires when the long window has crossed its threshold, not before, and ends soon after the errors do."""
    scene = _scene(spec, subject, burn)
    begin, end = scene.bad
    matchers = f'{_of(spec, subject)}, long_window="{burn.long}"'
    asked = [
        _firing(matchers, f"{begin}m", 0),
        _firing(matchers, f"{begin + scene.moment - scene.settle}m", 0),
        _firing(matchers, f"{begin + scene.moment + scene.settle}m", 1),
        _firing(matchers, f"{end + _minutes(burn.short) + scene.settle}m", 0),
    ]
    if burn.long != "1h":
        asked.append(_firing(f'{_of(spec, subject)}, long_window="1h"', f"{end}m", 0))
    given = raw(subject, scene.phases) or _records(spec, subject, scene)
    return _test(f"{subject.name}: burn of {burn.long} and {burn.short} ({burn.severity})", given, asked)


def _low_traffic(spec: Spec, subject: Objective) -> dict[str, Any] | None:
    """One error at three requests an hour wakes nobody."""
    if spec.minimum_errors < 2 or raw(subject, [Phase(INTERVAL, 1)]) is None:
        return None
    third = Phase(18, 0), Phase(2, 0.5)
    phases = [*third * 12, Phase(18, 0), Phase(2, 0.5, 1.0), *third * 12]
    matchers = f'{_of(spec, subject)}, severity="page"'
    asked = [_firing(matchers, f"{minute}m", 0) for minute in range(236, 480, 4)]
    return _test(f"{subject.name}: one error at three requests an hour", raw(subject, phases) or {}, asked)


def _absent(spec: Spec, subject: Objective) -> dict[str, Any]:
    matchers = f'alertname="{rules.ABSENT}", sloth_id="{rules.identity(spec, subject)["sloth_id"]}"'
    asked = [_firing(matchers, "12m", 0), _firing(matchers, "20m", 1)]
    return _test(f"{subject.name}: nothing is measured", {}, asked)


def _weighted(spec: Spec, subject: Objective) -> dict[str, Any]:
    """Hours with many events and few errors, then one with few events, all bad: the ratio is that of all together."""
    this = rules.selector(spec, subject)
    busy, quiet = (19 * 60, 100.0), (60, 1.0)
    last = busy[0] + quiet[0]
    total = ramp([(0, busy[1]), (busy[0], busy[1]), (busy[0] + INTERVAL, quiet[1]), (last, quiet[1])])
    bad = ramp([(0, 0.0), (busy[0], 0.0), (busy[0] + INTERVAL, quiet[1]), (last, quiet[1])])
    given = {f"{rules.TOTAL}{this}": total, f"{rules.ERRORS}{this}": bad}
    busy_samples, quiet_samples = busy[0] // INTERVAL + 1, quiet[0] // INTERVAL
    expected = quiet_samples * quiet[1] / (busy_samples * busy[1] + quiet_samples * quiet[1])
    shown = DAYS[spec.window][0]
    asked = [
        {
            "expr": f"round({rules.ratio(window)}{this} / {expected:.12f}, 0.01)",
            "eval_time": f"{last}m",
            "exp_samples": [{"labels": _labels(spec, subject, shown if window == spec.window else window), "value": 1}],
        }
        for window in ("1d", spec.window)
    ]
    return _test(f"{subject.name}: long windows are weighted by events", given, asked)


def _labels(spec: Spec, subject: Objective, window: str) -> str:
    labels = {**rules.identity(spec, subject), **spec.labels, **subject.labels, "sloth_window": window}
    return "{" + ", ".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _records(spec: Spec, subject: Objective, scene: _Scene) -> Series:
    """Records in place of what the queries would give, for queries that no series are known for."""
    this, found = rules.selector(spec, subject), {}
    begin, end = scene.bad
    last = sum(phase.minutes for phase in scene.phases)
    rate = scene.events / 60
    found[f"{rules.TOTAL}{this}"] = ramp([(0, rate), (last, rate)])
    worst = rate * scene.ratio
    bad = [(0, 0.0), (begin, 0.0), (begin + INTERVAL, worst), (end, worst), (end + INTERVAL, 0.0), (last, 0.0)]
    found[f"{rules.ERRORS}{this}"] = ramp(bad)
    for window in ("30m", "1h", "2h", "6h"):
        found[f'{rules.ratio(window)}{{{_ids(spec, subject)}, sloth_window="{window}"}}'] = ramp(
            [(minute, scene.ratio * share) for minute, share in _share(window, begin, end, last)]
        )
    if subject.error.unit != "samples":
        for burn in burns(spec.window):
            count = scene.events * scene.ratio * _minutes(burn.long)
            points = [(minute, count * share) for minute, share in _share(burn.long, begin, end, last)]
            found[f"{rules.count(burn.long)}{this}"] = ramp(points)
    return found


def _share(window: str, begin: int, end: int, last: int) -> list[tuple[int, float]]:
    """How much of a window lies in the bad time, at the minutes where that changes its pace."""
    length = _minutes(window)
    minutes = sorted({0, begin, end, min(begin + length, last), min(end + length, last), last})
    return [(at, max(0, min(at, end) - max(at - length, begin)) / length) for at in minutes]


def _ids(spec: Spec, subject: Objective) -> str:
    return rules.selector(spec, subject).strip("{}")


def _of(spec: Spec, subject: Objective) -> str:
    return f'alertname="{subject.alert}", sloth_id="{rules.identity(spec, subject)["sloth_id"]}"'


def _firing(matchers: str, at: str, count: int) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": count}] if count else []
    return {"expr": f'count(ALERTS{{{matchers}, alertstate="firing"}})', "eval_time": at, "exp_samples": samples}


def _test(name: str, given: Series, asked: list[dict[str, Any]], interval: str = f"{INTERVAL}m") -> dict[str, Any]:
    series = [{"series": key, "values": values} for key, values in given.items()]
    return {"name": name, "interval": interval, "input_series": series, "promql_expr_test": asked}


def names(document: dict[str, Any]) -> Iterator[str]:
    """The names of the tests in a file."""
    for test in document["tests"]:
        yield test["name"]

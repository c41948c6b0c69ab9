"""The SLO report as JSON: all figures, unrounded, for other programs."""

import json
from dataclasses import asdict
from typing import Any

from .report_figures import Measured, Outcome, Report, Slice, good, moment


def render(report: Report) -> str:
    """One object; times are RFC 3339 in UTC, ratios 0 to 1."""
    document = {
        "version": 1,
        "service": report.service,
        "owner": report.owner,
        "window": {"start": _time(report.window.start), "end": _time(report.window.end), "days": report.window.days},
        "objectives": [_outcome(each) for each in report.outcomes],
        "alerts": [
            {
                "name": each.name,
                "severity": each.severity,
                "objective": each.objective,
                "long_window": each.window,
                "count": len(each.firings),
                "seconds": each.seconds,
                "firings": [
                    {"start": _time(one.start), "end": _time(one.end), "open": one.open} for one in each.firings
                ],
            }
            for each in report.alerts
        ],
        "versions": report.versions,
        "changes": [
            {
                "time": _time(each.time),
                "version": each.version,
                "before": each.before,
                "good": {name: {"before": old, "after": new} for name, (old, new) in each.effects.items()},
            }
            for each in report.changes
        ],
        "warnings": report.warnings,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _outcome(each: Outcome) -> dict[str, Any]:
    return {
        "name": each.name,
        "objective": each.objective,
        "met": None if each.idle else each.met,
        "budget_spent": each.spent,
        "budget_minutes": each.budget_minutes,
        "outage_minutes": each.outage_minutes,
        **_measured(each.measured),
        "days": [
            {"start": _time(day.start), **_part(day), "budget_spent": each.cost(day.bad)} for day in each.measured.days
        ],
        "hours": [{"start": _time(hour.start), **_part(hour), "burn": each.burn(hour)} for hour in each.measured.hours],
        "routes": None if each.routes is None else [asdict(route) for route in each.routes],
        "before": None if each.previous is None else _measured(each.previous),
    }


def _measured(each: Measured) -> dict[str, Any]:
    return {
        "source": each.source,
        "reached": good(each) if each.total > 0 else None,
        "bad": each.bad,
        "total": each.total,
        "measured": each.measured,
        "recorded": each.recorded,
        "gaps": [{"start": _time(gap.start), "end": _time(gap.end)} for gap in each.gaps],
    }


def _part(each: Slice) -> dict[str, float]:
    return {"bad": each.bad, "total": each.total, "measured_seconds": each.measured}


def _time(seconds: int) -> str:
    return f"{moment(seconds):%Y-%m-%dT%H:%M:%SZ}"

"""Recording rules and burn-rate alerts of one objective, with Sloth's names of records, labels and groups.

Unlike Sloth's, windows over six hours are weighted by requests (sums over sums, not averages of ratios), a ratio is 0
and not absent while nothing fails, the two speeds of a page are alerts of their own (so that one can be muted and the
other not), and an alert needs a number of errors.
"""

from decimal import Decimal
from typing import Any, Final

from . import contract
from .queries import Query
from .spec import Objective, Spec
from .text import literal
from .windows import DAYS, HOURS, Burn, burns, number

ABSENT: Final = "SLIMetricAbsent"
ERRORS: Final = "slo:sli_error:rate5m"
TOTAL: Final = "slo:sli_total:rate5m"
_DIRECT: Final = ("30m", "1h", "2h", "6h")
_SUMMED: Final = ("1d", "3d")


def identity(spec: Spec, objective: Objective) -> dict[str, str]:
    """Sloth's labels of an objective."""
    return {
        "sloth_id": f"{spec.service}-{objective.name}",
        "sloth_service": spec.service,
        "sloth_slo": objective.name,
    }


def ratio(window: str) -> str:
    """Name of the record that holds the ratio of errors over a window."""
    return f"slo:sli_error:ratio_rate{DAYS[window][0] if window in DAYS else window}"


def count(window: str) -> str:
    """Name of the record that holds how many events were bad in a window."""
    return f"slo:sli_error:increase{window}"


def groups(spec: Spec, objective: Objective) -> list[dict[str, Any]]:
    """Rule groups of one objective, as a Prometheus rule file holds them."""
    name = identity(spec, objective)["sloth_id"]
    made = [
        {"name": f"sloth-slo-sli-recordings-{name}", "rules": _sli(spec, objective)},
        {"name": f"sloth-slo-meta-recordings-{name}", "rules": _metadata(spec, objective)},
    ]
    if alerts := _alerts(spec, objective):
        made.append({"name": f"sloth-slo-alerts-{name}", "rules": alerts})
    return made


def selector(spec: Spec, objective: Objective) -> str:
    """The matchers of an objective's records."""
    return "{" + ", ".join(f'{label}="{value}"' for label, value in identity(spec, objective).items()) + "}"


def _sli(spec: Spec, objective: Objective) -> list[dict[str, Any]]:
    this, ids = selector(spec, objective), {**identity(spec, objective), **spec.labels, **objective.labels}
    error, total = objective.error, objective.total
    rules = [
        {"record": ERRORS, "expr": _or_none(error, total, "5m"), "labels": ids},
        {"record": TOTAL, "expr": total.over("5m"), "labels": ids},
    ]

    def add(window: str, expression: str) -> None:
        shown = DAYS[window][0] if window in DAYS else window
        rules.append({"record": ratio(window), "expr": expression, "labels": {**ids, "sloth_window": shown}})

    add("5m", f"{ERRORS}{this}\n/\n({TOTAL}{this} > 0)")
    for window in _DIRECT:
        add(
            window, f"(\n{_indented(_or_none(error, total, window))}\n)\n/\n((\n{_indented(total.over(window))}\n) > 0)"
        )
    for window in (*_SUMMED, spec.window):
        add(window, f"sum_over_time({ERRORS}{this}[{window}])\n/\n(sum_over_time({TOTAL}{this}[{window}]) > 0)")
    if error.unit != "samples":
        for burn in burns(spec.window):
            seconds = f"\n* {HOURS[burn.long] * 3600}" if error.unit == "per second" else ""
            expression = f"(\n{_indented(_or_none(error, total, burn.long))}\n){seconds}"
            rules.append({"record": count(burn.long), "expr": expression, "labels": ids})
    return rules


def _or_none(error: Query, total: Query, window: str) -> str:
    """Errors over a window; 0 where there were events but no series of errors yet."""
    return f"(\n{_indented(error.over(window))}\n)\nor\n0 * (\n{_indented(total.over(window))}\n)"


def _indented(text: str) -> str:
    return "\n".join(f"  {line.rstrip()}" for line in text.splitlines())


def _metadata(spec: Spec, objective: Objective) -> list[dict[str, Any]]:
    this, ids = selector(spec, objective), {**identity(spec, objective), **spec.labels, **objective.labels}
    on = "\n/ on (sloth_id, sloth_slo, sloth_service) group_left\nslo:error_budget:ratio" + this
    info = {"sloth_mode": "make-slo", "sloth_spec": "prometheus/v1", "sloth_objective": number(objective.objective)}
    records = {
        "slo:objective:ratio": f"vector({number(objective.ratio)})",
        "slo:error_budget:ratio": f"vector({number(objective.budget)})",
        "slo:time_period:days": f"vector({DAYS[spec.window][1]})",
        "slo:current_burn_rate:ratio": f"{ratio('5m')}{this}{on}",
        "slo:period_burn_rate:ratio": f"{ratio(spec.window)}{this}{on}",
        "slo:period_error_budget_remaining:ratio": f"1 - slo:period_burn_rate:ratio{this}",
    }
    rules: list[dict[str, Any]] = [
        {"record": name, "expr": expression, "labels": ids} for name, expression in records.items()
    ]
    return [
        *rules,
        {"record": "sloth_slo_info", "expr": "vector(1)", "labels": {**ids, "sloth_version": "none", **info}},
    ]


def _alerts(spec: Spec, objective: Objective) -> list[dict[str, Any]]:
    if not objective.alert:
        return []
    wanted = [burn for burn in burns(spec.window) if not objective.options(burn.severity).disable]
    return [*(_alert(spec, objective, burn) for burn in wanted), _absent(spec, objective)]


def _alert(spec: Spec, objective: Objective, burn: Burn) -> dict[str, Any]:
    options, this = objective.options(burn.severity), selector(spec, objective)
    limit = number(burn.threshold(objective.budget))
    expression = (
        f"(\n  max without (sloth_window) ({ratio(burn.short)}{this} > {limit})\n"
        f"  and\n  max without (sloth_window) ({ratio(burn.long)}{this} > {limit})\n)"
    )
    if objective.error.unit != "samples":
        expression += f"\nand\n{count(burn.long)}{this} >= {spec.minimum_errors}"
    fastest = burn.long == "1h"
    return {
        "alert": objective.alert,
        "expr": expression,
        "labels": {
            "sloth_severity": burn.severity,
            **contract.labels(spec, burn.severity, muted_by_deployment=not fastest),
            "long_window": burn.long,
            "short_window": burn.short,
            **objective.alert_labels,
            **options.labels,
        },
        "annotations": {
            "title": f"({burn.severity}) {{{{ $labels.sloth_service }}}} {{{{ $labels.sloth_slo }}}} SLO error budget "
            "burn rate is too fast.",
            **contract.annotations(spec, objective.alert, "slo", _texts(spec, objective, burn)),
            **objective.alert_annotations,
            **options.annotations,
        },
    }


def _texts(spec: Spec, objective: Objective, burn: Burn) -> dict[str, str]:
    days = DAYS[spec.window][1]
    exhausted = Decimal(days * 24) / burn.factor
    whole = f"{exhausted / 24:.0f} days" if exhausted >= 48 else f"{exhausted:.0f} hours"
    urgency = (
        "Look at it now"
        if burn.severity == "page"
        else "Look at it within a working day; nobody needs to be woken for it"
    )
    return {
        "summary": f"{spec.service} {objective.name}: {{{{ $value | humanizePercentage }}}} of events were bad in the "
        f"last {burn.short}, {number(objective.budget * 100)} % may be",
        "consequence": f"{literal(objective.description) or 'Users are affected.'} The budget of {days} days is being "
        f"spent {number(round(burn.factor, 1))} times as fast as it may be: at this speed it is gone in {whole}.",
        "action": f"{urgency}: find the route and the status on the dashboard, then follow the runbook.",
    }


def _absent(spec: Spec, objective: Objective) -> dict[str, Any]:
    this = selector(spec, objective)
    return {
        "alert": ABSENT,
        "expr": f"absent({TOTAL}{this})",
        "for": "15m",
        "labels": contract.labels(spec, "ticket", muted_by_deployment=False),
        "annotations": contract.annotations(
            spec,
            ABSENT,
            "slo",
            {
                "summary": f"{spec.service} {objective.name}: nothing has been measured for 15 minutes",
                "consequence": "This objective can't page anybody while it is blind.",
                "action": "Find out whether the service is scraped and still has the metrics that slo.yaml asks for.",
            },
        ),
    }

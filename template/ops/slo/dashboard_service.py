"""What the dashboard of the service needs beyond its YAML: what slo.yaml promises, and the alerts' thresholds."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from . import alerts, boards
from .grid import Row
from .panels import SOURCE, Json, steps
from .queries import DURATION
from .spec import Objective, Spec
from .windows import burns, number

_BOARD: Final = boards.read("dashboard_service.yaml")


@dataclass(frozen=True)
class _Promise:
    """So many of the requests that do not fail are answered within `edge` seconds."""

    edge: str
    objective: Objective


def rows(spec: Spec) -> list[Row]:
    """Is it bad now, where, why."""
    return [boards.row(each, lambda text, alert: _filled(spec, text, alert), _values(spec)) for each in _BOARD]


def variables(spec: Spec) -> list[Json]:
    """Choices of instances and routes."""
    mine = f'{{job="{spec.job}"}}'
    return [
        _variable("instance", "Instance", f"label_values(service_info{mine}, instance)"),
        _variable("route", "Route", f"label_values({DURATION}_count{mine}, http_route)"),
    ]


def _variable(name: str, label: str, query: str) -> Json:
    every = {"includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}
    shown = {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": query, "multi": True}
    return {**shown, **every, "refresh": 2, "sort": 1, "hide": 0}


def _filled(spec: Spec, text: str, alert: str) -> str:
    promises, window = _promises(spec), "[$__rate_interval]"
    for placeholder, value in {
        "<requests>": f"rate({DURATION}_count{{<http>}}{window})",
        "<failures>": f'rate({DURATION}_count{{<http>,http_response_status_code=~"5.."}}{window})',
        "<buckets>": f'rate({DURATION}_bucket{{<http>,http_response_status_code!~"5.."}}{window})',
        "<http>": '<one>,http_route=~"$route"',
        "<one>": f'job="{spec.job}",instance=~"$instance"',
        "<edge>": promises[0].edge if promises else "",
        "<failing>": _told(_failing(spec)),
        "<first in time>": _late(promises[:1]),
        "<in time>": _late(promises),
    }.items():
        text = text.replace(placeholder, value)
    return alerts.fill(spec, alert, text)


def _told(objective: Objective | None) -> str:
    if objective is None:
        return "when it lasts: slo.yaml promises nothing of it."
    return f"above {number(objective.budget * 100)} % when it lasts: slo.yaml allows no more. At a multiple, at once."


def _late(promises: list[_Promise]) -> str:
    return "; ".join(f"below {number(each.objective.objective)} % within {each.edge} s" for each in promises) + "."


def _failing(spec: Spec) -> Objective | None:
    """The strictest objective of the service's own requests that is not one of latency."""
    found = [
        each
        for each in spec.objectives
        if not each.error.edges and any(selector.metric == f"{DURATION}_count" for selector in each.error.selectors)
    ]
    return max(found, key=lambda each: each.objective, default=None)


def _promises(spec: Spec) -> list[_Promise]:
    """What is promised of latency, the strictest of each edge, in the order of the edges."""
    found: dict[str, Objective] = {}
    for each in sorted(spec.objectives, key=lambda objective: objective.objective):
        found.update(dict.fromkeys((*each.error.edges, *each.total.edges), each))
    return [_Promise(edge, found[edge]) for edge in sorted(found, key=float)]


def _values(spec: Spec) -> dict[str, Any]:
    failing, promises = _failing(spec), _promises(spec)
    shares = {f"within {each.edge} s": _share(each.edge) for each in promises}
    lines = [(each.objective.ratio, "orange") for each in promises]
    return {
        "failing": _too_many(spec, failing.budget if failing else Decimal("0.01")),
        "edges": steps("green", *((float(each.edge), "orange") for each in promises)) if promises else None,
        "in time": shares,
        "lines of in time": steps("green", *lines),
        "first in time": dict(list(shares.items())[:1]),
        "limits of first in time": _too_few(spec, promises[0].objective) if promises else None,
        **{name: _alert(spec, name) for name in alerts.NAMES},
    }


def _share(edge: str) -> str:
    chosen, window = '<http>,http_response_status_code!~"5.."', "[$__rate_interval]"
    return (
        f'sum(rate({DURATION}_bucket{{{chosen},le="{edge}"}}{window}))\n/\n'
        f"(sum(rate({DURATION}_count{{{chosen}}}{window})) > 0)"
    )


def _too_many(spec: Spec, budget: Decimal) -> Json:
    """Above the budget it can't go on; at the speed of the fastest burn somebody is woken."""
    return steps("green", (budget, "orange"), (burns(spec.window)[0].threshold(budget), "red"))


def _too_few(spec: Spec, objective: Objective) -> Json:
    fastest = burns(spec.window)[0].threshold(objective.budget)
    return steps("red", (1 - fastest, "orange"), (objective.ratio, "green"))


def _alert(spec: Spec, name: str) -> Json:
    return steps("green", (alerts.threshold(spec, name), "orange"))

"""What the dashboard of the objectives needs beyond its YAML: thresholds, and queries for each alert."""

from decimal import Decimal
from typing import Any, Final

from . import boards, contract, rules
from .grid import Row
from .panels import Json, steps
from .spec import Objective, Spec
from .windows import DAYS, Burn, burns, number

_BOARD: Final = boards.read("dashboard_objectives.yaml")
_COLOURS: Final = {"1h": "dark-red", "6h": "red", "1d": "orange", "3d": "yellow"}
_UNITS: Final = {"per second": "suffix:/s", "events": "short", "samples": "short"}


def rows(spec: Spec) -> list[Row]:
    """All objectives at a glance, then each by itself."""
    speeds = {"burns": _speeds([(burn.factor, burn) for burn in burns(spec.window)])}
    first = boards.row(_BOARD["now"], lambda text, _: _filled(text, _of_service(spec)), speeds)
    return [first, *(_row(spec, each) for each in spec.objectives)]


def _row(spec: Spec, objective: Objective) -> Row:
    texts = {**_of_service(spec), **_of_objective(spec, objective)}
    return boards.row(_BOARD["objective"], lambda text, _: _filled(text, texts), _values(spec, objective))


def _filled(text: str, texts: dict[str, str]) -> str:
    for placeholder, value in texts.items():
        text = text.replace(placeholder, value)
    return text


def _of_service(spec: Spec) -> dict[str, str]:
    return {"<service>": spec.service, "<days>": str(DAYS[spec.window][1])}


def _of_objective(spec: Spec, objective: Objective) -> dict[str, str]:
    counted = objective.error.unit != "samples"
    return {
        "<this>": rules.selector(spec, objective),
        "<ratio>": rules.ratio(spec.window),
        "<goal>": number(objective.objective),
        "<allowed>": number(objective.budget * 100),
        "<minimum>": str(spec.minimum_errors),
        "<guard>": f", once {spec.minimum_errors} events were bad in its long window" if counted else "",
        "<when>": _when(objective, _wanted(spec, objective)),
        "<runbook>": f"The runbook: {spec.runbook_url}#{contract.anchor(objective.alert)}",
        "<name>": objective.name,
        "<meaning>": objective.description
        or "A share of all events.",  # the owner's, and last: nothing in it is replaced
    }


def _values(spec: Spec, objective: Objective) -> dict[str, Any]:
    this, wanted = rules.selector(spec, objective), _wanted(spec, objective)
    counted = [] if objective.error.unit == "samples" else burns(spec.window)
    shown = dict.fromkeys(["5m", *(burn.long for burn in burns(spec.window))])
    return {
        "burns": _speeds([(_factor(objective, burn), burn) for burn in wanted]),
        "goal": steps("red", (objective.ratio, "green")),
        "minimum": steps("green", (spec.minimum_errors, "orange")),
        "unit": _UNITS[objective.total.unit],
        "digits": max(2, 1 - int(objective.objective.as_tuple().exponent)),
        "window": spec.window,
        "burn by window": {window: f"{rules.ratio(window)}{this} / {number(objective.budget)}" for window in shown},
        "nearness": {f"{burn.severity} {burn.long}/{burn.short}": _nearness(this, objective, burn) for burn in wanted},
        "bad events": {burn.long: rules.count(burn.long) + this for burn in counted},
    }


def _wanted(spec: Spec, objective: Objective) -> list[Burn]:
    """The burns that have an alert."""
    every = burns(spec.window) if objective.alert else []
    return [burn for burn in every if not objective.options(burn.severity).disable]


def _nearness(this: str, objective: Objective, burn: Burn) -> str:
    windows = f"{rules.ratio(burn.short)}{this}\n  or\n  {rules.ratio(burn.long)}{this}"
    return f"min without (sloth_window) (\n  {windows}\n) / {number(burn.threshold(objective.budget))}"


def _factor(objective: Objective, burn: Burn) -> Decimal:
    """The burn rate at which the alert fires: its factor, or less where a low objective could never reach that."""
    return burn.threshold(objective.budget) / objective.budget


def _speeds(factors: list[tuple[Decimal, Burn]]) -> Json:
    found = [(factor, _COLOURS[burn.long]) for factor, burn in reversed(factors)]  # of equal ones, the most urgent
    return steps("green", *(found or [(Decimal(1), "orange")]))


def _when(objective: Objective, wanted: list[Burn]) -> str:
    if not wanted:
        return "above 1: it will not last, and no alert looks at it."
    told = [f"{number(round(_factor(objective, burn), 2))} over {burn.long} ({burn.severity})" for burn in wanted]
    return f"from where its alerts fire: {', '.join(told)}."

"""Rows of dashboards as they stand in YAML beside this module, filled in for one service.

A text that begins with `=` is the name of a value, which Python has derived; a panel without queries is left out.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from . import panels
from .grid import COLUMNS, Line, Row
from .panels import Json

Fill = Callable[[str, str], str]
Values = Mapping[str, Any]
_KINDS: Final[dict[str, Callable[..., Json]]] = {
    "timeseries": panels.timeseries,
    "stat": panels.stat,
    "gauge": panels.gauge,
    "heatmap": panels.heatmap,
    "states": panels.states,
}
_OWN: Final = {"kind", "width", "needs", "for", "title", "about", "worry", "queries", "instant"}


def read(name: str) -> Any:
    """A file beside this module."""
    return yaml.safe_load(Path(__file__).with_name(name).read_text("utf-8"))


def row(entry: Json, fill: Fill, values: Values) -> Row:
    """One row of panels.

    Args:
        entry: as it stands in the YAML; `about` says what a panel shows, `worry` when it is a reason to worry.
        fill: puts values in place of what stands in `<…>` in a text, given the alert that its panel is about.
        values: what stands for the names after `=`; where the one that a panel needs is empty, the panel is left out.

    Raises:
        KeyError: a name has no value.
    """
    lines = [_line(each, fill, values) for each in entry["lines"]]
    return Row(fill(entry["key"], ""), fill(entry["title"], ""), lines, entry.get("collapsed", False))


def _line(entry: Json, fill: Fill, values: Values) -> Line:
    wanted = [
        each
        for each in entry["panels"]
        if _value(each["queries"], values) and ("needs" not in each or values[each["needs"]])
    ]
    placed = [(each["width"], _panel(each, fill, values)) for each in wanted]
    width, last = placed[-1]
    placed[-1] = (width + COLUMNS - sum(each for each, _ in placed), last)
    return Line(entry["height"], placed)


def _panel(entry: Json, fill: Fill, values: Values) -> Json:
    limits = entry.get("limits", "")
    alert = entry.get("for", limits.removeprefix("=") if isinstance(limits, str) else "")
    queries = [
        panels.query(fill(expression, alert), fill(legend, alert), instant=entry.get("instant", False))
        for legend, expression in _value(entry["queries"], values).items()
    ]
    options = {name: _value(value, values) for name, value in entry.items() if name not in _OWN}
    if isinstance(limits, list):
        options["limits"] = panels.steps(limits[0], *limits[1:])
    about = fill(f"{entry['about']}\n\nWorry {entry['worry']}", alert)
    return _KINDS[entry["kind"]](fill(entry["title"], alert), about, queries, **options)


def _value(given: Any, values: Values) -> Any:
    return values[given[1:]] if isinstance(given, str) and given.startswith("=") else given

"""Grafana's panels as plain JSON: only what the dashboards here need of each kind.

Every panel has a title, a text that says what it shows and when to worry, queries, and a unit in Grafana's spelling.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

Json = dict[str, Any]
SOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
_REDUCED: Final = {"orientation": "auto", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}


def query(expression: str, legend: str, *, instant: bool = False) -> Json:
    """One query over the time that is shown, or of the last value alone."""
    return {"datasource": SOURCE, "expr": expression, "legendFormat": legend, "instant": instant, "range": not instant}


def steps(base: str, *higher: tuple[Decimal | float, str]) -> Json:
    """Thresholds: the colour of the lowest values, and from which value on another one holds.

    Where two begin at the same value, the later one holds.
    """
    found = {float(round(Decimal(str(value)), 12)): colour for value, colour in higher}
    rest = [{"color": found[value], "value": value} for value in sorted(found)]
    return {"mode": "absolute", "steps": [{"color": base, "value": None}, *rest]}


def timeseries(
    title: str,
    about: str,
    queries: Sequence[Json],
    *,
    unit: str,
    limits: Json | None = None,
    stacked: bool = False,
    bars: bool = False,
    maximum: float | None = None,
    since: str | None = None,
) -> Json:
    """Lines over time, those with the highest peaks first in the legend.

    Args:
        limits: thresholds, drawn as dashed lines.
        stacked: the lines stand on each other.
        bars: bars in place of lines.
        maximum: the top of the axis.
        since: shows so much, such as `28d`, whatever time is chosen on the dashboard.
    """
    custom = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 1,
        "fillOpacity": 60 if bars else 25 if stacked else 8,
        "showPoints": "never",
        "axisSoftMin": 0,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    defaults = {"custom": custom, "max": maximum, "color": {"mode": "palette-classic"}, "thresholds": limits}
    legend = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]}
    options = {
        "legend": {**legend, "sortBy": "Max", "sortDesc": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    made = _panel("timeseries", title, about, queries, unit, defaults, options)
    return {**made, "timeFrom": since} if since else made


def stat(
    title: str,
    about: str,
    queries: Sequence[Json],
    *,
    unit: str,
    limits: Json,
    decimals: int | None = None,
    none: str | None = None,
) -> Json:
    """Numbers on the colour of their threshold; `none` is shown where nothing is found."""
    defaults = {"thresholds": limits, "decimals": decimals, "noValue": none}
    options = {
        **_REDUCED,
        "colorMode": "background",
        "graphMode": "none" if queries[0]["instant"] else "area",
        "justifyMode": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    }
    return _panel("stat", title, about, queries, unit, defaults, options)


def gauge(title: str, about: str, queries: Sequence[Json], *, unit: str, limits: Json, decimals: int) -> Json:
    """A dial from 0 to 1."""
    options = {
        **_REDUCED,
        "barShape": "flat",
        "barWidthFactor": 0.5,
        "effects": {},
        "minVizHeight": 75,
        "minVizWidth": 75,
        "segmentCount": 1,
        "segmentSpacing": 0.3,
        "shape": "gauge",
        "showThresholdLabels": False,
        "showThresholdMarkers": True,
        "sizing": "auto",
    }
    defaults = {"thresholds": limits, "decimals": decimals, "min": 0, "max": 1}
    return _panel("gauge", title, about, queries, unit, defaults, options)


def heatmap(title: str, about: str, queries: Sequence[Json], *, unit: str) -> Json:
    """The buckets of a histogram over time; `unit` is that of the buckets' edges."""
    colours = {"mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "steps": 64, "reverse": False}
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {**colours, "scale": "exponential", "exponent": 0.5},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    found = [{**each, "format": "heatmap"} for each in queries]
    return _panel("heatmap", title, about, found, "short", {}, options)


def states(title: str, about: str, queries: Sequence[Json], *, names: dict[str, tuple[str, str]]) -> Json:
    """A bar over time for each series; `names` are the text and the colour of each value."""
    shown = {value: {"text": text, "color": colour} for value, (text, colour) in names.items()}
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 70, "lineWidth": 0}
    defaults = {"custom": custom, "mappings": [{"type": "value", "options": shown}]}
    return _panel("state-timeline", title, about, queries, "none", defaults, options)


def _panel(
    kind: str, title: str, about: str, queries: Sequence[Json], unit: str, defaults: Json, options: Json
) -> Json:
    shown = {"color": {"mode": "thresholds"}, "thresholds": steps("green"), "unit": unit}
    shown.update({name: value for name, value in defaults.items() if value is not None})
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": shown, "overrides": []},
        "options": options,
        "targets": [{"refId": chr(ord("A") + number), **each} for number, each in enumerate(queries)],
    }

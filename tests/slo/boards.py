"""Dashboards as tests look at them: their panels, and their queries as Grafana sends them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.slo import dashboards

from tests.slo.specs import parsed

Json = dict[str, Any]
# What Grafana puts in place of its variables when all is chosen, for scrapes each second.
VARIABLES = {
    "$__rate_interval": "5s",
    "$__interval": "5s",
    "$__range": "2m",
    "$instance": ".*",
    "$route": ".*",
}


@dataclass(frozen=True)
class Asked:
    """One query of a dashboard, where it stands, and the labels that its legend names."""

    place: str
    query: str
    legend: frozenset[str]


def made(text: str) -> dict[str, Json]:
    """The dashboards of a slo.yaml by their file's name."""
    return {path.rsplit("/", 1)[1]: json.loads(board) for path, board in dashboards.make(parsed(text)).items()}


def panels(board: Json) -> Iterator[Json]:
    """All panels, those of collapsed rows too, without the rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def asked(board: Json) -> list[Asked]:
    """All queries of panels and annotations."""
    found = [
        Asked(panel["title"], filled(target["expr"]), _labels(target["legendFormat"]))
        for panel in panels(board)
        for target in panel["targets"]
    ]
    marks = [each for each in board["annotations"]["list"] if "expr" in each]
    return found + [
        Asked(each["name"], filled(each["expr"]), _labels(each["titleFormat"] + each.get("textFormat", "")))
        for each in marks
    ]


def filled(query: str) -> str:
    """A query with values in place of Grafana's variables.

    Raises:
        AssertionError: a variable is left.
    """
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query.replace('"$1"', ""), f"an unknown variable: {query}"
    return query


def _labels(legend: str) -> frozenset[str]:
    return frozenset(re.findall(r"\{\{(\w+)\}\}", legend))

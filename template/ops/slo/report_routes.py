"""Which routes an objective's bad events came from: the objective's own queries, summed by route."""

import re
from typing import Any, Final

import promql_parser as promql

from .prometheus import Prometheus
from .queries import DURATION, WINDOW
from .report_figures import DAY, Route, Window
from .spec import Objective

BY: Final = "http_request_method, http_route"
_LISTED: Final = 10
# Strings and comments come first, so that a `sum(` in one is left alone.
_TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*|\bsum\s*\(|[()]", re.IGNORECASE)

Found = dict[tuple[str, str], float]


def worst(asked: Prometheus, objective: Objective, window: Window) -> tuple[list[Route] | None, int, float]:
    """The routes with the most bad events, how many more have some, and the bad events on all; None: it can't be told.

    Raises:
        PrometheusError: no answer that can be used.
    """
    queries = by_route(objective)
    if queries is None:
        return None, 0, 0.0
    scale = DAY if objective.error.unit == "per second" else 1
    bad, total = (_summed(asked, query, window, scale) for query in queries)
    every = sum(bad.values())
    # What is smaller than this is what is left of a subtraction.
    routes = [Route(*key, each, total.get(key, 0.0), each / every) for key, each in bad.items() if each > 1e-6 * every]
    routes.sort(key=lambda route: (-route.bad, route.route, route.method))
    return routes[:_LISTED], len(routes[_LISTED:]), every


def by_route(objective: Objective) -> tuple[str, str] | None:
    """Bad and all events of a day by route; None if the queries are no sums over the service's own histogram."""
    queries = (objective.error, objective.total)
    own = {f"{DURATION}_{part}" for part in ("count", "bucket", "sum")}
    if not all(each.selectors and {one.metric for one in each.selectors} <= own for each in queries):
        return None
    if objective.error.unit == "samples" or not all(_plain(each.text) for each in queries):
        return None
    total = _grouped(objective.total.over("1d"), None)
    # A route without a series of, say, status 503 still takes part in what that is added to.
    return _grouped(objective.error.over("1d"), total), total


def _plain(text: str) -> bool:
    """Whether it is made of sums side by side, which can be made by route without a change of meaning."""
    aggregates, odd = [], []

    def visit(node: Any) -> bool:
        if isinstance(node, promql.AggregateExpr):
            aggregates.append(str(node.op))
        elif isinstance(node, promql.BinaryExpr) and node.modifier is not None:
            odd.append(node)
        return True

    promql.walk(promql.parse(WINDOW.sub("5m", text)), visit, lambda _: True)
    nested = _grouped(text, None).count(f"({BY})") != len(aggregates)
    return bool(aggregates) and set(aggregates) == {"sum"} and not odd and not nested


def _grouped(text: str, fill: str | None) -> str:
    """The text with `by (…)` in each outer sum, and `fill`'s routes at 0 where a sum has none of them."""
    made, place, depth, opened = [], 0, 0, None
    for token in _TOKEN.finditer(text):
        found = token.group()
        if found == ")":
            depth -= 1
            if depth == opened:
                made.append(text[place : token.end()] + (f" or 0 * (\n{fill}\n))" if fill else ")"))
                place, opened = token.end(), None
        elif found.endswith("(") and not found.startswith(("'", '"', "`", "#")):
            if found != "(" and opened is None:
                made.append(text[place : token.start()] + f"(sum by ({BY}) (")
                place, opened = token.end(), depth
            depth += 1
    return "".join(made) + text[place:]


def _summed(asked: Prometheus, query: str, window: Window, scale: int) -> Found:
    found: Found = {}
    for each in asked.range(query, window.start + DAY, window.end, DAY):
        key = each.labels.get("http_request_method", ""), each.labels.get("http_route", "")
        if any(key):
            found[key] = found.get(key, 0.0) + sum(max(value, 0.0) for _, value in each.points) * scale
    return found

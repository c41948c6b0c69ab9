"""What a PromQL query of slo.yaml asks for, found in its parsed form."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import promql_parser as promql

WINDOW: Final = re.compile(r"\{\{ *\.window *\}\}")
DURATION: Final = "http_server_request_duration_seconds"
_UNITS: Final = {"rate": "per second", "increase": "events"}
_LABELLESS: Final = {"vector", "scalar", "time"}


class QueryError(ValueError):
    """The query can't be used; the text says why and what would do."""


@dataclass(frozen=True)
class Matcher:
    """One label matcher; `op` is `=`, `!=`, `=~` or `!~`."""

    label: str
    op: str
    value: str

    def holds(self, value: str) -> bool:
        """Whether a label of this value matches."""
        equal = re.fullmatch(self.value, value) is not None if "~" in self.op else self.value == value
        return equal if self.op in ("=", "=~") else not equal


@dataclass(frozen=True)
class Selector:
    """One metric with its matchers."""

    metric: str
    matchers: tuple[Matcher, ...]

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether a series with these labels is selected."""
        return all(matcher.holds(labels.get(matcher.label, "")) for matcher in self.matchers)


@dataclass(frozen=True)
class Query:
    """One query with `{{.window}}` in place of its window.

    Attributes:
        text: as it stands in slo.yaml.
        unit: of its value: `per second` (rate), `events` (increase) or `samples` (all else).
        selectors: every metric it reads.
        operators: binary operators in it, such as `-`.
        edges: `le` of the buckets of the service's own latency histogram that it reads.
    """

    text: str
    unit: str
    selectors: tuple[Selector, ...]
    operators: tuple[str, ...]
    edges: tuple[str, ...] = field(default=())

    def over(self, window: str) -> str:
        """The query over one window, such as `5m`."""
        return WINDOW.sub(window, self.text).strip()


def read(text: str) -> Query:
    """Parse and judge one query.

    Raises:
        QueryError: it is no PromQL, has no window, more than one series, or a bucket that can't be there.
    """
    if not WINDOW.search(text):
        raise QueryError("it has no window: write [{{.window}}] where the range stands")
    if re.search(r"\{\{(?! *\.window *\}\})", text):
        raise QueryError("only {{.window}} is replaced: no other template action is known here")
    try:
        tree = promql.parse(WINDOW.sub("5m", text))
    except ValueError as error:
        raise QueryError(f"no PromQL: {error}") from None
    if not _single(tree):
        raise QueryError(
            "it may give several series: sum(…) without `by` or `without`; write an objective for each part instead"
        )
    found = _Found()
    promql.walk(tree, found.visit, lambda _: True)
    edges = tuple(_edge(selector) for selector in found.selectors if selector.metric == f"{DURATION}_bucket")
    return Query(text, found.unit(), tuple(found.selectors), tuple(found.operators), edges)


class _Found:
    def __init__(self) -> None:
        self.selectors: list[Selector] = []
        self.operators: list[str] = []
        self.functions: list[str] = []

    def visit(self, node: Any) -> bool:
        if isinstance(node, promql.MatrixSelector):
            self._select(node.vector_selector)
        elif isinstance(node, promql.VectorSelector):
            self._select(node)
        elif isinstance(node, promql.Call):
            self.functions.append(node.func.name)
        elif isinstance(node, promql.BinaryExpr):
            self.operators.append(str(node.op))
        elif isinstance(node, promql.SubqueryExpr):
            self.functions.append("subquery")
        return True

    def unit(self) -> str:
        units = {_UNITS.get(name) for name in self.functions} - {None}
        if (
            "subquery" in self.functions
            or len(units) != 1
            or any(name.endswith("_over_time") for name in self.functions)
        ):
            return "samples"
        return str(units.pop())

    def _select(self, node: promql.VectorSelector) -> None:
        ops = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
        matchers = [Matcher(one.name, ops[str(one.op).rsplit(".", 1)[-1]], one.value) for one in node.matchers.matchers]
        name = node.name
        for matcher in matchers:
            if matcher.label == "__name__" and matcher.op == "=":
                name = matcher.value
        if name is None:
            raise QueryError("a selector has no metric's name")
        selector = Selector(name, tuple(each for each in matchers if each.label != "__name__"))
        if selector not in self.selectors:
            self.selectors.append(selector)


def _single(node: Any) -> bool:
    """Whether an expression gives one series without labels at most."""
    if isinstance(node, promql.NumberLiteral):
        return True
    if isinstance(node, promql.AggregateExpr):
        return node.modifier is None and str(node.op) not in (
            "topk",
            "bottomk",
            "count_values",
            "limitk",
            "limit_ratio",
        )
    if isinstance(node, promql.BinaryExpr):
        return _single(node.lhs) and _single(node.rhs)
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr | promql.SubqueryExpr):
        return _single(node.expr)
    if isinstance(node, promql.Call):
        vectors = [each for each in node.args if not isinstance(each, promql.NumberLiteral | promql.StringLiteral)]
        return node.func.name in _LABELLESS or (bool(vectors) and all(_single(each) for each in vectors))
    return False


def _edge(selector: Selector) -> str:
    edges = [matcher for matcher in selector.matchers if matcher.label == "le"]
    if len(edges) != 1 or edges[0].op != "=":
        raise QueryError(f'{selector.metric} needs one edge: {{le="0.3"}}, in seconds')
    text = edges[0].value
    try:
        value = float(text)
    except ValueError:
        raise QueryError(f'le="{text}" is no number of seconds, such as le="0.3"') from None
    if not 0.0005 <= value <= 600:
        raise QueryError(f'le="{text}": a latency objective lies between 0.0005 and 600 seconds')
    if text != repr(value):
        raise QueryError(f'le="{text}" matches no bucket: the service writes it le="{value!r}"')
    return text

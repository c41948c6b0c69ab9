"""A scorecard with every state, and with text in it that tries to be more than text."""

from datetime import UTC, datetime

from ops.readiness.outcome import Result, State
from ops.readiness.rows import Gate, Remedy, Row, Source
from ops.readiness.scorecard import Scorecard

HOSTILE = (
    "<img src=x onerror=alert(1)> | {{7*7}} `x` **y** ]]> & \"q\" 'a' [l](javascript:alert(1)) https://evil.example.org"
)


def pair(
    id_: str, theme: str, gate: Gate, state: State, evidence: str = "Seen.", file: str = "", text: str = ""
) -> tuple[Row, Result]:
    """A row with its result."""
    row = Row(
        id_,
        theme,
        text or f"{id_} holds",
        f"Without {id_} something goes wrong.",
        (Source("nais", f"Have {id_}"),),
        gate,
        ("static",),
        Remedy("Mend it", file),
    )
    return row, Result(id_, state, evidence, "" if state in ("pass", "not applicable") else "Mend it", 0.25)


def card(*rows: tuple[Row, Result], whole: bool = True, problems: tuple[str, ...] = ()) -> Scorecard:
    """A scorecard of these rows."""
    when = datetime(2026, 11, 30, 9, 5, 7, tzinfo=UTC)
    return Scorecard("orders", "v0.2.0", "0123456789abcdef0123-dirty", rows, problems, whole, when, 12.34)


def mixed() -> Scorecard:
    """Rows in every state, a mistake, and foreign text."""
    return card(
        pair("limits", "Platform", "dev", "pass", "cpu 1, memory 512Mi"),
        pair("probes", "Platform", "dev", "fail", "deploy/dev/kustomization.yaml:12: no probe", "deploy/common/x.yaml"),
        pair("hostile", f"Theme {HOSTILE}", "staging", "cannot tell", HOSTILE, text=HOSTILE),
        pair("cdn", "Platform", "production", "open", "nobody has signed it", "readiness.yaml"),
        pair("store", "Data", "production", "not applicable", "no data store"),
        problems=(f"readiness.yaml:3: {HOSTILE}",),
    )

"""The report as Markdown, for a job's summary: text from elsewhere comes out as text, whatever is in it."""

import re
from collections.abc import Iterable
from typing import Final

from . import words
from .outcome import Result
from .rows import GATES, Gate, Row
from .scorecard import Scorecard

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&$@])")
Cells = Iterable[str]


def render(card: Scorecard) -> str:
    """The document."""
    parts = [f"# {text(card.service)}: readiness", f"**{text(words.headline(card))}.**"]
    if card.whole:
        parts.append(_table(("Gate", "", "Rows that pass", "Score"), [_gate(card, gate) for gate in GATES]))
    if card.problems:
        parts += ["## Mistakes in what people wrote", "\n".join(f"- {text(problem)}" for problem in card.problems)]
    if left := card.next():
        parts += [
            "## What is left to do",
            _table(("", "Row", "Gate", "Seen", "To do"), [_left(*pair) for pair in left]),
        ]
    parts.append("## All rows")
    for theme, rows in card.themes():
        done = sum(result.state in {"pass", "not applicable"} for _, result in rows)
        parts.append(f"<details><summary>{text(theme)}: {done} of {len(rows)}</summary>")
        parts.append(_table(("", "Row", "Seen"), [_told(*pair) for pair in rows]))
        parts.append("</details>")
    parts.append(text(_foot(card)))
    return "\n\n".join(parts) + "\n"


def text(raw: str) -> str:
    """Foreign text, so that nothing in it means anything to Markdown, HTML or a template language."""
    return _MARKS.sub(r"\\\1", raw).replace("://", ":\\//")


def _gate(card: Scorecard, gate: Gate) -> Cells:
    score = card.score(gate)
    return gate, words.gate(card, gate), f"{score.passed} of {score.applicable}", f"{score.percent} %"


def _left(row: Row, result: Result) -> Cells:
    return words.NAMES[result.state], f"{row.id}: {row.text}", row.gate, result.evidence, result.remedy


def _told(row: Row, result: Result) -> Cells:
    return words.NAMES[result.state], f"{row.id}: {row.text}", result.evidence


def _foot(card: Scorecard) -> str:
    commit = f" of commit {card.commit}" if card.commit else ""
    when = card.started.strftime("%Y-%m-%d %H:%M UTC")
    return f"{len(card.rows)} rows{commit}: {words.counts(card)}. Made on {when}, in {card.seconds:.1f} s."


def _table(heads: Cells, rows: Iterable[Cells]) -> str:
    head = list(heads)
    lines = [head, ["---"] * len(head), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

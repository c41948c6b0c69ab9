"""The report as JSON: everything, for programs."""

import json
from dataclasses import asdict
from typing import Any

from .outcome import Result
from .rows import GATES, Row
from .scorecard import Scorecard


def render(card: Scorecard) -> str:
    """The document."""
    return json.dumps(document(card), indent=2, ensure_ascii=False) + "\n"


def document(card: Scorecard) -> dict[str, Any]:
    """The document as data."""
    return {
        "service": card.service,
        "commit": card.commit or None,
        "template_version": card.version,
        "started_at": card.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(card.seconds, 3),
        "whole": card.whole,
        "gates": {gate: _gate(card, gate) for gate in GATES} if card.whole else {},
        "problems": list(card.problems),
        "next": [row.id for row, _ in card.next()],
        "rows": [_row(row, result) for row, result in card.rows],
    }


def _gate(card: Scorecard, gate: Any) -> dict[str, Any]:
    score = card.score(gate)
    return {"passed": card.opens(gate), "rows_passed": score.passed, "rows": score.applicable, "percent": score.percent}


def _row(row: Row, result: Result) -> dict[str, Any]:
    return {
        "id": row.id,
        "theme": row.theme,
        "text": row.text,
        "gate": row.gate,
        "state": result.state,
        "seen": result.evidence,
        "to_do": result.remedy or None,
        "seconds": result.seconds,
        "why": row.why,
        "evidence": list(row.evidence),
        "documents": list(row.documents),
        "sources": [asdict(source) for source in row.sources],
        "remedy": asdict(row.remedy),
        "since": row.since,
    }

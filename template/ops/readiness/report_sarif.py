"""The report as SARIF 2.1.0, for code scanning: what is left to do, each with its place in the repository."""

import json
import re
from typing import Any, Final

from .outcome import Result, State
from .rows import DOCUMENTS, Row
from .scorecard import TO_DO, Scorecard
from .statements import FILE

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final[dict[State, str]] = {"fail": "error", "cannot tell": "warning", "open": "note"}
# Evidence begins with the place, where there is one: `deploy/dev/kustomization.yaml:12: …`.
_PLACE: Final = re.compile(r"([A-Za-z0-9_.][A-Za-z0-9_./-]*)(?::(\d+))?: ")


def render(card: Scorecard) -> str:
    """The document."""
    rules = [_rule(row) for row, _ in card.rows]
    results = [_result(number, row, result) for number, (row, result) in enumerate(card.rows) if result.state in TO_DO]
    driver = {"name": "readiness", "version": card.version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "readiness/"},
        "invocations": [
            {"executionSuccessful": True, "toolExecutionNotifications": [_notice(each) for each in card.problems]}
        ],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(row: Row) -> dict[str, Any]:
    sources = "\n".join(f"{DOCUMENTS.get(each.document, each.document)}: {each.text}" for each in row.sources)
    return {
        "id": row.id,
        "shortDescription": {"text": row.text},
        "fullDescription": {"text": row.why},
        "help": {"text": f"{row.remedy.do}\n\n{sources}"},
        "properties": {"tags": [row.theme, f"gate {row.gate}"]},
    }


def _result(number: int, row: Row, result: Result) -> dict[str, Any]:
    return {
        "ruleId": row.id,
        "ruleIndex": number,
        "level": _LEVELS[result.state],
        "message": {"text": f"{row.text}. Seen: {result.evidence}. To do: {result.remedy}"},
        "locations": [{"physicalLocation": place(row, result)}],
        "partialFingerprints": {"readinessRow/v1": row.id},
    }


def place(row: Row, result: Result) -> dict[str, Any]:
    """Where to mend it: what the evidence begins with, else the remedy's file, else what people sign."""
    found = _PLACE.match(result.evidence)
    if found and ("." in found[1] or "/" in found[1]) and not found[1].startswith("/") and ".." not in found[1]:
        region = {"region": {"startLine": int(found[2])}} if found[2] and int(found[2]) else {}
        return {"artifactLocation": {"uri": found[1]}, **region}
    file = row.remedy.file
    if ".." in file or not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*", file):
        file = FILE
    return {"artifactLocation": {"uri": file}}


def _notice(problem: str) -> dict[str, Any]:
    return {"level": "error", "message": {"text": problem}}

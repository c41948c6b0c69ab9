"""The report as JUnit's XML: a suite a theme, a case a row. What is open is skipped, and never counted as passed."""

from typing import Final
from xml.etree import ElementTree as ET

from .outcome import Result, State
from .rows import Row
from .scorecard import Scorecard

_TAGS: Final[dict[State, str]] = {
    "fail": "failure",
    "cannot tell": "error",
    "open": "skipped",
    "not applicable": "skipped",
}


def render(card: Scorecard) -> str:
    """The document."""
    suites = ET.Element("testsuites", {"name": "readiness"} | _counts(card.rows, len(card.problems)))
    suites.set("time", f"{card.seconds:.3f}")
    for theme, rows in card.themes():
        suite = ET.SubElement(suites, "testsuite", {"name": theme, **_counts(tuple(rows)), "timestamp": _when(card)})
        for row, result in rows:
            _case(suite, row, result)
    if card.problems:
        counts = {"tests": len(card.problems), "failures": 0, "errors": len(card.problems), "skipped": 0}
        named = {"name": "readiness.yaml", **{key: str(value) for key, value in counts.items()}}
        suite = ET.SubElement(suites, "testsuite", named)
        for number, problem in enumerate(card.problems, 1):
            case = ET.SubElement(
                suite, "testcase", {"classname": "readiness", "name": f"mistake {number}", "time": "0"}
            )
            ET.SubElement(case, "error", {"message": problem, "type": "mistake"})
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, row: Row, result: Result) -> None:
    named = {"classname": f"readiness.{row.gate}", "name": row.id, "time": f"{result.seconds:.3f}"}
    case = ET.SubElement(suite, "testcase", named)
    if result.state == "pass":
        ET.SubElement(case, "system-out").text = f"{row.text}: {result.evidence}"
        return
    told = ET.SubElement(case, _TAGS[result.state], {"message": f"{result.state}: {result.evidence}"})
    if result.state in ("fail", "cannot tell"):
        told.set("type", result.state)
        told.text = f"It must hold: {row.text}.\nSeen: {result.evidence}\nTo do: {result.remedy}"


def _counts(rows: tuple[tuple[Row, Result], ...], problems: int = 0) -> dict[str, str]:
    states = [result.state for _, result in rows]
    counts = {
        "tests": len(rows) + problems,
        "failures": states.count("fail"),
        "errors": states.count("cannot tell") + problems,
        "skipped": states.count("open") + states.count("not applicable"),
    }
    return {key: str(value) for key, value in counts.items()}


def _when(card: Scorecard) -> str:
    return card.started.strftime("%Y-%m-%dT%H:%M:%S")  # without a zone: some readers refuse one

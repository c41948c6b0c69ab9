"""What the run tells: lines for people, JSON, and JUnit for CI systems."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from .outcome import Result


def passed(results: Sequence[Result]) -> bool:
    """Whether nothing failed, and something passed."""
    outcomes = {result.outcome for result in results}
    return "fail" not in outcomes and "pass" in outcomes


def count(results: Sequence[Result], outcome: str) -> int:
    """How many checks ended so."""
    return sum(result.outcome == outcome for result in results)


def lines(results: Sequence[Result]) -> list[str]:
    """One line a check."""
    width = max(len(result.id) for result in results)
    return [f"{result.outcome}  {result.id:{width}}  {_told(result)}" for result in results]


def closing(results: Sequence[Result], url: str, seconds: float) -> str:
    """The last line."""
    verdict = "passed" if passed(results) else "FAILED"
    counts = ", ".join(f"{count(results, each)} {each}" for each in ("pass", "fail", "skip"))
    return f"smoke tests {verdict}: {counts}, in {seconds:.1f} s, at {url}"


def as_json(results: Sequence[Result], url: str, started: datetime, seconds: float) -> str:
    """The run as a JSON document."""
    document: dict[str, Any] = {
        "url": url,
        "passed": passed(results),
        "started_at": started.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(seconds, 3),
        "checks": [result.document() for result in results],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_junit(results: Sequence[Result], url: str, started: datetime, seconds: float) -> str:
    """The run as JUnit's XML: one suite, one case a check, the evidence in each."""
    counts = {"tests": str(len(results)), "failures": str(count(results, "fail")), "errors": "0"}
    common = {"name": "smoke", **counts, "time": f"{seconds:.3f}"}
    suites = ET.Element("testsuites", common)
    when = started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")  # without a zone: some readers refuse one
    suite = ET.SubElement(suites, "testsuite", {**common, "skipped": str(count(results, "skip")), "timestamp": when})
    ET.SubElement(ET.SubElement(suite, "properties"), "property", {"name": "url", "value": url})
    for result in results:
        case = ET.SubElement(
            suite, "testcase", {"classname": "smoke", "name": result.id, "time": f"{result.seconds:.3f}"}
        )
        if result.outcome == "fail":
            failure = ET.SubElement(case, "failure", {"message": result.evidence, "type": "failed"})
            failure.text = f"It must hold that {result.proves}.\nSeen: {result.evidence}\nRemedy: {result.remedy}"
        elif result.outcome == "skip":
            ET.SubElement(case, "skipped", {"message": result.evidence})
        else:
            ET.SubElement(case, "system-out").text = f"{result.proves}: {result.evidence}"
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _told(result: Result) -> str:
    return f"{result.evidence.rstrip('.')}. Remedy: {result.remedy}" if result.remedy else result.evidence

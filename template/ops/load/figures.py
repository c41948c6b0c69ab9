"""What came out of a run, and whether it is within the thresholds. No Locust in here."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

_UNITS: Final = {"failed_percent": "%", "requests_per_second": "/s"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one request, or of all together.

    `percentiles` in milliseconds, by name (`p50_ms`, `p95_ms`, `p99_ms`), of answered and failed requests alike.
    """

    name: str
    count: int
    failed: int
    requests_per_second: float
    percentiles: Mapping[str, float]

    @property
    def failed_percent(self) -> float:
        """Share of requests that failed, in percent."""
        return 100 * self.failed / self.count if self.count else 0.0

    def value(self, threshold: str) -> float:
        """The figure that a threshold is about."""
        if threshold in self.percentiles:
            return self.percentiles[threshold]
        return float(getattr(self, threshold))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run: figures by request, of all together, failures by their text, and what missed its threshold."""

    url: str
    profile: str
    seconds: float
    total: Figures
    requests: list[Figures]
    failures: Mapping[str, int]
    missed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether something was sent and all thresholds hold."""
        return self.total.count > 0 and not self.missed

    def as_json(self) -> str:
        """The run as a JSON document."""
        document: dict[str, Any] = {**asdict(self), "passed": self.passed}
        for each in (document["total"], *document["requests"]):
            each["failed_percent"] = round(100 * each["failed"] / each["count"], 4) if each["count"] else 0.0
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def missed(total: Figures, thresholds: Mapping[str, float]) -> list[str]:
    """A sentence for every threshold that does not hold."""
    if not total.count:
        return ["no request was answered or failed: nothing was measured"]
    found = []
    for name, limit in thresholds.items():
        value = total.value(name)
        at_least = name == "requests_per_second"
        if value < limit if at_least else value > limit:
            unit = _UNITS.get(name, "ms")
            found.append(
                f"{name} is {value:.3g} {unit}, and must be at {'least' if at_least else 'most'} {limit:g} {unit}"
            )
    return found


def lines(outcome: Outcome) -> list[str]:
    """A table for people, and a verdict."""
    rows: list[tuple[str, ...]] = [("request", "sent", "failed", "per s", "p50 ms", "p95 ms", "p99 ms")]
    for each in (*outcome.requests, outcome.total):
        times = [f"{each.percentiles[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms")]
        rows.append((each.name, str(each.count), str(each.failed), f"{each.requests_per_second:.1f}", *times))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    told = [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    told += [f"{count} x {text}" for text, count in outcome.failures.items()]
    told += outcome.missed
    verdict = "passed" if outcome.passed else "FAILED"
    return [*told, f"load test {verdict}: profile {outcome.profile}, {outcome.seconds:.0f} s, at {outcome.url}"]

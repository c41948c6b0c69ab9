"""A recorded past for a real Prometheus: what a service counted, as blocks, and kept for counting by hand."""

import math
import random
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import httpx2

from tests.services import free_port, until

DAY = 86_400
END = int(datetime(2024, 6, 3, tzinfo=UTC).timestamp())
START = END - 28 * DAY
HOSTILE = "/<script>alert(1)</script>|{{7*7}}/*x*/{id}"
ROUTES = (("GET", "/v1/orders/{order_id}", 1.0), ("POST", "/v1/orders", 0.3), ("GET", HOSTILE, 0.05))
COUNT, BUCKET = (f"http_server_request_duration_seconds_{part}" for part in ("count", "bucket"))

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Past:
    """Series by name and labels, each a list of (Unix time, value)."""

    series: dict[Key, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, time: int, value: float, **labels: str) -> None:
        self.series[name, tuple(sorted(labels.items()))].append((time, value))

    def record(self, objective: str, start: int, end: int, total: float, error: float) -> None:
        """What recording rules kept of an objective of `orders`, every minute: events and bad ones a second."""
        ids = {"sloth_id": f"orders-{objective}", "sloth_service": "orders", "sloth_slo": objective}
        for minute in range(start, end + 1, 60):
            self.add("slo:sli_total:rate5m", minute, total, **ids)
            self.add("slo:sli_error:rate5m", minute, error, **ids)

    def increase(self, name: str, start: int, end: int, **wanted: str) -> float:
        """By hand: what counters with these labels grew from sample to sample; below the one before, it began anew."""
        grown = 0.0
        for (metric, labels), samples in self.series.items():
            if metric == name and wanted.items() <= dict(labels).items():
                inside = [value for time, value in samples if start <= time <= end]
                grown += sum(new - old if new >= old else new for old, new in pairwise(inside))
        return grown

    def without(self, *names: str) -> "Past":
        """The same less some metrics."""
        return Past({key: samples for key, samples in self.series.items() if key[0] not in names})

    def blocks(self, folder: Path) -> None:
        """Write it as Prometheus keeps it."""
        folder.mkdir(parents=True)
        with (folder / "openmetrics").open("w", encoding="utf-8") as file:
            for (name, labels), samples in self.series.items():
                shown = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels)
                file.writelines(f"{name}{{{shown}}} {value} {time}\n" for time, value in samples)
            file.write("# EOF\n")
        command = [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "openmetrics",
            "data",
            "--max-block-duration=2000h",
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@contextmanager
def recalled(past: Past, folder: Path) -> Iterator[str]:
    """The address of a Prometheus that remembers this."""
    past.blocks(folder)
    with remembering(folder) as url:
        yield url


@contextmanager
def remembering(folder: Path) -> Iterator[str]:
    """The address of a Prometheus on the blocks in `folder/data`; it scrapes nothing."""
    (folder / "prometheus.yml").write_text("{}", "utf-8")
    program, port = shutil.which("prometheus"), free_port()
    assert program, "prometheus is not installed: apt-get install prometheus"
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=10y"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, stdout=log, stderr=log
        )
        try:
            until(lambda: httpx2.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200, "readiness", 30)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@dataclass
class Writer:
    """Lets a service of one instance live from scrape to scrape."""

    past: Past
    job: str = "orders"
    seed: int = 5
    counted: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.begin()

    def begin(self) -> None:
        """A process starts: its counters are at zero."""
        self.counted.clear()
        for method, route, _ in ROUTES:
            for status in ("200", "500"):
                self._grow(COUNT, 0, method, route, status)
                self._grow(BUCKET, 0, method, route, status, le="0.3")

    def serve(self, requests: float, errors: float, slow: float) -> None:
        """Answer requests: `errors` and `slow` are shares of them; errors are those of POST."""
        for method, route, share in ROUTES:
            number = int(requests * share + self.random.random())
            bad = _drawn(self.random, number, errors if method == "POST" else errors / 50)
            late = _drawn(self.random, number - bad, slow if method == "GET" else slow / 10)
            self._grow(COUNT, number - bad, method, route, "200")
            self._grow(BUCKET, number - bad - late, method, route, "200", le="0.3")
            self._grow(COUNT, bad, method, route, "500")
            self._grow(BUCKET, bad, method, route, "500", le="0.3")

    def scrape(self, time: int, version: str) -> None:
        """Prometheus takes a sample of each."""
        for key, value in self.counted.items():
            self.past.series[key].append((time, value))
        self.past.add("service_info", time, 1, job=self.job, service_name=self.job, service_version=version, commit="")

    def _grow(self, name: str, number: float, method: str, route: str, status: str, **more: str) -> None:
        labels = {"http_request_method": method, "http_route": route, "http_response_status_code": status, **more}
        key = name, tuple(sorted({"job": self.job, "instance": "a", **labels}.items()))
        self.counted[key] = self.counted.get(key, 0) + number


def _drawn(chance: random.Random, number: int, share: float) -> int:
    return int(number * share + chance.random())


def month() -> Past:
    """Twenty-eight days, and twenty of those before: traffic that varies by hour and day, and these events.

    Day 9, 14:00: version 1.5.0 comes; 14:06 to 14:46: nine of ten POST fail; 14:46: 1.4.0 is back.
           Both restart the counters.
    Day 17, 03:00 to 09:00: nothing is scraped, but the service counts on.
    Day 20, 10:00 to 12:00: every third GET is slow.
    Day 22, 12:00 to 12:40: nothing is scraped, and the service is restarted in between.
    """
    past = Past()
    service = Writer(past)
    version = "1.4.0"
    for time in range(START - 20 * DAY, END + 1, 120):
        day, second = divmod(time - START, DAY)
        hour = second / 3600
        errors, slow = (0.9, 0.001) if day == 9 and 14.1 < hour <= 14.77 else (0.0002, 0.001)
        if day == 9 and second in (14 * 3600, 14 * 3600 + 46 * 60):
            version = {"1.4.0": "1.5.0", "1.5.0": "1.4.0"}[version]
            service.begin()
        if day == 22 and second == 12 * 3600 + 1200:
            service.begin()
        if day == 20 and 10 < hour <= 12:
            slow = 0.33
        weekly = (40, 60, 800, 200, 380, 700, 25)[day % 7]
        service.serve(weekly * (1 + math.sin(hour / 24 * math.tau) * 0.8), errors, slow)
        if not (day == 17 and 3 < hour < 9) and not (day == 22 and 12 < hour < 12 + 2 / 3):
            service.scrape(time, version)
            for name in ("availability", "latency"):
                past.record(name, time, time, 1, 0)
    _fire(past, "AvailabilityErrorBudgetBurn", "page", START + 9 * DAY + 14 * 3600 + 8 * 60, 95, "availability", "1h")
    _fire(past, "AvailabilityErrorBudgetBurn", "page", START + 9 * DAY + 18 * 3600, 20, "availability", "1h")
    _fire(past, "LatencyErrorBudgetBurn", "ticket", START + 20 * DAY + 11 * 3600, 300, "latency", "1d")
    _fire(past, "DependencyDown", "ticket", START + 2 * DAY + 6 * 3600, 10)
    _fire(past, "TargetDown", "ticket", END - 1800, 31)
    return past


def _fire(
    past: Past, name: str, severity: str, start: int, minutes: int, objective: str = "", window: str = ""
) -> None:
    labels = {
        "alertname": name,
        "severity": severity,
        "service": "orders",
        "sloth_slo": objective,
        "long_window": window,
    }
    for minute in range(minutes):
        given = {label: value for label, value in labels.items() if value}
        past.add("ALERTS", start + minute * 60, 1, alertstate="firing", **given)

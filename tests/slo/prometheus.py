"""The real Prometheus and Alertmanager for tests: on free loopback ports, ended by their process ids."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tests.services import free_port, until

_APT = "prometheus prometheus-alertmanager"


@dataclass(frozen=True)
class Sample:
    """One series at one moment; a scalar has no labels."""

    labels: dict[str, str]
    value: float
    time: float


@dataclass(frozen=True)
class Series:
    """One series over a time, as (Unix time, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


@dataclass
class _Server:
    """A running server and what it was started with."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path
    client: httpx2.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written on its outputs."""
        return (self.folder / "log").read_text("utf-8")

    def _get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(self.url + path, params=parameters)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def _ready(self) -> bool:
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log}"
        return self.client.get(f"{self.url}/-/ready").status_code == 200


@dataclass
class Prometheus(_Server):
    """A running Prometheus."""

    targets: dict[str, list[str]] = field(default_factory=dict)

    def scrape(self, job: str, addresses: Iterable[str]) -> None:
        """From now on scrape these, each as `host:port`, with the label `job`, in place of those it had."""
        self.targets[job] = list(addresses)
        _write_targets(self.folder, self.targets)

    def query(self, expression: str, time: float | None = None) -> list[Sample]:
        """An instant query, now or at a Unix time."""
        data = self._ask("query", query=expression, **({} if time is None else {"time": time}))
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]), float(data["result"][0]))]
        return [Sample(each["metric"], float(each["value"][1]), float(each["value"][0])) for each in data["result"]]

    def query_range(self, expression: str, start: float, end: float, step: float = 1) -> list[Series]:
        """A query for each step, in seconds, from one Unix time to another."""
        data = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [
            Series(each["metric"], [(float(time), float(value)) for time, value in each["values"]])
            for each in data["result"]
        ]

    def label_values(self, label: str, selector: str) -> list[str]:
        """Values of a label among the series that are selected."""
        values: list[str] = self._get(f"/api/v1/label/{label}/values", **{"match[]": selector})["data"]
        return values

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing."""
        found: list[dict[str, Any]] = self._get("/api/v1/alerts")["data"]["alerts"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """All rules of all groups, with their health and last error."""
        groups: list[dict[str, Any]] = self._get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _ask(self, verb: str, **parameters: Any) -> dict[str, Any]:
        answer = self.client.post(f"{self.url}/api/v1/{verb}", data=parameters)
        document = answer.json()
        assert document["status"] == "success", f"{document['error']}: {parameters['query']}"
        data: dict[str, Any] = document["data"]
        return data


@dataclass
class Alertmanager(_Server):
    """A running Alertmanager."""

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts with their state: silenced, inhibited or active."""
        found: list[dict[str, Any]] = self._get("/api/v2/alerts")
        return found

    def silences(self) -> list[dict[str, Any]]:
        """Silences, ended ones included."""
        found: list[dict[str, Any]] = self._get("/api/v2/silences")
        return found


@contextmanager
def prometheus(
    folder: Path,
    targets: Mapping[str, Iterable[str]],
    rules: Mapping[str, str] | None = None,
    alertmanager: Alertmanager | None = None,
    interval: str = "1s",
) -> Iterator[Prometheus]:
    """Run Prometheus until the block ends.

    Args:
        folder: for its files; made if it is not there.
        targets: addresses, each as `host:port`, by the label `job` they get; `/metrics` is scraped.
        rules: texts of rule files by file name.
        alertmanager: where alerts go.
        interval: of scrapes and evaluations.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (rules or {}).items():
        (folder / "rules" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "rules" / name).write_text(text, "utf-8")
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(folder / "rules" / name) for name in rules or {}],
        "scrape_configs": [{"job_name": "given", "file_sd_configs": [{"files": [str(folder / "targets.json")]}]}],
    }
    if alertmanager is not None:
        receivers = [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]
        configuration["alerting"] = {"alertmanagers": [{"static_configs": receivers}]}
    given = {job: list(addresses) for job, addresses in targets.items()}
    _write_targets(folder, given)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with _running("prometheus", folder, flags) as (process, port), httpx2.Client(timeout=30) as client:
        server = Prometheus(process, port, folder, client, given)
        until(server._ready, "Prometheus' readiness", 20)
        yield server


@contextmanager
def alertmanager(folder: Path, configuration: str, binary: Path | None = None) -> Iterator[Alertmanager]:
    """Run Alertmanager, the installed one or `binary`, with this text as its configuration until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yml").write_text(configuration, "utf-8")
    flags = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    with (
        _running(str(binary or "prometheus-alertmanager"), folder, flags) as (process, port),
        httpx2.Client(timeout=30) as client,
    ):
        server = Alertmanager(process, port, folder, client)
        until(server._ready, "Alertmanager's readiness", 20)
        yield server


@contextmanager
def _running(program: str, folder: Path, flags: list[str]) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    found = shutil.which(program)
    assert found, f"{program} is not installed: apt-get install {_APT}"
    port = free_port()
    with (folder / "log").open("wb") as log:
        command = [found, *flags, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _write_targets(folder: Path, targets: Mapping[str, list[str]]) -> None:
    groups = [{"targets": addresses, "labels": {"job": job}} for job, addresses in targets.items()]
    new = folder / "targets.new"
    new.write_text(json.dumps(groups), "utf-8")
    new.replace(folder / "targets.json")  # at once: Prometheus reads it whenever it changes

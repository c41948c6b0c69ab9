"""From a failing request to the page, through the real Prometheus and Alertmanager, and back."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ops.slo import contract, outputs

from tests.debian import program
from tests.services import ROOT, Client, Load, Running, clean_environment, serving, until
from tests.slo.prometheus import Alertmanager, Prometheus, alertmanager, prometheus
from tests.slo.specs import availability, document, parsed

pytestmark = pytest.mark.slow


@dataclass
class Pager:
    """What was delivered, by the receiver it went to."""

    page: list[dict[str, Any]] = field(default_factory=list)
    ticket: list[dict[str, Any]] = field(default_factory=list)

    def alerts(self, receiver: str, status: str = "firing") -> list[dict[str, Any]]:
        """Alerts of all messages to `page` or `ticket`."""
        messages: list[dict[str, Any]] = getattr(self, receiver)
        return [each for message in messages for each in message["alerts"] if each["status"] == status]


@dataclass
class Stack:
    """Service, Prometheus, Alertmanager and receiver, all running."""

    service: Running
    prometheus: Prometheus
    alertmanager: Alertmanager
    pager: Pager
    project: Path

    def send(self, path: str, count: int, at_once: int = 4) -> Load:
        """Send requests to the service."""
        load = Load()

        async def all_of_them() -> None:
            clients = [Client(self.service.port, path, load) for _ in range(at_once)]
            await asyncio.gather(*(client.send(count // at_once) for client in clients))

        asyncio.run(all_of_them())
        return load

    def command(self, *arguments: str) -> str:
        """Run `python -m ops.slo` in the service's folder."""
        command = [sys.executable, "-m", "ops.slo", *arguments]
        environment = clean_environment(PYTHONPATH=str(ROOT / "template"))
        done = subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def watched(self) -> "subprocess.CompletedProcess[str]":
        """What a deployment hears that watches the fastest burn for a moment."""
        command = [sys.executable, "-m", "ops.slo", "watch", "--prometheus", self.prometheus.url, "--minutes", "0.02"]
        environment = clean_environment(PYTHONPATH=str(ROOT / "template"))
        return subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture(scope="module")
def stack(probes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of them, with the rules and the delivery as `make slo` derives them; only waiting times are shortened."""
    folder = tmp_path_factory.mktemp("delivery")
    derived = outputs.made(parsed((probes / "slo.yaml").read_text("utf-8")), "probes")
    rules = {Path(path).name: text for path, text in derived.items() if "prometheus/rules/" in path}
    pager = Pager()
    with _receiver(pager) as port:
        for name in ("page", "ticket"):
            (folder / f"{name}_url").write_text(f"http://127.0.0.1:{port}/{name}", "utf-8")
        routes = derived["monitoring/alertmanager/alertmanager.yaml"].replace("/etc/alertmanager/secrets", str(folder))
        routes = re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", routes)
        binary = program("prometheus-alertmanager", "prometheus-alertmanager")
        with (
            serving(probes) as service,
            alertmanager(folder / "alertmanager", routes, binary=binary) as delivery,
            prometheus(folder / "prometheus", {"probes": [f"127.0.0.1:{service.port}"]}, rules, delivery) as watching,
        ):
            yield Stack(service, watching, delivery, pager, probes)


class _receiver:  # noqa: N801 - used as a function
    """An HTTP server that keeps what Alertmanager sends."""

    def __init__(self, pager: Pager) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                getattr(pager, self.path.strip("/")).append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> int:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return int(self.server.server_address[1])

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_an_outage_pages_through_a_deployments_silence_and_is_told_when_it_is_over(stack: Stack) -> None:
    """Healthy traffic raises nothing; errors page within seconds; slow answers page for latency.

    One story, since the windows remember what was before.
    """
    # Healthy for as long as the outage will last.
    for _ in range(10):
        stack.send("/v1/items/a", 40)
        time.sleep(1)
    ratio = stack.prometheus.query('slo:sli_error:ratio_rate5m{sloth_slo="availability"}')

    assert [each.value for each in ratio] == [0.0]
    assert [each for each in stack.prometheus.alerts() if each["state"] == "firing"] == []
    assert stack.pager.page == stack.pager.ticket == []
    assert stack.watched().stdout == "probes: for 0.02 minutes no fastest burn has fired.\n"

    # A deployment begins.
    silenced = time.monotonic()
    identity = stack.command(
        "silence", "--alertmanager", stack.alertmanager.url, "--minutes", "1", "--comment", "1.2.3"
    )
    silence = next(each for each in stack.alertmanager.silences() if each["id"] == identity)

    assert silence["comment"] == "1.2.3"
    assert {each["name"]: each["value"] for each in silence["matchers"]} == {
        "service": "probes",
        "muted_by_deployment": "true",
    }

    # It breaks the service.
    failed = stack.send("/v1/crash", 40)
    page = until(lambda: next(iter(stack.pager.alerts("page")), None), "a page", 30)

    assert failed.answered == {500: 40}
    assert (stack.watched().returncode, stack.watched().stderr) == (
        1,
        "probes: fires: AvailabilityErrorBudgetBurn (1h, 5m): docs/runbook.md\n",
    )
    assert page["labels"]["alertname"] == "AvailabilityErrorBudgetBurn"
    assert (page["labels"]["long_window"], page["labels"]["severity"]) == ("1h", "page")
    assert contract.lacking(page) == []
    assert page["annotations"]["runbook_url"].endswith("docs/runbook.md#availabilityerrorbudgetburn")
    assert "of events were bad in the last 5m" in page["annotations"]["summary"]

    # The slower burns fire, too, and reach nobody.
    quiet = until(lambda: _of_window(stack, "6h"), "the slow burn in Alertmanager", 30)

    assert quiet["status"]["state"] == "suppressed"
    assert quiet["status"]["silencedBy"] == [identity]
    assert {each["labels"]["long_window"] for each in stack.pager.alerts("page")} == {"1h"}
    assert {each["labels"]["alertname"] for each in stack.pager.alerts("ticket")} <= {"ErrorsLogged"}

    # It is mended, and healthy traffic goes on.
    def over() -> bool:
        stack.send("/v1/items/a", 400)
        time.sleep(0.5)
        return bool(stack.pager.alerts("page", "resolved"))

    until(over, "the page's end", 90)

    assert {each["labels"]["alertname"] for each in stack.pager.alerts("page", "resolved")} == {
        "AvailabilityErrorBudgetBurn"
    }

    # The silence ends by itself.
    def expired() -> bool:
        states: dict[str, str] = {each["id"]: each["status"]["state"] for each in stack.alertmanager.silences()}
        return states[identity] == "expired"

    until(expired, "the silence's end", 75)

    assert time.monotonic() - silenced > 55

    # Slow answers are another objective's.
    total = sum(stack.service.metric("http_server_request_duration_seconds_count").values())
    stack.send("/v1/slow?seconds=0.35", int(total * 0.3), at_once=60)
    slow = until(lambda: _paged(stack, "LatencyErrorBudgetBurn"), "a page for latency", 30)

    assert contract.lacking(slow) == []
    assert {each["labels"]["alertname"] for each in stack.pager.alerts("page")} == {
        "AvailabilityErrorBudgetBurn",
        "LatencyErrorBudgetBurn",
    }


def _of_window(stack: Stack, window: str) -> dict[str, Any] | None:
    found = [each for each in stack.alertmanager.alerts() if each["labels"].get("long_window") == window]
    return next((each for each in found if each["status"]["state"] != "unprocessed"), None)


def _paged(stack: Stack, name: str) -> dict[str, Any] | None:
    return next((each for each in stack.pager.alerts("page") if each["labels"]["alertname"] == name), None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--alertmanager", "http://127.0.0.1:9"], "http://127.0.0.1:9/api/v2/silences: can't be reached"),
        (
            ["--alertmanager", "127.0.0.1:9093"],
            "--alertmanager: '127.0.0.1:9093' is no address: write http://HOST:PORT",
        ),
        (["--alertmanager", "http://me:hunter2@x"], "--alertmanager: what is given is no address"),
        (["--alertmanager", "http://127.0.0.1:9", "--minutes", "600"], "--minutes 600: write 1 to 60"),
        (["--alertmanager", "http://127.0.0.1:9", "--end", "../x"], "--end '../x': no id of a silence"),
    ],
)
def test_a_silence_that_is_refused_says_why_in_one_line(stack: Stack, arguments: list[str], expected: str) -> None:
    command = [sys.executable, "-m", "ops.slo", "silence", *arguments]
    environment = clean_environment(PYTHONPATH=str(ROOT / "template"))
    done = subprocess.run(
        command, cwd=stack.project, env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_the_faster_alert_of_an_objective_mutes_the_slower_ones_and_nobody_answering_mutes_what_follows(
    tmp_path: Path,
) -> None:
    derived = outputs.made(parsed(document(availability())), "orders")["monitoring/alertmanager/alertmanager.yaml"]
    for name in ("page", "ticket"):
        (tmp_path / f"{name}_url").write_text("http://127.0.0.1:9/nobody", "utf-8")
    routes = derived.replace("/etc/alertmanager/secrets", str(tmp_path))

    def alert(name: str, severity: str, **labels: str) -> dict[str, Any]:
        return {"labels": {"alertname": name, "service": "orders", "severity": severity, **labels}}

    given = [
        *(alert("Burn", "page", sloth_id="orders-a", long_window=window) for window in ("1h", "6h")),
        *(alert("Burn", "ticket", sloth_id="orders-a", long_window=window) for window in ("1d", "3d")),
        *(alert("Burn", "ticket", sloth_id="orders-b", long_window=window) for window in ("1d", "3d")),
        alert("ServiceDown", "page"),
        alert("SLIMetricAbsent", "ticket", sloth_id="orders-b"),
        alert("InstanceNotScraped", "ticket", instance="a"),
        alert("CertificateExpires", "ticket"),
        {"labels": {**alert("InstanceNotScraped", "ticket")["labels"], "service": "another"}},
    ]
    binary = program("prometheus-alertmanager", "prometheus-alertmanager")
    with alertmanager(tmp_path / "alertmanager", routes, binary=binary) as delivery:
        httpx2.post(f"{delivery.url}/api/v2/alerts", json=given).raise_for_status()
        until(lambda: all(each["status"]["state"] != "unprocessed" for each in delivery.alerts()), "the alerts' states")
        active = [each["labels"] for each in delivery.alerts() if each["status"]["state"] == "active"]

    told = {(each["alertname"], each["service"], each.get("sloth_id"), each.get("long_window")) for each in active}

    assert told == {
        ("Burn", "orders", "orders-a", "1h"),
        ("Burn", "orders", "orders-b", "1d"),
        ("ServiceDown", "orders", None, None),
        ("CertificateExpires", "orders", None, None),
        ("InstanceNotScraped", "another", None, None),
    }

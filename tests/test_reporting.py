"""Errors reach a real receiver of Sentry's protocol, and one that is gone or in the way holds up nobody."""

import gzip
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import installed
from tests.services import ROOT, free_port, run, serving, until
from tests.test_outlets import CRASH, load

pytestmark = pytest.mark.slow


class Receiver(ThreadingHTTPServer):
    """Takes envelopes as Sentry's relay does."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.events: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.auth: list[str] = []
        self.status = 200


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.paths.append(self.path)
        self.server.auth.append(self.headers["X-Sentry-Auth"])
        if self.server.status == 200:
            lines = body.split(b"\n")
            assert json.loads(lines[1])["type"] == "event"
            self.server.events.append(json.loads(lines[2]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(free_port())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def reporting(shared: Path, source: Path) -> Path:
    """A service with routes that fail, whose owner has installed the package."""
    project = installed(shared / "reporting", source, owner=Path(__file__).parent / "owners" / "probes")
    python = project / ".venv/bin/python"
    uv = ROOT / ".venv/bin/uv"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "sentry-sdk>=2.75,<3"], check=True)
    return project


def dsn(port: int) -> dict[str, str]:
    return {"APP_ERRORS__DSN": f"http://public@127.0.0.1:{port}/42", "APP_ERRORS__ENVIRONMENT": "test"}


def test_an_error_is_reported_with_its_ids_its_place_and_its_version_and_without_variables(
    reporting: Path, receiver: Receiver
) -> None:
    with serving(reporting, env=dsn(receiver.server_port)) as service:
        service.get(CRASH, headers={"X-Request-ID": "r-1", "Cookie": "session=planted-cookie"})
        line = service.wait_for(event="unhandled exception", request_id="r-1")
        (event,) = until(lambda: receiver.events, "the report")
        service.stop()

    (error,) = event["exception"]["values"]
    frame = error["stacktrace"]["frames"][-1]
    assert receiver.paths == ["/api/42/envelope/"]
    assert "sentry_key=public" in receiver.auth[0]
    assert event["level"] == "error"
    assert event["release"] == f"reporting@{line['version']}"
    assert event["environment"] == "test"
    assert event["tags"] == {"request_id": "r-1", "trace_id": line["trace_id"]}
    assert error["type"] == "RuntimeError"
    assert frame["function"] == "crash"
    assert not any("vars" in each for each in error["stacktrace"]["frames"])
    assert "planted-cookie" not in json.dumps(event)
    assert "modules" not in event or event["modules"] == {}


def test_a_receiver_that_wants_to_be_left_alone_gets_the_error_later(reporting: Path, receiver: Receiver) -> None:
    receiver.status = 429
    with serving(reporting, env=dsn(receiver.server_port)) as service:
        service.get(CRASH)
        until(lambda: receiver.paths, "the first attempt")
        receiver.status = 200
        until(lambda: receiver.events, "the report")
        service.stop()

    assert len(receiver.events) == 1


def test_a_receiver_that_is_down_costs_reports_and_nothing_else(reporting: Path) -> None:
    settings = {**dsn(free_port()), "APP_LOG__CLOSE_SECONDS": "0.5"}
    with serving(reporting, env=settings) as service:
        assert load(service.port, CRASH, 800).answered == {500: 800}
        dropped = service.metric('log_records_dropped_total{sink="sentry"}')
        status = service.stop()

    assert status == 0
    assert sum(dropped.values()) >= 800 - 256 - 1


def test_without_the_package_a_dsn_is_refused_with_the_command_that_installs_it(probes: Path) -> None:
    ended = run(probes, "config", "--check", env={"APP_ERRORS__DSN": "https://hunter2@errors.example.org/1"})

    assert ended.status == 78
    assert 'uv add "sentry-sdk' in ended.stderr
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(
    "address", ["errors.example.org", "https://errors.example.org/1", "https://key@host", "ftp://k@h/1"]
)
def test_what_is_no_dsn_is_refused_and_not_shown(reporting: Path, address: str) -> None:
    ended = run(reporting, "config", "--check", env={"APP_ERRORS__DSN": address})

    assert ended.status == 78
    assert "scheme://KEY@HOST/PROJECT" in ended.stderr
    assert address not in ended.stderr


def test_the_package_is_not_loaded_by_a_service_that_reports_nowhere(reporting: Path) -> None:
    code = (
        "import sys, reporting.ops as ops; from reporting.ops.outlets import Outlets; Outlets(ops.OpsSettings(), None)"
    )
    code += "; print('sentry_sdk' in sys.modules)"
    done = subprocess.run([reporting / ".venv/bin/python", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"

"""A service starts with nothing configured, speaks JSON, and says plainly why it can't start."""

import json
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.services import Running, clean_environment, free_port, run, serving, until

pytestmark = pytest.mark.slow
FIELDS = {"timestamp", "level", "event", "logger", "service", "version", "request_id", "trace_id", "span_id"}
ACCESS_FIELDS = {"http_request_method", "http_route", "http_response_status_code", "duration_ms"}


def test_it_boots_with_no_configuration_at_all_and_every_line_is_json(orders: Path) -> None:
    process = subprocess.Popen(
        [orders / ".venv/bin/app", "serve"],
        env=clean_environment(PORT=str(port := free_port())),
        stdout=subprocess.PIPE,
    )
    service = Running(process, port)
    try:
        until(lambda: service.get("/readyz").status_code == 200, "readiness", 20)
        service.get("/v1/vat-rates/NO")
        service.get("/nowhere?secret=1")
        service.signal()
        output, _ = process.communicate(timeout=20)
    finally:
        service.end()
    lines = [json.loads(line) for line in output.splitlines()]

    assert process.returncode == 0
    assert all(set(line) >= FIELDS for line in lines)
    assert {line["service"] for line in lines} == {"orders"}
    access = [line for line in lines if line["event"] == "request"]
    assert [line["http_route"] for line in access] == ["/v1/vat-rates/{country}", "_UNMATCHED"]
    assert all(set(line) >= ACCESS_FIELDS and line["request_id"] and line["trace_id"] for line in access)
    assert b"secret=1" not in output
    assert b"nowhere" not in output


@pytest.mark.parametrize("workers", [1, 3])
def test_every_source_of_lines_takes_the_same_form(probes: Path, workers: int) -> None:
    with serving(probes, "--workers", str(workers), env={"APP_LOG__LEVEL": "DEBUG"}) as service:
        for path in ("/v1/crash", "/v1/log", "/v1/items/a"):
            service.get(path)
        service.stop()

    loggers = {line["logger"] for line in service.logged()}
    assert all(set(line) >= FIELDS for line in service.logged())
    assert {"access", "uvicorn.error", "probes.routes"} <= loggers
    assert ("gunicorn.error" in loggers) is (workers > 1)
    assert not service.errors


def test_an_unhandled_exception_is_one_line_with_the_ids_of_its_answer(probes: Path) -> None:
    with serving(probes) as service:
        answer = service.get("/v1/crash")
        service.stop()

    (line,) = service.logged(level="error")
    assert line["exception_type"] == "RuntimeError"
    assert "in crash" in line["exception_stacktrace"]
    assert line["request_id"] == answer.headers["x-request-id"] == answer.json()["request_id"]
    assert "hunter2" not in answer.text


def test_a_trace_is_continued_and_its_ids_are_on_every_line(probes: Path) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with serving(probes) as service:
        answer = service.get("/v1/log", headers={"traceparent": trace})
        service.stop()

    lines = service.logged(trace_id="0af7651916cd43dd8448eb211c80319c")
    assert [line["event"] for line in lines] == ["from structlog", "request"]
    assert answer.headers["traceparent"] == f"00-0af7651916cd43dd8448eb211c80319c-{lines[0]['span_id']}-01"


def test_levels_of_single_loggers_win(probes: Path) -> None:
    quiet = {"APP_LOG__LEVELS": '{"access": "WARNING", "uvicorn.error": "ERROR", "probes.routes": "DEBUG"}'}
    with serving(probes, env=quiet) as service:
        service.get("/v1/log")
        service.stop()

    assert {line["logger"] for line in service.logged()} == {"probes.routes", "probes.ops.server", "probes.ops.health"}


def test_the_console_format_is_for_people(orders: Path) -> None:
    with serving(orders, env={"APP_LOG__FORMAT": "console"}) as service:
        service.get("/v1/vat-rates/NO")
        service.stop()

    text = b"".join(service.lines).decode()
    assert "http_route=/v1/vat-rates/{country}" in text.replace("\x1b[0m", "")


def test_a_lifespan_that_fails_ends_the_service_with_its_reason(probes: Path) -> None:
    for workers in ("1", "3"):
        with serving(probes, "--workers", workers, env={"PROBE_START": "fail"}, ready=False) as service:
            status = service.wait()

        assert status == 3
        assert "the service can't start" in b"".join(service.errors).decode()
        (line, *_) = service.logged(level="critical")
        assert "the database is not there" in line["exception_message"]
        assert not service.logged(event="uncaught exception")


def test_a_worker_that_dies_while_starting_ends_the_service_and_not_a_restart_loop(probes: Path) -> None:
    with serving(probes, "--workers", "3", env={"PROBE_START": "exit"}, ready=False) as service:
        status = service.wait(10)

    assert status == 3
    assert "the service can't start" in b"".join(service.errors).decode()


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_port_in_use_is_said_with_the_remedy(orders: Path, workers: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run(orders, "serve", "--host", "127.0.0.1", "--port", port, "--workers", workers)

    assert ended.status == 69
    assert f"127.0.0.1, port {port} is in use" in ended.stderr
    assert "--port" in ended.stderr


def test_health_answers_for_the_container(orders: Path) -> None:
    with serving(orders) as service:
        alive = run(orders, "health", "--port", str(service.port))
        ready = run(orders, "health", "--ready", "--port", str(service.port))
    gone = run(orders, "health", "--port", str(service.port))

    assert (alive.status, ready.status, gone.status) == (0, 0, 1)


def test_version_names_the_service_and_the_template(orders: Path) -> None:
    assert run(orders, "version").stdout.startswith("orders 0.1.0 (commit unknown, built unknown, template ")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_closed_standard_descriptors_harm_nothing(orders: Path, workers: str) -> None:
    port = free_port()
    command = f"exec {orders}/.venv/bin/app serve --workers {workers} <&- >&- 2>&-"
    env = clean_environment(PORT=str(port), APP_SHUTDOWN__DRAIN_SECONDS="0")
    service = Running(subprocess.Popen(["bash", "-c", command], env=env), port)
    try:
        until(lambda: service.get("/readyz").status_code == 200, "readiness", 20)
        answer = service.get("/v1/vat-rates/NO")
        outputs = {str(Path(f"/proc/{service.process.pid}/fd/{number}").resolve()) for number in (0, 1, 2)}
        status = service.stop()
    finally:
        service.end()

    assert answer.status_code == 200
    assert outputs == {"/dev/null"}
    assert status == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_first_line_of_a_reader_that_leaves_and_a_full_disk_harm_nothing(orders: Path, workers: str) -> None:
    for output in ("| head -1", "> /dev/full"):
        port = free_port()
        command = f"{orders}/.venv/bin/app serve --workers {workers} {output}"
        env = clean_environment(PORT=str(port), APP_SHUTDOWN__DRAIN_SECONDS="0")
        shell = subprocess.Popen(["bash", "-c", command], env=env, stdout=subprocess.DEVNULL, start_new_session=True)
        service = Running(shell, port)
        try:
            until(lambda s=service: s.get("/readyz").status_code == 200, "readiness", 20)
            statuses = [service.get("/v1/vat-rates/NO").status_code for _ in range(20)]
        finally:
            subprocess.run(["kill", "-TERM", "--", f"-{shell.pid}"], check=False)
            service.wait()

        assert statuses == [200] * 20


def test_a_reader_that_stalls_costs_lines_and_no_request(orders: Path) -> None:
    port = free_port()
    env = clean_environment(PORT=str(port), APP_SHUTDOWN__DRAIN_SECONDS="0")
    process = subprocess.Popen([orders / ".venv/bin/app", "serve"], env=env, stdout=subprocess.PIPE)
    service = Running(process, port)
    try:
        until(lambda: service.get("/readyz").status_code == 200, "readiness", 20)
        with httpx2.Client(base_url=service.url) as client:
            slowest = max(client.get("/v1/vat-rates/NO").elapsed.total_seconds() for _ in range(4000))
        dropped = service.metric("log_records_dropped_total")['log_records_dropped_total{sink="stdout"}']
        service.signal()
        status = process.wait(10)
    finally:
        service.end()

    assert slowest < 1
    assert dropped > 0
    assert status == 0

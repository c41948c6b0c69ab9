"""Stopping loses no request: with one worker and with three, with a client that honours readiness."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.services import Client, Load, Running, serving, until

pytestmark = pytest.mark.slow

A_SECOND = {"APP_SHUTDOWN__DRAIN_SECONDS": "1"}  # in which one can look at it


async def balanced_load(service: Running, load: Load) -> None:
    """Clients on kept connections, as behind a balancer that asks `/readyz` and stops sending when it fails."""
    clients = [Client(service.port, "/v1/items/a", load, pause=0.001) for _ in range(8)]

    async def balancer() -> None:
        ready = Load()
        probe = Client(service.port, "/readyz", ready)
        while not ready.answered.get(503):
            await probe.send(1)
            await asyncio.sleep(0.1)
        for client in clients:
            client.stopped = True

    async def stop_in_a_moment() -> None:
        await asyncio.sleep(0.7)
        service.signal()

    await asyncio.gather(balancer(), stop_in_a_moment(), *(client.send(100_000) for client in clients))


@pytest.mark.parametrize("workers", ["1", "3"])
def test_sigterm_under_load_fails_no_request(probes: Path, workers: str) -> None:
    for _ in range(3):
        load = Load()
        with serving(probes, "--workers", workers, env={**A_SECOND, "APP_LOG__LEVEL": "ERROR"}) as service:
            until(lambda: len(service.workers()) == int(workers), "the workers")
            asyncio.run(balanced_load(service, load))
            status = service.wait()

        assert (status, load.failed, list(load.answered)) == (0, 0, [200]), load.errors
        assert load.total > 200


@pytest.mark.parametrize("workers", ["1", "3"])
def test_requests_are_served_while_readiness_fails(probes: Path, workers: str) -> None:
    with serving(probes, "--workers", workers, env=A_SECOND) as service:
        service.signal()
        until(lambda: service.get("/readyz").status_code == 503, "draining")
        answer = service.get("/v1/items/a")
        phase = service.status()["phase"]
        status = service.wait()

    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"
    assert phase == "draining"
    assert status == 0


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize("path", ["/v1/slow?seconds=2", "/v1/slow-thread?seconds=2", "/v1/stream?chunks=5&seconds=0.4"])
def test_a_slow_request_in_flight_completes(probes: Path, workers: str, path: str) -> None:
    async def request(service: Running) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await asyncio.sleep(0.3)
        service.signal()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    with serving(probes, "--workers", workers, env={"APP_SHUTDOWN__DRAIN_SECONDS": "0.3"}) as service:
        answer = asyncio.run(request(service))
        status = service.wait()

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith((b'{"seconds":2.0}', b"0\r\n\r\n"))
    assert status == 0


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_drain_as_well(probes: Path, workers: str, number: signal.Signals) -> None:
    with serving(probes, "--workers", workers, env=A_SECOND) as service:
        service.signal(number)
        until(lambda: service.get("/readyz").status_code == 503, "draining")

        assert service.wait() == 0


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_second_sigterm_ends_it_at_once(probes: Path, workers: str) -> None:
    async def request(service: Running) -> float:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /v1/slow?seconds=30 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0.3)
        service.signal()
        await asyncio.sleep(0.5)
        service.signal()
        began = time.monotonic()
        await asyncio.to_thread(service.wait)
        writer.close()
        return time.monotonic() - began

    env = {"APP_SHUTDOWN__DRAIN_SECONDS": "20", "APP_SHUTDOWN__TIMEOUT_SECONDS": "20"}
    with serving(probes, "--workers", workers, env=env) as service:
        assert asyncio.run(request(service)) < 3.5
        assert service.process.returncode == 1


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize("path", ["/v1/slow?seconds=30", "/v1/slow-thread?seconds=30"])
def test_the_time_limit_cuts_what_still_runs(probes: Path, workers: str, path: str) -> None:
    async def request(service: Running) -> float:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await asyncio.sleep(0.3)
        service.signal()
        began = time.monotonic()
        await asyncio.to_thread(service.wait)
        writer.close()
        return time.monotonic() - began

    env = {"APP_SHUTDOWN__DRAIN_SECONDS": "0.2", "APP_SHUTDOWN__TIMEOUT_SECONDS": "1"}
    with serving(probes, "--workers", workers, env=env) as service:
        seconds = asyncio.run(request(service))

    assert 1 <= seconds < 6
    assert service.process.returncode == 1


def test_a_hanging_shutdown_of_the_application_does_not_hold_up_the_process(probes: Path) -> None:
    env = {"PROBE_STOP_SECONDS": "60", "APP_SHUTDOWN__DRAIN_SECONDS": "0", "APP_SHUTDOWN__TIMEOUT_SECONDS": "0.5"}
    with serving(probes, env=env) as service:
        began = time.monotonic()
        service.stop()

    assert time.monotonic() - began < 5


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_at_any_moment_of_the_start_ends_it_with_0_and_leaves_nothing(
    probes: Path, tmp_path: Path, workers: str
) -> None:
    env = {"APP_METRICS__DIR": str(tmp_path), "APP_SHUTDOWN__DRAIN_SECONDS": "0"}

    def start() -> float:
        began = time.monotonic()
        with serving(probes, "--workers", workers, env=env) as service:
            took = time.monotonic() - began
            service.stop()
        return took

    length = min(start(), start())  # the first may compile modules
    for share in (0.4, 0.6, 0.75, 0.9, 1.05):
        with serving(probes, "--workers", workers, env=env, ready=False) as service:
            time.sleep(share * length)
            started = bool(service.lines) or any(tmp_path.iterdir())
            status = service.stop()

        assert status == 0 or not started
        assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_still_starting_ends_at_the_first_signal(probes: Path) -> None:
    with serving(probes, env={"PROBE_START_SECONDS": "60"}, ready=False) as service:
        service.wait_for(event="Waiting for application startup.")
        began = time.monotonic()

        assert service.stop() == 0
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("workers", ["1", "3"])
def test_other_signals_change_nothing(probes: Path, workers: str) -> None:
    with serving(probes, "--workers", workers) as service:
        until(lambda: len(service.workers()) == int(workers), "the workers")
        before = service.workers()
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH):
            service.signal(number)
        time.sleep(0.5)

        assert service.workers() == before


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_sigterm_at_any_moment_of_the_start_ends_it_soon_and_never_as_a_failure(orders: Path, workers: str) -> None:
    """Before Python itself has begun to run the service, the signal's own way to end a process is as good."""
    began = time.monotonic()
    with serving(orders, "--workers", workers):
        length = time.monotonic() - began
    statuses = []
    for share in range(12):
        with serving(orders, "--workers", workers, ready=False) as service:
            time.sleep(length * share / 12)
            service.signal()
            statuses.append(service.wait(10))

    assert set(statuses) <= {0, -signal.SIGTERM}
    assert 0 in statuses

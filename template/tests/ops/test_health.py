"""Checks of dependencies: what makes one fail, and what that does to the service."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from . import TOKEN, ops, sample, service

Check = ops.health.Check
Defaults = ops.settings.HealthSettings


async def passing() -> None:
    """A dependency that works."""


async def failing() -> None:
    raise ConnectionError("no route to host")


def watch(probe: Callable[[], Awaitable[object]], **options: Any) -> Any:
    return ops.health.Watch(Check("db", probe, **options), Defaults())


def after(runs: int, probe: Callable[[], Awaitable[object]], **options: Any) -> Any:
    """A watch that has run so many times."""

    async def run() -> Any:
        made = watch(probe, **options)
        for _ in range(runs):
            await made.run()
        return made

    return asyncio.run(run())


# --- one check


def test_a_check_is_starting_until_its_first_result() -> None:
    made = watch(passing)

    assert (made.state, made.time, made.age_seconds) == ("starting", None, None)


def test_one_success_is_enough_at_the_start() -> None:
    made = after(1, passing)

    assert (made.state, made.output) == ("pass", None)
    assert made.age_seconds < 1
    assert sample("dependency_up", dependency="db") == 1


@pytest.mark.parametrize(("runs", "state"), [(1, "starting"), (2, "starting"), (3, "fail"), (4, "fail")])
def test_a_check_fails_after_three_failures_in_a_row(runs: int, state: str) -> None:
    made = after(runs, failing)

    assert (made.state, made.output) == (state, "ConnectionError: no route to host")
    assert sample("dependency_up", dependency="db") == 0


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ("+--", "pass"),
        ("+--+--", "pass"),
        ("+---", "fail"),
        ("---+", "fail"),
        ("---+-+", "fail"),
        ("---++", "pass"),
        ("-+-", "starting"),
    ],
)
def test_thresholds_count_results_in_a_row(results: str, state: str) -> None:
    left = iter(results)

    async def probe() -> bool:
        return next(left) == "+"

    options = {"failure_threshold": 3, "success_threshold": 1 if results[0] == "+" else 2}

    assert after(len(results), probe, **options).state == state


def test_a_probe_that_returns_false_has_failed() -> None:
    async def probe() -> bool:
        return False

    assert after(1, probe).output == "the probe returned False"


@pytest.mark.parametrize("result", [True, None, 0, ""])
def test_any_other_result_passes(result: object) -> None:
    async def probe() -> object:
        return result

    assert after(1, probe).state == "pass"


def test_a_probe_that_takes_too_long_has_failed_and_is_cancelled() -> None:
    ended = []

    async def probe() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append("cancelled")

    async def run() -> Any:
        made = watch(probe, timeout_seconds=0.02)
        await made.run()
        await asyncio.sleep(0)
        return made

    assert asyncio.run(run()).output == "timed out after 0.02 s"
    assert ended == ["cancelled"]


def test_a_probe_that_ignores_its_cancellation_holds_up_nothing_and_is_not_started_twice() -> None:
    started, let_go = [], asyncio.Event()

    async def probe() -> None:
        started.append(1)
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async def run() -> tuple[str, str, float]:
        made, began = watch(probe, timeout_seconds=0.02), time.monotonic()
        await made.run()
        first = made.output
        await made.run()
        took = time.monotonic() - began
        let_go.set()
        return first, made.output, took

    first, second, took = asyncio.run(run())

    assert (first, second) == ("timed out after 0.02 s", "the last run of the probe has not ended")
    assert took < 0.5
    assert len(started) == 1


def test_a_probe_that_cancels_itself_has_failed() -> None:
    async def probe() -> None:
        raise asyncio.CancelledError

    assert after(1, probe).output == "cancelled"


def test_a_failure_does_not_tell_credentials() -> None:
    async def probe() -> None:
        raise ConnectionError("postgres://me:hunter2@db:5432/orders")

    assert after(1, probe).output == "ConnectionError: postgres://[redacted:userinfo]@db:5432/orders"


@pytest.mark.parametrize("before", range(255, 300, 4))
def test_a_failure_that_is_shortened_does_not_tell_credentials(before: int) -> None:
    async def probe() -> None:
        raise ConnectionError("x" * before + " postgres://me:hunter2@db:5432/orders")

    output = after(1, probe).output
    assert "hunt" not in output
    assert len(output) <= 310


def test_a_failure_without_a_text_is_a_failure() -> None:
    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("no text")

    async def probe() -> None:
        raise Mute

    assert "Mute" in after(1, probe).output


def test_a_change_is_logged_once(log_lines: Any) -> None:
    after(5, failing)

    (line,) = log_lines.named("dependency check changed")
    assert (line["level"], line["dependency"], line["state"]) == ("warning", "db", "fail")


# --- how a check is declared


def test_a_probe_that_would_block_is_refused() -> None:
    with pytest.raises(TypeError, match="async callable"):
        Check("db", lambda: None)


def test_every_kind_of_async_callable_is_taken() -> None:
    class Probe:
        async def __call__(self) -> None:
            """Called as a function."""

        async def ping(self, times: int = 1) -> None:
            """Called as a method."""

    for probe in (passing, Probe(), Probe().ping, functools.partial(Probe().ping, times=2)):
        assert after(1, probe).state == "pass"


@pytest.mark.parametrize("name", ["", "DB", "my db", "1st", "a" * 64, 'x"} 1', "ø"])
def test_a_name_that_is_no_safe_label_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lower case letters"):
        Check(name, passing)


@pytest.mark.parametrize("option", ["timeout_seconds", "interval_seconds", "failure_threshold", "success_threshold"])
def test_options_must_be_above_zero(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is 0, it must be above 0"):
        Check("db", passing, **{option: 0})


def test_two_checks_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="db is used twice"):
        ops.health.Monitor([Check("db", passing), Check("db", failing)], Defaults())


# --- all checks


def test_checks_run_again_after_their_interval() -> None:
    runs = []

    async def probe() -> None:
        runs.append(1)

    async def run() -> None:
        monitor = ops.health.Monitor([Check("db", probe, interval_seconds=0.01)], Defaults())
        monitor.start()
        await asyncio.sleep(0.06)
        await monitor.stop()
        runs.append(0)
        await asyncio.sleep(0.02)

    asyncio.run(run())

    assert sum(runs) >= 3
    assert runs[-1] == 0


def test_a_check_that_does_not_pass_is_soon_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.health, "_RETRY_SECONDS", 0.01)
    runs = []
    often = asyncio.Event()

    async def probe() -> bool:
        runs.append(1)
        if len(runs) == 3:
            often.set()
        return False

    async def run() -> None:
        monitor = ops.health.Monitor([Check("db", probe, interval_seconds=60)], Defaults())
        monitor.start()
        async with asyncio.timeout(10):  # a sixth of the interval
            await often.wait()
        await monitor.stop()

    asyncio.run(run())


def test_stopping_ends_a_probe_that_runs() -> None:
    ended = []

    async def probe() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            ended.append("cancelled")

    async def run() -> list[str]:
        monitor = ops.health.Monitor([Check("db", probe)], Defaults())
        monitor.start()
        await asyncio.sleep(0.01)
        await monitor.stop()
        await asyncio.sleep(0)
        return list(ended)

    assert asyncio.run(run()) == ["cancelled"]


def ready_soon(client: TestClient, status: int) -> Any:
    """The answer of `/readyz` once it has this status; the last one if it never has."""
    answer = client.get("/readyz")
    for _ in range(50):
        if answer.status_code == status:
            break
        time.sleep(0.005)
        answer = client.get("/readyz")
    return answer


def test_the_service_is_ready_when_its_critical_checks_pass() -> None:
    with TestClient(service(checks=[Check("db", passing)])) as client:
        answer = ready_soon(client, 200)

    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})


def test_the_service_is_not_ready_while_a_critical_check_fails() -> None:
    with TestClient(service(checks=[Check("db", failing, failure_threshold=1)])) as client:
        client.get("/livez")
        answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"status": "fail"})


def test_the_service_is_ready_whatever_other_checks_say() -> None:
    settings = ops.settings.StatusSettings(tokens=[TOKEN])
    checks = [Check("cache", failing, critical=False, failure_threshold=1), Check("db", passing)]
    with TestClient(service(checks=checks, status=settings)) as client:
        ready = ready_soon(client, 200)
        status = client.get("/status", headers={"Authorization": f"Bearer {TOKEN}"})

    assert ready.status_code == 200
    assert (status.status_code, status.json()["status"]) == (200, "warn")
    assert status.json()["checks"]["cache"][0]["status"] == "warn"


def test_a_probe_is_asked_by_no_request() -> None:
    runs = []

    async def probe() -> None:
        runs.append(1)

    with TestClient(service(checks=[Check("db", probe)])) as client:
        for _ in range(20):
            client.get("/readyz")
            client.get("/livez")

    assert len(runs) == 1

"""What happens to an instance under load: a dependency fails, a worker is killed, and the whole is stopped."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Final

import httpx2

from .callers import Load, under_load
from .instance import Instance, until
from .outcome import CannotTell
from .running import DRAIN_SECONDS, WORKERS, Ground

_STOP_SECONDS: Final = 15.0


@dataclass
class Story:
    """What was seen, each part by itself: one that could not be seen spoils no other.

    Attributes:
        broken, mended: statuses of `/livez` and `/readyz` while a dependency fails, and afterwards.
        killed: the load around the death of a worker; None if none could be killed.
        replaced: whether there are as many workers as before.
        draining: statuses of `/livez` and `/readyz` after SIGTERM.
        drained: the load while it was stopped.
        status, seconds: how it ended, and after how long; None if it did not.
    """

    broken: tuple[int, int] = (0, 0)
    mended: tuple[int, int] = (0, 0)
    killed: Load | None = None
    replaced: bool = False
    draining: tuple[int, int] = (0, 0)
    drained: Load = field(default_factory=Load)
    status: int | None = None
    seconds: float = 0.0


def story(ground: Ground) -> Story:
    """Tell it once in a run.

    Raises:
        CannotTell: the instance does not start, or the service keeps the checks' requests out.
    """
    return ground.once.get("story", lambda: _told(ground))


def _told(ground: Ground) -> Story:
    instance, broken = ground.stopping()
    path = f"{ground.prefix}/work"
    if (status := instance.get(path).status_code) != 200:
        raise CannotTell(f"a route that the check adds is answered {status}: is there middleware that keeps it out?")
    seen = Story()
    broken.touch()
    seen.broken = _readiness(instance, 503, 4)
    broken.unlink()
    seen.mended = _readiness(instance, 200, 4)
    _kill_worker(instance, path, {"Authorization": f"Bearer {ground.token}"}, seen)
    _stop(instance, path, seen)
    return seen


def _kill_worker(instance: Instance, path: str, headers: dict[str, str], seen: Story) -> None:
    before = until(lambda: _workers(instance, headers), 8) or set()
    with under_load(instance.port, path) as load:
        with suppress(ProcessLookupError, StopIteration):
            os.kill(victim := next(iter(before)), signal.SIGKILL)
            seen.killed = load
            seen.replaced = bool(until(lambda: _replaced(_workers(instance, headers), before, victim), 8))
        sleep(0.1)


def _replaced(now: set[int], before: set[int], victim: int) -> bool:
    return victim not in now and len(now) == len(before)


def _stop(instance: Instance, path: str, seen: Story) -> None:
    with under_load(instance.port, path) as load:
        seen.drained = load
        began = monotonic()
        instance.signal()
        seen.draining = _readiness(instance, 503, DRAIN_SECONDS * 0.6)
        # As a balancer does that has seen it, and has had the time to tell.
        sleep(max(0.0, DRAIN_SECONDS * 0.7 - (monotonic() - began)))
        load.stopped.set()
        seen.status = instance.wait(_STOP_SECONDS)
        seen.seconds = monotonic() - began


def _workers(instance: Instance, headers: dict[str, str]) -> set[int]:
    """Process ids of the workers, once all that have been started are ready, as many as configured or more."""
    try:
        told: list[dict[str, Any]] = instance.get("/status", **headers).json()["workers"]
        ready = len(told) >= WORKERS and all(each["ready"] for each in told)
        return {int(each["pid"]) for each in told} if ready else set()
    except (httpx2.HTTPError, OSError, ValueError, KeyError, TypeError):
        return set()


def _readiness(instance: Instance, wanted: int, seconds: float) -> tuple[int, int]:
    """Statuses of `/livez` and `/readyz`: the first with which it is as wanted, or the last."""
    ends = monotonic() + seconds
    while (seen := _probes(instance))[1] != wanted and monotonic() < ends:
        sleep(0.02)
    return seen


def _probes(instance: Instance) -> tuple[int, int]:
    statuses = []
    for path in ("/livez", "/readyz"):
        try:
            statuses.append(instance.get(path).status_code)
        except (httpx2.HTTPError, OSError):
            statuses.append(0)
    return statuses[0], statuses[1]

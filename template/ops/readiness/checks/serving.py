"""Serving: several workers, the death of one, and a stop that loses nothing."""

from ops.delivery import pods
from ops.readiness import manifests
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import WORKERS, ground
from ops.readiness.service import Service
from ops.readiness.stopping import story

_TRIES = 200


@live("workers")
def workers(service: Service) -> str:
    """As many processes as configured answer requests."""
    at = ground(service)
    instance = at.main()
    seen: set[int] = set()
    for _ in range(_TRIES):
        answer = instance.get(f"{at.prefix}/process")
        if answer.status_code != 200:
            raise CannotTell(f"a route that the check adds is answered {answer.status_code}")
        seen.add(int(answer.json()["pid"]))
        if len(seen) >= WORKERS:
            break
    there = at.main().get("/status", Authorization=f"Bearer {at.token}")
    told = {each["pid"] for each in there.json()["workers"]} if there.status_code in (200, 503) else seen
    if len(seen) < WORKERS or len(told) != WORKERS:
        processes = f"{_TRIES} requests were answered by {len(seen)} processes of {len(told)}"
        raise Failed(f"workers: {WORKERS} is configured, and {processes}")
    return f"workers: {WORKERS} is configured, and {len(seen)} processes answer requests"


@live("drain")
def drain(service: Service) -> str:
    """SIGTERM under load fails no request, the process ends by itself with status 0, and is given the time for it."""
    if wrong := manifests.broken(service, pods.grace):
        raise Failed("; ".join(wrong))
    seen = story(ground(service))
    load = seen.drained
    if load.failed:
        raise Failed(
            f"{len(load.failed)} of {load.answered + len(load.failed)} requests failed while it was stopped: "
            f"{', '.join(sorted(set(load.failed)))}"
        )
    if seen.status != 0:
        raise Failed(f"stopped under load, it ended with status {seen.status} after {seen.seconds:.1f} s; 0 is wanted")
    return (
        f"SIGTERM under load: {load.answered} requests answered, none failed; ended with 0 after {seen.seconds:.1f} s"
    )


@live("resume")
def resume(service: Service) -> str:
    """A worker that is killed under load is replaced; what it had in flight succeeds when it is sent again."""
    seen = story(ground(service))
    load = seen.killed
    if load is None:
        raise CannotTell("no worker could be found to be killed")
    if not seen.replaced:
        raise Failed("a worker was killed, and 8 s later no other had taken its place")
    if load.lost:
        raise Failed(f"{len(load.lost)} requests that a killed worker had in flight failed once more when sent again")
    return (
        f"a worker was killed under load: {load.answered} requests answered, {len(load.failed)} cut off, each of which "
        "succeeded when it was sent again; another worker has taken its place"
    )

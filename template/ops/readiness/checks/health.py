"""Health: probes, the status route, what the service depends on, and the smoke tests."""

import ast
import os
import sys
from time import monotonic

import httpx2
from ops.delivery import pods
from ops.readiness import manifests, parsing, pipelines, planted, sources
from ops.readiness.instance import until
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import Ground, ground
from ops.readiness.service import Service
from ops.readiness.stopping import story
from ops.smoke import address, api, plan, registry
from ops.smoke.outcome import BadInput
from ops.smoke.outcome import Failed as SmokeFailed
from ops.smoke.plan import Plan
from ops.smoke.target import Surroundings, Wanted
from ops.smoke.trust import Trust

_REQUEST_SECONDS = 10.0
_SHOWN = 3


@live("status-token")
def status_token(service: Service) -> str:
    """The status is told to who has the token alone, and to nobody where none is configured."""
    at = ground(service)
    instance = at.main()
    wrong = at.token[:-1] + ("a" if at.token[-1] != "a" else "b")
    for what, headers in {"no": {}, "a wrong": {"Authorization": f"Bearer {wrong}"}}.items():
        answer = instance.get("/status", **headers)
        if answer.status_code != 401 or not answer.headers.get("www-authenticate", "").startswith("Bearer"):
            raise Failed(f"/status with {what} token is answered {answer.status_code}, and 401 is wanted")
    answer = instance.get("/status", Authorization=f"Bearer {at.token}")
    if answer.status_code not in (200, 503) or "checks" not in answer.json():
        raise Failed(f"/status with the token is answered {answer.status_code}")
    bare, alive, _ = at.bare()
    if not alive:
        raise CannotTell(
            f"without any configuration it does not start, so an unset token can't be tried: {at.told(bare)}"
        )
    if (open_ := bare.get("/status").status_code) != 403:
        raise Failed(f"where no token is configured, /status is answered {open_}, and 403 is wanted")
    if not _compares_in_constant_time(service):
        raise Failed(f"src/{service.package}/ops/endpoints.py compares tokens so that the time tells how much is right")
    return "/status: 401 without and with a wrong token, 200 with it, 403 where none is set; compared in constant time"


@live("health")
def health(service: Service) -> str:
    """Liveness says that the process answers, readiness that requests should be sent here; each probe asks its own."""
    if wrong := manifests.broken(service, pods.probes):
        raise Failed("; ".join(wrong[:_SHOWN]))
    at = ground(service)
    instance = at.main()
    live_, ready = (instance.get(path).status_code for path in ("/livez", "/readyz"))
    if (live_, ready) != (200, 200):
        raise Failed(f"running, with nothing wrong that checks know of: /livez {live_}, /readyz {ready}")
    seen = story(at)
    if seen.broken != (200, 503):
        raise Failed(f"while a critical dependency fails: /livez {seen.broken[0]}, /readyz {seen.broken[1]}")
    if seen.mended != (200, 200):
        raise Failed(f"after the dependency was there again: /livez {seen.mended[0]}, /readyz {seen.mended[1]}")
    if seen.draining != (200, 503):
        raise Failed(f"after SIGTERM, while it drains: /livez {seen.draining[0]}, /readyz {seen.draining[1]}")
    return "/livez is 200 all the time; /readyz is 503 while a critical dependency fails and after SIGTERM, else 200"


@live("health-third-party")
def third_party(service: Service) -> str:
    """What the service calls has a check, which has a time limit, runs in the background, and is told in the status."""
    at = ground(service)
    headers = {"Authorization": f"Bearer {at.token}"}
    told = until(lambda: _checks(at, headers, planted.HANGING), 5)
    if told is None:
        raise CannotTell("a dependency that the check adds is not in /status, or the status can't be read")
    entry = told[planted.HANGING][0]
    if entry.get("state") != "fail" or "timed out" not in str(entry.get("output")):
        raise Failed(f"a dependency that never answers is told as {entry.get('state')}: {entry.get('output')}")
    if not entry.get("time") or entry.get("age_seconds") is None:
        raise Failed("/status does not tell when a dependency was looked at last")
    missing = {peer: place for peer, place in sources.peers(service).items() if peer not in told}
    if missing:
        named = ", ".join(f"{peer} ({place})" for peer, place in missing.items())
        raise Failed(f"called, and without a check of its health: {named}: add a Check of that name in create_app")
    took = _time_of_status(at, headers)
    if took > planted.HANGING_SECONDS * 0.9:
        raise Failed(f"/status took {took * 1000:.0f} ms: it waits for the dependencies that it tells of")
    own = sorted(set(told) - {planted.STEADY, planted.HANGING})
    return (
        f"a dependency that never answers fails after its time limit, and /status does not wait for it; "
        f"checks of this service: {', '.join(own) or 'none, and it calls nobody'}"
    )


@live("smoke")
def smoke(service: Service) -> str:
    """The requests of smoke.yaml are answered as their owner expects."""
    at = ground(service)
    found = smoke_plan(service, at)
    if not found.requests:
        raise Failed("smoke.yaml lists no request: nobody can tell after a deploy whether the service does its work")
    base = address.parse(at.main().url)
    surroundings = Surroundings(base, Wanted(), found, at.masks, Trust())
    wrong = []
    with at.asking:
        for each in found.requests:
            target = surroundings.target(_REQUEST_SECONDS)
            try:
                api.request(target, each)
            except SmokeFailed as failed:
                wrong.append(f"{each.name}: {failed}")
            finally:
                target.client.disconnect()
    if wrong:
        raise Failed("; ".join(wrong))
    without = deployments_without(service, "smoke-inside", "smoke")
    if without:
        raise Failed(f"{', '.join(without)} deploys, and runs no smoke test afterwards")
    named = ", ".join(each.name for each in found.requests)
    return f"{len(found.requests)} requests of smoke.yaml are answered as expected, after each deployment, too: {named}"


def deployments_without(service: Service, *verbs: str) -> list[str]:
    """The pipelines' jobs that deploy, and run none of these verbs.

    Raises:
        CannotTell: there is no pipeline, or it can't be read; the rows on delivery say so.
    """
    try:
        found = pipelines.platforms(service)
    except Failed as failed:
        raise CannotTell(f"what a deployment does can't be told: {failed}") from None
    jobs = [job for each in found for job in each.jobs]
    if not any(job.runs(verb) for job in jobs for verb in verbs):
        return [", ".join(sorted({each.name for each in found}))]
    return sorted({job.place for job in jobs if job.runs("deploy") and not any(job.runs(verb) for verb in verbs)})


def smoke_plan(service: Service, at: Ground) -> Plan:
    """What smoke.yaml says.

    Raises:
        Failed: it is missing or wrong.
        CannotTell: it needs a variable that is not set here.
    """
    service.text("smoke.yaml")
    try:
        return plan.read(service.root / "smoke.yaml", registry.ids(), at.masks, {**os.environ, **service.live.env})
    except BadInput as bad:
        if "is not set" in str(bad):
            raise CannotTell(f"{bad}; readiness.yaml may give it, under live: env:") from None
        raise Failed(str(bad).removeprefix(f"{service.root}{os.sep}")) from None


def _checks(at: Ground, headers: dict[str, str], name: str) -> dict[str, list[dict[str, object]]] | None:
    """The dependencies in the status, as soon as this one has been looked at."""
    answer = at.main().get("/status", **headers)
    if "json" not in answer.headers.get("content-type", ""):
        return None
    found: dict[str, list[dict[str, object]]] = answer.json().get("checks") or {}
    return found if name in found and found[name][0].get("time") else None


def _time_of_status(at: Ground, headers: dict[str, str]) -> float:
    """The shortest of several, so that a busy machine is not mistaken for a slow status."""
    with httpx2.Client(verify=False, trust_env=False, base_url=at.main().url, headers=headers) as client:
        found = []
        for _ in range(8):
            began = monotonic()
            client.get("/status")
            found.append(monotonic() - began)
    return min(found)


def _compares_in_constant_time(service: Service) -> bool:
    try:
        tree = parsing.tree(service.text(f"src/{service.package}/ops/endpoints.py"))
    except SyntaxError:
        raise CannotTell(f"src/{service.package}/ops/endpoints.py is no Python {sys.version_info.major}") from None
    return any(isinstance(node, ast.Attribute) and node.attr == "compare_digest" for node in ast.walk(tree))

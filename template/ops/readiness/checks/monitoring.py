"""Monitoring: of the service, what it stores in, what it calls, what it runs on, from inside and from outside."""

import re
from typing import Any, Final

from ops.readiness import datastores, objectives, planted
from ops.readiness.checks.alerting import watched_by
from ops.readiness.exposition import samples
from ops.readiness.instance import until
from ops.readiness.outcome import CannotTell, Failed, Open
from ops.readiness.registry import live, static
from ops.readiness.running import ground
from ops.readiness.service import Service

# How metrics about a database begin.
_OF_DATABASES: Final = re.compile(
    r"(pg|postgres\w*|mysql|mongodb|redis|oracledb|elasticsearch|db_client|cnpg)_\w+"
).fullmatch
_RESOURCES: Final = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
)
_PLATFORM: Final = {
    "restarts": ("kube_pod_container_status_restarts_total",),
    "kills for lack of memory": ("kube_pod_container_status_last_terminated_reason",),
    "pods that find no place": ("kube_pod_status_phase",),
    "quotas": ("kube_resourcequota",),
}


@live("monitor-service")
def of_the_service(service: Service) -> str:
    """Each instance is scraped where it answers, and its absence and missing replicas raise alerts."""
    if found := objectives.stale(
        service,
        "monitoring/kubernetes/podmonitor",
        "monitoring/kubernetes/servicemonitor",
        "monitoring/prometheus/prometheus",
    ):
        raise Failed("; ".join(found))
    monitor = service.mapping("monitoring/kubernetes/podmonitor.yaml")
    endpoints = [
        each for each in (monitor.get("spec") or {}).get("podMetricsEndpoints") or () if isinstance(each, dict)
    ]
    answers = {each.get("path"): ground(service).main().get(str(each.get("path"))).status_code for each in endpoints}
    if not answers or set(answers.values()) != {200}:
        raise Failed(f"the pod monitor scrapes {answers or 'nothing'}")
    lacking = [
        what
        for what, rules in watched_by(
            service,
            {"that instances answer": ("up",), "missing replicas": ("kube_deployment_status_replicas_available",)},
        ).items()
        if not rules
    ]
    if lacking:
        raise Failed(f"no alert watches {', '.join(lacking)}")
    return f"{', '.join(map(str, answers))} answers where the pod monitor scrapes; alerts watch `up` and the replicas"


@live("monitor-db")
def of_databases(service: Service) -> str:
    """A database that the service uses is told of in its metrics, and watched."""
    used = datastores.needed(service)
    watched = sorted(
        {
            name
            for rule in objectives.alerting_rules(service)
            for name in objectives.metrics_of(str(rule["expr"]))
            if _OF_DATABASES(name)
        }
    )
    told = sorted({s.name for s in samples(ground(service).main().get("/metrics").text) if _OF_DATABASES(s.name)})
    lacking = [
        what
        for what, found in {
            "no alert reads a metric of it": watched,
            "/metrics tells nothing of its pool or queries (db_client_…)": told,
        }.items()
        if not found
    ]
    if lacking:
        raise Failed(f"{', '.join(used)} is used: {'; '.join(lacking)}")
    return f"{', '.join(used)}: {', '.join(told[:3])} in /metrics, alerts on {', '.join(watched[:3])}"


@live("monitor-third-party")
def of_others(service: Service) -> str:
    """The check of each dependency is a metric that says what the check says, and an alert watches it."""
    if not watched_by(service, {"dependencies": ("dependency_up",)})["dependencies"]:
        raise Failed("no alert watches dependency_up")
    at = ground(service)
    found = until(lambda: _dependencies(at.main().get("/metrics").text), 5)
    if found is None:
        raise CannotTell("dependencies that the check adds are not in /metrics")
    if found.get(planted.HANGING) != 0 or found.get(planted.STEADY) != 1:
        raise Failed(
            f"dependency_up is {found.get(planted.STEADY)} for one that answers, "
            f"{found.get(planted.HANGING)} for one that does not"
        )
    told = at.main().get("/status", Authorization=f"Bearer {at.token}").json().get("checks", {})
    if missing := sorted(set(told) - set(found)):
        raise Failed(f"/status tells of {', '.join(missing)}, and dependency_up does not")
    own = sorted(set(found) - {planted.HANGING, planted.STEADY})
    return (
        f"dependency_up follows the checks; of this service: {', '.join(own) or 'none declared'}; an alert watches it"
    )


@static("monitor-platform")
def of_the_platform(service: Service) -> str:
    """Restarts, kills for lack of memory, pods without a place and quotas raise alerts."""
    found = watched_by(service, _PLATFORM)
    if lacking := [what for what, rules in found.items() if not rules]:
        raise Failed(f"no alert watches {', '.join(lacking)}")
    return "; ".join(f"{what}: {', '.join(rules)}" for what, rules in found.items())


@static("monitor-availability")
def from_outside(service: Service) -> str:
    """The service is probed from outside at an address that users use, and a failing probe raises an alert."""
    if not watched_by(service, {"probes": ("probe_success",)})["probes"]:
        raise Failed("no alert watches the probes from outside (probe_success)")
    spec = objectives.known(service)
    if spec.probe_url is None:
        raise Open("slo.yaml: x-ops.probe_url does not say which address is probed from outside")
    if found := objectives.stale(service, "monitoring/kubernetes/probe", "monitoring/kustomization"):
        raise Failed("; ".join(found))
    targets = (service.mapping("monitoring/kubernetes/probe.yaml").get("spec") or {}).get("targets") or {}
    static_: Any = (targets.get("staticConfig") or {}).get("static") or []
    if spec.probe_url not in static_:
        raise Failed(
            f"monitoring/kubernetes/probe.yaml probes {static_ or 'nothing'}, and slo.yaml says {spec.probe_url}"
        )
    return f"{spec.probe_url} is probed from outside; an alert watches that"


@live("monitor-resources")
def of_resources(service: Service) -> str:
    """Every worker tells its processor time, memory, files and start, and how late its event loop is."""
    at = ground(service)
    status = at.main().get("/status", Authorization=f"Bearer {at.token}")
    if status.status_code not in (200, 503):
        raise CannotTell(f"which workers there are can't be told: /status is answered {status.status_code}")
    workers = {each["worker"] for each in status.json()["workers"]}
    found = samples(at.main().get("/metrics").text)
    for name in _RESOURCES:
        told = {each.labels.get("worker") for each in found if each.name == name}
        if lacking := sorted(workers - told):
            raise Failed(f"{name} is not told of worker {', '.join(lacking)}")
    if not any(each.name == "event_loop_lag_seconds_bucket" for each in found):
        raise Failed("/metrics does not tell how late the event loop is (event_loop_lag_seconds)")
    return f"{', '.join(_RESOURCES)} of each of {len(workers)} workers, and event_loop_lag_seconds"


def _dependencies(text: str) -> dict[str, float] | None:
    """`dependency_up` by dependency, as soon as the last of them has been looked at."""
    found = {each.labels.get("dependency", ""): each.value for each in samples(text, "dependency_up")}
    return found if planted.HANGING in found and planted.STEADY in found else None

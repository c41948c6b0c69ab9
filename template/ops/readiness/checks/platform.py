"""The container, and how many of it run where, with how much: by the rendered manifests."""

import re
from collections.abc import Iterator
from typing import Any, Final

from ops.delivery import pods
from ops.delivery.objects import Environment, Object, at, containers, each, mapping, pod, selects, title
from ops.readiness import dockerfile, manifests
from ops.readiness.outcome import Failed
from ops.readiness.registry import static
from ops.readiness.service import Service

ZONE: Final = "topology.kubernetes.io/zone"
HOST: Final = "kubernetes.io/hostname"
_LOCKED: Final = re.compile(r"\buv sync\b[^&|;]*--(locked|frozen)\b|--require-hashes\b")
_RESOURCES: Final = [(kind, resource) for kind in ("requests", "limits") for resource in ("cpu", "memory")]
# Of the pods' rules, those on what a container may do; the others are other rows' business.
_RESTRICTION: Final = re.compile(r" lacks (?P<what>.*) in its securityContext$")


@static("container")
def container(service: Service) -> str:
    """The image runs without root, tells its health, is built from locked dependencies, and needs no writable root."""
    stages = dockerfile.stages(service.text("Dockerfile"))
    if wrong := list(_image(stages)):
        raise Failed(f"Dockerfile: {'; '.join(wrong)}")
    production = manifests.environment(service)
    for problem in pods.problems(production):
        if found := _RESTRICTION.search(problem):
            raise Failed(f"deploy/{production.name}: {problem[: found.start()]} has no {found['what']}")
    user = stages[-1].last("USER")
    return (
        f"the image runs {' '.join(stages[-1].command())} as user {user}, and its containers in production as no root, "
        "with a read-only root file system and no capabilities"
    )


def _image(stages: list[dockerfile.Stage]) -> Iterator[str]:
    last = stages[-1]
    user = last.last("USER").partition(":")[0]
    if not user.isdecimal() or int(user) == 0:
        yield f"USER is {user or 'missing'}: name a number other than 0, which Kubernetes can tell from root"
    if not last.last("ENTRYPOINT").startswith("["):
        yield 'ENTRYPOINT must be a list, as ["app"]: a shell before it would keep SIGTERM to itself'
    if "app" not in last.last("HEALTHCHECK") or "health" not in last.last("HEALTHCHECK"):
        yield "HEALTHCHECK does not ask `app health`"
    if not any(_LOCKED.search(rest) for stage in stages for name, rest in stage.instructions if name == "RUN"):
        yield "nothing installs from a lock file (uv sync --locked, pip --require-hashes)"


@static("limits")
def limits(service: Service) -> str:
    """Every container of every environment asks for what it needs, and is stopped at what it may have."""
    known = manifests.environments(service)
    for name, environment in known.items():
        for of, one in _containers(environment):
            missing = [f"{kind}.{resource}" for kind, resource in _RESOURCES if not _resource(one, kind, resource)]
            if missing:
                raise Failed(f"deploy/{name}: {title(of)}: container {one.get('name')} has no {', '.join(missing)}")
    main = manifests.workload(manifests.environment(service))
    told = [f"{one.get('name')} {_told(one)}" for one in containers(main)]
    return f"in {', '.join(known)} every container has requests and limits; production: {'; '.join(told)}"


def _containers(environment: Environment) -> Iterator[tuple[Object, Object]]:
    for of in environment.objects:
        if of.get("kind") == "CronJob":
            of = {**of, "spec": mapping(of, "spec", "jobTemplate", "spec")}  # noqa: PLW2901
        yield from ((of, one) for one in containers(of))


def _resource(one: Object, kind: str, resource: str) -> Any:
    return at(one, "resources", kind, resource)


def _told(one: Object) -> str:
    return ", ".join(f"{resource} {_resource(one, kind, resource)} ({kind[:-1]})" for kind, resource in _RESOURCES)


@static("autoscale")
def autoscale(service: Service) -> str:
    """In production instances come and go with the load, and the autoscaler can see it."""
    production = manifests.environment(service)
    main = manifests.workload(production)
    scaler = manifests.scaler(production, main)
    if not scaler:
        raise Failed(f"deploy/{production.name}: no HorizontalPodAutoscaler scales {title(main)}")
    spec, what = mapping(scaler, "spec"), f"deploy/{production.name}: {title(scaler)}"
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas")
    if not (isinstance(low, int) and isinstance(high, int) and low < high):
        raise Failed(f"{what}: minReplicas is {low} and maxReplicas {high}: there is no room to scale")
    if main.get("spec", {}).get("replicas") is not None:
        raise Failed(f"{what}: {title(main)} has `replicas`, too: each deployment would reset what was scaled")
    metrics = each(spec, "metrics")
    if not metrics:
        raise Failed(f"{what}: it has no metrics: nothing tells it of the load")
    for one in metrics:
        resource = at(one, "resource", "name")
        asked = all(_resource(part, "requests", str(resource)) for part in each(pod(main), "containers"))
        if at(one, "resource", "target", "type") == "Utilization" and not asked:
            raise Failed(f"{what}: it scales by {resource}, of which a container requests nothing to compare with")
    by = ", ".join(str(at(one, "resource", "name") or one.get("type")) for one in metrics)
    return f"{title(scaler)}: {low} to {high} instances, by {by}"


@static("spof")
def spof(service: Service) -> str:
    """In production no one instance, node or deployment takes the service away."""
    production = manifests.environment(service)
    main, where = manifests.workload(production), f"deploy/{production.name}"
    least = manifests.fewest(production, main)
    if least < 2:
        raise Failed(f"{where}: {title(main)} has {least} instance at times of little load: at least 2 are needed")
    if at(main, "spec", "strategy", "type") == "Recreate":
        raise Failed(f"{where}: {title(main)}: strategy Recreate stops all instances before new ones start")
    budgets = manifests.selected(production, "PodDisruptionBudget", main, "spec", "selector")
    if not budgets:
        raise Failed(f"{where}: no PodDisruptionBudget selects {title(main)}: a node's upgrade could stop all at once")
    for one in budgets:
        if not _leaves_some(mapping(one, "spec"), least):
            raise Failed(f"{where}: {title(one)} lets all {least} instances be stopped at once")
    if not (_spread(main, HOST) or _apart(main)):
        raise Failed(f"{where}: {title(main)}: nothing keeps its instances on several nodes ({HOST})")
    return f"at least {least} instances on several nodes, and {manifests.named(budgets)} keeps some of them"


def _leaves_some(budget: Object, least: int) -> bool:
    """Whether a disruption budget keeps at least one of so many instances."""
    if "minAvailable" in budget:
        return _count(budget["minAvailable"], least) > 0
    return "maxUnavailable" in budget and _count(budget["maxUnavailable"], least) < least


def _count(value: Any, of: int) -> float:
    if isinstance(value, int):
        return value
    match = re.fullmatch(r"(\d+)%", str(value))
    return int(match[1]) * of / 100 if match else 0


def _spread(main: Object, key: str) -> Object:
    """The constraint that spreads a workload's own pods over these, or an empty one."""
    for one in each(pod(main), "topologySpreadConstraints"):
        if one.get("topologyKey") == key and one.get("maxSkew") == 1 and selects(one.get("labelSelector"), main):
            return one
    return {}


def _apart(main: Object) -> bool:
    rules = mapping(pod(main), "affinity", "podAntiAffinity")
    return any(HOST in str(rule) for rule in rules.values())


@static("locations")
def locations(service: Service) -> str:
    """In production the instances stand in several zones."""
    production = manifests.environment(service)
    main = manifests.workload(production)
    spread = _spread(main, ZONE)
    if not spread:
        raise Failed(
            f"deploy/{production.name}: {title(main)}: no topologySpreadConstraint spreads its own pods over zones "
            f"({ZONE}, maxSkew 1)"
        )
    least = manifests.fewest(production, main)
    if least < 2:
        raise Failed(f"deploy/{production.name}: {least} instance can't stand in two zones")
    return (
        f"at least {least} instances are spread over zones, {spread.get('whenUnsatisfiable')} where there is one alone"
    )

"""The container, and how many of it run where, with how much: by the rendered manifests."""

import re
from collections.abc import Iterator
from math import inf
from typing import Any, Final

from ops.delivery import pods
from ops.delivery.objects import Environment, Object, at, containers, each, mapping, pod, selects, title
from ops.readiness import dockerfile, manifests
from ops.readiness.outcome import Failed
from ops.readiness.registry import static
from ops.readiness.service import Service

ZONE: Final = "topology.kubernetes.io/zone"
HOST: Final = "kubernetes.io/hostname"
_INSTALL: Final = re.compile(r"\buv sync\b|\bpip3? (?:install|sync|wheel|download)\b")
_FROM_A_LOCK: Final = re.compile(r"--(locked|frozen|require-hashes)\b")
# These bring nothing along that nobody chose: what is named comes alone, or by its version.
_AS_NAMED: Final = re.compile(r"--(no-deps|no-index)\b|\bpip sync\b|\w==\d")
_SHELLS: Final = ("sh", "bash", "dash", "ash", "zsh", "ksh")
_RESOURCES: Final = [(kind, resource) for kind in ("requests", "limits") for resource in ("cpu", "memory")]
_SHOWN: Final = 3


@static("container")
def container(service: Service) -> str:
    """The image runs without root, tells its health, is built from locked dependencies, and needs no writable root."""
    stages = dockerfile.stages(service.text("Dockerfile"))
    if wrong := list(_image(stages)):
        raise Failed(f"Dockerfile: {'; '.join(wrong)}")
    known = manifests.environments(service)
    for name, environment in known.items():
        if wrong := list(pods.problems(environment, pods.hardened)):
            raise Failed(f"deploy/{name}: {'; '.join(wrong[:_SHOWN])}")
    user = stages[-1].last("USER")
    return (
        f"the image runs {' '.join(stages[-1].command())} as user {user}, and its containers in {', '.join(known)} as "
        "no root, with a read-only root file system and no capabilities"
    )


def _image(stages: list[dockerfile.Stage]) -> Iterator[str]:
    last = stages[-1]
    user = last.last("USER").partition(":")[0]
    if not user.isdecimal() or int(user) == 0:
        yield f"USER is {user or 'missing'}: name a number other than 0, which Kubernetes can tell from root"
    if not last.last("ENTRYPOINT").startswith("["):
        yield 'ENTRYPOINT must be a list, as ["app"]: a shell before it would keep SIGTERM to itself'
    elif _shell_stays(last.command()):
        yield f"{' '.join(last.command())!r} starts by a shell, which would keep SIGTERM to itself: write `exec` there"
    if "app" not in last.last("HEALTHCHECK") or "health" not in last.last("HEALTHCHECK"):
        yield "HEALTHCHECK does not ask `app health`"
    for base in dockerfile.bases(stages):
        if "@sha256:" not in base and base.rpartition("/")[2].partition(":")[2] in ("", "latest"):
            yield f"FROM {base} is another image each time: name a version, or better a digest"
    yield from _installs(stages)


def _shell_stays(command: list[str]) -> bool:
    """Whether it is a text for a shell, and the shell does not make way for what it starts."""
    for shell, option, text in zip(command, command[1:], command[2:], strict=False):
        if shell.rpartition("/")[2] in _SHELLS and re.fullmatch(r"-\w*c", option):
            return not re.search(r"\bexec\s", text)
    return False


def _installs(stages: list[dockerfile.Stage]) -> Iterator[str]:
    """Whatever the image gets from an index was chosen before, and is the same each time."""
    by_environment = any(stage.sets(name) for stage in stages for name in ("UV_LOCKED", "UV_FROZEN"))
    found = [
        (command.strip(), bool(_FROM_A_LOCK.search(command)) or (by_environment and "uv sync" in command))
        for stage in stages
        for name, rest in stage.instructions
        if name == "RUN"
        for command in re.split(r"&&|\|\|?|;", rest)
        if _INSTALL.search(command)
    ]
    if not any(locked for _, locked in found):
        yield "nothing installs from a lock file (uv sync --locked, pip --require-hashes)"
    for command, locked in found:
        if not locked and not _AS_NAMED.search(command):
            yield f"`{' '.join(command.split())}` takes what is newest: --locked, --require-hashes, or name==version"


@static("limits")
def limits(service: Service) -> str:
    """Every container of every environment asks for what it needs, and is stopped at what it may have."""
    known = manifests.environments(service)
    for name, environment in known.items():
        for of, one in _containers(environment):
            missing = [f"{kind}.{resource}" for kind, resource in _RESOURCES if _amount(one, kind, resource) <= 0]
            where = f"deploy/{name}: {title(of)}: container {one.get('name')}"
            if missing:
                raise Failed(f"{where} has no {', '.join(missing)}")
            if more := [
                each for each in ("cpu", "memory") if _amount(one, "requests", each) > _amount(one, "limits", each)
            ]:
                raise Failed(f"{where} requests more {' and '.join(more)} than its limit: no pod of it would start")
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


def _amount(one: Object, kind: str, resource: str) -> float:
    return manifests.quantity(_resource(one, kind, resource)) or 0


def _told(one: Object) -> str:
    return ", ".join(f"{resource} {_resource(one, kind, resource)} ({kind[:-1]})" for kind, resource in _RESOURCES)


@static("autoscale")
def autoscale(service: Service) -> str:
    """In production instances come and go with the load, and the autoscaler can see it."""
    production = manifests.environment(service)
    main = manifests.workload(production)
    scaler = manifests.scaler(production, main)
    if not scaler:
        raise Failed(f"deploy/{production.name}: no HorizontalPodAutoscaler and no ScaledObject scales {title(main)}")
    spec, what = mapping(scaler, "spec"), f"deploy/{production.name}: {title(scaler)}"
    low, high = manifests.bounds(scaler)
    if not (isinstance(low, int) and isinstance(high, int) and low < high):
        raise Failed(f"{what}: at least {low} and at most {high} instances: there is no room to scale")
    if main.get("spec", {}).get("replicas") is not None:
        raise Failed(f"{what}: {title(main)} has `replicas`, too: each deployment would reset what was scaled")
    metrics = each(spec, "metrics") + each(spec, "triggers")
    if not metrics:
        raise Failed(f"{what}: it has no metrics: nothing tells it of the load")
    if wrong := next(_blind(main, metrics), ""):
        raise Failed(f"{what}: {wrong}")
    for direction in ("scaleUp", "scaleDown"):
        behavior = mapping(spec, "behavior") or mapping(spec, "advanced", "horizontalPodAutoscalerConfig", "behavior")
        if at(behavior, direction, "selectPolicy") == "Disabled":
            raise Failed(f"{what}: behavior.{direction} is disabled: instances don't follow the load")
    for name, environment in manifests.environments(service).items():
        _in_order(f"deploy/{name}", environment)
    by = ", ".join(str(at(one, "resource", "name") or one.get("type")) for one in metrics)
    return f"{title(scaler)}: {low} to {high} instances, by {by}"


def _blind(main: Object, metrics: list[Object]) -> Iterator[str]:
    """Why an autoscaler would not see the load by its metrics."""
    for one in metrics:
        if at(one, "resource", "target", "type") != "Utilization":
            continue
        resource, wanted = str(at(one, "resource", "name")), at(one, "resource", "target", "averageUtilization")
        most = _most_used(main, resource)
        if not all(_resource(part, "requests", resource) for part in each(pod(main), "containers")):
            yield f"it scales by {resource}, of which a container requests nothing to compare with"
        elif not isinstance(wanted, int) or wanted >= most:
            yield f"it waits for {wanted} % of the {resource} requested, and limits end its use at {most:.0f} %"


def _in_order(where: str, environment: Environment) -> None:
    """Pass if each autoscaler's bounds are some that Kubernetes takes.

    Raises:
        Failed: one's are not.
    """
    for one in environment.of(*manifests.SCALERS):
        low, high = manifests.bounds(one)
        if not (isinstance(low, int) and isinstance(high, int) and low <= high):
            raise Failed(f"{where}: {title(one)}: at least {low} and at most {high} instances can't both be")


def _most_used(main: Object, resource: str) -> float:
    """How much of what its containers request a pod can use before its limits stop it, in percent."""
    every = each(pod(main), "containers")
    requested, most = (sum(_amount(one, kind, resource) for one in every) for kind in ("requests", "limits"))
    return 100 * most / requested if most >= requested > 0 else inf  # what else they are, the row `limits` tells


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
    if manifests.rolls_all(main, least):
        raise Failed(f"{where}: {title(main)}: rollingUpdate.maxUnavailable lets a rollout stop all {least} at once")
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
        return manifests.count(budget["minAvailable"], least) > 0
    return "maxUnavailable" in budget and manifests.count(budget["maxUnavailable"], least) < least


def _spread(main: Object, key: str) -> Object:
    """The constraint that spreads a workload's own pods over these, or an empty one."""
    for one in each(pod(main), "topologySpreadConstraints"):
        if one.get("topologyKey") == key and one.get("maxSkew") == 1 and selects(one.get("labelSelector"), main):
            return one
    return {}


def _apart(main: Object) -> bool:
    """Whether a workload's pods avoid nodes that have one of them already."""
    rules = mapping(pod(main), "affinity", "podAntiAffinity")
    terms = each(rules, "requiredDuringSchedulingIgnoredDuringExecution")
    terms += [mapping(one, "podAffinityTerm") for one in each(rules, "preferredDuringSchedulingIgnoredDuringExecution")]
    return any(one.get("topologyKey") == HOST and selects(one.get("labelSelector"), main) for one in terms)


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

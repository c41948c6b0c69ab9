"""Rules for the pods: probes, the time they get to stop, resources, and what they must not be able to do."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from .objects import WORKLOADS, Environment, Object, at, containers, each, main_container, mapping, pod, texts, title

# What may be wrong with the pods of a workload, in an environment.
Rule = Callable[[Object, Environment], Iterator[str]]
_PROBES: Final = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
# What stopping takes, each with its default in the service's settings.
_STOPPING: Final = {
    "APP_SHUTDOWN__DRAIN_SECONDS": 5.0,
    "APP_SHUTDOWN__TIMEOUT_SECONDS": 20.0,
    "APP_LOG__CLOSE_SECONDS": 3.0,
}
_GRACE: Final = 30  # Kubernetes' default, in seconds


def problems(environment: Environment, *rules: Rule) -> Iterator[str]:
    """What is wrong with the pods of an environment by these rules, or by all; a sentence each."""
    found = list(environment.of(*WORKLOADS))
    if not found:
        yield f"there is no {', '.join(WORKLOADS[:-1])} or {WORKLOADS[-1]}: nothing would run"
    for workload in found:
        for rule in rules or (probes, grace, _resources, hardened, exposed, _image):
            yield from (f"{title(workload)}: {problem}" for problem in rule(workload, environment))


def probes(workload: Object, _: Environment) -> Iterator[str]:
    """Each probe asks what it is for: a dependency that is down must restart nothing, and get no requests."""
    main = main_container(workload)
    if not main:
        yield "no container is called app: alerts and these rules look for that name"
        return
    if not any(port.get("name") == "http" for port in each(main, "ports")):
        yield "container app has no port called http: probes, the Service and monitoring look for that name"
    for probe, route in _PROBES.items():
        path, port = at(main, probe, "httpGet", "path"), at(main, probe, "httpGet", "port")
        if path != route:
            yield f"{probe} asks {path or 'nothing'}, and must ask {route}"
        elif port != "http":
            yield f"{probe} asks port {port}, and must ask the port called http"


def grace(workload: Object, environment: Environment) -> Iterator[str]:
    """Stopping gets the time that it takes by the settings."""
    parts: dict[str, float] = {}
    for name, default in _STOPPING.items():
        value = _setting(name, main_container(workload), environment)
        try:
            parts[name] = default if value is None else float(value)
        except (TypeError, ValueError):
            yield f"{name} is {value!r}: a number of seconds must stand there, for the grace period depends on it"
            return
    before = at(main_container(workload), "lifecycle", "preStop")
    if before is not None:
        seconds = at(before, "sleep", "seconds")
        if not isinstance(seconds, int):
            yield "how long preStop takes can't be told: use lifecycle.preStop.sleep.seconds"
            return
        parts["preStop"] = seconds
    given = pod(workload).get("terminationGracePeriodSeconds", _GRACE)
    if not (isinstance(given, int) and given > sum(parts.values())):  # so that NaN is not enough, either
        told = " + ".join(f"{name} {value:g}" for name, value in parts.items())
        yield (
            f"terminationGracePeriodSeconds is {given}, and must be more than {sum(parts.values()):g} ({told}): "
            "else requests in flight are cut"
        )


def _setting(name: str, container: Object, environment: Environment) -> Any:
    """A setting of the container: from `env`, else from a ConfigMap; the last one wins, as in Kubernetes."""
    found = None
    for source in each(container, "envFrom"):
        values = mapping(environment.find("ConfigMap", at(source, "configMapRef", "name")), "data")
        found = values.get(name, found)
    for variable in each(container, "env"):
        if variable.get("name") == name:
            found = variable.get("value", "from elsewhere")
    return found


def _resources(workload: Object, _: Environment) -> Iterator[str]:
    for container in containers(workload):
        missing = [
            f"{kind}.{resource}"
            for kind in ("requests", "limits")
            for resource in ("cpu", "memory")
            if not at(container, "resources", kind, resource)
        ]
        if missing:
            yield f"container {container.get('name')} has no resources.{', resources.'.join(missing)}"


def hardened(workload: Object, _: Environment) -> Iterator[str]:
    """Who takes over a container has nothing but that."""
    spec = pod(workload)
    for key, wanted in (("automountServiceAccountToken", False), ("enableServiceLinks", False)):
        if spec.get(key) is not wanted:
            yield f"{key} must be {str(wanted).lower()}"
    for key in ("hostPID", "hostIPC"):
        if spec.get(key):
            yield _of_the_node(key)
    for volume in each(spec, "volumes"):
        if "hostPath" in volume:
            yield _of_the_node(f"hostPath of volume {volume.get('name')}")
    for container in containers(workload):
        wrong = [name for name, holds in _restrictions(spec, container) if not holds]
        if wrong:
            yield f"container {container.get('name')} lacks {', '.join(wrong)} in its securityContext"


def exposed(workload: Object, _: Environment) -> Iterator[str]:
    """What of a pod is reached by its node's address, where no NetworkPolicy and no gateway is."""
    if pod(workload).get("hostNetwork"):
        yield _of_the_node("hostNetwork")
    for container in containers(workload):
        if any("hostPort" in port for port in each(container, "ports")):
            yield f"container {container.get('name')} has a hostPort: it could be reached past the gateway"


def _of_the_node(what: str) -> str:
    return f"{what} must not be set: the pods would not be apart from their node"


def _restrictions(spec: Object, container: Object) -> Iterator[tuple[str, bool]]:
    """Kubernetes' Pod Security level `restricted`, and a root that is read-only."""
    own, all_ = mapping(container, "securityContext"), mapping(spec, "securityContext")
    seccomp = at(own, "seccompProfile", "type") or at(all_, "seccompProfile", "type")
    yield "runAsNonRoot: true", own.get("runAsNonRoot", all_.get("runAsNonRoot")) is True
    yield "runAsUser other than 0", own.get("runAsUser", all_.get("runAsUser")) not in (None, 0)
    yield "seccompProfile RuntimeDefault", seccomp in ("RuntimeDefault", "Localhost")
    yield "privileged: false", not own.get("privileged")
    yield "allowPrivilegeEscalation: false", own.get("allowPrivilegeEscalation") is False
    yield "readOnlyRootFilesystem: true", own.get("readOnlyRootFilesystem") is True
    yield "capabilities drop ALL and add none", _no_capabilities(own)


def _no_capabilities(context: Object) -> bool:
    dropped, added = texts(context, "capabilities", "drop"), texts(context, "capabilities", "add")
    return "ALL" in dropped and not set(added) - {"NET_BIND_SERVICE"}


def _image(workload: Object, _: Environment) -> Iterator[str]:
    for container in containers(workload):
        image = str(container.get("image"))
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"container {container.get('name')} runs {image}: name a version, or better a digest"

"""Rules for the pods: probes, the time they get to stop, resources, and what they must not be able to do."""

from collections.abc import Iterator
from typing import Any, Final

from .objects import WORKLOADS, Environment, Object, at, containers, each, main_container, mapping, pod, texts, title

_PROBES: Final = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
# What stopping takes, each with its default in the service's settings.
_STOPPING: Final = {
    "APP_SHUTDOWN__DRAIN_SECONDS": 5.0,
    "APP_SHUTDOWN__TIMEOUT_SECONDS": 20.0,
    "APP_LOG__CLOSE_SECONDS": 3.0,
}
_GRACE: Final = 30  # Kubernetes' default, in seconds


def problems(environment: Environment) -> Iterator[str]:
    """What is wrong with the pods of an environment, a sentence each."""
    found = list(environment.of(*WORKLOADS))
    if not found:
        yield f"there is no {', '.join(WORKLOADS[:-1])} or {WORKLOADS[-1]}: nothing would run"
    for workload in found:
        for rule in (_probes, _grace, _resources, _hardened, _image):
            yield from (f"{title(workload)}: {problem}" for problem in rule(workload, environment))


def _probes(workload: Object, _: Environment) -> Iterator[str]:
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


def _grace(workload: Object, environment: Environment) -> Iterator[str]:
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
    grace = pod(workload).get("terminationGracePeriodSeconds", _GRACE)
    if not (isinstance(grace, int) and grace > sum(parts.values())):  # so that NaN is not enough, either
        told = " + ".join(f"{name} {value:g}" for name, value in parts.items())
        yield (
            f"terminationGracePeriodSeconds is {grace}, and must be more than {sum(parts.values()):g} ({told}): "
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


def _hardened(workload: Object, _: Environment) -> Iterator[str]:
    spec = pod(workload)
    for key, wanted in (("automountServiceAccountToken", False), ("enableServiceLinks", False)):
        if spec.get(key) is not wanted:
            yield f"{key} must be {str(wanted).lower()}"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} must not be set: the pods would not be apart from their node"
    for container in containers(workload):
        wrong = [name for name, holds in _restrictions(spec, container) if not holds]
        if wrong:
            yield f"container {container.get('name')} lacks {', '.join(wrong)} in its securityContext"
        if any("hostPort" in port for port in each(container, "ports")):
            yield f"container {container.get('name')} has a hostPort: it could be reached past the gateway"


def _restrictions(spec: Object, container: Object) -> Iterator[tuple[str, bool]]:
    """Kubernetes' Pod Security level `restricted`, and a root that is read-only."""
    own, all_ = mapping(container, "securityContext"), mapping(spec, "securityContext")
    seccomp = at(own, "seccompProfile", "type") or at(all_, "seccompProfile", "type")
    yield "runAsNonRoot: true", own.get("runAsNonRoot", all_.get("runAsNonRoot")) is True
    yield "runAsUser other than 0", own.get("runAsUser", all_.get("runAsUser")) not in (None, 0)
    yield "seccompProfile RuntimeDefault", seccomp in ("RuntimeDefault", "Localhost")
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

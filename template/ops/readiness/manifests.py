"""The environments of deploy/ as kustomize renders them: once in a run, for all checks that ask."""

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

import yaml
from ops.delivery import objects, pods, reading
from ops.delivery.objects import WORKLOADS, Environment, Object, at, main_container, mapping, selects, title

from .outcome import CannotTell, Failed
from .service import Service

DEPLOY: Final = "deploy"
PRODUCTION: Final = "production"
STAGING: Final = "staging"
# Kubernetes' autoscaler, and KEDA's: what each calls its bounds, with their defaults.
SCALERS: Final = {
    "HorizontalPodAutoscaler": (("minReplicas", 1), ("maxReplicas", None)),
    "ScaledObject": (("minReplicaCount", 0), ("maxReplicaCount", 100)),
}
# What kubectl puts before an error: its kind, the time, the process, and the line of the program.
_LOGGED: Final = re.compile(r"\b[EFIW]\d{4} [\d:.]+ +\d+ \S+:\d+\] ")
_UNITS: Final = {
    **{unit: 1000.0**power for power, unit in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}
_QUANTITY: Final = re.compile(rf"\+?((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)({'|'.join(_UNITS)})\Z").match


def environments(service: Service) -> dict[str, Environment]:
    """All environments by name.

    Raises:
        CannotTell: kustomize is not installed, or there is no environment.
        Failed: kustomize refuses one.
    """
    return service.once("environments", lambda: _environments(service))


def environment(service: Service, name: str = PRODUCTION) -> Environment:
    """One environment.

    Raises:
        CannotTell: it is not there.
    """
    known = environments(service)
    if name not in known:
        raise CannotTell(f"{DEPLOY}/{name}/kustomization.yaml is not there: nothing tells how {name} runs")
    return known[name]


def workload(environment: Environment) -> Object:
    """What runs the service.

    Raises:
        Failed: there is none, or more than one.
    """
    found = [one for one in environment.of(*WORKLOADS) if main_container(one)]
    if len(found) != 1:
        raise Failed(
            f"{DEPLOY}/{environment.name}: one workload must have a container {objects.MAIN}, and {len(found)} have"
        )
    return found[0]


def folders(service: Service) -> list[Path]:
    """The folders of the environments that are there for kustomize."""
    files = sorted((service.root / DEPLOY).glob("*/kustomization.yaml"))
    return [file.parent for file in files if file.parent.name != reading.SHARED]


def broken(service: Service, rule: pods.Rule) -> list[str]:
    """What a rule for pods has against the service's own, in all environments.

    Nothing where they can't be rendered: the rows on manifests say so, and those on the running service need not, too.
    """
    try:
        mains = [(one, workload(one)) for one in environments(service).values()]
    except (CannotTell, Failed):
        return []
    return [f"{DEPLOY}/{one.name}: {title(main)}: {problem}" for one, main in mains for problem in rule(main, one)]


def scaler(environment: Environment, of: Object) -> Object:
    """The autoscaler of a workload, Kubernetes' own or KEDA's; or an empty one."""
    wanted = of["kind"], at(of, "metadata", "name")
    for one in environment.of(*SCALERS):
        target = mapping(one, "spec", "scaleTargetRef")
        kind = target.get("kind") or ("Deployment" if one["kind"] == "ScaledObject" else None)
        if (kind, target.get("name")) == wanted:
            return one
    return {}


def bounds(scaler: Object) -> tuple[object, object]:
    """How many instances an autoscaler leaves at least and makes at most, with the defaults of its kind."""
    (low, least), (high, most) = SCALERS[scaler["kind"]]
    spec = mapping(scaler, "spec")
    return spec.get(low, least), spec.get(high, most)


def fewest(environment: Environment, of: Object) -> int:
    """How many instances of a workload there are when there is least to do."""
    scaled = scaler(environment, of)
    count = bounds(scaled)[0] if scaled else at(of, "spec", "replicas")
    return count if isinstance(count, int) else 1


def count(value: object, of: int) -> float:
    """How many a number or a share, as `50%`, of so many are."""
    if isinstance(value, int):
        return value
    match = re.fullmatch(r"(\d+)%", str(value))
    return int(match[1]) * of / 100 if match else 0


def rolls_all(of: Object, least: int) -> bool:
    """Whether a workload's roll-out may stop all of so many instances before new ones are there."""
    return count(at(of, "spec", "strategy", "rollingUpdate", "maxUnavailable"), least) >= least


def quantity(value: object) -> float | None:
    """An amount as Kubernetes writes it, such as `200m` or `1Gi`; None if it is none."""
    match = _QUANTITY(str(value))
    return float(match[1]) * _UNITS[match[2] or ""] if match else None


def selected(environment: Environment, kind: str, of: Object, *selector: str) -> list[Object]:
    """The objects of a kind whose selector selects a workload's pods."""
    return [one for one in environment.of(kind) if selects(at(one, *selector), of)]


def with_component(service: Service, component: str) -> Environment:
    """Production as it would be with one of the template's components.

    Raises:
        CannotTell: kustomize is not installed, or production is not there.
        Failed: kustomize refuses it.
    """
    environment(service)
    # Not beside it in deploy/: a report changes nothing in the repository.
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        above, root = Path(os.path.relpath(service.root.resolve(), folder)), service.root
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [str(above / DEPLOY / PRODUCTION)],
            "components": [str(above / component)],
        }
        if not (root / component / "kustomization.yaml").is_file():
            raise Failed(f"{component}/kustomization.yaml is not there")
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), "utf-8")
        try:
            return Environment(PRODUCTION, reading.objects(reading.build(folder), component))
        except reading.DeliveryError as error:
            raise Failed(f"{component}: {_plain(service, error)}".replace(str(folder), PRODUCTION)) from None


def named(objects: list[Object]) -> str:
    """Kinds and names, for evidence."""
    return ", ".join(f"{one.get('kind')}/{at(one, 'metadata', 'name')}" for one in objects)


def _environments(service: Service) -> dict[str, Environment]:
    deploy = service.root / DEPLOY
    if not folders(service):
        raise CannotTell(f"{DEPLOY}/ has no environment for kustomize: nothing tells how the service runs")
    if not (shutil.which("kustomize") or shutil.which("kubectl")):
        raise CannotTell(
            "neither kustomize nor kubectl is installed here to render deploy/: "
            "https://kubectl.docs.kubernetes.io/installation/kustomize/"
        )
    try:
        return {one.name: one for one in reading.built(deploy)}
    except reading.DeliveryError as error:
        raise Failed(_plain(service, error)) from None


def _plain(service: Service, error: reading.DeliveryError) -> str:
    """What went wrong, by paths in the service; the same words each time, for whoever compares two reports."""
    text = _LOGGED.sub("", str(error))
    for root in (service.root.absolute(), service.root.resolve()):
        text = text.replace(f"{root}{os.sep}", "")
    return text

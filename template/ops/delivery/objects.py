"""Kubernetes objects as their YAML says them, and safe ways into them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Object = dict[str, Any]
NAME: Final = "app.kubernetes.io/name"
WORKLOADS: Final = ("Deployment", "Rollout", "StatefulSet")
MAIN: Final = "app"  # name of the service's container


@dataclass(frozen=True)
class Environment:
    """All objects of one environment."""

    name: str
    objects: list[Object]

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        return (each for each in self.objects if each.get("kind") in kinds)

    def find(self, kind: str, name: object) -> Object:
        """The object of this kind and name, or an empty one."""
        return next((each for each in self.of(kind) if at(each, "metadata", "name") == name), {})


def at(value: Any, *keys: str | int) -> Any:
    """What lies there, or None where nothing does."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def mapping(value: Any, *keys: str | int) -> Object:
    """The mapping that lies there, or an empty one."""
    found = at(value, *keys)
    return found if isinstance(found, dict) else {}


def texts(value: Any, *keys: str | int) -> list[str]:
    """The texts in the list that lies there."""
    found = at(value, *keys)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def each(value: Any, *keys: str | int) -> list[Object]:
    """The mappings in the list that lies there."""
    found = at(value, *keys)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def pod(workload: Object) -> Object:
    """The specification of a workload's pods."""
    return mapping(workload, "spec", "template", "spec")


def containers(workload: Object) -> list[Object]:
    """All containers of a workload's pods, those that start first, too."""
    return each(pod(workload), "initContainers") + each(pod(workload), "containers")


def main_container(workload: Object) -> Object:
    """The container that the service runs in, or an empty one."""
    return next((one for one in each(pod(workload), "containers") if one.get("name") == MAIN), {})


def selects(selector: Any, workload: Object) -> bool:
    """Whether a selector's matchLabels select the pods of a workload; an empty one selects all."""
    wanted, labels = mapping(selector, "matchLabels"), mapping(workload, "spec", "template", "metadata", "labels")
    return (
        isinstance(selector, dict)
        and not selector.get("matchExpressions")
        and all(labels.get(key) == value for key, value in wanted.items())
    )


def title(given: Object) -> str:
    """Kind and name, for messages."""
    return f"{given.get('kind')}/{at(given, 'metadata', 'name')}"

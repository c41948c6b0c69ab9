"""The availability that was promised, and whether production is built for it."""

import re
from collections.abc import Iterator
from typing import Any, Final

from ops.delivery import objects
from ops.readiness import manifests
from ops.readiness.assessment import availability
from ops.readiness.outcome import Failed, Open
from ops.readiness.registry import static
from ops.readiness.service import Service

PRODUCTION: Final = "production"
ARCHITECTURE: Final = "docs/architecture.md"
ZONE: Final = "topology.kubernetes.io/zone"
# From which target on production needs how many instances.
INSTANCES: Final = ((99.9, 3), (99.5, 2), (0.0, 1))
ROLLING, ZONES, MORE = 99.5, 99.9, 99.95


@static("availability-target")
def availability_target(service: Service) -> str:
    """Production has the instances, the spread and the strategy that the objective needs."""
    target = availability(service)
    if not 0 < target < 100:
        raise Failed("slo.yaml has no objective named availability with a percentage below 100")
    environment = manifests.environment(service)
    main = manifests.workload(environment)
    if lacking := list(_lacking(environment, main, target)):
        raise Failed(f"{target:g} % is promised, and deploy/{PRODUCTION} has {'; '.join(lacking)}")
    if target >= MORE:
        _told(service, target)
    least = manifests.fewest(environment, main)
    return f"{target:g} % is promised; deploy/{PRODUCTION} has at least {least} instances, and what else that needs"


def _lacking(environment: objects.Environment, main: dict[str, Any], target: float) -> Iterator[str]:
    wanted = next(count for least, count in INSTANCES if target >= least)
    if (count := manifests.fewest(environment, main)) < wanted:
        yield f"{count} instance{'s' if count > 1 else ''} at times of little load, and {wanted} are needed"
    rolling = objects.mapping(main, "spec", "strategy", "rollingUpdate")
    some = rolling.get("maxUnavailable") not in (0, "0%") and not manifests.rolls_all(main, count)  # all: the row spof
    if target >= ROLLING and main.get("kind") == "Deployment" and some:
        yield "a rollout that takes instances away before new ones are there: maxUnavailable must be 0"
    keys = [each.get("topologyKey") for each in objects.each(objects.pod(main), "topologySpreadConstraints")]
    if target >= ZONES and ZONE not in keys:
        yield f"no spread over zones ({ZONE})"


def _told(service: Service, target: float) -> None:
    """Above what one cluster can promise, the architecture must say how it is kept."""
    text = service.text(ARCHITECTURE)
    section = re.search(r"(?ms)^## Availability\b.*?(?=^## |\Z)", text)
    if section is None or re.search(r"\bTODO\b", section[0]):
        raise Open(
            f"{target:g} % is more than one cluster holds: {ARCHITECTURE} must say, under Availability, what does"
        )

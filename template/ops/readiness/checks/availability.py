"""The availability that was promised, and whether production is built for it."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ops.delivery import objects
from ops.readiness import manifests, objectives
from ops.readiness.entries import shown
from ops.readiness.outcome import CannotTell, Failed, Open
from ops.readiness.registry import static
from ops.readiness.service import Service

PRODUCTION: Final = "production"
ARCHITECTURE: Final = "docs/architecture.md"
ANSWERS: Final = ".copier-answers.yml"
ZONE: Final = "topology.kubernetes.io/zone"
# From which target on production needs how many instances.
INSTANCES: Final = ((99.9, 3), (99.5, 2), (0.0, 1))
ROLLING, ZONES, MORE = 99.5, 99.9, 99.95


@static("availability-target")
def availability_target(service: Service) -> str:
    """The objective is not below the answer; production has the instances, spread and strategy that it needs."""
    target = float(_objective(service))
    environment = manifests.environment(service)
    main = manifests.workload(environment)
    if lacking := list(_lacking(environment, main, target)):
        raise Failed(f"{target:g} % is promised, and deploy/{PRODUCTION} has {'; '.join(lacking)}")
    if target >= MORE:
        _told(service, target)
    least = manifests.fewest(environment, main)
    return f"{target:g} % is promised; deploy/{PRODUCTION} has at least {least} instances, and what else that needs"


def _objective(service: Service) -> Decimal:
    """The objective `availability` of slo.yaml.

    Raises:
        Failed: there is none, or it is below what the service was answered to promise.
        CannotTell: slo.yaml, or the answer, can't be read.
    """
    answer = service.answers.get("availability_target")
    try:
        answered = Decimal(str(answer))
    except InvalidOperation:
        answered = Decimal("NaN")
    if not (answered.is_finite() and 0 < answered < 100):
        raise CannotTell(
            f"{ANSWERS}: availability_target is {shown(answer)}, no percentage below 100: answer again, "
            "make update DATA=availability_target=99.9"
        )
    named = [each.objective for each in objectives.known(service).objectives if each.name == "availability"]
    if not named:
        raise Failed(
            f"slo.yaml has no objective named availability, and the answer availability_target promises {answered:f} %"
        )
    if named[0] < answered:
        raise Failed(
            f"slo.yaml: the objective availability is {named[0]:f} %, below the {answered:f} % of availability_target "
            f"in {ANSWERS}: raise it and run make slo, or promise less: "
            f"make update DATA=availability_target={named[0]:f}"
        )
    return named[0]


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

"""How a new version takes over: which roll-out is used, and which others are at hand."""

import re
from typing import Final

from ops.delivery.objects import Environment, Object, at, each, mapping, title
from ops.readiness import manifests, objectives, pipelines
from ops.readiness.outcome import Failed, NotApplicable
from ops.readiness.registry import static
from ops.readiness.service import Service

RELEASE: Final = "docs/release.md"
COMPONENTS: Final = "ops/kubernetes/components"
_SAYS: Final = re.compile(r"(?im)^\W*this service uses\W+(.+)$")
_NAMES: Final = {
    "rolling": re.compile(r"(?i)\brolling"),
    "canary": re.compile(r"(?i)\bcanary"),
    "blue/green": re.compile(r"(?i)\bblue\W?green"),
    "big bang": re.compile(r"(?i)\bbig\W?bang|\brecreate"),
}


@static("release-strategy")
def release_strategy(service: Service) -> str:
    """The roll-out that production uses is the one that the document says."""
    used = strategy(manifests.workload(manifests.environment(service)))
    said = _SAYS.search(service.text(RELEASE))
    if said is None:
        raise Failed(f"{RELEASE} does not say which roll-out is used: write a line `This service uses: {used} …`")
    named = min(
        ((found.start(), name) for name, one in _NAMES.items() if (found := one.search(said[1]))), default=(0, "")
    )
    if named[1] != used:
        raise Failed(f"{RELEASE} says {named[1] or said[1]!r}, and deploy/production has {used}: mend the wrong one")
    return f"{used}, as {RELEASE} says and deploy/production has"


def strategy(workload: Object) -> str:
    """What a workload's roll-out is called."""
    spec = mapping(workload, "spec", "strategy")
    if workload["kind"] == "Rollout":
        return "blue/green" if "blueGreen" in spec else "canary"
    return "big bang" if spec.get("type") == "Recreate" else "rolling"


@static("release-bluegreen")
def release_bluegreen(service: Service) -> str:
    """The new version can stand whole beside the old one, and takes over once it was tried."""
    environment, rollout = _with(service, "blue/green", "blue-green")
    spec = mapping(rollout, "spec", "strategy", "blueGreen")
    services = [str(spec.get(key)) for key in ("activeService", "previewService")]
    if lost := [name for name in services if not environment.find("Service", name)]:
        raise Failed(f"{title(rollout)} names the Service {', '.join(lost)}, which is not there")
    if spec.get("autoPromotionEnabled") is not False:
        raise Failed(
            f"{title(rollout)} promotes itself before anybody has tried it: autoPromotionEnabled must be false"
        )
    for platform in pipelines.platforms(service):
        for job in platform.on("tag"):
            # Whether it is smoke tested at all says `cd-dev`.
            if job.runs("deploy") and not job.first("smoke-inside") < job.first("promote"):
                raise Failed(
                    f"{job.place} does not promote what it has smoke tested (`make smoke-inside`, `make promote`)"
                )
    return f"{title(rollout)}: tried as {services[1]}, then promoted to {services[0]} by the pipeline"


@static("release-canary")
def release_canary(service: Service) -> str:
    """A part of the requests can go to the new version first, and the objectives decide whether more do."""
    environment, rollout = _with(service, "canary", "canary")
    steps = each(rollout, "spec", "strategy", "canary", "steps")
    shares = [str(step["setWeight"]) for step in steps if "setWeight" in step]
    used = [str(one.get("templateName")) for step in steps for one in each(step, "analysis", "templates")]
    if not shares or not used:
        raise Failed(f"{title(rollout)} has no steps of a share (setWeight), each judged by an analysis")
    for name in used:
        _judges(service, environment.find("AnalysisTemplate", name), name)
    return f"{title(rollout)}: {' %, '.join(shares)} % and all, as long as {used[0]} finds the objectives kept"


def _judges(service: Service, template: Object, name: str) -> None:
    """Pass if an analysis reads what is recorded of the service's own objectives.

    Raises:
        Failed: it reads something else, or is not there.
    """
    recorded = {str(rule["record"]) for rule in objectives.rules(service) if rule.get("record")}
    queries = [str(at(one, "provider", "prometheus", "query") or "") for one in each(template, "spec", "metrics")]
    if not any(queries):
        raise Failed(f"there is no AnalysisTemplate {name} with a query of Prometheus")
    for query in queries:
        read = set(re.findall(r"\bslo:[\w:]+", query))
        if not read or not read <= recorded:
            raise Failed(
                f"AnalysisTemplate/{name} reads {', '.join(sorted(read)) or 'no objective'}, and monitoring/ records "
                f"{', '.join(sorted(read & recorded)) or 'none of it'}"
            )


def _with(service: Service, wanted: str, component: str) -> tuple[Environment, Object]:
    """Production with a roll-out of this kind: its own, or by the template's component.

    Raises:
        NotApplicable: it has the other kind, which does the same for it.
    """
    production = manifests.environment(service)
    used = strategy(manifests.workload(production))
    if used in ("canary", "blue/green") and used != wanted:
        raise NotApplicable(f"production is rolled out {used}: one of the two is enough")
    environment = production if used == wanted else manifests.with_component(service, f"{COMPONENTS}/{component}")
    rollout = manifests.workload(environment)
    if strategy(rollout) != wanted:
        raise Failed(f"{COMPONENTS}/{component} makes no {wanted} roll-out of deploy/production's {title(rollout)}")
    return environment, rollout

"""The objectives of slo.yaml, and what is derived from them: dashboards and alerts."""

import re
from pathlib import Path
from typing import Any, Final

from ops.readiness import objectives, promtool
from ops.readiness.checks.metrics import exercise
from ops.readiness.exposition import families, samples
from ops.readiness.outcome import Failed
from ops.readiness.registry import live, static
from ops.readiness.running import ground
from ops.readiness.service import Service
from ops.slo.windows import burns

# What Prometheus itself, cAdvisor, kube-state-metrics, the node and blackbox exporters and cert-manager tell.
_OF_OTHERS: Final = re.compile(
    r"(container|kube|kubelet|node|probe|certmanager|scrape)_\w+|up|ALERTS(_FOR_STATE)?"
).fullmatch
_RULES: Final = (
    f"{objectives.RULES}/slo-",
    f"{objectives.RULES}/alerts.yaml",
    "monitoring/prometheus/tests/slo-",
    "monitoring/kubernetes/prometheusrule",
)
_MONITORING, _OPERATOR = "monitoring/kustomization.yaml", "kubernetes/prometheusrule.yaml"
_VARIABLES: Final = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}


@static("slo")
def slo(service: Service) -> str:
    """The objectives are valid, each says what it means, and the service's buckets have their latencies."""
    spec = objectives.parsed(service)
    if silent := [each.name for each in spec.objectives if not each.description.strip()]:
        raise Failed(f"slo.yaml: {', '.join(silent)} does not say in its description what users see when it is missed")
    if found := objectives.stale(service, "src/"):
        raise Failed(f"{'; '.join(found)}: the service counts against other latencies")
    named = ", ".join(f"{each.name} {each.objective:f} %" for each in spec.objectives)
    return (
        f"slo.yaml, over {spec.window}: {named}; latencies at {', '.join(map(str, spec.edges)) or 'no'} s are counted"
    )


@live("slo-dashboard")
def dashboard(service: Service) -> str:
    """Every panel asks for metrics that the running service, its rules or the cluster have."""
    if found := objectives.stale(service, "monitoring/grafana/"):
        raise Failed(f"{'; '.join(found[:5])}")
    at = ground(service)
    exercise(at)
    text = at.main().get("/metrics").text
    known = {sample.name for sample in samples(text)} | {family.name for family in families(text)}
    known |= {str(rule["record"]) for rule in objectives.rules(service) if rule.get("record")}
    asked, lacking = 0, []
    for path, board in objectives.dashboards(service).items():
        for title, query in _queries(board):
            asked += 1
            lacking += [
                f"{Path(path).name}, {title}: {name}"
                for name in sorted(objectives.metrics_of(query))
                if name not in known and not _OF_OTHERS(name)
            ]
    if lacking:
        raise Failed(f"panels ask for what nothing tells: {'; '.join(lacking[:5])}")
    return f"{asked} queries of dashboards ask for what the running service, its rules or the cluster tell"


@static("slo-alerts")
def alerts(service: Service) -> str:
    """All rules are those that slo.yaml gives, and loaded; each objective's budget is watched in several windows."""
    spec = objectives.known(service)
    if found := objectives.stale(service, *_RULES):
        gone = objectives.gone(service)
        lost = f"; no rule raises {', '.join(gone[:5])} any more: who wants none says so in slo.yaml" if gone else ""
        raise Failed(f"{'; '.join(found[:5])}{lost}")
    if edited := objectives.edited(service):
        raise Failed(edited)
    resources = service.mapping(_MONITORING).get("resources")
    if not isinstance(resources, list) or _OPERATOR not in resources:
        raise Failed(f"{_MONITORING}: {_OPERATOR} is not among its resources, so no rule gets into the cluster")
    unwatched = [each.name for each in spec.objectives if not each.alert]
    if unwatched:
        raise Failed(f"slo.yaml: {', '.join(unwatched)} has no alert: nobody learns that its budget is being spent")
    windows = {
        (str(rule["labels"].get("long_window")), str(rule["labels"].get("short_window")))
        for rule in objectives.alerting_rules(service)
        if rule["labels"].get("long_window")
    }
    wanted = {(burn.long, burn.short) for burn in burns(spec.window)}
    if missing := sorted(wanted - windows):
        raise Failed(f"no burn rate is watched over {', '.join(f'{long} and {short}' for long, short in missing)}")
    # Its unit tests take half a minute of the processor, and are those that slo.yaml gives: make slo-test is for them.
    files = sorted((service.root / objectives.RULES).glob("*.yaml"))
    checked = promtool.says("check", "rules", *(each.name for each in files), cwd=service.root / objectives.RULES)
    pairs = ", ".join(f"{burn.long}/{burn.short}" for burn in burns(spec.window))
    off = [name for name, tuning in spec.alerts.items() if tuning.disable]
    without = f", which switches off {', '.join(off)}" if off else ""
    return f"{len(spec.objectives)} objectives, watched over {pairs}, as slo.yaml gives them{without}; {checked}"


def _queries(board: dict[str, Any]) -> list[tuple[str, str]]:
    """Each query with its panel's title, Grafana's variables filled in."""
    rows = [panel for panel in board.get("panels", ()) if isinstance(panel, dict)]
    panels = [*rows, *(inner for row in rows for inner in row.get("panels") or ())]
    names = [each.get("name") for each in (board.get("templating") or {}).get("list") or () if isinstance(each, dict)]
    found = []
    for panel in panels:
        for target in panel.get("targets") or ():
            query = str(target.get("expr", ""))
            for name, value in {**_VARIABLES, **{f"${name}": ".*" for name in names}}.items():
                query = query.replace(name, value)
            if query:
                found.append((str(panel.get("title")), query))
    return found

"""Metrics, the indicators in them, and the objectives that are derived from slo.yaml."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Final

from ops.readiness import objectives
from ops.readiness.checks.health import smoke_plan
from ops.readiness.exposition import Sample, families, samples
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live, static
from ops.readiness.running import Ground, ground
from ops.readiness.service import Service
from ops.slo.windows import burns
from ops.smoke import address, api
from ops.smoke.outcome import Failed as SmokeFailed
from ops.smoke.target import Surroundings, Wanted
from ops.smoke.trust import Trust

HISTOGRAM: Final = "http_server_request_duration_seconds"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
_NEEDED: Final = ("service_info", "log_records", "http_server_active_requests", HISTOGRAM)
# What Prometheus itself, cAdvisor, kube-state-metrics, the node and blackbox exporters and cert-manager tell.
_OF_OTHERS: Final = re.compile(
    r"(container|kube|kubelet|node|probe|certmanager|scrape)_\w+|up|ALERTS(_FOR_STATE)?"
).fullmatch
_VARIABLES: Final = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}
_COUNTED, _FAILING = 24, 3


@live("metrics")
def metrics(service: Service) -> str:
    """`/metrics` can be parsed in both forms, and tells the application's key figures."""
    at = ground(service)
    _exercise(at)
    text = at.main().get("/metrics")
    other = at.main().get("/metrics", Accept=OPENMETRICS)
    if "openmetrics" not in other.headers.get("content-type", ""):
        raise Failed(f"asked for OpenMetrics, /metrics answers {other.headers.get('content-type')}")
    found, again = families(text.text), families(other.text, openmetrics=True)
    if missing := [name for name in _NEEDED if name not in {family.name for family in found}]:
        raise Failed(f"/metrics does not tell {', '.join(missing)}")
    twice = [
        key
        for key, times in Counter((s.name, *sorted(s.labels.items())) for s in samples(text.text)).items()
        if times > 1
    ]
    if twice:
        raise Failed(f"/metrics tells {twice[0][0]} twice with the same labels")
    if undescribed := [family.name for family in found if not family.documentation or family.type == "unknown"]:
        raise Failed(f"/metrics does not say what {', '.join(undescribed[:5])} means, or of which type it is")
    checked = _promtool("check", "metrics", given=text.text)
    return f"{len(found)} metrics in Prometheus text, {len(again)} in OpenMetrics; {checked}"


@live("sli")
def sli(service: Service) -> str:
    """Each request is counted once, by the template of its route, over all workers; what raises is an error."""
    at = ground(service)
    route = f"{at.prefix}/counted/{{item}}"
    for number in range(_COUNTED):
        _planted(at, f"/counted/item-{number}", 200)
    for _ in range(_FAILING):
        _planted(at, "/counted/fail", 500)
    found = samples(at.main().get("/metrics").text)
    counted = {
        labels["http_response_status_code"]: value
        for labels, value in _counts(found)
        if labels.get("http_route") == route and labels.get("http_request_method") == "GET"
    }
    if counted.get("200") != _COUNTED or counted.get("500") != _FAILING:
        raise Failed(
            f"{_COUNTED} answers and {_FAILING} exceptions of one route were counted as {counted or 'nothing'}"
        )
    if raw := [labels["http_route"] for labels, _ in _counts(found) if "item-" in labels.get("http_route", "")]:
        raise Failed(f"a label holds the raw path of a request: {raw[0]}")
    ends = sum(
        s.value
        for s in found
        if s.name == f"{HISTOGRAM}_bucket" and s.labels.get("http_route") == route and s.labels.get("le") == "+Inf"
    )
    if ends != _COUNTED + _FAILING:
        raise Failed(f"{_COUNTED + _FAILING} requests, and {ends:g} in the buckets of latency")
    return f"{_COUNTED} answers and {_FAILING} exceptions, counted as such under {route}; {_owners(service, at)}"


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
    _exercise(at)
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
    """Rules and their tests are those that slo.yaml gives, each objective's budget is watched in several windows."""
    spec = objectives.known(service)
    found = objectives.stale(
        service, f"{objectives.RULES}/slo-", "monitoring/prometheus/tests/slo-", "monitoring/kubernetes/prometheusrule"
    )
    if found:
        raise Failed(f"{'; '.join(found[:5])}")
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
    checked = _promtool("check", "rules", *(each.name for each in files), cwd=service.root / objectives.RULES)
    pairs = ", ".join(f"{burn.long}/{burn.short}" for burn in burns(spec.window))
    return f"{len(spec.objectives)} objectives, watched over {pairs}, as slo.yaml gives them; {checked}"


def _exercise(at: Ground) -> None:
    """Make the running service do once what its metrics tell of."""
    at.once.get(
        "exercised", lambda: [at.main().get(f"{at.prefix}{path}").status_code for path in ("/call", "/levels", "/work")]
    )


def _planted(at: Ground, path: str, wanted: int) -> None:
    status = at.main().get(at.prefix + path).status_code
    if status != wanted:
        raise CannotTell(f"a route that the check adds is answered {status}: is there middleware that keeps it out?")


def _counts(found: list[Sample]) -> list[tuple[dict[str, str], float]]:
    return [(each.labels, each.value) for each in found if each.name == f"{HISTOGRAM}_count"]


def _owners(service: Service, at: Ground) -> str:
    """The same for the owner's own requests, as smoke.yaml lists them."""
    requests = smoke_plan(service, at).requests if (service.root / "smoke.yaml").is_file() else ()
    if not requests:
        return "smoke.yaml lists no request of the service's own to count"
    surroundings = Surroundings(address.parse(at.main().url), Wanted(), smoke_plan(service, at), at.masks, Trust())
    with at.asking:
        before = _of_routes(at)
        for each in requests:
            target = surroundings.target(10.0)
            try:
                api.send(target, each)
            except SmokeFailed as failed:
                raise CannotTell(str(failed)) from None
            finally:
                target.client.disconnect()
        grown = _of_routes(at) - before
    if sum(grown.values()) != len(requests):
        raise Failed(f"{len(requests)} requests of smoke.yaml were answered, and {sum(grown.values()):g} counted")
    return f"{len(requests)} of smoke.yaml, counted under {', '.join(sorted(grown))}"


def _of_routes(at: Ground) -> "Counter[str]":
    """Requests by route, without those that checks have added or made up."""
    found: Counter[str] = Counter()
    for labels, value in _counts(samples(at.main().get("/metrics").text)):
        if not labels.get("http_route", "").startswith(at.prefix) and labels.get("http_route") != "_UNMATCHED":
            found[f"{labels.get('http_request_method')} {labels.get('http_route')}"] += int(value)
    return found


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


def _promtool(*arguments: str, given: str = "", cwd: Path | None = None) -> str:
    """What promtool says, where it is installed.

    Raises:
        Failed: it says that something is wrong.
    """
    program = shutil.which("promtool")
    if program is None:
        return "promtool is not here, and was not asked"
    try:
        done = subprocess.run(
            [program, *arguments], input=given, cwd=cwd, capture_output=True, text=True, timeout=45, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"promtool {' '.join(arguments[:2])} could not be run here"
    if done.returncode:
        lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
        raise Failed(f"promtool {' '.join(arguments[:2])}: {'; '.join(lines[:4])[:400]}")
    return f"promtool {' '.join(arguments[:2])}: nothing wrong"

"""Alerts: each asks a person for something, tells them what, reaches them, and can be muted."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Final

from ops.readiness import listening, objectives
from ops.readiness.checks.health import deployments_without
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live, static
from ops.readiness.service import Service
from ops.slo import contract

# By name: beside the module there is a folder of the same name, which a check of types would take for it.
runbook: Any = import_module("ops.slo.runbook")

_SEVERITIES: Final = ("page", "ticket")
_ID: Final = "0f7ab3c2-5a1e-4d7e-9d0f-3b1f0c2a4e5d"
_BASIC: Final = {
    "CPU": ("container_cpu_usage_seconds_total",),
    "memory": ("container_memory_working_set_bytes",),
    "IOPS": ("node_disk_io_time_seconds_total",),
    "disk space": ("node_filesystem_avail_bytes", "kubelet_volume_stats_available_bytes"),
}


@static("alert-actionable")
def actionable(service: Service) -> str:
    """Each alert says what it means and what to do first, and leads to a section of the runbook that has content."""
    spec, rules = objectives.known(service), objectives.alerting_rules(service)
    for rule in rules:
        if lacking := contract.lacking(rule):
            raise Failed(f"{rule['file']}: alert {rule['alert']} has no {', '.join(lacking)}")
    if not spec.runbook_url.endswith(runbook.NAME):
        raise CannotTell(
            f"the runbook is at {spec.runbook_url}, where nobody looks from here: sign that each alert has its "
            "section there, or keep it in docs/runbook.md"
        )
    names, text = objectives.names(service), service.text(runbook.NAME)
    if found := runbook.lint(text, names):
        raise Failed("; ".join(found[:5]))
    anchors = {contract.anchor(name) for name in names}
    astray = [
        rule["alert"] for rule in rules if str(rule["annotations"]["runbook_url"]).partition("#")[2] not in anchors
    ]
    if astray:
        raise Failed(f"the link of {', '.join(sorted(set(astray)))} leads to no section of {runbook.NAME}")
    return (
        f"{len(names)} alerts, each with meaning, first step and a section of {runbook.NAME} that says what to look at"
    )


@static("alert-basic")
def basic(service: Service) -> str:
    """CPU, memory, I/O operations and disk space are watched, and each rule has a test."""
    found = watched_by(service, _BASIC)
    if lacking := [name for name, rules in found.items() if not rules]:
        raise Failed(f"no alert watches {', '.join(lacking)}")
    if found_stale := objectives.stale(service, "monitoring/prometheus/tests/alerts"):
        raise Failed("; ".join(found_stale))
    tests = service.text("monitoring/prometheus/tests/alerts.yaml")
    names = sorted({name for rules in found.values() for name in rules})
    if untested := [name for name in names if f'alertname="{name}"' not in tests]:
        raise Failed(f"monitoring/prometheus/tests/alerts.yaml does not test {', '.join(untested)}")
    return "; ".join(f"{what}: {', '.join(rules)}" for what, rules in found.items())


@live("alert-mute")
def mute(service: Service) -> str:
    """Around a deployment its own alerts can be silenced: for a limited time, and never the fastest burn."""
    server = listening.peer(service.ending, {"POST": json.dumps({"silenceID": _ID}).encode()})
    begun = _silence(service, "--alertmanager", server.url, "--minutes", "5")
    ended = _silence(service, "--alertmanager", server.url, "--end", _ID)
    posted = [
        json.loads(body) for method, path, body, _ in server.received if (method, path) == ("POST", "/api/v2/silences")
    ]
    deleted = [path for method, path, _, _ in server.received if method == "DELETE"]
    if begun.strip() != _ID or not posted or deleted != [f"/api/v2/silence/{_ID}"]:
        raise Failed(
            f"of a silence, Alertmanager got {[each[:2] for each in server.received] or 'nothing'}: {ended[:100]}"
        )
    _limited(posted[0], str(objectives.known(service).service))
    rules = objectives.alerting_rules(service)
    loud = [
        rule["alert"]
        for rule in rules
        if rule["labels"].get("long_window") == "1h" and rule["labels"].get("muted_by_deployment") != "false"
    ]
    if loud:
        raise Failed(
            f"a deployment would mute the fastest burn of {', '.join(loud)}: what breaks everything must be heard"
        )
    if without := deployments_without(service, "silence"):
        raise Failed(f"{', '.join(without)} deploys, and silences nothing meanwhile")
    muted = {str(rule["alert"]) for rule in rules if rule["labels"].get("muted_by_deployment") == "true"}
    return f"each deployment mutes {len(muted)} alerts for a limited time, and ends that; never the fastest burn"


@static("alert-tracked")
def tracked(service: Service) -> str:
    """Each alert is a page or a ticket, and each of these has a receiver that keeps it."""
    path = "monitoring/alertmanager/alertmanager.yaml"
    if found := objectives.stale(service, "monitoring/alertmanager/"):
        raise Failed("; ".join(found))
    document = service.mapping(path)
    severities = {str(rule["labels"].get("severity")): rule["alert"] for rule in objectives.alerting_rules(service)}
    if unknown := sorted(set(severities) - set(_SEVERITIES)):
        raise Failed(f"alert {severities[unknown[0]]} is neither page nor ticket, but {unknown[0]}: nobody receives it")
    receivers = {each.get("name"): each for each in document.get("receivers") or () if isinstance(each, dict)}
    routed = {"page": _receiver(document, "page"), "ticket": _receiver(document, "ticket")}
    silent = [severity for severity, name in routed.items() if not _reaches(receivers.get(name))]
    if silent:
        raise Failed(f"{path}: {', '.join(silent)} goes to a receiver that tells nobody")
    return f"{path}: pages go to {routed['page']}, tickets to {routed['ticket']}; every alert is one of them"


def watched_by(service: Service, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """The alerts that read any of the metrics, for each thing that should be watched."""
    read = [
        (str(rule["alert"]), objectives.metrics_of(str(rule["expr"]))) for rule in objectives.standing_rules(service)
    ]
    return {what: sorted({name for name, metrics in read if metrics & set(names)}) for what, names in wanted.items()}


def _silence(service: Service, *arguments: str) -> str:
    command = [sys.executable, "-m", "ops.slo", "silence", *arguments]
    try:
        done = subprocess.run(command, cwd=service.root, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotTell(f"python -m ops.slo silence can't be run: {error}") from None
    if done.returncode:
        raise Failed(f"python -m ops.slo silence ended with {done.returncode}: {' '.join(done.stderr.split())[-200:]}")
    return done.stdout


def _limited(silence: dict[str, Any], name: str) -> None:
    """A silence of this service's muted alerts alone, with an end.

    Raises:
        Failed: it is another.
    """
    matchers = {each.get("name"): each.get("value") for each in silence.get("matchers") or ()}
    if matchers != {"service": name, "muted_by_deployment": "true"}:
        raise Failed(f"a silence around a deployment mutes {matchers}: it must be this service's alerts alone")
    try:
        seconds = (
            datetime.fromisoformat(silence["endsAt"]) - datetime.fromisoformat(silence["startsAt"])
        ).total_seconds()
    except (KeyError, ValueError, TypeError):
        raise Failed("a silence around a deployment has no end") from None
    if not 0 < seconds <= 600:
        raise Failed(f"a silence of 5 minutes lasts {seconds:g} s")


def _receiver(document: dict[str, Any], severity: str) -> str:
    """The receiver of alerts of this severity, as Alertmanager would choose it."""
    route = document.get("route") or {}
    for each in route.get("routes") or ():
        matchers = [str(matcher) for matcher in each.get("matchers") or ()]
        wanted = [matcher for matcher in matchers if matcher.startswith("severity")]
        if all(f'"{severity}"' in matcher for matcher in wanted):
            return str(each.get("receiver"))
    return str(route.get("receiver"))


def _reaches(receiver: Any) -> bool:
    return isinstance(receiver, dict) and any(name.endswith("_configs") and value for name, value in receiver.items())

"""Data: backups, restores and replicas of what the service keeps."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from ops.readiness import deployed
from ops.readiness.datastores import needed
from ops.readiness.outcome import Failed, Open
from ops.readiness.registry import static
from ops.readiness.service import Service
from ops.slo import runbook_page

METRIC: Final = "backup_last_success_timestamp_seconds"
ALERT: Final = "BackupTooOld"
RULES: Final = "monitoring/prometheus/rules/alerts.yaml"
PLAN: Final = "docs/disaster-recovery.md"
DRILL_DAYS: Final = 190  # twice a year, and a week to spare
# Kinds of databases and where each says how many nodes it has.
DATABASES: Final = {"StatefulSet": "replicas", "Cluster": "instances", "postgresql": "numberOfInstances"}


@static("backup")
def backup(service: Service) -> str:
    """Somebody is told when a backup is missing: the alert on its age is on, and is among the rules."""
    stores = "; ".join(needed(service))
    own = ((service.mapping("slo.yaml").get("x-ops") or {}).get("alerts") or {}).get(ALERT)
    if isinstance(own, dict) and own.get("disable"):
        raise Failed(f"slo.yaml switches the alert {ALERT} off, and the service keeps data ({stores})")
    groups = service.mapping(RULES).get("groups") or []
    if ALERT not in [rule.get("alert") for group in groups for rule in group.get("rules", ())]:
        raise Failed(f"{RULES} has no alert {ALERT}: make slo")
    exported = _exporters(service)
    return f"{stores}; the alert {ALERT} is on; {METRIC} is exported {exported or 'by nothing in this repository'}"


def _exporters(service: Service) -> str:
    files = [*(service.root / "deploy").rglob("*"), *(service.root / "src").rglob("*.py")]
    found = (each for each in files if each.is_file() and METRIC in each.read_text("utf-8", "replace"))
    return ", ".join(sorted(f"in {each.relative_to(service.root).as_posix()}" for each in found))


@static("backup-restore")
def backup_restore(service: Service) -> str:
    """The way to restore is written down as commands, and was drilled within half a year."""
    stores = "; ".join(needed(service))
    text = service.text(PLAN)
    if not _commands(text, "database"):
        raise Open(f"{PLAN}: no section Database with the commands that restore a backup ({stores})")
    drills = sorted(_drills(text, "database"))
    if not drills:
        raise Open(f"{PLAN}: no drill of the level Database has a date: restore a backup into an empty server")
    days = (date.today() - drills[-1]).days  # noqa: DTZ011 - the day where people are
    if days > DRILL_DAYS:
        raise Failed(
            f"{PLAN}: a backup was last restored {days} days ago, on {drills[-1]}; at most {DRILL_DAYS} will do"
        )
    return f"a backup was restored on {drills[-1]} ({PLAN})"


def _commands(text: str, anchor: str) -> bool:
    """Whether a section of the page holds lines of code."""
    page = runbook_page.read(text)
    section = next((each for each in page.headings if each.anchor == anchor), None)
    return section is not None and "code" in page.kinds[section.after : page.until(section, section.level)]


def _drills(text: str, level: str) -> Iterator[date]:
    """Dates of the drills of a level, in the table of drills: date, level, and the rest."""
    for found in re.finditer(r"(?m)^\|\s*(\d{4}-\d\d-\d\d)\s*\|\s*([^|]+?)\s*\|", text):
        if level in found[2].lower():
            try:
                yield date.fromisoformat(found[1])
            except ValueError:
                continue


@static("replication")
def replication(service: Service) -> str:
    """Databases that are deployed from here have more than one node; those elsewhere are a person's to vouch for."""
    stores = "; ".join(needed(service))
    nodes = dict(_databases(service))
    single = [title for title, count in nodes.items() if count < 2]
    if single:
        raise Failed(f"{', '.join(single)}: one node; whatever stops it stops the service")
    return f"{stores}; " + (
        ", ".join(f"{title}: {count} nodes" for title, count in nodes.items()) or "deployed elsewhere"
    )


def _databases(service: Service) -> Iterator[tuple[str, int]]:
    for path, document in deployed.documents(service, "deploy"):
        kind, spec = str(document.get("kind")), document.get("spec")
        if kind in DATABASES and isinstance(spec, dict):
            count = spec.get(DATABASES[kind], 1)
            yield (
                f"{path}: {kind} {(document.get('metadata') or {}).get('name')}",
                count if isinstance(count, int) else 1,
            )

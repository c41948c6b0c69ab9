"""What every alert carries, so that whoever is woken knows what it means and what to do first."""

import hashlib
import re
from typing import Any, Final

from .spec import Spec
from .text import literal

LABELS: Final = ("severity", "service", "owner")
ANNOTATIONS: Final = ("summary", "consequence", "action", "runbook_url", "dashboard_url")


def anchor(heading: str) -> str:
    """The part after `#` by which GitHub, GitLab and others link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def dashboard_uid(service: str, name: str) -> str:
    """Grafana's id of a dashboard: at most 40 characters of `A-Za-z0-9-_`."""
    uid = re.sub(r"[^A-Za-z0-9_-]", "-", f"{service}-{name}")
    return uid if len(uid) <= 40 else f"{uid[:31]}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}"


def labels(spec: Spec, severity: str, *, muted_by_deployment: bool) -> dict[str, str]:
    """Labels by which an alert is routed, grouped and muted."""
    return {
        "severity": severity,
        "service": spec.service,
        "owner": literal(spec.owner),
        "muted_by_deployment": str(muted_by_deployment).lower(),
    }


def annotations(spec: Spec, alert: str, dashboard: str, texts: dict[str, str]) -> dict[str, str]:
    """Annotations: `summary`, `consequence` and `action` from `texts`, and the two links."""
    return {
        **{name: texts[name] for name in ("summary", "consequence", "action")},
        "runbook_url": f"{spec.runbook_url}#{anchor(alert)}",
        "dashboard_url": f"{spec.grafana_url}/d/{dashboard_uid(spec.service, dashboard)}",
    }


def lacking(rule: dict[str, Any]) -> list[str]:
    """What of the contract an alerting rule does not have, or has empty."""
    found = [f"label {name}" for name in LABELS if not rule.get("labels", {}).get(name)]
    return found + [f"annotation {name}" for name in ANNOTATIONS if not rule.get("annotations", {}).get(name)]

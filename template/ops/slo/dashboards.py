"""Grafana's dashboards of one service: its objectives, and the service itself."""

import json
from typing import Final

from . import dashboard_objectives, dashboard_service, grid
from .contract import dashboard_uid
from .panels import SOURCE, Json
from .spec import Spec

FOLDER: Final = "monitoring/grafana/dashboards"
_LONGEST_TAG: Final = 50  # Grafana's


def make(spec: Spec) -> dict[str, str]:
    """Texts of the dashboards by path, for provisioning or for import."""
    made = {
        "slo": _dashboard(
            spec,
            "slo",
            f"{spec.service}: objectives",
            "What users were promised, and how much of the room for errors is left.",
            dashboard_objectives.rows(spec),
            [],
        ),
        "service": _dashboard(
            spec,
            "service",
            f"{spec.service}: service",
            "Read it from the top: is it bad now, where, why.",
            dashboard_service.rows(spec),
            dashboard_service.variables(spec),
        ),
    }
    return {f"{FOLDER}/{name}.json": _text(document) for name, document in made.items()}


def _text(document: Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _dashboard(spec: Spec, name: str, title: str, about: str, rows: list[grid.Row], variables: list[Json]) -> Json:
    return {
        "uid": dashboard_uid(spec.service, name),
        "title": title,
        "description": f"{about} Owner: {spec.owner}. Runbook: {spec.runbook_url}. Made from slo.yaml by `make slo`: "
        "changes made in Grafana are lost.",
        "tags": ["shipshape", spec.service[:_LONGEST_TAG]],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "1m",
        "timezone": "browser",
        "links": _links(spec, name),
        "templating": {"list": [_SOURCES, *variables]},
        "annotations": {"list": [_BUILT_IN, _deployments(spec), _pages(spec)]},
        "panels": grid.arrange(rows),
    }


_SOURCES: Final[Json] = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "hide": 0,
    "includeAll": False,
    "multi": False,
}
_BUILT_IN: Final[Json] = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


def _links(spec: Spec, name: str) -> list[Json]:
    others = {"slo": ("service", "Service"), "service": ("slo", "Objectives")}
    other, title = others[name]
    links = [link(title, f"/d/{dashboard_uid(spec.service, other)}", "dashboard", f"{spec.service}: {title.lower()}")]
    if spec.runbook_url.startswith("http"):  # Grafana could not open a path in the repository
        links.append(link("Runbook", spec.runbook_url, "doc", "What to check and to do, alert by alert"))
    return links


def link(title: str, url: str, icon: str, tooltip: str) -> Json:
    """A link that keeps the time that is shown, and the variables, on the way to another dashboard."""
    inside = url.startswith("/")
    shown = {"type": "link", "title": title, "url": url, "icon": icon, "tooltip": tooltip, "targetBlank": not inside}
    return {**shown, "asDropdown": False, "includeVars": inside, "keepTime": inside, "tags": []}


def _deployments(spec: Spec) -> Json:
    """A mark at the moment at which the first process of a version started that had not run five minutes before."""
    version, job = "by (service_version, commit)", f'job="{spec.job}"'
    expression = (
        f"1000 * min {version} (\n"
        f"  service_info{{{job}}}\n"
        f"  * on (instance) group_left\n"
        f"  min by (instance) (process_start_time_seconds{{{job}}})\n"
        ")\n"
        "unless on (service_version, commit)\n"
        f"group {version} (last_over_time(service_info{{{job}}}[5m] offset $__interval))"
    )
    marks = {"titleFormat": "Deployed {{service_version}}", "textFormat": "commit {{commit}}", "useValueForTime": True}
    return _annotation("Deployments", "blue", expression, marks)


def _pages(spec: Spec) -> Json:
    expression = f'max by (alertname) (ALERTS{{service="{spec.service}",alertstate="firing",severity="page"}})'
    return _annotation("Pages", "red", expression, {"titleFormat": "{{alertname}}", "useValueForTime": False})


def _annotation(name: str, colour: str, expression: str, marks: Json) -> Json:
    query = {"refId": "Anno", "expr": expression}
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "target": query,
        "expr": expression,  # where Grafana before version 12 looks for it
        "step": "60s",
        **marks,
    }

"""Prometheus, Alertmanager and Grafana beside the service on one's own machine, for compose.yaml."""

from typing import Any, Final

from .spec import Spec

DATASOURCE: Final = "prometheus"


def prometheus(spec: Spec) -> dict[str, Any]:
    """Configuration of Prometheus: scrapes the service, evaluates the rules, tells Alertmanager."""
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["rules/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [{"job_name": spec.job, "static_configs": [{"targets": ["service:8000"]}]}],
    }


def datasources() -> dict[str, Any]:
    """Grafana's provisioned source of data."""
    source = {
        "name": "Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "url": "http://prometheus:9090",
        "isDefault": True,
    }
    return {"apiVersion": 1, "datasources": [source]}


def dashboards(spec: Spec) -> dict[str, Any]:
    """Grafana's provisioned dashboards."""
    provider = {
        "name": spec.service,
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": "/var/lib/grafana/dashboards"},
    }
    return {"apiVersion": 1, "providers": [provider]}

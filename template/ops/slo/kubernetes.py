"""The same for the Prometheus operator: PrometheusRule, PodMonitor, ServiceMonitor and Probe.

Fields: https://prometheus-operator.dev/docs/api-reference/api/
"""

from typing import Any, Final
from urllib.parse import urlsplit

from .spec import Spec

API: Final = "monitoring.coreos.com/v1"
NAME: Final = "app.kubernetes.io/name"


def prometheus_rule(spec: Spec, groups: list[dict[str, Any]]) -> dict[str, Any]:
    """All rule groups of the service."""
    return {**_head(spec, "PrometheusRule"), "spec": {"groups": groups}}


def pod_monitor(spec: Spec) -> dict[str, Any]:
    """Every pod is scraped, ready or not. Use this one, or the ServiceMonitor, not both."""
    return {
        **_head(spec, "PodMonitor"),
        "spec": {
            "selector": {"matchLabels": {NAME: spec.service}},
            "podMetricsEndpoints": [_endpoint(spec)],
        },
    }


def service_monitor(spec: Spec) -> dict[str, Any]:
    """The same by way of the Service, for clusters that have no PodMonitors."""
    return {
        **_head(spec, "ServiceMonitor"),
        "spec": {"selector": {"matchLabels": {NAME: spec.service}}, "endpoints": [_endpoint(spec)]},
    }


def probe(spec: Spec) -> dict[str, Any] | None:
    """The synthetic check from outside, if slo.yaml names an address."""
    if spec.probe_url is None:
        return None
    module = "http_2xx"
    return {
        **_head(spec, "Probe"),
        "spec": {
            "jobName": f"{spec.service}-probe",
            "interval": "30s",
            "module": module,
            "prober": {"url": "blackbox-exporter:9115"},
            "targets": {
                "staticConfig": {"static": [spec.probe_url], "labels": {"host": urlsplit(spec.probe_url).hostname}}
            },
        },
    }


def kustomization(spec: Spec) -> dict[str, Any]:
    """What `kubectl apply -k monitoring` brings: rules, monitor, probe, and the dashboards for Grafana's sidecar."""
    resources = ["kubernetes/prometheusrule.yaml", "kubernetes/podmonitor.yaml"]
    if spec.probe_url is not None:
        resources.append("kubernetes/probe.yaml")
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": resources,
        "configMapGenerator": [
            {
                "name": f"{spec.service}-dashboards",
                "files": [f"grafana/dashboards/{name}.json" for name in ("slo", "service")],
                "options": {"labels": {"grafana_dashboard": "1", NAME: spec.service}, "disableNameSuffixHash": True},
            }
        ],
    }


def _head(spec: Spec, kind: str) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": spec.service, "labels": {NAME: spec.service}}}


def _endpoint(spec: Spec) -> dict[str, Any]:
    return {
        "port": "http",
        "path": "/metrics",
        "interval": "15s",
        "relabelings": [{"targetLabel": "job", "replacement": spec.job}],
    }

"""Every file that is derived from slo.yaml. They lie in monitoring/, and are compared by `make check`."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

from . import alertmanager, alerts, dashboards, kubernetes, local, rules, unit_tests
from .spec import Spec
from .text import dump

FOLDER: Final = "monitoring"


def made(spec: Spec, package: str) -> dict[str, str]:
    """Path below the service's folder, and text, of every derived file.

    Args:
        spec: what slo.yaml says.
        package: name of the service's Python package.
    """
    every = {each.name: rules.groups(spec, each) for each in spec.objectives}
    own = alerts.group(spec)
    groups = [*(group for found in every.values() for group in found), own]
    documents: dict[str, Any] = {
        "prometheus/prometheus.yaml": local.prometheus(spec),
        "prometheus/rules/alerts.yaml": {"groups": [own]},
        "prometheus/tests/alerts.yaml": unit_tests.own_alerts(spec, "../rules/alerts.yaml"),
        "alertmanager/alertmanager.yaml": alertmanager.configuration(spec),
        "grafana/provisioning/datasources/prometheus.yaml": local.datasources(),
        "grafana/provisioning/dashboards/service.yaml": local.dashboards(spec),
        "kubernetes/prometheusrule.yaml": kubernetes.prometheus_rule(spec, groups),
        "kubernetes/podmonitor.yaml": kubernetes.pod_monitor(spec),
        "kubernetes/servicemonitor.yaml": kubernetes.service_monitor(spec),
        "kubernetes/probe.yaml": kubernetes.probe(spec),
        "kustomization.yaml": kubernetes.kustomization(spec),
    }
    for subject in spec.objectives:
        name = f"slo-{subject.name}.yaml"
        documents[f"prometheus/rules/{name}"] = {"groups": every[subject.name]}
        for severity in ("page", "ticket"):
            test = unit_tests.objective(spec, subject, severity, f"../rules/{name}")
            if test["tests"]:
                documents[f"prometheus/tests/slo-{subject.name}.{severity}.yaml"] = test
    texts = {f"{FOLDER}/{path}": dump(document) for path, document in documents.items() if document is not None}
    edges = json.dumps({"latency_edges_seconds": spec.edges}, indent=2)
    return {**texts, **dashboards.make(spec), f"src/{package}/slo.json": f"{edges}\n"}


def differences(root: Path, texts: dict[str, str]) -> list[str]:
    """What is not as it would be made, one line each; empty if all is up to date."""
    found = []
    for path, text in sorted(texts.items()):
        file = root / path
        if not file.is_file():
            found.append(f"{path}: is missing")
        elif file.read_bytes().replace(b"\r\n", b"\n") != text.encode():
            found.append(f"{path}: is not what slo.yaml gives")
    return found + [f"{path}: nothing makes it (any more)" for path in _foreign(root, texts)]


def write(root: Path, texts: dict[str, str]) -> None:
    """Write what differs, each file whole or not at all, and remove what nothing makes any more."""
    for path, text in texts.items():
        file = root / path
        if file.is_file() and file.read_bytes().replace(b"\r\n", b"\n") == text.encode():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.new")
        beside.write_text(text, "utf-8", newline="\n")
        beside.replace(file)
    for path in _foreign(root, texts):
        (root / path).unlink()
    for folder in sorted((root / FOLDER).rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)


def _foreign(root: Path, texts: dict[str, str]) -> list[str]:
    files = (root / FOLDER).rglob("*") if (root / FOLDER).is_dir() else ()
    return sorted(path for file in files if file.is_file() and (path := file.relative_to(root).as_posix()) not in texts)

"""What checks of the manifests and the Dockerfile find, and what they leave alone: cases beside the mutations."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ops.delivery import pods, reading
from ops.delivery.objects import Environment
from ops.readiness import datastores, deployed, manifests
from ops.readiness.checks import platform
from ops.readiness.outcome import Failed, NotApplicable
from ops.readiness.registry import Look
from ops.readiness.service import Service

from tests.services import ROOT

BASE = ROOT / "template/ops/kubernetes/base"
FINE = (
    "FROM python:3.13-slim AS base\n"
    "FROM base AS builder\n"
    "RUN uv sync --locked && uv pip install --no-deps /opt/*.whl\n"
    "FROM base\n"
    "USER 10001\n"
    'HEALTHCHECK CMD ["app", "health"]\n'
    'ENTRYPOINT ["app"]\n'
)


def base(name: str) -> dict[str, Any]:
    """One of the template's own objects."""
    found: dict[str, Any] = yaml.safe_load((BASE / f"{name}.yaml").read_text("utf-8"))
    return found


def rendered(root: Path, *objects: dict[str, Any]) -> Service:
    """A service that kustomize has made into these objects."""
    service = Service(root)
    service.once("environments", lambda: {"production": Environment("production", list(objects))})
    return service


def told(look: Look, service: Service) -> str:
    """What a check says; `pass` if nothing is wrong."""
    try:
        look(service)
    except Failed as failed:
        return str(failed)
    return "pass"


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("", "", "pass"),
        ("python:3.13-slim", "python:latest", "FROM python:latest is another image each time"),
        ("python:3.13-slim", "registry:5000/python", "FROM registry:5000/python is another"),
        ("python:3.13-slim", "python@sha256:0a", "pass"),
        ("FROM python:3.13", "ARG PYTHON=3.13\nFROM python:${PYTHON}", "pass"),
        ("uv sync --locked", "uv sync --locked && pip install --no-cache-dir uv==0.9.1", "pass"),
        ("uv sync --locked", "uv sync --locked && pip install uv", "`pip install uv` takes what is newest"),
        ("uv sync --locked", "uv sync --locked && python3 -m pip install -r a.txt", "takes what is newest"),
        ("RUN uv sync --locked", "ENV UV_FROZEN=1\nRUN uv sync", "pass"),
        ("uv sync --locked", "uv pip sync --require-hashes requirements.txt", "pass"),
        ("uv sync --locked", "true", "nothing installs from a lock file"),
        ('["app"]', '["/bin/sh", "-ec", "app serve"]', "which would keep SIGTERM to itself: write `exec` there"),
        ('["app"]', '["sh", "-c", "exec app serve"]', "pass"),
    ],
)
def test_an_image_is_made_of_what_was_chosen(tmp_path: Path, old: str, new: str, wrong: str) -> None:
    (tmp_path / "Dockerfile").write_text(FINE.replace(old, new) if old else FINE, "utf-8")

    assert wrong in told(platform.container, rendered(tmp_path, base("deployment")))


def test_pods_without_their_own_node_s_rights_are_told_of_once() -> None:
    """What the node's address reaches is another row's business than what a container may do."""
    deployment = base("deployment")
    deployment["spec"]["template"]["spec"]["hostNetwork"] = True
    environment = Environment("production", [deployment])

    assert list(pods.problems(environment, pods.hardened)) == []
    assert len(list(pods.problems(environment, pods.exposed))) == 1


@pytest.mark.parametrize(
    ("value", "amount"),
    [("200m", 0.2), ("1", 1), (4, 4), ("0", 0), ("256Mi", 2**28), ("1.5G", 1.5e9), ("1e3", 1000), ("1E", 1e18)],
)
def test_an_amount_is_read_as_kubernetes_does(value: object, amount: float) -> None:
    assert manifests.quantity(value) == pytest.approx(amount)


@pytest.mark.parametrize("value", [None, "", "much", "1 Gi", "1gi"])
def test_what_is_no_amount_is_none(value: object) -> None:
    assert manifests.quantity(value) is None


def test_a_load_above_what_is_requested_may_be_waited_for_where_limits_let_it_happen(tmp_path: Path) -> None:
    """Bursts: 200m requested, and a whole CPU at most."""
    scaler = base("horizontalpodautoscaler")
    scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 300

    assert told(platform.autoscale, rendered(tmp_path, base("deployment"), scaler)) == "pass"


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"minReplicaCount": 3}, "pass"),
        ({"maxReplicaCount": 3}, "pass"),
        ({"minReplicaCount": 100}, "at least 100 and at most 100 instances: there is no room to scale"),
        ({"triggers": []}, "it has no metrics"),
    ],
)
def test_keda_s_autoscaler_counts(tmp_path: Path, spec: dict[str, Any], wrong: str) -> None:
    whole = {"scaleTargetRef": {"name": "service"}, "triggers": [{"type": "prometheus"}], **spec}
    scaler = {"kind": "ScaledObject", "metadata": {"name": "x"}, "spec": whole}

    assert wrong in told(platform.autoscale, rendered(tmp_path, base("deployment"), scaler))
    environment = Environment("production", [base("deployment"), scaler])
    assert manifests.fewest(environment, base("deployment")) == spec.get("minReplicaCount", 0)


@pytest.mark.parametrize(("labels", "apart"), [({"app.kubernetes.io/name": "service"}, True), ({"a": "b"}, False)])
def test_pods_may_be_kept_apart_by_affinity(tmp_path: Path, labels: dict[str, str], apart: bool) -> None:
    deployment, term = copy.deepcopy(base("deployment")), {"topologyKey": "kubernetes.io/hostname"}
    pod = deployment["spec"]["template"]["spec"]
    del pod["topologySpreadConstraints"]
    preferred = [{"weight": 1, "podAffinityTerm": {**term, "labelSelector": {"matchLabels": labels}}}]
    pod["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    known = (deployment, base("horizontalpodautoscaler"), base("poddisruptionbudget"))

    assert (told(platform.spof, rendered(tmp_path, *known)) == "pass") == apart


def test_a_folder_that_is_called_like_a_manifest_is_none(tmp_path: Path) -> None:
    (tmp_path / "deploy/common/dir.yaml").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    service = Service(tmp_path)

    assert list(deployed.documents(service)) == []
    with pytest.raises(NotApplicable):
        datastores.needed(service)


def test_what_kustomize_refuses_is_told_by_paths_in_the_service_and_without_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy/production").mkdir(parents=True)
    (tmp_path / "deploy/production/kustomization.yaml").write_text("resources: [../common]\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifests.shutil, "which", lambda _: "kubectl")

    def refuse(_: Path) -> list[Environment]:
        log = "E1201 03:54:47.733443   15411 run.go:72] "
        raise reading.DeliveryError(f"deploy/production: {log}accumulating '../common': {tmp_path}/deploy/common")

    monkeypatch.setattr(reading, "built", refuse)

    service = Service(Path())
    with pytest.raises(Failed, match=r"^deploy/production: accumulating '\.\./common': deploy/common$"):
        manifests.environments(service)
    assert manifests.broken(service, pods.probes) == []

"""What the row on alerts finds in rules that an owner has changed, and what may be switched off."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ops.readiness import objectives
from ops.readiness.checks import slo
from ops.readiness.outcome import Failed
from ops.readiness.service import Service
from ops.slo import outputs

from tests.readiness.test_security import file
from tests.slo.specs import availability, document, parsed

CATALOGUE = "ServiceDown: {severity: page}\n"
OWN, OPERATOR = f"{objectives.RULES}/alerts.yaml", "monitoring/kubernetes/prometheusrule.yaml"
ABSENT = "no rule raises AvailabilityBurn, SLIMetricAbsent, ServiceDown, InstanceNotScraped, SyntheticProbeFailed any"


@pytest.fixture
def orders(tmp_path: Path) -> Service:
    return made(tmp_path)


def made(root: Path, *slos: dict[str, Any], **ops: Any) -> Service:
    """A service with all that its slo.yaml gives."""
    file(root, "src/orders/ops/__init__.py", "")
    file(root, objectives.TEMPLATE, CATALOGUE)
    file(
        root, "ops/manifest.json", json.dumps({"files": {objectives.TEMPLATE: sha256(CATALOGUE.encode()).hexdigest()}})
    )
    text = document(*(slos or [availability()]), **ops)
    for path, derived in outputs.made(parsed(text), "orders").items():
        file(root, path, derived)
    return file(root, "slo.yaml", text)


def test_an_alert_that_slo_yaml_switches_off_may_be_gone_and_the_evidence_names_it(tmp_path: Path) -> None:
    service = made(tmp_path, alerts={"BackupTooOld": {"disable": True}})

    assert "as slo.yaml gives them, which switches off BackupTooOld; promtool" in slo.alerts(service)


@pytest.mark.parametrize("path", [OWN, f"{objectives.RULES}/slo-availability.yaml", OPERATOR])
@pytest.mark.parametrize(
    "text", ["", "groups: []\n", "groups: 5\n", "groups: [{rules: [{alert: [A], labels: 1}]}]\n", "[", "a: !!int ''"]
)
def test_a_file_of_rules_with_other_rules_in_it_is_told(orders: Service, path: str, text: str) -> None:
    file(orders.root, path, text)

    with pytest.raises(Failed, match=f"{path}: is not what slo.yaml gives"):
        slo.alerts(orders)


def test_an_alert_that_is_gone_is_named(orders: Service) -> None:
    text = (orders.root / OWN).read_text("utf-8")
    file(orders.root, OWN, text.replace("alert: ErrorsLogged", "alert: NothingLogged"))

    with pytest.raises(Failed, match=r"no rule raises ErrorsLogged any more: who wants none says so in slo\.yaml"):
        slo.alerts(orders)


def test_without_any_rules_all_alerts_are_gone(orders: Service) -> None:
    for each in (orders.root / objectives.RULES).iterdir():
        each.unlink()

    with pytest.raises(Failed, match=f"{OWN}: is missing; .*{ABSENT} more"):
        slo.alerts(orders)


@pytest.mark.parametrize(
    "resources", ["", "resources: kubernetes/prometheusrule.yaml", "resources: [kubernetes/podmonitor.yaml]"]
)
def test_rules_that_the_cluster_does_not_load_are_told(orders: Service, resources: str) -> None:
    file(orders.root, "monitoring/kustomization.yaml", f"kind: Kustomization\n{resources}\n")

    with pytest.raises(Failed, match=r"prometheusrule\.yaml is not among its resources"):
        slo.alerts(orders)


@pytest.mark.parametrize("manifest", ["{}", "[", '{"files": {"ops/slo/alerts.yaml": "0"}}'])
def test_an_edit_of_the_template_s_alerts_needs_its_reason(orders: Service, manifest: str) -> None:
    file(orders.root, "ops/manifest.json", manifest)
    with pytest.raises(Failed, match=r"ops/slo/alerts\.yaml: was edited, so that alerts may be gone: take it back"):
        slo.alerts(orders)
    file(orders.root, ".ops.json", json.dumps({"accepted": {objectives.TEMPLATE: "asked on 3 May"}}))

    assert "as slo.yaml gives them" in slo.alerts(orders)

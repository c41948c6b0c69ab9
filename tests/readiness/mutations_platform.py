"""Mutations of the theme Container and platform."""

import contextlib
import re
from pathlib import Path

from ops.slo.__main__ import main as slo

from tests.readiness.mutating import Mutation, edit
from tests.readiness.mutations_data import a_store

BASE = "ops/kubernetes/base"
DEPLOYMENT = f"{BASE}/deployment.yaml"
ROUTE = "deploy/common/httproute.yaml"
EGRESS = "deploy/common/egress.yaml"
PRODUCTION = "deploy/production/kustomization.yaml"
DATABASE = "egress:\n    - to: [{ipBlock: {cidr: 10.20.0.0/24}}]\n      ports: [{port: 5432, protocol: TCP}]\n"


def a_store_in_the_network(root: Path) -> None:
    """A service with a database, whose place is listed."""
    a_store(root)
    edit(root, EGRESS, "egress: []\n", DATABASE)


def without(root: Path, alert: str) -> None:
    """An alert is switched off as an owner does it, with all that follows from it."""
    edit(root, "slo.yaml", "  alerts: {}\n", f"  alerts: {{{alert}: {{disable: true}}}}\n")
    with contextlib.chdir(root), contextlib.redirect_stdout(None):
        assert slo(["make"]) == 0
    file = root / "docs/runbook.md"
    text = file.read_text("utf-8").replace(f"[{alert}](#{alert.lower()})", alert)
    shorter = re.sub(rf"(?ms)^### {alert}\n.*?(?=^###? )", "", text)
    assert shorter != text
    file.write_text(shorter, "utf-8")


def zones_of_others(root: Path) -> None:
    """The constraint is there, and counts the pods of another service."""
    edit(
        root,
        PRODUCTION,
        "patches:\n",
        'patches:\n  - target: {kind: Deployment}\n    patch: \'[{"op": "replace", "path": '
        '"/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels", "value": {"app": "other"}}]\'\n',
    )
    differs(root, "Deployment/*/spec/template/spec/topologySpreadConstraints/**")


def differs(root: Path, path: str) -> None:
    """List it as what production may differ in, so that only the row in question can mind."""
    edit(
        root, "deploy/differences.yaml", "differences:\n", f'differences:\n  - path: "{path}"\n    reason: tried out\n'
    )


MUTATIONS = [
    Mutation(
        "container", lambda root: edit(root, "Dockerfile", "USER 10001:10001", "USER app"), "a user without number"
    ),
    Mutation(
        "container",
        lambda root: edit(root, "Dockerfile", 'ENTRYPOINT ["app"]', "ENTRYPOINT app"),
        "a shell before the service",
    ),
    Mutation(
        "container",
        lambda root: edit(root, DEPLOYMENT, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        "a root that can be written",
    ),
    Mutation("limits", lambda root: edit(root, DEPLOYMENT, '              cpu: "1"\n', ""), "no limit of CPU"),
    Mutation(
        "autoscale",
        lambda root: edit(root, PRODUCTION, "path: /spec/maxReplicas, value: 10", "path: /spec/maxReplicas, value: 3"),
        "no room to scale",
    ),
    Mutation(
        "spof", lambda root: edit(root, f"{BASE}/kustomization.yaml", "  - poddisruptionbudget.yaml\n", ""), "no PDB"
    ),
    Mutation(
        "spof",
        lambda root: edit(root, f"{BASE}/poddisruptionbudget.yaml", "maxUnavailable: 1", "maxUnavailable: 100%"),
        "a PDB that lets all be stopped",
    ),
    Mutation("locations", zones_of_others, "other pods are spread"),
    Mutation(
        "network-isolation",
        lambda root: edit(
            root, f"{BASE}/networkpolicy.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Egress]"
        ),
        "everybody may call",
    ),
    Mutation(
        "network-isolation",
        lambda root: edit(root, f"{BASE}/service.yaml", "type: ClusterIP", "type: LoadBalancer"),
        "an address past the gateway",
    ),
    Mutation("api-gateway", lambda root: edit(root, ROUTE, "value: /v1}", "value: /}"), "everything published"),
    Mutation(
        "db-network",
        lambda root: edit(root, EGRESS, "10.20.0.0/24", "52.95.110.0/24"),
        "a database in the internet",
        given=a_store_in_the_network,
    ),
    Mutation(
        "db-network",
        lambda root: edit(root, EGRESS, DATABASE, "egress: []\n"),
        "a database that no rule names",
        given=a_store_in_the_network,
    ),
    Mutation("clock", lambda root: without(root, "ClockSkew"), "nobody is told"),
    Mutation("certificates", lambda root: edit(root, ROUTE, "sectionName: https", "sectionName: http"), "no TLS"),
    Mutation("certificates", lambda root: without(root, "CertificateExpires"), "nobody is told of the end"),
]

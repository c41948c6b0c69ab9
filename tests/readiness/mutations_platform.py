"""Mutations of the theme Container and platform."""

import contextlib
import json
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
STAGING = "deploy/staging/kustomization.yaml"
COMMON = "deploy/common/kustomization.yaml"
SCALER = f"{BASE}/horizontalpodautoscaler.yaml"
POLICY = f"{BASE}/networkpolicy.yaml"
GATEWAY = "        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: gateway\n"
APP = "/spec/template/spec/containers/0"
BACKEND = "rules: [{backendRefs: [{name: orders, port: 80}]}]"
ROUTES = {
    "TCPRoute": "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TCPRoute\nmetadata: {name: all}\n"
    f"spec: {{{BACKEND}}}\n",
    "GRPCRoute": "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: all}\n"
    f"spec: {{{BACKEND}}}\n",
    "VirtualService": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: all}\n"
    "spec: {hosts: [a.org], gateways: [public], http: [{route: [{destination: {host: orders.x.svc}}]}]}\n",
    "IngressRoute": "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: all}\n"
    "spec: {routes: [{match: Host(`a.org`), kind: Rule, services: [{name: orders, port: 80}]}]}\n",
}
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


def apart_from_others(root: Path) -> None:
    """In place of the spread over nodes, a rule that keeps away from the pods of another service."""
    text = (root / DEPLOYMENT).read_text("utf-8")
    host = text[text.index("        - topologyKey: kubernetes.io/hostname") : text.index("      containers:\n")]
    term = "{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: other}}}"
    rule = f"podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{term}]}}"
    edit(root, DEPLOYMENT, host, f"      affinity: {{{rule}}}\n")


def in_pods(root: Path, line: str) -> None:
    """One more line in the specification of the pods."""
    edit(root, DEPLOYMENT, "      enableServiceLinks: false\n", f"      enableServiceLinks: false\n      {line}\n")


def patched(root: Path, environment: str, kind: str, path: str, value: object) -> None:
    """One value is another in one environment, which is listed where it has to be."""
    patch = json.dumps([{"op": "add", "path": path, "value": value}])
    edit(
        root,
        f"deploy/{environment}/kustomization.yaml",
        "\npatches:\n",
        f"\npatches:\n  - target: {{kind: {kind}}}\n    patch: '{patch}'\n",
    )
    differs(root, f"{kind}/*/{path[1:].partition('/')[0]}/**")


def added(root: Path, text: str) -> None:
    """One more object in every environment."""
    (root / "deploy/common/added.yaml").write_text(text, "utf-8")
    edit(root, COMMON, "  - egress.yaml\n", "  - egress.yaml\n  - added.yaml\n")


def published(kind: str, text: str) -> Mutation:
    """A route of this kind that has no paths."""
    return Mutation("api-gateway", lambda root: added(root, text), f"a {kind} of everything")


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
    Mutation(
        "container",
        lambda root: edit(
            root, DEPLOYMENT, "automountServiceAccountToken: false", "automountServiceAccountToken: true"
        ),
        "a token of the cluster",
    ),
    Mutation("container", lambda root: in_pods(root, "hostPID: true"), "the node's processes"),
    Mutation(
        "container",
        lambda root: edit(root, DEPLOYMENT, "emptyDir:\n            sizeLimit: 64Mi", "hostPath: {path: /}"),
        "the node's files",
    ),
    Mutation(
        "container",
        lambda root: edit(root, DEPLOYMENT, "drop: [ALL]", "drop: [ALL]\n            privileged: true"),
        "a privileged container",
    ),
    Mutation(
        "container",
        lambda root: patched(root, "dev", "Deployment", f"{APP}/securityContext/readOnlyRootFilesystem", False),
        "a root that can be written in development",
    ),
    Mutation(
        "container",
        lambda root: edit(root, "Dockerfile", "FROM base AS builder", "FROM debian AS tools\nFROM base AS builder"),
        "an image without a version",
    ),
    Mutation(
        "container",
        lambda root: edit(root, "Dockerfile", "uv sync --locked", "uv sync"),
        "the newest dependencies",
    ),
    Mutation(
        "container",
        lambda root: edit(root, "Dockerfile", 'ENTRYPOINT ["app"]', 'ENTRYPOINT ["sh", "-c", "app serve"]'),
        "a shell in a list before the service",
    ),
    Mutation("limits", lambda root: edit(root, DEPLOYMENT, '              cpu: "1"\n', ""), "no limit of CPU"),
    Mutation("limits", lambda root: edit(root, DEPLOYMENT, 'cpu: "1"', 'cpu: "0"'), "a limit of nothing"),
    Mutation("limits", lambda root: edit(root, DEPLOYMENT, "cpu: 200m", 'cpu: "4"'), "a request above its limit"),
    Mutation(
        "autoscale",
        lambda root: edit(root, PRODUCTION, "path: /spec/maxReplicas, value: 10", "path: /spec/maxReplicas, value: 3"),
        "no room to scale",
    ),
    Mutation(
        "autoscale",
        lambda root: edit(root, SCALER, "averageUtilization: 70", "averageUtilization: 500"),
        "a load that limits don't let happen",
    ),
    Mutation(
        "autoscale",
        lambda root: edit(root, SCALER, "  behavior:\n", "  behavior:\n    scaleUp: {selectPolicy: Disabled}\n"),
        "never more instances",
    ),
    Mutation(
        "autoscale",
        lambda root: edit(root, STAGING, "path: /spec/maxReplicas, value: 4", "path: /spec/maxReplicas, value: 1"),
        "more at least than at most in staging",
    ),
    Mutation(
        "spof", lambda root: edit(root, f"{BASE}/kustomization.yaml", "  - poddisruptionbudget.yaml\n", ""), "no PDB"
    ),
    Mutation(
        "spof",
        lambda root: edit(root, f"{BASE}/poddisruptionbudget.yaml", "maxUnavailable: 1", "maxUnavailable: 100%"),
        "a PDB that lets all be stopped",
    ),
    Mutation("spof", apart_from_others, "nodes without the pods of another service"),
    Mutation(
        "spof", lambda root: edit(root, DEPLOYMENT, "maxUnavailable: 0", "maxUnavailable: 100%"), "a rollout stops all"
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
    Mutation("network-isolation", lambda root: in_pods(root, "hostNetwork: true"), "ports of the node"),
    Mutation(
        "network-isolation",
        lambda root: edit(root, POLICY, GATEWAY, "        - namespaceSelector: {}\n"),
        "callers of any namespace",
    ),
    Mutation(
        "network-isolation",
        lambda root: edit(root, EGRESS, "egress: []", "egress: [{to: [{namespaceSelector: {}}]}]"),
        "calls to any namespace",
    ),
    Mutation(
        "network-isolation",
        lambda root: edit(
            root,
            EGRESS,
            "egress: []",
            "egress: [{to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]",
        ),
        "the internet in two halves",
    ),
    Mutation(
        "network-isolation",
        lambda root: edit(root, POLICY, "      ports:\n        - port: http\n          protocol: TCP\n", ""),
        "every port",
    ),
    Mutation("api-gateway", lambda root: edit(root, ROUTE, "value: /v1}", "value: /}"), "everything published"),
    *(published(kind, text) for kind, text in ROUTES.items()),
    Mutation("preprod-verify", lambda root: differs(root, "Deployment/**"), "all Deployments may differ"),
    Mutation(
        "autoscale",
        lambda root: edit(root, STAGING, "path: /spec/minReplicas, value: 2", "path: /spec/minReplicas, value: 5"),
        "bounds that contradict each other",
    ),
    Mutation(
        "access",
        lambda root: patched(root, "production", "Role", "/rules/0/resources/0", "secrets"),
        "secrets by a patch",
    ),
    Mutation(
        "access",
        lambda root: patched(root, "production", "RoleBinding", "/subjects/0/name", "system:authenticated"),
        "everybody by a patch",
    ),
    Mutation("access", lambda root: edit(root, COMMON, "  - access.yaml\n", ""), "bindings that nobody applies"),
    Mutation(
        "access",
        lambda root: edit(root, "deploy/common/access.yaml", "orders-operators", "system:serviceaccounts:orders"),
        "every pod operates",
    ),
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

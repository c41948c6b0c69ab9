"""`ops.delivery check`: each rule, broken once, is named in one line; bad input is told without a traceback."""

import copy
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import services
from tests.kubernetes.manifests import ENVIRONMENTS, Objects, build, check, objects, only
from tests.services import ROOT

sys.path.insert(0, str(ROOT / "template"))  # `ops.delivery` as a service has it

from ops.delivery import __main__ as delivery
from ops.delivery import checking, surroundings
from ops.delivery.objects import Environment

pytestmark = pytest.mark.slow
GONE = object()
Path_ = tuple[str | int, ...]
POD: Path_ = ("spec", "template", "spec")
APP: Path_ = (*POD, "containers", 0)
MATCH: Path_ = ("spec", "rules", 0, "matches", 0, "path")
GRACE = "terminationGracePeriodSeconds is 40, and must be more than "

# In production alone: kind, where, what stands there then, and what is told.
BROKEN: dict[str, tuple[str, Path_, Any, str]] = {
    "no workload": ("Deployment", ("kind",), "CronJob", "there is no Deployment, Rollout or StatefulSet"),
    "no container": ("Deployment", (*APP, "name"), "web", "no container is called app"),
    "port's name": ("Deployment", (*APP, "ports", 0, "name"), "web", "container app has no port called http"),
    "no startup probe": ("Deployment", (*APP, "startupProbe"), GONE, "startupProbe asks nothing, and must ask /livez"),
    "restart by a dependency": (
        "Deployment",
        (*APP, "livenessProbe", "httpGet", "path"),
        "/readyz",
        "livenessProbe asks /readyz, and must ask /livez",
    ),
    "never unready": (
        "Deployment",
        (*APP, "readinessProbe", "httpGet", "path"),
        "/livez",
        "readinessProbe asks /livez, and must ask /readyz",
    ),
    "probe's port": ("Deployment", (*APP, "readinessProbe", "httpGet", "port"), 8001, "readinessProbe asks port 8001"),
    "grace": ("Deployment", (*POD, "terminationGracePeriodSeconds"), 28, "is 28, and must be more than 28 (APP_SHUT"),
    "no grace": ("Deployment", (*POD, "terminationGracePeriodSeconds"), GONE, ""),
    "long drain": (
        "ConfigMap",
        ("data", "APP_SHUTDOWN__DRAIN_SECONDS"),
        "17",
        GRACE + "40 (APP_SHUTDOWN__DRAIN_SECONDS 17",
    ),
    "long end": (
        "Deployment",
        (*APP, "env", 1),
        {"name": "APP_SHUTDOWN__TIMEOUT_SECONDS", "value": "32.5"},
        GRACE + "40.5",
    ),
    "long logs": ("ConfigMap", ("data", "APP_LOG__CLOSE_SECONDS"), "60", GRACE + "85"),
    "long preStop": (
        "Deployment",
        (*APP, "lifecycle"),
        {"preStop": {"sleep": {"seconds": 12}}},
        "preStop 12): else requests",
    ),
    "unknown preStop": (
        "Deployment",
        (*APP, "lifecycle"),
        {"preStop": {"exec": {"command": ["sleep", "1"]}}},
        "how long preStop takes can't be told: use lifecycle.preStop.sleep.seconds",
    ),
    "endless drain": ("ConfigMap", ("data", "APP_SHUTDOWN__DRAIN_SECONDS"), "nan", GRACE + "nan"),
    "no number": (
        "ConfigMap",
        ("data", "APP_SHUTDOWN__DRAIN_SECONDS"),
        "soon",
        "APP_SHUTDOWN__DRAIN_SECONDS is 'soon'",
    ),
    "no limit": ("Deployment", (*APP, "resources", "limits", "cpu"), GONE, "container app has no resources.limits.cpu"),
    "no requests": (
        "Deployment",
        (*APP, "resources", "requests"),
        GONE,
        "container app has no resources.requests.cpu, resources.requests.memory",
    ),
    "sidecar": (
        "Deployment",
        (*POD, "containers", 1),
        {"name": "proxy", "image": "proxy@sha256:0"},
        "container proxy has no resources.requests.cpu",
    ),
    "root": ("Deployment", (*POD, "securityContext", "runAsNonRoot"), GONE, "container app lacks runAsNonRoot: true"),
    "user 0": ("Deployment", (*APP, "securityContext", "runAsUser"), 0, "container app lacks runAsUser other than 0"),
    "seccomp": ("Deployment", (*POD, "securityContext", "seccompProfile"), GONE, "lacks seccompProfile RuntimeDefault"),
    "escalation": (
        "Deployment",
        (*APP, "securityContext", "allowPrivilegeEscalation"),
        GONE,
        "lacks allowPrivilegeEscalation: false",
    ),
    "writable": (
        "Deployment",
        (*APP, "securityContext", "readOnlyRootFilesystem"),
        GONE,
        "readOnlyRootFilesystem: true",
    ),
    "capability": (
        "Deployment",
        (*APP, "securityContext", "capabilities", "add"),
        ["SYS_ADMIN"],
        "lacks capabilities drop ALL and add none",
    ),
    "token": ("Deployment", (*POD, "automountServiceAccountToken"), GONE, "automountServiceAccountToken must be false"),
    "links": ("Deployment", (*POD, "enableServiceLinks"), GONE, "enableServiceLinks must be false"),
    "host's network": ("Deployment", (*POD, "hostNetwork"), True, "hostNetwork must not be set"),
    "host's port": ("Deployment", (*APP, "ports", 0, "hostPort"), 8000, "container app has a hostPort"),
    "latest": (
        "Deployment",
        (*APP, "image"),
        "registry:5000/orders:latest",
        "container app runs registry:5000/orders:latest",
    ),
    "no tag": (
        "Deployment",
        (*APP, "image"),
        "registry:5000/orders",
        "container app runs registry:5000/orders: name a",
    ),
    "everything": ("HTTPRoute", (*MATCH, "value"), "/", "publishes /livez, /readyz, /status, /metrics, /version: list"),
    "metrics": (
        "HTTPRoute",
        (*MATCH, "value"),
        "/metrics",
        "HTTPRoute/orders: PathPrefix /metrics publishes /metrics:",
    ),
    "below status": ("HTTPRoute", MATCH, {"type": "Exact", "value": "/status/log-levels"}, "publishes /status:"),
    "pattern": ("HTTPRoute", MATCH, {"type": "RegularExpression", "value": "/(v1|version)/?"}, "publishes /version:"),
    "no match": ("HTTPRoute", ("spec", "rules", 0, "matches"), GONE, "PathPrefix / publishes /livez"),
    "stripped prefix": (
        "HTTPRoute",
        ("spec", "rules", 0, "filters"),
        [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}],
        "PathPrefix /v1, rewritten to /, publishes /livez, /readyz, /status, /metrics, /version:",
    ),
    "balancer": (
        "Service",
        ("spec", "type"),
        "LoadBalancer",
        "Service/orders: type LoadBalancer or externalIPs can be",
    ),
    "no policy": (
        "NetworkPolicy",
        ("spec", "podSelector", "matchLabels"),
        {"a": "b"},
        "no NetworkPolicy of type Ingress",
    ),
    "anybody in": (
        "NetworkPolicy",
        ("spec", "ingress", 0, "from"),
        GONE,
        "NetworkPolicy/orders: ingress 0 has everybody",
    ),
    "to anywhere": (
        "NetworkPolicy",
        ("spec", "egress", 1),
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]},
        "NetworkPolicy/orders: egress 1 has everybody in `to`",
    ),
    "one instance": (
        "HorizontalPodAutoscaler",
        ("spec", "minReplicas"),
        1,
        "minReplicas of HorizontalPodAutoscaler/orders is 1, and must be at least 2",
    ),
    "scales another": (
        "HorizontalPodAutoscaler",
        ("spec", "scaleTargetRef", "kind"),
        "Rollout",
        "replicas is 1, and must",
    ),
    "no budget": (
        "PodDisruptionBudget",
        ("spec", "selector", "matchLabels"),
        {"a": "b"},
        "no PodDisruptionBudget selects",
    ),
}


@pytest.fixture(scope="module")
def project(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered service."""
    return services.render(source, tmp_path_factory.mktemp("delivery") / "orders")


@pytest.fixture(scope="module")
def healthy(project: Path) -> dict[str, Objects]:
    """The manifests of every environment."""
    return {each: objects(build(project, each)) for each in ENVIRONMENTS}


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's folder, to run in."""
    monkeypatch.chdir(project)


def write(folder: Path, environments: dict[str, Objects]) -> Path:
    """A folder of rendered files."""
    folder.mkdir(exist_ok=True)
    for name, given in environments.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(given), "utf-8")
    return folder


def put(given: Any, path: Path_, value: Any) -> None:
    """Set or remove what lies at a path; a list gets longer by one if need be."""
    for key in path[:-1]:
        given = given[key]
    if value is GONE:
        del given[path[-1]]
    elif isinstance(given, list) and path[-1] == len(given):
        given.append(value)
    else:
        given[path[-1]] = value


def broken(healthy: dict[str, Objects], kind: str, path: Path_, value: Any) -> dict[str, Objects]:
    """A copy of all environments with one thing changed in production and staging alike."""
    given = copy.deepcopy(healthy)
    for name in ("production", "staging"):
        put(next(each for each in given[name] if each["kind"] == kind), path, value)
    return given


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", [name for name in BROKEN if name != "no grace"])
def test_a_broken_rule_is_named_in_one_line(
    case: str, healthy: dict[str, Objects], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, path, value, told = BROKEN[case]
    folder = write(tmp_path / "rendered", broken(healthy, kind, path, value))
    status = delivery.main(["check", "--rendered", str(folder)])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("production: ")]

    assert status == 1
    assert told in "\n".join(lines)
    assert len(lines) == {"no policy": 1, "sidecar": 2}.get(case, 1)


@pytest.mark.usefixtures("here")
def test_kubernetes_own_grace_period_is_what_counts_without_one(
    healthy: dict[str, Objects], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = broken(healthy, *BROKEN["no grace"][:3])
    assert delivery.main(["check", "--rendered", str(write(tmp_path / "enough", given))]) == 0

    for name in given:
        only(given[name], "ConfigMap")["data"]["APP_SHUTDOWN__DRAIN_SECONDS"] = "10"

    assert delivery.main(["check", "--rendered", str(write(tmp_path / "short", given))]) == 1
    assert "terminationGracePeriodSeconds is 30, and must be more than 33" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("added", "told"),
    [
        (
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"APP_X": "y"}},
            "Secret/x: its values are in the repository",
        ),
        (
            {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "x"}, "spec": {}},
            "HTTPRoute/orders: no Certificate has the host name orders.example.org in its dnsNames",
        ),
        (
            {"kind": "Ingress", "metadata": {"name": "x"}, "spec": {"rules": [{"http": {"paths": [{"path": "/"}]}}]}},
            "Ingress/x: path / publishes /livez",
        ),
    ],
)
def test_what_should_not_be_there_is_named(
    added: dict[str, Any], told: str, healthy: dict[str, Objects], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {**healthy, "production": [*healthy["production"], added]}

    assert delivery.main(["check", "--rendered", str(write(tmp_path / "rendered", given))]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", ["/v1", "/versions", "/statusboard", "/api/status"])
def test_paths_that_only_look_operational_may_be_published(
    path: str, healthy: dict[str, Objects], tmp_path: Path
) -> None:
    given = broken(healthy, "HTTPRoute", (*MATCH, "value"), path)

    assert delivery.main(["check", "--rendered", str(write(tmp_path / "rendered", given))]) == 0


@pytest.mark.parametrize(("names", "count"), [(["*.example.org"], 0), (["*.org"], 1), (["orders.example.org"], 0)])
def test_a_certificate_covers_its_names_and_wildcards(
    names: list[str], count: int, healthy: dict[str, Objects]
) -> None:
    added = {"kind": "Certificate", "metadata": {"name": "x"}, "spec": {"dnsNames": names}}
    found = surroundings.problems(Environment("production", [*healthy["production"], added]))

    assert len(list(found)) == count


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("kind", "path", "value", "told"),
    [
        (
            "Deployment",
            (*APP, "resources", "limits", "memory"),
            "1Gi",
            'containers/app/resources/limits/memory is "256Mi" in staging, "1Gi" in production: make them equal',
        ),
        ("ConfigMap", ("data", "APP_WORKERS"), "4", 'data/APP_WORKERS is not there in staging, "4" in production'),
        (
            "Service",
            ("spec", "ports", 0, "port"),
            8080,
            "Service/orders/spec/ports/http/port is 80 in staging, 8080 in",
        ),
        ("PodDisruptionBudget", ("spec", "maxUnavailable"), True, "maxUnavailable is 1 in staging, true in production"),
        ("ServiceAccount", ("metadata", "name"), "robot", "ServiceAccount/robot is only in production"),
        (
            "Deployment",
            ("spec", "template", "metadata", "annotations"),
            {"example.org/a": "b"},
            "metadata/annotations/example.org~1a is not there",
        ),
    ],
)
def test_a_difference_that_nobody_listed_is_named(
    kind: str,
    path: Path_,
    value: Any,
    told: str,
    healthy: dict[str, Objects],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = copy.deepcopy(healthy)
    put(only(given["production"], kind), path, value)
    status = delivery.main(["check", "--rendered", str(write(tmp_path / "rendered", given))])

    assert status == 1
    assert told in capsys.readouterr().err


def test_a_listed_difference_may_be(
    healthy: dict[str, Objects], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = copy.deepcopy(healthy)
    for path, value in ((("spec", "strategy", "rollingUpdate", "maxSurge"), 5), (("spec", "strategy", "type"), "x")):
        put(only(given["production"], "Deployment"), path, value)
    seed = yaml.safe_load((ROOT / "template/deploy/differences.yaml").read_text("utf-8"))["differences"]
    (tmp_path / "deploy").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rendered", given)

    def status(*paths: str) -> int:
        document = {"differences": seed + [{"path": path, "reason": "a trial"} for path in paths]}
        (tmp_path / "deploy/differences.yaml").write_text(yaml.safe_dump(document), "utf-8")
        return int(delivery.main(["check", "--rendered", "rendered"]))

    assert status("Deployment/orders/spec/strategy/**") == 0
    assert status("*/*/spec/strategy/type", "*/*/spec/strategy/rollingUpdate/maxSurge") == 0
    assert status("*/*/spec/strategy/type") == 1
    assert status("Deployment/orders/spec/strategy/*") == 1
    assert status("Deployment/**") == 1
    assert status("Deployment/orders/**") == 1


@pytest.mark.parametrize("number", range(6))
def test_every_difference_that_the_seed_lists_is_one(number: int, healthy: dict[str, Objects], tmp_path: Path) -> None:
    """But the image: until the first promotion both are the same."""
    seed = yaml.safe_load((ROOT / "template/deploy/differences.yaml").read_text("utf-8"))["differences"]
    left = [each for each in seed if each is not seed[number]]
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/differences.yaml").write_text(yaml.safe_dump({"differences": left}), "utf-8")
    done = check(tmp_path, "--rendered", write(tmp_path / "rendered", healthy))

    assert len(seed) == 6
    assert done.status == (0 if seed[number]["path"].endswith("/image") else 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("differences: [", "deploy/differences.yaml: it can't be read as YAML"),
        ("- path: x", "deploy/differences.yaml: it must hold one list, `differences:`"),
        ("differences: [{path: Deployment/x/spec}]", "entry 1: it must have a path and a reason, and nothing else"),
        ("differences: [{path: Deployment/x/spec, reason: ' '}]", "path 'Deployment/x/spec' has no reason"),
        ("differences: [{path: '*/**', reason: all}]", "entry 1: path '*/**' is none"),
        ("differences: [{path: 'a/**/b', reason: some}]", "entry 1: path 'a/**/b' is none"),
        ("differences: [{path: 7, reason: some}]", "entry 1: path 7 is none"),
    ],
)
def test_a_bad_list_of_differences_is_refused(
    text: str, told: str, healthy: dict[str, Objects], tmp_path: Path
) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/differences.yaml").write_text(text, "utf-8")
    done = check(tmp_path, "--rendered", write(tmp_path / "rendered", healthy))

    assert (done.status, len(done.stderr.splitlines())) == (2, 1)
    assert told in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"kind: [", "production.yaml:2: it is no YAML"),
        (b"a: b", "production.yaml: document 1 is no Kubernetes object: it has no kind"),
        (b"\xff\xfe\xff", "production.yaml: it can't be read as UTF-8 text"),
        (None, "no *.yaml is there"),
    ],
)
def test_a_bad_rendered_file_is_refused(text: bytes | None, told: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "production.yaml").write_bytes(text)
    done = check(tmp_path, "--rendered", tmp_path)

    assert (done.status, len(done.stderr.splitlines())) == (2, 1)
    assert told in done.stderr


def test_production_without_staging_is_told(healthy: dict[str, Objects], tmp_path: Path) -> None:
    done = check(tmp_path, "--rendered", write(tmp_path / "rendered", {"production": healthy["production"]}))

    assert (done.status, done.stderr) == (1, "production: there is no staging to compare it with\n")


def test_it_renders_what_is_in_deploy(project: Path, tmp_path: Path) -> None:
    done = check(project)
    shutil.copytree(project, tmp_path / "copy")
    (tmp_path / "copy/deploy/staging/kustomization.yaml").write_text("resources: [nowhere]\n", "utf-8")
    bad = check(tmp_path / "copy")
    none = check(tmp_path)

    assert (done.status, done.stdout) == (0, "dev, production, staging: the manifests keep the rules.\n")
    assert (bad.status, bad.stderr.startswith("deploy/staging: kustomize refuses it: ")) == (2, True)
    assert (none.status, none.stdout) == (0, "deploy/: there are no manifests to check.\n")


@pytest.mark.usefixtures("here")
def test_without_kustomize_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")

    assert delivery.main(["check"]) == 2
    assert "neither kustomize nor kubectl is installed" in capsys.readouterr().err


WORKER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: worker}]}}}
"""


@pytest.mark.parametrize("component", ["blue-green", "canary"])
def test_a_component_finds_the_service_beside_another_deployment(component: str, project: Path, tmp_path: Path) -> None:
    """And needs no constraint that an owner may have taken out."""
    copied = shutil.copytree(project, tmp_path / "orders")
    common = copied / "deploy/common/kustomization.yaml"
    (common.parent / "worker.yaml").write_text(WORKER, "utf-8")
    path = "/spec/template/spec/topologySpreadConstraints/0"
    remove = f'[{{"op": "remove", "path": "{path}"}}]'
    patch = f"patches:\n  - target: {{kind: Deployment, name: orders}}\n    patch: '{remove}'\n"
    text = common.read_text("utf-8").replace("  - egress.yaml\n", "  - egress.yaml\n  - worker.yaml\n")
    common.write_text(text.replace("patches: []\n", patch), "utf-8")
    made = objects(build(copied, "production", component))

    assert only(made, "Deployment")["metadata"]["name"] == "worker"
    assert only(made, "Rollout")["metadata"]["name"] == "orders"
    assert only(made, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["kind"] == "Rollout"


def peers(direction: str, *given: dict[str, Any]) -> Objects:
    """A policy with these peers."""
    rule = {"from": list(given), "ports": [{"port": "http"}]} if direction == "ingress" else {"to": list(given)}
    return [{"kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {direction: [rule]}}]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (peers("egress", {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}), 0),
        (peers("egress", {"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "fc00::/7"}}), 0),
        (peers("ingress", {"podSelector": {}}), 0),
        (peers("ingress", {"namespaceSelector": {}, "podSelector": {}}), 1),
        (peers("egress", {"ipBlock": {"cidr": "::/1"}}), 1),
        (peers("egress", {"ipBlock": {"cidr": "nonsense"}}), 0),
    ],
)
def test_who_is_named_in_a_policy_is_not_everybody(given: Objects, count: int) -> None:
    assert len(list(surroundings.problems(Environment("dev", given)))) == count


def route(kind: str, **spec: Any) -> dict[str, Any]:
    """A route of any kind."""
    return {"kind": kind, "metadata": {"name": "x"}, "spec": spec}


TO_SERVICE = [{"destination": {"host": "orders.orders-production.svc.cluster.local"}}]


@pytest.mark.parametrize(
    ("added", "count"),
    [
        (route("TLSRoute", rules=[{"backendRefs": [{"name": "orders"}]}]), 1),
        (route("TCPRoute", rules=[{"backendRefs": [{"name": "redis"}]}]), 0),
        (
            route(
                "GRPCRoute", rules=[{"matches": [{"method": {"service": "a.B"}}], "backendRefs": [{"name": "orders"}]}]
            ),
            0,
        ),
        (
            route(
                "VirtualService", gateways=["x"], http=[{"match": [{"uri": {"prefix": "/v1"}}], "route": TO_SERVICE}]
            ),
            0,
        ),
        (
            route(
                "VirtualService",
                gateways=["x"],
                http=[{"match": [{"uri": {"exact": "/metrics"}}], "route": TO_SERVICE}],
            ),
            1,
        ),
        (route("VirtualService", gateways=["mesh"], http=[{"route": TO_SERVICE}]), 0),
        (route("VirtualService", gateways=["x"], tls=[{"route": TO_SERVICE}]), 1),
        (
            route(
                "IngressRoute", routes=[{"match": "Host(`a`) && PathPrefix(`/v1`)", "services": [{"name": "orders"}]}]
            ),
            0,
        ),
        (route("IngressRoute", routes=[{"match": "PathPrefix(`/status`)", "services": [{"name": "orders"}]}]), 1),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else str(value),
)
def test_routes_of_other_kinds_are_read(added: dict[str, Any], count: int, healthy: dict[str, Objects]) -> None:
    found = list(surroundings.problems(Environment("production", [*healthy["production"], added])))

    assert len(found) == count


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of everything in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@pytest.mark.parametrize("value", [None, "text", 7, [], {}, [None], {"name": 7}], ids=repr)
def test_nonsense_anywhere_gives_no_traceback(value: Any, healthy: dict[str, Objects]) -> None:
    tried = 0
    for number, each in enumerate(healthy["production"]):
        for path in places(each):
            if len(path) > 0 and path != ("kind",):
                given = [*healthy["production"]]
                given[number] = copy.deepcopy(each)
                put(given[number], path, value)
                environments = [Environment("production", given), Environment("staging", healthy["staging"])]
                list(checking.problems(environments, []))
                tried += 1

    assert tried > 300

"""The manifests: every environment and component is what Kubernetes and its operators take, and names what it must."""

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import services
from tests.kubernetes.manifests import (
    CHECKOV,
    COMPONENTS,
    DIGEST,
    ENVIRONMENTS,
    build,
    check,
    kustomize,
    objects,
    only,
    operators,
    refused,
    refused_by_operators,
    tool,
)
from tests.slo.specs import SPECS, parsed, written

from ops.slo import outputs  # isort: skip - found by tests.slo.specs

pytestmark = pytest.mark.slow
VERSIONS = ("1.35", "1.36", "1.37")
MADE = [*((each, ()) for each in ENVIRONMENTS), *(("production", (each,)) for each in COMPONENTS)]
MADE.append(("production", ("canary", "certificate", "external-secret")))
IDS = ["-".join((environment, *components)) for environment, components in MADE]


@pytest.fixture(scope="module")
def project(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered service whose name has a dash in it, as many have."""
    return services.render(source, tmp_path_factory.mktemp("kubernetes") / "web-orders", service_name="web-orders")


@pytest.fixture(scope="module")
def made(project: Path) -> dict[str, str]:
    """The manifests of every environment, and of production with each component."""
    return {name: build(project, *each[:1], *each[1]) for name, each in zip(IDS, MADE, strict=True)}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operators' schemas and types, installed."""
    return operators(tmp_path_factory.mktemp("operators") / "schemas")


def test_kubernetes_three_newest_versions_accept_every_object_strictly(made: dict[str, str], tmp_path: Path) -> None:
    assert refused("---\n".join(made.values()), VERSIONS, tmp_path) == []


def test_they_would_refuse_an_unknown_key_and_an_unknown_kind(made: dict[str, str], tmp_path: Path) -> None:
    given = only(objects(made["production"]), "Deployment")
    given["spec"]["replica"] = 3
    unknown = {"apiVersion": "apps/v1", "kind": "Deplyoment", "metadata": {"name": "x"}}
    told = "\n".join(refused(yaml.safe_dump_all([given, unknown]), VERSIONS[-1:], tmp_path))

    assert "replica" in told
    assert "Couldn't find schema" in told
    assert "0 of 2 objects pass" in told


def test_the_operators_schemas_and_types_accept_every_object(made: dict[str, str], schemas: Path) -> None:
    given = [each for text in made.values() for each in objects(text)]

    assert refused_by_operators(schemas, given) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "told"),
    [
        ("production", ("HTTPRoute", "spec", "rules", 0, "backendRef"), [], "backendRef"),
        ("production-canary", ("Rollout", "spec", "strategy", "canary", "step"), [], "step"),
        ("production-canary", ("AnalysisTemplate", "spec", "metrics", 0, "provider", "prometheus", "url"), "x", "url"),
        ("production-certificate", ("Certificate", "spec", "issuerRef", "kind"), 1, "must be string"),
        ("production-external-secret", ("ExternalSecret", "spec", "dataFrom", 0, "extrakt"), {}, "extrakt"),
        ("production", ("HTTPRoute", "apiVersion"), "gateway.networking.k8s.io/v7", "no schema is known"),
    ],
)
def test_they_would_refuse_a_mistake(
    made: dict[str, str], schemas: Path, name: str, path: tuple[Any, ...], value: Any, told: str
) -> None:
    given = copy.deepcopy(objects(made[name]))
    place: Any = only(given, path[0])
    for key in path[1:-1]:
        place = place[key]
    place[path[-1]] = value

    assert told in "\n".join(refused_by_operators(schemas, given))


def test_checkov_finds_nothing_to_waive(made: dict[str, str], tmp_path: Path) -> None:
    for name, text in made.items():
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    flags = ("--skip-download", "--framework", "kubernetes", "--output", "json", "--directory", ".")
    done = tool(CHECKOV, *flags, cwd=tmp_path)
    report = json.loads(done.stdout)

    assert [(each["check_id"], each["file_path"]) for each in report["results"]["failed_checks"]] == []
    assert (report["summary"]["parsing_errors"], report["summary"]["skipped"]) == (0, 0)
    assert report["summary"]["passed"] > 500


@pytest.mark.parametrize("name", IDS)
def test_everything_is_called_as_monitoring_and_people_look_for_it(made: dict[str, str], name: str) -> None:
    given = objects(made[name])
    environment = name.partition("-")[0]

    assert {each["metadata"]["labels"]["app.kubernetes.io/name"] for each in given} == {"web-orders"}
    assert {each["metadata"]["namespace"] for each in given} == {f"web-orders-{environment}"}
    assert [each["metadata"]["name"] for each in given if not each["metadata"]["name"].startswith("web-orders")] == []
    assert only(given, "HorizontalPodAutoscaler")["metadata"]["name"] == "web-orders"


@pytest.mark.parametrize("name", IDS)
def test_every_reference_leads_to_what_is_there(made: dict[str, str], name: str) -> None:
    given = objects(made[name])
    workload = next(each for each in given if each["kind"] in ("Deployment", "Rollout"))
    pods, labels = workload["spec"]["template"]["spec"], workload["spec"]["template"]["metadata"]["labels"]
    scaled = only(given, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    services = [each for each in given if each["kind"] == "Service"]

    assert (scaled["apiVersion"], scaled["kind"], scaled["name"]) == (
        workload["apiVersion"],
        workload["kind"],
        "web-orders",
    )
    assert labels == workload["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": "web-orders"}
    assert [each["spec"]["selector"] for each in services] == [labels] * len(services)
    assert only(given, "ConfigMap")["metadata"]["name"] == pods["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    assert only(given, "ServiceAccount")["metadata"]["name"] == pods["serviceAccountName"] == "web-orders"
    assert pods["volumes"][0]["secret"]["secretName"] == "web-orders-secrets"
    assert pods["containers"][0]["image"] == f"registry.example.org/services/web-orders@{DIGEST}"
    assert only(given, "HTTPRoute")["spec"]["rules"][0]["backendRefs"] == [{"name": "web-orders", "port": 80}]
    assert {each["roleRef"]["name"] for each in given if each["kind"] == "RoleBinding"} == {
        each["metadata"]["name"] for each in given if each["kind"] == "Role"
    }


def test_pods_may_ask_the_cluster_s_dns(made: dict[str, str]) -> None:
    """Kustomize would put the service's own label into every matchLabels, that of the DNS servers, too."""
    policy = only(objects(made["production"]), "NetworkPolicy", "web-orders")
    [peer] = policy["spec"]["egress"][0]["to"]

    assert peer == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
    }


def test_nobody_is_given_secrets_or_a_shell(made: dict[str, str]) -> None:
    roles = [each for each in objects(made["production"]) if each["kind"] == "Role"]
    rules = [rule for each in roles for rule in each["rules"]]
    resources = {resource for rule in rules for resource in rule["resources"]}
    developer = only(roles, "Role", "web-orders-developer")

    assert (
        resources & {"*", "secrets", "pods/exec", "pods/attach", "pods/ephemeralcontainers", "pods/portforward"}
        == set()
    )
    assert {verb for rule in rules for verb in rule["verbs"]} & {"*", "escalate", "bind", "impersonate"} == set()
    assert {verb for rule in developer["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "pods/log" in developer["rules"][0]["resources"]


def test_components_name_what_belongs_to_this_service(made: dict[str, str]) -> None:
    secret = only(objects(made["production-external-secret"]), "ExternalSecret")
    certificate = objects(made["production-certificate"])
    green = objects(made["production-blue-green"])
    canary = objects(made["production-canary"])
    steps = only(canary, "Rollout")["spec"]["strategy"]["canary"]["steps"]
    switch = only(green, "Rollout")["spec"]["strategy"]["blueGreen"]

    assert secret["metadata"]["name"] == secret["spec"]["target"]["name"] == "web-orders-secrets"
    assert secret["spec"]["dataFrom"] == [{"extract": {"key": "web-orders"}}]
    assert only(certificate, "Certificate")["spec"]["secretName"] == "web-orders-tls"
    assert only(certificate, "ReferenceGrant")["spec"]["to"] == [
        {"group": "", "kind": "Secret", "name": "web-orders-tls"}
    ]
    assert [each["analysis"]["templates"] for each in steps if "analysis" in each] == [
        [{"templateName": "web-orders"}]
    ] * 2
    assert (switch["activeService"], switch["previewService"]) == ("web-orders", "web-orders-preview")
    assert only(green, "AnalysisTemplate") == only(canary, "AnalysisTemplate")
    assert only(green, "AnalysisTemplate")["metadata"]["name"] == "web-orders"


@pytest.mark.parametrize("name", ["a", "null", "a" * 40, "x-service-y"])
def test_any_name_of_a_service_gives_manifests_that_keep_the_rules(source: Path, tmp_path: Path, name: str) -> None:
    project = services.render(source, tmp_path / "project", service_name=name)
    given = objects(build(project, "production", "blue-green", "external-secret"))

    assert check(project).status == 0
    assert only(given, "Rollout")["metadata"]["name"] == name
    assert only(given, "Rollout")["spec"]["template"]["spec"]["serviceAccountName"] == name
    assert only(given, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == name
    assert only(given, "Rollout")["spec"]["strategy"]["blueGreen"]["activeService"] == name
    assert only(given, "Service", f"{name}-preview")["spec"]["selector"] == {"app.kubernetes.io/name": name}
    assert only(given, "ExternalSecret")["metadata"]["name"] == f"{name}-secrets"


def test_what_make_slo_derives_can_be_deployed_with_it(project: Path, tmp_path: Path) -> None:
    service = Path(shutil.copytree(project, tmp_path / "orders"))
    written(service, outputs.made(parsed(SPECS["seed"].replace("orders", "web-orders")), "orders"))
    added = kustomize(service / "deploy/common", "edit", "add", "resource", "../../monitoring")
    given = objects(build(service, "production"))
    pods = only(given, "Deployment")["spec"]["template"]
    monitor = only(given, "PodMonitor")["spec"]

    assert added.status == 0, added.stderr
    assert monitor["selector"]["matchLabels"] == pods["metadata"]["labels"]
    assert monitor["podMetricsEndpoints"][0]["port"] == pods["spec"]["containers"][0]["ports"][0]["name"] == "http"
    assert only(given, "PrometheusRule")["metadata"]["namespace"] == "web-orders-production"
    assert check(service).status == 0


@pytest.mark.parametrize(
    ("failing", "expected"), [(3, [50.0]), (0, [0.0]), (None, [])], ids=["five percent", "none", "no requests"]
)
def test_a_rollout_is_judged_by_the_records_of_the_objectives(
    made: dict[str, str], tmp_path: Path, failing: int | None, expected: list[float]
) -> None:
    """An error budget of 0.1 % is used 50 times too fast when 5 % fail; without requests nothing is judged."""
    seed = SPECS["seed"].replace("orders", "web-orders")
    written(tmp_path, outputs.made(parsed(seed), "orders"))
    spec = only(objects(made["production-canary"]), "AnalysisTemplate")["spec"]
    given = {each["name"]: each.get("value", "web-orders") for each in spec["args"]}
    query = spec["metrics"][0]["provider"]["prometheus"]["query"]
    for name, value in given.items():
        query = query.replace("{{args." + name + "}}", value)
    count, bucket = (f'http_server_request_duration_seconds_{each}{{job="web-orders"' for each in ("count", "bucket"))
    series = {f'{count},http_response_status_code="200"}}': 57, f'{count},http_response_status_code="503"}}': failing}
    series[f'{bucket},http_response_status_code="200",le="0.3"}}'] = 57
    test = {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": f"0+{rate}x30"} for name, rate in series.items() if failing is not None
        ],
        "promql_expr_test": [
            {"expr": query, "eval_time": "20m", "exp_samples": [{"labels": "{}", "value": each} for each in expected]}
        ],
    }
    rules = [str(path) for path in sorted((tmp_path / "monitoring/prometheus/rules").glob("*.yaml"))]
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": rules, "tests": [test]}), "utf-8")
    promtool = ["promtool", "test", "rules", "test.yaml"]
    done = subprocess.run(promtool, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "{{" not in query
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_for_nais_asks_the_same_routes_and_grants_time_to_stop(project: Path) -> None:
    text = (project / "deploy/nais/app.yaml").read_text("utf-8")
    given = yaml.safe_load(text.replace("{{ image }}", "image").replace("{{ ingress }}", "https://orders.example.org"))
    spec = given["spec"]

    assert given["metadata"]["name"] == "web-orders"
    assert [spec[each]["path"] for each in ("startup", "liveness", "readiness")] == ["/livez", "/livez", "/readyz"]
    assert spec["ingresses"] == ["https://orders.example.org/v1"]
    assert spec["terminationGracePeriodSeconds"] > 5 + 5 + 20 + 3
    assert spec["filesFrom"] == [{"secret": "web-orders-secrets", "mountPath": "/run/secrets/app"}]
    assert spec["replicas"]["min"] >= 2

"""What is derived for the Prometheus operator: valid, strictly, and one kustomization brings it all."""

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ops.slo import outputs

from tests.debian import program
from tests.slo.specs import SPECS, availability, document, parsed, written

pytestmark = pytest.mark.slow

SCHEMAS = Path(__file__).with_name("crds")
PROBED = document(availability(), probe_url="https://orders.example.org/v1/x", job="shop-orders")
Objects = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's schemas and types, installed."""
    npm = shutil.which("npm")
    assert npm, "npm is not installed: apt-get install npm"
    folder = tmp_path_factory.mktemp("crds") / "schemas"
    shutil.copytree(SCHEMAS, folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run([npm, "ci"], cwd=folder, check=True, capture_output=True)
    return folder


def objects(text: str) -> Objects:
    """The derived objects by their kind."""
    derived = outputs.made(parsed(text), "orders")
    made = [yaml.safe_load(text) for path, text in derived.items() if path.startswith("monitoring/kubernetes/")]
    return {each["kind"]: each for each in made}


def complaints(schemas: Path, given: Objects) -> list[str]:
    """What the schemas say against values, and the types against keys that they do not know."""
    validate = ["node", "validate.js"]
    values = subprocess.run(
        validate, cwd=schemas, input=json.dumps(list(given.values())), capture_output=True, text=True, check=True
    )
    kinds = ", ".join(f"I{kind}" for kind in given)
    lines = [f'import type {{ {kinds} }} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";']
    lines += [f"export const the{kind}: I{kind} = {json.dumps(each)};" for kind, each in given.items()]
    (schemas / "objects.ts").write_text("\n".join(lines), "utf-8")
    types = subprocess.run(["npx", "tsc"], cwd=schemas, capture_output=True, text=True, check=False)
    return values.stdout.splitlines() + types.stdout.splitlines()


@pytest.mark.parametrize("text", [*SPECS.values(), PROBED], ids=[*SPECS, "probed"])
def test_the_operators_schemas_and_types_accept_every_object(schemas: Path, text: str) -> None:
    given = objects(text)

    assert {"PrometheusRule", "PodMonitor", "ServiceMonitor"} <= set(given)
    assert complaints(schemas, given) == []


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("PodMonitor", "spec", "podMetricsEndpoints", 0, "intervall"), "15s", "intervall"),
        (("ServiceMonitor", "spec", "endpoints", 0, "interval"), "15 parsecs", "must match pattern"),
        (("PrometheusRule", "spec", "groups", 0, "rules", 0, "exper"), "x", "exper"),
        (("Probe", "spec", "targets", "static"), [], "static"),
    ],
)
def test_they_would_refuse_a_mistake(schemas: Path, path: tuple[Any, ...], value: Any, expected: str) -> None:
    given: Any = copy.deepcopy(objects(PROBED))
    place = given
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    assert expected in "\n".join(complaints(schemas, given))


def test_the_job_is_what_the_queries_select() -> None:
    given = objects(PROBED)
    endpoints = given["PodMonitor"]["spec"]["podMetricsEndpoints"] + given["ServiceMonitor"]["spec"]["endpoints"]

    assert [each["relabelings"] for each in endpoints] == [[{"targetLabel": "job", "replacement": "shop-orders"}]] * 2
    assert given["Probe"]["spec"]["jobName"] == "orders-probe"
    assert 'up{job="shop-orders"}' in json.dumps(given["PrometheusRule"]).replace("\\", "")


@pytest.mark.parametrize(("text", "probes"), [(SPECS["seed"], 0), (PROBED, 1)], ids=["seed", "probed"])
def test_one_kustomization_brings_rules_monitor_probe_and_dashboards(text: str, probes: int, tmp_path: Path) -> None:
    written(tmp_path, outputs.made(parsed(text), "orders"))
    build: list[str | Path] = [program("kustomize", "kustomize"), "build", "monitoring"]
    built = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = [each["kind"] for each in yaml.safe_load_all(built.stdout)]

    assert built.returncode == 0, built.stderr
    assert sorted(found) == sorted(["ConfigMap", "PodMonitor", "PrometheusRule", *["Probe"] * probes])


def test_compose_yaml_is_valid_and_mounts_what_is_there(orders: Path) -> None:
    """Its images can't be had in a test; that the service's own is built and runs is told elsewhere."""
    compose = orders / "compose.yaml"
    checker = Path(sys.executable).with_name("check-jsonschema")
    check: list[str | Path] = [checker, "--builtin-schema", "vendor.compose-spec", compose]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    services = yaml.safe_load(compose.read_text("utf-8"))["services"]
    mounted = [volume.split(":")[0] for each in services.values() for volume in each.get("volumes", ())]
    ports = [port for each in services.values() for port in each.get("ports", ())]

    assert checked.returncode == 0, checked.stdout
    assert len(mounted) == 4
    assert [path for path in mounted if not (orders / path).is_dir()] == []
    assert all(port.startswith("127.0.0.1:") for port in ports)

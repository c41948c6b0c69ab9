"""Rendered services' manifests for the tests: built by the real kustomize, judged by the real schemas."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.debian import program
from tests.services import ROOT, Ended

ENVIRONMENTS = ("dev", "production", "staging")
COMPONENTS = ("blue-green", "canary", "certificate", "external-secret")
DIGEST = f"sha256:{'0' * 64}"
OWN = ("v1", "apps/v1", "autoscaling/v2", "networking.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1")
KUBERNETES_VALIDATE, CHECKOV = "kubernetes-validate==1.37.0", "checkov==3.3.30"
Objects = list[dict[str, Any]]


def kustomize(project: Path, *arguments: str | Path) -> Ended:
    """Run kustomize in a folder of the service."""
    command = [program("kustomize", "kustomize"), *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def build(project: Path, environment: str, *components: str) -> str:
    """An environment's manifests with these components, at a release's digest, as the pipeline renders them."""
    overlay = project / "deploy" / environment
    kept = (overlay / "kustomization.yaml").read_bytes()
    try:
        for name in components:
            added = kustomize(overlay, "edit", "add", "component", f"../../ops/kubernetes/components/{name}")
            assert added.status == 0, added.stderr
        image = f"service=registry.example.org/services/{project.name}@{DIGEST}"
        edited = kustomize(overlay, "edit", "set", "image", image)
        assert edited.status == 0, edited.stderr
        built = kustomize(project, "build", f"deploy/{environment}")
    finally:
        (overlay / "kustomization.yaml").write_bytes(kept)
    assert built.status == 0, built.stderr
    return built.stdout


def objects(text: str) -> Objects:
    """The objects in a text of YAML documents."""
    return [each for each in yaml.safe_load_all(text) if each]


def only(given: Objects, kind: str, name: str | None = None) -> dict[str, Any]:
    """The one object of this kind, and of this name if several are."""
    [found] = [each for each in given if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found


def tool(requirement: str, *arguments: str | Path, cwd: Path) -> Ended:
    """Run a command from the package index, in an environment of its own that uv keeps in its cache."""
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "tool", "run", "--quiet", "--from", requirement, requirement.partition("==")[0], *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(text: str, versions: Iterable[str], folder: Path) -> list[str]:
    """What Kubernetes' own schemas, unknown keys forbidden, say against the objects that are Kubernetes' own."""
    mine = [each for each in objects(text) if each["apiVersion"] in OWN]
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(mine), "utf-8")
    found: list[str] = []
    for version in versions:
        done = tool(KUBERNETES_VALIDATE, "-k", version, "--strict", "objects.yaml", cwd=folder)
        told = (done.stdout + done.stderr).splitlines()
        passed = [line for line in told if f"against version {version}" in line and " passed for resource " in line]
        found += [f"{version}: {line}" for line in told if line not in passed]
        if (done.status, len(passed)) != (0, len(mine)):
            found.append(f"{version}: {len(passed)} of {len(mine)} objects pass, exit status {done.status}")
    return found


def operators(folder: Path) -> Path:
    """The operators' schemas and types, installed into a folder."""
    npm = shutil.which("npm")
    assert npm, "npm is not installed: apt-get install npm"
    shutil.copytree(Path(__file__).with_name("operators"), folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run([npm, "ci"], cwd=folder, check=True, capture_output=True)
    return folder


def refused_by_operators(schemas: Path, given: Objects) -> list[str]:
    """What the operators' schemas say against values, and their types against keys that they do not know."""
    foreign = [each for each in given if each["apiVersion"] not in OWN]
    values = subprocess.run(
        ["node", "validate.js"], cwd=schemas, input=json.dumps(foreign), capture_output=True, text=True, check=True
    )
    types = subprocess.run(["npx", "tsc"], cwd=schemas, capture_output=True, text=True, check=False)
    return values.stdout.splitlines() + types.stdout.splitlines()


def check(project: Path, *arguments: str | Path) -> Ended:
    """`python -m ops.delivery check` in the service's folder, with the real kustomize on the path."""
    path = f"{program('kustomize', 'kustomize').parent}:{os.environ['PATH']}"
    command = [sys.executable, "-m", "ops.delivery", "check", *arguments]
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "template")}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)

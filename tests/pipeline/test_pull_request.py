"""The steps of the pull request's workflow, executed in a clean clone of a rendered service, as GitHub's runner would.

Real: make, uv, the tests, promtool, kustomize, Kubernetes' schemas, gitleaks, bandit, zizmor, pip-audit,
pip-licenses, the image and its smoke tests. Stand-ins: sudo and go, whose programs are there; the database of
vulnerabilities; the scanner of images.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.container_host import environment
from tests.debian import program
from tests.images import Release, build_flags, committed
from tests.pipeline.answering import answering
from tests.pipeline.github_tools import GitHub
from tests.pipeline.runner import Ran, Runner
from tests.services import clean_environment, free_port

pytestmark = pytest.mark.slow

WORKFLOW = "ops-check.yml"
# As providers' documents have it, put together here so that this file holds none.
SECRET = "AKIA" + "Z7Q2M4XW5T3B6LDK"


class Vulnerabilities(ThreadingHTTPServer):
    """A database of vulnerabilities in the form of OSV, which knows what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked: list[str] = []
        self.vulnerable = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/query"


class _Answering(BaseHTTPRequestHandler):
    server: Vulnerabilities

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        self.server.asked.append(name)
        affected = {
            "package": {"name": name, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}],
        }
        known = {
            "id": "GHSA-made-up-0001",
            "summary": "made up",
            "affected": [affected],
            "modified": "2026-01-01T00:00:00Z",
        }
        content = json.dumps({"vulns": [known]} if name == self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def vulnerabilities() -> Iterator[Vulnerabilities]:
    with answering(Vulnerabilities()) as server:
        yield server


@pytest.fixture(scope="module")
def runner(
    github: GitHub, first: Release, vulnerabilities: Vulnerabilities, tmp_path_factory: pytest.TempPathFactory
) -> Runner:
    """A clean clone of the service, and a runner's programs."""
    folder = tmp_path_factory.mktemp("pull-request")
    subprocess.run(["git", "clone", "--quiet", first.project, folder / "clone"], check=True)
    for planted in (".env", "src/orders/.env", "src/orders/tls.key", "config/production.yaml", "id_rsa"):
        (folder / "clone" / planted).unlink(missing_ok=True)
    committed(folder / "clone", "without what was planted")
    port = free_port()
    engine = {name: value for name, value in environment().items() if name.startswith("CONTAINERS_")}
    variables = {
        **engine,
        "BUILD_FLAGS": " ".join(build_flags()),
        "SMOKE_PORT": str(port),
        "RUN_FLAGS": f"--env APP_HOST=127.0.0.1 --env APP_PORT={port}",
        "AUDIT_FLAGS": f"--vulnerability-service osv --osv-url {vulnerabilities.url}",
    }
    made = Runner(github, folder / "clone", folder / "runner", variables)
    made.stand_in("docker", '#!/bin/sh\nexec podman "$@"\n')
    made.stand_in("sudo", "#!/bin/sh\nexit 0\n")
    go = folder / "go"
    (go / "bin").mkdir(parents=True)
    (go / "bin/gitleaks").symlink_to(program("gitleaks", "gitleaks"))
    made.stand_in("go", f'#!/bin/sh\n[ "$1" != env ] || echo {go}\n')
    made.stand_in("grype", f'#!/bin/sh\necho "$@" >{folder / "grype"}\n')
    made.real("kustomize", program("kustomize", "kustomize"))
    return made


def run(runner: Runner, job: str) -> Ran:
    return runner.run(WORKFLOW, job, actions={"anchore/scan-action/download-grype": {"cmd": "grype"}})


def test_install_check_and_test(runner: Runner) -> None:
    ran = run(runner, "check")

    assert ran.failed == [], ran.told()
    assert "TOTAL" in ran.step("make test").output


def test_then_make_readiness_looks_and_the_gate_of_dev_is_open(runner: Runner) -> None:
    """After a real `make test` no row is red, dev's gate is passed, and production's waits for people to sign."""
    environment = clean_environment(PATH=f"{runner.folder / 'bin'}:{os.environ['PATH']}")
    environment.pop("MAKEFLAGS", None)
    look = subprocess.run(
        ["make", "readiness", "GATE=production"],
        cwd=runner.project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert look.returncode != 0
    assert "FAIL" not in look.stdout
    assert "Gate dev        passed" in look.stdout
    assert "Gate production closed" in look.stdout


def test_rules_and_manifests(runner: Runner) -> None:
    rules, manifests = run(runner, "rules"), run(runner, "manifests")

    assert rules.failed + manifests.failed == [], rules.told() + manifests.told()
    assert "SUCCESS" in rules.step("make slo-test").output
    assert "objects are valid for Kubernetes 1.37, 1.36, 1.35" in manifests.step("make manifests-schema").output


def test_a_service_that_is_deployed_in_another_way_passes_without_manifests(runner: Runner, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", runner.project, tmp_path / "clone"], check=True)
    (tmp_path / "clone/.venv").symlink_to(runner.project / ".venv")
    for gone in ("deploy", "slo.yaml", "monitoring"):
        subprocess.run(["git", "rm", "--quiet", "-r", gone], cwd=tmp_path / "clone", check=True)
    other = Runner(runner.github, tmp_path / "clone", tmp_path / "runner", runner.variables)
    other.stand_in("sudo", "#!/bin/sh\nexit 0\n")
    skipped = [run(other, job).steps[-1].outcome for job in ("rules", "manifests")]

    assert skipped == ["skipped", "skipped"]


def test_scans_of_secrets_code_and_licences_find_nothing(runner: Runner) -> None:
    secrets, code, dependencies = (run(runner, job) for job in ("secrets", "code", "dependencies"))

    assert secrets.failed + code.failed + dependencies.failed == [], secrets.told() + code.told() + dependencies.told()
    assert "no leaks found" in secrets.step("make scan-secrets").output
    assert "| fastapi" in dependencies.summary
    assert "| mypy" not in dependencies.summary


def test_a_secret_in_any_commit_is_found_though_a_later_one_has_removed_it(runner: Runner, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", runner.project, tmp_path / "clone"], check=True)
    for text in (f'KEY = "{SECRET}"\n', "KEY = None\n"):
        (tmp_path / "clone/src/orders/keys.py").write_text(text, "utf-8")
        committed(tmp_path / "clone", "keys")
    planted = Runner(runner.github, tmp_path / "clone", runner.folder, runner.variables)
    ran = run(planted, "secrets")

    assert ran.failed == [ran.steps[-1].name]
    assert SECRET not in ran.told()


def test_a_vulnerable_dependency_and_one_that_nobody_knows_of_fail(
    runner: Runner, vulnerabilities: Vulnerabilities
) -> None:
    vulnerabilities.vulnerable = "structlog"
    ran = run(runner, "dependencies")
    vulnerabilities.vulnerable = ""

    assert ran.failed == ["make scan-dependencies"]
    assert "GHSA-made-up-0001" in ran.step("make scan-dependencies").output
    assert {"fastapi", "uvicorn", "orjson"} <= set(vulnerabilities.asked)
    assert "mypy" not in vulnerabilities.asked


def test_a_mistake_of_security_in_the_code_fails(runner: Runner, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", runner.project, tmp_path / "clone"], check=True)
    (tmp_path / "clone/.venv").symlink_to(runner.project / ".venv")
    (tmp_path / "clone/.tools").symlink_to(runner.project / ".tools")
    (tmp_path / "clone/src/orders/cache.py").write_text("import pickle\n\npickle.loads(b'')\n", "utf-8")
    planted = Runner(runner.github, tmp_path / "clone", tmp_path / "runner", runner.variables)
    planted.stand_in("true", "")
    done = subprocess.run(["make", "scan-code"], cwd=planted.project, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "B301" in done.stdout


def test_a_licence_that_is_refused_fails(runner: Runner) -> None:
    command = ["make", "scan-licences", "LICENCES_REFUSED=Apache"]
    done = subprocess.run(command, cwd=runner.project, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "Apache" in done.stdout + done.stderr


def test_the_image_is_built_started_as_in_production_and_smoke_tested(runner: Runner, first: Release) -> None:
    ran = run(runner, "image")
    asked = (runner.folder.parent / "grype").read_text("utf-8")

    assert ran.failed == [], ran.told()
    assert "smoke tests passed" in ran.step("make image-smoke").output
    assert asked.split() == ["--quiet", "--fail-on", "high", "--only-fixed", f"{first.image.partition(':')[0]}:0.1.0"]

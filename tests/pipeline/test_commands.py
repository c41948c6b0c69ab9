"""What the commands of a release refuse, what they ask of a cluster, and what they say. kubectl is a stand-in."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.debian import program
from tests.services import ROOT, render
from tests.updates import commit, git

IMAGE = f"registry.example.org/services/orders@sha256:{'a' * 64}"
OTHER = f"registry.example.org/services/orders@sha256:{'b' * 64}"
# Answers by what is asked, from files; remembers its arguments and what it was given.
KUBECTL = """#!/bin/sh
echo "$*" >>"$STATE/calls"
case "$*" in
  *apply*) cat >"$STATE/applied"; cat "$STATE/apply" 2>/dev/null; [ ! -f "$STATE/refuse" ] ;;
  *" get "*) cat "$STATE/get" 2>/dev/null || true ;;
  *--watch=false*) head -n 1 "$STATE/phases"; sed -i 1d "$STATE/phases" ;;
  *undo*)
    [ ! -f "$STATE/first" ] || { echo "error: no rollout history found" >&2; exit 1; }
    cp "$STATE/before" "$STATE/get" ;;
  *port-forward*) echo "Forwarding from 127.0.0.1:45678 -> 8000"; exec sleep 60 ;;
esac
"""


class World:
    """A rendered service and a stand-in for kubectl."""

    def __init__(self, service: Path, folder: Path) -> None:
        self.service, self.state = service, folder / "state"
        (folder / "bin").mkdir(parents=True)
        self.state.mkdir()
        kubectl = folder / "bin/kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        (folder / "bin/kustomize").symlink_to(program("kustomize", "kustomize"))
        self.path = f"{folder / 'bin'}:/usr/bin:/bin"

    def runs(self, image: str, name: str = "get") -> None:
        """What the cluster says that runs, or what ran before."""
        containers = {"containers": [{"name": "proxy", "image": "x"}, {"name": "app", "image": image}]}
        (self.state / name).write_text(json.dumps({"spec": {"template": {"spec": containers}}}))

    def run(self, *arguments: str, path: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "PATH": path or self.path, "STATE": str(self.state)}
        environment["PYTHONPATH"] = str(ROOT / "template")
        command = [sys.executable, "-m", "ops.delivery", *arguments]
        return subprocess.run(
            command, cwd=self.service, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def calls(self) -> list[str]:
        file = self.state / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="module")
def service(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(source, tmp_path_factory.mktemp("commands") / "orders")


@pytest.fixture
def world(service: Path, tmp_path: Path) -> World:
    return World(service, tmp_path)


def test_deploy_applies_the_manifests_with_the_image_waits_and_leaves_deploy_as_it_was(world: World) -> None:
    world.runs(OTHER)
    before = sorted(path.name for path in (world.service / "deploy").iterdir())
    done = world.run("deploy", "production", IMAGE, "--outputs", str(world.state / "outputs"), "--timeout", "90")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"production: orders runs {IMAGE}; before: {OTHER}\n"
    assert f"image: {IMAGE}\n" in (world.state / "applied").read_text()
    assert (world.state / "outputs").read_text().splitlines() == [f"before={OTHER}", f"after={IMAGE}"]
    assert world.calls() == [
        "--namespace orders-production get deployment/orders --output json --ignore-not-found",
        "apply --filename -",
        "--namespace orders-production rollout status deployment/orders --timeout=90s",
    ]
    assert sorted(path.name for path in (world.service / "deploy").iterdir()) == before


def test_the_first_deployment_of_all_says_that_nothing_ran_before(world: World) -> None:
    done = world.run("deploy", "dev", IMAGE)

    assert done.stdout == f"dev: orders runs {IMAGE}; before: nothing\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy", "production", "registry.example.org/services/orders:1.4.0"], "names no digest: write NAME@sha256:"),
        (["deploy", "production", "sha256:abc"], "names no digest"),
        (["deploy", "prod", IMAGE], "environment 'prod' is not in deploy/: there are dev, production, staging"),
        (["deploy", "common", IMAGE], "environment 'common' is not in deploy/"),
        (["deploy", "../deploy/dev", IMAGE], "environment '../deploy/dev' is not in deploy/"),
        (["deploy", "dev", IMAGE.replace("orders", "other")], "its image is registry.example.org/services/orders"),
        (["rollback", "production", "--from", "latest"], "image 'latest' names no digest"),
    ],
)
def test_what_is_refused_is_one_line_and_asks_nothing_of_the_cluster(
    world: World, arguments: list[str], said: str
) -> None:
    done = world.run(*arguments)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert world.calls() == []


def test_without_kubectl_it_says_where_to_get_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only/kustomize").symlink_to(program("kustomize", "kustomize"))
    done = world.run("deploy", "dev", IMAGE, path=str(tmp_path / "only"))

    assert done.returncode == 2
    assert done.stderr.startswith("kubectl is not installed: https://")


def test_a_rollback_goes_back_one_revision_and_tells_both(world: World) -> None:
    world.runs(IMAGE)
    world.runs(OTHER, "before")
    done = world.run("rollback", "production", "--from", IMAGE)

    assert done.stdout == f"production: back from {IMAGE} to {OTHER}\n"
    assert "--namespace orders-production rollout undo deployment/orders" in world.calls()


def test_a_rollback_from_what_never_ran_does_nothing(world: World) -> None:
    world.runs(OTHER)
    done = world.run("rollback", "production", "--from", IMAGE)

    assert done.returncode == 0
    assert "was never there, so nothing was taken back" in done.stdout
    assert not [call for call in world.calls() if "undo" in call]


def test_a_rollback_where_there_is_nothing_before_fails_and_says_so(world: World) -> None:
    empty = world.run("rollback", "production")
    world.runs(IMAGE)
    (world.state / "first").touch()
    first = world.run("rollback", "production")

    assert (empty.returncode, first.returncode) == (1, 1)
    assert "nothing runs there" in empty.stderr
    assert "no rollout history found" in first.stderr


def test_a_command_reaches_the_service_and_its_status_is_passed_on(world: World) -> None:
    code = "import sys; print(sys.argv[1]); sys.exit(7)"
    done = world.run("reach", "staging", "--", sys.executable, "-c", code, "at {url}/x")

    assert (done.returncode, done.stdout) == (7, "at http://127.0.0.1:45678/x\n")
    assert world.calls() == ["--namespace orders-staging port-forward --address=127.0.0.1 service/orders :80"]


@pytest.mark.parametrize(
    ("component", "phases", "status"),
    [
        ("canary", ["Progressing - more replicas", "Healthy"], 0),
        ("canary", ["Progressing", "Degraded - RolloutAborted: metric burn-rate assessed Failed"], 1),
        ("blue-green", ["Progressing", "Paused - BlueGreenPause"], 0),
    ],
)
def test_a_rollout_is_waited_for_by_its_phase(
    source: Path, tmp_path: Path, component: str, phases: list[str], status: int
) -> None:
    service = with_component(render(source, tmp_path / "orders"), component)
    world = World(service, tmp_path / "world")
    (world.state / "phases").write_text("\n".join(phases) + "\n")
    done = world.run("deploy", "production", IMAGE)

    assert done.returncode == status, done.stderr
    assert ("Degraded - RolloutAborted" in done.stderr) == bool(status)
    assert "rollout.argoproj.io/orders" in world.calls()[0]


def with_component(service: Path, component: str) -> Path:
    """The service with this component in production."""
    file = service / "deploy/production/kustomization.yaml"
    added = f"components:\n  - ../../ops/kubernetes/components/{component}\n\nimages:\n"
    file.write_text(file.read_text("utf-8").replace("images:\n", added, 1), "utf-8")
    return service


def test_blue_green_is_smoke_tested_at_its_preview_and_then_promoted(source: Path, tmp_path: Path) -> None:
    service = with_component(render(source, tmp_path / "orders"), "blue-green")
    world = World(service, tmp_path / "world")
    (world.state / "phases").write_text("Healthy\n")
    world.run("reach", "production", "--", "true")
    promoted = world.run("promote", "production")

    assert promoted.returncode == 0, promoted.stderr
    assert "service/orders-preview :80" in world.calls()[0]
    assert "argo rollouts --namespace orders-production promote orders" in world.calls()


def test_a_deployment_needs_no_promotion(world: World) -> None:
    assert world.run("promote", "staging").stdout == "staging: a Deployment needs no promotion\n"
    assert world.calls() == []


REPORT = {"commit": "abc", "gates": {"production": {"passed": True}}}
APPROVED = {"state": "approved", "comment": "", "user": {"login": "kari"}, "environments": [{"name": "production"}]}


@pytest.mark.parametrize(
    ("approvals", "said"),
    [
        ([], "nobody has approved"),
        ([{**APPROVED, "state": "rejected"}], "nobody has approved"),
        ([{**APPROVED, "environments": [{"name": "staging"}]}], "nobody has approved"),
        ({"message": "Not Found"}, "must be the list of a run's approvals"),
    ],
)
def test_without_an_approval_of_this_environment_there_is_no_sign_off(
    world: World, tmp_path: Path, approvals: object, said: str
) -> None:
    done = sign_off(world, tmp_path, approvals, REPORT)

    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "sign-off.json").exists()


def test_a_sign_off_names_the_report_by_its_checksum_and_needs_one(world: World, tmp_path: Path) -> None:
    done = sign_off(world, tmp_path, [APPROVED], REPORT)
    refused = sign_off(world, tmp_path, [APPROVED], {"state": "anything"})
    record = json.loads((tmp_path / "sign-off.json").read_text("utf-8"))

    assert done.returncode == 0, done.stderr
    content = json.dumps(REPORT).encode()
    assert record["readiness"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert "is no readiness report: make readiness GATE=production" in refused.stderr


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({**REPORT, "gates": {"production": {"passed": False}}}, "the gate production is closed"),
        ({**REPORT, "gates": {"staging": {"passed": True}}}, "the gate production is closed"),
        ({**REPORT, "commit": "other"}, "is of commit other, not of abc"),
        ({**REPORT, "gates": {}}, "is no readiness report"),
    ],
)
def test_nothing_is_signed_off_on_a_closed_gate_or_on_the_report_of_another_commit(
    world: World, tmp_path: Path, report: object, said: str
) -> None:
    done = sign_off(world, tmp_path, [APPROVED], report)

    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "sign-off.json").exists()


def test_an_environment_that_there_is_not_and_a_file_that_cannot_be_written_are_told(
    world: World, tmp_path: Path
) -> None:
    for name, content in (("a.json", [APPROVED]), ("r.json", REPORT)):
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    given = ["--version=1", "--commit=abc", f"--readiness={tmp_path / 'r.json'}", f"--approvals={tmp_path / 'a.json'}"]
    unknown = world.run("sign-off", *given, f"--to={tmp_path / 'out'}", "nowhere", IMAGE)
    unwritable = world.run("sign-off", *given, "--to=/proc/x", "production", IMAGE)

    assert "environment 'nowhere' is not in deploy/" in unknown.stderr
    assert unwritable.stderr.startswith("/proc/x: can't be written")


def sign_off(world: World, folder: Path, approvals: object, report: object) -> "subprocess.CompletedProcess[str]":
    (folder / "approvals.json").write_text(json.dumps(approvals), "utf-8")
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    options = {"version": "1.4.0", "commit": "abc", "readiness": folder / "report.json", "to": folder / "sign-off.json"}
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return world.run("sign-off", *given, "--approvals", str(folder / "approvals.json"), "production", IMAGE)


def test_a_tag_must_be_the_version_of_a_commit_that_was_built(source: Path, tmp_path: Path) -> None:
    service = render(source, tmp_path / "orders")
    git(service, "init", "--quiet", "--initial-branch=main")
    commit(service, "begin")
    world = World(service, tmp_path / "world")
    right, wrong = world.run("release-check", "v0.1.0"), world.run("release-check", "v0.2.0")
    git(service, "switch", "--quiet", "--create", "feature")
    commit(service, "not merged")
    unmerged = world.run("release-check", "v0.1.0")
    git(service, "branch", "--move", "hotfix/0.1.1")
    hotfix = world.run("release-check", "v0.1.0")

    assert [each.returncode for each in (right, wrong, unmerged, hotfix)] == [0, 1, 1, 0]
    assert "pyproject.toml says version 0.1.0" in wrong.stderr
    assert "this commit is on none of the branches main, hotfix/**" in unmerged.stderr

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
THIRD = f"registry.example.org/services/orders@sha256:{'c' * 64}"
# Answers by what is asked, from files; remembers its arguments and what it was given.
KUBECTL = """#!/bin/sh
echo "$*" >>"$STATE/calls"
case "$*" in
  *apply*)
    cat >"$STATE/applied"; cat "$STATE/apply" 2>/dev/null
    [ ! -f "$STATE/after" ] || cp "$STATE/after" "$STATE/get"
    [ ! -f "$STATE/refuse" ] ;;
  *"get rollout"*) head -n 1 "$STATE/phases"; sed -i 1d "$STATE/phases" ;;
  *"get replicasets"*) cat "$STATE/replicasets" ;;
  *"get service/"*) cat "$STATE/service" ;;
  *"get pods"*) cat "$STATE/pods" ;;
  *" get "*) cat "$STATE/get" 2>/dev/null || true ;;
  *annotate*) [ ! -f "$STATE/unmarked" ] || { echo "Error from server (Forbidden)" >&2; exit 1; } ;;
  *port-forward*) echo "Forwarding from 127.0.0.1:45678 -> 8000"; exec sleep 60 ;;
esac
"""
REVISION = "deployment.kubernetes.io/revision"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LABELS = {"app.kubernetes.io/name": "orders"}


def pods(image: str, **more: object) -> dict[str, object]:
    """A workload's template."""
    main = {"name": "app", "image": image, **more}
    return {
        "metadata": {"labels": {**LABELS, "pod-template-hash": "5d4f"}},
        "spec": {"containers": [{"name": "proxy", "image": "x"}, main]},
    }


def replicaset(
    number: int, image: str, *, owner: str = "orders", taken_back: bool = False, **more: object
) -> dict[str, object]:
    marks = {"delivery.ops/taken-back": "true"} if taken_back else {}
    owners = [{"kind": "Deployment", "name": owner}]
    metadata = {"name": f"{owner}-{number}", "annotations": {REVISION: str(number), **marks}, "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"template": pods(image, **more)}}


def pod(name: str, created: str, *, ready: bool = True, ending: bool = False) -> dict[str, object]:
    metadata = {"name": name, "creationTimestamp": created, **({"deletionTimestamp": created} if ending else {})}
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    containers = [{"name": "app", "ports": [{"name": "http", "containerPort": 8000}]}]
    return {"metadata": metadata, "spec": {"containers": containers}, "status": status}


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

        self.has("service", {"spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": "http"}]}})
        self.has("pods", {"items": [pod("orders-new", "2026-11-30T10:00:00Z")]})
        self.has("replicasets", {"items": []})

    def has(self, name: str, document: object) -> None:
        """What the cluster answers."""
        (self.state / name).write_text(json.dumps(document))

    def runs(self, image: str, name: str = "get", revision: int = 3) -> None:
        """What the cluster says that runs, or what will."""
        applied = {
            "kind": "Deployment",
            "metadata": {"name": "orders"},
            "spec": {"minReadySeconds": 5, "template": pods(image)},
        }
        metadata = {"name": "orders", "annotations": {REVISION: str(revision), APPLIED: json.dumps(applied)}}
        spec = {"selector": {"matchLabels": LABELS}, "template": pods(image)}
        self.has(name, {"kind": "Deployment", "metadata": metadata, "spec": spec})

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
    assert (world.state / "outputs").read_text().splitlines() == [
        f"before={OTHER}",
        "revision=3",
        f"after={IMAGE}",
    ]
    assert world.calls() == [
        "--namespace orders-production get deployment/orders --ignore-not-found --output json",
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


def test_a_rollback_applies_the_pods_of_the_revision_before_and_remembers_what_it_has_left(world: World) -> None:
    world.runs(IMAGE)
    world.runs(OTHER, "after", 4)
    older = replicaset(2, OTHER, env=[{"name": "X", "value": "of the older one"}])
    world.has("replicasets", {"items": [replicaset(3, IMAGE), older, replicaset(9, THIRD, owner="other")]})
    done = world.run("rollback", "production", "--from", IMAGE, "--unless", "2")
    applied = json.loads((world.state / "applied").read_text())

    assert done.stdout == f"production: back from {IMAGE} to {OTHER}\n", done.stderr
    assert applied["spec"]["minReadySeconds"] == 5
    assert applied["spec"]["template"]["metadata"]["labels"] == LABELS
    assert applied["spec"]["template"]["spec"] == older["spec"]["template"]["spec"]  # type: ignore[index]
    mark = "replicaset/orders-3 delivery.ops/taken-back=true"
    assert world.calls()[1:] == [
        "--namespace orders-production get replicasets --selector app.kubernetes.io/name=orders --output json",
        "apply --filename -",
        f"--namespace orders-production annotate --overwrite {mark}",
        "--namespace orders-production rollout status deployment/orders --timeout=600s",
        "--namespace orders-production get deployment/orders --ignore-not-found --output json",
    ]


@pytest.mark.parametrize(
    ("revisions", "options", "to"),
    [
        ([replicaset(5, IMAGE), replicaset(4, OTHER, taken_back=True), replicaset(2, THIRD)], [], THIRD),
        ([replicaset(5, IMAGE), replicaset(4, IMAGE), replicaset(2, THIRD)], [], THIRD),
        ([replicaset(5, IMAGE), replicaset(4, OTHER, taken_back=True), replicaset(2, THIRD)], ["--to", "4"], OTHER),
    ],
    ids=["one that was taken back is passed over", "so is a restart", "unless it is named"],
)
def test_where_a_rollback_goes(world: World, revisions: list[object], options: list[str], to: str) -> None:
    world.runs(IMAGE, revision=5)
    world.has("replicasets", {"items": revisions})
    world.run("rollback", "production", *options)

    assert f'"image": "{to}"' in (world.state / "applied").read_text()


@pytest.mark.parametrize("options", [["--from", THIRD], ["--unless", "3"]])
def test_a_rollback_of_a_deployment_that_has_changed_nothing_does_nothing(world: World, options: list[str]) -> None:
    world.runs(OTHER)
    done = world.run("rollback", "production", *options)

    assert done.returncode == 0
    assert "has changed nothing, so nothing was taken back" in done.stdout
    assert len(world.calls()) == 1


def test_a_mark_that_can_not_be_made_is_told_and_stops_nothing(world: World) -> None:
    world.runs(IMAGE)
    world.has("replicasets", {"items": [replicaset(3, IMAGE), replicaset(2, OTHER)]})
    (world.state / "unmarked").touch()
    done = world.run("rollback", "production")

    assert done.returncode == 0
    assert "a later rollback may come back to revision 3: kubectl" in done.stderr


def test_a_rollback_that_has_nowhere_to_go_fails_and_says_so(world: World) -> None:
    empty = world.run("rollback", "production")
    world.runs(IMAGE)
    world.has("replicasets", {"items": [replicaset(3, IMAGE), replicaset(2, OTHER, taken_back=True)]})
    first, unknown = world.run("rollback", "production"), world.run("rollback", "production", "--to", "7")
    wrong = world.run("rollback", "production", "--to", "v7")

    assert [each.returncode for each in (empty, first, unknown, wrong)] == [1, 1, 1, 2]
    assert "nothing runs there" in empty.stderr
    assert (
        f"no revision before with another image to go back to; there are 3 ({IMAGE}), 2 ({OTHER}, taken back)"
        in first.stderr
    )
    assert "there is no revision 7 to go back to" in unknown.stderr
    assert "'v7' is no revision: write a number" in wrong.stderr
    assert "apply --filename -" not in world.calls()


def test_a_command_reaches_the_service_and_its_status_is_passed_on(world: World) -> None:
    code = "import sys; print(sys.argv[1]); sys.exit(7)"
    done = world.run("reach", "staging", "--", sys.executable, "-c", code, "at {url}/x")

    assert (done.returncode, done.stdout) == (7, "at http://127.0.0.1:45678/x\n")
    assert world.calls()[-1] == "--namespace orders-staging port-forward --address=127.0.0.1 pod/orders-new :8000"


def test_a_way_leads_to_the_newest_instance_that_is_ready_and_not_ending(world: World) -> None:
    old, new = "2026-11-30T09:00:00Z", "2026-11-30T10:00:00Z"
    starting = pod("starting", "2026-11-30T11:00:00Z", ready=False)
    world.has("pods", {"items": [pod("ending", new, ending=True), pod("old", old), pod("new", new), starting]})
    world.run("reach", "staging", "--", "true")

    assert "pod/new :8000" in world.calls()[-1]


def phase(name: str, message: str = "", observed: int = 2) -> str:
    """A Rollout as the cluster has it."""
    status = {"observedGeneration": str(observed), "phase": name, "message": message}
    return json.dumps({"metadata": {"generation": 2}, "status": status})


@pytest.mark.parametrize(
    ("component", "phases", "status"),
    [
        ("canary", [phase("Progressing", "more replicas"), phase("Healthy")], 0),
        ("canary", [phase("Healthy", observed=1), phase("Degraded", "RolloutAborted: metric burn-rate: Failed")], 1),
        ("blue-green", [phase("Progressing"), phase("Paused", "BlueGreenPause")], 0),
    ],
)
def test_a_rollout_is_waited_for_by_its_phase(
    source: Path, tmp_path: Path, component: str, phases: list[str], status: int
) -> None:
    service = with_component(render(source, tmp_path / "orders"), component)
    world = World(service, tmp_path / "world")
    (world.state / "phases").write_text("\n".join(["{}", *phases]) + "\n")
    done = world.run("deploy", "production", IMAGE)

    assert done.returncode == status, done.stderr
    assert ("Degraded - RolloutAborted" in done.stderr) == bool(status)
    assert "rollout.argoproj.io/orders" in world.calls()[0]
    assert not [call for call in world.calls() if "argo rollouts" in call]  # its plugin need not be installed


def with_component(service: Path, component: str) -> Path:
    """The service with this component in production."""
    file = service / "deploy/production/kustomization.yaml"
    added = f"components:\n  - ../../ops/kubernetes/components/{component}\n\nimages:\n"
    file.write_text(file.read_text("utf-8").replace("images:\n", added, 1), "utf-8")
    return service


def test_blue_green_is_smoke_tested_at_its_preview_and_then_promoted(source: Path, tmp_path: Path) -> None:
    service = with_component(render(source, tmp_path / "orders"), "blue-green")
    world = World(service, tmp_path / "world")
    (world.state / "phases").write_text(phase("Healthy") + "\n")
    world.run("reach", "production", "--", "true")
    promoted = world.run("promote", "production")

    assert promoted.returncode == 0, promoted.stderr
    assert "get service/orders-preview" in world.calls()[0]
    patch = '--subresource=status --type=merge --patch {"status": {"pauseConditions": null}}'
    assert f"--namespace orders-production patch rollout.argoproj.io/orders {patch}" in world.calls()


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


def test_a_tag_is_checked_where_only_pyyaml_is_installed(source: Path, tmp_path: Path) -> None:
    """As in the job of GitLab's pipeline that finds the image."""
    service = render(source, tmp_path / "orders")
    code = "import sys; sys.modules['httpx2'] = None; import runpy; sys.argv[1:] = ['release-check', 'v0.1.0']; "
    git(service, "init", "--quiet", "--initial-branch=main")
    commit(service, "begin")
    done = subprocess.run(
        [sys.executable, "-c", code + "runpy.run_module('ops.delivery', run_name='__main__')"],
        cwd=service,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr

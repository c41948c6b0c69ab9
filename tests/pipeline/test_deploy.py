"""The steps of the deployment run for real: their verbs, smoke and load tests, against containers behind a proxy.

A stand-in for kubectl rolls the containers out; Alertmanager and Prometheus are stand-ins, too.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import containers, images
from tests.debian import program
from tests.images import Release
from tests.pipeline.answering import answering
from tests.pipeline.cluster import Cluster, cluster
from tests.pipeline.github_tools import GitHub
from tests.pipeline.runner import Ran, Runner
from tests.rollout import Traffic
from tests.services import TOKEN

pytestmark = pytest.mark.slow

PATH = "/v1/vat-rates/NO"
OLD, NEW = '{"country": "NO", "percent": 25}', '{"country": "NO", "percent": 26}'
NAME = "registry.example.org/services/orders"
APPROVED = [
    {"state": "approved", "comment": "ship it", "environments": [{"name": "production"}], "user": {"login": "kari"}}
]


def reference(release: Release) -> str:
    """An image's name with its digest, as a registry would tell it."""
    digest = containers.done("image", "inspect", "--format", "{{.Digest}}", release.image)
    return f"{NAME}@{digest}"


@pytest.fixture(scope="module")
def good(first: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The next release, with a change that its smoke tests know of."""
    project = images.changed(first, tmp_path_factory.mktemp("good"), "src/orders/routes.py", '"NO": 25', '"NO": 26')
    file = project / "smoke.yaml"
    file.write_text(file.read_text("utf-8").replace("percent: 25", "percent: 26").replace("74.63", "75.22"), "utf-8")
    return images.released(project, "1.3.0")


@pytest.fixture(scope="module")
def wrong(first: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that starts, and answers wrongly: its smoke tests still say 25."""
    project = images.changed(first, tmp_path_factory.mktemp("wrong"), "src/orders/routes.py", '"NO": 25', '"NO": 24')
    return images.released(project, "1.3.1")


@pytest.fixture(scope="module")
def unready(first: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that never gets ready."""
    check = "\n\n    async def stock() -> bool:\n        return False\n\n    checks = [Check('stock', stock)]"
    folder = tmp_path_factory.mktemp("unready")
    project = images.changed(first, folder, "src/orders/app.py", "checks: list[Check] = []", check)
    return images.released(project, "1.3.2")


class Watchers(ThreadingHTTPServer):
    """Alertmanager and Prometheus in one: remembers what it was asked, and fires if it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Watching)
        self.asked: list[str] = []
        self.fires = False
        self.fired_before = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Watching(BaseHTTPRequestHandler):
    server: Watchers

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(f"POST {self.path}")
        if self.path == "/api/v2/silences":
            self._answer({"silenceID": "0" * 8 + "-0000-0000-0000-" + "0" * 12})
            return
        labels = {"alertname": "AvailabilityErrorBudgetBurn", "long_window": "1h", "short_window": "5m"}
        known = "objective" in body or (self.server.fires and ("time=" not in body or self.server.fired_before))
        self._answer({"status": "success", "data": {"result": [{"metric": labels}] if known else []}})

    def do_DELETE(self) -> None:
        self.server.asked.append(f"DELETE {self.path}")
        self._answer({})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def watchers() -> Iterator[Watchers]:
    with answering(Watchers()) as server:
        yield server


@pytest.fixture(scope="module")
def running(first: Release) -> Iterator[Cluster]:
    """A cluster in which the first release runs; each test leaves it so."""
    with cluster() as found:
        found.revisions.append(reference(first))
        found.deployed.roll_out(found.revisions[-1])
        yield found


@pytest.fixture
def again(running: Cluster, first: Release) -> Iterator[Cluster]:
    yield running
    running.refuse_apply = False
    if not running.deployed.runs(reference(first)):
        running.deployed.roll_out(reference(first))
    running.revisions[:] = [reference(first)]
    running.taken_back.clear()
    running.calls.clear()


def runner(github: GitHub, orders: Path, release: Release, found: Cluster, folder: Path) -> Runner:
    """A runner in the release's repository, with the tools of the installed service."""
    project = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", release.project, project], check=True)
    (project / ".venv").symlink_to(orders / ".venv")
    (project / ".tools").symlink_to(tools(orders), target_is_directory=True)
    made = Runner(github, project, folder / "runner", {"PYTHONPATH": str(project / "src")})
    made.stand_in("kubectl", found.program(sys.executable))
    made.real("kustomize", program("kustomize", "kustomize"))
    # What `make install` does is proved elsewhere; here the environment is that of the session.
    made.stand_in("make", f'#!/bin/sh\n[ "$1" = install ] && exit 0\nexec {shutil.which("make")} "$@"\n')
    made.stand_in("gh", f"#!/bin/sh\ncat <<'E'\n{json.dumps(APPROVED)}\nE\n")
    return made


def tools(orders: Path) -> Path:
    """A folder for tools beside the installed service, shared by all tests of a session."""
    folder = orders.parent / "orders-tools"
    folder.mkdir(exist_ok=True)
    return folder


def deploy(made: Runner, release: Release, version: str, watchers: Watchers, port: int, **inputs: Any) -> Ran:
    given = {
        "vars": {
            "URL": f"http://127.0.0.1:{port}",
            "ALERTMANAGER_URL": watchers.url,
            "PROMETHEUS_URL": watchers.url,
        },
        "secrets": {"KUBECONFIG": "the-configuration", "STATUS_TOKEN": TOKEN},
    }
    wanted = {
        "environment": "staging",
        "image": reference(release),
        "version": version,
        "watch-minutes": "0.05",
        **inputs,
    }
    return made.run("ops-deploy.yml", "deploy", inputs=wanted, given=given)


SMOKE_PUBLISHED = "Smoke tests, where users reach it"


def test_a_good_release_is_deployed_tried_and_loaded_and_no_request_fails(
    github: GitHub, orders: Path, first: Release, good: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    made = runner(github, orders, good, again, tmp_path)
    gateway(made.project)
    load = made.project / "load.yaml"
    load.write_text(
        load.read_text("utf-8").replace("seconds: 10", "seconds: 2").replace("seconds: 20", "seconds: 2"), "utf-8"
    )
    load.write_text(load.read_text("utf-8").replace("74.63", "75.22"), "utf-8")
    with Traffic(again.deployed.proxy.port, PATH) as traffic:
        ran = deploy(made, good, "1.3.0", watchers, again.deployed.proxy.port, load=True)

    assert ran.failed == [], ran.told()
    assert not {"Take it back", "Smoke tests of what runs again"} & set(ran.made)
    assert {"Load test", "Watch the burn rate", SMOKE_PUBLISHED} <= set(ran.made)
    assert ran.outputs == {"before": reference(first)}
    assert traffic.failures == []
    assert set(traffic.answers) == {OLD, NEW}
    assert again.revisions[-1] == reference(good)
    assert "load test passed" in ran.step("Load test").output
    assert [each.split("?")[0] for each in watchers.asked if "silence" in each] == [
        "POST /api/v2/silences",
        "DELETE /api/v2/silence/00000000-0000-0000-0000-000000000000",
    ]


def gateway(project: Path) -> None:
    """The proxy of these tests publishes all paths: what must not be published can't be asked for here."""
    file = project / "smoke.yaml"
    skipped = "skip: {not-published: this proxy publishes all, documentation: as this}\n"
    file.write_text(file.read_text("utf-8") + "\n" + skipped, "utf-8")


def test_a_release_that_fails_its_smoke_tests_is_taken_back_and_what_was_there_passes(
    github: GitHub, orders: Path, first: Release, wrong: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    made = runner(github, orders, wrong, again, tmp_path)
    with Traffic(again.deployed.proxy.port, PATH) as traffic:
        ran = deploy(made, wrong, "1.3.1", watchers, again.deployed.proxy.port)

    assert ran.failed == ["Smoke tests, of the service's own address"], ran.told()
    assert ran.made[-4:-1] == ["Take it back", "Smoke tests of what runs again", "End the silence"]
    assert SMOKE_PUBLISHED not in ran.made
    assert again.deployed.runs(reference(first))
    assert f"back from {reference(wrong)} to {reference(first)}" in ran.step("Take it back").output
    assert "smoke tests passed" in ran.step("Smoke tests of what runs again").output
    assert traffic.failures == []


def test_a_release_that_makes_the_fastest_burn_fire_is_taken_back(
    github: GitHub, orders: Path, first: Release, good: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    watchers.fires = True
    made = runner(github, orders, good, again, tmp_path)
    gateway(made.project)
    ran = deploy(made, good, "1.3.0", watchers, again.deployed.proxy.port)

    assert ran.failed == ["Watch the burn rate"], ran.told()
    assert "AvailabilityErrorBudgetBurn (1h, 5m)" in ran.step("Watch the burn rate").output
    assert "Take it back" in ran.made
    assert again.deployed.runs(reference(first))


def test_what_burnt_before_the_mend_was_deployed_does_not_take_it_back(
    github: GitHub, orders: Path, good: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    watchers.fires = watchers.fired_before = True
    made = runner(github, orders, good, again, tmp_path)
    gateway(made.project)
    ran = deploy(made, good, "1.3.0", watchers, again.deployed.proxy.port)

    assert ran.failed == [], ran.told()
    assert "fired before the deployment" in ran.step("Watch the burn rate").output
    assert again.revisions[-1] == reference(good)


def test_a_run_that_is_repeated_and_fails_leaves_the_release_that_it_has_not_changed(
    github: GitHub, orders: Path, first: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    made = runner(github, orders, first, again, tmp_path)
    file = made.project / "smoke.yaml"
    file.write_text(file.read_text("utf-8").replace("percent: 25", "percent: 26"), "utf-8")
    ran = deploy(made, first, "1.2.3", watchers, again.deployed.proxy.port)

    assert ran.failed == ["Smoke tests, of the service's own address"], ran.told()
    assert "has changed nothing, so nothing was taken back" in ran.step("Take it back").output
    assert again.revisions == [reference(first)]


def test_a_release_that_never_gets_ready_is_taken_back(
    github: GitHub, orders: Path, first: Release, unready: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    made = runner(github, orders, unready, again, tmp_path)
    with Traffic(again.deployed.proxy.port, PATH) as traffic:
        ran = deploy(made, unready, "1.3.2", watchers, again.deployed.proxy.port)

    assert ran.failed == ["Deploy"], ran.told()
    assert "exceeded its progress deadline" in ran.step("Deploy").output
    assert "smoke tests passed" in ran.step("Smoke tests of what runs again").output
    assert again.revisions[-1] == reference(first)
    assert traffic.failures == []


def test_a_deployment_that_the_cluster_refuses_takes_nothing_back(
    github: GitHub, orders: Path, first: Release, good: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    again.refuse_apply = True
    ran = deploy(runner(github, orders, good, again, tmp_path), good, "1.3.0", watchers, again.deployed.proxy.port)

    assert ran.failed == ["Deploy"]
    assert "the server does not allow it" in ran.step("Deploy").output
    assert "smoke tests passed" in ran.step("Smoke tests of what runs again").output
    assert "has changed nothing, so nothing was taken back" in ran.step("Take it back").output
    assert again.revisions == [reference(first)]


def test_production_needs_a_sign_off_which_is_recorded_with_who_what_and_on_which_report(
    github: GitHub, orders: Path, good: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    made = runner(github, orders, good, again, tmp_path)
    gateway(made.project)
    made.stand_in("make", _make_with_report(tmp_path, good))
    ran = deploy(
        made, good, "1.3.0", watchers, again.deployed.proxy.port, environment="production", **{"sign-off": True}
    )
    record = json.loads((next(made.folder.glob("temporary-*")) / "sign-off.json").read_text("utf-8"))

    assert ran.failed == [], ran.told()
    assert record["signed_by"] == [{"name": "kari", "comment": "ship it"}]
    assert record["image"] == reference(good)
    assert (record["version"], record["commit"], record["environment"]) == ("1.3.0", good.commit, "production")
    assert record["readiness"]["gates"]["production"]["passed"] is True
    assert record["run"] == "https://github.example/example/orders/actions/runs/7"
    attested = next(each for name, each in ran.used.items() if name.startswith("actions/attest"))
    assert (attested["subject-name"], attested["subject-digest"]) == tuple(reference(good).split("@"))


def _make_with_report(folder: Path, release: Release) -> str:
    """Stands for the artifact of the readiness job, which a runner would have downloaded."""
    report = folder / "readiness.json"
    gates = {"production": {"passed": True, "rows_passed": 90, "rows": 90}}
    report.write_text(json.dumps({"commit": release.commit, "gates": gates}), "utf-8")
    kept = f'mkdir -p "$RUNNER_TEMP/readiness" && cp {report} "$RUNNER_TEMP/readiness/readiness.json"'
    return f'#!/bin/sh\n[ "$1" = install ] && {{ {kept}; exit 0; }}\nexec {shutil.which("make")} "$@"\n'


def test_production_that_nobody_has_approved_is_not_touched(
    github: GitHub, orders: Path, first: Release, good: Release, again: Cluster, watchers: Watchers, tmp_path: Path
) -> None:
    made = runner(github, orders, good, again, tmp_path)
    made.stand_in("make", _make_with_report(tmp_path, good))
    made.stand_in("gh", "#!/bin/sh\necho '[]'\n")
    ran = deploy(
        made, good, "1.3.0", watchers, again.deployed.proxy.port, environment="production", **{"sign-off": True}
    )

    assert ran.failed == ["Sign-off"]
    assert "nobody has approved this deployment" in ran.step("Sign-off").output
    assert not {"Deploy", "Take it back"} & set(ran.made)
    assert (again.revisions, again.calls) == ([reference(first)], [])
    assert not [each for each in watchers.asked if each.startswith("POST")]


def test_without_access_to_the_cluster_the_first_step_says_what_is_missing(
    github: GitHub, orders: Path, good: Release, again: Cluster, tmp_path: Path
) -> None:
    made = runner(github, orders, good, again, tmp_path)
    ran = made.run("ops-deploy.yml", "deploy", inputs={"environment": "dev", "image": reference(good), "version": "1"})

    assert ran.failed == ["Access to the cluster"]
    assert "no secret KUBECONFIG: docs/release.md" in ran.step("Access").output
    assert again.calls == []


def test_the_rollback_workflow_restores_the_image_before_and_smoke_tests_it(
    github: GitHub, orders: Path, first: Release, good: Release, again: Cluster, tmp_path: Path
) -> None:
    again.revisions.append(reference(good))
    again.deployed.roll_out(reference(good))
    made = runner(github, orders, first, again, tmp_path)
    with Traffic(again.deployed.proxy.port, PATH) as traffic:
        secrets = {"KUBECONFIG": "the-configuration", "STATUS_TOKEN": TOKEN}
        ran = made.run("ops-rollback.yml", "rollback", inputs={"environment": "staging"}, given={"secrets": secrets})

    assert ran.failed == [], ran.told()
    assert again.deployed.runs(reference(first))
    assert f"went back from {reference(good)} to {reference(first)}" in ran.summary
    assert traffic.failures == []

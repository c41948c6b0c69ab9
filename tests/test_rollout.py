"""Releases replace each other behind a real proxy, and nobody notices: real images, real containers, real traffic."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import images
from tests.images import Release
from tests.kubernetes.manifests import build, objects, only
from tests.rollout import Deployment, RefusedError, Traffic, deployment
from tests.services import TOKEN, Ended, clean_environment

pytestmark = pytest.mark.slow

PATH = "/v1/vat-rates/NO"
CHECKED = """

    async def stock() -> bool:
        return False

    checks: list[Check] = [Check("stock", stock)]"""
OLD, NEW = '{"country": "NO", "percent": 25}', '{"country": "NO", "percent": 26}'


@pytest.fixture(scope="module")
def old(orders: Path, shared: Path) -> Release:
    return images.first_release(orders, shared)


@pytest.fixture(scope="module")
def new(old: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The next release. It is wrong about Norway, which its smoke tests know."""
    folder = tmp_path_factory.mktemp("new")
    project = images.changed(old, folder, "src/orders/routes.py", '"NO": 25', '"NO": 26')
    return images.released(project, "1.3.0")


@pytest.fixture(scope="module")
def unready(old: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that starts, would answer, and depends on something that is not there."""
    folder = tmp_path_factory.mktemp("unready")
    project = images.changed(old, folder, "src/orders/app.py", "checks: list[Check] = []", CHECKED)
    return images.released(project, "1.3.1")


@pytest.fixture(scope="module")
def deployed(old: Release) -> Iterator[Deployment]:
    """Two containers of the old release behind HAProxy; each test leaves two of them there."""
    with deployment() as running:
        running.roll_out(old.image)
        yield running


@dataclass(frozen=True)
class Episode:
    """A bad release and its rollback: traffic on the way forward, in between, and back; what smoke tests said."""

    forward: Traffic
    between: Traffic
    back: Traffic
    failed: list[Ended]
    passed: list[Ended]
    statuses: list[int]


@pytest.fixture(scope="module")
def episode(deployed: Deployment, orders: Path, old: Release, new: Release) -> Episode:
    proxy = deployed.proxy.port
    with Traffic(proxy, PATH) as forward:
        deployed.roll_out(new.image)
    with Traffic(proxy, PATH) as between:
        failed = smoke(orders, deployed, new, "1.3.0")
    with Traffic(proxy, PATH) as back:
        deployed.roll_out(old.image)
    return Episode(forward, between, back, failed, smoke(orders, deployed, old, "1.2.3"), deployed.statuses)


def smoke(orders: Path, deployed: Deployment, release: Release, version: str) -> list[Ended]:
    """The smoke tests at each container, as the pipeline makes them after a deployment."""
    command = [str(orders / ".venv/bin/python"), "-m", "ops.smoke", "--version", version, "--commit", release.commit]
    environment = clean_environment(APP_SMOKE_STATUS_TOKEN=TOKEN)
    done = [
        subprocess.run(
            [*command, container.url], cwd=orders, env=environment, capture_output=True, text=True, check=False
        )
        for container in deployed.containers
    ]
    return [Ended(each.returncode, each.stdout, each.stderr) for each in done]


def test_a_rolling_replacement_fails_no_request_forward_and_back(episode: Episode) -> None:
    assert (episode.forward.failures, episode.between.failures, episode.back.failures) == ([], [], [])
    assert set(episode.between.answers) == {NEW}
    for traffic in (episode.forward, episode.back):
        assert min(traffic.answers[OLD], traffic.answers[NEW]) > 100
    assert episode.statuses == [0, 0, 0, 0]


def test_a_release_that_fails_smoke_is_rolled_back_and_the_old_one_passes(episode: Episode) -> None:
    assert [each.status for each in episode.failed] == [1, 1], episode.failed[0].stdout
    assert [each.status for each in episode.passed] == [0, 0], episode.passed[0].stdout
    assert "request: the VAT rate of a country" in episode.failed[0].stdout.partition("fail  ")[2]


@pytest.mark.parametrize(
    ("broken", "env", "why"),
    [
        ("new", {"APP_LOG__LEVEL": "loud"}, "ended with 78.*APP_LOG__LEVEL"),
        ("unready", {}, "readiness: not within .*service started"),
    ],
    ids=["its configuration is refused", "it never gets ready"],
)
def test_a_broken_release_gets_no_request_and_the_old_one_serves_on(
    deployed: Deployment, request: pytest.FixtureRequest, broken: str, env: dict[str, str], why: str
) -> None:
    image = request.getfixturevalue(broken).image
    before = [container.name for container in deployed.containers]
    sent = deployed.proxy.told(deployed.free_place(), "stot")
    with Traffic(deployed.proxy.port, PATH) as traffic, pytest.raises(RefusedError, match=f"(?s){why}"):
        deployed.roll_out(image, env)

    assert deployed.proxy.told(deployed.free_place(), "stot") == sent
    assert (traffic.failures, set(traffic.answers)) == ([], {OLD})
    assert [container.name for container in deployed.containers if container.running] == before


@pytest.fixture(scope="module")
def steps(orders: Path) -> list[int]:
    """The shares, in percent, in which the component `canary` gives a new version to instances."""
    rollout = only(objects(build(orders, "production", "canary")), "Rollout")
    weights = [step["setWeight"] for step in rollout["spec"]["strategy"]["canary"]["steps"] if "setWeight" in step]
    return [*weights, 100]


def test_a_canary_that_is_aborted_half_way_and_one_that_goes_all_the_way_fail_no_request(
    old: Release, new: Release, steps: list[int]
) -> None:
    """The shares are the manifest's; this test replaces the instances, one by one as Argo Rollouts does."""
    seen = []
    with deployment(size=4) as four:
        four.roll_out(old.image)
        with Traffic(four.proxy.port, PATH) as traffic:
            for image, share in [*((new.image, share) for share in steps[:2]), (old.image, 100), (new.image, steps[2])]:
                four.shift(image, share)
                seen.append(sum(four.images[each.name] == new.image for each in four.containers))

    assert steps == [25, 50, 100]
    assert seen == [1, 2, 0, 4]
    assert traffic.failures == []
    assert min(traffic.answers[OLD], traffic.answers[NEW]) > 100
    assert set(four.statuses) == {0}

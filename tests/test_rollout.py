"""Releases replace each other behind a real proxy, and nobody notices: real images, real containers, real traffic."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import images
from tests.images import Release
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


@pytest.fixture
def deployed(old: Release) -> Iterator[Deployment]:
    """Two containers of the old release behind HAProxy."""
    with deployment() as running:
        running.roll_out(old.image)
        yield running


def test_a_rolling_replacement_fails_no_request_forward_and_back(
    deployed: Deployment, old: Release, new: Release
) -> None:
    with Traffic(deployed.proxy.port, PATH) as forward:
        deployed.roll_out(new.image)
    with Traffic(deployed.proxy.port, PATH) as after:
        time.sleep(0.5)
    with Traffic(deployed.proxy.port, PATH) as back:
        deployed.roll_out(old.image)

    assert (forward.failures, after.failures, back.failures) == ([], [], [])
    assert min(forward.answers[OLD], forward.answers[NEW], back.answers[OLD], back.answers[NEW]) > 100
    assert set(after.answers) == {NEW}
    assert deployed.statuses == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("broken", "env", "why"),
    [
        ("new", {"APP_LOG__LEVEL": "loud"}, "ended with 78.*APP_LOG__LEVEL"),
        ("unready", {}, "readiness: not within 5 s.*service started"),
    ],
    ids=["its configuration is refused", "it never gets ready"],
)
def test_a_broken_release_gets_no_request_and_the_old_one_serves_on(
    deployed: Deployment, request: pytest.FixtureRequest, broken: str, env: dict[str, str], why: str
) -> None:
    image = request.getfixturevalue(broken).image
    before = [container.name for container in deployed.containers]
    free = deployed.proxy.places[2]
    with Traffic(deployed.proxy.port, PATH) as traffic:
        with pytest.raises(RefusedError, match=f"(?s){why}"):
            deployed.roll_out(image, env)
        sent = deployed.proxy.told(free, "stot")

    assert sent == "0"
    assert (traffic.failures, set(traffic.answers)) == ([], {OLD})
    assert [container.name for container in deployed.containers if container.running] == before


def test_a_release_that_fails_smoke_is_rolled_back_and_the_old_one_passes(
    deployed: Deployment, orders: Path, old: Release, new: Release
) -> None:
    with Traffic(deployed.proxy.port, PATH) as traffic:
        deployed.roll_out(new.image)
        failed = smoke(orders, deployed, new, "1.3.0")
        deployed.roll_out(old.image)
        passed = smoke(orders, deployed, old, "1.2.3")

    assert [each.status for each in failed + passed] == [1, 1, 0, 0], [each.stdout for each in failed + passed]
    assert "request: the VAT rate of a country" in failed[0].stdout.partition("fail  ")[2]
    assert traffic.failures == []


def smoke(orders: Path, deployed: Deployment, release: Release, version: str) -> list[Ended]:
    """The smoke tests at each container, as the pipeline makes them after a deployment."""
    wanted = ["--version", version, "--commit", release.commit]
    environment = clean_environment(SMOKE_STATUS_TOKEN=TOKEN)
    done = [
        subprocess.run(
            [str(orders / ".venv/bin/python"), "-m", "ops.smoke", *wanted, container.url],
            cwd=orders,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for container in deployed.containers
    ]
    return [Ended(each.returncode, each.stdout, each.stderr) for each in done]

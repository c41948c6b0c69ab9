"""Fixtures that several test modules share: one render and one installation for the whole session."""

import atexit
import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# Modules are compiled once, as on a user's machine: where this is set, every start of a service or of Copier compiles
# all its libraries anew, which takes two thirds of the start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from tests import services  # noqa: E402 - Copier is compiled by this
from tests.history.lives import History  # noqa: E402
from tests.quick import memory  # noqa: E402

# By the time that they take: the one that begins last would keep one of the workers waiting for the other.
LONGEST = (
    "test_mutations_live",
    "test_update_trouble",
    "test_fleet",
    "test_deploy",
    "test_pull_request",
    "test_update_keepers",
    "test_update_owners",
    "test_delivery",
    "test_drain",
    "test_make_update",
    "test_mutations",
    "test_rules",
    "test_update_breakers",
    "test_projects",
    "test_adopt",
    "test_platform_team",
    "test_image",
    "test_rollout",
    "test_docs",
    "test_outlets",
    "test_pod",
    "test_kubernetes",
    "test_workers",
    "test_running",
    "test_answers",
    "test_boot",
    "test_tracing",
)


# The bytes that a run needs at most.
ROOM = 8 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Keep this order: xdist would begin with the modules that have most tests. And work in memory if it has room."""
    config.option.loadscopereorder = False
    if "PYTEST_XDIST_WORKER" not in os.environ and (folder := memory(ROOM)):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)
        os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="tests-", dir=folder)
        atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as it lies in the work tree, in a plain folder."""
    return services.plain_copy(tmp_path_factory.mktemp("template") / "source")


@pytest.fixture(scope="session")
def history(shared: Path) -> History:
    """Three versions of the template, and renders of them."""
    return History(shared / "history")


@pytest.fixture(scope="session")
def orders(shared: Path, source: Path) -> Path:
    """The default render, named `orders`, installed."""
    return installed(shared / "orders", source)


@pytest.fixture(scope="session")
def probes(shared: Path, source: Path) -> Path:
    """A service whose owner has written routes that misbehave in every way the tests need."""
    return installed(shared / "probes", source, owner=Path(__file__).parent / "owners" / "probes")


def installed(project: Path, source: Path, owner: Path | None = None, **answers: str) -> Path:
    """Render and install once a session, with the files of `owner` in place of the seed's."""
    with Path(f"{project}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (project / ".venv" / "installed").exists():
            services.render(source, project, service_name=project.name, **answers)
            for file in owner.iterdir() if owner else ():
                (project / "src" / project.name / file.name).write_bytes(file.read_bytes())
            (services.sync if owner else services.install)(project)
            (project / ".venv" / "installed").touch()
    return project

"""Fixtures that several test modules share: one render and one installation for the whole session."""

import fcntl
import os
from pathlib import Path

import pytest

from tests import services


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
            services.install(project)
            (project / ".venv" / "installed").touch()
    return project

"""Fixtures of the pipeline's tests: GitHub's tools, and a service in a clone whose workflows are run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import images
from tests.images import Release
from tests.pipeline import github_tools
from tests.pipeline.github_tools import GitHub


@pytest.fixture(scope="session")
def github(shared: Path) -> Iterator[GitHub]:
    """GitHub's own parser and evaluator."""
    tools = github_tools.installed(shared / "github-tools")
    yield tools
    tools.end()


@pytest.fixture(scope="session")
def first(orders: Path, shared: Path) -> Release:
    """Version 1.2.3 of the service, committed, and its image."""
    return images.first_release(orders, shared)

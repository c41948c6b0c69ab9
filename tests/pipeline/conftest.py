"""Fixtures of the pipeline's tests: GitHub's tools, and a service in a clone whose workflows are run."""

from pathlib import Path

import pytest

from tests import images
from tests.images import Release
from tests.pipeline import github_tools
from tests.pipeline.github_tools import GitHub


@pytest.fixture(scope="session")
def github(shared: Path) -> GitHub:
    """GitHub's own parser and evaluator."""
    return github_tools.installed(shared / "github-tools")


@pytest.fixture(scope="session")
def first(orders: Path, shared: Path) -> Release:
    """Version 1.2.3 of the service, committed, and its image."""
    return images.first_release(orders, shared)

"""A service as it is after `make install check test`, of which every mutation gets a copy."""

import fcntl
from pathlib import Path

import pytest

from tests.readiness import mutating


@pytest.fixture(scope="session")
def fresh(shared: Path, orders: Path) -> Path:
    """The default render, committed, its suite recorded as passed; do not write into it."""
    mutating.tools()
    destination = shared / "fresh" / "orders"
    with Path(f"{shared / 'fresh'}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not destination.exists():
            mutating.prepared(orders, destination)
    return destination

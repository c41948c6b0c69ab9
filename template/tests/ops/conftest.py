"""What the tests of this folder share."""

import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from . import ops


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Whatever a test does to logging ends with it."""
    loggers = logging.Logger.manager.loggerDict
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    levels = {name: each.level for name, each in loggers.items() if isinstance(each, logging.Logger)}
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    for name, each in list(loggers.items()):
        if isinstance(each, logging.Logger) and each.level != (level := levels.get(name, logging.NOTSET)):
            each.setLevel(level)  # only where it differs: each call empties the caches of all loggers


@pytest.fixture
def lifecycle(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A life of its own for the service under test, so that it may end."""
    fresh = ops.lifecycle.Lifecycle()
    for module in (ops.edge, ops.endpoints):
        monkeypatch.setattr(module, "LIFECYCLE", fresh)
    return fresh

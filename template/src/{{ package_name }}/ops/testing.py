"""A pytest plugin with fixtures for the service's own tests; pyproject.toml loads it. Not imported when serving."""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError

_PACKAGE = __name__.rpartition(".ops.")[0]


class LogLines:
    """The log lines of one test, parsed."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, line: bytes, *, urgent: bool = False) -> None:  # noqa: ARG002
        record = json.loads(line)
        self.lines.append(record)
        if "exception_stacktrace" in record:  # the client sees a 500 only: pytest shows this if the test fails
            print(record["exception_stacktrace"], file=sys.stderr)  # noqa: T201

    def named(self, event: str) -> list[dict[str, Any]]:
        """The lines with this event."""
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def settings() -> Any:
    """The service's settings as production has them; a test module may define its own `settings` in their place."""
    try:
        return import_module(f"{_PACKAGE}.settings").Settings()
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        pytest.fail(f"{missing}: no default; give it in a fixture `settings` of your own, in tests/conftest.py", False)


@pytest.fixture
def log_lines() -> LogLines:
    """What is logged during the test."""
    from . import logs  # noqa: PLC0415
    from .about import ABOUT  # noqa: PLC0415
    from .settings import LogSettings  # noqa: PLC0415

    lines = LogLines()
    logs.configure(LogSettings(level="DEBUG", levels={"asyncio": "WARNING"}), ABOUT, [lines])
    return lines


@pytest.fixture
def app(settings: Any, log_lines: LogLines) -> FastAPI:  # noqa: ARG001 - logging is set up first
    """The whole application, as `app serve` would make it."""
    made: FastAPI = import_module(f"{_PACKAGE}.app").create_app(settings)
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the running application: its lifespan has begun, and ends with the test."""
    with TestClient(app) as client:
        yield client

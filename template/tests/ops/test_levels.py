"""A level is changed for a while, in every worker, and changes back by itself."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from . import TOKEN, ops

Levels, Wanted = ops.levels.Levels, ops.levels.Wanted
PATH = "/status/log-levels"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [1_000_000.0]
    monkeypatch.setattr(ops.levels, "time", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


@pytest.fixture
def noisy() -> Iterator[logging.Logger]:
    logger = logging.getLogger("noisy.library")
    logger.setLevel("WARNING")
    yield logger
    logger.setLevel(logging.NOTSET)


def test_a_level_holds_for_its_time_and_is_then_what_it_was(
    noisy: logging.Logger, clock: Callable[[float], None]
) -> None:
    levels = Levels()

    assert levels.change(Wanted(logger="noisy.library", level="debug", seconds=60))
    assert noisy.level == logging.DEBUG
    assert levels.active() == {"noisy.library": {"level": "DEBUG", "seconds_left": 60.0}}
    clock(59)
    levels.refresh()
    assert noisy.level == logging.DEBUG
    clock(2)
    levels.refresh()
    assert noisy.level == logging.WARNING
    assert levels.active() == {}


def test_a_second_change_prolongs_the_first_and_the_way_back_stays(
    noisy: logging.Logger, clock: Callable[[float], None]
) -> None:
    levels = Levels()
    levels.change(Wanted(logger="noisy.library", level="INFO", seconds=60))
    levels.change(Wanted(logger="noisy.library", level="DEBUG", seconds=600))
    clock(300)
    levels.refresh()
    assert noisy.level == logging.DEBUG

    levels.revert()
    assert noisy.level == logging.WARNING


def test_every_worker_follows_within_its_next_look(
    noisy: logging.Logger, clock: Callable[[float], None], tmp_path: Path
) -> None:
    one, other, late = Levels(tmp_path), Levels(tmp_path), Levels(tmp_path)
    one.change(Wanted(logger="noisy.library", level="DEBUG", seconds=60))
    noisy.setLevel("WARNING")  # as it is in another process

    other.refresh()
    assert noisy.level == logging.DEBUG
    clock(61)
    other.refresh()
    assert noisy.level == logging.WARNING
    late.refresh()
    assert late.active() == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": {"level": "DEBUG"}}'])
def test_a_shared_file_that_is_broken_changes_nothing(tmp_path: Path, noisy: logging.Logger, content: str) -> None:
    (tmp_path / "levels.json").write_text(content)
    levels = Levels(tmp_path)

    levels.refresh()
    assert levels.active() == {}
    assert levels.change(Wanted(logger="noisy.library", level="DEBUG"))
    assert noisy.level == logging.DEBUG
    levels.revert()


def test_no_more_levels_are_changed_at_once_than_anybody_needs() -> None:
    levels = Levels()
    changed = [levels.change(Wanted(logger=f"many.{number}", level="DEBUG")) for number in range(40)]
    levels.revert()

    assert changed.count(True) == 32


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(ops.levels.SERVICE, "levels", Levels())
    settings = ops.OpsSettings(status={"tokens": [TOKEN]})
    app: FastAPI = ops.create_service(settings)
    with TestClient(app) as made:
        yield made
    ops.levels.SERVICE.levels.revert()


def test_the_route_changes_tells_and_takes_back(client: TestClient, noisy: logging.Logger) -> None:
    wanted = {"logger": "noisy.library", "level": "DEBUG", "seconds": 60}

    changed = client.put(PATH, json=wanted, headers=AUTHORIZED)
    assert changed.status_code == 200
    assert changed.json()["log_levels"]["noisy.library"]["level"] == "DEBUG"
    assert noisy.level == logging.DEBUG
    assert "noisy.library" in client.get("/status", headers=AUTHORIZED).json()["log_levels"]

    assert client.delete(PATH, headers=AUTHORIZED).json() == {"log_levels": {}}
    assert client.get(PATH, headers=AUTHORIZED).json() == {"log_levels": {}}
    assert noisy.level == logging.WARNING


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer a-wrong-token-of-20c"}])
def test_without_the_token_nothing_is_told_or_changed(client: TestClient, method: str, headers: dict[str, str]) -> None:
    wanted = {"logger": "root", "level": "DEBUG", "seconds": 60}
    before = logging.getLogger().level

    answer = client.request(method, PATH, json=wanted, headers=headers)

    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert logging.getLogger().level == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"logger": "x"}',
        b'{"logger": "x", "level": "LOUD"}',
        b'{"logger": "x", "level": "DEBUG", "seconds": 3601}',
        b'{"logger": "x", "level": "DEBUG", "seconds": 0}',
        b'{"logger": "", "level": "DEBUG"}',
        b'{"logger": "a b", "level": "DEBUG"}',
        b'{"logger": "x", "level": "DEBUG", "for": 1}',
        b'{"logger": "' + b"x" * 10_000 + b'", "level": "DEBUG"}',
        b"\xff",
    ],
)
def test_what_can_not_be_meant_is_refused_with_an_example(client: TestClient, body: bytes) -> None:
    answer = client.put(PATH, content=body, headers=AUTHORIZED)

    problem: dict[str, Any] = answer.json()
    assert answer.status_code == 422
    assert '"level": "DEBUG", "seconds": 300' in problem["detail"]


def test_other_methods_are_refused_with_those_that_are_known(client: TestClient) -> None:
    assert client.post(PATH, headers=AUTHORIZED).headers["Allow"] == "GET, HEAD, PUT, DELETE"
    assert client.put("/status", headers=AUTHORIZED).headers["Allow"] == "GET, HEAD"

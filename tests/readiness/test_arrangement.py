"""What instances are told, and what checks share: without an instance."""

import threading
from pathlib import Path

import pytest
import yaml
from ops.readiness import arrangement
from ops.readiness.instance import Instance
from ops.readiness.once import Once
from ops.readiness.outcome import CannotTell
from ops.readiness.service import Live, Service

SETTINGS = {"workers": 2, "log": {"level": "INFO", "levels": {"a.b": "DEBUG"}, "email": {"to": ["x@y.example"]}}}


class Written:
    """A process that has ended."""

    returncode = 3

    def poll(self) -> int:
        return 3


@pytest.fixture
def service(tmp_path: Path) -> Service:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/dev.yaml").write_text("currency: NOK\nlog: {level: DEBUG, format: console}\n", "utf-8")
    return Service(tmp_path, Live(env={"APP_DATABASE": "somewhere"}))


def test_variables_and_file_say_the_same_and_the_owners_file_stays(service: Service, tmp_path: Path) -> None:
    env = arrangement.environment(service, tmp_path / "main.yaml", SETTINGS)

    assert env == {
        "APP_DATABASE": "somewhere",
        "APP_CONFIG_FILE": str(tmp_path / "main.yaml"),
        "APP_WORKERS": "2",
        "APP_LOG__LEVEL": "INFO",
        "APP_LOG__LEVELS": '{"a.b": "DEBUG"}',
        "APP_LOG__EMAIL__TO": '["x@y.example"]',
    }
    assert yaml.safe_load((tmp_path / "main.yaml").read_text("utf-8")) == {
        "currency": "NOK",
        "workers": 2,
        "log": {"level": "INFO", "format": "console", "levels": {"a.b": "DEBUG"}, "email": {"to": ["x@y.example"]}},
    }


def test_the_file_may_say_something_else(service: Service, tmp_path: Path) -> None:
    arrangement.environment(service, tmp_path / "main.yaml", {"workers": 2}, {"workers": 3})

    assert yaml.safe_load((tmp_path / "main.yaml").read_text("utf-8"))["workers"] == 3


def test_a_file_of_the_owners_that_is_no_yaml_is_named(service: Service, tmp_path: Path) -> None:
    (tmp_path / "config/dev.yaml").write_text("a: [", "utf-8")

    with pytest.raises(CannotTell, match=r"config/dev\.yaml, with which checks start the service, is no YAML"):
        arrangement.environment(service, tmp_path / "main.yaml", SETTINGS)


def test_values_with_spaces_are_read_from_the_three_columns() -> None:
    told = (
        'host         "0.0.0.0"                 default\n'
        'log.levels   {"a": "DEBUG", "b": "INFO"}  main.yaml:3, main.yaml:4\n'
        'status.token ["**********"]             environment variable APP_STATUS__TOKENS\n'
    )

    assert arrangement.effective(told) == {
        "host": ('"0.0.0.0"', "default"),
        "log.levels": ('{"a": "DEBUG", "b": "INFO"}', "main.yaml:3, main.yaml:4"),
        "status.token": ('["**********"]', "environment variable APP_STATUS__TOKENS"),
    }


def test_what_is_made_once_is_made_once_by_many() -> None:
    once, made = Once(), []
    threads = [threading.Thread(target=lambda: once.get("x", lambda: made.append(1))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert made == [1]


def test_what_went_wrong_once_is_told_to_all() -> None:
    once = Once()

    def failing() -> None:
        raise CannotTell("it does not start")

    for _ in range(2):
        with pytest.raises(CannotTell, match="it does not start"):
            once.get("x", failing)


@pytest.mark.parametrize(
    ("lines", "errors", "told"),
    [
        (
            [b'{"event": "stopped"}\n'],
            [b"\n", b"the service can't start: no way\n", b"\n"],
            "the service can't start: no way",
        ),
        (
            [b'{"event": "failed", "exception_type": "ValueError", "exception_message": "no"}\n'],
            [],
            "failed: ValueError: no",
        ),
        ([b"\xff plain\n"], [], "\ufffd plain"),
        ([], [], "it wrote nothing"),
    ],
)
def test_the_last_words_of_an_instance_are_readable(lines: list[bytes], errors: list[bytes], told: str) -> None:
    instance = Instance(Written(), 1, lines, errors)

    assert instance.last_words() == told

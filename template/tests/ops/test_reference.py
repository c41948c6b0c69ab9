"""The generated reference: complete, and in step with the service's own settings."""

from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from pydantic import Field, SecretStr

from . import PACKAGE, ROOT, ops

OpsSettings = ops.settings.OpsSettings


class Broker(ops.settings.Section):  # type: ignore[misc]
    url: str = Field("amqp://me:hunter2@broker/", description="Where messages go | come from.")
    password: SecretStr = Field(SecretStr("hunter2"), description="Of the broker.")


class Owned(ops.settings.OpsSettings):  # type: ignore[misc]
    api_key: SecretStr = Field(description="Of the\n    payment provider.")
    ratio: float = Field(0.5, gt=0, lt=1, description="A share.")
    notes: dict[str, int] = Field({}, description="Notes.")
    either: int | str | None = Field(None, description="A number or a text.")
    flag: bool = Field(False, description="On or off.")
    broker: Broker = Broker()


def rows(cls: Any) -> dict[str, list[str]]:
    """Cells of the reference by variable."""
    lines = [line for line in ops.reference.markdown(cls).splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("| ").replace("\\|", "¦").split(" | ")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("cls", [OpsSettings, Owned])
def test_the_reference_names_every_setting_with_its_meaning(cls: Any) -> None:
    found = rows(cls)

    assert list(found) == [ops.configuration.variable(key) for key, _ in ops.configuration.walk(cls)]
    assert all(len(row) == 4 and all(row) for row in found.values())


def test_the_reference_says_what_is_accepted_and_the_default() -> None:
    found = rows(Owned)

    assert found["APP_PORT"][:3] == ["`port`", "integer 1 … 65535", "`8000`"]
    assert found["APP_LOG__FORMAT"][1:3] == ["`json`, `console`", '`"json"`']
    assert found["APP_LIMITS__REQUEST_SECONDS"][1] == "number 0 … 3600 (above 0)"
    assert found["APP_LOG__LEVELS"][1] == "object of `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`"
    assert found["APP_PROXIES__TRUSTED"][1] == "list of network"
    assert found["APP_STATUS__TOKENS"][1] == "list of secret text"
    assert found["APP_METRICS__DIR"][1:3] == ["text", "`null`"]
    assert found["APP_API_KEY"][1:] == ["secret text", "`required`", "Of the payment provider."]
    assert found["APP_EITHER"][1] == "integer or text"
    assert found["APP_NOTES"][1] == "object of integer"
    assert found["APP_FLAG"][1:3] == ["boolean", "`false`"]


def test_the_reference_shows_no_secret() -> None:
    text = ops.reference.markdown(Owned) + ops.reference.dotenv(Owned)

    assert "hunter2" not in text


def test_a_bar_in_a_description_does_not_break_the_table() -> None:
    assert rows(Owned)["APP_BROKER__URL"][3] == "Where messages go ¦ come from."


@pytest.mark.parametrize("cls", [OpsSettings, Owned])
def test_the_example_env_file_names_every_setting_and_sets_none(cls: Any) -> None:
    text = ops.reference.dotenv(cls)

    assert dotenv_values(stream=StringIO(text)) == {}
    names = [line[1:].partition("=")[0] for line in text.splitlines() if line.startswith("#APP_")]
    assert names == [ops.configuration.variable(key) for key, _ in ops.configuration.walk(cls)]


def test_the_values_of_the_example_env_file_are_the_defaults() -> None:
    lines = [line[1:] for line in ops.reference.dotenv(OpsSettings).splitlines() if line.startswith("#APP_")]
    environ = {name: value for name, value in dotenv_values(stream=StringIO("\n".join(lines))).items() if value}

    assert {"APP_PORT", "APP_LOG__LEVEL", "APP_LIMITS__REQUEST_SECONDS"} < set(environ)
    assert ops.configuration.load(OpsSettings, environ).settings == OpsSettings()


# --- the service's own


@pytest.mark.parametrize(
    ("file", "made_by"), [("docs/configuration.md", "markdown"), (".env.example", "dotenv")], ids=str
)
def test_the_services_reference_is_up_to_date(file: str, made_by: str) -> None:
    settings = import_module(f"{PACKAGE}.settings").Settings

    assert _text(ROOT / file) == getattr(ops.reference, made_by)(settings), "run `make docs`"


def _text(file: Path) -> str:
    return file.read_text("utf-8") if file.is_file() else f"{file} is missing"


def test_every_setting_of_the_service_has_a_description() -> None:
    settings = import_module(f"{PACKAGE}.settings").Settings

    assert [key for key, info in ops.configuration.walk(settings) if not info.description] == []

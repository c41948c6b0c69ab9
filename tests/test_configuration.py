"""Configuration of a booted service: each source, each precedence, and the message for each mistake."""

import itertools
import json
from pathlib import Path

import pytest

from tests.services import run, serving

pytestmark = pytest.mark.slow
SOURCES = ("flag", "environment", "secret", "yaml", "default")
PORTS = {"flag": "8001", "environment": "8002", "secret": "8003", "yaml": "8004", "default": "8000"}


def given(folder: Path, sources: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Flags and environment of `app` that give the port by these sources, each another one."""
    flags, env = ["--port", PORTS["flag"]] if "flag" in sources else [], {}
    if "environment" in sources:
        env["APP_PORT"] = PORTS["environment"]
    if "secret" in sources:
        (folder / "secrets").mkdir()
        (folder / "secrets" / "APP_PORT").write_text(PORTS["secret"] + "\n")
        env["APP_SECRETS_DIR"] = str(folder / "secrets")
    if "yaml" in sources:
        (folder / "config.yaml").write_text(f"port: {PORTS['yaml']}\n")
        env["APP_CONFIG_FILE"] = str(folder / "config.yaml")
    return flags, env


def row(project: Path, setting: str, *flags: str, env: dict[str, str]) -> list[str]:
    """Value and source of a setting as `app config` tells them."""
    shown = run(project, "config", *flags, env=env)
    assert shown.status == 0, shown.stderr
    return next(line for line in shown.stdout.splitlines() if line.startswith(f"{setting} ")).split(None, 2)[1:]


@pytest.mark.parametrize("place", SOURCES)
def test_each_source_alone_gives_a_value(orders: Path, tmp_path: Path, place: str) -> None:
    flags, env = given(tmp_path, (place,))
    names = {
        "flag": "flag --port",
        "environment": "environment variable APP_PORT",
        "secret": f"secret file {tmp_path}/secrets/APP_PORT",
        "yaml": f"{tmp_path}/config.yaml:1",
        "default": "default",
    }

    assert row(orders, "port", *flags, env=env) == [PORTS[place], names[place]]


@pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(SOURCES, 2)))
def test_the_higher_of_two_sources_wins(orders: Path, tmp_path: Path, higher: str, lower: str) -> None:
    flags, env = given(tmp_path, (higher, lower))

    assert row(orders, "port", *flags, env=env)[0] == PORTS[higher]


def test_plain_port_is_read_below_app_port(orders: Path) -> None:
    assert row(orders, "port", env={"PORT": "8080"}) == ["8080", "environment variable PORT"]
    assert row(orders, "port", env={"PORT": "8080", "APP_PORT": "8081"})[0] == "8081"


BAD = {
    "wrong type": ({"APP_PORT": "abc"}, 'environment variable APP_PORT: port = "abc": Input should be a valid integer'),
    "out of range": ({"APP_PORT": "70000"}, 'port = "70000": Input should be less than or equal to 65535'),
    "below range": ({"APP_WORKERS": "0"}, 'workers = "0": Input should be greater than or equal to 1'),
    "unknown variable": ({"APP_PROT": "1"}, "environment variable APP_PROT: no such setting; did you mean APP_PORT?"),
    "unknown nested": ({"APP_LOG__LEVLE": "INFO"}, "APP_LOG__LEVLE: no such setting; did you mean APP_LOG__LEVEL?"),
    "too deep": ({"APP_PORT__X": "1"}, "environment variable APP_PORT__X: no such setting"),
    "no choice": ({"APP_LOG__FORMAT": "xml"}, "log.format = \"xml\": Input should be 'json' or 'console'"),
    "level": ({"APP_LOG__LEVEL": "LOUD"}, "log.level = \"LOUD\": Input should be 'DEBUG', 'INFO', 'WARNING'"),
    "broken JSON": ({"APP_LOG__LEVELS": "{bad"}, 'log.levels = "{bad": it should be an object in JSON'),
    "no list": ({"APP_PROXIES__TRUSTED": "10.0.0.0/8"}, 'proxies.trusted = "10.0.0.0/8": it should be a list in JSON'),
    "network": ({"APP_PROXIES__TRUSTED": '["10.0.0.1/8"]'}, "10.0.0.1/8 has host bits set"),
    "infinite": ({"APP_SHUTDOWN__DRAIN_SECONDS": "inf"}, "shutdown.drain_seconds = "),
    "negative": ({"APP_SHUTDOWN__DRAIN_SECONDS": "-1"}, "Input should be greater than or equal to 0"),
    "zone": ({"APP_BUILD__TIME": "2026-01-31T12:00:00"}, "the time needs a zone"),
    "no file": ({"APP_CONFIG_FILE": "/nope.yaml"}, "environment variable APP_CONFIG_FILE: '/nope.yaml' can't be read"),
    "no folder": ({"APP_SECRETS_DIR": "/nope"}, "environment variable APP_SECRETS_DIR: '/nope' is not a folder"),
    "owner's field": (
        {"APP_CURRENCY": "euro"},
        'environment variable APP_CURRENCY: currency = "euro": String should match',
    ),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_in_the_environment_is_refused_with_78_and_named(orders: Path, mistake: str) -> None:
    env, message = BAD[mistake]
    ended = run(orders, "serve", env=env)

    assert ended.status == 78
    assert message in ended.stderr
    assert not ended.stdout


BAD_YAML = {
    "unknown key": ("port: 8000\nprot: 1\n", ":2: no such setting: prot; did you mean port?"),
    "unknown nested key": ("log:\n  lvel: INFO\n", ":2: no such setting: log.lvel; did you mean log.level?"),
    "twice": ("port: 1\nport: 2\n", ":2: port is given twice"),
    "wrong type": ("port: [1]\n", ":1: port = [1]: Input should be a valid integer"),
    "yes is no number": ("workers: yes\n", ':1: workers = "true": Input should be a valid integer'),
    "no section": ("limits: loud\n", ':1: limits = "loud": it should be an object'),
    "not YAML": ("a: [1\n", "not valid YAML"),
    "a list": ("- 1\n", "the file must hold settings as 'name: value'"),
    "a name that is no text": ("on: 1\n", ":1: a setting's name must be text"),
    "an unknown tag": ("port: !!python/object:os.system 1\n", ":1: port: "),
}


@pytest.mark.parametrize("mistake", BAD_YAML)
def test_a_mistake_in_the_file_is_refused_with_78_and_its_line(orders: Path, tmp_path: Path, mistake: str) -> None:
    text, message = BAD_YAML[mistake]
    file = tmp_path / "config.yaml"
    file.write_text(text)
    ended = run(orders, "config", "--check", "--config", str(file))

    assert ended.status == 78
    assert f"{file}{message}" in ended.stderr or message in ended.stderr


def test_flags_are_checked_like_all_others(orders: Path) -> None:
    ended = run(orders, "serve", "--port", "many", "--workers", "-3")

    assert ended.status == 78
    assert 'flag --port: port = "many"' in ended.stderr
    assert 'flag --workers: workers = "-3"' in ended.stderr


def test_all_mistakes_are_told_at_once(orders: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("prot: 1\nshutdown:\n  drain_seconds: soon\n")
    ended = run(orders, "serve", "--config", str(file), "--host", "", env={"APP_FOO": "1", "APP_PORT": "x"})

    assert ended.status == 78
    assert "configuration refused, 5 problems:" in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if line.startswith("  - ")]) == 5


SECRETS = {
    "APP_STATUS__TOKENS": '["hunter2"]',
    "APP_STATUS__TOKEN": "hunter2-hunter2-hunter2",
    "APP_STORE__PASSWORD": '["hunter2"]',
    "APP_STORE__PASSWROD": "hunter2",
    "APP_STORE__URL": "postgresql://user:hunter2@db:port/x",
    "APP_STORE": '{"password": 1, "pasword": "hunter2"}',
}


@pytest.mark.parametrize("name", SECRETS)
def test_no_message_holds_a_secret(probes: Path, name: str) -> None:
    env = {name: SECRETS[name], "APP_STORE__POOL": "0"}
    refused = run(probes, "serve", env=env)

    assert refused.status == 78
    assert "store.pool" in refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout


def test_the_effective_configuration_masks_secrets(probes: Path, tmp_path: Path) -> None:
    (tmp_path / "APP_STORE__PASSWORD").write_text("hunter2")
    env = {
        "APP_SECRETS_DIR": str(tmp_path),
        "APP_STATUS__TOKENS": json.dumps(["hunter2-hunter2-hunter2"]),
        "APP_STORE__URL": "postgresql://user:hunter2@db/x",
    }
    shown = run(probes, "config", env=env)

    assert shown.status == 0
    assert "hunter2" not in shown.stdout
    assert f"secret file {tmp_path}/APP_STORE__PASSWORD" in shown.stdout
    assert "postgresql://**********@db/x" in shown.stdout


def test_check_says_nothing_when_all_is_well_and_schema_is_json_schema(orders: Path) -> None:
    assert run(orders, "config", "--check").stdout == ""
    schema = json.loads(run(orders, "config", "--schema").stdout)

    assert schema["properties"]["port"]["maximum"] == 65535


def test_what_lies_in_the_secrets_folder_for_others_is_left_alone(orders: Path, tmp_path: Path) -> None:
    (tmp_path / "..2026_01_01").mkdir()
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "tls.key").write_text("not ours")
    (tmp_path / "app_port").write_text("8123")

    assert row(orders, "port", env={"APP_SECRETS_DIR": str(tmp_path)})[0] == "8123"


def test_development_is_relaxed_by_its_file_alone(orders: Path) -> None:
    with serving(orders, "--config", "config/dev.yaml", env={"APP_SHUTDOWN__DRAIN_SECONDS": "0"}) as service:
        assert service.get("/readyz").status_code == 200
        assert service.stop() == 0

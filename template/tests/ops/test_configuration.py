"""Where settings come from, what is refused, and how a person is told."""

import json
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from . import ops

OpsSettings = ops.settings.OpsSettings


@pytest.fixture(autouse=True)
def no_secrets_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ops.configuration, "SECRETS_DIR", tmp_path / "none")


def load(
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str | None] | None = None,
    cls: Any = OpsSettings,
) -> Any:
    return ops.configuration.load(cls, environ or {}, flags)


def problems(
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str | None] | None = None,
    cls: Any = OpsSettings,
) -> list[str]:
    with pytest.raises(ops.configuration.ConfigurationError) as refused:
        load(environ, flags, cls)
    return list(refused.value.problems)


def yaml(folder: Path, text: str) -> dict[str, str]:
    file = folder / "service.yaml"
    file.write_text(text)
    return {"APP_CONFIG_FILE": str(file)}


def secrets(folder: Path, **files: str) -> dict[str, str]:
    place = folder / "secrets"
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text)
    return {"APP_SECRETS_DIR": str(place)}


# --- one source alone


def test_without_any_source_the_defaults_hold() -> None:
    loaded = load()

    assert (loaded.settings.host, loaded.settings.port, loaded.settings.workers) == ("0.0.0.0", 8000, 1)
    assert loaded.settings.log.format == "json"
    assert loaded.settings.shutdown.drain_seconds == 5.0
    assert loaded.origin(("port",)) == "default"


def test_constructing_settings_reads_nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "9000")

    assert OpsSettings().port == 8000


def test_settings_can_not_be_changed_once_loaded() -> None:
    settings = OpsSettings()

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
    with pytest.raises(ValueError, match="frozen"):
        settings.log.level = "DEBUG"


def test_flags_are_read() -> None:
    loaded = load(flags={"host": "127.0.0.1", "port": "9000", "workers": "2", "config": None})

    assert (loaded.settings.host, loaded.settings.port, loaded.settings.workers) == ("127.0.0.1", 9000, 2)
    assert loaded.origin(("port",)) == "flag --port"


def test_variables_are_read() -> None:
    loaded = load({"APP_HOST": "::1", "APP_LOG__LEVEL": "debug", "APP_SHUTDOWN__DRAIN_SECONDS": "0.5"})

    assert loaded.settings.host == "::1"
    assert loaded.settings.log.level == "DEBUG"
    assert loaded.settings.shutdown.drain_seconds == 0.5
    assert loaded.origin(("log", "level")) == "environment variable APP_LOG__LEVEL"


def test_an_image_that_does_not_know_what_it_was_built_from_says_nothing() -> None:
    build = load({"APP_BUILD__COMMIT": "", "APP_BUILD__TIME": ""}).settings.build

    assert (build.commit, build.time) == (None, None)


def test_variables_are_read_in_any_case() -> None:
    assert load({"app_port": "9000"}).settings.port == 9000


def test_a_secret_file_is_read_without_its_last_newline(tmp_path: Path) -> None:
    loaded = load(secrets(tmp_path, APP_HOST="127.0.0.1\n"))

    assert loaded.settings.host == "127.0.0.1"
    assert loaded.origin(("host",)) == f"secret file {tmp_path}/secrets/APP_HOST"


def test_the_default_secrets_folder_is_read_without_being_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops.configuration, "SECRETS_DIR", Path(secrets(tmp_path, APP_PORT="9000")["APP_SECRETS_DIR"]))

    assert load().settings.port == 9000


def test_a_yaml_file_is_read_and_each_value_knows_its_line(tmp_path: Path) -> None:
    loaded = load(yaml(tmp_path, "# mine\nport: 9000\nlog:\n  level: ERROR\n"))

    assert (loaded.settings.port, loaded.settings.log.level) == (9000, "ERROR")
    assert loaded.origin(("port",)) == f"{tmp_path}/service.yaml:2"
    assert loaded.origin(("log", "level")) == f"{tmp_path}/service.yaml:4"
    assert loaded.origin(("log", "format")) == "default"


def test_the_flag_that_names_a_yaml_file_wins_over_the_variable(tmp_path: Path) -> None:
    (tmp_path / "flag.yaml").write_text("port: 1111")

    loaded = load(yaml(tmp_path, "port: 2222"), {"config": str(tmp_path / "flag.yaml")})

    assert loaded.settings.port == 1111


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}"])
def test_an_empty_yaml_file_changes_nothing(tmp_path: Path, text: str) -> None:
    assert load(yaml(tmp_path, text)).settings == OpsSettings()


# --- which source wins

_SOURCES = ("flag", "environment", "secret file", "YAML file")


@pytest.mark.parametrize(
    ("higher", "lower"), [(h, low) for i, h in enumerate(_SOURCES) for low in _SOURCES[i + 1 :]], ids=str
)
def test_the_higher_source_wins(tmp_path: Path, higher: str, lower: str) -> None:
    environ: dict[str, str] = {}
    flags: dict[str, str | None] = {}
    for source, port in ((higher, "1111"), (lower, "2222")):
        if source == "flag":
            flags["port"] = port
        elif source == "environment":
            environ["APP_PORT"] = port
        elif source == "secret file":
            environ |= secrets(tmp_path, APP_PORT=port)
        else:
            environ |= yaml(tmp_path, f"port: {port}")

    loaded = load(environ, flags)

    assert loaded.settings.port == 1111
    place = {"environment": "variable APP_PORT", "YAML file": "service.yaml:1"}.get(higher, higher)
    assert place in loaded.origin(("port",))


def test_the_plain_variable_port_is_read() -> None:
    loaded = load({"PORT": "9000"})

    assert loaded.settings.port == 9000
    assert loaded.origin(("port",)) == "environment variable PORT"


def test_the_prefixed_variable_wins_over_the_plain_port() -> None:
    assert load({"PORT": "1", "APP_PORT": "2"}).settings.port == 2


def test_the_plain_port_wins_over_the_yaml_file(tmp_path: Path) -> None:
    assert load({"PORT": "1", **yaml(tmp_path, "port: 2")}).settings.port == 1


def test_sources_may_each_give_a_part_of_a_section(tmp_path: Path) -> None:
    environ = {"APP_LOG__LEVEL": "ERROR", **yaml(tmp_path, "log: {level: DEBUG, format: console}")}

    log = load(environ).settings.log

    assert (log.level, log.format) == ("ERROR", "console")


def test_a_single_variable_wins_over_the_json_of_its_section() -> None:
    loaded = load({"APP_LOG": '{"level": "ERROR", "format": "console"}', "APP_LOG__LEVEL": "DEBUG"})

    assert (loaded.settings.log.level, loaded.settings.log.format) == ("DEBUG", "console")
    assert loaded.origin(("log", "level")) == "environment variable APP_LOG__LEVEL"
    assert loaded.origin(("log", "format")) == "environment variable APP_LOG"


# --- lists, objects and tokens


def test_lists_and_objects_are_json_in_variables() -> None:
    settings = load({"APP_PROXIES__TRUSTED": '["10.0.0.0/8"]', "APP_LOG__LEVELS": '{"httpx2": "warning"}'}).settings

    assert settings.proxies.trusted == [ip_network("10.0.0.0/8")]
    assert settings.log.levels == {"httpx2": "WARNING"}


def test_one_entry_of_an_object_may_be_a_variable_of_its_own() -> None:
    assert load({"APP_LOG__LEVELS__HTTPX2": "ERROR"}).settings.log.levels == {"httpx2": "ERROR"}


def test_a_value_from_two_sources_names_both(tmp_path: Path) -> None:
    environ = {"APP_LOG__LEVELS__A": "ERROR", **yaml(tmp_path, "log:\n  levels:\n    b: DEBUG\n")}

    origin = load(environ).origin(("log", "levels"))

    assert origin == f"{tmp_path}/service.yaml:3, environment variable APP_LOG__LEVELS__A"


@pytest.mark.parametrize(
    "text",
    [
        '["first-token-of-2026", "second-token-of-2026"]',
        "first-token-of-2026\nsecond-token-of-2026\n",
        "\r\n first-token-of-2026 \r\n\r\nsecond-token-of-2026",
    ],
    ids=["json", "lines", "windows-lines"],
)
def test_a_secret_file_holds_tokens_as_json_or_one_a_line(tmp_path: Path, text: str) -> None:
    tokens = load(secrets(tmp_path, APP_STATUS__TOKENS=text)).settings.status.tokens

    assert [token.get_secret_value() for token in tokens] == ["first-token-of-2026", "second-token-of-2026"]


@pytest.mark.parametrize("token", ["4815162342481516", "48151623424815e1"])
def test_a_token_in_a_secret_file_may_look_like_a_number(tmp_path: Path, token: str) -> None:
    tokens = load(secrets(tmp_path, APP_STATUS__TOKENS=token)).settings.status.tokens

    assert [each.get_secret_value() for each in tokens] == [token]


def test_a_token_may_be_given_by_its_hash_in_either_case() -> None:
    tokens = json.dumps(["sha256:" + "aB" * 32, "a-plain-token-is-kept-as-hash"])

    digests = load({"APP_STATUS__TOKENS": tokens}).settings.status.digests()

    assert digests[0] == bytes.fromhex("ab" * 32)
    assert [len(digest) for digest in digests] == [32, 32]


# --- the owner's settings


class Database(ops.settings.Section):  # type: ignore[misc]
    url: SecretStr = Field(description="Where the data are.")
    pool_size: int = Field(5, ge=1, description="Connections.")


class Owned(ops.settings.OpsSettings):  # type: ignore[misc]
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    api_key: SecretStr = Field(description="Of the payment provider.")
    database: Database


_OWNED = {"APP_API_KEY": "k-123456", "APP_DATABASE__URL": "postgres://db"}


def test_the_owners_nested_settings_are_read_from_every_source(tmp_path: Path) -> None:
    environ = {
        "APP_DATABASE__POOL_SIZE": "7",
        **secrets(tmp_path, APP_DATABASE__URL="postgres://db", APP_API_KEY="k-123456"),
        **yaml(tmp_path, "currency: NOK\ndatabase: {pool_size: 3}"),
    }

    settings = load(environ, cls=Owned).settings

    assert (settings.currency, settings.database.pool_size) == ("NOK", 7)
    assert settings.api_key.get_secret_value() == "k-123456"
    assert settings.database.url.get_secret_value() == "postgres://db"


def test_a_missing_value_names_the_remedy() -> None:
    assert problems({"APP_DATABASE__POOL_SIZE": "3"}, cls=Owned) == [
        "api_key: no value; set APP_API_KEY, or api_key in the YAML file",
        "database.url: no value; set APP_DATABASE__URL, or database.url in the YAML file",
    ]


def test_a_missing_section_names_the_remedy() -> None:
    assert problems({"APP_API_KEY": "k-123456"}, cls=Owned) == [
        "database: no value; set APP_DATABASE, or database in the YAML file"
    ]


def test_the_owners_rule_is_told_in_the_owners_words() -> None:
    class Ruled(ops.settings.OpsSettings):  # type: ignore[misc]
        size: int = 2

        @field_validator("size")
        @classmethod
        def _even(cls, value: int) -> int:
            if value % 2:
                raise ValueError("an even number, please")
            return value

    assert problems({"APP_SIZE": "3"}, cls=Ruled) == [
        'environment variable APP_SIZE: size = "3": an even number, please'
    ]


# --- what is refused


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("APP_PROT", "did you mean APP_PORT?"),
        ("APP_LOG__LEVEK", "did you mean APP_LOG__LEVEL?"),
        ("APP_NOTHING_LIKE_IT", "`app config` lists them all"),
        ("APP_", "`app config` lists them all"),
        ("APP_PORT__INNER", ""),
    ],
)
def test_an_unknown_variable_is_refused_with_a_hint(name: str, hint: str) -> None:
    (problem,) = problems({name: "1"})

    assert problem.startswith(f"environment variable {name}: no such setting; ")
    assert hint in problem


def test_other_programs_variables_are_none_of_its_business() -> None:
    assert load({"PATH": "/bin", "APPLE": "1", "MY_APP_PORT": "x"}).settings == OpsSettings()


def test_an_unknown_key_inside_json_is_refused() -> None:
    (problem,) = problems({"APP_LOG": '{"levl": "INFO"}'})

    assert problem == "environment variable APP_LOG: no such setting: log.levl; did you mean log.level?"


def test_the_same_variable_in_two_spellings_is_refused() -> None:
    (problem,) = problems({"APP_PORT": "1", "app_port": "2"})

    assert problem == "environment variable app_port: APP_PORT is the same setting; remove one of them"


@pytest.mark.parametrize("name", ["app_config_file", "App_Secrets_Dir"])
def test_a_variable_that_names_a_file_is_not_silently_ignored_for_its_spelling(tmp_path: Path, name: str) -> None:
    place = yaml(tmp_path, "port: 9000") | secrets(tmp_path, APP_PORT="9000")

    try:
        port = load({name: place[name.upper()]}).settings.port
    except ops.configuration.ConfigurationError as refused:
        port = 9000 if name in str(refused) else None

    assert port == 9000


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"APP_PORT": "http"}, 'APP_PORT: port = "http": Input should be a valid integer'),
        ({"APP_PORT": ""}, 'APP_PORT: port = "": Input should be a valid integer'),
        ({"PORT": "http"}, 'PORT: port = "http": Input should be a valid integer'),
        ({"APP_PORT": "0"}, "greater than or equal to 1"),
        ({"APP_PORT": "65536"}, "less than or equal to 65535"),
        ({"APP_WORKERS": "1.5"}, "valid integer"),
        ({"APP_HOST": ""}, "at least 1 character"),
        ({"APP_LOG__LEVEL": "loud"}, "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        ({"APP_LOG__LEVELS": '{"a": "loud"}'}, "'DEBUG', 'INFO'"),
        ({"APP_LOG__FORMAT": "xml"}, "'json' or 'console'"),
        ({"APP_SHUTDOWN__DRAIN_SECONDS": "-1"}, "greater than or equal to 0"),
        ({"APP_SHUTDOWN__DRAIN_SECONDS": "inf"}, "finite"),
        ({"APP_SHUTDOWN__TIMEOUT_SECONDS": "nan"}, "APP_SHUTDOWN__TIMEOUT_SECONDS: "),
        ({"APP_LIMITS__REQUEST_SECONDS": "0"}, "greater than 0"),
        ({"APP_PROXIES__TRUSTED": '["10.0.0.0/33"]'}, "network"),
        ({"APP_PROXIES__TRUSTED": "10.0.0.0/8"}, "it should be a list in JSON"),
        ({"APP_LOG__LEVELS": "DEBUG"}, "it should be an object in JSON"),
        ({"APP_LOG": "DEBUG"}, "it should be an object in JSON"),
        ({"APP_BUILD__TIME": "2026-01-31T12:00:00"}, "the time needs a zone: 2026-01-31T12:00:00Z"),
        ({"APP_BUILD__TIME": "yesterday"}, "yesterday"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_or_range_is_refused(environ: dict[str, str], said: str) -> None:
    (problem,) = problems(environ)

    assert problem.startswith(f"environment variable {next(iter(environ))}: ")
    assert said in problem


@pytest.mark.parametrize("value", ["yes", "[1]", "{a: 1}", "many", "1.5", "~"])
def test_yaml_that_is_no_number_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    found = problems(yaml(tmp_path, f"host: here\nworkers: {value}\n"))

    assert found
    assert all(problem.startswith(f"{tmp_path}/service.yaml:2: ") for problem in found)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("port: 1\nport: 2\n", 2, "port is given twice"),
        ("log:\n  level: INFO\n  level: ERROR\n", 3, "log.level is given twice"),
        ("prot: 1\n", 1, "no such setting: prot; did you mean port?"),
        ("log:\n  nope: 1\n", 2, "no such setting: log.nope"),
        ("PORT: 1\n", 1, "no such setting: PORT"),
        ("port: 1\n  log: {\n", 2, "not valid YAML"),
        ("host: 'open\n", 2, "not valid YAML"),
        ("port: 1\n---\nport: 2\n", 2, "not valid YAML"),
        ("yes: 1\n", 1, "a setting's name must be text"),
        ("? [a]\n: 1\n", 1, "a setting's name must be text"),
        ("port: !python/object:os.system 1\n", 1, "port: could not determine a constructor"),
        ("build: {time: 2026-13-45}\n", 1, "build.time: "),
        ("log:\n  levels:\n    a: &again {b: *again}\n", 3, ""),
        ("workers: &again [*again]\n", 1, ""),
    ],
)
def test_a_mistake_in_the_yaml_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    found = problems(yaml(tmp_path, text))

    assert found[0].startswith(f"{tmp_path}/service.yaml:{line}: ")
    assert said in found[0]


@pytest.mark.parametrize("text", ["- port\n", "port\n"])
def test_a_yaml_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert problems(yaml(tmp_path, text)) == [f"{tmp_path}/service.yaml: the file must hold settings as 'name: value'"]


def test_a_yaml_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")

    assert problems(flags={"config": str(tmp_path / "x.yaml")}) == [f"{tmp_path}/x.yaml: it is not UTF-8 text"]


def test_a_yaml_file_with_control_characters_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(yaml(tmp_path, "host: a\x00b\n"))

    assert "not valid YAML" in problem


@pytest.mark.parametrize(
    ("environ", "flags", "named"),
    [
        ({"APP_CONFIG_FILE": "/no/such.yaml"}, {}, "environment variable APP_CONFIG_FILE"),
        ({}, {"config": "/no/such.yaml"}, "flag --config"),
    ],
)
def test_a_yaml_file_that_is_not_there_is_refused(environ: dict[str, str], flags: dict[str, str], named: str) -> None:
    assert problems(environ, flags) == [f"{named}: '/no/such.yaml' can't be read (No such file or directory)"]


# --- the secrets folder


def test_the_folders_of_a_kubernetes_volume_are_passed_over(tmp_path: Path) -> None:
    data = tmp_path / "..2026_01_31"
    data.mkdir()
    (data / "APP_PORT").write_text("9000")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "APP_PORT").symlink_to("..data/APP_PORT")

    assert load({"APP_SECRETS_DIR": str(tmp_path)}).settings.port == 9000


def test_other_readers_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    environ = secrets(tmp_path, tls_crt="x", DB_PASSWORD="y", APPLE="z")
    (tmp_path / "secrets" / "APP_FOLDER").mkdir()

    assert load(environ).settings == OpsSettings()


def test_an_unknown_secret_file_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(secrets(tmp_path, APP_PROT="1"))

    assert problem == f"secret file {tmp_path}/secrets/APP_PROT: no such setting; did you mean APP_PORT?"


def test_a_secrets_folder_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert problems({"APP_SECRETS_DIR": f"{tmp_path}/no"}) == [
        f"environment variable APP_SECRETS_DIR: '{tmp_path}/no' is not a folder"
    ]


def test_a_secret_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "APP_HOST").write_bytes(b"\xff\xfe")

    assert problems({"APP_SECRETS_DIR": str(tmp_path)}) == [f"secret file {tmp_path}/APP_HOST: it is not UTF-8 text"]


def test_a_secret_file_beyond_reason_is_refused(tmp_path: Path) -> None:
    assert problems(secrets(tmp_path, APP_HOST="x" * 65_537)) == [
        f"secret file {tmp_path}/secrets/APP_HOST: larger than 65536 bytes"
    ]


def test_a_secret_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = secrets(tmp_path, APP_HOST="x")

    def refuse(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)  # root may read everything

    assert problems(environ) == [f"secret file {tmp_path}/secrets/APP_HOST: it can't be read (Permission denied)"]


# --- everything at once


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    environ = {
        "APP_WORKERS": "0",
        "APP_PROT": "1",
        **secrets(tmp_path, APP_LOG__FORMAT="xml"),
        **yaml(tmp_path, "shutdown: {drain_seconds: -1}\nnope: 1\n"),
    }

    assert problems(environ, {"port": "99999"}) == [
        f"{tmp_path}/service.yaml:2: no such setting: nope; `app config` lists them all",
        "environment variable APP_PROT: no such setting; did you mean APP_PORT?",
        'flag --port: port = "99999": Input should be less than or equal to 65535',
        'environment variable APP_WORKERS: workers = "0": Input should be greater than or equal to 1',
        f"secret file {tmp_path}/secrets/APP_LOG__FORMAT: log.format = \"xml\": Input should be 'json' or 'console'",
        f"{tmp_path}/service.yaml:1: shutdown.drain_seconds = -1: Input should be greater than or equal to 0",
    ]


# --- secrets stay secret

_HIDDEN = "hunter2-hunter2!"


class Peer(BaseModel):
    name: str
    password: SecretStr


class Guarded(ops.settings.Section):  # type: ignore[misc]
    user: str = "me"
    password: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _needs_a_user(self) -> "Guarded":
        if self.password.get_secret_value() and self.user == "nobody":
            raise ValueError("a password needs a user")
        return self


class Hostile(ops.settings.OpsSettings):  # type: ignore[misc]
    """Every place that a secret may be put in."""

    typed: SecretStr = SecretStr("")
    strict: SecretStr = Field(SecretStr(""), max_length=3)
    maybe: SecretStr | None = None
    several: list[SecretStr] = Field([])
    by_name: dict[str, SecretStr] = Field({})
    db_password: str = Field("", max_length=3)
    access_token: int = 0
    database_url: str = Field("", max_length=60)
    peers: list[Peer] = Field([])
    guarded: Guarded = Guarded()
    told: SecretStr = SecretStr("")

    @field_validator("told")
    @classmethod
    def _careless(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            raise ValueError(f"I do not like {value.get_secret_value()}")
        return value

    @model_validator(mode="after")
    def _together(self) -> "Hostile":
        if self.typed.get_secret_value() and self.host == "nowhere":
            raise ValueError("this host can't be used")
        return self


@pytest.mark.parametrize(
    "environ",
    [
        {"APP_STRICT": _HIDDEN},
        {"APP_TOLD": _HIDDEN},
        {"APP_SEVERAL": _HIDDEN},
        {"APP_SEVERAL": f'["{_HIDDEN}"'},
        {"APP_SEVERAL": f'["{_HIDDEN}", 1]'},
        {"APP_BY_NAME": f'{{"a": "{_HIDDEN}", "b": 1}}'},
        {"APP_BY_NAME": _HIDDEN},
        {"APP_DB_PASSWORD": _HIDDEN},
        {"APP_ACCESS_TOKEN": _HIDDEN},
        {"APP_DATABASE_URL": f"postgres://me:{_HIDDEN}@db.example.com/orders?{'x' * 60}"},
        {"APP_DATABASE_URL": f"postgres://me:{_HIDDEN}@{_HIDDEN}@db.example.com/orders?{'x' * 60}"},
        {"APP_DATABASE_URL": f"postgres://me:/{_HIDDEN}@db.example.com/orders?{'x' * 60}"},
        {"APP_STATUS__TOKENS": '["hunter2"]'},
        {"APP_STATUS__TOKENS": f"{_HIDDEN}"},
        {"APP_STATUS__TOKENS": f'["sha256:{_HIDDEN}"]'},
        {"APP_STATUS__TOKENS": f'["{_HIDDEN} and a space"]'},
        {"APP_STATUS": f'{{"tokens": ["{_HIDDEN}"]'},
        {"APP_STATUS": _HIDDEN},
        {"APP_STATUS": f'["{_HIDDEN}"]'},
        {"APP_STATUS": f'{{"tokns": ["{_HIDDEN}"]}}'},
        {"APP_PEERS": f'[{{"name": "a", "password": "{_HIDDEN}"}}, {{"name": "b"}}]'},
        {"APP_PEERS": f'[{{"name": 1, "password": "{_HIDDEN}"}}]'},
        {"APP_GUARDED__PASSWORD": _HIDDEN, "APP_GUARDED__USER": "nobody"},
        {"APP_TYPED": _HIDDEN, "APP_HOST": "nowhere"},
        {"APP_TYPED": _HIDDEN, "APP_PORT": "x"},
        {"APP_TYPES": _HIDDEN},
    ],
    ids=str,
)
def test_no_message_ever_shows_a_secret(environ: dict[str, str]) -> None:
    told = "\n".join(problems(environ, cls=Hostile))

    assert told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "text",
    [
        f"strict: {_HIDDEN}",
        "typed: 12345678901234567",
        f"typed: [{_HIDDEN}]",
        f"status: {_HIDDEN}",
        f"status: [{_HIDDEN}]",
        f"status: {{tokens: {_HIDDEN}}}",
        f"status: {{tokens: [{{a: {_HIDDEN}}}]}}",
        f"status:\n  tokens: ['{_HIDDEN}\n",
        f"typed: !{_HIDDEN} x",
        f"{{typed: {_HIDDEN}",
        f"peers: [{{name: a, password: {_HIDDEN}}}, {{name: b}}]",
        f"guarded: {{user: nobody, password: {_HIDDEN}}}",
        f"typed: {_HIDDEN}\nhost: nowhere\n",
        f"database_url: 'postgres://me:{_HIDDEN}@db.example.com/{'x' * 60}'",
    ],
)
def test_no_message_about_yaml_ever_shows_a_secret(tmp_path: Path, text: str) -> None:
    told = "\n".join(problems(yaml(tmp_path, text), cls=Hostile))

    assert told
    assert "hunter2" not in told
    assert "12345678901234567" not in told


def test_no_message_about_a_secret_file_ever_shows_it(tmp_path: Path) -> None:
    environ = secrets(tmp_path, APP_STRICT=_HIDDEN, APP_STATUS__TOKENS="hunter2\n", APP_STATUS=_HIDDEN)

    told = "\n".join(problems(environ, cls=Hostile))

    assert "APP_STRICT: strict: " in told
    assert "hunter2" not in told


def test_the_effective_configuration_shows_no_secret() -> None:
    environ = {
        "APP_TYPED": _HIDDEN,
        "APP_MAYBE": _HIDDEN,
        "APP_SEVERAL": f'["{_HIDDEN}"]',
        "APP_BY_NAME": f'{{"a": "{_HIDDEN}"}}',
        "APP_ACCESS_TOKEN": "4815162342",
        "APP_DATABASE_URL": "postgres://me:hunter2@db.example.com/o",
        "APP_PEERS": f'[{{"name": "a", "password": "{_HIDDEN}"}}]',
        "APP_GUARDED": f'{{"password": "{_HIDDEN}"}}',
        "APP_STATUS__TOKENS": f'["{_HIDDEN}"]',
    }

    shown = ops.reference.effective(load(environ, cls=Hostile))

    assert "hunter2" not in shown
    assert "4815162342" not in shown
    assert "postgres://**********@db.example.com/o" in shown
    assert '["**********"]' in shown
    assert "environment variable APP_STATUS__TOKENS" in shown


def test_the_effective_configuration_masks_a_password_with_the_characters_of_a_url() -> None:
    shown = ops.reference.effective(load({"APP_DATABASE_URL": "postgres://me:p@hunter2/3@db/o"}, cls=Hostile))

    assert "hunter2" not in shown


def test_settings_in_a_traceback_show_no_secret() -> None:
    settings = load({"APP_TYPED": _HIDDEN, "APP_STATUS__TOKENS": f'["{_HIDDEN}"]'}, cls=Hostile).settings

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_the_effective_configuration_names_every_setting_once() -> None:
    names = [line.split()[0] for line in ops.reference.effective(load(_OWNED, cls=Owned)).splitlines()]

    assert names == [".".join(key) for key, _ in ops.configuration.walk(Owned)]
    assert {"port", "log.level", "database.url", "api_key"} < set(names)


def test_an_optional_section_may_stay_empty() -> None:
    class Optional(ops.settings.OpsSettings):  # type: ignore[misc]
        database: Database | None = None

    shown = ops.reference.effective(load(cls=Optional))

    assert any(line.split()[:2] == ["database.url", "null"] for line in shown.splitlines())

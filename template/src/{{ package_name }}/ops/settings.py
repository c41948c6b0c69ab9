"""The settings that every service has. The service's own `Settings` is a subclass.

Defaults are those of production; `config/dev.yaml` relaxes them. Every setting has a description, because
`docs/configuration.md`, `.env.example` and the error messages are made from these classes.
"""

import hashlib
import re
from datetime import datetime
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(lambda value: ip_network(str(value)))]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class Section(BaseModel):
    """A group of settings: unknown keys are refused, values can't be changed once loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


def _address(value: str) -> str:
    if not re.fullmatch(r"[^@\s,<>\x00-\x1f]+@[^@\s,<>\x00-\x1f]+", value):
        raise ValueError("no e-mail address, such as team@example.org")
    return value


Address = Annotated[str, AfterValidator(_address)]


class EmailSettings(Section):
    """Errors by mail: one for many equal ones. Off unless `to` names somebody."""

    to: list[Address] = Field(
        default_factory=list, max_length=32, description="Who gets mails about errors. None: nobody, and it is off."
    )
    sender: Address | None = Field(
        default=None, description="From whom they come. Unset: the service's name at localhost."
    )
    host: str = Field(default="localhost", min_length=1, description="SMTP server.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Its port. Unset: 587, 465 or 25, by `security`."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls`: encrypted after the greeting. `tls`: from the start. `none`: in plain.",
    )
    username: str | None = Field(default=None, description="Name to log in with; with `password`.")
    password: SecretStr | None = Field(default=None, description="Password to log in with; best in a secret file.")
    gather_seconds: Seconds = Field(
        default=10.0,
        description="After the first error of a group: for how long its equals are counted before the mail.",
    )
    interval_seconds: float = Field(
        default=900.0,
        ge=1,
        le=604_800,
        description="Between two mails of one group; what comes meanwhile is counted in the next.",
    )
    most_per_hour: int = Field(
        default=20, ge=1, le=10_000, description="Mails an hour, of all groups and workers together."
    )
    runbook_url: str | None = Field(default=None, description="Page that each mail refers to.")

    @model_validator(mode="after")
    def _both(self) -> "EmailSettings":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


def _syslog(value: str | None) -> str | None:
    if value is not None:
        from .rfc5424 import Target  # noqa: PLC0415 - only where it is used

        Target.parse(value)
    return value


def _dsn(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    url = urlsplit(value.get_secret_value())
    if url.scheme not in ("http", "https") or not url.hostname or not url.username or not url.path.strip("/"):
        raise ValueError("no DSN: scheme://KEY@HOST/PROJECT, http or https")
    if find_spec("sentry_sdk") is None:
        raise ValueError('it needs the package sentry-sdk: uv add "sentry-sdk>=2.75,<3"')
    return value


class ErrorSettings(Section):
    """Where errors are reported to, beside the log. Off unless `dsn` is set."""

    dsn: Annotated[SecretStr | None, AfterValidator(_dsn)] = Field(
        default=None, description="DSN of a server that speaks Sentry's protocol. Needs the package `sentry-sdk`."
    )
    environment: str | None = Field(
        default=None, max_length=64, description="The environment's name in reports.", examples=["production"]
    )


class LogSettings(Section):
    """What is logged, how it looks, and where it goes beside standard output."""

    level: Level = Field(default="INFO", description="Lowest level that is logged.")
    levels: dict[str, Level] = Field(
        default_factory=dict,
        description="Levels of single loggers by name, which win over `level`; `access` is the line a request.",
        examples=[{"httpx2": "WARNING", "access": "WARNING"}],
    )
    format: Literal["json", "console"] = Field(
        default="json", description="`json`: one object a line. `console`: for people, in development."
    )
    syslog: Annotated[str | None, AfterValidator(_syslog)] = Field(
        default=None,
        description="Syslog server (RFC 5424) that gets every line: `udp://`, `tcp://`, `tls://` or `unix://`.",
        examples=["tls://logs.example.org:6514"],
    )
    email: EmailSettings = EmailSettings()
    close_seconds: Seconds = Field(
        default=3.0, description="At the end: for how long syslog, mail and the like may still deliver what waits."
    )


def _path(value: Any) -> Any:
    if value == "":
        raise ValueError("an empty path; leave it out instead")
    return value


def _token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if text.startswith("sha256:"):
        if not re.fullmatch(r"sha256:[0-9a-fA-F]{64}", text):
            raise ValueError("after 'sha256:' there must be exactly 64 hex digits")
    elif len(text) < 16:
        raise ValueError("a token in plain must have at least 16 characters")
    elif re.search(r"[^\x21-\x7e]", text):
        raise ValueError("a token may hold visible ASCII characters only, and no space")
    return token


class StatusSettings(Section):
    """Who may read `/status`."""

    tokens: list[Annotated[SecretStr, AfterValidator(_token)]] = Field(
        default_factory=list,
        max_length=16,
        description=(
            "Bearer tokens for `/status`, all valid at once (rotate: add the new one, move callers, drop the old one). "
            "Each at least 16 characters in plain, or `sha256:` and the 64 hex digits of its hash. "
            "None: `/status` answers 403."
        ),
    )

    @field_validator("tokens", mode="before")
    @classmethod
    def _one_a_line(cls, value: Any) -> Any:
        """A secret file may hold one token a line, in place of a JSON list."""
        if isinstance(value, TokenFile):
            return [line for line in (raw.strip() for raw in value.splitlines()) if line]
        return value

    def digests(self) -> list[bytes]:
        """SHA-256 of every valid token, 32 bytes each: the only form that is kept in memory for comparison."""
        found = []
        for token in self.tokens:
            text = token.get_secret_value()
            hashed = text.removeprefix("sha256:")
            found.append(bytes.fromhex(hashed) if hashed != text else hashlib.sha256(text.encode()).digest())
        return found


class TokenFile(str):
    """Text that came from a secret file and is not JSON."""

    __slots__ = ()


class ShutdownSettings(Section):
    """How the service stops. Their sum must stay below the platform's grace period (Kubernetes: 30 s)."""

    drain_seconds: Seconds = Field(
        default=5.0,
        description=(
            "After SIGTERM: for how long `/readyz` answers 503 while requests are still served. "
            "Longer than the balancer needs to notice."
        ),
    )
    timeout_seconds: Seconds = Field(
        default=20.0, description="After the drain: for how long requests in flight may still run before they are cut."
    )


class LimitSettings(Section):
    """What one worker accepts."""

    request_body_bytes: int = Field(
        default=1_048_576, ge=0, le=2**40, description="Largest request body; a larger one is answered 413."
    )
    request_header_bytes: int = Field(
        default=32_768, ge=1024, le=2**24, description="Request line and headers together; more is answered 431."
    )
    request_header_seconds: Seconds = Field(
        default=10.0, gt=0, description="Time to receive the headers; a slower connection is answered 408 and closed."
    )
    request_seconds: Seconds = Field(
        default=60.0,
        gt=0,
        description="Time until an answer must have started; then it is 503 and the handler is cancelled.",
    )
    concurrent_requests: int = Field(
        default=256,
        ge=1,
        le=1_000_000,
        description="Requests in flight in one worker; past it, 503 with `Retry-After`. Probes are not counted.",
    )
    keep_alive_seconds: Seconds = Field(
        default=75.0,
        gt=0,
        description="How long an idle connection is kept; longer than the balancer in front keeps it.",
    )


class ProxySettings(Section):
    """Which peers may say who the client is."""

    trusted: list[Network] = Field(
        default_factory=list,
        description=(
            "Networks of the proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. "
            "None: they are ignored."
        ),
        examples=[["10.0.0.0/8"]],
    )


class MetricsSettings(Section):
    """Where several workers share their metrics."""

    dir: Annotated[Path, BeforeValidator(_path)] | None = Field(
        default=None,
        description=(
            "Where several workers make a folder for the metrics that they share, and remove it at the end. "
            "Unset: in memory, or where temporary files are."
        ),
    )


class HealthSettings(Section):
    """Defaults of the dependency checks; each check may have its own."""

    interval_seconds: Seconds = Field(default=10.0, gt=0, description="Time between two runs of a check.")
    timeout_seconds: Seconds = Field(default=2.0, gt=0, description="Time after which a run of a check has failed.")
    failure_threshold: int = Field(default=3, ge=1, le=1000, description="Failures in a row until a check fails.")
    success_threshold: int = Field(
        default=1, ge=1, le=1000, description="Successes in a row until a check passes again."
    )


class BuildSettings(Section):
    """What the image was built from; set by the image build."""

    commit: str | None = Field(default=None, max_length=64, description="Commit that the build was made from.")
    time: str | None = Field(
        default=None, description="Time of the build, RFC 3339.", examples=["2026-01-31T12:00:00Z"]
    )

    @field_validator("commit", "time", mode="before")
    @classmethod
    def _unknown(cls, value: Any) -> Any:
        """An image that was built without saying so has these variables, and they are empty."""
        return None if value == "" else value

    @field_validator("time")
    @classmethod
    def _rfc3339(cls, value: str | None) -> str | None:
        if value is not None and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("the time needs a zone: 2026-01-31T12:00:00Z")
        return value


class OpsSettings(BaseSettings):
    """Base class of the service's `Settings`.

    Constructing it reads nothing from outside, so that a test says all it depends on;
    `ops.configuration.load` gathers flags, environment, secret files and the YAML file.
    """

    model_config = SettingsConfigDict(
        env_prefix="APP_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    host: str = Field(default="0.0.0.0", min_length=1, description="Address to listen on.")  # noqa: S104
    port: int = Field(
        default=8000, ge=1, le=65535, description="Port to listen on. The plain variable `PORT` is read too."
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[^/?#\s]+)*$",
        description="Path prefix that the gateway strips from requests; URLs that the service gives out begin with it.",
    )
    workers: int = Field(default=1, ge=1, le=256, description="Worker processes.")
    log: LogSettings = LogSettings()
    errors: ErrorSettings = ErrorSettings()
    status: StatusSettings = StatusSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    limits: LimitSettings = LimitSettings()
    proxies: ProxySettings = ProxySettings()
    health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    build: BuildSettings = BuildSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the caller gives: the world outside is read in one place, `ops.configuration`."""
        return (init_settings,)

"""Settings as owners write them: required, secret, nested, with types of their own."""

from typing import Annotated

from pydantic import Field, PostgresDsn, SecretStr

from .ops import OpsSettings, Section


class Store(Section):
    """A store."""

    url: PostgresDsn | None = Field(None, description="Where it is.")
    password: SecretStr = Field(SecretStr(""), description="How to get in.")
    pool: Annotated[int, Field(ge=1, le=50)] = Field(5, description="Connections.")


class Settings(OpsSettings):
    """The settings of the tests' service."""

    store: Store = Store()
    partners: list[str] = Field(default_factory=list, description="Who may call.")
    ratio: float = Field(0.5, ge=0, le=1, description="A share.")

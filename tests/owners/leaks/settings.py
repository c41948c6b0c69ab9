"""Settings with secrets in every depth."""

from pydantic import Field, SecretStr

from .ops import OpsSettings, Section


class Partner(Section):
    """A partner's account."""

    username: str = Field("me", description="Name.")
    password: SecretStr = Field(SecretStr("unset"), description="Password.")


class Settings(OpsSettings):
    """A careless owner's."""

    partner: Partner = Partner()
    database: SecretStr = Field(SecretStr("unset"), description="Address with password.")

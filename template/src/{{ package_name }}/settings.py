"""The service's own settings. Those that every service has are in `ops/settings.py`."""

from pydantic import Field

from .ops import OpsSettings


class Settings(OpsSettings):
    """A field `x` is the variable `APP_X`, the key `x` in the YAML file, or the secret file `APP_X`.

    Give each a description and a default that is right in production, use `SecretStr` for what must not be shown,
    and run `make docs` after a change.
    """

    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$", description="Currency of all quotes, ISO 4217.")

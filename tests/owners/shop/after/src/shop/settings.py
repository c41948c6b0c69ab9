"""The shop's settings."""

from pydantic import Field

from .ops import OpsSettings


class Settings(OpsSettings):
    """What can be configured, beside what ops/ brings."""

    cache_seconds: float = Field(60, gt=0, description="How long an item is kept, in seconds.")

"""A service whose check tells too much."""

from fastapi import FastAPI

from .ops import Check, create_service
from .routes import planted, router
from .settings import Settings


async def careless() -> None:
    """Fails with what was planted."""
    raise ConnectionError(f"can't connect with {planted['text']}")


def create_app(settings: Settings) -> FastAPI:
    """The careless service."""
    app = create_service(settings, checks=[Check("careless", careless, critical=False, interval_seconds=0.2)])
    app.state.settings = settings
    app.include_router(router)
    return app

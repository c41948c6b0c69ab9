"""Puts the shop together."""

from cachetools import TTLCache
from fastapi import FastAPI

from .ops import create_service
from .routes import router
from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The shop, ready to serve."""
    app = create_service(settings)
    app.state.cache = TTLCache[int, str](100, settings.cache_seconds)
    app.include_router(router)
    return app

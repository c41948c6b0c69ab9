"""An owner's service that calls another one, and makes spans of its own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from .ops import create_service, http_client
from .routes import router
from .settings import Settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("STOCK_URL", "http://127.0.0.1:1")
    async with http_client("stock", url, backoff_seconds=0.01) as client:
        app.state.stock = client
        yield


def create_app(settings: Settings) -> FastAPI:
    """The service of the tests."""
    app = create_service(settings, lifespan=lifespan)
    app.include_router(router)
    return app

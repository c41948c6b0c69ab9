"""Puts the service together: everything that it is made of meets here, and only here."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from .ops import Check, create_service
from .routes import router
from .settings import Settings


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Open what a worker needs (pools, clients from `ops.http_client`) before the `yield`, close it after."""
    yield


def create_app(settings: Settings) -> FastAPI:
    """Make the application. With several workers this runs once, before they are forked: open nothing here."""
    checks: list[Check] = []  # of what the service depends on, as Check("payments", payments.ping, critical=False)
    app = create_service(settings, checks=checks, lifespan=lifespan)
    app.state.settings = settings
    app.include_router(router)
    return app

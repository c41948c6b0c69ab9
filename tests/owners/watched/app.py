"""A service for dashboards and alerts: one dependency is up and one down, and it calls others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from .ops import Check, create_service, http_client
from .routes import router
from .settings import Settings


async def up() -> bool:
    return True


async def down() -> bool:
    raise ConnectionError("nobody answers")


def create_app(settings: Settings) -> FastAPI:
    """The service of the tests."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            http_client("stock", f"http://127.0.0.1:{settings.port}") as stock,
            http_client("mail", "http://127.0.0.1:9", retries=0) as mail,
        ):
            app.state.stock, app.state.mail = stock, mail
            yield

    checks = [Check("store", up, interval_seconds=0.5), Check("partner", down, critical=False, interval_seconds=0.5)]
    app = create_service(settings, checks=checks, lifespan=lifespan)
    app.include_router(router)
    return app

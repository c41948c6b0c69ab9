"""What owners do: checks that pass, fail and hang, middleware added late, a sub-application, a lifespan."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from .ops import Check, create_service
from .routes import router, tenants
from .settings import Settings


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    if os.environ.get("PROBE_START") == "fail":
        raise RuntimeError("the database is not there")
    if os.environ.get("PROBE_START") == "exit":
        os._exit(7)
    await asyncio.sleep(float(os.environ.get("PROBE_START_SECONDS", "0")))
    yield
    await asyncio.sleep(float(os.environ.get("PROBE_STOP_SECONDS", "0")))


async def file_is_there() -> bool:
    """A dependency that the tests switch on and off."""
    return Path(os.environ.get("PROBE_FILE", "/")).exists()


async def hang() -> None:
    """A dependency that never answers."""
    await asyncio.sleep(3600)


def create_app(settings: Settings) -> FastAPI:
    """The service of the tests."""
    fast = {"interval_seconds": 0.1, "failure_threshold": 2}
    checks = [Check("store", file_is_there, **fast)]
    if os.environ.get("PROBE_HANG"):
        checks.append(Check("slowpoke", hang, critical=False, timeout_seconds=0.2, **fast))
    app = create_service(settings, checks=checks, lifespan=lifespan)
    app.include_router(router)
    mounted = FastAPI()
    mounted.include_router(tenants)
    app.mount("/tenants/{tenant}", mounted)
    return app

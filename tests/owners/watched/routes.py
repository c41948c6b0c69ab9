"""Routes that are quick, slow, fail, block and call others, and an owner's own metrics."""

import asyncio
import time
from contextlib import suppress

import httpx2
from fastapi import APIRouter, Request
from prometheus_client import Counter, Gauge

router = APIRouter(prefix="/v1")
JOBS = Counter("jobs", "Jobs that were begun.")
FAILED = Counter("jobs_failed", "Jobs that failed.")
IMPORTED = Gauge("orders_imported_timestamp_seconds", "When orders were last imported.", multiprocess_mode="livemax")


@router.get("/orders/{order}")
async def get_order(order: str) -> dict[str, str]:
    return {"order": order}


@router.get("/search")
async def search(seconds: float = 0.4) -> None:
    await asyncio.sleep(min(seconds, 10))


@router.get("/checkout")
async def checkout() -> None:
    raise RuntimeError("no money")


@router.get("/block")
async def block(seconds: float = 0.2) -> None:
    time.sleep(min(seconds, 1))  # noqa: ASYNC251 - so that the event loop is late


@router.get("/jobs")
async def job() -> None:
    JOBS.inc()
    FAILED.inc()
    IMPORTED.set(time.time() - 3600)


@router.get("/ask")
async def ask(request: Request) -> dict[str, int]:
    with suppress(httpx2.TransportError):
        await request.app.state.mail.get("/letters")
    answer = await request.app.state.stock.get("/v1/orders/17")
    return {"status": answer.status_code}

"""Routes that call, fail and stream, and spans as owners write them."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from opentelemetry import trace

router = APIRouter(prefix="/v1")
tracer = trace.get_tracer("shop")  # before the fork, as owners do
log = structlog.get_logger(__name__)
failures = {"left": 0}


@router.get("/orders/{order}")
async def get_order(order: str, request: Request) -> dict[str, Any]:
    with tracer.start_as_current_span("look it up"):
        log.info("asking the stock")
        answer = await request.app.state.stock.get(f"/v1/stock/{order}", params={"email": "kari@example.org"})
    return {"status": answer.status_code, "stock": answer.json()}


@router.get("/stock/{order}")
async def get_stock(order: str, email: str = "") -> dict[str, Any]:
    log.info("counting")
    if failures["left"] > 0:
        failures["left"] -= 1
        raise HTTPException(503)
    return {"left": 3}


@router.put("/failures/{count}")
async def fail(count: int) -> None:
    failures["left"] = count


@router.get("/crash")
async def crash() -> None:
    raise RuntimeError("the password is hunter2")


@router.get("/own/{person}")
async def own(person: str) -> None:
    trace.get_current_span().set_attribute("shop.email", "kari@example.org")
    with tracer.start_as_current_span(
        "charge 4111 1111 1111 1111", attributes={"password": "hunter2", "shop.items": 3}
    ):
        raise ValueError("hunter2 of kari@example.org")


@router.get("/stream")
async def stream(seconds: float = 0.0) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000
            await asyncio.sleep(seconds)

    return StreamingResponse(body())


@router.get("/slow")
async def slow(seconds: float = 1.0) -> None:
    await asyncio.sleep(seconds)


@router.get("/busy")
async def busy(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251 - so that this worker takes no further connection


@router.get("/modules")
async def modules() -> list[str]:
    return [name for name in sys.modules if name.startswith("opentelemetry.")]

"""Routes that behave, and that misbehave in all the ways that a service has to survive."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import structlog
from fastapi import APIRouter, BackgroundTasks, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

router = APIRouter(prefix="/v1")
tenants = APIRouter()
log = structlog.get_logger(__name__)


class Item(BaseModel):
    name: str
    count: int


@router.get("/items/{item}")
async def get_item(item: str) -> Item:
    return Item(name=item, count=1)


@router.post("/items")
async def create_item(item: Item) -> Item:
    return item


@router.get("/slow")
async def slow(seconds: float = 0.5) -> dict[str, float]:
    await asyncio.sleep(min(seconds, 60))
    return {"seconds": seconds}


@router.get("/slow-thread")
def slow_thread(seconds: float = 0.5) -> dict[str, float]:
    time.sleep(min(seconds, 60))
    return {"seconds": seconds}


@router.get("/crash")
async def crash() -> None:
    raise RuntimeError("the password is hunter2")


@router.get("/unavailable")
async def unavailable() -> None:
    raise HTTPException(503, "The partner is down.", headers={"Retry-After": "7"})


@router.get("/stream")
async def stream(chunks: int = 3, seconds: float = 0.0, crash: bool = False) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        for number in range(chunks):
            yield f"{number}\n".encode() * 1000
            await asyncio.sleep(seconds)
        if crash:
            raise RuntimeError("half way")

    return StreamingResponse(body())


@router.get("/background")
async def background(tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(asyncio.sleep, 0.5)
    return {"status": "accepted"}


@router.get("/client")
async def client(request: Request) -> dict[str, Any]:
    """Who the service believes is calling."""
    return {"host": request.client.host if request.client else None, "scheme": request.url.scheme}


@router.get("/log")
async def write_log() -> dict[str, str]:
    log.info("from structlog", number=1)
    return {"status": "logged"}


@tenants.get("/users/{user}")
async def get_user(request: Request, user: str) -> dict[str, str]:
    return {"tenant": request.path_params["tenant"], "user": user}

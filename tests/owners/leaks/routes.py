"""Routes that put what they are given wherever a developer in a hurry puts it."""

import asyncio
import logging
import threading
import warnings
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, HTTPException, Request
from pydantic import BaseModel, SecretStr, TypeAdapter

from .ops import Personal, http_client

router = APIRouter(prefix="/v1")
log = structlog.get_logger(__name__)
planted = {"text": "nothing"}


class Customer(BaseModel):
    """What a shop knows of somebody."""

    alias: Annotated[str, Personal(purpose="to greet", retention="P1Y")]
    favourite: Annotated[str, Personal(purpose="to recommend", retention="P1Y")]
    pin: SecretStr
    shoe_size: int = 40


@router.post("/customers")
async def customer(given: Customer, request: Request, fail: bool = False) -> dict[str, str]:
    """Log a customer in every way."""
    log.info("customer", customer=given, given=given.model_dump(), alias=given.alias, pin=given.pin)
    log.info("settings", settings=request.app.state.settings, partner=request.app.state.settings.partner)
    log.warning(f"a customer came: {given!r}")
    logging.getLogger("library").error("customer %s, settings %r", given, request.app.state.settings)
    if fail:
        raise RuntimeError(f"no shoes for {given}")
    return {"status": "ok"}


@router.post("/text")
async def text(request: Request, where: str, x_note: Annotated[str, Header()] = "") -> Any:
    """Put the body's text wherever `where` says."""
    body = (await request.body()).decode()
    planted["text"] = body
    match where:
        case "log":
            log.info(f"the caller said {body}", note=body, nested={"list": [body, {"deep": body}]}, header=x_note)
            log.error("bad", headers=dict(request.headers), url=str(request.url), query=dict(request.query_params))
            logging.getLogger("library").warning("they said %s", body)
            warnings.warn(f"odd: {body}", UserWarning, stacklevel=1)
            logging.getLogger("library").error("with extra", extra={"payload": body, "raw": body.encode()})
        case "exception":
            try:
                raise ValueError(body)
            except ValueError as error:
                raise RuntimeError(f"while handling {body}") from error
        case "detail":
            raise HTTPException(409, f"can't take {body}")
        case "details":
            raise HTTPException(409, {"why": body, "more": [body]})
        case "validation":
            TypeAdapter(int).validate_python({"value": body})
        case "task":
            asyncio.get_running_loop().create_task(_fail(body))
            await asyncio.sleep(0.05)
        case "thread":
            thread = threading.Thread(target=_fail_in_thread, args=(body,))
            thread.start()
            thread.join()
        case "outgoing":
            async with http_client("partner", "http://127.0.0.1:9") as client:
                await client.get(f"/customers/{body}", params={"q": body}, headers={"X-Note": "x"})
        case _:
            raise HTTPException(404)
    return {"status": "ok"}


async def _fail(body: str) -> None:
    raise LookupError(body)


def _fail_in_thread(body: str) -> None:
    raise LookupError(body)

"""The shop's routes."""

from fastapi import APIRouter, Request

router = APIRouter()


@router.get("/items/{item}")
async def read_item(item: int, request: Request) -> dict[str, str]:
    """One item of the shop."""
    return {"item": request.app.state.cache.setdefault(item, f"item {item}")}

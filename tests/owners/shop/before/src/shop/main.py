"""The shop."""

import os

from cachetools import TTLCache
from fastapi import FastAPI

app = FastAPI()
cache: TTLCache[int, str] = TTLCache(100, float(os.environ.get("CACHE_SECONDS", "60")))


@app.get("/items/{item}")
async def read_item(item: int) -> dict[str, str]:
    return {"item": cache.setdefault(item, f"item {item}")}

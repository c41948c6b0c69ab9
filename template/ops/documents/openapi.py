"""openapi.json: the API's own description, for catalogues, generators of clients, and reviews of what changes."""

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

# What makes the document from the code: other versions may write the same API down in other words.
MAKERS: Final = ("fastapi", "pydantic", "starlette")


def text(document: dict[str, Any], stamp: str) -> str:
    """The document, without the version of the service: that is each build's own."""
    info = {**document.get("info", {}), "version": "unreleased"}
    return json.dumps({**document, "info": info, "x-made-with": stamp}, indent=2, ensure_ascii=False) + "\n"


def stamp() -> str:
    """The versions that the document was made with."""
    return ", ".join(f"{name} {_version(name)}" for name in MAKERS)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"

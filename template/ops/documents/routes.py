"""routes.md: which routes the API has, and who may call them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .reading import documents
from .tables import plain, table

ROUTE: Final = "deploy/common/httproute.yaml"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
HEAD: Final = """\
# Routes

Made by `make docs` from the application; `make check` compares. Change the code. Parameters, bodies and answers are in
[openapi.json](openapi.json), which generators of clients read, and at `/docs` of a running service. Errors are problem
documents (RFC 9457), and every answer carries `X-Request-ID`. The routes that every service has for its operation are
in [operations.md](../operations.md).
"""
NONE: Final = "The application has no routes of its own.\n"


def text(openapi: dict[str, Any], prefixes: tuple[str, ...] | None) -> str:
    """The whole page.

    Args:
        openapi: the application's document.
        prefixes: of the paths that the gateway publishes; None if that is not known here.
    """
    rows = list(_rows(openapi, prefixes))
    heads = ("method", "path", "what it does", "takes", "answers", "who may call")
    return f"{HEAD}\n{table(heads, rows) if rows else NONE}"


def published(root: Path) -> tuple[str, ...] | None:
    """Prefixes of the paths that the gateway publishes, as deploy/common/httproute.yaml has them."""
    routes = [each for each in documents(root, ROUTE) if each.get("kind") == "HTTPRoute"]
    if not routes:
        return None
    paths = (
        match.get("path") for route in routes for rule in _list(route.get("spec"), "rules") for match in _matches(rule)
    )
    return tuple(str(each.get("value", "/")) for each in paths if isinstance(each, dict))


def _matches(rule: Any) -> list[dict[str, Any]]:
    return [each for each in _list(rule, "matches") if isinstance(each, dict)]


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _rows(openapi: dict[str, Any], prefixes: tuple[str, ...] | None) -> Iterator[tuple[str, ...]]:
    for path, item in openapi.get("paths", {}).items():
        for method in METHODS:
            if (operation := item.get(method)) is None:
                continue
            yield (
                method.upper(),
                f"`{path}`" + (" (deprecated)" if operation.get("deprecated") else ""),
                plain(_about(operation)),
                _takes(item, operation),
                ", ".join(str(each) for each in operation.get("responses", {})),
                _who(openapi, operation, path, prefixes),
            )


def _about(operation: dict[str, Any]) -> str:
    """The first sentence of its description; a summary is more often only the function's name."""
    return str(operation.get("description") or operation.get("summary") or "").split("\n\n")[0]


def _takes(item: dict[str, Any], operation: dict[str, Any]) -> str:
    parameters = [each for each in (*item.get("parameters", ()), *operation.get("parameters", ())) if "name" in each]
    taken = [f"`{each['name']}` ({each['in']})" for each in parameters]
    if "requestBody" in operation:
        taken.append(", ".join(operation["requestBody"].get("content", {})) or "a body")
    return ", ".join(taken)


def _who(openapi: dict[str, Any], operation: dict[str, Any], path: str, prefixes: tuple[str, ...] | None) -> str:
    asked = operation.get("security", openapi.get("security", []))
    names = sorted({name for each in asked for name in each})
    who = f"whoever has {' or '.join(names)}" if names and {} not in asked else "anyone"
    if prefixes is None:
        return who
    return f"{who}, {'through the gateway' if _is_below(path, prefixes) else 'inside the cluster alone'}"


def _is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(re.match(rf"{re.escape(each.rstrip('/'))}(/|$)", path) for each in prefixes)

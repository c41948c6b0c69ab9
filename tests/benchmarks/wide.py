"""A service with many series: the rendered service's operational parts around 200 routes."""

from importlib import import_module
from typing import Any

ROUTES = 200


async def answer() -> dict[str, bool]:
    """The one answer of all routes."""
    return {"ok": True}


def create_app(settings: Any) -> Any:
    """Make the application, as the seed's `create_app` does."""
    app = import_module("benchmarked.ops").create_service(settings)
    for number in range(ROUTES):
        app.add_api_route(f"/wide/{number}", answer)
    return app


if __name__ == "__main__":
    raise SystemExit(import_module("benchmarked.ops.cli").main("wide:create_app", "benchmarked.settings:Settings"))

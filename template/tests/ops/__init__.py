"""The promises of the template's `ops` package. This folder is the template's: `copier update` renews it.

The package is found by where it lies, because its parent's name is the service's own: `from . import ops`. Every test
brings an application of its own; none uses the service's routes or settings.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI

ROOT = Path(__file__).absolute().parents[2]
(PACKAGE,) = (found.parents[1].name for found in (ROOT / "src").glob("*/ops/__init__.py"))

# Any: what it exports is known only when it has been found.
ops: Any = import_module(f"{PACKAGE}.ops")
for _module in sorted((ROOT / "src" / PACKAGE / "ops").glob("[!_]*.py")):
    if _module.stem not in ("testing", "workers"):  # pytest has loaded the one, and a server is not needed here
        import_module(f"{PACKAGE}.ops.{_module.stem}")

TOKEN = "a-token-of-twenty-ch"  # noqa: S105 - of the services that these tests make
Message = MutableMapping[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]


def service(**options: Any) -> FastAPI:
    """The smallest service: settings by keyword, all else as `create_service` takes it."""
    names = set(ops.settings.OpsSettings.model_fields) & set(options)
    settings = ops.settings.OpsSettings(**{name: options.pop(name) for name in names})
    made: FastAPI = ops.service.create_service(settings, **options)
    return made


@dataclass
class Answer:
    """What an application sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The status code; 0 when no answer began."""
        return int(self.messages[0]["status"]) if self.messages else 0

    @property
    def headers(self) -> dict[str, str]:
        """Header names in lower case."""
        return {name.decode().lower(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        """All pieces joined."""
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def document(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


async def ask(
    app: Application,
    method: str = "GET",
    path: str = "/",
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: Iterable[bytes] = (b"",),
    *,
    leave: bool = False,
) -> Answer:
    """Send one request as a server would; after its body the client waits, or leaves."""
    answer, pieces, ended = Answer(), list(body), asyncio.Event()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> Message:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or leave}
        if not leave:
            await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.messages.append(dict(message))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            ended.set()

    await app(scope, receive, send)
    return answer


async def trickle(pieces: Iterable[str], pause: float = 0.0) -> AsyncIterator[str]:
    """A body that comes in pieces."""
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


def sample(name: str, **labels: str) -> float:
    """A metric's value now; 0 for a series that does not exist."""
    from prometheus_client import REGISTRY  # noqa: PLC0415 - after ops has made its metrics

    return REGISTRY.get_sample_value(name, labels) or 0.0


def requests(route: str, status: int, method: str = "GET") -> float:
    """How many requests of a route were counted."""
    return sample(
        "http_server_request_duration_seconds_count",
        http_request_method=method,
        http_route=route,
        http_response_status_code=str(status),
    )

"""Load on a running instance: keep-alive connections of polite clients, which count what failed."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Final

CALLERS: Final = 8
_ANSWER_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.002


@dataclass
class Load:
    """What became of a load. `failed` are requests without a whole answer or with a status of failure.

    `lost` are those of them that failed once more when they were sent again.
    """

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)


@contextmanager
def under_load(port: int, path: str) -> Generator[Load]:
    """Send GET requests all the time, until the block ends or `stopped` is set."""
    load = Load()
    thread = threading.Thread(target=lambda: asyncio.run(_all(port, path, load)), daemon=True)
    thread.start()
    ends = monotonic() + _ANSWER_SECONDS
    while load.answered < CALLERS and not load.failed and monotonic() < ends:
        sleep(0.01)
    try:
        yield load
    finally:
        load.stopped.set()
        thread.join(_ANSWER_SECONDS + 2)


async def _all(port: int, path: str, load: Load) -> None:
    await asyncio.gather(*(_Caller(port, path, load).go_on() for _ in range(CALLERS)))


class _Caller:
    """One connection at a time. It is closed when an answer asks for that, and a closed one is not sent on."""

    def __init__(self, port: int, path: str, load: Load) -> None:
        self._port, self._load = port, load
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def go_on(self) -> None:
        while not self._load.stopped.is_set():
            if (error := await self._sent()) is not None:
                self._load.failed.append(error)
                if (again := await self._sent()) is not None:
                    self._load.lost.append(again)
                    await asyncio.sleep(0.05)
            await asyncio.sleep(_PAUSE_SECONDS)
        self._close()

    async def _sent(self) -> str | None:
        """Send one request; why it failed, or None."""
        try:
            status = await asyncio.wait_for(self._answer(), _ANSWER_SECONDS)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            self._close()
            return type(error).__name__
        if status >= 500:
            return f"status {status}"
        self._load.answered += 1
        return None

    async def _answer(self) -> int:
        if self._streams is not None and self._streams[0].at_eof():
            self._close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next((line for line in head.split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        await reader.readexactly(int(length.split(b":")[1]))
        if b"\r\nconnection: close" in head:
            self._close()
        return int(head[9:12])

    def _close(self) -> None:
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].close()
            self._streams = None

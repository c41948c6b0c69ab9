"""uvicorn, stopping in the order that loses no request.

On SIGTERM or SIGINT: readiness fails while requests are still served, for the drain time, and every answer asks its
client to close the connection; then no new connections, and requests in flight end within the time limit; then the
process ends with status 0. A second signal, or the limit, cuts what still runs.
"""

# ruff: noqa: T201 - people read what is printed here

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn

from . import slots
from .levels import SERVICE
from .lifecycle import LIFECYCLE
from .protocol import limited
from .settings import OpsSettings
from .stdout import Stdout
from .tracing import TRACING

IGNORED_SIGNALS: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH)
EX_CUT: Final = 1
EX_START: Final = 3
_AFTER_LIMIT_SECONDS: Final = 2.0  # for the application's own shutdown code, once requests have been cut

log = structlog.get_logger(__name__)


def uvicorn_options(settings: OpsSettings) -> dict[str, Any]:
    """uvicorn's configuration, the same for one worker and for several."""
    return {
        "http": limited(settings.limits),
        "root_path": settings.root_path,
        "lifespan": "on",
        "log_config": None,
        "access_log": False,  # the edge writes the access line
        "server_header": False,
        "proxy_headers": False,  # the edge trusts configured proxies only
        "timeout_keep_alive": settings.limits.keep_alive_seconds,
        "timeout_graceful_shutdown": settings.shutdown.timeout_seconds,
    }


class Server(uvicorn.Server):
    """A server that drains before it stops.

    Args:
        config: uvicorn's.
        settings: the service's.
        sink: of log lines, written by this server's event loop while it runs.
        parent: process id of the main process, which decides for its workers; None if this one is the whole service.
    """

    def __init__(self, config: uvicorn.Config, settings: OpsSettings, sink: Stdout, parent: int | None = None) -> None:
        super().__init__(config)
        self._drain_seconds = settings.shutdown.drain_seconds
        self._limit_seconds = settings.shutdown.timeout_seconds
        self._sink = sink
        self._alone = parent is None
        self._parent = parent
        self._signalled_at: float | None = None
        self._said = self._ending = False
        logging.getLogger("uvicorn.error").addFilter(_told_by_the_edge)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle signals without raising them again at the end, as uvicorn does: a clean stop is status 0."""
        self.take_signals()
        yield

    def take_signals(self) -> None:
        """Let signals come to this server from now on."""
        for ignored in IGNORED_SIGNALS:
            signal.signal(ignored, signal.SIG_IGN)
        for ends in (signal.SIGINT, signal.SIGHUP):
            # Both reach all processes of a terminal: the parent passes them on to its workers.
            signal.signal(ends, self.handle_exit if self._alone else signal.SIG_IGN)
        if not self._alone:
            signal.signal(signal.SIGQUIT, self.handle_exit)
        signal.signal(signal.SIGTERM, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Begin to stop, or, at the second signal, end at once."""
        again = self._signalled_at is not None and self._alone
        if again or sig == signal.SIGQUIT:
            self.force_exit = self.should_exit = True
        if self._signalled_at is None:
            self._signalled_at = monotonic()
            if self._alone:
                LIFECYCLE.drain()
        if not self.started or (again and self._ending):
            self._end_now()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._sink.attach(asyncio.get_running_loop())
        TRACING.start()
        try:
            await super().startup(sockets)
        except SystemExit:
            self._sink.detach()
            raise
        slots.mark_ready()
        if self._alone:
            log.info("service started")

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether it is time to close the listening socket, or to change a level back."""
        if not self._alone and counter % 10 == 0 and os.getppid() != self._parent:
            LIFECYCLE.drain()  # the parent was killed: nobody replaces or stops this worker any more
            self._signalled_at = self._signalled_at or monotonic()
        if counter % 10 == 0:
            SERVICE.levels.refresh()
        if self._signalled_at is not None and not self.should_exit:
            since = monotonic() - self._signalled_at
            if LIFECYCLE.draining:
                self._say_draining()
                self.should_exit = since >= self._drain_seconds
            elif since >= 0.5:  # only this worker is to go: the others take over its listening socket
                LIFECYCLE.retiring = self.should_exit = True
        return await super().on_tick(counter)

    def _say_draining(self) -> None:
        if not self._said:
            self._said = True
            log.info("draining", drain_seconds=self._drain_seconds, timeout_seconds=self._limit_seconds)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listening socket, let requests end, run the application's shutdown code."""
        self._ending = True
        limit = _AFTER_LIMIT_SECONDS if self.force_exit else self._limit_seconds + _AFTER_LIMIT_SECONDS
        if self.force_exit and self.server_state.tasks:
            LIFECYCLE.cut()
        watchdog = asyncio.get_running_loop().call_later(limit, self._end_now)
        await super().shutdown(sockets)
        watchdog.cancel()
        if LIFECYCLE.was_cut:
            log.warning("stopped, and cut requests that were still running")
            self._end_now()
        log.info("stopped")
        self._sink.detach()

    def _end_now(self) -> None:
        """End without waiting for anything: a thread or a hanging shutdown can't hold up the process."""
        if self.started and self.server_state.tasks:
            LIFECYCLE.cut()
        self._sink.abandon()
        os._exit(EX_CUT if LIFECYCLE.was_cut else 0)


def serve_alone(application: Any, settings: OpsSettings, listener: socket.socket, sink: Stdout) -> int:
    """Serve in this process until a signal; returns the exit status."""
    config = uvicorn.Config(application, **uvicorn_options(settings))
    server = Server(config, settings, sink)
    server.take_signals()  # before the loop is made: an end by the handler until now would look like a failed start
    if LIFECYCLE.told_to_end:
        return 0
    try:
        server.run(sockets=[listener])
    except SystemExit:
        sink.flush()
        print("the service can't start: its lifespan failed, see the log above", file=sys.stderr)
        return EX_START
    return EX_CUT if LIFECYCLE.was_cut else 0


def _told_by_the_edge(record: logging.LogRecord) -> bool:
    """Drop what the edge has logged with the request's ids, and uvicorn's lines that hold a raw path."""
    text = str(record.msg)
    repeated = ("Exception in ASGI application", "ASGI callable returned without")
    return not text.startswith(repeated) and '"WebSocket %s"' not in text

"""Several workers: gunicorn's arbiter, with the application imported once and shared by forking.

Decision record 1 of the template says why gunicorn. What is added here: Ctrl-C drains as SIGTERM does, a second signal
ends at once, and a worker that can't start ends the service in place of a restart loop.
"""

# ruff: noqa: T201 - people read what is printed here

import logging
import os
import signal
import socket
import sys
from math import ceil
from types import FrameType
from typing import Any, Final, cast

import structlog
import uvicorn
from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from uvicorn_worker import UvicornWorker

from . import slots
from .lifecycle import LIFECYCLE
from .server import EX_CUT, IGNORED_SIGNALS, Server, uvicorn_options
from .settings import OpsSettings
from .stdout import Stdout

_HANG_SECONDS: Final = 120  # an event loop that has not turned for so long will not come back
_MARGIN_SECONDS: Final = 4
_KILLED_WHILE_STARTING: Final = 20
_ENDS: Final = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGHUP)

log = structlog.get_logger(__name__)


class _Worker(UvicornWorker):  # type: ignore[misc]
    """gunicorn's worker around the draining server."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("uvicorn.error", "uvicorn.access"):  # the base class has led them past the pipeline
            logging.getLogger(name).propagate = True
            logging.getLogger(name).setLevel(logging.NOTSET)

    async def _serve(self) -> None:
        application = cast("_Application", self.app)
        config = uvicorn.Config(
            self.wsgi,
            timeout_notify=self.timeout,
            callback_notify=self.callback_notify,
            **uvicorn_options(application.settings),
        )
        server = Server(config, application.settings, application.sink, parent=self.ppid)
        listeners: list[Any] = self.sockets  # gunicorn's own, around the sockets
        await server.serve(sockets=[listener.sock for listener in listeners])
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


class _Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's logger, which leaves handlers and levels to the service's pipeline."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        for logger in (self.error_log, self.access_log):
            logger.propagate = True
            logger.setLevel(logging.NOTSET)

    def reopen_files(self) -> None:
        pass

    def close_on_exec(self) -> None:
        pass


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, application: Any, settings: OpsSettings, listener: socket.socket, sink: Stdout) -> None:
        self.application, self.settings, self.sink = application, settings, sink
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        stop = self.settings.shutdown
        for name, value in {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": self.settings.workers,
            "worker_class": _Worker,
            "logger_class": _Logger,
            "preload_app": True,
            "worker_tmp_dir": str(slots.shared_folder()),  # of the files that workers show by that they live
            "timeout": _HANG_SECONDS,
            "graceful_timeout": ceil(stop.drain_seconds + stop.timeout_seconds + _MARGIN_SECONDS),
            "control_socket_disable": True,
            "when_ready": _before_workers,
            "post_fork": _in_worker,
            "child_exit": _worker_ended,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self.application


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's arbiter with the service's meaning of signals."""

    handle_int = handle_hup = Arbiter.handle_term
    stopping = False
    killed_while_starting = 0

    def init_signals(self) -> None:
        super().init_signals()
        for unused in IGNORED_SIGNALS:  # the configuration can't change while the service runs
            signal.signal(unused, signal.SIG_IGN)
        if LIFECYCLE.told_to_end:
            sys.exit(0)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        # While stopping, gunicorn looks for SIGQUIT to end its workers at once.
        ends = sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        super().signal(signal.SIGQUIT if ends and self.stopping else sig, frame)

    def stop(self, graceful: bool = True) -> None:
        self.stopping = True
        LIFECYCLE.drain()
        super().stop(graceful)

    def reap_workers(self) -> None:
        while True:
            try:
                super().reap_workers()
                return
            except HaltServer:
                if not self.stopping:
                    raise  # once stopping, there is nothing more to halt, and the others are still to be reaped

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        try:
            super().halt(reason, exit_status or 0)
        except SystemExit:
            if reason is not None:
                print(f"the service can't start: {reason}, see the log above", file=sys.stderr)
            if not exit_status and LIFECYCLE.was_cut:
                sys.exit(EX_CUT)
            raise


def serve_workers(application: Any, settings: OpsSettings, listener: socket.socket, sink: Stdout) -> int:
    """Serve with several workers until a signal; returns the exit status."""
    try:
        _Arbiter(_Application(application, settings, listener, sink)).run()
    except SystemExit as end:  # a forked worker comes by here, too
        return end.code if isinstance(end.code, int) else 1
    return 0


def _before_workers(_: Any) -> None:
    slots.forget_gauges()
    log.info("service started")


def _in_worker(arbiter: _Arbiter, worker: Any) -> None:
    """In a new worker: until it handles signals itself, one ends it.

    One that came since the fork is in this process's copy of the main process's queue, which nobody else reads. The
    main process sends it once: were it lost, it would wait for this worker until its time is over.
    """
    for ends in _ENDS:
        signal.signal(ends, signal.SIG_DFL)
    while not arbiter.SIG_QUEUE.empty():
        if arbiter.SIG_QUEUE.get_nowait() in _ENDS:
            os._exit(0)
    worker.slot = slots.claim()


def _worker_ended(arbiter: _Arbiter, worker: Any) -> None:
    """In the main process: decide whether a dead worker is worth replacing."""
    if arbiter.stopping or slots.was_ready(worker.pid):
        arbiter.killed_while_starting = 0
        return
    arbiter.killed_while_starting += 1
    if arbiter.killed_while_starting >= _KILLED_WHILE_STARTING:
        raise HaltServer(
            f"{_KILLED_WHILE_STARTING} workers in a row were killed while starting", arbiter.WORKER_BOOT_ERROR
        )

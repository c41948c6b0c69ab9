"""`app serve`: from loaded settings to a serving process, in the order in which things depend on each other."""

# ruff: noqa: T201 - people read what is printed here

import errno
import gc
import importlib
import os
import signal
import socket
import sys
from typing import Any, Final

from .lifecycle import LIFECYCLE
from .settings import OpsSettings

EX_UNAVAILABLE: Final = 69
_BACKLOG: Final = 2048


def serve(application: str, settings: OpsSettings) -> int:
    """Serve until a signal.

    Args:
        application: `package.module:function`; the function makes the ASGI application from the settings.

    Returns:
        The exit status: 0 after a clean stop, 1 if requests were cut, 3 if the service can't start, 69 if its
        address can't be had.
    """
    main_process, LIFECYCLE.told_to_end = os.getpid(), False
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _serve(application, settings)
    except BaseException:
        if LIFECYCLE.told_to_end and os.getpid() == main_process:
            return 0  # whatever a library has made of the signal's exception
        raise
    finally:
        if os.getpid() == main_process:  # a forked worker comes by here, too
            from . import slots  # noqa: PLC0415 - with one worker there is nothing to remove

            slots.remove()
            for number, handler in before.items():
                signal.signal(number, handler)


def _end(*_: object) -> None:
    """Until the server handles signals itself, there is nothing to drain.

    Where an exception is lost, as in a callback of an import, or made into another, what comes next looks at the flag;
    the server does so last, when it has taken the signals over.
    """
    LIFECYCLE.told_to_end = True
    raise SystemExit(0)


def _serve(application: str, settings: OpsSettings) -> int:
    try:
        listener = _listen(settings.host, settings.port)
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"can't be had ({error.strerror})"
        address = f"{settings.host}, port {settings.port}"
        print(f"the service can't listen: {address} {reason}; set APP_HOST, APP_PORT or --port", file=sys.stderr)
        return EX_UNAVAILABLE
    if problem := _prepare_metrics(settings):
        print(problem, file=sys.stderr)
        return EX_UNAVAILABLE

    from . import logs  # noqa: PLC0415 - it makes metrics, whose place has only now been settled
    from .about import ABOUT  # noqa: PLC0415
    from .levels import SERVICE  # noqa: PLC0415
    from .outlets import Outlets  # noqa: PLC0415
    from .slots import shared_folder  # noqa: PLC0415
    from .tracing import TRACING, prepare  # noqa: PLC0415

    shared = shared_folder()
    sink = logs.stdout_sink(shared / "stdout" if shared is not None else None)
    outlets = Outlets(settings, ABOUT.built(settings.build), shared)
    SERVICE.configure(shared)
    logs.configure(settings.log, ABOUT, [sink], lines=outlets.lines, errors=outlets.errors)
    prepare()
    try:
        return _made(application, settings, listener, sink)
    finally:
        TRACING.finish(settings.log.close_seconds)
        outlets.close()
        TRACING.close()


def _made(application: str, settings: OpsSettings, listener: socket.socket, sink: Any) -> int:
    """Make the application and serve it."""
    from . import logs  # noqa: PLC0415 - it makes metrics, whose place has only now been settled

    module, _, function = application.partition(":")
    try:
        app = getattr(importlib.import_module(module), function)(settings)
    except Exception as error:  # noqa: BLE001 - whatever the service's own code raises
        if LIFECYCLE.told_to_end:
            return 0
        logs.emit("critical", __name__, "the application can't be made", {"exc_info": error})
        print(f"the service can't start: {type(error).__name__} in {application}, see the log above", file=sys.stderr)
        return 3
    return 0 if LIFECYCLE.told_to_end else _run(app, settings, listener, sink)


def _run(app: Any, settings: OpsSettings, listener: socket.socket, sink: Any) -> int:
    gc.freeze()  # what was made so far stays: no collection looks at it, and what workers share stays shared
    gc.enable()
    if settings.workers == 1:
        from .server import serve_alone  # noqa: PLC0415 - gunicorn need not be imported

        return serve_alone(app, settings, listener, sink)
    from .workers import serve_workers  # noqa: PLC0415

    return serve_workers(app, settings, listener, sink)


def _prepare_metrics(settings: OpsSettings) -> str | None:
    """With several workers, share the metrics between them. Returns what is wrong, if anything."""
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # the library would keep files a process, for ever
    if settings.workers == 1:
        return None
    from . import slots  # noqa: PLC0415
    from .about import ABOUT  # noqa: PLC0415

    try:
        slots.share(ABOUT.name, settings.metrics.dir)
    except OSError as error:
        return f"metrics of several workers need a folder: {error.strerror}: {error.filename}; set APP_METRICS__DIR"
    return None


def _listen(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener

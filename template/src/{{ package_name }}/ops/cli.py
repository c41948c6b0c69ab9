"""The console script `app`: serve, config, health, version."""

# ruff: noqa: T201 - people read what is printed here

import argparse
import gc
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

EX_CONFIG: Final = 78  # sysexits.h
EX_IOERR: Final = 74


def main(application: str, settings: str, arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        application: `package.module:function` that makes the application from the settings.
        settings: `package.module:class` of the settings.
        arguments: of the command line; None means this process's.

    Returns:
        The exit status.
    """
    _open_standard_descriptors()
    given = _parser().parse_args(arguments)
    gc.disable()  # collections while importing find nothing and are a tenth of the start; `app serve` enables it again
    try:
        with _signals_heard(given.command):
            status = _run(given, application, settings)
        sys.stdout.flush()
    except BrokenPipeError:  # `app config | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # `app config >/dev/full`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"app: {error.strerror or error}", file=sys.stderr)
        return EX_IOERR
    finally:
        gc.enable()
    return status


@contextmanager
def _signals_heard(command: str) -> Generator[None]:
    """End with 0 at a SIGTERM while the service is still being put together.

    As process 1 of a container it would not be ended by one that it does not handle: the platform would wait for its
    whole grace period, and then kill it.
    """
    numbers = (signal.SIGTERM, signal.SIGINT) if command == "serve" else ()
    before = {number: signal.signal(number, _end) for number in numbers}
    main_process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == main_process:  # a forked worker comes by here, too
            for number, handler in before.items():
                signal.signal(number, handler)


def _end(*_: object) -> None:
    """Nothing is open yet. An exception would be lost if it came up in a callback of an import."""
    os._exit(0)


def _open_standard_descriptors() -> None:
    """Where one of the first three is closed, the next file to be opened would become what others write to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def _run(given: argparse.Namespace, application: str, settings: str) -> int:
    if given.command == "version":
        return _version()
    if given.command == "config" and (given.schema or given.reference):
        return _describe(_settings_class(settings), given.reference)
    return _with_settings(given, application, _settings_class(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app", description="Runs and inspects the service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="start the service in the foreground")
    config = commands.add_parser("config", help="show every setting's effective value and where it came from")
    health = commands.add_parser("health", help="ask the running service whether it lives: exit status 0 or 1")
    commands.add_parser("version", help="print the versions of the service and its template")
    personal = commands.add_parser("personal-data", help="list the personal data and secrets that the code declares")
    personal.add_argument("--format", choices=("markdown", "json"), default="markdown", help="how to print it")
    for command in (serve, config, health, personal):
        command.add_argument("--config", metavar="FILE", help="YAML file with settings (APP_CONFIG_FILE)")
        command.add_argument("--host", help="address to listen on (APP_HOST)")
        command.add_argument("--port", help="port to listen on (APP_PORT)")
        command.add_argument("--workers", help="worker processes (APP_WORKERS)")
    health.add_argument("--ready", action="store_true", help="ask whether it is ready for requests, too")
    what = config.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only verify the configuration")
    what.add_argument("--schema", action="store_true", help="print the JSON Schema of the settings")
    what.add_argument("--reference", choices=("markdown", "dotenv"), help="print the reference page or an example .env")
    return parser


def _with_settings(given: argparse.Namespace, application: str, cls: Any) -> int:
    from .configuration import ConfigurationError, load  # noqa: PLC0415 - each command imports what it needs

    flags = {name: getattr(given, name) for name in ("config", "host", "port", "workers")}
    try:
        loaded = load(cls, os.environ, flags)
    except ConfigurationError as error:
        count = len(error.problems)
        print(f"configuration refused, {count} problem{'s' if count > 1 else ''}:", file=sys.stderr)
        for problem in error.problems:
            print(f"  - {problem}", file=sys.stderr)
        return EX_CONFIG
    if given.command == "serve":
        from .serve import serve  # noqa: PLC0415

        return serve(application, loaded.settings)
    if given.command == "personal-data":
        return _personal_data(application, loaded.settings, given.format)
    if given.command == "health":
        return _health(loaded.settings.host, loaded.settings.port, "/readyz" if given.ready else "/livez")
    if not given.check:
        from .reference import effective  # noqa: PLC0415

        print(effective(loaded))
    return 0


def _personal_data(application: str, settings: Any, form: str) -> int:
    import json  # noqa: PLC0415

    from .personal import inventory, markdown  # noqa: PLC0415

    module, _, function = application.partition(":")
    rows = inventory(getattr(import_module(module), function)(settings), settings)
    print(markdown(rows) if form == "markdown" else json.dumps(rows, indent=2, ensure_ascii=False))
    return 0


def _health(host: str, port: int, path: str) -> int:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415

    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound, asked
    connection = HTTPConnection(local, port, timeout=3)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"{path}: no answer from {local}, port {port} ({error or type(error).__name__})", file=sys.stderr)
        return 1
    finally:
        connection.close()
    print(f"{path}: {status}")
    return 0 if status == 200 else 1


def _version() -> int:
    from .about import ABOUT  # noqa: PLC0415

    commit = os.environ.get("APP_BUILD__COMMIT") or "unknown"
    built = os.environ.get("APP_BUILD__TIME") or "unknown"
    print(f"{ABOUT.name} {ABOUT.version} (commit {commit}, built {built}, template {ABOUT.template_version})")
    return 0


def _describe(cls: Any, reference: str | None) -> int:
    import json  # noqa: PLC0415

    from .reference import dotenv, markdown  # noqa: PLC0415

    if reference is None:
        print(json.dumps(cls.model_json_schema(), indent=2))
    else:
        print({"markdown": markdown, "dotenv": dotenv}[reference](cls), end="")
    return 0


def _settings_class(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)

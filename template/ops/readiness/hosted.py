"""`python -m ops.readiness.hosted PACKAGE serve …`: the service's own command, as `python -m PACKAGE` runs it.

Two things are added. The process ends when the one that started it is gone, so that no check leaves one behind. And
where the environment asks for it, the application gets the routes of `planted`, which checks need.
"""

import os
import runpy
import signal
import stat
import sys
import threading
from importlib import import_module
from typing import Any

from ops.readiness import planted


def main() -> None:
    """Run the service's command."""
    package = sys.argv.pop(1)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_end_with_parent, args=(os.getpid(),), daemon=True).start()
    if planted.PREFIX in os.environ:
        _plant(import_module(f"{package}.ops.cli"))
    runpy.run_module(package, run_name="__main__", alter_sys=True)


def _plant(cli: Any) -> None:
    """Let the command make the application by way of `planted`, whatever the owner's `__main__` names."""
    run = cli.main

    def main(application: str, settings: str, arguments: list[str] | None = None) -> Any:
        os.environ[planted.APPLICATION] = application
        return run(f"{planted.__name__}:create_app", settings, arguments)

    cli.main = main


def _end_with_parent(pid: int) -> None:
    while os.read(0, 1):
        pass
    os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    main()

"""`python -m ops.hooks` in forks of one process that has Copier loaded: to load it takes longer than what is asked.

A fork is given its folder, its variables and its output as a new process would be, and loads the service's own hooks.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbum import local

from tests.quick import patched

ROOT = Path(__file__).resolve().parents[1]
HOOKS = "ops.hooks"

_servers: "dict[int, subprocess.Popen[str]]" = {}


def hooks(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run one of a service's hooks, with its output captured."""
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:
        outputs = [str(Path(folder, name)) for name in ("stdout", "stderr")]
        asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "outputs": outputs}
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps({**asked, "timeout": timeout}) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        stdout, stderr = (Path(output).read_text("utf-8") for output in outputs)
    return subprocess.CompletedProcess(["python", "-m", HOOKS, *arguments], status, stdout, stderr)


def _server() -> "subprocess.Popen[str]":
    """This process's own."""
    if os.getpid() not in _servers:
        command = [sys.executable, "-m", "tests.forks"]
        made = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _servers[os.getpid()] = made
        atexit.register(_end, made)
    return _servers[os.getpid()]


def _end(server: "subprocess.Popen[str]") -> None:
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            pipe.close()
    server.wait(10)


def _serve() -> None:
    """Run what is asked for, one after the other, until nobody asks any more."""
    with patched():
        for line in sys.stdin:
            asked = json.loads(line)
            print(_forked(**asked), flush=True)


def _forked(
    arguments: list[str], cwd: str, env: Mapping[str, str], outputs: Sequence[str], timeout: float = 120
) -> int:
    """Fork, and wait for the exit status."""
    pid = os.fork()
    if pid == 0:
        _become(arguments, cwd, env, outputs, int(timeout))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(arguments: list[str], cwd: str, env: Mapping[str, str], outputs: Sequence[str], timeout: int) -> None:
    """Be the process that was asked for, to its end."""
    signal.alarm(timeout)
    for number, name in enumerate([os.devnull, *outputs]):
        file = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    local.env._curr = os.environ.copy()  # as it was read when this was loaded
    tempfile.tempdir = None
    sys.dont_write_bytecode = True
    sys.path[0] = cwd
    for name in [name for name in sys.modules if name.split(".")[0] == "ops"]:
        del sys.modules[name]
    sys.argv[1:] = arguments
    subprocess.run = _run_or_fork  # type: ignore[assignment]
    status: Any = 0
    try:
        runpy.run_module(HOOKS, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:  # noqa: BLE001 - it is shown, as Python shows it
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


_run = subprocess.run


def _run_or_fork(command: Any, *rest: Any, **options: Any) -> Any:
    """The hooks run those of the new version: in a fork, too."""
    if list(command[:3]) != [sys.executable, "-m", HOOKS]:
        return _run(command, *rest, **options)
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:
        outputs = [str(Path(folder, name)) for name in ("stdout", "stderr")]
        status = _forked(command[3:], str(options["cwd"]), options["env"], outputs)
        stdout, stderr = (Path(output).read_text("utf-8") for output in outputs)
    return subprocess.CompletedProcess(command, status, stdout, stderr)


if __name__ == "__main__":
    _serve()

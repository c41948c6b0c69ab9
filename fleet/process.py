"""Processes: each with a time limit, in a group of its own that is killed as a whole, and never with a question."""

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .address import PROTOCOLS, TroubleError, redact

_MOST = 4_000_000  # characters of output that are looked at

# Set where git runs a hook: they would lead git into another repository.
_ASTRAY = {
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_WORK_TREE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
}

# What services' code gets to see of the environment; all else, tokens above all, is not there.
_HARMLESS = {
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "UV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
}

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
    "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    status: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """Its last words, without credentials."""
        return redact(self.errors.strip() or self.output.strip() or f"status {self.status}")[-2000:]


_running: set["subprocess.Popen[bytes]"] = set()
_guard = threading.Lock()
_stopping = threading.Event()


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    sweep: bool = False,
) -> Ended:
    """Run a command to its end.

    Args:
        command: never given to a shell.
        cwd: its working directory.
        env: its whole environment.
        seconds: its time limit.
        sweep: whether to kill what it leaves running.

    Raises:
        TroubleError: it could not be started, or took too long.
    """
    # files, not pipes: what a killed process leaves behind could hold a pipe open for ever
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": errors}
        with _guard:
            if _stopping.is_set():
                raise TroubleError("stopped")
            try:
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=dict(env),
                    start_new_session=True,
                    **streams,  # type: ignore[call-overload]
                )
            except OSError as error:
                raise TroubleError(f"{Path(command[0]).name} could not be started: {error}") from error
            _running.add(process)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TroubleError(f"{_name(command)} took longer than {seconds:g} s and was killed") from error
        finally:
            if sweep or process.poll() is None:
                _kill(process)
            process.wait()
            with _guard:
                _running.discard(process)
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read(_MOST).decode(errors="replace"))
    if _stopping.is_set():
        raise TroubleError("stopped")
    return Ended(process.returncode, *texts)


def _name(command: Sequence[str]) -> str:
    words = [word for word in command[1:] if not word.startswith(("-", "/")) and "=" not in word]
    return " ".join([Path(command[0]).name, *words[:2]])


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def stop() -> None:
    """Kill all that runs, and let nothing more be started."""
    with _guard:
        _stopping.set()
        for process in _running:
            _kill(process)


def trusted() -> dict[str, str]:
    """The environment for git where it needs the user's credentials, without anything that could ask a question."""
    variables = {name: value for name, value in os.environ.items() if name not in {*_ASTRAY, "SSH_ASKPASS"}}
    if "GIT_SSH" not in variables:
        variables["GIT_SSH_COMMAND"] = f"{_ssh()} -o BatchMode=yes -o ConnectTimeout=20"
    return {**variables, **_QUIET}


@cache
def _ssh() -> str:
    asked = subprocess.run(
        ["git", "config", "core.sshCommand"], cwd="/", capture_output=True, text=True, check=False, timeout=20
    )
    return os.environ.get("GIT_SSH_COMMAND") or asked.stdout.strip() or "ssh"


def confined(home: Path, more: Sequence[str] = ()) -> dict[str, str]:
    """The environment for what services' repositories bring: no tokens, another home, no settings of the user's."""
    variables = {name: value for name, value in os.environ.items() if name in {*_HARMLESS, *more}}
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        **variables,
        **_QUIET,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20",
    }


def arguments(template: str, values: Mapping[str, str]) -> list[str]:
    """The words of a command with its places filled in: split first, so that no value becomes two words.

    Raises:
        ValueError: it has a place that nobody knows, or an open quote.
    """
    words = shlex.split(template)
    if not words:
        raise ValueError("it is empty")
    filled = []
    for word in words:
        pieces = word.split("{")
        text = pieces[0]
        for piece in pieces[1:]:
            name, found, rest = piece.partition("}")
            if not found or name not in values:
                raise ValueError(f"{{{name}}} is no place; there are {', '.join(f'{{{each}}}' for each in values)}")
            text += values[name] + rest
        filled.append(text)
    return filled

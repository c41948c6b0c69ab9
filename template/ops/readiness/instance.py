"""One instance of the service: started for checks on loopback, read all the time, ended by its process id."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar

import httpx2

from .outcome import CannotTell

T = TypeVar("T")

START_SECONDS: Final = 25.0
_ANSWER_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.02
_FROM_OUTSIDE: Final = ("APP_", "PORT", "OTEL_", "PYTHON", "PROMETHEUS_MULTIPROC", "VIRTUAL_ENV", "READINESS_")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process of the service is started.

    Attributes:
        root: the service's folder.
        package: its Python package.
        env: variables beside the few that every process has.
        cwd: where it is started; None for the service's folder.
        clean: whether it gets nothing of this process's environment.
    """

    root: Path
    package: str
    env: Mapping[str, str]
    cwd: Path | None = None
    clean: bool = False

    def start(self, *arguments: str, stdin: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
        """The process, in a session of its own: a signal to this one's terminal is not for it.

        Standard input is a pipe that nobody writes to: when this process dies, it ends, and so does what was started.
        """
        root = self.root.absolute()
        inherited = {} if self.clean else {n: v for n, v in os.environ.items() if not n.startswith(_FROM_OUTSIDE)}
        env = {"PATH": os.defpath, **inherited, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", **self.env}
        command = [sys.executable, "-m", "ops.readiness.hosted", self.package, *arguments]
        return subprocess.Popen(
            command,
            cwd=self.cwd or root,
            env=env,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ran to its end."""

    status: int
    stdout: str
    stderr: str


def run(launch: Launch, *arguments: str, seconds: float = 30) -> Ended:
    """Run one command of the service to its end.

    Raises:
        CannotTell: it does not end.
    """
    process = launch.start(*arguments, stdin=subprocess.DEVNULL)
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CannotTell(f"app {' '.join(arguments)} did not end within {seconds:g} s") from None
    finally:
        _kill(process)
    return Ended(process.returncode, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))


@dataclass
class Instance:
    """A service that runs. `lines` and `errors` are what it has written so far."""

    process: "subprocess.Popen[bytes]"
    port: int
    lines: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    seconds: float = 0.0
    _readers: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request on a connection of its own: any worker may take it."""
        with httpx2.Client(verify=False, trust_env=False, timeout=_ANSWER_SECONDS) as client:
            return client.request(method, self.url + path, **options)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """GET; underscores in the headers' names are dashes."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def logged(self, **wanted: object) -> list[dict[str, Any]]:
        """The log lines that are JSON objects with these values."""
        return [line for line in map(_parsed, list(self.lines)) if wanted.items() <= line.items()]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the main process."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def wait(self, seconds: float) -> int | None:
        """The exit status, when all output has been read; None if it does not end in time."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        for reader in self._readers:
            reader.join(2)
        return status

    def end(self) -> None:
        """Leave no process behind."""
        _kill(self.process)
        for reader in self._readers:
            reader.join(2)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def last_words(self) -> str:
        """The last thing that it wrote, standard error first, since a start that is refused is told there."""
        for output in (self.errors, self.lines):
            if written := [line for line in map(_readable, output) if line.strip()]:
                return written[-1].strip()
        return "it wrote nothing"


def started(launch: Launch, port: int, *arguments: str) -> Instance:
    """Start `app serve`; it may not answer yet."""
    instance = Instance(launch.start("serve", *arguments), port)
    for stream, into in ((instance.process.stdout, instance.lines), (instance.process.stderr, instance.errors)):
        reader = threading.Thread(target=_read, args=(stream, into), daemon=True)
        reader.start()
        instance._readers.append(reader)
    return instance


def await_life(instance: Instance, seconds: float = START_SECONDS) -> bool:
    """Wait until it answers, and for a moment until it is ready, too; False if it ended, or never answered."""
    began = monotonic()
    answered = until(lambda: not instance.alive or _status(instance, "/livez") == 200, seconds)
    instance.seconds = monotonic() - began
    if not answered or not instance.alive:
        return False
    until(lambda: _status(instance, "/readyz") == 200, 5)
    return True


def until(found: Callable[[], T], seconds: float = _ANSWER_SECONDS) -> T | None:
    """What `found` returns as soon as it is something true; None if it never is."""
    ends = monotonic() + seconds
    while True:
        if result := found():
            return result
        if monotonic() > ends:
            return None
        sleep(_PAUSE_SECONDS)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _status(instance: Instance, path: str) -> int:
    try:
        return instance.get(path).status_code
    except (httpx2.HTTPError, OSError):
        return 0


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the process, and those that it has started: its session is its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)


def _read(stream: Any, into: list[bytes]) -> None:
    with suppress(ValueError, OSError):
        into.extend(stream)


def _readable(line: bytes) -> str:
    parsed = _parsed(line)
    if not parsed:
        return line.decode("utf-8", "replace")
    told = [str(parsed[name]) for name in ("event", "exception_type", "exception_message") if parsed.get(name)]
    return ": ".join(told) or line.decode("utf-8", "replace")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def outputs(instances: Sequence[Instance]) -> str:
    """All that these have written, as text."""
    written = (line for each in instances for output in (each.lines, each.errors) for line in list(output))
    return b"".join(written).decode("utf-8", "replace")

"""Rendering, installing and running services for the tests: for real, on loopback, ended by process id."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import copier
import httpx2

from tests.locks import UV, lock
from tests.quick import quick

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "a-token-for-the-tests"
DRAIN_SECONDS = 0.2
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to read the authorities' certificates takes 25 ms a request


def plain_copy(destination: Path) -> Path:
    """The template's files in a plain folder: from there it renders twice as fast as from the git repository."""
    destination.mkdir(parents=True)
    for name in ("copier.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, destination)
    for name in ("template", "includes", "hooks"):
        shutil.copytree(ROOT / name, destination / name, ignore=shutil.ignore_patterns("__pycache__"))
    return destination


def render(source: Path, destination: Path, **answers: Any) -> Path:
    """Render with the defaults and these answers, without trust."""
    answers.setdefault("service_name", "orders")
    with quick():
        copier.run_copy(str(source), destination, data=answers, defaults=True, quiet=True, unsafe=False)
    return destination


def install(project: Path) -> Path:
    """`make install`, as its README says, of a service whose lock file is there."""
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "MAKEFLAGS")}
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    lock(project, clean_environment())
    make = ["make", "install", f"PYTHON={sys.executable}"]
    subprocess.run(make, cwd=project, check=True, env=environment, capture_output=True)
    return project


def sync(project: Path) -> Path:
    """What `make install` leaves, with this session's uv, which need not be installed first: in a third of the time."""
    lock(project, clean_environment())
    command = [str(UV), "sync", "--quiet", "--python", sys.executable]
    subprocess.run(command, cwd=project, check=True, env=clean_environment(), capture_output=True)
    if (project / "slo.yaml").is_file() and not (project / "monitoring").is_dir():
        derived(project, "ops.slo")
    if not (project / "docs/reference").is_dir():
        derived(project, "ops.documents")
    return project


def derived(project: Path, tool: str) -> None:
    """Make what one of the service's tools makes."""
    make = [str(project / ".venv/bin/python"), "-m", tool, "make"]
    subprocess.run(make, cwd=project, check=True, env=clean_environment(), capture_output=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Ended:
    """A process that has ended."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Running:
    """A service that runs as `app serve`."""

    process: "subprocess.Popen[bytes]"
    port: int
    lines: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """GET on a connection of its own."""
        return httpx2.get(self.url + path, timeout=10, verify=NO_TLS, **options)

    def status(self) -> dict[str, Any]:
        """What `/status` tells."""
        answer = self.get("/status", headers={"Authorization": f"Bearer {TOKEN}"})
        document: dict[str, Any] = answer.json()
        return document

    def workers(self) -> dict[str, int]:
        """Process id of each ready worker by its slot."""
        return {each["worker"]: each["pid"] for each in self.status()["workers"] if each["ready"]}

    def metric(self, start: str) -> dict[str, float]:
        """Samples of `/metrics` whose text begins with `start`."""
        samples = (line.rsplit(" ", 1) for line in self.get("/metrics").text.splitlines() if line.startswith(start))
        return {name: float(value) for name, value in samples}

    def logged(self, **wanted: Any) -> list[dict[str, Any]]:
        """The log lines that have these fields."""
        parsed = [json.loads(line) for line in list(self.lines)]
        return [line for line in parsed if all(line.get(name) == value for name, value in wanted.items())]

    def wait_for(self, **wanted: Any) -> dict[str, Any]:
        """The first log line with these fields; waits for it."""
        line: dict[str, Any] = until(lambda: next(iter(self.logged(**wanted)), None), f"a log line with {wanted}")
        return line

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        """The exit status; all output has been read."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return status

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.signal()
        return self.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)  # it replaces no worker any more
            for pid in [*children(self.process.pid), self.process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None and not any(reader.is_alive() for reader in self._readers):
                stream.close()


def labels(sample: str) -> dict[str, str]:
    """The labels of a sample's name, as Prometheus writes them."""
    return dict(re.findall(r'(\w+)="([^"]*)"', sample))


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in listed.stdout.split()]


def until(found: Any, what: str, seconds: float = 30) -> Any:
    """Call `found` until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx2.TransportError):
            if result := found():
                return result
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without what would configure a service, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "PORT", "VIRTUAL_ENV"))}
    return {**kept, **variables}


@contextmanager
def serving(project: Path, *flags: str, ready: bool = True, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run `app serve` until the block ends; standard output is read all the time."""
    port = free_port()
    variables = {
        "APP_HOST": "127.0.0.1",
        "APP_PORT": str(port),
        "APP_STATUS__TOKENS": json.dumps([TOKEN]),
        "APP_SHUTDOWN__DRAIN_SECONDS": str(DRAIN_SECONDS),
        "APP_SHUTDOWN__TIMEOUT_SECONDS": "5",
        **(env or {}),
    }
    process = subprocess.Popen(
        [project / ".venv/bin/app", "serve", *flags],
        cwd=project,
        env=clean_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running = Running(process, port)
    for stream, into in ((process.stdout, running.lines), (process.stderr, running.errors)):
        reader = threading.Thread(target=lambda s=stream, i=into: i.extend(s), daemon=True)
        reader.start()
        running._readers.append(reader)
    try:
        if ready:
            until(lambda: _alive(running).get("/readyz").status_code == 200, "readiness", 20)
        yield running
    finally:
        running.end()


def _alive(running: Running) -> Running:
    if running.process.poll() is not None:
        raise AssertionError(f"ended with {running.wait()}: {b''.join(running.errors).decode()}{running.lines[-3:]}")
    return running


def run(project: Path, *command: str, env: Mapping[str, str] | None = None, seconds: float = 60) -> Ended:
    """Run `app` with these arguments to its end."""
    done = subprocess.run(
        [project / ".venv/bin/app", *command],
        cwd=project,
        env=clean_environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass
class Load:
    """Answers to a load, by status; `failed` are requests without a whole answer."""

    answered: dict[int, int] = field(default_factory=dict)
    failed: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.answered.values())


class Client:
    """Keep-alive connections that send GET requests one after the other, as a polite client does.

    It closes a connection when the answer says so, and does not send on one that the server has closed.
    """

    def __init__(self, port: int, path: str, load: Load, *, pause: float = 0.0) -> None:
        self.port, self.path, self.load, self.pause = port, path, load, pause
        self.stopped = False

    async def send(self, count: int) -> None:
        """Send `count` requests, or fewer if `stopped` is set."""
        request = f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        for _ in range(count):
            if self.stopped:
                break
            try:
                if writer is None or reader is None or reader.at_eof():
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(request)
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 15)
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                status = int(head[9:12])
                self.load.answered[status] = self.load.answered.get(status, 0) + 1
                if b"\r\nconnection: close" in head.lower():
                    writer.close()
                    reader = writer = None
            except (OSError, EOFError, TimeoutError) as error:
                self.load.failed += 1
                self.load.errors.append(repr(error))
                if writer is not None:
                    writer.close()
                reader = writer = None
            if self.pause:
                await asyncio.sleep(self.pause)
        if writer is not None:
            writer.close()

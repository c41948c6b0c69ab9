"""Real containers for the tests: hardened, on this machine's network, removed by their names."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

import httpx2

from tests.container_host import environment
from tests.services import DRAIN_SECONDS, TOKEN, Ended, free_port, until

# One temporary folder, and nothing else that can be written.
HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
    "--pids-limit=100",
)


def podman(*arguments: str | Path) -> Ended:
    """Run podman to its end."""
    command = ["podman", *arguments]
    ran = run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    return Ended(ran.returncode, ran.stdout, ran.stderr)


def done(*arguments: str | Path) -> str:
    """What podman says; it must succeed."""
    ended = podman(*arguments)
    assert ended.status == 0, f"podman {' '.join(map(str, arguments))}: {ended.stderr}"
    return ended.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A container on this machine's network."""

    name: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(self.url + path, timeout=10)

    @property
    def running(self) -> bool:
        return self.pid != 0 and Path(f"/proc/{self.pid}").exists()

    def ready(self) -> bool:
        """Whether it answers that it is ready; a container that has ended never will."""
        assert self.running, f"ended with {self.wait()}: {self.output()[-2000:]}"
        return self.get("/readyz").status_code == 200

    def health(self) -> Ended:
        """Run the image's HEALTHCHECK once."""
        return podman("healthcheck", "run", self.name)

    def run(self, *command: str) -> Ended:
        """Run a command in it."""
        return podman("exec", self.name, *command)

    def output(self) -> str:
        """What it has written on both outputs."""
        logged = podman("logs", self.name)
        return logged.stdout + logged.stderr

    def signal(self, name: str = "TERM") -> None:
        done("kill", "--signal", name, self.name)

    def wait(self) -> int:
        """The exit status, once it has ended; waits up to 30 s."""
        until(lambda: not self.running, "the end", 30)
        return int(done("wait", self.name))

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit status, and the seconds that it took."""
        began = time.monotonic()
        self.signal()
        return self.wait(), time.monotonic() - began

    def remove(self) -> None:
        podman("rm", "--force", "--time=0", self.name)


def start(image: str, *flags: str, port: int | None = None, env: Mapping[str, str] | None = None) -> Container:
    """Start a hardened container of a service's image; the caller removes it."""
    port = port or free_port()
    variables = {
        "APP_HOST": "127.0.0.1",
        "APP_PORT": str(port),
        "APP_STATUS__TOKENS": json.dumps([TOKEN]),
        "APP_SHUTDOWN__DRAIN_SECONDS": str(DRAIN_SECONDS),
        **(env or {}),
    }
    given = [f"--env={name}={value}" for name, value in variables.items()]
    name = done("run", "--detach", *HARDENED, *flags, *given, image)
    return Container(name, port, int(done("inspect", "--format", "{{.State.Pid}}", name)))


@contextmanager
def running(image: str, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Container]:
    """A hardened container that is ready, until the block ends."""
    container = start(image, *flags, env=env)
    try:
        until(container.ready, "readiness", 20)
        yield container
    finally:
        container.remove()

"""Starts servers, and reads from /proc what they cost."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
START_SECONDS = 30.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: the process id of its main process, its port, and its seconds from exec to the first 200."""

    pid: int
    port: int
    seconds_to_first_answer: float

    def tree(self) -> list[int]:
        """Process ids of the main process and all that descend from it."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent := _parent(entry)) is not None:
                children.setdefault(parent, []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_seconds(self) -> float:
        """CPU that the whole tree has used so far, in user and in system mode."""
        return sum(_cpu_seconds(pid) for pid in self.tree())

    def pss_bytes(self) -> int:
        """Memory of the whole tree, each shared page divided by the number of processes that share it."""
        total = 0
        for pid in self.tree():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def load(
        self,
        path: str,
        count: int,
        *,
        method: str = "GET",
        body: str = "",
        connections: int,
        different: int = 1,
        rate: float = 0,
    ) -> None:
        """Send `count` requests from another process.

        Raises:
            subprocess.CalledProcessError: not every answer was a 200.
        """
        options = {
            "port": self.port,
            "path": path,
            "method": method,
            "body": body,
            "requests": count,
            "connections": connections,
            "different": different,
            "rate": rate,
        }
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        subprocess.run([sys.executable, str(HERE / "load.py"), *arguments], check=True, timeout=120)


@contextmanager
def started(command: Sequence[str], port: int, path: str, folder: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """A server while the block runs, its output read by another process as a container runtime would."""
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=reader.stdin,
        stderr=reader.stdin,
    )
    assert reader.stdin is not None
    reader.stdin.close()
    try:
        _wait_for_answer(process, port, path)
        yield Server(process.pid, port, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.wait(STOP_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> int:
    """The status that a GET is answered with."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _wait_for_answer(process: "subprocess.Popen[bytes]", port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if get(port, path) == 200:
                return
        except OSError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.002)
    raise RuntimeError(f"{process.args!r} does not answer {path} on port {port}; exit status {process.poll()}")


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it has just ended
        return None


def _cpu_seconds(pid: int) -> float:
    try:
        # In nanoseconds and a line a thread, where the kernel keeps it; else in clock ticks, mostly of 10 ms.
        return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

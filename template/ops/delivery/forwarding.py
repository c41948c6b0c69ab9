"""A way to a service inside of a cluster, for as long as a command runs: operational routes are not published."""

import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import IO, Final

from . import cluster
from .cluster import ClusterError

URL: Final = "{url}"
_READY: Final = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def run(namespace: str, service: str, command: Sequence[str], seconds: float = 30) -> int:
    """Run a command while the service can be reached; `{url}` in it is where.

    Returns:
        The command's exit status.

    Raises:
        ClusterError: there was no way to the service within these seconds.
    """
    with way(namespace, service, seconds) as url:
        return subprocess.run([part.replace(URL, url) for part in command], check=False).returncode


@contextmanager
def way(namespace: str, service: str, seconds: float = 30) -> Iterator[str]:
    """The address where the service can be reached, until the block ends.

    Raises:
        ClusterError: there was none within these seconds.
    """
    given = ["--namespace", namespace, "port-forward", "--address=127.0.0.1", f"service/{service}", ":80"]
    process = subprocess.Popen([cluster.program(), *given], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told: SimpleQueue[str] = SimpleQueue()
    assert process.stdout is not None  # noqa: S101 - it was asked for
    reader = threading.Thread(target=_read, args=(process.stdout, told), daemon=True)
    reader.start()
    try:
        yield f"http://127.0.0.1:{_port(told, seconds)}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5)
        process.stdout.close()


def _read(stream: IO[str], told: "SimpleQueue[str]") -> None:
    for line in stream:
        told.put(line)
    told.put("")


def _port(told: "SimpleQueue[str]", seconds: float) -> str:
    said = ""
    try:
        while line := told.get(timeout=seconds):
            said += line
            if found := _READY.search(line):
                return found[1]
    except Empty:
        said += f"nothing within {seconds:g} s"
    raise ClusterError(f"kubectl port-forward: {said.strip() or 'it ended'}")

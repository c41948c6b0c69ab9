"""A way to a service inside of a cluster, for as long as a command runs: operational routes are not published."""

import re
import subprocess
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import IO, Any, Final

from . import cluster
from .cluster import ClusterError
from .objects import Object, at, each, mapping

URL: Final = "{url}"
_POLL_SECONDS: Final = 1.0
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
def way(namespace: str, service: str, seconds: float = 30) -> Generator[str]:
    """The address where the service's newest ready instance can be reached, until the block ends.

    kubectl itself would take the one that has been ready longest: after a roll-out that may be one that just ends.

    Raises:
        ClusterError: there was none within these seconds.
    """
    pod, port = _newest(namespace, service, seconds)
    given = ["--namespace", namespace, "port-forward", "--address=127.0.0.1", f"pod/{pod}", f":{port}"]
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


def _newest(namespace: str, service: str, seconds: float) -> tuple[str, int]:
    """Name and port of the instance that was started last, of those that are ready and are not ending."""
    document = cluster.fetched(namespace, f"service/{service}")
    target = at(document, "spec", "ports", 0, "targetPort")
    end = time.monotonic() + seconds
    while True:
        pods = cluster.listed(namespace, "pods", mapping(document, "spec", "selector"))
        ready = sorted((pod for pod in pods if _is_ready(pod)), key=_started)
        if ready:
            return str(at(ready[-1], "metadata", "name")), _port_number(ready[-1], target)
        if time.monotonic() > end:
            raise ClusterError(f"service/{service}: none of its {len(pods)} instances is ready")
        time.sleep(_POLL_SECONDS)


def _is_ready(pod: Object) -> bool:
    conditions = each(pod, "status", "conditions")
    good = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return good and not at(pod, "metadata", "deletionTimestamp")


def _started(pod: Object) -> str:
    return str(at(pod, "metadata", "creationTimestamp"))


def _port_number(pod: Object, target: Any) -> int:
    if isinstance(target, int):
        return target
    for container in each(pod, "spec", "containers"):
        for port in each(container, "ports"):
            if port.get("name") == target:
                return int(port["containerPort"])
    raise ClusterError(f"no container has the port {target!r} that the service leads to")


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

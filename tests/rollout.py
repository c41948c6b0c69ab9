"""A rolling replacement of containers behind a real HAProxy, and the traffic that must not notice it."""

import csv
import http.client
import json
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.container_host import installed
from tests.containers import Container, start
from tests.services import free_port, until

# No retry and no redispatch: what a container fails is a failed request. It sends nothing to a server that isn't ready.
_CONFIGURATION = """
global
    stats socket {folder}/stats
defaults
    mode http
    retries 0
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    timeout check 5s
frontend clients
    bind 127.0.0.1:{port}
    default_backend service
backend service
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 100ms fall 2 rise 1
"""


class Proxy:
    """HAProxy with some places for containers; a place's port is its name."""

    def __init__(self, folder: Path, places: int) -> None:
        self.folder, self.port = folder, free_port()
        self.places = [free_port() for _ in range(places)]

    def start(self) -> "subprocess.Popen[bytes]":
        servers = "".join(f"    server {port} 127.0.0.1:{port}\n" for port in self.places)
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text(_CONFIGURATION.format(folder=self.folder, port=self.port) + servers)
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [installed("haproxy", "haproxy"), "-db", "-f", configuration], stdout=log, stderr=log
            )

    def told(self, place: int, field: str) -> str:
        """A field of the proxy's statistics of a place: `status`, or `stot`, the requests sent there."""
        with socket.socket(socket.AF_UNIX) as statistics:
            statistics.connect(str(self.folder / "stats"))
            statistics.sendall(b"show stat\n")
            text = b"".join(iter(lambda: statistics.recv(65536), b"")).decode()
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        return next(row[field] for row in rows if row["svname"] == str(place))

    def serves(self, container: Container) -> bool:
        """Whether it sends requests to a container."""
        return self.told(container.port, "status").startswith("UP")


class RefusedError(Exception):
    """A release that was not rolled out: its container did not become ready in time."""


class Deployment:
    """Two containers, or `size`, of one release behind a proxy that has one place more, where the next one starts."""

    def __init__(self, proxy: Proxy, ready_seconds: float = 4, size: int = 2) -> None:
        self.proxy, self.ready_seconds, self.size = proxy, ready_seconds, size
        self.containers: list[Container] = []
        self.images: dict[str, str] = {}  # of each container, by its name
        self.statuses: list[int] = []

    def roll_out(self, image: str, env: Mapping[str, str] | None = None) -> None:
        """Start a container, wait until the proxy serves it, stop an old one; twice.

        Raises:
            RefusedError: the new container has ended or does not get ready; it is removed, and the old ones stay.
        """
        for _ in range(self.size):
            self._add(image, env)
            self._leave_out(self.containers[0])

    def shift(self, image: str, share: int) -> None:
        """As a canary's `setWeight`: replace containers, one by one, until this percentage of them runs an image."""
        wanted = -(-share * self.size // 100)
        while len([each for each in self.containers if self.images[each.name] == image]) < wanted:
            self._add(image, None)
            self._leave_out(next(each for each in self.containers if self.images[each.name] != image))

    def _leave_out(self, old: Container) -> None:
        if len(self.containers) > self.size:
            self.containers.remove(old)
            self.statuses.append(old.stop()[0])
            old.remove()

    def runs(self, image: str) -> bool:
        """Whether all containers that are served run this image."""
        return bool(self.containers) and {self.images[each.name] for each in self.containers} == {image}

    def free_place(self) -> int:
        """The place where the next container starts."""
        return next(place for place in self.proxy.places if place not in [each.port for each in self.containers])

    def _add(self, image: str, env: Mapping[str, str] | None) -> None:
        free = self.free_place()
        until(lambda: not self.proxy.told(free, "status").startswith("UP"), "the proxy's notice of an empty place")
        new = start(image, port=free, env={"APP_SHUTDOWN__DRAIN_SECONDS": "1", **(env or {})})
        try:
            until(lambda: not new.running or new.get("/livez").status_code == 200, "an answer", 30)
            until(lambda: not new.running or self.proxy.serves(new), "readiness", self.ready_seconds)
            assert new.running, f"ended with {new.wait()}"
        except AssertionError as late:
            output = new.output()
            new.remove()
            raise RefusedError(f"{late}: {output}") from None
        self.containers.append(new)
        self.images[new.name] = image

    def end(self) -> None:
        for container in self.containers:
            container.remove()


@contextmanager
def deployment(size: int = 2) -> Iterator[Deployment]:
    """A proxy, and nothing behind it yet."""
    with TemporaryDirectory() as folder:  # a socket's path must be short
        proxy = Proxy(Path(folder), places=size + 1)
        process, deployed = proxy.start(), Deployment(proxy, size=size)
        try:
            until((proxy.folder / "stats").exists, "HAProxy", 5)
            yield deployed
        finally:
            deployed.end()
            process.terminate()
            process.wait(5)


class Traffic:
    """Clients that send one request after the other through the proxy, on kept connections, until they are stopped."""

    def __init__(self, port: int, path: str, clients: int = 4) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._port, self._path, self._ended = port, path, threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        while not self._ended.wait(0.01):
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                self.answers[json.dumps(json.loads(body))] += 1
            else:
                self.failures.append(f"{answer.status} {body[:200]!r}")
        connection.close()

"""Kills workers of a running service, and takes the price of a scrape after that."""

import os
import random
import re
import signal
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from processes import Server
from wide import ROUTES

SCRAPES = 20
SPREAD = 40  # requests of each route, over so many connections that every worker gets some
REPLACED_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Scraped:
    """CPU of each scrape, what is kept in the shared folder, and the requests that were sent and those counted."""

    milliseconds: list[float]
    slots: int
    files: int
    mebibytes: float
    sent: int
    counted: int


def scrape(server: Server, folder: Path, deaths: int) -> Scraped:
    """Fill every series in every worker, kill workers one after the other, then scrape.

    Args:
        folder: the service keeps its metrics in it.
        deaths: how many workers are killed with SIGKILL, one at a time, each replaced before the next.
    """
    (folder,) = folder.glob("*-metrics-*")
    server.load("/wide/{}", ROUTES * SPREAD, connections=SPREAD, different=ROUTES)
    for _ in range(deaths):
        _replace(random.choice(_ready(folder)), folder)
    server.load("/wide/{}", ROUTES * SPREAD, connections=SPREAD, different=ROUTES)
    milliseconds = []
    for _ in range(SCRAPES):
        before = server.cpu_seconds()
        text = _metrics(server.port)
        milliseconds.append((server.cpu_seconds() - before) * 1000)
    kept = list(folder.iterdir())
    mebibytes = sum(path.stat().st_blocks * 512 for path in kept) / 2**20
    sent = 2 * ROUTES * SPREAD + 1  # and the first answer, which told that it runs
    counts = re.findall(r'^http_server_request_duration_seconds_count\{.*"/wide/.* (\S+)$', text, re.MULTILINE)
    slots = sum(path.name.startswith("slot-") for path in kept)
    return Scraped(milliseconds, slots, len(kept), mebibytes, sent, int(sum(map(float, counts))))


def _ready(folder: Path) -> list[int]:
    """Process ids of the workers that serve."""
    found = [slot.read_text("ascii").split() for slot in folder.glob("slot-*")]
    return [int(words[0]) for words in found if words[1:] == ["ready"]]


def _replace(pid: int, folder: Path) -> None:
    workers = len(_ready(folder))
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + REPLACED_SECONDS
    while time.monotonic() < deadline:
        ready = _ready(folder)
        if pid not in ready and len(ready) == workers:
            return
        time.sleep(0.005)
    raise RuntimeError(f"worker {pid} was killed and not replaced within {REPLACED_SECONDS} seconds")


def _metrics(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()

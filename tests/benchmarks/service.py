"""What the operational parts of a rendered service cost, as ratios to the same API on bare FastAPI and uvicorn.

    python tests/benchmarks/service.py [--quick] [--write]

Renders the template of the work tree, installs it once in a cache folder, and visits the servers in random order in
rounds; a ratio is taken within a round. With --write the table goes into docs/performance.md. Linux only; needs
Copier, about four minutes, and one and a half with --quick.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median

from processes import Server, free_port, started
from ratios import Row, mark, ratio, table, visited, write
from rendering import prepare
from scraping import scrape
from wide import ROUTES

GET = "/v1/vat-rates/DK"
POST = "/v1/quotes"
ORDER = '{"country":"DK","lines":[{"quantity":2,"unit_price":"9.95"}]}'
CONNECTIONS = 4
WARM_UP_REQUESTS = 1_500
WIDE_WORKERS = 8


class Bench:
    """Starts the servers of one prepared folder.

    Args:
        folder: holds the rendered service, its environment and the bare application.
        rounds: how often each server is visited.
        seconds: about how long a visit's load lasts.
    """

    def __init__(self, folder: Path, rounds: int, seconds: float) -> None:
        self.folder, self.rounds, self.seconds = folder, rounds, seconds

    def service(self, workers: int = 1) -> AbstractContextManager[Server]:
        """The rendered service with everything on."""
        return self._start(".venv/bin/app", "serve", "--host", "127.0.0.1", "--workers", str(workers))

    def bare(self, workers: int = 1, log: str = "--no-access-log") -> AbstractContextManager[Server]:
        """The same API on bare FastAPI, as people start it."""
        return self._start(".venv/bin/uvicorn", "bare:app", log, "--workers", str(workers))

    def cpu(self) -> Iterable[Row]:
        """CPU a request of the whole process tree."""
        starts = {
            "service": self.service(),
            "bare": self.bare(),
            "logging": self.bare(log="--access-log"),
            "service 3": self.service(3),
            "bare 3": self.bare(3),
        }
        with ExitStack() as stack:
            servers = {name: stack.enter_context(start) for name, start in starts.items()}
            for server in servers.values():
                get(server, WARM_UP_REQUESTS)
                _post(server, WARM_UP_REQUESTS)
            began = time.perf_counter()
            get(servers["bare"], WARM_UP_REQUESTS)
            count = int(WARM_UP_REQUESTS * self.seconds / (time.perf_counter() - began))
            visits = {name: cpu_of(server, get, count) for name, server in servers.items()}
            visits |= {f"{name} POST": cpu_of(servers[name], _post, count) for name in ("service", "bare")}
            found = visited(visits, self.rounds)
        yield ratio(
            "CPU of a GET, over bare FastAPI and uvicorn without access log", 1.0, found["service"], found["bare"]
        )
        yield ratio(
            "CPU of a POST that writes a log line of its own, over bare",
            None,
            found["service POST"],
            found["bare POST"],
        )
        yield ratio("CPU of a GET, over `uvicorn app:app` with its access log", 0.7, found["service"], found["logging"])
        yield ratio(
            "CPU of a GET, three workers, over `uvicorn --workers 3`", 1.05, found["service 3"], found["bare 3"]
        )

    def start_and_memory(self) -> Iterable[Row]:
        """Time from exec to the first 200, and memory once the server has worked."""
        starts: dict[str, Callable[[], AbstractContextManager[Server]]] = {
            "service": self.service,
            "bare": self.bare,
            "service 4": lambda: self.service(4),
            "bare 4": lambda: self.bare(4),
        }
        memory: dict[str, list[float]] = {name: [] for name in starts}

        def visit(name: str) -> float:
            with starts[name]() as server:
                get(server, WARM_UP_REQUESTS)
                memory[name].append(float(server.pss_bytes()))
                return server.seconds_to_first_answer

        for name in starts:  # once for nothing: files come into the page cache
            visit(name)
            memory[name].clear()
        times = visited({name: lambda name=name: visit(name) for name in starts}, self.rounds // 2 or 1)  # type: ignore[misc]
        yield ratio("memory (PSS) of a worker, over bare", 1.05, memory["service"], memory["bare"])
        yield ratio(
            "memory (PSS) of four workers, over `uvicorn --workers 4`", 0.6, memory["service 4"], memory["bare 4"]
        )
        yield ratio("time to the first 200, over bare", 1.03, times["service"], times["bare"])
        yield ratio("time to the first 200, four workers, over as many", 0.35, times["service 4"], times["bare 4"])

    def scrape(self, deaths: int) -> Iterable[Row]:
        """A scrape of many series from many workers, after many of them were killed."""
        with tempfile.TemporaryDirectory(prefix="benchmark-metrics-") as metrics:
            command = (".venv/bin/python", "wide.py", "serve", "--host", "127.0.0.1", "--workers", str(WIDE_WORKERS))
            with self._start(*command, path="/wide/0", metrics=metrics) as server:
                found = scrape(server, Path(metrics), deaths)
        milliseconds, fewest, most = median(found.milliseconds), min(found.milliseconds), max(found.milliseconds)
        title = f"a scrape: {ROUTES} label sets, {WIDE_WORKERS} workers, after {deaths} of them were killed"
        yield title, "≤ 25 ms", f"{milliseconds:.0f} ms {mark(milliseconds <= 25)}", f"{fewest:.0f} – {most:.0f}"
        kept = f"{found.slots} in {found.files} files, {found.mebibytes:.0f} MiB"
        yield (
            "the same: slots of shared memory kept",
            str(WIDE_WORKERS),
            f"{kept} {mark(found.slots <= WIDE_WORKERS)}",
            "",
        )
        counted = f"{found.sent - found.counted} of {found.sent}"
        yield "the same: requests answered and not counted", "0", f"{counted} {mark(found.counted == found.sent)}", ""

    def _start(self, *command: str, path: str = GET, metrics: str = "") -> AbstractContextManager[Server]:
        port = free_port()
        env = {"APP_SHUTDOWN__DRAIN_SECONDS": "0"} | ({"APP_METRICS__DIR": metrics} if metrics else {})
        program = str(self.folder / command[0])
        return started([program, *command[1:], "--port", str(port)], port, path, self.folder, env)


def get(server: Server, count: int) -> None:
    server.load(GET, count, connections=CONNECTIONS)


def _post(server: Server, count: int) -> None:
    server.load(POST, count, method="POST", body=ORDER, connections=CONNECTIONS)


def cpu_of(server: Server, load: Callable[[Server, int], None], count: int) -> Callable[[], float]:
    def visit() -> float:
        before = server.cpu_seconds()
        load(server, count)
        return (server.cpu_seconds() - before) / count

    return visit


def main() -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=24, help="visits of each server (%(default)s); it is started half as often"
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="of load a visit, about (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="6 rounds, and 40 worker deaths in place of 200")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "shipshape-benchmark", metavar="FOLDER")
    given = parser.parse_args()
    prepare(given.cache)
    bench = Bench(given.cache, 6 if given.quick else given.rounds, given.seconds)
    rows = [*bench.cpu(), *bench.start_and_memory(), *bench.scrape(40 if given.quick else 200)]
    print(table(rows))
    if given.write:
        write("results", table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

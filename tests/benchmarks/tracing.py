"""What traces cost a request of a rendered service, as ratios to the same service without them.

    python tests/benchmarks/tracing.py [--rounds 24] [--seconds 0.5] [--before FOLDER]

Renders the template of the work tree and installs it, with OpenTelemetry's packages, once in a cache folder; a receiver
in a process of its own takes the spans. Servers are visited in random order in rounds; a ratio is taken within a round.
With --before the service of another work tree (a checkout of a commit, say) is measured beside it: what the hooks cost
where tracing is off. Linux only; about two minutes.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import rendering
from processes import Server, free_port, started
from ratios import ratio, table, visited
from service import GET, WARM_UP_REQUESTS, Bench, cpu_of, get

PACKAGES = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
GOAL = 1.5


class Handler(BaseHTTPRequestHandler):
    """Takes spans and says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Read the body, and no more."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[int]:
    """A receiver in a process of its own; yields its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, __file__, "--receive", str(port)])
    try:
        time.sleep(0.5)
        yield port
    finally:
        process.terminate()
        process.wait()


def prepared(cache: Path, root: Path, *, packages: bool) -> Bench:
    """The service that the template under `root` makes, installed in a folder of the cache."""
    rendering.ROOT = root
    rendering.prepare(cache)
    if packages:
        uv = [str(cache / ".venv/bin/uv"), "pip", "install", "--quiet", "--python", str(cache / ".venv/bin/python")]
        subprocess.run([*uv, *PACKAGES], check=True)
        compiler = [str(cache / ".venv/bin/python"), "-m", "compileall", "-q", str(cache / ".venv/lib")]
        subprocess.run(compiler, check=False, capture_output=True)
    return Bench(cache, 0, 0)


def measure(bench: Bench, before: Bench | None, collector: int, rounds: int, seconds: float) -> str:
    """The table of the results."""
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
    kinds: dict[str, tuple[Bench, Mapping[str, str]]] = {
        "off": (bench, {}),
        "off again": (bench, {}),
        "all": (bench, endpoint),
        "none": (bench, {**endpoint, "OTEL_TRACES_SAMPLER": "always_off"}),
        "tenth": (bench, {**endpoint, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}),
    }
    if before is not None:
        kinds["before"] = (before, {})
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_started(of, env)) for name, (of, env) in kinds.items()}
        for server in servers.values():
            get(server, WARM_UP_REQUESTS)
        began = time.perf_counter()
        get(servers["off"], WARM_UP_REQUESTS)
        count = int(WARM_UP_REQUESTS * seconds / (time.perf_counter() - began))
        found = visited({name: cpu_of(server, get, count) for name, server in servers.items()}, rounds)
    rows = [
        ratio("CPU of a GET, every request traced, over without", GOAL, found["all"], found["off"]),
        ratio("the same, a tenth of the requests", None, found["tenth"], found["off"]),
        ratio("the same, none of them (`always_off`)", None, found["none"], found["off"]),
        ratio("noise: without, over without", None, found["off again"], found["off"]),
    ]
    if before is not None:
        rows.append(
            ratio("CPU of a GET without traces, over the other work tree's", None, found["off"], found["before"])
        )
    print({name: f"{min(values) * 1e6:.0f} µs" for name, values in found.items()})
    return table(rows)


@contextmanager
def _started(bench: Bench, env: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    command = [str(bench.folder / ".venv/bin/app"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with started(command, port, GET, bench.folder, {"APP_SHUTDOWN__DRAIN_SECONDS": "0", **env}) as server:
        yield server


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24, help="visits of each server (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of load a visit, about (%(default)s)")
    parser.add_argument("--before", type=Path, help="another work tree of this repository")
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "shipshape-benchmark-tracing")
    given = parser.parse_args()
    if given.receive:
        ThreadingHTTPServer(("127.0.0.1", given.receive), Handler).serve_forever()
    root = rendering.ROOT
    before = given.before and prepared(
        given.cache.with_name(f"{given.cache.name}-before"), given.before, packages=False
    )
    bench = prepared(given.cache, root, packages=True)
    with receiver() as collector:
        print(measure(bench, before, collector, given.rounds, given.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())

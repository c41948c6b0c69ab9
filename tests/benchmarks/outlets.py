"""What syslog and mail cost a request that logs its access line, as ratios to the same service without them.

    python tests/benchmarks/outlets.py [--rounds 24] [--seconds 0.5]

Servers are visited in random order in rounds; a ratio is taken within a round. The syslog servers are sockets that take
what comes, and one that nobody listens at. Linux only; about a minute.
"""

import argparse
import socket
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import rendering
from ratios import ratio, table, visited
from service import WARM_UP_REQUESTS, Bench, cpu_of, get
from tracing import _started, prepared


def _swallow(server: socket.socket) -> None:
    """Take connections and read what comes, in threads of this process."""
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_read, args=(peer,), daemon=True).start()


def _read(peer: socket.socket) -> None:
    while peer.recv(1 << 20):
        pass


def measure(bench: Bench, rounds: int, seconds: float) -> str:
    """The table of the results."""
    with ExitStack() as stack:
        tcp = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        udp = stack.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        udp.bind(("127.0.0.1", 0))
        nobody = stack.enter_context(closing(socket.socket()))
        nobody.bind(("127.0.0.1", 0))
        threading.Thread(target=_swallow, args=(tcp,), daemon=True).start()
        address = "APP_LOG__SYSLOG"
        kinds = {
            "off": {},
            "off again": {},
            "tcp": {address: f"tcp://127.0.0.1:{tcp.getsockname()[1]}"},
            "udp": {address: f"udp://127.0.0.1:{udp.getsockname()[1]}"},
            "down": {address: f"tcp://127.0.0.1:{nobody.getsockname()[1]}"},
            "mail": {"APP_LOG__EMAIL__TO": '["team@example.org"]', "APP_LOG__EMAIL__HOST": "127.0.0.1"},
        }
        servers = {name: stack.enter_context(_started(bench, env)) for name, env in kinds.items()}
        for server in servers.values():
            get(server, WARM_UP_REQUESTS)
        began = time.perf_counter()
        get(servers["off"], WARM_UP_REQUESTS)
        count = int(WARM_UP_REQUESTS * seconds / (time.perf_counter() - began))
        found = visited({name: cpu_of(server, get, count) for name, server in servers.items()}, rounds)
    return table(
        [
            ratio("CPU of a GET, its line to syslog over TCP, too, over without", None, found["tcp"], found["off"]),
            ratio("the same over UDP", None, found["udp"], found["off"]),
            ratio("the same, nobody listens", None, found["down"], found["off"]),
            ratio("mail about errors is on, and there are none", None, found["mail"], found["off"]),
            ratio("noise: without, over without", None, found["off again"], found["off"]),
        ]
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24, help="visits of each server (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of load a visit, about (%(default)s)")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "shipshape-benchmark-outlets")
    given = parser.parse_args()
    bench = prepared(given.cache, rendering.ROOT, packages=False)
    print(measure(bench, given.rounds, given.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())

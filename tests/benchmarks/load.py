"""Sends a fixed number of requests over kept-alive connections: the load, in a process whose CPU nobody counts.

python load.py --port 8000 --path /v1/vat-rates/DK --requests 2000 --connections 4
"""

import argparse
import asyncio
import sys


class Client(asyncio.Protocol):
    """One connection: sends the next request as soon as the answer to the last is complete.

    Args:
        load: where the next request comes from, and where answers are counted.
    """

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if separator and len(body) >= _content_length(head):
            self._received = b""
            self._load.answered(head)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.connection_ended(exc)

    def _next(self) -> None:
        request, wait = self._load.take()
        transport = self._transport
        if transport is None or request is None:
            if transport is not None:
                transport.close()
        elif wait > 0:
            asyncio.get_running_loop().call_later(wait, transport.write, request)
        else:
            transport.write(request)


class Load:
    """The requests to send, in turn, and what came back.

    Args:
        requests: bytes of each different request; they are sent in turn.
        count: how many to send in all.
        rate: requests a second at the most; 0 sends each as soon as a connection is free.
    """

    def __init__(self, requests: list[bytes], count: int, rate: float) -> None:
        self._requests, self._count, self._rate = requests, count, rate
        self._sent = self.succeeded = self._open = 0
        self._began = 0.0
        self._ended = asyncio.Event()

    async def run(self, host: str, port: int, connections: int) -> None:
        """Send everything; returns when all connections are closed."""
        loop = asyncio.get_running_loop()
        self._open, self._began = connections, loop.time()
        for _ in range(connections):
            await loop.create_connection(lambda: Client(self), host, port)
        await self._ended.wait()

    def take(self) -> tuple[bytes | None, float]:
        """The next request, None if all are sent, and how many seconds to wait before it is sent."""
        number = self._sent
        if number >= self._count:
            return None, 0
        self._sent += 1
        due = self._began + number / self._rate - asyncio.get_running_loop().time() if self._rate else 0
        return self._requests[number % len(self._requests)], due

    def answered(self, head: bytes) -> None:
        """Count an answer."""
        self.succeeded += head.startswith(b"HTTP/1.1 200 ")

    def connection_ended(self, error: Exception | None) -> None:
        """One connection less; what it did not get an answer to is missing from `succeeded`."""
        self._open -= 1
        if self._open == 0 or error is not None:
            self._ended.set()


def request(method: str, path: str, body: bytes) -> bytes:
    """An HTTP/1.1 request as a usual client sends it."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode("ascii") + b"\r\n" + body


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    raise ValueError("an answer without its length")


def main() -> int:
    """Send the load; the exit status is 1 unless every answer was a 200."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--method", default="GET")
    parser.add_argument("--path", required=True, help="with {} in it, it is sent with the numbers 0 to --different - 1")
    parser.add_argument("--different", type=int, default=1)
    parser.add_argument("--body", default="")
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0, help="requests a second at the most")
    given = parser.parse_args()
    paths = [given.path.replace("{}", str(number)) for number in range(given.different)]
    load = Load([request(given.method, path, given.body.encode()) for path in paths], given.requests, given.rate)
    asyncio.run(load.run("127.0.0.1", given.port, given.connections))
    if load.succeeded != given.requests:
        print(f"{given.requests - load.succeeded} of {given.requests} requests failed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes log lines to standard output without ever waiting for its reader.

Inside the event loop there is one write a tick. A pipe takes up to PIPE_BUF bytes as one piece, so that the lines of
several workers on one pipe never mix (pipe(7)). A reader that stalls, is gone, or a full disk costs lines, which are
counted, and never a request.
"""

import asyncio
import os
import select
import socket
import stat
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident

MAX_PENDING_BYTES = 1_048_576
PIPE_BUF = select.PIPE_BUF
_PATIENCE_MS = 100  # outside the event loop: how long to wait for a reader that has stalled


class Stdout:
    """One file descriptor for lines; `dropped` counts those that it could not take."""

    def __init__(self, fd: int = 1, on_drop: Callable[[int], None] | None = None) -> None:
        self.dropped = 0
        self._on_drop = on_drop
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._scheduled = False
        self._watching = False
        self._stalled = False
        self._fd, self._send, self.shared_pipe = _opened(fd)

    def write(self, line: bytes) -> None:
        """Take one line, with its newline. From any thread; returns at once."""
        if self._pending_bytes + len(line) > MAX_PENDING_BYTES:
            self._drop(1)
            return
        self._pending.append(line)
        self._pending_bytes += len(line)
        loop = self._loop
        if loop is None:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            try:
                if get_ident() == self._thread:
                    loop.call_soon(self._tick)
                else:
                    loop.call_soon_threadsafe(self._tick)
            except RuntimeError:  # the loop has just closed
                self._loop = None
                self.flush()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on write once a tick of this loop."""
        self._loop, self._thread, self._scheduled = loop, get_ident(), False

    def detach(self) -> None:
        """From now on write each line at once, as at start and stop."""
        self._unwatch()
        self._loop = None
        self.flush()

    def flush(self) -> None:
        """Write what is pending, waiting a moment for a reader that has stalled, once."""
        while self._pending and not self._write_some():
            if self._stalled or not self._wait():
                self._stalled = True
                self._drop_all()
                return
        self._stalled = False

    def _tick(self) -> None:
        self._scheduled = False
        while self._pending:
            if not self._write_some():
                self._watch()
                return
        self._unwatch()

    def _write_some(self) -> bool:
        """Write up to PIPE_BUF bytes of whole lines. False if the reader has stalled."""
        pending, lines, size = self._pending, 0, 0
        for line in pending:
            if lines and size + len(line) > PIPE_BUF:
                break
            lines, size = lines + 1, size + len(line)
        chunk = pending[0] if lines == 1 else b"".join(pending[index] for index in range(lines))
        try:
            written = self._send(chunk)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, ValueError):  # no reader, no space, no descriptor: the line is lost, the request is not
            self._drop_all()
            return True
        for _ in range(lines):
            pending.popleft()
        self._pending_bytes -= size
        if written < size:  # only a line beyond PIPE_BUF, or a full disk
            pending.appendleft(chunk[written:])
            self._pending_bytes += size - written
            return False
        return True

    def _wait(self) -> bool:
        poll = select.poll()
        with suppress(OSError, ValueError):
            poll.register(self._fd, select.POLLOUT)
            return bool(poll.poll(_PATIENCE_MS))
        return False

    def _watch(self) -> None:
        if not self._watching and self._loop is not None:
            try:
                self._loop.add_writer(self._fd, self._tick)
                self._watching = True
            except (OSError, ValueError, RuntimeError):  # a regular file can't be watched, and never stalls
                self._drop_all()

    def _unwatch(self) -> None:
        if self._watching and self._loop is not None:
            with suppress(OSError, ValueError, RuntimeError):
                self._loop.remove_writer(self._fd)
            self._watching = False

    def _drop_all(self) -> None:
        lost = len(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._drop(lost)

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        if self._on_drop is not None:
            self._on_drop(lines)


def _opened(fd: int) -> tuple[int, Callable[[bytes], int], bool]:
    """A descriptor for the same file, a function that writes to it without blocking, and whether it is a pipe.

    The flag O_NONBLOCK belongs to the open file, which other processes share: it is never set on theirs.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return fd, lambda data: os.write(fd, data), False
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=os.dup(fd))
        return sock.fileno(), lambda data: sock.send(data, socket.MSG_DONTWAIT), False
    if stat.S_ISREG(mode):
        return fd, lambda data: os.write(fd, data), False
    if stat.S_ISFIFO(mode):
        try:
            own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # not Linux, or a pipe that belongs to another user
            return fd, _when_writable(fd), True
        return own, lambda data: os.write(own, data), True
    return fd, _when_writable(fd), False


def _when_writable(fd: int) -> Callable[[bytes], int]:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)

    def write(data: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError
        return os.write(fd, data[:PIPE_BUF])

    return write

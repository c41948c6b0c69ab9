"""Writes log lines to standard output without ever waiting for its reader.

Inside the event loop lines are gathered for a moment, unless they are urgent, and written as one piece. A pipe takes
only PIPE_BUF bytes as one for certain (pipe(7)), so several workers on one pipe take turns, with a lock that the kernel
frees when its holder dies. A reader that stalls or is gone, or a full disk, costs lines, which are counted, and never a
request.
"""

import asyncio
import fcntl
import os
import select
import socket
import stat
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, get_ident
from time import sleep
from typing import Final

MAX_PENDING_BYTES: Final = 1_048_576
MAX_PIECE_BYTES: Final = 32_768
PIPE_BUF: Final = select.PIPE_BUF
_GATHER_SECONDS: Final = 0.01  # each write wakes the reader: by far the largest part of a line's cost
_TURN_SECONDS: Final = 0.001
_PATIENCE_MS: Final = 100  # outside the event loop: how long to wait for a reader that has stalled


class Stdout:
    """One file descriptor for lines; `dropped` counts those that it could not take.

    Args:
        fd: the descriptor; it is never closed, and never made non-blocking for others.
        on_drop: is called with the number of lines that were dropped.
        turns: a file whose lock several processes that write to one pipe take turns with; None for a single one.
    """

    def __init__(self, fd: int = 1, on_drop: Callable[[int], None] | None = None, turns: Path | None = None) -> None:
        self.dropped = 0
        self._on_drop = on_drop
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._planned = self._soon = self._watching = self._stalled = False
        self._torn = False  # the reader has the beginning of a line whose rest is still pending
        self._lock = Lock()
        self._fd, self._send, self._piece, pipe = _opened(fd)
        self._turn = _Turn(turns) if turns is not None and pipe else None

    def write(self, line: bytes, *, urgent: bool = False) -> None:
        """Take one line, with its newline. From any thread; returns at once."""
        if self._pending_bytes + len(line) > MAX_PENDING_BYTES:
            self._drop(1)
            return
        with self._lock:
            self._pending.append(line)
            self._pending_bytes += len(line)
        if self._loop is None:
            self.flush()
        elif self._watching or self._soon:
            return
        elif urgent or self._pending_bytes >= self._piece:
            self._soon = True
            self._plan(0.0)
        elif not self._planned:
            self._planned = True
            self._plan(_GATHER_SECONDS)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on write in this loop, of the calling thread."""
        self._loop, self._thread = loop, get_ident()
        self._planned = self._soon = False

    def detach(self) -> None:
        """From now on write each line at once, as at start and stop."""
        self._unwatch()
        self._loop = None
        self.flush()

    def abandon(self) -> None:
        """Write what can be written, and wait for nothing: a signal may have come while the lock was held."""
        self._loop = self._on_drop = None  # a metric has a lock, too
        if self._lock.acquire(blocking=False):
            self._lock.release()
            self.flush()

    def flush(self) -> None:
        """Write what is pending, waiting a moment for a reader that has stalled, once."""
        with self._lock:
            while self._pending and not self._write_some():
                if self._stalled or not self._wait():
                    self._stalled = True
                    self._drop_all()
                    break
            else:
                self._stalled = False
            if self._turn is not None:
                self._turn.give_back()

    def _plan(self, seconds: float) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            if get_ident() != self._thread:
                loop.call_soon_threadsafe(self._tick)
            elif seconds:
                loop.call_later(seconds, self._tick)
            else:
                loop.call_soon(self._tick)
        except RuntimeError:  # the loop has just closed
            self._loop = None
            self.flush()

    def _tick(self) -> None:
        self._planned = self._soon = False
        with self._lock:
            while self._pending:
                if not self._write_some():
                    if self._turn is not None and not self._turn.mine:
                        self._planned = True
                        self._plan(_TURN_SECONDS)
                    else:
                        self._watch()
                    return
            self._unwatch()

    def _write_some(self) -> bool:
        """Write one piece of whole lines; False if the reader stalls or another has the turn. With the lock held."""
        if self._turn is not None and not self._turn.take():
            return False
        pending, size = self._pending, 0
        lines: list[bytes] = []
        while pending and (not lines or size + len(pending[0]) <= self._piece):
            lines.append(pending.popleft())
            size += len(lines[-1])
        chunk = lines[0] if len(lines) == 1 else b"".join(lines)
        try:
            written = self._send(chunk)
        except (BlockingIOError, InterruptedError):
            pending.extendleft(reversed(lines))
            self._end_turn()
            return False
        except (OSError, ValueError):  # no reader, no space, no descriptor: the line is lost, the request is not
            pending.extendleft(reversed(lines))
            self._drop_all()
            return True
        self._pending_bytes -= written
        self._torn = written < size and not chunk[:written].endswith(b"\n")
        if written < size:
            # What is left may begin within a line; whole lines after it stay whole lines.
            pending.extendleft(reversed(chunk[written:].splitlines(keepends=True)))
        self._end_turn()
        return written == size

    def _end_turn(self) -> None:
        if self._turn is not None and not self._torn:  # within a line it stays this process's turn
            self._turn.give_back()

    def _wait(self) -> bool:
        if self._turn is not None and not self._turn.mine:
            for _ in range(_PATIENCE_MS):
                sleep(_TURN_SECONDS)
                if self._turn.take():
                    return True
            return False
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
        if self._torn:
            self._torn = False
            self._pending.append(b"\n")  # the next line begins on a line of its own
            self._pending_bytes = 1
            if self._loop is None:
                lost_end = self._pending
                with suppress(OSError, ValueError):
                    self._send(lost_end[0])
                    lost_end.clear()
                    self._pending_bytes = 0
        self._drop(lost)

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        if self._on_drop is not None:
            self._on_drop(lines)


class _Turn:
    """The right to write, which one process has at a time. `mine` is False after another was seen to have it."""

    def __init__(self, file: Path) -> None:
        self.mine = True
        self._path = file
        self._file: int | None = None
        self._process = 0
        self._held = False

    def take(self) -> bool:
        """Take the turn, if no other process has it."""
        if self._held and self._process == os.getpid():
            return True
        try:
            if self._process != os.getpid():  # a forked process shares its parent's open file, and with it the lock
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._process, self._held = os.getpid(), False
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._held = True
        except BlockingIOError:
            self.mine = False
            return False
        except OSError:  # no file, no turns: better a line that is mixed with another than none
            pass
        self.mine = True
        return True

    def give_back(self) -> None:
        """Let the others write."""
        if self._held and self._file is not None and self._process == os.getpid():
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
            self._held = False


def _opened(fd: int) -> tuple[int, Callable[[bytes], int], int, bool]:
    """A descriptor for the same file, how to write to it without blocking, bytes a piece, and whether it is a pipe.

    The flag O_NONBLOCK belongs to the open file, which other processes share: it is never set on theirs.
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return fd, lambda data: os.write(fd, data), MAX_PIECE_BYTES, False
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=os.dup(fd))
        return sock.fileno(), lambda data: sock.send(data, socket.MSG_DONTWAIT), MAX_PIECE_BYTES, False
    if stat.S_ISREG(mode):
        return fd, lambda data: os.write(fd, data), MAX_PIECE_BYTES, False
    if stat.S_ISFIFO(mode):
        try:
            own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # not Linux, or a pipe that belongs to another user
            return fd, _when_writable(fd), PIPE_BUF, True
        return own, lambda data: os.write(own, data), MAX_PIECE_BYTES, True
    return fd, _when_writable(fd), PIPE_BUF, False


def _when_writable(fd: int) -> Callable[[bytes], int]:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)

    def write(data: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError
        return os.write(fd, data[:PIPE_BUF])

    return write

"""A bounded queue and a thread before a destination that may be slow, hang or be gone.

Whoever logs only appends to the queue. When it is full, the least important of what waits is dropped, and counted. The
thread starts with the first item in each process, so nothing of it is there before a fork.
"""

import os
import random
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import RLock, Thread
from time import monotonic, sleep
from typing import Any, Final, Generic, Protocol, TypeVar

Item = TypeVar("Item")
Taken_contra = TypeVar("Taken_contra", contravariant=True)

IMPORTANCE: Final = {"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}
_BATCH: Final = 512
_GATHER_SECONDS: Final = 0.1  # waking the thread costs the event loop more than appending does
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0


class Destination(Protocol[Taken_contra]):
    """What a queue's thread delivers to; it may block, within time-outs of its own, and raise `OSError`."""

    def deliver(self, items: Sequence[Taken_contra]) -> int:
        """Deliver some of these, in order; returns how many are done, those that can never be delivered included.

        Raises:
            OSError: none could be delivered now.
        """
        ...

    def tick(self, *, closing: bool) -> float | None:
        """Do what is due, or all that is left when closing; the seconds until something is due, if anything is.

        Raises:
            OSError: it can't be done now.
        """

    def close(self) -> None:
        """Let go of connections, without a word to the other side: a forked process closes what is its parent's."""


_every: "weakref.WeakSet[Queued[Any]]" = weakref.WeakSet()


def _forked() -> None:
    """A forked process has neither its parent's thread nor its items, and must not use its connection."""
    for queue in list(_every):
        with suppress(Exception):
            queue._destination.close()
        queue._fresh()


os.register_at_fork(after_in_child=_forked)


class Queued(Generic[Item]):
    """The queue before one destination.

    Args:
        name: as which drops are counted.
        destination: used by this queue's thread alone.
        size: gives an item's bytes.
        on_drop: is called with the number of items that were dropped.
        capacity: items that may wait; max_bytes: their bytes.
    """

    def __init__(
        self,
        name: str,
        destination: Destination[Item],
        *,
        size: Callable[[Item], int],
        on_drop: Callable[[int], None] | None = None,
        capacity: int = 8192,
        max_bytes: int = 4_194_304,
    ) -> None:
        self.name = name
        self.dropped = 0
        self._destination = destination
        self._size = size
        self._on_drop = on_drop
        self._capacity, self._max_bytes = capacity, max_bytes
        self._fresh()
        _every.add(self)

    def _fresh(self) -> None:
        """Make it as new."""
        # Both are safe for a signal handler that interrupts its own thread in here.
        self._lock = RLock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._waiting: tuple[deque[tuple[int, Item]], ...] = tuple(deque() for _ in IMPORTANCE)
        self._count = self._bytes = self._number = 0
        self._thread: Thread | None = None
        self._asleep = False
        self._close_by: float | None = None

    def put(self, item: Item, level: str) -> None:
        """Take one item. From any thread or signal handler; returns at once."""
        size = self._size(item)
        with self._lock:
            if self._close_by is not None or not self._make_room(size, IMPORTANCE[level]):
                self._drop(1)
                return
            self._waiting[IMPORTANCE[level]].append((self._number, item))
            self._number += 1
            self._count += 1
            self._bytes += size
            wake, self._asleep = self._asleep, False
            if self._thread is None:
                self._start()
        if wake:
            self._wake.put(None)

    def finish(self, seconds: float) -> None:
        """Take nothing more, and let the thread deliver what waits, for so long at most. Returns at once."""
        with self._lock:
            self._close_by = monotonic() + seconds
        self._wake.put(None)

    def close(self, seconds: float) -> None:
        """Deliver what waits, for so long at most; what is left is dropped."""
        self.finish(seconds)
        if self._thread is not None:
            self._thread.join(seconds + 0.1)
        with self._lock:
            left, self._count, self._bytes = self._count, 0, 0
            for waiting in self._waiting:
                waiting.clear()
        self._drop(left)

    def _start(self) -> None:
        self._thread = Thread(target=self._run, name=f"log-{self.name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            self._thread = None

    def _make_room(self, size: int, importance: int) -> bool:
        """Drop what is less important until the item has room; False if nothing of that is left."""
        while self._count >= self._capacity or self._bytes + size > self._max_bytes:
            victims = next((each for each in self._waiting[: importance + 1] if each), None)
            if victims is None:
                return False
            self._forget(victims.popleft()[1])
            self._drop(1)
        return True

    def _forget(self, item: Item) -> None:
        self._count -= 1
        self._bytes -= self._size(item)

    def _drop(self, items: int) -> None:
        if items:
            self.dropped += items
            if self._on_drop is not None:
                with suppress(OSError, ValueError):  # no space for metrics
                    self._on_drop(items)

    def _run(self) -> None:
        """The thread: gather, deliver, and after a failure wait longer each time."""
        pause = 0.0
        due: float | None = None
        while True:
            batch, closing = self._next(due)
            done = 0
            try:
                if batch:
                    done = self._destination.deliver([item for _, _, item in batch])
                due = self._destination.tick(closing=closing and done == len(batch))
                pause = 0.0
            except Exception:  # noqa: BLE001 - whatever it is, the thread must go on
                pause = min(max(pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
            self._settle(batch, done)
            if closing and not batch and not pause:
                break
            if pause and not self._rest(pause * random.uniform(0.75, 1.25)):  # noqa: S311 - no secret
                break
        with suppress(Exception):
            self._destination.close()

    def _next(self, due: float | None) -> tuple[list[tuple[int, int, Item]], bool]:
        """What waits, in its order, as (importance, number, item), and whether the queue is closed.

        Returns with nothing when it is closed, or when `due` seconds are over. Items stay counted until they are
        delivered, so that the bounds hold for them, too.
        """
        while True:
            with self._lock:
                batch: list[tuple[int, int, Item]] = []
                while len(batch) < _BATCH:
                    heads = [(each[0][0], importance) for importance, each in enumerate(self._waiting) if each]
                    if not heads:
                        break
                    _, importance = min(heads)
                    batch.append((importance, *self._waiting[importance].popleft()))
                if batch or self._close_by is not None:
                    return batch, self._close_by is not None and not any(self._waiting)
                self._asleep = True
            try:
                self._wake.get(timeout=due)
            except Empty:
                return [], False
            if self._close_by is None:
                sleep(_GATHER_SECONDS)

    def _settle(self, batch: list[tuple[int, int, Item]], done: int) -> None:
        """Forget what has been delivered, and put the rest back to where it was."""
        with self._lock:
            for _, _, item in batch[:done]:
                self._forget(item)
            for importance, number, item in reversed(batch[done:]):
                self._waiting[importance].appendleft((number, item))

    def _rest(self, seconds: float) -> bool:
        """Wait before the next attempt, which a closed queue makes at once; False if there is no time for it."""
        end = monotonic() + seconds
        while self._close_by is None and (left := end - monotonic()) > 0:
            with suppress(Empty):
                self._wake.get(timeout=left)
        if self._close_by is None:
            return True
        sleep(_GATHER_SECONDS)
        return monotonic() < self._close_by

"""A queue never holds up who logs, never grows without bound, and drops the least important first."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from . import ops

Queued = ops.queued.Queued


class Place:
    """A destination that keeps what it gets; `broken` makes it fail, `gate` makes it hang."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.broken = False
        self.closed = False
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()

    def deliver(self, items: Sequence[str]) -> int:
        self.attempts += 1
        self.gate.wait(10)
        if self.broken:
            raise OSError("gone")
        self.items.extend(items)
        return len(items)

    def tick(self, *, closing: bool) -> float | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        self.closed = True


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.gate.set()


def queue(place: Place, **options: int) -> Any:
    return Queued("test", place, size=len, **options)


def test_items_arrive_in_their_order_whatever_their_level(place: Place) -> None:
    queued = queue(place)

    for number, level in enumerate(["info", "error", "debug", "critical", "info"]):
        queued.put(str(number), level)
    queued.close(5)

    assert place.items == ["0", "1", "2", "3", "4"]
    assert place.closed
    assert queued.dropped == 0


def test_a_full_queue_drops_the_oldest_of_the_least_important(place: Place) -> None:
    place.gate.clear()
    queued = queue(place, capacity=4)
    queued.put("sent", "info")
    until(lambda: place.attempts == 1)  # it is under way, and still counts

    for item, level in [("i1", "info"), ("e1", "error"), ("d1", "debug"), ("e2", "error"), ("i2", "info")]:
        queued.put(item, level)
    place.gate.set()
    queued.close(5)

    assert place.items == ["sent", "e1", "e2", "i2"]
    assert queued.dropped == 2


def test_what_is_less_important_than_all_that_waits_is_dropped_itself(place: Place) -> None:
    place.gate.clear()
    queued = queue(place, capacity=2)
    queued.put("e0", "error")
    until(lambda: place.attempts == 1)

    queued.put("e1", "error")
    queued.put("i1", "info")
    place.gate.set()
    queued.close(5)

    assert place.items == ["e0", "e1"]
    assert queued.dropped == 1


def test_bytes_are_bounded_too_and_one_item_larger_than_all_is_dropped(place: Place) -> None:
    place.gate.clear()
    queued = queue(place, max_bytes=100)
    for _ in range(10):
        queued.put("x" * 30, "info")
    queued.put("x" * 101, "critical")

    assert queued._bytes <= 100
    assert queued.dropped >= 8
    place.gate.set()
    queued.close(5)


def test_a_hanging_destination_holds_up_nobody(place: Place) -> None:
    place.gate.clear()
    queued = queue(place, capacity=100)

    began = time.perf_counter()
    for number in range(20_000):
        queued.put(str(number), "info")
    took = time.perf_counter() - began

    assert took < 2
    assert queued._count == 100
    assert queued.dropped == 19_900


def test_a_destination_that_is_gone_is_tried_again_and_then_gets_all(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops.queued, "_FIRST_PAUSE_SECONDS", 0.01)
    place.broken = True
    queued = queue(place)
    queued.put("a", "info")
    until(lambda: place.attempts >= 2)

    queued.put("b", "error")
    place.broken = False
    until(lambda: len(place.items) == 2)

    assert place.items == ["a", "b"]
    queued.close(1)


def test_what_a_destination_took_of_a_batch_is_not_sent_again(place: Place) -> None:
    class Half(Place):
        def deliver(self, items: Sequence[str]) -> int:
            self.items.append(items[0])
            return 1

    half = Half()
    queued = queue(half)
    for item in "abc":
        queued.put(item, "info")
    queued.close(5)

    assert half.items == ["a", "b", "c"]


def test_closing_waits_no_longer_than_its_limit_and_counts_what_is_left(place: Place) -> None:
    place.gate.clear()
    queued = queue(place)
    for item in "abc":
        queued.put(item, "info")

    began = time.monotonic()
    queued.close(0.3)

    assert time.monotonic() - began < 2
    assert queued.dropped == 3
    queued.put("late", "critical")
    assert queued.dropped == 4


def test_closing_during_a_pause_makes_one_more_attempt_at_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.queued, "_FIRST_PAUSE_SECONDS", 20)
    place.broken = True
    queued = queue(place)
    queued.put("a", "info")
    until(lambda: place.attempts == 1)
    place.broken = False

    queued.close(3)

    assert place.items == ["a"]


def test_no_thread_is_there_before_the_first_item(place: Place) -> None:
    before = threading.active_count()
    queued = queue(place)

    assert threading.active_count() == before
    queued.put("a", "info")
    assert threading.active_count() == before + 1
    queued.close(1)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_begins_with_an_empty_queue_and_a_thread_of_its_own(place: Place) -> None:
    place.gate.clear()
    queued = queue(place)
    queued.put("parent's", "info")
    until(lambda: place.attempts == 1)

    child = os.fork()
    if child == 0:
        place.gate.set()
        place.items.clear()
        queued.put("child's", "info")
        queued.close(3)
        os._exit(0 if place.items == ["child's"] else 1)
    _, status = os.waitpid(child, 0)
    place.gate.set()
    queued.close(3)

    assert os.waitstatus_to_exitcode(status) == 0
    assert place.items == ["parent's"]

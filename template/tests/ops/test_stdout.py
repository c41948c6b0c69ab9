"""Writing to standard output: real pipes, readers that stall or leave, several writers."""

import asyncio
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from . import ops

Stdout = ops.stdout.Stdout
_A_MOMENT = 0.03  # longer than lines are gathered for


class Pipe:
    """A pipe whose reading end the test holds."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def read(self) -> bytes:
        """What is there now."""
        found = b""
        while select.select([self.reading], [], [], 0)[0] and (piece := os.read(self.reading, 1 << 20)):
            found += piece
        return found

    def fill(self, room: int = 0) -> None:
        """Leave room for no more than `room` bytes, as a reader that has stalled does."""
        own = os.open(f"/proc/self/fd/{self.writing}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(own, b"." * 4095 + b"\n")
        except BlockingIOError:
            os.read(self.reading, room)
        finally:
            os.close(own)

    def close(self) -> None:
        for end in (self.reading, self.writing):
            try:
                os.close(end)
            except OSError:
                continue


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def in_a_loop(sink: Any, steps: Callable[[], Any]) -> None:
    """Run `steps` in an event loop that the sink is attached to, and give it the time to write."""

    async def run() -> None:
        sink.attach(asyncio.get_running_loop())
        result = steps()
        if asyncio.iscoroutine(result):
            await result
        await asyncio.sleep(_A_MOMENT)

    asyncio.run(run())


def test_outside_of_a_loop_each_line_is_written_at_once(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    sink.write(b"one\n")

    assert pipe.read() == b"one\n"
    assert sink.dropped == 0


def test_in_a_loop_lines_are_gathered_for_a_moment(pipe: Pipe) -> None:
    sink, seen = Stdout(pipe.writing), []

    def steps() -> None:
        sink.write(b"one\n")
        sink.write(b"two\n")
        seen.append(pipe.read())

    in_a_loop(sink, steps)

    assert seen == [b""]
    assert pipe.read() == b"one\ntwo\n"


@pytest.mark.parametrize(("line", "urgent"), [(b"x\n", True), (b"x" * 40_000 + b"\n", False)], ids=["urgent", "large"])
def test_in_a_loop_what_is_urgent_or_large_is_written_in_its_next_turn(pipe: Pipe, line: bytes, urgent: bool) -> None:
    sink, seen = Stdout(pipe.writing), []

    async def steps() -> None:
        sink.write(line, urgent=urgent)
        for _ in range(3):
            await asyncio.sleep(0)
        seen.append(pipe.read())

    in_a_loop(sink, steps)

    assert seen == [line]


def test_lines_of_other_threads_are_written_by_the_loop(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)

    in_a_loop(sink, lambda: asyncio.to_thread(sink.write, b"from a thread\n"))

    assert pipe.read() == b"from a thread\n"


def test_what_is_written_last_is_written(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)

    async def run() -> None:
        sink.attach(asyncio.get_running_loop())
        sink.write(b"stopped\n")
        sink.detach()

    asyncio.run(run())
    sink.write(b"really\n")

    assert pipe.read() == b"stopped\nreally\n"


def test_a_loop_that_is_gone_costs_no_line(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    in_a_loop(sink, lambda: None)
    sink.write(b"after\n")

    assert pipe.read() == b"after\n"


def test_the_descriptor_that_others_share_stays_blocking(pipe: Pipe) -> None:
    Stdout(pipe.writing)

    assert os.get_blocking(pipe.writing)


def test_a_stalled_reader_never_blocks_and_drops_are_counted(pipe: Pipe) -> None:
    told: list[int] = []
    sink = Stdout(pipe.writing, told.append)
    pipe.fill()
    line, began = b"x" * 1023 + b"\n", time.monotonic()

    def steps() -> None:
        for _ in range(3000):
            sink.write(line)

    in_a_loop(sink, steps)

    assert time.monotonic() - began < 0.5
    assert sink.dropped == 3000 - 1024  # a MiB is kept for when the reader comes back
    assert sum(told) == sink.dropped


def test_lines_that_were_kept_are_written_when_the_reader_comes_back(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    pipe.fill()

    async def steps() -> None:
        for number in range(100):
            sink.write(b"%d\n" % number)
        await asyncio.sleep(_A_MOMENT)
        pipe.read()

    in_a_loop(sink, steps)

    assert pipe.read() == b"".join(b"%d\n" % number for number in range(100))
    assert sink.dropped == 0


def test_outside_of_a_loop_a_stalled_reader_is_waited_for_once(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    pipe.fill()
    began = time.monotonic()
    for _ in range(20):
        sink.write(b"lost\n")

    assert 0.05 < time.monotonic() - began < 0.5
    assert sink.dropped == 20


def test_after_a_stalled_reader_has_come_back_lines_are_written_again(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    pipe.fill()
    sink.write(b"lost\n")
    pipe.read()
    sink.write(b"kept\n")

    assert pipe.read() == b"kept\n"
    assert sink.dropped == 1


def test_a_reader_that_has_left_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    os.close(pipe.reading)
    sink.write(b"one\n")
    in_a_loop(sink, lambda: sink.write(b"two\n"))

    assert sink.dropped == 2


def test_a_reader_that_leaves_while_lines_wait_costs_them(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    pipe.fill()

    async def steps() -> None:
        sink.write(b"one\n")
        await asyncio.sleep(_A_MOMENT)
        os.close(pipe.reading)

    in_a_loop(sink, steps)

    assert sink.dropped == 1


@pytest.mark.parametrize("loop", [True, False])
def test_a_closed_descriptor_costs_lines_and_nothing_else(loop: bool) -> None:
    free = 500  # a number that the loop's own descriptors don't take
    sink = Stdout(free)
    if loop:
        in_a_loop(sink, lambda: sink.write(b"one\n"))
    else:
        sink.write(b"one\n")

    assert sink.dropped == 1


def test_a_long_line_goes_out_whole_when_the_reader_is_slow(pipe: Pipe) -> None:
    sink, line = Stdout(pipe.writing), b"x" * 200_000 + b"\n"
    read: list[bytes] = []

    async def steps() -> None:
        sink.write(line)
        sink.write(b"next\n")
        for _ in range(20):
            await asyncio.sleep(0.002)
            read.append(pipe.read())

    in_a_loop(sink, steps)

    assert b"".join(read) == line + b"next\n"
    assert sink.dropped == 0


def test_a_line_that_was_cut_off_spoils_no_other(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    pipe.fill(room=8192)
    sink.write(b"a" * 30_000 + b"\n")
    found = pipe.read()
    sink.write(b"whole\n")

    assert b"whole" in (found + pipe.read()).splitlines()
    assert sink.dropped == 1


def test_a_regular_file_is_written_to(tmp_path: Path) -> None:
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    sink = Stdout(file)
    sink.write(b"one\n")
    in_a_loop(sink, lambda: sink.write(b"two\n"))
    os.close(file)

    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
    assert sink.dropped == 0


@pytest.mark.parametrize("loop", [True, False])
def test_a_full_disk_costs_lines_and_nothing_else(loop: bool) -> None:
    file = os.open("/dev/full", os.O_WRONLY)
    sink = Stdout(file)
    if loop:
        in_a_loop(sink, lambda: sink.write(b"one\n"))
    else:
        sink.write(b"one\n")
    os.close(file)

    assert sink.dropped == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the sink keeps its socket as long as the process lives
def test_a_socket_is_written_to_without_blocking() -> None:
    ours, theirs = socket.socketpair()
    sink = Stdout(ours.fileno())
    sink.write(b"one\n")
    received = theirs.recv(100)
    in_a_loop(sink, lambda: [sink.write(b"x" * 4000) for _ in range(1000)] and None)
    ours.close()
    theirs.close()

    assert received == b"one\n"
    assert sink.dropped > 0


def test_a_pipe_that_can_not_be_opened_again_is_asked_before_each_write(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(ops.stdout.os, "open", refuse)
    sink = Stdout(pipe.writing)
    monkeypatch.undo()
    sink.write(b"one\n")
    read = pipe.read()
    pipe.fill()
    sink.write(b"lost\n")

    assert (read, sink.dropped) == (b"one\n", 1)


def test_lines_of_several_processes_on_one_pipe_stay_whole(pipe: Pipe, tmp_path: Path) -> None:
    workers = []
    for name in b"abc":
        if (worker := os.fork()) == 0:
            sink = Stdout(pipe.writing, turns=tmp_path / "turns")
            in_a_loop(sink, partial(_write_all, sink, name))
            os._exit(0)
        workers.append(worker)
    os.close(pipe.writing)
    found = b""
    while piece := os.read(pipe.reading, 20_000):  # slower than they write: the pipe is full most of the time
        found += piece
        time.sleep(0.0001)
    for worker in workers:
        os.waitpid(worker, 0)

    lines = found.splitlines()
    assert len(lines) == 3 * 300
    assert all(re.fullmatch(rb"a+|b+|c+", line) for line in lines)


async def _write_all(sink: Any, letter: int) -> None:
    for number in range(300):
        sink.write(bytes([letter]) * (number * 377 % 20_000 + 1) + b"\n")
        while sink._pending_bytes > 200_000:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    for _ in range(3000):
        if sink._pending:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("attached", [True, False])
def test_lines_of_many_threads_are_each_written_once(tmp_path: Path, attached: bool) -> None:
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sink, errors = Stdout(file), []
    interval = sys.getswitchinterval()

    def write(letter: int) -> None:
        try:
            for number in range(1000):
                sink.write(b"%c%d\n" % (letter, number))
        except Exception as error:  # noqa: BLE001 - all of them are counted
            errors.append(error)

    async def steps() -> None:
        threads = [threading.Thread(target=write, args=(letter,)) for letter in b"abcd"]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            sink.write(b"")
            await asyncio.sleep(0)

    sys.setswitchinterval(1e-6)
    try:
        if attached:
            in_a_loop(sink, steps)
            sink.detach()
        else:
            asyncio.run(steps())
    finally:
        sys.setswitchinterval(interval)
        os.close(file)

    assert errors == []
    assert sorted((tmp_path / "log").read_bytes().split()) == sorted(
        b"%c%d" % (letter, number) for letter in b"abcd" for number in range(1000)
    )
    assert sink._pending_bytes == 0


def test_a_process_that_is_killed_in_its_turn_ends_it(pipe: Pipe, tmp_path: Path) -> None:
    told, tell = os.pipe()
    if (worker := os.fork()) == 0:
        holder = Stdout(pipe.writing, turns=tmp_path / "turns")
        pipe.fill(room=4096)
        holder._pending.append(b"a" * 9000 + b"\n")
        holder._pending_bytes = 9001
        holder._write_some()  # a part of it: the turn is kept
        os.write(tell, b"x")
        time.sleep(60)
    os.read(told, 1)
    sink = Stdout(pipe.writing, turns=tmp_path / "turns")
    in_a_loop(sink, lambda: sink.write(b"waits\n"))
    waiting = pipe.read()
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    in_a_loop(sink, lambda: sink.write(b"goes on\n"))

    assert b"waits" not in waiting
    assert pipe.read().endswith(b"waits\ngoes on\n")
    for each in (told, tell):
        os.close(each)


def test_without_a_file_for_turns_lines_are_written_all_the_same(pipe: Pipe, tmp_path: Path) -> None:
    sink = Stdout(pipe.writing, turns=tmp_path / "no" / "folder")
    sink.write(b"one\n")

    assert pipe.read() == b"one\n"


def test_a_signal_that_comes_while_a_line_is_written_waits_for_nothing(pipe: Pipe) -> None:
    sink = Stdout(pipe.writing)
    with sink._lock:
        sink.abandon()
    sink.write(b"one\n")
    sink.abandon()

    assert pipe.read() == b"one\n"

"""Metrics of several processes: exact over deaths, bounded in files. Each test is a process of its own that forks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from . import PACKAGE, ops

_PREFACE = f"""
import json, os, signal, sys, time
from pathlib import Path
from {PACKAGE}.ops import slots
given = Path(sys.argv[1])
folder = slots.share("orders", given)
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
WORK = Counter("work", "Done.")
TIME = Histogram("time", "Taken.", buckets=(1, 2))
LIVE = Gauge("live", "Now.", multiprocess_mode="livesum")

def fork(work):
    told, tell = os.pipe()
    if (pid := os.fork()) == 0:
        slots.claim()
        slots.mark_ready()
        work()
        os.write(tell, b"x")
        time.sleep(60)
    os.close(tell)
    os.read(told, 1)
    os.close(told)
    return pid

def kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

def value(name, **labels):
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))
    return registry.get_sample_value(name, labels)

def work():
    for _ in range(100):
        WORK.inc()
        TIME.observe(1.5)
    LIVE.inc(3)

def tell(**found):
    print(json.dumps(found))
"""


def run(folder: Path, program: str) -> Any:
    """What a program that forks workers has found."""
    ended = subprocess.run(
        [sys.executable, "-c", _PREFACE + program, str(folder)], capture_output=True, check=False, timeout=20
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def test_totals_are_exact_over_kills_and_takeovers(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
workers = [fork(work) for _ in range(3)]
for _ in range(6):
    kill(workers.pop(0))
    workers.append(fork(work))
tell(work=value("work_total"), times=value("time_count"), bucket=value("time_bucket", le="2.0"), live=value("live"),
     sum=value("time_sum"), db=sorted(path.name for path in folder.glob("*.db")),
     slots=[worker.slot for worker in slots.living()])
for worker in workers:
    kill(worker)
""",
    )

    assert (found["work"], found["times"], found["bucket"], found["sum"]) == (900, 900, 900, 1350)
    assert found["live"] == 9
    assert found["slots"] == ["0", "1", "2"]
    assert len(found["db"]) <= 12  # three kinds of files for each worker, and for the main process


def test_a_dead_workers_live_gauge_goes_with_its_replacement(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
kill(fork(lambda: LIVE.inc(7)))
pid = fork(lambda: LIVE.inc(1))
tell(live=value("live"))
kill(pid)
""",
    )

    assert found == {"live": 1}


def test_what_is_counted_before_the_fork_counts_once(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
WORK.inc(5)
workers = [fork(lambda: WORK.inc()) for _ in range(2)]
tell(work=value("work_total"))
for worker in workers:
    kill(worker)
""",
    )

    assert found == {"work": 7}


def test_the_living_are_those_that_hold_a_slot(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
first, second = fork(work), fork(work)
kill(first)
alive = [(worker.slot, worker.pid == second, worker.ready) for worker in slots.living()]
tell(alive=alive, first=slots.was_ready(first), unknown=slots.was_ready(1), second=slots.was_ready(second))
kill(second)
""",
    )

    assert found == {"alive": [["1", True, True]], "first": True, "unknown": False, "second": True}


def test_a_worker_is_not_ready_before_it_says_so(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
slots.claim()
before = [worker.ready for worker in slots.living()], slots.was_ready(os.getpid())
slots.mark_ready()
tell(before=before, after=[[worker.ready for worker in slots.living()], slots.was_ready(os.getpid())])
""",
    )

    assert found == {"before": [[False], False], "after": [[True], True]}


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "counter_9.db").write_text("an owner's")
    (tmp_path / "orders-metrics-folder-of-another").mkdir()
    run(tmp_path, "tell()")  # ends without removing its folder

    found = run(tmp_path, "tell(left=sorted(path.name for path in given.iterdir() if path != folder))")

    assert found == {"left": ["counter_9.db", "orders-metrics-folder-of-another"]}


def test_a_run_leaves_the_folder_of_another_that_lives_alone(tmp_path: Path) -> None:
    program = """
import subprocess
if len(sys.argv) == 2:
    subprocess.run([sys.executable, "-c", open("/proc/self/cmdline").read().split(chr(0))[2], sys.argv[1], "x"])
    tell(there=folder.exists())
"""

    assert run(tmp_path, program) == {"there": True}


def test_only_the_folder_that_was_made_is_removed_at_the_end(tmp_path: Path) -> None:
    found = run(tmp_path / "new", "slots.remove()\ntell(made=folder.exists(), given=given.exists())")

    assert found == {"made": False, "given": True}


def test_a_folder_that_is_not_named_is_private() -> None:
    program = f"""
import json, os
from {PACKAGE}.ops import slots
folder = slots.share("orders")
print(json.dumps([oct(folder.stat().st_mode)[-3:], folder.name.startswith("orders-metrics-")]))
slots.remove()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=20)

    assert json.loads(ended.stdout) == ["700", True]


def test_every_workers_process_metrics_are_in_every_workers_answer(tmp_path: Path) -> None:
    program = f"""
pid = fork(work)
slots.claim()
from {PACKAGE}.ops.about import ABOUT
from {PACKAGE}.ops.metrics import Exposition
text = Exposition(ABOUT).render("")[0].decode()
tell(memory=[line.split()[0] for line in text.splitlines() if line.startswith("process_resident_memory_bytes")],
     work="work_total 100.0" in text, info=text.count("service_info{{"))
kill(pid)
"""

    assert run(tmp_path, program) == {
        "memory": ['process_resident_memory_bytes{worker="0"}', 'process_resident_memory_bytes{worker="1"}'],
        "work": True,
        "info": 1,
    }


def test_with_one_worker_this_process_is_the_worker() -> None:
    (worker,) = ops.slots.living()

    assert (worker.slot, worker.ready) == ("0", True)
    assert ops.slots.shared_folder() is None


def test_a_slot_can_not_be_claimed_before_the_folder_is_known() -> None:
    with pytest.raises(RuntimeError, match="share"):
        ops.slots.claim()
    assert ops.slots.was_ready(1) is False

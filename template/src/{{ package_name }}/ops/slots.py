"""A place in shared memory for each of several workers' metrics.

A worker claims the first free slot with a lock that the kernel releases when the worker dies, however it dies. Its
replacement claims the same slot and counts on where the dead one stopped. So totals are exact over deaths and
restarts, and the number of files is bounded by the number of workers that live at the same time.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import prometheus_client.values

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
_OWNER = "main"  # before the workers are forked, the main process writes under this name

_identity = _OWNER
_lock: int | None = None
_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """A living worker: its slot, process id, and whether it has started up."""

    slot: str
    pid: int
    ready: bool


def share(name: str, folder: Path | None = None) -> Path:
    """Keep this process's metrics, and those of the workers forked from it, in files. Before any metric is made.

    Args:
        name: prefix of the folder that is made when `folder` is None.
        folder: is created, and what an earlier run left in it is removed.

    Raises:
        OSError: the folder can't be used.
    """
    global _folder  # noqa: PLW0603 - one process has one folder
    if folder is None:
        shared = os.access(_SHARED_MEMORY, os.W_OK | os.X_OK)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-metrics-", dir=_SHARED_MEMORY if shared else None))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for pattern in ("*.db", "slot-*"):
        for old in folder.glob(pattern):
            old.unlink()
    _folder = folder
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    prometheus_client.values.ValueClass = prometheus_client.values.MultiProcessValue(  # type: ignore[no-untyped-call]
        process_identifier=lambda: _identity
    )
    return folder


def shared_folder() -> Path | None:
    """The folder that several workers share; None with one worker."""
    return _folder


def claim() -> str:
    """Take the first slot that no living worker holds. In a worker, right after the fork."""
    global _identity, _lock
    if _folder is None:
        raise RuntimeError("slots.share() comes first")
    number = 0
    while True:
        file = os.open(_folder / f"slot-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            os.close(file)
            number += 1
    for left in _folder.glob(f"gauge_live*_{number}.db"):
        left.unlink()  # what the dead one had in flight is gone with it
    _identity, _lock = str(number), file
    _write(starting=True)
    return _identity


def mark_ready() -> None:
    """Say that this worker has started up."""
    _write(starting=False)


def living() -> list[Worker]:
    """The workers that hold a slot now; with one worker, this process."""
    if _folder is None:
        return [Worker("0", os.getpid(), ready=True)]
    found = []
    for file in sorted(_folder.glob("slot-*"), key=lambda path: int(path.name[5:])):
        with suppress(OSError, ValueError):
            pid, state = file.read_text("ascii").split()
            os.kill(int(pid), 0)
            found.append(Worker(file.name[5:], int(pid), state == "ready"))
    return found


def was_ready(pid: int) -> bool:
    """Whether the worker with this process id, dead or alive, had started up."""
    if _folder is not None:
        for file in _folder.glob("slot-*"):
            if file.read_text("ascii").split() == [str(pid), "ready"]:
                return True
    return False


def remove() -> None:
    """Remove the shared folder. In the main process, when all workers are gone."""
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


def _write(*, starting: bool) -> None:
    if _lock is None:
        return
    state = f"{os.getpid()} {'starting' if starting else 'ready'}\n".encode("ascii")
    os.pwrite(_lock, state, 0)
    os.ftruncate(_lock, len(state))

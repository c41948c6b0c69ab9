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
_MAIN = "main"  # before the workers are forked, the main process writes under this name

_identity = _MAIN
_lock: int | None = None
_main_lock: int | None = None
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
        name: of the service; a fresh folder that begins with it is made.
        folder: where to make it; None means in memory, or where temporary files are. What else lies there is not
            touched, but for the folders that runs of the same service have left when they were killed.

    Returns:
        The folder that was made.

    Raises:
        OSError: it can't be made.
    """
    global _folder, _main_lock  # noqa: PLW0603 - one process has one folder
    if folder is None:
        shared = os.access(_SHARED_MEMORY, os.W_OK | os.X_OK)
        folder = _SHARED_MEMORY if shared else Path(tempfile.gettempdir())
    else:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    prefix = f"{name}-metrics-"
    for left in folder.glob(f"{prefix}*"):
        _remove_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    # The workers inherit this lock: while any process of this run lives, no later run takes the folder for a left one.
    _main_lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(_main_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _folder = folder
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    prometheus_client.values.ValueClass = prometheus_client.values.MultiProcessValue(  # type: ignore[no-untyped-call]
        process_identifier=lambda: _identity
    )
    return folder


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError):
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def shared_folder() -> Path | None:
    """The folder that several workers share; None with one worker."""
    return _folder


def forget_gauges() -> None:
    """Remove what gauges were when the workers were forked: it is no worker's value. In the main process."""
    if _folder is not None:
        for file in _folder.glob(f"gauge_*_{_MAIN}.db"):
            file.unlink()


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

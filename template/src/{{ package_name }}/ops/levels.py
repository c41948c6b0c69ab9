"""A logger's level, changed for a limited time while the service runs, in every worker; it changes back by itself.

The workers share a file: each looks once a second whether it has changed, or whether something in it is over.
"""

import fcntl
import json
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from .settings import Level

LONGEST_SECONDS: Final = 3600
_MOST: Final = 32

log = logging.getLogger(__name__)


class Wanted(BaseModel):
    """What is asked for: `logger` at `level` for `seconds`; `root` is the root logger."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    logger: str = Field(min_length=1, max_length=200, pattern=r"^[\w.:/-]+$")
    level: Level
    seconds: float = Field(default=300, gt=0, le=LONGEST_SECONDS)


@dataclass(frozen=True, slots=True)
class Changed:
    """A level that holds until a time (seconds since 1970)."""

    level: str
    until: float


class Levels:
    """The changed levels of one service.

    Args:
        folder: that the workers share; None for a single one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = folder / "levels.json" if folder is not None else None
        self._seen = 0
        self._known: dict[str, Changed] = {}
        self._before: dict[str, int] = {}  # of those that are changed in this process now

    def change(self, wanted: Wanted) -> bool:
        """Change a level in every worker, within a second; False if too many are changed already."""
        with self._shared() as known:
            if wanted.logger not in known and len(known) >= _MOST:
                return False
            known[wanted.logger] = Changed(wanted.level, time() + wanted.seconds)
        log.warning(
            "log level changed",
            extra={"of_logger": wanted.logger, "to_level": wanted.level, "seconds": wanted.seconds},
        )
        self.refresh()
        return True

    def revert(self) -> None:
        """Take all changes back."""
        with self._shared() as known:
            known.clear()
        log.warning("log levels are as configured again")
        self.refresh()

    def active(self) -> dict[str, dict[str, Any]]:
        """The changed levels by logger, with the seconds that are left."""
        now = time()
        return {
            name: {"level": each.level, "seconds_left": round(each.until - now, 1)}
            for name, each in sorted(self._known.items())
            if each.until > now
        }

    def refresh(self) -> None:
        """Bring this process's loggers up to date. Once a second; it costs a look at the file's time."""
        if self._file is not None:
            with suppress(OSError):
                changed = self._file.stat().st_mtime_ns
                if changed != self._seen:
                    self._seen, self._known = changed, _read(self._file.read_text("utf-8"))
        if not self._known and not self._before:
            return
        now = time()
        held = {name: each for name, each in self._known.items() if each.until > now}
        for name, each in held.items():
            logger = _logger(name)
            self._before.setdefault(name, logger.level)
            if logger.level != logging.getLevelNamesMapping()[each.level]:
                logger.setLevel(each.level)
        for name in [name for name in self._before if name not in held]:
            _logger(name).setLevel(self._before.pop(name))
        self._known = held

    @contextmanager
    def _shared(self) -> Generator[dict[str, Changed]]:
        """The changes, read and written under the workers' lock; without one that can be had, this worker's own."""
        file = None
        if self._file is not None:
            with suppress(OSError):
                file = self._file.open("a+", encoding="utf-8")
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                self._known = _read(file.read())
        now = time()
        known = {name: each for name, each in self._known.items() if each.until > now}
        yield known
        self._known = known
        if file is not None:
            with suppress(OSError):
                file.seek(0)
                file.truncate()
                json.dump({name: asdict(each) for name, each in known.items()}, file)
                file.flush()
                os.utime(file.fileno())
                file.close()


def _read(text: str) -> dict[str, Changed]:
    try:
        return {name: Changed(each["level"], float(each["until"])) for name, each in json.loads(text or "{}").items()}
    except (AttributeError, KeyError, TypeError, ValueError):  # another worker is writing it
        return {}


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == "root" else name)


class _Configured:
    """The service's own; before it is configured, a single worker's."""

    def __init__(self) -> None:
        self.levels = Levels()

    def configure(self, folder: Path | None) -> None:
        """Share the changes with the other workers through this folder."""
        self.levels = Levels(folder)


SERVICE: Final = _Configured()

"""Values that several checks share, and that may take long to make."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """Values that are made once, whichever of several threads asks first; what went wrong is told to all of them."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, Exception | None]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The value of this name."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._made:
                try:
                    self._made[name] = make(), None
                except Exception as error:  # noqa: BLE001 - told to whoever asks
                    self._made[name] = None, error
        value, wrong = self._made[name]
        if wrong is not None:
            raise wrong.with_traceback(None)
        return value  # type: ignore[no-any-return]

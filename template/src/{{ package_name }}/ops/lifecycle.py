"""Where the service is in its life: a fact of the process, and for the drain one of all its workers.

The main process and the workers forked from it share one byte of memory, so that every worker knows that the whole
service is being stopped, and none mistakes its own replacement for that.
"""

import mmap
from datetime import UTC, datetime
from time import monotonic
from typing import Final

_SERVING, _DRAINING, _CUT = 0, 1, 2


class Lifecycle:
    """Serving, draining, or stopped with requests cut off."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)
        self.retiring = False  # this worker alone is to go
        self.told_to_end = False  # by a signal that came before the server handles them itself
        self.started_at = datetime.now(UTC)
        self._started = monotonic()

    def drain(self) -> None:
        """The whole service is being stopped: readiness fails from now on, in every worker."""
        if self._shared[0] == _SERVING:
            self._shared[0] = _DRAINING

    def cut(self) -> None:
        """Requests were cut off, because the time to stop was over or a second signal came."""
        self._shared[0] = _CUT

    @property
    def closing(self) -> bool:
        """Whether clients are to close their connections to this process."""
        return self.retiring or self._shared[0] != _SERVING

    @property
    def draining(self) -> bool:
        """Whether the whole service is being stopped."""
        return self._shared[0] != _SERVING

    @property
    def was_cut(self) -> bool:
        """Whether any request was cut off."""
        return self._shared[0] == _CUT

    @property
    def uptime_seconds(self) -> float:
        """Seconds since the service started."""
        return monotonic() - self._started


LIFECYCLE: Final = Lifecycle()

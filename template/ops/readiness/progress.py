"""How far the run is, on a terminal: one line that is written over, and gone when the report comes."""

import threading
from typing import TextIO


class Progress:
    """Rows that are looked at, and how many are done. Silent where nobody watches."""

    def __init__(self, stream: TextIO, wanted: int) -> None:
        self._stream, self._wanted, self._shown = stream, wanted, stream.isatty()
        self._busy: list[str] = []
        self._done = 0
        self._lock = threading.Lock()

    def told(self, row: str, ended: bool) -> None:
        """A check begins, or has ended."""
        with self._lock:
            if ended:
                self._busy.remove(row)
                self._done += 1
            else:
                self._busy.append(row)
            if self._shown:
                text = f"{self._done}/{self._wanted} {', '.join(self._busy)}"
                self._stream.write(f"\r\033[K{text[:76]}")
                self._stream.flush()

    def gone(self) -> None:
        """Clear the line."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()

"""Adds up the counters and histograms that several workers keep in shared memory, quickly enough to be scraped often.

The library parses, sorts and adds up every value of every worker anew at each scrape. Here a file's layout and a
sample's text are remembered, for they only grow: what is left at a scrape is to read the numbers, add them up and write
them down. Gauges, which are few and differ in how they are merged, are the library's. A test holds the text to its.
"""

import json
import re
from pathlib import Path
from struct import Struct
from threading import Lock
from typing import Final

from prometheus_client.utils import floatToGoString

# The layout of prometheus_client.mmap_dict: bytes used, padding; then for each value the length of its key, the key,
# padding to eight bytes, the value and a time stamp.
_HEAD: Final = Struct("=i4x")
_LENGTH: Final = Struct("=i")
_SUMMED: Final = frozenset({"counter", "histogram", "summary"})

_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").fullmatch


class _File:
    """What is known of one worker's file: where its values are, and which sum each belongs to."""

    __slots__ = ("layout", "reader", "sums", "used")

    def __init__(self) -> None:
        self.used = _HEAD.size
        self.layout = [f"={_HEAD.size}x"]
        self.sums: list[int] = []
        self.reader = Struct(self.layout[0])


class _Series:
    """The beginnings of one label set's lines, each with the index of its sum; buckets in the order of their limits."""

    __slots__ = ("buckets", "count", "values")

    def __init__(self) -> None:
        self.buckets: list[tuple[float, str, int]] = []
        self.count = ""
        self.values: list[tuple[str, int]] = []


class _Family:
    """A metric: what is said of it, and its series by their labels."""

    __slots__ = ("kind", "name", "series", "text")

    def __init__(self, name: str, kind: str, text: str) -> None:
        self.name, self.kind, self.text = name, kind, text
        self.series: dict[str, _Series] = {}


class Merged:
    """The sums over all workers, dead ones included.

    Args:
        folder: that the workers keep their files in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()  # scrapes run in threads
        self._files: dict[str, _File] = {}
        self._index: dict[bytes, int] = {}
        self._families: dict[str, _Family] = {}
        self._plain = True

    def text(self, *, openmetrics: bool) -> str | None:
        """The exposition of counters, histograms and summaries, without an end mark.

        None if a name needs quoting, which Prometheus has known since version 3 only: how is negotiated, and then it
        is the library's.
        """
        with self._lock:
            sums = self._sums()
            lines: list[str] = []
            for family in self._families.values():
                name = family.name if openmetrics or family.kind != "counter" else f"{family.name}_total"
                text = _escaped(family.text, quote=openmetrics)
                lines.append(f"# HELP {name} {text}\n# TYPE {name} {family.kind}\n")
                for series in family.series.values():
                    running = 0.0
                    for _, start, index in series.buckets:
                        running += sums[index]
                        lines.append(f"{start}{running!r}\n")
                    if series.count:
                        lines.append(f"{series.count}{running!r}\n")
                    for start, index in series.values:
                        lines.append(f"{start}{floatToGoString(sums[index])}\n")  # type: ignore[no-untyped-call]
            return "".join(lines) if self._plain else None

    def _sums(self) -> list[float]:
        read = []
        for path in sorted(self._folder.glob("*.db")):
            kind = path.name.partition("_")[0]
            if kind in _SUMMED:
                data = path.read_bytes()
                file = self._files.setdefault(path.name, _File())
                if (used := _HEAD.unpack_from(data)[0]) > file.used:
                    self._learn(file, data, used, kind)
                read.append((file, data))
        sums = [0.0] * len(self._index)
        for file, data in read:
            for index, value in zip(file.sums, file.reader.unpack_from(data), strict=True):
                sums[index] += value
        return sums

    def _learn(self, file: _File, data: bytes, used: int, kind: str) -> None:
        at = file.used
        while at < used:
            length = _LENGTH.unpack_from(data, at)[0]
            padded = length + 8 - (length + 4) % 8
            key = data[at + 4 : at + 4 + length]
            if (index := self._index.get(key)) is None:
                index = self._index[key] = len(self._index)
                self._add(key, index, kind)
            file.sums.append(index)
            file.layout.append(f"{4 + padded}xd8x")
            at += padded + 20
        file.used = used
        file.reader = Struct("".join(file.layout))

    def _add(self, key: bytes, index: int, kind: str) -> None:
        metric, name, labels, text = json.loads(key)
        self._plain = self._plain and all(_PLAIN_NAME(each) for each in (metric, *labels))
        family = self._families.setdefault(metric, _Family(metric, kind, text))
        limit = labels.pop("le", None) if kind == "histogram" else None
        inner = ",".join(f'{label}="{_escaped(value, quote=True)}"' for label, value in sorted(labels.items()))
        series = family.series.setdefault(inner, _Series())
        if limit is None:
            series.values.append((f"{name}{{{inner}}} " if inner else f"{name} ", index))
            return
        edge = floatToGoString(float(limit))  # type: ignore[no-untyped-call]
        start = f'{metric}_bucket{{{inner}{"," if inner else ""}le="{edge}"}} '
        series.buckets.append((float(limit), start, index))
        series.buckets.sort()
        series.count = f"{metric}_count{{{inner}}} " if inner else f"{metric}_count "


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quote else text

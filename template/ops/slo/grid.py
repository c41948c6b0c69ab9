"""Where panels stand on a dashboard, and the numbers by which links find them."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .panels import Json

COLUMNS = 24


@dataclass(frozen=True)
class Line:
    """Panels side by side.

    Attributes:
        height: in Grafana's units of 30 pixels.
        panels: each with its width in columns, of which there are 24.
    """

    height: int
    panels: Sequence[tuple[int, Json]]


@dataclass(frozen=True)
class Row:
    """Lines of panels under a heading; `key` makes the panels' numbers and stays the same when the title changes."""

    key: str
    title: str
    lines: Sequence[Line]
    collapsed: bool = False


def arrange(rows: Sequence[Row]) -> list[Json]:
    """All rows and panels from the top to the bottom, with numbers that other panels coming or going do not change.

    Raises:
        ValueError: a line is wider than the dashboard.
    """
    taken: set[int] = set()
    made: list[Json] = []
    top = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": row.collapsed, "panels": []}
        made.append({"id": _number(row.key, taken), **heading, "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top}})
        inside = list(_placed(row, top + 1, taken))
        if row.collapsed:
            made[-1]["panels"] = inside
            top += 1
        else:
            made += inside
            top += 1 + sum(line.height for line in row.lines)
    return made


def _placed(row: Row, top: int, taken: set[int]) -> Iterator[Json]:
    for line in row.lines:
        left = 0
        for width, panel in line.panels:
            position = {"h": line.height, "w": width, "x": left, "y": top}
            left += width
            yield {"id": _number(f"{row.key}/{panel['title']}", taken), **panel, "gridPos": position}
        if left > COLUMNS:
            raise ValueError(f"row {row.key!r} has a line of {left} columns; there are {COLUMNS}")
        top += line.height


def _number(key: str, taken: set[int]) -> int:
    number = zlib.crc32(key.encode()) % 1_000_000 + 1
    while number in taken:
        number += 1
    taken.add(number)
    return number

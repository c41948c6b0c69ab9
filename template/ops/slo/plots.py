"""Plots as inline SVG, without a library or script.

The drawing is stretched to the width there is, in a coordinate system of 1000 × 100; so that letters are not stretched
with it, the labels of the axes are HTML around it. Colours are the page's (CSS variables).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Final

WIDTH: Final = 1000
HEIGHT: Final = 100


@dataclass(frozen=True)
class Mark:
    """A vertical line, such as a new version: `at` is its place, 0 to 1."""

    at: float
    text: str


@dataclass(frozen=True)
class Tick:
    """A label of an axis at a place, 0 to 1; `line`: the kind of line across the plot, a CSS class, or none."""

    at: float
    text: str
    line: str = ""


@dataclass(frozen=True)
class Plot:
    """What all plots have.

    Attributes:
        name: unique in the page; a part of element ids.
        title, description: what is read to those who can't see it.
        x, y: labels.
        gaps: parts without data, from and to, 0 to 1.
    """

    name: str
    title: str
    description: str
    x: list[Tick]
    y: list[Tick]
    gaps: list[tuple[float, float]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


def bars(plot: Plot, heights: Sequence[float], texts: Sequence[str]) -> str:
    """A bar for each height, 0 to 1; its text shows when it is pointed at."""
    wide = WIDTH / len(heights)
    made = [
        f'<rect class="bar" x="{number * wide + wide * 0.12:.2f}" width="{wide * 0.76:.2f}" '
        f'y="{_y(height):.2f}" height="{HEIGHT - _y(height):.2f}"><title>{escape(text)}</title></rect>'
        for number, (height, text) in enumerate(zip(heights, texts, strict=True))
    ]
    return _figure(plot, "".join(made))


def line(plot: Plot, points: Sequence[tuple[float, float | None]], *, area: bool = False) -> str:
    """A line through places and heights, 0 to 1, broken where there is no height."""
    made = []
    for there, part in groupby(points, key=lambda point: point[1] is not None):
        places = [(at * WIDTH, _y(height)) for at, height in part if height is not None]
        if there:
            places.append((places[-1][0] + 0.5, places[-1][1]))  # a point alone is seen, too
            path = " ".join(f"{x:.1f},{y:.2f}" for x, y in places)
            if area:
                made.append(
                    f'<path class="area" d="M{places[0][0]:.1f},{HEIGHT} L{path} L{places[-1][0]:.1f},{HEIGHT} Z"/>'
                )
            made.append(f'<path class="line" d="M{path}"/>')
    return _figure(plot, "".join(made))


def logarithmic(value: float, low: float, high: float) -> float:
    """The place of a value on an axis of powers of ten, 0 to 1."""
    return (math.log10(min(max(value, low), high)) - math.log10(low)) / (math.log10(high) - math.log10(low))


def _y(height: float) -> float:
    return HEIGHT * (1 - min(max(height, 0.0), 1.0))


def _figure(plot: Plot, drawn: str) -> str:
    gaps = "".join(
        f'<rect class="gap" x="{left * WIDTH:.1f}" width="{(right - left) * WIDTH:.1f}" y="0" height="{HEIGHT}">'
        "<title>no data</title></rect>"
        for left, right in plot.gaps
    )
    across = "".join(
        f'<line class="{tick.line}" x1="0" x2="{WIDTH}" y1="{_y(tick.at):.2f}" y2="{_y(tick.at):.2f}"/>'
        for tick in plot.y
        if tick.line
    )
    marks = "".join(
        f'<line class="mark" x1="{each.at * WIDTH:.1f}" x2="{each.at * WIDTH:.1f}" y1="0" y2="{HEIGHT}">'
        f"<title>{escape(each.text)}</title></line>"
        for each in plot.marks
    )
    y = "".join(f'<span style="bottom:{tick.at * 100:.2f}%">{escape(tick.text)}</span>' for tick in plot.y)
    x = "".join(f'<span style="left:{tick.at * 100:.2f}%">{escape(tick.text)}</span>' for tick in plot.x)
    ids = f"{plot.name}-title", f"{plot.name}-description"
    return (
        f'<figure class="plot"><figcaption>{escape(plot.title)}</figcaption>'
        f'<div class="y" aria-hidden="true">{y}</div>'
        f'<svg role="img" aria-labelledby="{ids[0]}" aria-describedby="{ids[1]}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none"><title id="{ids[0]}">{escape(plot.title)}</title>'
        f'<desc id="{ids[1]}">{escape(plot.description)}</desc>{gaps}{across}{marks}{drawn}</svg>'
        f'<div class="x" aria-hidden="true">{x}</div></figure>'
    )

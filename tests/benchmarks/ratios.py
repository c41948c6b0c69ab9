"""What benchmarks share: visits in rounds, in random order; a ratio within each round; a table on the page."""

import random
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from processes import HERE

PAGE = HERE.parents[1] / "docs" / "performance.md"

Row = tuple[str, str, str, str]  # what, goal, measured, spread over the rounds


def visited(visits: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each visit has measured in each round."""
    found: dict[str, list[float]] = {name: [] for name in visits}
    for number in range(rounds):
        print(f"\rround {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        for name in random.sample(list(visits), len(visits)):
            found[name].append(visits[name]())
    print("\r", end="", file=sys.stderr)
    return found


def ratio(title: str, goal: float | None, mine: Sequence[float], other: Sequence[float]) -> Row:
    """The median over the rounds, and the lowest and highest."""
    ratios = [one / another for one, another in zip(mine, other, strict=True)]
    middle = median(ratios)
    measured = f"{middle:.2f}" if goal is None else f"{middle:.2f} {mark(round(middle, 2) <= goal)}"
    return title, "" if goal is None else f"≤ {goal:.2f}", measured, f"{min(ratios):.2f} – {max(ratios):.2f}"


def mark(reached: bool) -> str:
    """Whether a goal is reached."""
    return "✓" if reached else "✗"


def table(rows: Sequence[Row]) -> str:
    """The results as a Markdown table."""
    head = "| | goal | measured | spread |\n|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(place: str, text: str) -> None:
    """Put the table between the two markers of this place in docs/performance.md.

    Raises:
        ValueError: the page does not have them.
    """
    marks = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    before, begin, rest = PAGE.read_text("utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"{PAGE} has no place for the results: {' and '.join(marks)}")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", "utf-8")

"""The report for a terminal: a line a row, theme by theme; then the gates, and what to do first."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Final

from .assessment import remedy
from .outcome import Result, State
from .rows import DOCUMENTS, GATES, Gate, Row
from .scorecard import TO_DO, Scorecard

_MARKS: Final[dict[State, str]] = {
    "pass": "pass",
    "fail": "FAIL",
    "open": "open",
    "not applicable": "n/a",
    "cannot tell": "can't tell",
}
_COLOURS: Final[dict[State, str]] = {
    "pass": "32",
    "fail": "1;31",
    "open": "33",
    "not applicable": "2",
    "cannot tell": "1;35",
}
_FIRST: Final = 10  # rows that the list of what to do first has


def lines(card: Scorecard, gate: Gate | None, *, colour: bool, width: int | None = None) -> Iterator[str]:
    """The report."""
    columns = width or shutil.get_terminal_size((120, 0)).columns
    longest = max((len(row.id) for row, _ in card.rows), default=0)
    for theme, rows in card.themes():
        done = sum(result.state in {"pass", "not applicable"} for _, result in rows)
        yield from ("", f"{_bold(theme, colour)}  {done} of {len(rows)}")
        for row, result in rows:
            mark = _painted(f"{_MARKS[result.state]:10}", result.state, colour)
            told = result.evidence if result.state in ("pass", "not applicable") else row.text
            room = max(20, columns - longest - 15)
            yield f"  {mark} {row.id:{longest}}  {textwrap.shorten(told, room, placeholder=' …')}"
            if result.state in TO_DO:
                yield from _indented(result.evidence, "", columns)
                yield from _indented(result.remedy, "→ ", columns)
    yield from ("", *closing(card, gate, colour=colour))


def closing(card: Scorecard, gate: Gate | None, *, colour: bool) -> Iterator[str]:
    """What is wrong with what people wrote, the gates, and what to do first."""
    if card.whole:
        yield from _gates(card, colour)
    else:
        counts = ", ".join(f"{card.count(state)} {_MARKS[state]}" for state in _MARKS if card.count(state))
        yield f"Some of the rows: {counts or 'none'}. No gate is judged by a part; in {card.seconds:.1f} s."
    left = card.next(gate or "production")
    if left and card.whole:
        yield from ("", _bold(f"What to do first, for {gate or 'production'}", colour))
        for row, result in left[:_FIRST]:
            yield f"  {_MARKS[result.state]:10} {row.id} (gate {row.gate}): {remedy(row)}"
        if len(left) > _FIRST:
            yield f"  … and {len(left) - _FIRST} more"


def explained(row: Row, result: Result) -> Iterator[str]:
    """One row, told in full."""
    yield from (f"{row.id}: {row.text}", "", f"  State     {_MARKS[result.state]}, {result.seconds:g} s")
    yield from _wrapped(result.evidence, 110, "  Seen      ", " " * 12)
    yield from _wrapped(remedy(row), 110, "  Remedy    ", " " * 12)
    yield from _wrapped(row.why, 110, "  Why       ", " " * 12)
    yield f"  Gate      {row.gate}"
    yield f"  Evidence  {', '.join(row.evidence)}; since {row.since} of the template"
    if row.from_availability:
        yield f"  Asked from an availability target of {row.from_availability:g} % on"
    if row.documents:
        yield f"  Documents {', '.join(row.documents)}"
    for source in row.sources:
        yield f"  Source    {DOCUMENTS.get(source.document, source.document)}"
        yield from _wrapped(f"“{source.text}”", 110, " " * 12, " " * 12)


def _gates(card: Scorecard, colour: bool) -> Iterator[str]:
    for gate in GATES:
        score = card.score(gate)
        state: State = "pass" if card.opens(gate) else "fail"
        word = _painted("passed" if state == "pass" else "closed", state, colour)
        yield f"Gate {gate:10} {word}  {score.passed} of {score.applicable} rows, {score.percent} %"
    counts = ", ".join(f"{card.count(state)} {_MARKS[state]}" for state in _MARKS if card.count(state))
    yield f"{len(card.rows)} rows: {counts}; in {card.seconds:.1f} s"


def _indented(text: str, start: str, columns: int) -> list[str]:
    return _wrapped(text, max(40, columns), " " * 15 + start, " " * (15 + len(start)))


def _wrapped(text: str, columns: int, first: str, others: str) -> list[str]:
    """Lines of at most so many columns; ids and paths are not cut at their dashes."""
    return textwrap.wrap(
        text, columns, initial_indent=first, subsequent_indent=others, break_on_hyphens=False, break_long_words=False
    )


def _bold(text: str, colour: bool) -> str:
    return f"\033[1m{text}\033[0m" if colour else text


def _painted(text: str, state: State, colour: bool) -> str:
    return f"\033[{_COLOURS[state]}m{text}\033[0m" if colour else text

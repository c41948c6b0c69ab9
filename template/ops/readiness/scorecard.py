"""The whole report as data: every row with its result, the score of each gate, and what to do first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .outcome import Result, State
from .rows import GATES, Gate, Row

# By what is most pressing: what is broken, what nobody knows, what waits for a person.
TO_DO: Final[tuple[State, ...]] = ("fail", "cannot tell", "open")


@dataclass(frozen=True, slots=True)
class Score:
    """How many rows of a gate and of those before it pass, of how many that concern the service."""

    gate: Gate
    passed: int
    applicable: int

    @property
    def percent(self) -> int:
        """Rounded down, so that only all is 100."""
        return self.passed * 100 // self.applicable if self.applicable else 0


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What a run found.

    Attributes:
        service: its name.
        version: of the template.
        commit: of the service, with `-dirty` if something is not committed; empty if nobody can tell.
        rows: with their results, theme by theme.
        problems: what is wrong with what people wrote; each is one message.
        whole: False if only some of the rows were looked at: then no gate is judged.
        started, seconds: when, and how long.
    """

    service: str
    version: str
    commit: str
    rows: tuple[tuple[Row, Result], ...]
    problems: tuple[str, ...]
    whole: bool
    started: datetime
    seconds: float

    def themes(self) -> Iterator[tuple[str, list[tuple[Row, Result]]]]:
        """The rows of each theme."""
        found: dict[str, list[tuple[Row, Result]]] = {}
        for row, result in self.rows:
            found.setdefault(row.theme, []).append((row, result))
        yield from found.items()

    def of(self, gate: Gate) -> list[tuple[Row, Result]]:
        """The rows that a gate asks for: its own, and those of the gates before it."""
        earlier = GATES[: GATES.index(gate) + 1]
        return [(row, result) for row, result in self.rows if row.gate in earlier]

    def score(self, gate: Gate) -> Score:
        """The score of a gate."""
        states = [result.state for _, result in self.of(gate) if result.state != "not applicable"]
        return Score(gate, states.count("pass"), len(states))

    def opens(self, gate: Gate) -> bool:
        """Whether the gate lets the service through: everything was looked at, and nothing is left to do."""
        score = self.score(gate)
        return self.whole and not self.problems and 0 < score.applicable == score.passed

    def next(self, gate: Gate = "production") -> list[tuple[Row, Result]]:
        """What is left to do before a gate, the most pressing first."""
        left = [pair for pair in self.of(gate) if pair[1].state in TO_DO]
        return sorted(left, key=lambda pair: (TO_DO.index(pair[1].state), GATES.index(pair[0].gate)))

    def count(self, state: State) -> int:
        """How many rows are in a state."""
        return sum(result.state == state for _, result in self.rows)

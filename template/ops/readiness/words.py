"""What states and gates are called in every form of the report."""

from typing import Final

from .outcome import STATES, State
from .rows import GATES, Gate
from .scorecard import Scorecard

NAMES: Final[dict[State, str]] = {
    "fail": "fail",
    "cannot tell": "can't tell",
    "open": "open",
    "pass": "pass",
    "not applicable": "n/a",
}
MEANINGS: Final[dict[State, str]] = {
    "fail": "a check saw that it does not hold",
    "cannot tell": "a check could not look",
    "open": "a person has to decide, write or sign",
    "pass": "it holds, and this is the evidence",
    "not applicable": "it does not concern this service",
}


def gate(card: Scorecard, name: Gate) -> str:
    """Whether a gate lets the service through."""
    return "passed" if card.opens(name) else "closed"


def headline(card: Scorecard) -> str:
    """The whole in a sentence."""
    if not card.whole:
        return f"Some of the rows were looked at, {len(card.rows)} of them: no gate is judged by a part"
    reached = [name for name in GATES if card.opens(name)]
    if "production" in reached:
        return "Ready for production: every row that concerns the service passes"
    left = len(card.next())
    first = f"Ready for {reached[-1]}" if reached else "Not ready for any environment"
    if not left:
        return f"{first}; what people wrote in readiness.yaml has mistakes"
    return f"{first}; {left} {'row is' if left == 1 else 'rows are'} left before production"


def counts(card: Scorecard) -> str:
    """How many rows are in each state."""
    return ", ".join(f"{card.count(state)} {NAMES[state]}" for state in STATES if card.count(state)) or "none"

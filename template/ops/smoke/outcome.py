"""What comes out of a check, and what stops all of them."""

from dataclasses import asdict, dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "skip"]


class BadInput(Exception):  # noqa: N818 - a mistake of the caller's, told in one message
    """The tests can't be run as asked; the message names the place, the value and the remedy."""


class Failed(Exception):  # noqa: N818 - an outcome
    """What a check proves does not hold; the message is the evidence."""


class Skipped(Exception):  # noqa: N818 - an outcome
    """A check can't be made here; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one check.

    `evidence` is what was seen, or why it was skipped; `remedy` is empty unless it failed; `seconds` is its duration.
    """

    id: str
    proves: str
    outcome: Outcome
    evidence: str
    remedy: str
    seconds: float

    def document(self) -> dict[str, object]:
        """This result as JSON."""
        return asdict(self)

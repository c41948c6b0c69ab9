"""What becomes of a row, and how a check says so."""

import unicodedata
from dataclasses import asdict, dataclass
from typing import Final, Literal

State = Literal["pass", "fail", "open", "not applicable", "cannot tell"]
STATES: Final[tuple[State, ...]] = ("fail", "cannot tell", "open", "pass", "not applicable")
_HIDDEN: Final = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


class BadInput(Exception):  # noqa: N818 - a mistake of the caller's, told in one message
    """A file or an option is wrong; the message names the place, the value and the remedy."""


class Failed(Exception):  # noqa: N818 - an outcome
    """What the row asks for does not hold; the message is the evidence."""


class Open(Exception):  # noqa: N818 - an outcome
    """A person has to decide, write or sign something; the message says what."""


class NotApplicable(Exception):  # noqa: N818 - an outcome
    """The service's own facts show that the row does not concern it; the message is the reason."""


class CannotTell(Exception):  # noqa: N818 - an outcome
    """The check could not look; the message says why, and what would let it."""


def line(text: str) -> str:
    """Foreign text on one line, without characters that show nothing, turn the direction or break a document."""
    return " ".join("".join(" " if unicodedata.category(each) in _HIDDEN else each for each in text).split())


@dataclass(frozen=True, slots=True)
class Result:
    """The state of one row.

    `evidence` is what was seen, or why nothing was; `remedy` is empty unless something is to be done; `seconds` is
    how long its check took.
    """

    id: str
    state: State
    evidence: str
    remedy: str
    seconds: float

    def document(self) -> dict[str, object]:
        """This result as JSON."""
        return asdict(self)

"""CODEOWNERS: who is asked to review what."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .outcome import Failed
from .service import Service

# Where servers look, in their order.
PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")


@dataclass(frozen=True)
class Rule:
    """A pattern of paths, and those who own them."""

    path: str
    line: int
    pattern: str
    owners: tuple[str, ...]

    @property
    def people(self) -> set[str]:
        """Each once, however they are written: @kari and kari@example.org are one."""
        return {each.lower().removeprefix("@").partition("@")[0] for each in self.owners}

    @property
    def team(self) -> bool:
        """Whether a team is among them, as @organisation/team."""
        return any(each.startswith("@") and "/" in each for each in self.owners)

    def __str__(self) -> str:
        """As a message names it."""
        return f"{self.path}:{self.line}: {self.pattern}"


def rules(service: Service) -> list[Rule]:
    """All rules, of the file that the server reads.

    Raises:
        Failed: there is none, or a line names what is nobody.
    """
    path = next((each for each in PLACES if (service.root / each).is_file()), None)
    if path is None:
        raise Failed("there is no CODEOWNERS: nobody in particular is asked to review a change")
    return list(_rules(path, service.text(path)))


def _rules(path: str, text: str) -> Iterator[Rule]:
    of_section: list[str] = []  # GitLab's sections may have owners for all patterns in them
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith("#"):
            continue
        if section := re.match(r"\^?\[[^\]]*\](?:\[\d+\])?(.*)", line):
            of_section = section[1].partition(" #")[0].split()
            continue
        words += of_section if len(words) == 1 else []
        nobody = [each for each in words[1:] if "@" not in each.strip("@") and not each.startswith("@")]
        if nobody:
            raise Failed(
                f"{path}:{number}: {nobody[0]!r} is nobody: write @name, @organisation/team or an e-mail address"
            )
        yield Rule(path, number, words[0], tuple(words[1:]))

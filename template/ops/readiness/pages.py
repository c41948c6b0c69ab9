"""What a page of documentation says: its sections, its commands, and where its links lead."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ops.slo import runbook_page
from ops.slo.runbook_page import Heading

from .outcome import Failed
from .service import Service

# What a line of a shell begins with that makes it worth a look, and how the words after it are read.
APP: Final = ("serve", "config", "health", "version", "personal-data")
_TARGET: Final = re.compile(r"(?m)^([A-Za-z0-9][\w.\- ]*?)\s*:(?!=)")
_LINK: Final = re.compile(r"(?<!\\)\]\(<?(?![a-z][a-z0-9+.\-]*:)([^)\s>]*)>?\)")
_OPEN: Final = re.compile(r"\W*TODO\b")


@dataclass(frozen=True)
class Page:
    """A page of the service's documentation."""

    service: Service
    path: str

    @cached_property
    def read(self) -> runbook_page.Page:
        """Its headings, and what each line is."""
        return runbook_page.read(self.service.text(self.path))

    def section(self, anchor: str) -> Heading:
        """The heading that a link to `#anchor` leads to.

        Raises:
            Failed: there is none.
        """
        found = next((each for each in self.read.headings if each.anchor == anchor), None)
        if found is None:
            name = anchor.replace("-", " ").capitalize()
            raise Failed(f"{self.path} has no section {name}: write one")
        return found

    def says(self, anchor: str) -> None:
        """Pass if something is written under this heading.

        Raises:
            Failed: there is none, or nothing under it but reminders to write it.
        """
        heading = self.section(anchor)
        end = self.read.until(heading, heading.level)
        said = [each for each in self.read.paragraphs(heading.after, end) if not each.startswith("#")]
        if not any(re.search(r"\w", each) and not _OPEN.match(each) for each in said):
            raise Failed(f"{self.path}:{heading.first + 1}: nothing is written under {heading.name}")

    def below(self, anchor: str) -> list[Heading]:
        """The headings one level below this one."""
        above = self.section(anchor)
        end = self.read.until(above, above.level)
        return [each for each in self.read.headings if above.first < each.first < end and each.level == above.level + 1]

    def commands(self) -> Iterator[tuple[int, str]]:
        """Lines of code that a shell would run, with their numbers from 1."""
        for number, (line, kind) in enumerate(zip(self.read.lines, self.read.kinds, strict=True), 1):
            if kind == "code":
                yield number, line.strip()

    def unknown_commands(self) -> Iterator[str]:
        """Calls of make or of `app` that do not exist."""
        for number, line in self.commands():
            for what in _unknown(line, targets(self.service)):
                yield f"{self.path}:{number}: there is no `{what}`"

    def dead_links(self) -> Iterator[str]:
        """Links that lead to no file, or to no heading of this page."""
        folder = (self.service.root / self.path).parent
        anchors = {each.anchor for each in self.read.headings}
        for number, (line, kind) in enumerate(zip(self.read.lines, self.read.kinds, strict=True), 1):
            for link in _LINK.findall(line) if kind == "text" else ():
                path, _, anchor = link.partition("#")
                place = self.service.root / path.removeprefix("/") if path.startswith("/") else folder / path
                if (path and not place.exists()) or (not path and anchor not in anchors):
                    yield f"{self.path}:{number}: the link {link} leads nowhere"


def targets(service: Service) -> set[str]:
    """The verbs of `make`: the owner's and the template's.

    Raises:
        Failed: there is no Makefile.
    """
    text = service.text("Makefile")
    text += "".join(
        service.text(name) for name in re.findall(r"(?m)^-?include (\S+)", text) if (service.root / name).is_file()
    )
    return {name for found in _TARGET.findall(text) for name in found.split() if not name.startswith(".")}


def _asked(words: list[str]) -> Iterator[str]:
    """The verbs among the words after make: no options with their values, redirections or variables."""
    skip = False
    for word in words:
        if skip or word.startswith(("-", "$")) or re.match(r"\d*[<>]|&", word):
            skip = not skip and (
                word in ("-C", "-f", "-j", "-l", "-I", "-o", "-W") or bool(re.fullmatch(r"\d*[<>]+", word))
            )
        else:
            yield word


def _unknown(line: str, known: set[str]) -> Iterator[str]:
    for part in re.split(r"&&|\|\|?|;", line):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            continue
        words = [word for word in words if not re.match(r"[A-Z_][A-Z0-9_]*=", word)]
        if words[:1] == ["make"]:
            yield from (f"make {word}" for word in _asked(words[1:]) if word not in known)
        elif words and words[0].removeprefix(".venv/bin/") == "app" and len(words) > 1 and words[1] not in APP:
            yield f"app {words[1]}"

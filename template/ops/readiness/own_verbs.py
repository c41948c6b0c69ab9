"""The owner's Makefile: targets there take the place of the template's verbs."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from . import shell
from .service import Service

MAKEFILE: Final = "Makefile"
_TARGETS: Final = re.compile(r"^([\w./-]+(?:\s+[\w./-]+)*)\s*::?(?![:=])\s*([^;#]*)(;?)([^#\n]*)")
# What is run, and proves nothing.
_IDLE: Final = re.compile(r"(?:true|:|echo|printf|exit(?:\s+0)?)(?=\s|$)")


def emptied(service: Service, verbs: Iterable[str]) -> str:
    """What the owner has put in place of one of these verbs, if that can't fail; empty if nothing is wrong."""
    if not (service.root / MAKEFILE).is_file():
        return ""
    for verb, line, recipe in _own(service.text(MAKEFILE)):
        if verb in verbs and not any(_can_fail(each) for each in recipe):
            return f"{MAKEFILE}:{line}: takes the place of the template's `make {verb}`, and can't fail"
    return ""


def _own(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """The targets with a recipe, each with its line; one that names what it waits for alone adds to another's."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    for number, line in enumerate(lines):
        if not (found := _TARGETS.match(line)) or line.startswith("\t"):
            continue
        recipe = [found[4].strip()] if found[3] else []
        for after in lines[number + 1 :]:
            if after.strip() and not after.startswith(("\t", "#")):
                break
            recipe += [after.strip()] if after.startswith("\t") else []
        if recipe and not found[2].strip():
            yield from ((verb, number + 1, recipe) for verb in found[1].split())


def _can_fail(line: str) -> bool:
    signs = re.match(r"[@+-]*", line)
    rest = line[signs.end() :] if signs else line
    run = shell.commands(rest.strip())[0]
    return "-" not in (signs[0] if signs else "") and any(each.counts and not _IDLE.match(each.text) for each in run)

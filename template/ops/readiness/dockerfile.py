"""A Dockerfile's stages and instructions, as far as checks ask for them."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from .outcome import Failed

_FROM: Final = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE).match
_ARGUMENT: Final = re.compile(r"\$\{?(\w+)\}?")


@dataclass
class Stage:
    """One stage: the image that it begins with, and its instructions as (name in capitals, rest)."""

    base: str
    name: str = ""
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def copies_from(self) -> list[str]:
        """The stages or images that it copies from."""
        found = [re.match(r"(?:--\S+\s+)*?--from=(\S+)", rest) for name, rest in self.instructions if name == "COPY"]
        return [each[1] for each in found if each]

    def last(self, instruction: str) -> str:
        """What the last instruction of this name says; empty if there is none."""
        return next((rest for name, rest in reversed(self.instructions) if name == instruction), "")

    def command(self) -> list[str]:
        """What runs: the last ENTRYPOINT with the last CMD."""
        return [word for name in ("ENTRYPOINT", "CMD") for word in self._words(name)]

    def sets(self, variable: str) -> bool:
        """Whether it sets this environment variable."""
        return any(name == "ENV" and re.search(rf"\b{variable}[= ]", rest) for name, rest in self.instructions)

    def _words(self, instruction: str) -> list[str]:
        rest = self.last(instruction)
        try:
            words = json.loads(rest) if rest.startswith("[") else ["sh", "-c", rest] if rest else []
        except ValueError:
            words = ["sh", "-c", rest]
        return [str(word) for word in words]


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile; a base is told with the defaults of the arguments before the first of them.

    Raises:
        Failed: there is none.
    """
    found: list[Stage] = []
    arguments: dict[str, str] = {}
    for name, rest in _instructions(text):
        if name == "FROM" and (match := _FROM(rest)):
            base = _ARGUMENT.sub(lambda one: arguments.get(one[1], one[0]), match[1])
            found.append(Stage(base, match[2] or ""))
        elif name == "ARG" and not found:
            argument, _, default = rest.partition("=")
            arguments[argument] = default.strip("\"'")
        elif found:
            found[-1].instructions.append((name, rest))
    if not found:
        raise Failed("Dockerfile: there is no FROM in it")
    return found


def bases(given: list[Stage]) -> list[str]:
    """The images from elsewhere that stages begin with, as far as the file tells them."""
    names = {stage.name.lower() for stage in given}
    found = dict.fromkeys(stage.base for stage in given if stage.base.lower() not in {*names, "scratch"})
    return [each for each in found if "$" not in each]


def python(text: str) -> str:
    """The version of Python, as `3.13`, of the image that the last stage goes back to; empty if it does not tell."""
    known = {stage.name: stage for stage in stages(text)}
    base = stages(text)[-1].base
    while base in known and known[base].base != base:
        base = known[base].base
    match = re.search(r"python[:-]?(3)\.?(\d{1,2})\b", base)  # python:3.13, uv:python3.13, ubi9/python-313
    return f"{match[1]}.{match[2]}" if match else ""


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    words = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [(name.upper(), rest.strip()) for name, _, rest in words]

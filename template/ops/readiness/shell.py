"""The commands of a pipeline's script: which of them the shell runs, and whether it stops where one fails."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

_HEREDOC: Final = re.compile(r"(?ms)(?<!<)<<-?[ \t]*(['\"]?)(\w+)\1([^\n]*)\n.*?^\s*\2\s*$")
_BETWEEN: Final = re.compile(r"\|\||&&|;;|[\n;|&]")
_FUNCTION: Final = re.compile(r"(?:function\s+)?([\w-]+)\s*\(\s*\)\s*")
_TRAP: Final = re.compile(r"trap\s+(?:--\s+)?(?:'([^']*)'|\"([^\"]*)\"|([\w-]+))\s+.*\b(?:EXIT|ERR|0)\b")
_PIPEFAIL: Final = re.compile(r"\bset\s[^\n;&|]*-\w*o\s+pipefail")
_STOPS: Final = re.compile(r"\s-(\w*e|o\s+errexit)")
_GOES_ON: Final = re.compile(r"\s\+(\w*e|o\s+errexit)")
_GROUP: Final = re.compile(r"^((?:(?:then|else|do|!)\s+)*)\(\s*")
_ASKING: Final = frozenset({"if", "elif", "while", "until"})
_OPENING: Final = frozenset({"if", "for", "while", "until", "case", "{", "("})
_KEYWORDS: Final = frozenset({*_ASKING, "then", "else", "do", "{", "("})
_CLOSING: Final = frozenset({"fi", "done", "esac", "}", ")"})
_HARMLESS: Final = re.compile(r"(true|:|exit 0)$")
_ASSIGNED: Final = re.compile(r"\w+=")
# What starts another program, with those of its options that have a value; a runner of tools among them.
_STARTERS: Final = re.compile(
    r"(?:(?:env|command|exec|time|nohup|sudo|nice|timeout)(?:\s+(?:-[uns]\s+\S+|-\S+|\d+[smh]?|\w+=\S*))*"
    r"|uvx|pipx\s+run|poetry\s+run|uv\s+run|uv\s+tool\s+run|\S*python[\d.]*\s+-m|\w+=(?:'[^']*'|\"[^\"]*\"|\S)*)\s+(?=\S)"
)
# Options of make by which nothing is made, or no failure counts; and those that have a value.
_MAKES_NOTHING: Final = re.compile(
    r"--(?:dry-run|just-print|recon|ignore-errors|question|touch)$|-(?!-)[a-zA-Z]*[niqt]|MAKEFLAGS="
)
_SUBSTITUTED: Final = re.compile(r"\$\([^()]*\)")
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_VALUED: Final = frozenset({"-C", "-f", "-I", "-j", "-l", "-o", "-W"})


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a script.

    Attributes:
        text: it, without the keyword before it.
        counts: the script fails where it fails.
        sure: it is run whatever is asked before.
    """

    text: str
    counts: bool = True
    sure: bool = True

    @property
    def program(self) -> str:
        """It, without what only starts it or sets a variable for it."""
        text = self.text
        while found := _STARTERS.match(text):
            text = text[found.end() :]
        return text

    def makes(self, verb: str) -> bool:
        """Whether it is a `make <verb>` that does the whole of it."""
        text = _SUBSTITUTED.sub("_", self.program)
        name, *words = _QUOTED.sub(lambda found: re.sub(r"\s", "_", found[1] or found[2] or ""), text).split() or [""]
        if name.rpartition("/")[2] not in ("make", "gmake") or re.search(r"\bTESTS=|MAKEFLAGS=", self.text):
            return False
        if any(_MAKES_NOTHING.match(word) for word in words):
            return False
        return any(word == verb and before not in _VALUED for before, word in zip([name, *words], words, strict=False))


@dataclass
class _Script:
    """What was read of a script."""

    commands: list[Command] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)
    at_end: list[Command] = field(default_factory=list)


def commands(script: str, pipefail: bool = False) -> tuple[list[Command], list[Command]]:
    """What a script runs, in order; and what it runs once it ends, by a trap.

    Args:
        script: its text; the shell that reads it stops where a command fails (`-e`), as those of pipelines do.
        pipefail: the failure of any part of a pipe is the pipe's.
    """
    read = _Script()
    _read(read, script, pipefail or bool(_PIPEFAIL.search(script)))
    return read.commands, read.at_end


def _read(into: _Script, script: str, pipefail: bool) -> None:
    text = _without_functions(into, _HEREDOC.sub(r"\3", re.sub(r"\\\n\s*", "", script)))
    parts = list(_parts(text))
    stops, asked = True, False
    opened: list[int] = []  # how many commands there were where each block that is not closed began
    for number, (part, _) in enumerate(parts):
        command, words = part, part.split()
        while words and words[0] in _KEYWORDS:
            asked = words[0] in _ASKING or (asked and words[0] not in ("then", "do", "else"))
            opened += [len(into.commands)] * (words[0] in _OPENING)
            command = command[len(words.pop(0)) :].strip()
        if words and words[0] in _CLOSING:
            _close(into, opened, parts, number)
        if not words or words[0] in _CLOSING:
            continue
        opened += [len(into.commands)] * (words[0] in _OPENING)
        before = parts[number - 1] if number else ("", "")
        if words[0] == "set":
            stops = (stops and not _GOES_ON.search(command)) or bool(_STOPS.search(command))
        ends_block = bool(opened) and command.endswith(")") and command.count(")") > command.count("(")
        if found := _TRAP.match(command):
            into.at_end += commands(found[1] or found[2] or into.functions.get(found[3], ""), pipefail)[0]
        elif not _never(before):
            counts = not asked and words[0] != "!" and _counts(parts, number, stops, pipefail)
            sure = not opened and not (before[1] == "||" or (before[1] == "&&" and re.match(r"\[|test\b", before[0])))
            called = into.functions.get(words[0])
            run = [Command(command.removesuffix(")") if ends_block else command)]
            for each in run if called is None else commands(called, pipefail)[0]:
                into.commands.append(replace(each, counts=each.counts and counts, sure=each.sure and sure))
        if words[0] == "exit" and not opened and before[1] not in ("&&", "||"):
            return
        if ends_block:
            _close(into, opened, parts, number)


def _close(into: _Script, opened: list[int], parts: Sequence[tuple[str, str]], number: int) -> None:
    """End a block; what is run if it fails may forgive all that is in it."""
    start = opened.pop() if opened else len(into.commands)
    if parts[number][1] == "||" and not _gives_up([part for part, _ in parts[number + 1 :]] or ["true"]):
        into.commands[start:] = [replace(each, counts=False) for each in into.commands[start:]]


def _without_functions(into: _Script, text: str) -> str:
    """A script without the functions in it, which are noted: they are run where they are called."""
    kept, lines = [], iter(text.split("\n"))
    for line in lines:
        found = _FUNCTION.match(line.strip())
        if not found or "{" not in line:
            kept.append(line)
            continue
        body = [line.strip()[found.end() :].lstrip("{ ")]
        if not body[0].rstrip().endswith("}"):
            for inner in lines:
                if inner.strip() == "}":
                    break
                body.append(inner)
        into.functions[found[1]] = "\n".join(body).rstrip().removesuffix("}")
    return "\n".join(kept)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a text, each with what stands between it and the next; comments are left out."""
    start = place = nested = 0
    quote = ""
    while place < len(text):
        sign = text[place]
        if sign == "\\":
            place += 1
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"`":
            quote = sign
        elif text.startswith("$(", place) or (nested and sign == "("):
            nested += 1
            place += sign == "$"
        elif nested:
            nested -= sign == ")"
        elif sign == "#" and (place == 0 or text[place - 1].isspace() or text[place - 1] == ";"):
            end = text.find("\n", place)
            text = text[:place] + (text[end:] if end >= 0 else "")
            continue
        elif (found := _BETWEEN.match(text, place)) and not (sign == "&" and _redirects(text, place)):
            if part := text[start:place].strip():
                yield _GROUP.sub(r"\1( ", part), found[0]
            start = place = found.end()
            continue
        place += 1
    if part := text[start:].strip():
        yield _GROUP.sub(r"\1( ", part), ""


def _redirects(text: str, place: int) -> bool:
    return text[place - 1 : place] in (">", "<") or text[place + 1 : place + 2] == ">"


def _never(before: tuple[str, str]) -> bool:
    """Whether what stands before a command keeps it from being run."""
    return (before[0].split()[-1:] in (["true"], [":"]) and before[1] == "||") or (
        before[0].split()[-1:] == ["false"] and before[1] == "&&"
    )


def _counts(parts: Sequence[tuple[str, str]], number: int, stops: bool, pipefail: bool) -> bool:
    """Whether a script fails where the command of this number does."""
    _, mark = parts[number]
    last, others = number, [mark]
    while parts[last][1] in ("&&", "||", "|") and last + 1 < len(parts):
        last += 1
        others.append(parts[last][1])
    if mark == "&" or (mark == "|" and not pipefail):
        return False
    after = [part for part, _ in parts[number + 1 :]]
    if "||" in others[:-1] or mark == "||":
        tail = after[others.index("||") :]
        return bool(tail) and _gives_up(tail)
    if "&&" in others:
        return last + 1 == len(parts)
    if not stops:
        return number + 1 == len(parts) or _handed_on(after[0], after[1:])
    # A shell that does not stop, such as that of `sh -c`, forgets it: that is what it was written for.
    return not (mark == ";" and after and _HARMLESS.match(after[0]))


def _gives_up(tail: Sequence[str]) -> bool:
    """Whether what is run instead of what has failed fails, too, or keeps that for the end."""
    if tail[0].startswith("{") or tail[0].startswith("("):
        end = next((number for number, part in enumerate(tail) if part in ("}", ")") or part.endswith(")")), len(tail))
        return any(_fails(part.strip("{}() ")) for part in tail[: end + 1])
    return _fails(tail[0]) or tail[0].strip() == "exit" or _handed_on(tail[0], tail[1:])


def _fails(command: str) -> bool:
    return bool(re.match(r"(?:exit|return)\s+(?:[1-9]|[\"']?\$)|false$", command))


def _handed_on(command: str, after: Sequence[str]) -> bool:
    """Whether a command keeps the status before it, and the script ends with that."""
    kept = re.fullmatch(r"(\w+)=\$\?", command)
    return bool(kept) and any(re.match(rf"exit\s+\"?\$\{{?{kept[1]}\b", part) for part in after if kept)

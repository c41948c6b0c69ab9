"""Settle what two sides changed at one place, where that can be done safely: the newer version wins, additions of
both are kept.

`copier update` merges line by line and leaves markers where both sides touched neighbouring lines. Most of those are
no disagreement:
two additions at one place, or one line whose version both raised.
"""

import ast
import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_CONFLICT = re.compile(r"^<{7} ours\n(.*?)^\|{7} base\n(.*?)^={7}\n(.*?)^>{7} theirs\n", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"v?\d+(?:\.\d+)*(?:\.?(?:a|b|rc|dev|post)\d+)?")
_DIGEST = re.compile(r"\b[0-9a-f]{40,64}\b")
_IMAGE_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")
_REQUIREMENT = re.compile(r"""\s*["']([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*[<>=!~].*["'],?""")
_INSTRUCTION = re.compile(
    r"(?:ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)\s"
)
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")
_TARGET = re.compile(r"^([\w.-]+):(?!=)", re.MULTILINE)

_MOST_CONFLICTS = 127  # git merge-file ends with their number, or with more than this if it failed


@dataclass(frozen=True)
class Settled:
    """A text without conflicts, and in words how it came about."""

    text: str
    how: str


def settle(path: str, base: str, ours: str, theirs: str) -> Settled | None:
    """Merge three versions of a file; None where a person must decide.

    Args:
        path: its name tells the format that the result must parse in.
        base: as the old version of the template rendered it.
        ours: the service's.
        theirs: as the new version renders it.

    Raises:
        RuntimeError: git failed.
    """
    merged, clean = _merge(base, ours, theirs)
    how: list[str] = []
    for conflict in [] if clean else list(_CONFLICT.finditer(merged)):
        own, old, new = (conflict[number].splitlines(keepends=True) for number in (1, 2, 3))
        hunk = _hunk(old, own, new)
        if hunk is None:
            return None
        merged = merged.replace(conflict[0], "".join(hunk.lines), 1)
        how.extend(each for each in hunk.how if each not in how)
    if "<<<<<<< ours" in merged or not parses(path, merged):
        return None
    return Settled(merged, " and ".join(how) or "both additions kept")


def _merge(base: str, ours: str, theirs: str) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory(prefix="ops-settle-") as folder:
        names = []
        for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            file = Path(folder, name)
            file.write_text(text if text.endswith("\n") or not text else text + "\n", "utf-8", newline="")
            names.append(str(file))
        labels = ["-L", "ours", "-L", "base", "-L", "theirs"]
        command = ["git", "merge-file", "--diff3", "-p", *labels, *names]
        done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode > _MOST_CONFLICTS:
        raise RuntimeError(f"git merge-file: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(), done.returncode == 0


@dataclass(frozen=True)
class _Hunk:
    lines: list[str]
    how: list[str]


def _key(line: str) -> str:
    """What a line is about: a requirement's name, or the line without its versions and digests."""
    requirement = _REQUIREMENT.fullmatch(line.rstrip("\n"))
    if requirement:
        return f"requirement {re.sub(r'[-_.]+', '-', requirement[1]).lower()}"
    return _NUMBER.sub("#", _DIGEST.sub("@", _IMAGE_DIGEST.sub("", line.strip())))


def _hunk(base: list[str], ours: list[str], theirs: list[str]) -> _Hunk | None:
    keys = [[_key(line) for line in side] for side in (base, ours, theirs)]
    if keys[0] == keys[1] == keys[2]:
        return _same_lines(base, ours, theirs)
    lines = [line for side in (base, ours, theirs) for line in side]
    flat = len({line[: len(line) - len(line.lstrip())] for line in lines}) == 1 and all(line.strip() for line in lines)
    if flat and all(len(set(side)) == len(side) for side in keys):
        return _same_list(
            *(dict(zip(side, text, strict=True)) for side, text in zip(keys, (base, ours, theirs), strict=True))
        )
    return None if base else _Hunk([*theirs, *ours], ["both additions kept"])


def _same_lines(base: list[str], ours: list[str], theirs: list[str]) -> _Hunk | None:
    """Lines that stand for the same on all sides: each in its newest version."""
    try:
        chosen = [_line(*three) for three in zip(base, ours, theirs, strict=True)]
    except ValueError:
        return None
    return _Hunk([line for line, _ in chosen if line is not None], _reasons(chosen))


def _same_list(old: dict[str, str], own: dict[str, str], new: dict[str, str]) -> _Hunk | None:
    """Lines of a plain list, by what they are about: additions and deletions of both sides, the newest versions."""
    if _order(own, new) or _order(old, own) or _order(old, new):
        return None
    try:
        chosen = {key: _line(old.get(key), own.get(key), new.get(key)) for key in {**own, **new, **old}}
    except ValueError:
        return None
    lines = [line for key in _interleave(list(own), list(new)) if (line := chosen[key][0]) is not None]
    return _Hunk(lines, _reasons(chosen.values()))


def _reasons(chosen: Iterable[tuple[str | None, str]]) -> list[str]:
    return list(dict.fromkeys(reason for _, reason in chosen if reason))


def _order(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether the lines that both have come in another order."""
    return [key for key in one if key in other] != [key for key in other if key in one]


def _line(old: str | None, own: str | None, new: str | None) -> tuple[str | None, str]:
    """The line to take, and why if that was a choice.

    Raises:
        ValueError: both sides changed it, and neither is the newer version.
    """
    if new in (own, old):
        return own, ""
    if own == old:
        return new, ""
    if own is not None and new is not None and _IMAGE_DIGEST.sub("", own) == old:
        return new, "another image than the one whose digest was pinned: its digest is still to be pinned"
    if own is None or new is None:
        raise ValueError("one side deleted what the other changed")
    newest = _newer(own, new)
    if newest is None:
        raise ValueError("two different changes")
    return newest, "the newer version won"


def _newer(one: str, other: str) -> str | None:
    """The line with the newer version, if the versions are all that they differ in, or if both require one library."""
    shape = [_NUMBER.sub("#", _DIGEST.sub("@", line)) for line in (one, other)]
    numbers = [_versions(line) for line in (one, other)]
    same_thing = shape[0] == shape[1] or (_REQUIREMENT.match(one) and _REQUIREMENT.match(other))
    if not same_thing or not all(numbers) or numbers[0] == numbers[1]:
        return None
    if len(numbers[0]) != len(numbers[1]):
        return None
    pairs = list(zip(*numbers, strict=True))
    if all(left >= right for left, right in pairs):
        return one
    return other if all(left <= right for left, right in pairs) else None


def _versions(line: str) -> list[tuple[int, ...]]:
    """The versions in a line, comparable; trailing zeros count for nothing."""
    found = []
    for text in _NUMBER.findall(_DIGEST.sub("", line)):
        numbers = [int(part) for part in re.findall(r"\d+", text)]
        while numbers and numbers[-1] == 0:
            numbers.pop()
        found.append(tuple(numbers))
    return found


def _interleave(ours: list[str], theirs: list[str]) -> Iterator[str]:
    """All keys: those of both in their order, between them first the template's, then the owner's."""
    both = [key for key in ours if key in theirs]
    own, new = iter(ours), iter(theirs)
    for stop in [*both, None]:
        for side in (new, own):
            for key in side:
                if key == stop:
                    break
                yield key
        if stop is not None:
            yield stop


def _json(text: str) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    json.loads(text, object_pairs_hook=once)


def _yaml(text: str) -> None:
    import yaml  # not there where only the check runs

    class Once(yaml.SafeLoader):
        """Refuses a key that is there twice."""

    def mapping(loader: Once, node: yaml.MappingNode) -> dict[Hashable, object]:
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) < len(keys):
            raise ValueError("a key twice")
        return loader.construct_mapping(node, deep=True)

    Once.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    list(yaml.load_all(text, Once))


def _requirements_once(text: str) -> None:
    document = tomllib.loads(text)
    groups = [document.get("project", {}).get("dependencies", []), *document.get("dependency-groups", {}).values()]
    for group in groups:
        names = [re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in group if isinstance(each, str)]
        if len(set(names)) < len(names):
            raise ValueError("a requirement twice")


def _makefile(text: str) -> None:
    targets = [name for name in _TARGET.findall(text) if not name.startswith(".")]
    if len(set(targets)) < len(targets):
        raise ValueError("a target twice")


def _dockerfile(text: str) -> None:
    """Every line begins an instruction or continues one; heredocs are passed over."""
    continued, until = False, ""
    for line in text.splitlines():
        if until or not line.strip() or line.lstrip().startswith("#"):
            until = "" if line.strip() == until else until
            continue
        if bool(_INSTRUCTION.match(line)) == continued:
            raise ValueError(f"neither an instruction nor the rest of one: {line}")
        heredoc = _HEREDOC.search(line)
        continued, until = line.rstrip().endswith("\\"), heredoc[1] if heredoc else ""
    if continued:
        raise ValueError("the last instruction goes on")


def parses(path: str, text: str) -> bool:
    """Whether a text is well-formed in the format of its file's name, without anything in it twice."""
    name = Path(path)
    parsers: dict[str, Callable[[str], object]] = {
        ".toml": _requirements_once,
        ".json": _json,
        ".yaml": _yaml,
        ".yml": _yaml,
        ".py": ast.parse,
    }
    by_name: dict[str, Callable[[str], object]] = {"Makefile": _makefile, "Dockerfile": _dockerfile}
    parser = by_name.get(name.name) or parsers.get(name.suffix, str)
    try:
        parser(text)
    except Exception:  # noqa: BLE001 - whatever a parser finds, the answer is no
        return False
    return True

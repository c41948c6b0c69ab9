"""A YAML document that knows the line of every value, so that a message can name it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

_LONGEST = 200_000
_DEEPEST = 20


class DocumentError(ValueError):
    """What is wrong with a file, a problem a line: `file:line: place: what is wrong and what would be right`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Entry:
    """A value and where it stands: `value` is a dict or list of entries, or a plain value; lines begin at 1."""

    value: Any
    line: int
    place: str

    def items(self) -> Iterator[tuple[str, "Entry"]]:
        """The entries of a mapping by key."""
        yield from self.value.items()

    def plain(self) -> Any:
        """The same without lines."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value


def parse(text: str, name: str) -> Entry:
    """Read one document of safe YAML.

    Args:
        text: at most 200 000 characters.
        name: of the file, for messages.

    Raises:
        DocumentError: it is no YAML, has an alias, a key twice, a key that is no text, or several documents.
    """
    if len(text) > _LONGEST:
        raise DocumentError(
            [f"{name}:1: it has {len(text)} characters: {_LONGEST} are enough for any set of objectives"]
        )
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DocumentError([f"{name}:{line}: no YAML: {error.problem or error.context}"]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError([f"{name}:1: no YAML: {str(error).splitlines()[0]}"]) from None
    if node is None:
        raise DocumentError([f"{name}:1: it is empty: `version`, `service` and `slos` are needed"])
    return _entry(node, "", name, set(), 0)


def _entry(node: yaml.Node, place: str, name: str, seen: set[int], depth: int) -> Entry:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise DocumentError([f"{name}:{line}: {place}: an alias (*): write the value out"])
    if depth > _DEEPEST:
        raise DocumentError([f"{name}:{line}: {place}: more than {_DEEPEST} levels deep"])
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return Entry(_mapping(node, place, name, seen, depth), line, place)
    if isinstance(node, yaml.SequenceNode):
        return Entry(
            [_entry(each, f"{place}[{index}]", name, seen, depth + 1) for index, each in enumerate(node.value)],
            line,
            place,
        )
    try:
        return Entry(_SCALARS.construct_object(node), line, place)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DocumentError([f"{name}:{line}: {place}: {str(error).splitlines()[0]}"]) from None


def _mapping(node: yaml.MappingNode, place: str, name: str, seen: set[int], depth: int) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise DocumentError([f"{name}:{line}: {place or 'the document'}: a key must be text"])
        if key.value in found:
            raise DocumentError([f"{name}:{line}: {place or 'the document'}: the key {key.value!r} is there twice"])
        inner = f"{place}.{key.value}" if place else key.value
        found[key.value] = _entry(value, inner, name, seen, depth + 1)
    return found


_SCALARS = yaml.SafeLoader("")

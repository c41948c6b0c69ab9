"""What differs between two environments, and which of that its owner has listed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from .objects import Environment, at
from .reading import DeliveryError

Leaves = dict[tuple[str, ...], Any]
_NOTHING: Final = object()
_HASH: Final = re.compile(r"-[bcdfghkmt2456789]{10}\Z")  # what kustomize appends to the names of what it generates
_SHOWN: Final = 60
_KEYS: Final = 3  # kind, name and a first key: less than that waives whole objects, whatever is changed in them


def listed(file: Path) -> list[tuple[str, ...]]:
    """The patterns of paths that may differ; none if there is no file.

    Raises:
        DeliveryError: it is not as `differences.yaml` should be.
    """
    if not file.is_file():
        return []
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DeliveryError(f"{file}: it can't be read as YAML: {str(error).splitlines()[0]}") from None
    entries = document.get("differences") if isinstance(document, dict) and set(document) == {"differences"} else None
    if not isinstance(entries, list):
        raise DeliveryError(f"{file}: it must hold one list, `differences:`, of entries with path and reason")
    return [_pattern(entry, f"{file}: entry {number}") for number, entry in enumerate(entries, 1)]


def _pattern(entry: Any, place: str) -> tuple[str, ...]:
    if not isinstance(entry, dict) or set(entry) != {"path", "reason"}:
        raise DeliveryError(f"{place}: it must have a path and a reason, and nothing else")
    path, reason = entry["path"], entry["reason"]
    if not isinstance(reason, str) or not reason.strip():
        raise DeliveryError(f"{place}: path {path!r} has no reason: say why it must differ")
    parts = tuple(path.split("/")) if isinstance(path, str) else ()
    if len(parts) < 2 or "" in parts or "**" in parts[:-1] or all(part in ("*", "**") for part in parts):
        raise DeliveryError(
            f"{place}: path {path!r} is none: write kind/name/keys, such as HTTPRoute/*/spec/hostnames/0; "
            "** may only be the last part, and one part must be no wildcard"
        )
    return parts


def problems(staging: Environment, production: Environment, allowed: list[tuple[str, ...]]) -> Iterator[str]:
    """Every difference that nobody has listed, and every entry that lists too much; a sentence each."""
    for pattern in allowed:
        if "**" in pattern[:_KEYS]:
            yield (
                f"deploy/differences.yaml: {'/'.join(pattern)} lets all of an object differ: name a key before **; "
                "kind/name is enough for an object that only one of the environments has"
            )
    there, here = leaves(staging), leaves(production)
    objects_there, objects_here = ({path[:2] for path in one} for one in (there, here))
    for path in sorted(objects_there ^ objects_here):
        if not _allowed(path, allowed):
            yield _told(path, f"is only in {staging.name if path in objects_there else production.name}")
    both = objects_there & objects_here
    for path in sorted(path for path in there.keys() | here.keys() if path[:2] in both):
        old, new = there.get(path, _NOTHING), here.get(path, _NOTHING)
        # As JSON, because to Python 1 is True.
        if (_shown(old), type(old)) != (_shown(new), type(new)) and not _allowed(path, allowed):
            yield _told(path, f"is {_short(old)} in {staging.name}, {_short(new)} in {production.name}")


def leaves(environment: Environment) -> Leaves:
    """Every plain value by its path; an item of a list by its name, if all have one."""
    generated = {
        name: _HASH.sub("", name)
        for one in environment.of("ConfigMap", "Secret")
        if _HASH.search(name := str(at(one, "metadata", "name")))
    }
    found: Leaves = {}
    for one in environment.objects:
        name = str(at(one, "metadata", "name"))
        _add(found, (str(one["kind"]), generated.get(name, name)), one, generated)
    return found


def _add(found: Leaves, path: tuple[str, ...], value: Any, generated: dict[str, str]) -> None:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            _add(found, (*path, str(key).replace("/", "~1")), item, generated)
    elif isinstance(value, list) and value:
        names = [str(item.get("name")) if isinstance(item, dict) else "None" for item in value]
        named = "None" not in names and len(set(names)) == len(names)
        for number, item in enumerate(value):
            _add(found, (*path, names[number] if named else str(number)), item, generated)
    else:
        found[path] = generated.get(value, value) if isinstance(value, str) else value


def _allowed(path: tuple[str, ...], patterns: list[tuple[str, ...]]) -> bool:
    return any(_matches(path, pattern) for pattern in patterns)


def _matches(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if pattern[-1] == "**":
        pattern, path = pattern[:-1], path[: len(pattern) - 1]
    return len(path) == len(pattern) and all(wanted in ("*", part) for part, wanted in zip(path, pattern, strict=True))


def _told(path: tuple[str, ...], what: str) -> str:
    return f"{'/'.join(path)} {what}: make them equal, or list it with a reason in deploy/differences.yaml"


def _shown(value: Any) -> str:
    return "not there" if value is _NOTHING else json.dumps(value, default=str, ensure_ascii=False)


def _short(value: Any) -> str:
    text = _shown(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

"""Files that the documents are made from, and the one kind of error that a person gets to see."""

import tomllib
from pathlib import Path
from typing import Any

import yaml


class DocumentsError(ValueError):
    """What can't be read or made: the place, what is wrong, and the remedy."""


def text(root: Path, path: str, remedy: str) -> str:
    """A file's text.

    Raises:
        DocumentsError: it is not there, or no UTF-8 text.
    """
    try:
        return (root / path).read_text("utf-8")
    except OSError as error:
        raise DocumentsError(f"{path}: {error.strerror or error}: {remedy}") from None
    except UnicodeDecodeError:
        raise DocumentsError(f"{path}: is no text in UTF-8: {remedy}") from None


def toml(root: Path, path: str, remedy: str) -> dict[str, Any]:
    """A file of TOML.

    Raises:
        DocumentsError: it can't be read as such.
    """
    try:
        return tomllib.loads(text(root, path, remedy))
    except tomllib.TOMLDecodeError as error:
        raise DocumentsError(f"{path}: is no TOML: {error}") from None


def documents(root: Path, path: str) -> list[dict[str, Any]]:
    """The mappings among the documents of a YAML file; none if there is no such file.

    Raises:
        DocumentsError: it is no YAML.
    """
    if not (root / path).is_file():
        return []
    try:
        found = list(yaml.safe_load_all(text(root, path, "mend it")))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DocumentsError(f"{path}{f':{mark.line + 1}' if mark else ''}: is no YAML: mend it") from None
    return [each for each in found if isinstance(each, dict)]


def package(root: Path) -> str:
    """The name of the service's package: it has the template's folder `ops`.

    Raises:
        DocumentsError: there is none, or more than one.
    """
    found = sorted(each.parent.name for each in root.glob("src/*/ops") if each.is_dir())
    if len(found) != 1:
        raise DocumentsError(f"src/: must hold one package with a folder ops, and holds {', '.join(found) or 'none'}")
    return found[0]

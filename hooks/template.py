"""Copier, asked for a fresh render of a version or for an update."""

import os
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import copier
import yaml
from plumbum import ProcessExecutionError

from .git import environment
from .ownership import ANSWERS


class CopierError(RuntimeError):
    """Copier refused or failed; the text is its last words."""


def _asked(function: Callable[..., object], *arguments: object, **options: Any) -> None:
    """Call Copier, quietly, without trust, and with git's settings of an update.

    Raises:
        CopierError: it refused or failed.
    """
    os.environ.update(environment())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*arguments, defaults=True, overwrite=True, quiet=True, unsafe=False, **options)
    except ProcessExecutionError as error:  # git's
        raise CopierError(str(error.stderr).strip()) from error
    except Exception as error:  # its own errors, and whatever a template's expression raises
        raise CopierError(str(error) or type(error).__name__) from error


def update(root: Path, version: str | None, data: Mapping[str, str]) -> None:
    """Run Copier's own update in the working tree below `root`; conflicts become markers in the files.

    Raises:
        CopierError: it refused or failed.
    """
    _asked(copier.run_update, root, dict(data), vcs_ref=version, skip_answered=True, conflict="inline")


def answers(text: str | bytes) -> dict[str, Any]:
    """The answers in `.copier-answers.yml`, Copier's own (`_commit`, `_src_path`) among them.

    Raises:
        ValueError: it is no such file.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{ANSWERS} is no YAML: {error}") from error
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), str) for key in ("_commit", "_src_path")
    ):
        raise ValueError(f"{ANSWERS} does not name the template (_src_path) and its version (_commit)")
    return document


class Renders:
    """Fresh renders of the service with given answers, made when first asked for, below a folder of their own."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = source
        self._made: dict[tuple[str, str], Path] = {}

    def at(self, given: dict[str, Any]) -> Path:
        """The folder of a fresh render with these answers, of the version that their `_commit` says.

        Raises:
            CopierError: the version can't be had or rendered.
        """
        version = given["_commit"]
        data = {key: value for key, value in given.items() if key[0] != "_"}
        wanted = (version, str(data))
        if wanted not in self._made:
            self.folder.mkdir(parents=True, exist_ok=True)
            target = self.folder / str(len(list(self.folder.iterdir())))
            _asked(copier.run_copy, self.source, target, data, vcs_ref=version)
            self._made[wanted] = target
        return self._made[wanted]


class Versions:
    """A service's answers before and after an update, and the fresh renders that belong to them."""

    def __init__(self, renders: Renders, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.before, self.after, self._renders = before, after, renders

    @cached_property
    def old(self) -> Path:
        """A fresh render of the version that the service comes from."""
        return self._renders.at(self.before)

    @cached_property
    def new(self) -> Path:
        """A fresh render of the version that it goes to."""
        return self._renders.at(self.after)

"""Copier, asked for a fresh render of a version or for an update."""

import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from .git import environment
from .ownership import ANSWERS


class CopierError(RuntimeError):
    """Copier refused or failed; the text is its last words."""


def copier(*arguments: str, cwd: Path) -> str:
    """Run Copier's own command; never with `--trust`.

    Raises:
        CopierError: it ended with another status than 0.
    """
    command = [sys.executable, "-m", "copier", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, errors="replace", check=False
    )
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    if done.returncode != 0:
        traced = any(line.startswith("Traceback") for line in said)
        raise CopierError((said[-1] if traced else "\n".join(said)) if said else f"status {done.returncode}")
    return done.stderr


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
        data_text = yaml.safe_dump({key: value for key, value in given.items() if key[0] != "_"})
        if (version, data_text) not in self._made:
            self.folder.mkdir(parents=True, exist_ok=True)
            number = len(list(self.folder.iterdir()))
            data = self.folder / f"{number}.yml"
            data.write_text(data_text, "utf-8")
            target = self.folder / f"{number}"
            options = ["--quiet", "--defaults", "--vcs-ref", version, "--data-file", str(data)]
            copier("copy", *options, self.source, str(target), cwd=self.folder)
            self._made[version, data_text] = target
        return self._made[version, data_text]


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

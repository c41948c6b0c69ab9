"""One service, visited: what its repository says, and its own hooks, run in a scratch folder."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .address import TroubleError, canonical, plain, redact
from .clones import Cache, Clone, Heads, Scratch, refuse_outside
from .listing import Service
from .process import Ended, confined, run
from .releases import Template, Templates

ANSWERS, RECORD = ".copier-answers.yml", ".ops.json"


# What may be wrong with one service, whatever it is made of, without an end to the whole run.
TROUBLE = (TroubleError, OSError, ValueError, RecursionError)


@dataclass(frozen=True)
class Run:
    """What all visits of a run share."""

    cache: Cache
    templates: Templates
    seconds: float
    environment: tuple[str, ...] = ()


@dataclass
class State:
    """A service as its base branch has it. `open` is None if nobody has looked."""

    service: Service
    heads: Heads
    commit: str
    version: str
    source: str
    born: str = "unknown"
    updated: str = ""
    open: list[dict[str, str]] | None = None
    accepted: list[dict[str, str]] = field(default_factory=list)

    def path(self, name: str) -> str:
        """A file of the service's by its path in the repository."""
        return f"{self.service.folder}/{name}" if self.service.folder else name


@contextmanager
def opened(run: Run, service: Service, *patterns: str) -> Iterator[tuple[Clone, State]]:
    """A service's clone with its base branch as the remote has it, locked.

    Raises:
        TroubleError: it can't be reached, or is no service.
    """
    with run.cache.clone(service.url) as clone:
        heads = clone.heads(service.branch, *patterns)
        clone.fetch(heads, heads.base, *[each for each in patterns if each in heads.branches])
        state = State(service, heads, heads.branches[heads.base], "", "")
        state.version, state.source = _answers(clone, state)
        state.born, state.accepted = _record(clone, state)
        state.updated = clone.changed(state.commit, state.path(ANSWERS))
        yield clone, state


def _answers(clone: Clone, state: State) -> tuple[str, str]:
    text = clone.file(state.commit, state.path(ANSWERS))
    if text is None:
        raise TroubleError(f"{state.heads.base} has no {state.path(ANSWERS)}: is it a service? is its folder right?")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TroubleError(f"{ANSWERS} is no YAML: {plain(error)}") from error
    found = [document.get(key) if isinstance(document, dict) else None for key in ("_commit", "_src_path")]
    if not all(isinstance(each, str) and each.isprintable() for each in found):
        raise TroubleError(f"{ANSWERS} does not name the template (_src_path) and its version (_commit)")
    return str(found[0]), str(found[1])


def _record(clone: Clone, state: State) -> tuple[str, list[dict[str, str]]]:
    try:
        document = json.loads(clone.file(state.commit, state.path(RECORD)) or "{}")
        accepted = [{"path": plain(path), "message": plain(why)} for path, why in document.get("accepted", {}).items()]
        return plain(document.get("born", "unknown")), accepted
    except (ValueError, AttributeError):  # the check tells it
        return "unknown", []


class Visit:
    """A scratch folder that holds the service's files."""

    def __init__(self, run: Run, state: State, scratch: Scratch) -> None:
        self.run, self.state, self.scratch = run, state, scratch
        self.root = refuse_outside(scratch.tree, state.service.folder)

    def hooks(self, *arguments: str, template: Template | None = None) -> Ended:
        """Run the service's own hooks, without credentials.

        Raises:
            TroubleError: it took too long.
        """
        environment = confined(self.scratch.home, self.run.environment)
        environment["UV_CACHE_DIR"] = str(self.run.cache.folder / "uv")
        environment.setdefault("UV", _uv())
        settings = template.settings(self.state.source) if template else ""
        (self.scratch.home / ".gitconfig").write_text(settings, "utf-8")
        command = [sys.executable, "-m", "ops.hooks", *arguments]
        return run(command, cwd=self.root, env=environment, seconds=self.run.seconds, sweep=True)

    def check(self) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """What `make check` finds open, and what its owner has accepted.

        Raises:
            TroubleError: the hooks failed.
        """
        ended = self.hooks("check", "--json")
        document = _document(ended.output, f"its check failed: {ended.said}")
        return findings(document, "open"), findings(document, "accepted")

    def update(self, version: str, template: Template, *options: str) -> tuple[dict[str, Any], str]:
        """Run `make update` or its forecast: its report for programs and for people.

        Raises:
            TroubleError: it was refused, or failed.
        """
        reports = [self.scratch.folder / name for name in ("report.json", "report.md")]
        given = ["update", "--to", version, "--json", str(reports[0]), "--report", str(reports[1])]
        ended = self.hooks(*given, *options, template=template)
        if ended.status not in (0, 1):
            raise TroubleError(plain(ended.said))
        texts = [_own_file(report) for report in reports]
        return _document(texts[0], f"its update failed: {ended.said}"), texts[1]


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else "uv"


def _own_file(file: Path) -> str:
    """A report that the service's code has written; never what a link in its place leads to."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8", errors="replace") as opened:
            return redact(opened.read(1_000_000))
    except OSError:
        return ""


def _document(text: str, otherwise: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TroubleError(plain(otherwise))
    return document


def findings(document: dict[str, Any], key: str) -> list[dict[str, str]]:
    """Findings in a report, as plain lines."""
    listed = document.get(key)
    return [
        {name: plain(each.get(name, "")) for name in ("kind", "path", "message")}
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    ]


@contextmanager
def visiting(run: Run, service: Service) -> Iterator[Visit]:
    """A visit; the clone is free again while it lasts.

    Raises:
        TroubleError: it can't be reached, or is no service.
    """
    with run.cache.scratch() as scratch:
        with opened(run, service) as (clone, state):
            clone.check_out(state.commit, scratch)
        yield Visit(run, state, scratch)


def template_of(run: Run, state: State) -> Template:
    """The template that the service may be updated from.

    Raises:
        TroubleError: its owner has written down one that the list does not vouch for.
    """
    if not run.templates.vouched(state.source):
        raise TroubleError(
            f"{ANSWERS} names another template, {plain(state.source)}: correct _src_path there, or add the address to "
            "template: in the list"
        )
    return run.templates.of(state.source)


def elsewhere(run: Run, state: State) -> str:
    """A note if the service names another template than the list; empty if not."""
    main = run.templates.main
    if main is None or canonical(state.source) == canonical(main.address):
        return ""
    return f"names another template: {plain(state.source)}"

"""Changes of a rendered service, each of which must turn exactly one row of its scorecard red."""

import importlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from itertools import combinations, count
from pathlib import Path
from typing import Any
from unittest import mock

from ops.readiness import manifests, reading, registry, statements, tested
from ops.readiness.assessment import assess
from ops.readiness.outcome import State
from ops.readiness.registry import Kind
from ops.readiness.service import Service

from tests import debian

PERSONS = ("git", "-c", "user.name=Kari", "-c", "user.email=kari@example.org")
NOT_COPIED = (".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__")
# These rows read what the suite's last run recorded: it is recorded anew after any other row's change.
OF_THE_RECORD = ("tests", "coverage")


@dataclass(frozen=True)
class Mutation:
    """A change that turns `row` red, and no other; or opens it, where it takes a person's signature away.

    Attributes:
        row: its id.
        change: called with the folder of a copy of the service, which it changes.
        name: what it does, for the test's name.
        given: changes the service before, where a fresh one has nothing that the row could ask for.
        alone: it would keep another row's mutation from being seen, so it is made without others.
        state: what the row becomes.
    """

    row: str
    change: Callable[[Path], object]
    name: str = ""
    given: Callable[[Path], None] | None = None
    alone: bool = False
    state: State = "fail"

    def __str__(self) -> str:
        return f"{self.row}: {self.name}" if self.name else self.row


def edit(root: Path, path: str, old: str, new: str) -> None:
    """Replace a text, which must be there, wherever it stands in a file."""
    file = root / path
    text = file.read_text("utf-8")
    assert old in text, f"{path} has no {old!r}: the mutation would change nothing"
    file.write_text(text.replace(old, new), "utf-8")


def delete(root: Path, path: str) -> None:
    """Delete a file or a folder, which must be there."""
    there = root / path
    shutil.rmtree(there) if there.is_dir() else there.unlink()


def mutations() -> list[Mutation]:
    """Those of every module `mutations_<theme>.py` in this folder."""
    modules = sorted(file.stem for file in Path(__file__).parent.glob("mutations_*.py"))
    return [each for name in modules for each in importlib.import_module(f"tests.readiness.{name}").MUTATIONS]


def of_kind(kind: Kind) -> list[Mutation]:
    """The mutations of rows whose check is of this kind."""
    checks = registry.checks()
    return [each for each in mutations() if each.row in checks and checks[each.row].kind == kind]


def tools() -> None:
    """Put the programs that checks call on this process's PATH."""
    folder = str(debian.program("kustomize", "kustomize").parent)
    if folder not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([folder, os.environ["PATH"]])


def prepared(service: Path, destination: Path) -> Path:
    """A copy of an installed service without its environment, committed, its suite recorded as passed."""
    shutil.copytree(service, destination, ignore=shutil.ignore_patterns(*NOT_COPIED, ".git", ".coverage*"))
    committed(destination)
    tested.record(destination, 90.0, 86.0)
    return destination


def committed(root: Path) -> None:
    """Commit all that lies there, in few files, for it is copied often."""
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "a service"], ["gc", "--quiet"]):
        subprocess.run([*PERSONS, *command], cwd=root, check=True, capture_output=True)
    shutil.rmtree(root / ".git/hooks", ignore_errors=True)


def changed(base: Path, destination: Path, chosen: Iterable[Mutation]) -> Path:
    """A copy with these changes."""
    shutil.copytree(base, destination)
    of_the_record = [each for each in chosen if each.row in OF_THE_RECORD]
    for mutation in chosen:
        if mutation not in of_the_record:
            mutation.change(destination)
    tested.record(destination, 90.0, 86.0)
    for mutation in of_the_record:
        mutation.change(destination)
    return destination


def states(root: Path, kind: Kind = "static", today: date | None = None) -> dict[str, str]:
    """The state of each row with a check of this kind, in this process: what the checks read is `root` alone."""
    problems: list[str] = []
    said = statements.read(root, reading.catalogue(problems), today or date.today(), problems)  # noqa: DTZ011
    checks = registry.checks()
    wanted = [row for row in said.rows if row.id in checks and checks[row.id].kind == kind]
    with _rendered_once(root):
        results = assess(wanted, checks, said, Service(root, said.live), date.today())  # noqa: DTZ011
    return {result.id: result.state for result in results}


_RENDERED: dict[tuple[str, str], object] = {}


@contextmanager
def _rendered_once(root: Path) -> Iterator[None]:
    """Let copies whose manifests are the same share what kustomize makes of them: that takes longer than all checks."""
    whole = sha256()
    for folder in ("deploy", "ops/kubernetes", "monitoring"):
        for file in sorted((root / folder).rglob("*")):
            if file.is_file():
                whole.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())

    def kept(name: str) -> Any:
        """The function of this name in `manifests`, whose result is kept by its arguments."""
        function = getattr(manifests, name)

        def call(service: Service, *given: str) -> object:
            key = (whole.hexdigest(), " ".join((name, *given)))
            if key not in _RENDERED:
                _RENDERED[key] = function(service, *given)
            return _RENDERED[key]

        return mock.patch.object(manifests, name, call)

    with kept("_environments"), kept("with_component"):
        yield


def live_states(root: Path, python: Path) -> dict[str, str]:
    """The state of each row with a live check, by an installed service's interpreter; the package is that in `root`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "COVERAGE"))}
    command = [str(python), "-m", "ops.readiness", "--kind", "live", "--json"]
    environment["PYTHONPATH"] = str(root / "src")
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    return {row["id"]: row["state"] for row in json.loads(done.stdout)["rows"]}


def turned(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """The rows whose state is another now, with that."""
    return {id_: state for id_, state in after.items() if state != before.get(id_)}


def grid(wanted: list[Mutation]) -> list[list[Mutation]]:
    """Groups to make at once: each mutation is in two, and no other row's mutations are in both; or it is alone in one.

    A mutation that turned another row red as well would be seen in that of its groups in which no mutation of the other
    row is. So this tells as much as one run a mutation, by a fraction of the runs.
    """
    together = [each for each in wanted if not each.alone]
    often = Counter(each.row for each in together)
    together.sort(key=lambda each: -often[each.row])  # where rows have many, there are least ways to place them
    tried = (_placed(together, size) for size in count(2))
    groups = next(found for found in tried if found is not None) if together else []
    return [[each] for each in wanted if each.alone] + [list(group.values()) for group in groups if group]


def _placed(wanted: list[Mutation], size: int) -> list[dict[str, Mutation]] | None:
    """Each mutation by its row in two of `size` groups, small ones first; None if they are too few."""
    groups: list[dict[str, Mutation]] = [{} for _ in range(size)]
    pairs: list[tuple[Mutation, int, int]] = []

    def allowed(row: str, one: int, two: int) -> bool:
        if row in groups[one] or row in groups[two] or groups[one].keys() & groups[two].keys():
            return False
        places = {number for number, group in enumerate(groups) if row in group} | {one, two}
        return not any({first, second} <= places for other, first, second in pairs if other.row != row)

    for mutation in wanted:
        free = [pair for pair in combinations(range(size), 2) if allowed(mutation.row, *pair)]
        if not free:
            return None
        one, two = min(free, key=lambda pair: sorted((len(groups[pair[0]]), len(groups[pair[1]])), reverse=True))
        groups[one][mutation.row] = groups[two][mutation.row] = mutation
        pairs.append((mutation, one, two))
    return groups

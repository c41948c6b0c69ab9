"""Migrations that a service has not run yet, and new files of the owner's that it has not been given yet."""

import importlib
import os
import pkgutil
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import migrations
from .ownership import MANIFEST, Manifest
from .record import Record
from .versions import Version


@dataclass(frozen=True)
class Migration:
    """The step to one version."""

    version: str
    run: Callable[[Path], list[str]]


@dataclass(frozen=True)
class Pending:
    """What `make migrate` would do: versions whose migration has not been run, seed files that were never delivered."""

    versions: list[Migration]
    seeds: list[str]


def known() -> list[Migration]:
    """The migrations that came with the template, oldest first."""
    names = [module.name for module in pkgutil.iter_modules(migrations.__path__) if module.name.startswith("v")]
    found = []
    for name in names:
        module = importlib.import_module(f"{migrations.__name__}.{name}")
        found.append(Migration(name.replace("_", "."), module.migrate))
    return sorted(found, key=lambda each: Version(each.version))


def pending(root: Path, record: Record, manifest: Manifest) -> Pending:
    """What is still to be done in the service below `root`.

    A migration is due unless it is recorded, or the service was born at its version or later. One of unknown
    birth runs all:
    they may be run again.
    """
    born = Version(record.born)
    due = [
        each
        for each in known()
        if each.version not in record.migrations and not (born.known and Version(each.version) <= born)
    ]
    new = [path for path in manifest.seeds if path not in record.seeds and not _taken(root, path)]
    return Pending(due, new)


def _taken(root: Path, path: str) -> bool:
    """Whether the owner has something at a path, a link on the way to it included."""
    return os.path.lexists(root / path) or any((root / parent).is_symlink() for parent in Path(path).parents)


@dataclass(frozen=True)
class Done:
    """What has been done: notes by version, and the files delivered."""

    migrations: list[tuple[str, list[str]]]
    seeds: list[str]


def run(root: Path, fresh: Callable[[], Path]) -> Done:
    """Do and record what is pending.

    Args:
        fresh: gives the folder of a fresh render of this version; called only when a new file must be delivered.

    Raises:
        RuntimeError: a migration failed; those before it are recorded.
    """
    record = Record.read(root)
    manifest = Manifest.parse((root / MANIFEST).read_bytes())
    todo = pending(root, record, manifest)
    notes = []
    for migration in todo.versions:
        try:
            notes.append((migration.version, migration.run(root)))
        except Exception as error:
            raise RuntimeError(
                f"the migration to {migration.version} failed ({type(error).__name__}: {error}); "
                "nothing after it was run. Mend the cause and run make migrate again"
            ) from error
        record.migrations.append(migration.version)
        record.write(root)
    for path in todo.seeds:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(fresh() / path, root / path)
    offered = [path for path in manifest.seeds if path not in record.seeds]
    if offered:
        record.seeds = sorted([*record.seeds, *offered])
        record.write(root)
    return Done(notes, todo.seeds)

"""The record that the suite has passed, on exactly which content. `make test` writes it; `state` reads it.

To run the suite again for a report would take minutes, and tell what the last run told of the same files.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, Final

FILE: Final = ".ops-tested.json"
_FOLDERS: Final = ("src", "tests", "config")
_FILES: Final = ("pyproject.toml", "uv.lock", "slo.yaml")


@dataclass(frozen=True, slots=True)
class Tested:
    """A run of the whole suite that passed.

    Attributes:
        at: when it ended, RFC 3339.
        covered: percent of statements and branches together, as `coverage report` tells it.
        branches: percent of branches alone; None if there are none.
        current: whether src/, tests/, config/, pyproject.toml, uv.lock and slo.yaml are still what was tested.
    """

    at: str
    covered: float
    branches: float | None
    current: bool


def state(root: Path) -> Tested | None:
    """The last run of the suite that passed; None if none is recorded."""
    try:
        known = json.loads((root / FILE).read_text("utf-8"))
        branches = known["branches"]
        return Tested(
            str(known["at"]),
            float(known["covered"]),
            None if branches is None else float(branches),
            known["digest"] == digest(root),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record(root: Path, covered: float, branches: float | None) -> None:
    """Write that the suite passed on what lies there now."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    known = {"at": now, "covered": covered, "branches": branches, "digest": digest(root)}
    (root / FILE).write_text(json.dumps(known, indent=2) + "\n", "utf-8")


def digest(root: Path) -> str:
    """Of the names and contents of all that the suite's outcome depends on."""
    whole = hashlib.sha256()
    for file in _files(root):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{content} {file.relative_to(root).as_posix()}\n".encode())
    return whole.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    found = [file for folder in _FOLDERS for file in (root / folder).rglob("*") if file.is_file()]
    yield from sorted(file for file in found if not _left_behind(file.relative_to(root)))
    yield from (root / name for name in _FILES if (root / name).is_file())


def _left_behind(file: PurePath) -> bool:
    """Whether tools have written it: bytecode, or a cache such as .ruff_cache."""
    return file.suffix == ".pyc" or any(part == "__pycache__" or part.startswith(".") for part in file.parts)


def _measured() -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "--fail-under=0", "-o", str(file)]
        subprocess.run(command, check=True)
        totals: dict[str, Any] = json.loads(file.read_text("utf-8"))["totals"]
    return totals


def main() -> int:
    """Record a run that has just passed, in the service's folder."""
    totals = _measured()
    branches = totals.get("num_branches") or 0
    percent = round(100 * totals["covered_branches"] / branches, 2) if branches else None
    record(Path(), round(float(totals["percent_covered"]), 2), percent)
    return 0


if __name__ == "__main__":
    sys.exit(main())

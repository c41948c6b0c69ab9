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
        covered: percent of the service's own statements and branches together; the template's count for nothing.
        branches: percent of its own branches alone; None if there are none.
        unmeasured: percent of its own lines in src/ that are left out of the measurement.
        current: whether src/, tests/, config/, pyproject.toml, uv.lock and slo.yaml are still what was tested.
    """

    at: str
    covered: float
    branches: float | None
    unmeasured: float
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
            float(known["unmeasured"]),
            known["digest"] == digest(root),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record(root: Path, covered: float, branches: float | None, unmeasured: float = 0) -> None:
    """Write that the suite passed on what lies there now."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    known = {"at": now, "covered": covered, "branches": branches, "unmeasured": unmeasured, "digest": digest(root)}
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


def own(path: PurePath) -> bool:
    """Whether this file below src/ is the service's own, and neither the template's nor the console script."""
    return "ops" not in path.parts and path.name != "__main__.py"


def figures(root: Path, measured: dict[str, Any]) -> tuple[float, float | None, float]:
    """What a run says of the service's own code: `covered`, `branches` and `unmeasured` of `Tested`.

    Args:
        root: the service's folder.
        measured: `files` of what `coverage json` writes: each one's `summary` by its path below `root`.
    """
    mine = {path: each["summary"] for path, each in measured.items() if own(PurePath(path))}

    def total(name: str) -> int:
        return sum(int(each.get(name, 0)) for each in mine.values())

    branches, parts = total("num_branches"), total("num_statements") + total("num_branches")
    covered = 100 * (total("covered_lines") + total("covered_branches")) / parts if parts else 100.0
    there = [file for file in (root / "src").rglob("*.py") if own(file.relative_to(root))]
    lines = {file.relative_to(root).as_posix(): len(file.read_bytes().splitlines()) for file in there}
    left_out = sum(count for name, count in lines.items() if name not in mine)
    return (
        round(covered, 2),
        round(100 * total("covered_branches") / branches, 2) if branches else None,
        round(100 * left_out / max(sum(lines.values()), 1), 2),
    )


def main() -> int:
    """Record a run that has just passed, in the service's folder."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "--fail-under=0", "-o", str(file)]
        subprocess.run(command, check=True)
        measured: dict[str, Any] = json.loads(file.read_text("utf-8"))["files"]
    record(Path(), *figures(Path(), measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Makes `.in-place/`: the template as a Python project whose files are links to the template's own.

So ruff, mypy and the service's tests work on the files in `template/` where they lie: what they mend, they mend there.
Files whose text depends on answers are rendered with the defaults.

    python tests/in_place.py
"""

import os
import shutil
import sys
from pathlib import Path

import copier

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "template"
PACKAGE = "my_service"


def make(destination: Path) -> None:
    """Render with the defaults, then replace every file that is rendered as it is by a link to the template's."""
    keep = destination / ".venv"
    for old in destination.iterdir() if destination.is_dir() else ():
        if old != keep:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    source = destination.parent / f"{destination.name}-source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for name in ("copier.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    for name in ("template", "includes", "hooks"):  # from a plain folder it renders in half the time
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    try:
        copier.run_copy(str(source), destination, defaults=True, overwrite=True, quiet=True)
    finally:
        shutil.rmtree(source)
    for rendered in sorted(path for path in destination.rglob("*") if path.is_file() and keep not in path.parents):
        relative = rendered.relative_to(destination)
        original = TEMPLATE / Path(*("{{ package_name }}" if part == PACKAGE else part for part in relative.parts))
        if original.is_file():
            rendered.unlink()
            rendered.symlink_to(os.path.relpath(original, rendered.parent))


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".in-place")

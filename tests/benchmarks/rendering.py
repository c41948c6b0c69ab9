"""Renders the work tree's template into a cache folder, and puts the bare application beside it."""

import shutil
import subprocess
from pathlib import Path

import copier
from processes import HERE

ROOT = HERE.parents[1]
PACKAGE = "benchmarked"
_KEPT = {".venv", "uv.lock"}


def prepare(folder: Path) -> None:
    """Render, install and compile what is measured; an environment that is already there is brought up to date.

    Raises:
        subprocess.CalledProcessError: the rendered service can't be installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name not in _KEPT:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    _render(folder)
    for name in ("bare.py", "wide.py"):
        shutil.copy(HERE / name, folder)
    subprocess.run(["make", "--silent", "install"], cwd=folder, check=True)
    # As the image does: without it start-up would measure the compiler.
    compiler = [".venv/bin/python", "-m", "compileall", "-q", "-j", "0", ".venv/lib", "src", "bare.py", "wide.py"]
    subprocess.run(compiler, cwd=folder, check=False, capture_output=True)


def copy_of_the_template(folder: Path) -> Path:
    """What a render reads, in a plain folder: from there it is faster than from the git repository."""
    folder.mkdir()
    for name in ("copier.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("template", "includes", "hooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _render(folder: Path) -> None:
    source = folder.with_name(f"{folder.name}-source")
    shutil.rmtree(source, ignore_errors=True)
    try:
        copy_of_the_template(source)
        data = {"service_name": PACKAGE}
        copier.run_copy(str(source), folder, data=data, defaults=True, overwrite=True, quiet=True)
    finally:
        shutil.rmtree(source, ignore_errors=True)

"""The generated parts of the documents, in docs/reference/.

python -m ops.documents make    writes them
python -m ops.documents check   ends with 1 if one of them is not what the code gives
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .made import FOLDER, Made, all_of
from .reading import DocumentsError

DONE, OPEN, REFUSED = 0, 1, 2
DERIVED = ("uv.lock", "monitoring/")  # made by `make install` as well, where they are not there


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in the service's folder.

    Returns:
        0: done. 1: a file is not up to date, a line each on standard error. 2: they can't be made.
    """
    given = _parser().parse_args(arguments)
    root = Path.cwd()
    try:
        files = all_of(root)
        return _make(root, files) if given.command == "make" else _check(root, files)
    except DocumentsError as error:
        print(error, file=sys.stderr)
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.documents", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("make", help=f"write {FOLDER}/")
    commands.add_parser("check", help="compare them with what the code, the lock file and the rules give")
    return parser


def _make(root: Path, files: list[Made]) -> int:
    stale = [each for each in files if each.there(root) != each.text]
    try:
        for each in stale:
            each.write(root)
    except OSError as error:
        raise DocumentsError(f"{FOLDER}/: can't be written: {error.strerror or error}") from None
    print(f"{FOLDER}/: {len(files)} files, {len(stale)} of them new or changed")
    return DONE


def _check(root: Path, files: list[Made]) -> int:
    found, notes = list(_problems(root, files)), list(_notes(root, files))
    for line in (*found, *notes):
        print(line, file=sys.stderr)
    if found:
        print("make docs makes them anew; an edit belongs into what they are made from", file=sys.stderr)
        return OPEN
    print(f"{FOLDER}/: {len(files)} files say what the code does.")
    return DONE


def _problems(root: Path, files: list[Made]) -> Iterator[str]:
    for each in files:
        if problem := each.problem(root):
            yield f"{each.path}: {problem}"
    if uncommitted := _uncommitted(root):
        yield uncommitted


def _notes(root: Path, files: list[Made]) -> Iterator[str]:
    for each in files:
        if each.only_versions(root):
            yield f"{each.path}: was made with other versions of dependencies, which fails nothing: make docs renews it"


def _uncommitted(root: Path) -> str | None:
    """A sentence if all is committed but these files: a pipeline would make them, and nobody would see them change.

    While a person is at work, on an update for example, they are committed with the rest.
    """
    listed, changed = ["git", "ls-files", "--", FOLDER], ["git", "status", "--porcelain", "--untracked-files=normal"]
    try:
        known, status = (
            subprocess.run(each, cwd=root, capture_output=True, text=True, check=False) for each in (listed, changed)
        )
    except OSError:
        return None
    others = [line for line in status.stdout.splitlines() if not line[3:].startswith((FOLDER, *DERIVED))]
    if known.returncode or status.returncode or known.stdout or others:
        return None
    return f"{FOLDER}/: is not committed: git add {FOLDER}"


if __name__ == "__main__":
    sys.exit(main())

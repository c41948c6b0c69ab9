"""`make update`: everything happens in a temporary clone; the service's own tree is touched when all is done."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import template
from .apply import Change, Journal
from .git import Git, environment
from .ownership import ANSWERS, MANIFEST, Manifest
from .rename import rename
from .report import Report
from .template import CopierError, Renders, answers


class RefusedError(RuntimeError):
    """The update was not begun, and nothing was changed; the text says why and what would help."""


@dataclass(frozen=True)
class Wanted:
    """What to update to: a tag or commit of the template (None: the newest release), and answers to change."""

    version: str | None = None
    data: tuple[str, ...] = ()
    forecast: bool = False


def update(root: Path, wanted: Wanted) -> Report:
    """Update the service below `root`, or forecast it.

    Raises:
        RefusedError: nothing was changed.
    """
    git = _repository(root)
    journal = Journal(Path(git.text("rev-parse", "--absolute-git-dir"), "ops-update"), _top(git))
    if journal.begun:
        if wanted.forecast:
            raise RefusedError("an update was interrupted: run make update, which finishes it")
        try:
            return Report.of(journal.finish())
        except RuntimeError as error:
            raise RefusedError(str(error)) from error
    if not wanted.forecast:
        _refuse_changes(git)
    with _clone(git) as clone:
        report = _updated(root, clone, wanted)
        changes = clone.changes()
        _refuse_overwriting(_top(git), clone, changes)
        if not wanted.forecast:
            _refuse_changes(git)  # somebody may have gone on working meanwhile
            journal.prepare(changes, report.document())
            journal.finish()
        return report


def _repository(root: Path) -> Git:
    """The service's repository, if it can be updated."""
    git = Git(root)
    try:
        git.text("rev-parse", "--show-toplevel")
    except (RuntimeError, OSError) as error:
        raise RefusedError("this is no git repository: git init, commit everything, and try again") from error
    try:
        known = git.file("HEAD", ANSWERS)
    except RuntimeError:
        known = None
    if known is None:
        raise RefusedError(f"{ANSWERS} is not committed: commit everything, and try again")
    try:
        answers(known)
    except ValueError as error:
        raise RefusedError(f"{error}: take it back from git's history") from error
    return git


def _top(git: Git) -> Path:
    return Path(git.text("rev-parse", "--show-toplevel"))


def _refuse_overwriting(top: Path, clone: "_Clone", changes: list[Change]) -> None:
    """A file that git ignores is in no clone: what the owner has there must not be replaced."""
    known = set(clone.git.paths("ls-tree", "-r", "-z", "--name-only", clone.head))
    ours = [change.path for change in changes if change.source is not None and change.path not in known]
    if there := [path for path in ours if os.path.lexists(top / path)]:
        raise RefusedError(
            f"the new version brings {', '.join(there)}, and you have a file there that git ignores: move it away, or "
            "commit it, and try again"
        )


def _refuse_links(root: Path, manifest: Manifest) -> None:
    """Nothing is written through a link to somewhere else."""
    for path in [*manifest.files, *manifest.shared, *manifest.seeds]:
        own = [] if path in manifest.seeds else [path]
        for place in [*own, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]:
            if (root / place).is_symlink():
                raise RefusedError(
                    f"{place} is a symbolic link where a file of the template's belongs: put the file there "
                    f"(git log --oneline -- {place}), commit, and try again"
                )


_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


def _refuse_changes(git: Git) -> None:
    folder = Path(git.text("rev-parse", "--absolute-git-dir"))
    if any((folder / name).exists() for name in _UNDER_WAY):
        raise RefusedError("a merge, a rebase or the like is under way: finish it or give it up, and try again")
    changed = git.text("status", "--porcelain", "--untracked-files=normal", "--", ".").splitlines()
    if changed:
        named = ", ".join(line[3:] for line in changed[:5]) + (" …" if len(changed) > 5 else "")
        raise RefusedError(f"there are changes that are not committed ({named}): commit or stash them, and try again")


@dataclass
class _Clone:
    """The temporary clone: `root` is the service's folder in it, `work` one for other temporary files."""

    git: Git
    prefix: str
    work: Path

    @property
    def root(self) -> Path:
        """The service's folder."""
        return self.git.root / self.prefix

    def commit(self) -> None:
        """Make the present state the one before the update."""
        self.git.output("add", "--all", "--force")
        self.git.output("commit", "--quiet", "--allow-empty", "--message", "before the update")

    def changes(self) -> list[Change]:
        """What the update has changed since the service's own commit."""
        self.git.output("add", "--all", "--force")
        options = ["--cached", "--name-only", "--no-renames", "-z"]
        paths = self.git.paths("diff", *options, self.head)
        files = [(path, self.git.root / path) for path in paths]
        return [Change(path, file if file.is_symlink() or file.exists() else None) for path, file in files]

    head: str = ""


@contextmanager
def _clone(git: Git) -> Generator[_Clone]:
    head = git.text("rev-parse", "HEAD")
    with tempfile.TemporaryDirectory(prefix="ops-update-", ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        target = work / "service"
        git.output("clone", "--quiet", "--shared", "--no-checkout", str(_top(git)), str(target))
        clone = Git(target)
        clone.output("checkout", "--quiet", "--detach", head)
        yield _Clone(clone, git.text("rev-parse", "--show-prefix"), work, head)


def _updated(root: Path, clone: _Clone, wanted: Wanted) -> Report:
    source, stored = _absolute_source(root, clone.root)
    carriage = _normalise(clone.root)
    asked = {name: value for name, _, value in (each.partition("=") for each in wanted.data)}
    try:
        _move_package(clone, asked, source)
        clone.commit()
        template.update(clone.root, wanted.version, asked)
    except CopierError as error:
        raise RefusedError(_explained(str(error), source)) from error
    report = _finished(clone, list(asked))
    file = clone.root / ANSWERS
    known = sorted(key for key in answers(file.read_bytes()) if key[0] != "_")
    if unknown := [key for key in asked if key not in known]:
        raise RefusedError(f"{unknown[0]!r} is no question of the template: there are {', '.join(known)}")
    file.write_text(file.read_text("utf-8").replace(f"_src_path: {source}", f"_src_path: {stored}"), "utf-8")
    for path in carriage:
        if (clone.root / path).is_file():
            lines = (clone.root / path).read_bytes()
            (clone.root / path).write_bytes(lines.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return report


def _absolute_source(root: Path, there: Path) -> tuple[str, str]:
    """The template's address as the clone can use it, and as it was stored: a path may be relative to the service."""
    file = there / ANSWERS
    text = file.read_text("utf-8")
    stored = str(answers(text)["_src_path"])
    local = root / Path(stored).expanduser()
    if not local.is_dir() or stored.startswith("/"):
        return stored, stored
    source = str(local.resolve())
    file.write_text(re.sub(r"^_src_path: .*$", lambda _: f"_src_path: {source}", text, flags=re.MULTILINE), "utf-8")
    return source, stored


def _normalise(root: Path) -> list[str]:
    """Give the template's files LF as line end, so that they can be merged; the paths that had CR LF."""
    try:
        manifest = Manifest.parse((root / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RefusedError(f"{MANIFEST} can't be read ({reason}): take it back from git's history") from error
    _refuse_links(root, manifest)
    found = []
    for path in [*manifest.files, *manifest.shared, MANIFEST, ANSWERS]:
        file = root / path
        content = file.read_bytes() if file.is_file() else b""
        if b"\r\n" in content:
            file.write_bytes(content.replace(b"\r\n", b"\n"))
            found.append(path)
    return found


def _move_package(clone: _Clone, asked: dict[str, str], source: str) -> None:
    wanted = asked.get("package_name")
    given = answers((clone.root / ANSWERS).read_bytes())
    if wanted and wanted != given.get("package_name"):
        try:
            rename(clone.root, wanted, Renders(clone.work / "renamed", source))
        except CopierError:
            raise
        except RuntimeError as error:
            raise RefusedError(str(error)) from error


def _finished(clone: _Clone, asked: list[str]) -> Report:
    """Let the new version's own hooks complete the update."""
    result = clone.work / "report.json"
    command = [sys.executable, "-m", "ops.hooks", "finish", str(clone.work), *asked]
    done = subprocess.run(command, cwd=clone.root, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RefusedError(f"the new version's hooks failed: {done.stderr.strip() or done.stdout.strip()}")
    shutil.rmtree(clone.work / "renders", ignore_errors=True)
    return Report.of(json.loads(result.read_text("utf-8")))


_UNKNOWN = re.compile(
    r"unknown revision|did not match any|not a valid object|couldn't find remote ref|bad revision", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"could not read from remote|be a git repository|must be a directory|does not exist|not found|unable to access",
    re.IGNORECASE,
)


def _explained(said: str, source: str) -> str:
    """Copier's words, and what would help."""
    if _UNKNOWN.search(said):
        return (
            f"the template at {source} does not have a version that is needed. Are its tags there (git fetch --tags)? "
            "If its history was rewritten, write the commit that this service was last updated to as _commit into "
            f"{ANSWERS}, commit that, and try again. Copier said: {said}"
        )
    if _UNREACHABLE.search(said):
        return f"the template at {source} can't be reached: look at _src_path in {ANSWERS}. Copier said: {said}"
    return said

"""The second half of an update, run by the new version's hooks in the clone: settle, migrate, verify, tell."""

import difflib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from . import migrate
from .check import Finding, check, conflicted
from .derive import derive
from .git import Git, environment
from .ownership import ANSWERS, ASIDE, MANIFEST, Manifest, blocks, ours, with_blocks_of
from .report import Report
from .settle import Settled, settle
from .template import Renders, Versions, answers
from .versions import Version, by_hand, changes

CHANGELOG = "ops/CHANGELOG.md"


def finish(root: Path, work: Path, asked: list[str]) -> Report:
    """Complete what `copier update` left in `root`, the service's folder in a clone whose HEAD is the state before.

    Args:
        root: changed by this.
        work: a folder for temporary files.
        asked: the keys of answers that the owner wanted changed.

    Raises:
        RuntimeError: Copier, git or a migration failed.
    """
    git = Git(root)
    git.output("add", "--all", "--force", ".")
    before = answers(git.file("HEAD", ANSWERS) or b"")
    after = answers((root / ANSWERS).read_bytes())
    renders = Renders(work / "renders", before["_src_path"])
    versions = Versions(renders, before, after)
    report = Report(before["_commit"], after["_commit"])
    step = _Step(root, git, versions, report)

    step.merge()
    done = migrate.run(root, lambda: versions.new)
    report.migrations, report.seeds = done.migrations, done.seeds
    step.verify(work)
    report.renewed = step.renewed()
    if left := derive(root):
        report.by_hand.append(left)
    _tell(root, git, report, before, after, asked)
    return report


@dataclass
class _Step:
    """The merge of one service: what it was (HEAD of the clone), what Copier made of it, the versions between."""

    root: Path
    git: Git
    versions: Versions
    report: Report
    unsettled: dict[str, bytes] = field(default_factory=dict)

    def merge(self) -> None:
        """Treat every file that both the owner and the template have changed."""
        if self._torn(MANIFEST):
            self._take_template(MANIFEST)
        old = Manifest.parse(self.git.file("HEAD", MANIFEST) or b"{}")
        new = Manifest.parse(self._now(MANIFEST))
        before = self.git.files("HEAD", {*old.files, *old.shared})
        for path in old.files:
            was = before.get(path)
            if was is None:  # deleted by the owner
                continue
            if not old.as_made(path, was):
                self._merge_edited(path, old, new)
            elif path in new.files and not new.as_made(path, self._now(path)):
                self._take_template(path)  # Copier compared with other answers than it was made with
        for path in self.changed():
            if path not in old.files and ours(path) and self._torn(path):  # a file of the owner's own was there
                self._set_aside(path, old)
                self._take_template(path)
        for path in old.shared:  # the owner's lines in it outlive the template's
            was = before.get(path)
            if was is not None and not (self.root / path).exists():
                (self.root / path).write_bytes(was)
        for path in self.changed():
            if self._torn(path):
                self._settle(path)

    def _merge_edited(self, path: str, old: Manifest, new: Manifest) -> None:
        """The template's file, edited by the owner: merged, or the template's with the edit set aside."""
        if path not in new.files:
            self._set_aside(path, old)
            (self.root / path).unlink(missing_ok=True)
        elif self._torn(path):
            self._set_aside(path, old)
            self._take_template(path)
        elif not new.as_made(path, self._now(path)):
            self.report.kept.append(path)

    def changed(self) -> list[str]:
        """Paths that are not as they were."""
        self.git.output("add", "--all", "--force", ".")
        options = ["--cached", "--name-only", "--no-renames", "--relative", "-z"]
        return self.git.paths("diff", *options, "HEAD", "--", ".")

    def renewed(self) -> list[str]:
        """The template's files and shared files that are not as they were."""
        manifest = Manifest.parse(self._now(MANIFEST))
        return [path for path in self.changed() if ours(path) or path in manifest.shared]

    def verify(self, work: Path) -> None:
        """Hold the merged result against `make lint` of the state before; take back what made it worse."""
        report = self.report
        if not (report.settled or report.kept or report.aside):
            return
        lint = _Lint(self.root, self.git, work)
        report.check = lint.compare()
        if report.check.startswith("worse") and report.kept:
            old = Manifest.parse(self.git.file("HEAD", MANIFEST) or b"{}")
            for path in report.kept:
                self._set_aside(path, old)
                self._take_template(path)
            report.kept = []
            report.check = lint.compare()
        if report.check.startswith("worse") and report.settled:
            for path, torn in self.unsettled.items():
                (self.root / path).write_bytes(torn)
            report.conflicts = sorted({*report.conflicts, *report.settled})
            report.settled = {}
            report.check += "; what had been settled is a conflict again"

    def _now(self, path: str) -> bytes:
        file = self.root / path
        return file.read_bytes() if file.is_file() else b""

    def _torn(self, path: str) -> bool:
        """Whether this update left a conflict in the file."""
        return conflicted(self._now(path)) and not conflicted(self.git.file("HEAD", path) or b"")

    def _template(self, render: Path, path: str) -> bytes:
        file = render / path
        return file.read_bytes() if file.is_file() else b""

    def _take_template(self, path: str) -> None:
        shutil.copy2(self.versions.new / path, self.root / path)

    def _set_aside(self, path: str, old: Manifest) -> None:
        """Keep the owner's edit of a file as a patch against what the template had made."""
        made = self._template(self.versions.old, path) if path in old.files else b""
        was = self.git.file("HEAD", path) or b""
        self._keep_patch(path, _diff(path, made.decode(errors="replace"), was.decode(errors="replace")))

    def _keep_patch(self, path: str, patch: list[str]) -> None:
        file = self.root / ASIDE / self.report.old / f"{path}.patch"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(patch), "utf-8")
        self.report.aside[path] = file.relative_to(self.root).as_posix()

    def _settle(self, path: str) -> None:
        sides = [
            self._template(self.versions.old, path),
            self.git.file("HEAD", path),
            self._template(self.versions.new, path),
        ]
        try:
            base, own, new = ((side or b"").decode() for side in sides)
        except UnicodeDecodeError:
            self.report.conflicts.append(path)
            return
        settled = settle(path, base, own, new) or self._settle_blocks(path, base, own, new)
        if settled is None and blocks(base) and "# begin ops" not in own:
            (self.root / path).write_text(
                own, "utf-8", newline=""
            )  # the owner has put a file of their own in its place
            self.report.kept.append(path)
            return
        if settled is None:
            self.report.conflicts.append(path)
            return
        self.unsettled[path] = self._now(path)
        (self.root / path).write_text(settled.text, "utf-8", newline="")
        self.report.settled[path] = settled.how

    def _settle_blocks(self, path: str, base: str, own: str, new: str) -> Settled | None:
        """The same with the template's lines as the template had them; the owner's edit of those is set aside."""
        restored = with_blocks_of(own, base)
        if restored is None or restored == own:
            return None
        settled = settle(path, base, restored, new)
        if settled is None:
            return None
        self._keep_patch(path, _diff(path, restored, own))
        return Settled(settled.text, "the template's lines are as it has them, your edit of them is set aside")


def _diff(path: str, old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}" if old else "/dev/null", f"b/{path}"
    )
    return [line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines]


class _Lint:
    """`make lint` of the state before and of the result, each installed in a folder of its own."""

    def __init__(self, root: Path, git: Git, work: Path) -> None:
        self.root, self.git, self.work = root, git, work
        self._before: tuple[bool, int] | None = None

    def compare(self) -> str:
        """In words; it begins with `worse` if the result is."""
        try:
            self._before = self._before or self._run("before", self._unpack_head)
            after = self._run("after", self._copy_tree)
        except RuntimeError as error:
            return f"could not be run ({error})"
        if after[0]:
            return "passed"
        if self._before[0] or after[1] > self._before[1]:
            return "worse than before the update"
        return "failed before the update and fails after it"

    def _run(self, name: str, fill: "Callable[[Path], None]") -> tuple[bool, int]:
        """Whether it passed, and how many lines it complained."""
        folder = self.work / f"lint-{name}"
        for old in folder.iterdir() if folder.is_dir() else ():
            if old.name != ".venv":
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        folder.mkdir(exist_ok=True)
        fill(folder)
        variables = environment()
        for variable in ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            variables.pop(variable, None)
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv is None:
            raise RuntimeError("uv is not there")
        for command in ([uv, "sync", "--quiet"], ["make", "--no-print-directory", "lint"]):
            done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
            if done.returncode != 0 and command[0] == uv:
                raise RuntimeError(f"uv sync: {(done.stderr.strip().splitlines() or ['failed'])[0].strip()}")
        return done.returncode == 0, len((done.stdout + done.stderr).splitlines())

    def _unpack_head(self, folder: Path) -> None:
        with tarfile.open(fileobj=BytesIO(self.git.output("archive", "HEAD", "."))) as archive:
            archive.extractall(folder, filter="data")

    def _copy_tree(self, folder: Path) -> None:
        shutil.copytree(self.root, folder, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))


def _tell(
    root: Path, git: Git, report: Report, before: dict[str, Any], after: dict[str, Any], asked: list[str]
) -> None:
    """Fill in what a person must know or do."""
    changelog = root / CHANGELOG
    if changelog.is_file() and report.old != report.new:
        report.changelog = changes(changelog.read_text("utf-8"), Version(report.old), Version(report.new))
    report.by_hand += [f"{name}: {item}" for name, text in report.changelog for item in by_hand(text)]
    report.by_hand += [f"{version}: {note}" for version, notes in report.migrations for note in notes]
    if "pyproject.toml" in report.renewed and git.paths("ls-files", "-z", "uv.lock"):
        report.by_hand.append(
            "`make install` renews uv.lock for the changed requirements: commit it, the image needs it"
        )
    if report.check.startswith("could not"):
        report.by_hand.append(f"`make lint` {report.check}: run make install check")
    found = check(root)
    for key in sorted({*before, *after} - {"_commit", "_src_path"}):
        if before.get(key) == after.get(key):
            continue
        report.answers[key] = (before.get(key), after.get(key))
        if key in before and key not in asked:
            text = f"has another {key} now, {after.get(key)!r}, and nobody asked for that: it was {before[key]!r}"
            report.open.append(Finding("broken", ANSWERS, text))
        elif key in asked and key in before:
            report.by_hand += _mentions(root, git, key, str(before[key]))
    if report.check.startswith("worse"):
        report.open.append(Finding("broken", ".", f"`make lint` is {report.check}: run it, and mend what it says"))
    report.open += found.open


def _mentions(root: Path, git: Git, key: str, value: str) -> list[str]:
    """The owner's files that still show an answer that was changed."""
    shared = Manifest.parse((root / MANIFEST).read_bytes()).shared
    found = []
    pattern = re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w.]*\w)")
    for path in git.paths("ls-files", "-z"):
        file = root / path
        if ours(path) or path in {ANSWERS, *shared} or not file.is_file() or len(value) < 3:
            continue
        lines = file.read_bytes().decode(errors="replace").splitlines()
        found += [
            f"`{path}`, line {number}, may still show the old `{key}`"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    return found[:12]

"""Bring a finished result into the working tree, so that a kill at any moment leaves something that can be completed.

The result is first written beside the tree, in git's own folder. Only then are files replaced, each in one step. The
next run finishes what
a killed one began.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EXECUTABLE = 0o111


@dataclass(frozen=True)
class Change:
    """A file to replace or, without a `source`, to delete; `path` is relative to the repository's top."""

    path: str
    source: Path | None


class Journal:
    """The folder of a result that is being brought in; `top` is the repository's top folder."""

    def __init__(self, folder: Path, top: Path) -> None:
        self.folder, self.top = folder, top

    @property
    def begun(self) -> bool:
        """Whether a result waits to be brought in."""
        return (self.folder / "plan.json").is_file()

    def prepare(self, changes: list[Change], report: dict[str, Any]) -> None:
        """Write the result down, in one step."""
        new = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        (new / "files").mkdir(parents=True)
        plan = []
        for number, change in enumerate(changes):
            if change.source is not None:
                shutil.copy2(change.source, new / "files" / str(number), follow_symlinks=False)
            plan.append({"path": change.path, "before": _state(self.top / change.path), "after": _state(change.source)})
        (new / "plan.json").write_text(json.dumps({"files": plan, "report": report}), "utf-8")
        os.replace(new, self.folder)

    def finish(self) -> dict[str, Any]:
        """Bring the result in, and give back its report.

        Raises:
            RuntimeError: a file is neither as it was before nor as it is to be: somebody has changed it since.
        """
        document = json.loads((self.folder / "plan.json").read_text("utf-8"))
        todo = []
        for number, each in enumerate(document["files"]):
            state = _state(self.top / each["path"])
            if state not in (each["before"], each["after"]):
                raise RuntimeError(
                    f"an update was interrupted, and {each['path']} has been changed since: take that change back "
                    f"(git stash), then run make update again; or give the update up: rm -r {self.folder}"
                )
            if state != each["after"]:
                todo.append((number, each))
        for number, each in sorted(todo, key=lambda item: item[1]["after"] is not None):  # deletions first
            self._bring(self.folder / "files" / str(number), self.top / each["path"], each["after"] is None)
        (self.folder / "plan.json").unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        report: dict[str, Any] = document["report"]
        return report

    def _bring(self, source: Path, target: Path, delete: bool) -> None:
        if delete:
            target.unlink()
            for folder in target.parents:
                if folder == self.top or any(folder.iterdir()):
                    break
                folder.rmdir()
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        # in git's folder, so that nothing strange lies in the tree if this is where it ends
        passing = self.folder / "passing"
        passing.unlink(missing_ok=True)
        shutil.copy2(source, passing, follow_symlinks=False)
        try:
            os.replace(passing, target)
        except OSError:  # git's folder is on another file system
            shutil.copy2(source, target, follow_symlinks=False)


def _state(file: Path | None) -> str | None:
    """What a file is: its kind, whether it is executable, its content; None if there is none."""
    if file is None or not os.path.lexists(file):
        return None
    if file.is_symlink():
        return f"link {os.readlink(file)}"
    executable = "x" if file.stat().st_mode & _EXECUTABLE else "-"
    return f"file {executable} {hashlib.sha256(file.read_bytes()).hexdigest()}"

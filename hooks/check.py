"""What is open after an update, and which of the template's files were edited. Needs neither network nor Copier."""

import re
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .migrate import pending
from .ownership import ANSWERS, ASIDE, MANIFEST, Drift, Manifest, drifted, instead
from .record import RECORD, Record

_MARKERS = re.compile(rb"^<{7} .*?^={7}\r?$.*?^>{7} ", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """One thing that is open. `kind`: conflict, migration, seed, edited, missing, foreign, aside, broken."""

    kind: str
    path: str
    message: str


@dataclass
class Result:
    """What was found: `open` fails the check, `accepted` is only told."""

    version: str = "unknown"
    open: list[Finding] = field(default_factory=list)
    accepted: list[Finding] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def check(root: Path) -> Result:
    """Look at the service below `root`; findings are in the order in which they should be mended."""
    try:
        manifest = Manifest.parse((root / MANIFEST).read_bytes())
        record = Record.read(root)
    except (OSError, ValueError) as error:
        broken = Finding("broken", MANIFEST, f"{error}: take the file back from git's history")
        return Result(open=[*_conflicts(root), broken])
    result = Result(manifest.version, [*_conflicts(root), *_renamed(root, manifest), *_pending(root, record, manifest)])
    for drift in drifted(root, manifest):
        finding = _told(drift, manifest.package)
        reason = record.accepted.get(drift.path)
        if reason:
            result.accepted.append(Finding(finding.kind, finding.path, f"accepted in {RECORD}: {reason}"))
        else:
            result.open.append(finding)
    result.open.extend(_aside(root, manifest.package))
    return result


def conflicted(content: bytes) -> bool:
    """Whether a text holds the markers of an unsettled conflict."""
    return bool(_MARKERS.search(content))


def _conflicts(root: Path) -> list[Finding]:
    """Files with conflict markers, and what `--conflict rej` leaves, wherever git looks."""
    command = ["git", "grep", "-I", "-l", "-z", "--untracked", "-e", "^<<<<<<< "]
    found = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if found.returncode > 1:  # no repository (yet)
        command[2:2] = ["--no-index"]
        command.remove("--untracked")
        found = subprocess.run([*command, "--", ":!.venv"], cwd=root, capture_output=True, check=False)
    paths = [name.decode() for name in found.stdout.split(b"\0") if name]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.rej"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=False)
    rejected = [name.decode() for name in listed.stdout.split(b"\0") if name and (root / name.decode()).exists()]
    return [
        *(
            Finding("conflict", path, "has conflict markers: choose between the two sides and remove the markers")
            for path in sorted(paths)
            if conflicted((root / path).read_bytes())
        ),
        *(
            Finding("conflict", path, "holds what could not be merged: do it by hand, then delete it")
            for path in sorted(rejected)
        ),
    ]


def _renamed(root: Path, manifest: Manifest) -> list[Finding]:
    here = root / "src" / manifest.package
    others = [app.parent.name for app in root.glob("src/*/app.py")]
    if (here / "__init__.py").is_file() or not others:
        return []
    return [
        Finding(
            "broken",
            f"src/{manifest.package}",
            f"is the package by {ANSWERS}, but your modules are in src/{others[0]}: take the update back with git, "
            f'then run make update DATA="package_name={manifest.package}", which moves them',
        )
    ]


def _pending(root: Path, record: Record, manifest: Manifest) -> list[Finding]:
    todo = pending(root, record, manifest)
    modules = [f"ops/hooks/migrations/{each.version.replace('.', '_')}.py" for each in todo.versions]
    new = "is new in the template and not here yet: make migrate brings it, once"
    return [
        *(Finding("migration", module, "has not been run: make migrate") for module in modules),
        *(Finding("seed", path, new) for path in todo.seeds),
    ]


def _told(drift: Drift, package: str) -> Finding:
    accept = f'or, for the time being, say why in {RECORD}, under "accepted": "{drift.path}": "…"'
    take_back = f"git log --oneline -- {drift.path} shows whence"
    if drift.kind == "missing":
        message = (
            f"is the template's and is gone: take it back from git's history ({take_back}), or, if the template has "
            f"changed it since, from a fresh render, {accept}"
        )
        return Finding("missing", drift.path, message)
    if drift.kind == "bare":
        message = "has none of the template's lines (from # begin ops to # end ops): take them over from a fresh render"
        return Finding("missing", drift.path, f"{message}, {accept}")
    if drift.kind == "foreign":
        return Finding(
            "foreign", drift.path, f"lies in the template's folder but is not the template's: move it out, {accept}"
        )
    return Finding("edited", drift.path, f"was edited; instead: {instead(drift.path, package)} ({take_back}), {accept}")


def _aside(root: Path, package: str) -> list[Finding]:
    folder = root / ASIDE
    found = []
    for file in sorted(folder.rglob("*.patch")) if folder.is_dir() else ():
        path = file.relative_to(root).as_posix()
        original = "/".join(file.relative_to(folder).parts[1:]).removesuffix(".patch")  # below the version's folder
        message = (
            f"is an edit that an update took out of {original}: {instead(original, package)}; then delete this file"
        )
        found.append(Finding("aside", path, message))
    return found

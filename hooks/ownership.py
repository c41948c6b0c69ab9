"""Who owns which file of a service, and whether the template's files are still as it made them."""

import hashlib
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

MANIFEST = "ops/manifest.json"
ANSWERS = ".copier-answers.yml"
ASIDE = ".ops-aside"

BEGIN = re.compile(r"\s*# begin ops\b")
END = re.compile(r"\s*# end ops\b")

# Where an edit of the template's file belongs instead; the first pattern that fits speaks.
_INSTEAD = {
    "src/*/ops/settings.py": "add fields to class Settings in src/{package}/settings.py, values in config/ or APP_…",
    "src/*/ops/logs.py": "APP_LOG__LEVEL and APP_LOG__LEVELS set what is logged; fields belong to the log call",
    "src/*/ops/health.py": "declare a Check(…) in create_app, in src/{package}/app.py",
    "src/*/ops/edge.py": "add middleware in create_app, in src/{package}/app.py",
    "src/*/ops/serve*.py": "APP_WORKERS, APP_LIMITS__… and APP_SHUTDOWN__… set how it is served",
    "src/*/ops/*": "use what `from .ops import …` gives in src/{package}/app.py, and docs/configuration.md",
    "tests/ops/*": "write a test of your own in tests/, outside of tests/ops/",
    "ops/slo/alerts.yaml": "set thresholds and severities, or switch an alert off, under x-ops in slo.yaml",
    "ops/slo/*": "change slo.yaml and docs/runbook.md; rules of your own go into a rule file of your own",
    "ops/documents/*": "what it writes comes from the code, uv.lock and slo.yaml; all else in docs/ is yours",
    "ops/smoke/*": "requests of your own go into smoke.yaml",
    "ops/Makefile": "a target of the same name in Makefile takes its place",
    "ops/*.toml": "set it in pyproject.toml, where your values win",
    ".github/workflows/ops-*": "use the inputs in .github/workflows/check.yml, or add a job of your own there",
    "pyproject.toml": "your dependencies go into [project] and the group dev; [tool.uv] constraint-dependencies holds "
    "a version of one of the template's",
    "Dockerfile": "write at the places that are marked as yours",
    ".gitignore": "write below the template's lines",
    "*": "ask the template's owners for what is missing",
}


def ours(path: str) -> bool:
    """Whether the template owns this whole path: a folder called `ops` on it, or GitHub's flat folder of workflows."""
    parts = path.split("/")
    if parts[0] == ASIDE:
        return False
    return "ops" in parts[:-1] or (parts[:-1] == [".github", "workflows"] and parts[-1].startswith("ops-"))


def instead(path: str, package: str) -> str:
    """What to use instead of editing this file of the template's."""
    return next(remedy for pattern, remedy in _INSTEAD.items() if fnmatch(path, pattern)).format(package=package)


def digest(text: bytes) -> str:
    """SHA-256 of a text, the same for both kinds of line end."""
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def blocks(text: str) -> str:
    """The template's lines of a shared file: all blocks from `# begin ops` to `# end ops`, markers included.

    Raises:
        ValueError: a block has no end, or an end no beginning.
    """
    kept: list[str] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        begins, ends = bool(BEGIN.match(line)), bool(END.match(line))
        if begins == inside and (begins or ends):
            raise ValueError(f"line {number}: a block {'begins' if begins else 'ends'} inside of another")
        if ends and not inside:
            raise ValueError(f"line {number}: a block ends that has not begun")
        inside = (inside or begins) and not ends
        if inside or ends:
            kept.append(line + "\n")
    if inside:
        raise ValueError("the last block has no end")
    return "".join(kept)


def with_blocks_of(text: str, other: str) -> str | None:
    """A shared file's text with the blocks of another; None if they do not have as many."""
    parts, others = _parts(text), _parts(other)
    if len(parts) != len(others):
        return None
    return "".join(new if number % 2 else own for number, (own, new) in enumerate(zip(parts, others, strict=True)))


def _parts(text: str) -> list[str]:
    """A text cut at its blocks: those at odd places are the template's."""
    parts = [""]
    for line in text.splitlines(keepends=True):
        if BEGIN.match(line):
            parts.append("")
        parts[-1] += line
        if END.match(line):
            parts.append("")
    return parts


@dataclass(frozen=True)
class Manifest:
    """What one version of the template rendered: `files` and `shared` by path with SHA-256, `seeds` by path."""

    version: str
    package: str
    files: dict[str, str]
    shared: dict[str, str]
    seeds: tuple[str, ...]

    @classmethod
    def parse(cls, text: str | bytes) -> "Manifest":
        """Read `ops/manifest.json`.

        Raises:
            ValueError: it is no such document.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            return cls(
                document["version"],
                document["package"],
                document["files"],
                document["shared"],
                tuple(document["seeds"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"it has no {error}") from error

    def as_made(self, path: str, content: bytes) -> bool:
        """Whether the template's part of this file is as it was rendered."""
        if path in self.shared:
            try:
                return digest(blocks(content.decode()).encode()) == self.shared[path]
            except ValueError:
                return False
        return digest(content) == self.files[path]


@dataclass(frozen=True)
class Drift:
    """One file of the template's that is not as it was made; `kind`: `changed`, `missing`, `foreign`, or `bare`.

    A shared file is bare if it has none of the template's lines: the owner had it before the template came.
    """

    path: str
    kind: str


_CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def drifted(root: Path, manifest: Manifest) -> list[Drift]:
    """Compare the files below `root` with what the template made."""
    found = []
    for path in [*manifest.files, *manifest.shared]:
        file = root / path
        if not file.is_file():
            if path in manifest.files and not path.startswith(".github/"):  # other files an owner may do without
                found.append(Drift(path, "missing"))
        elif file.is_symlink() or not manifest.as_made(path, file.read_bytes()):
            bare = path in manifest.shared and not re.search(r"(begin|end) ops\b", file.read_text("utf-8", "replace"))
            found.append(Drift(path, "bare" if bare else "changed"))
    folders = sorted({path[: path.index("ops/") + 4] for path in manifest.files if "ops/" in path and ours(path)})
    known = {*manifest.files, *manifest.seeds, MANIFEST}
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.is_file() and path not in known and not _CACHES & set(file.parts):
                found.append(Drift(path, "foreign"))
    return found

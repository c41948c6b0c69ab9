"""Three versions of the template, made from the work tree: what lies there is v1.0.0, and two years of changes follow.

Every step is one that templates really make, and every version is a service that works.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.services import ROOT, plain_copy

VERSIONS = ("v1.0.0", "v1.1.0", "v2.0.0")
OPS = "template/src/{{ package_name }}/ops"
TESTS = "template/tests/ops"
RUFF = Path(sys.executable).with_name("ruff")
IDENTITY = ("-c", "user.name=template", "-c", "user.email=template@localhost", "-c", "commit.gpgSign=false")


def build(folder: Path) -> Path:
    """A git repository with a tag for each version."""
    plain_copy(folder)
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "manifest.py", folder / "tests")
    (folder / ".gitignore").write_text("__pycache__/\n.ruff_cache/\n", "utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    change = Change(folder)
    for version, edit in zip(VERSIONS, (first, second, third), strict=True):
        edit(change)
        change.commit(version)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Standard output of a command."""
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


class Change:
    """Edits of one version; each fails when what it changes is not there, so that none is an edit in name only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, path: str, text: str) -> None:
        """A new file."""
        file = self.folder / path
        assert not file.exists(), f"{path} is there already: give the history another new file"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def edit(self, path: str, pattern: str, new: str | Callable[[re.Match[str]], str]) -> None:
        """Replace the first place that fits."""
        text = (self.folder / path).read_text("utf-8")
        changed = re.sub(pattern, new, text, count=1, flags=re.MULTILINE)
        assert changed != text, f"{path} has no {pattern!r} any more: give the history another edit there"
        (self.folder / path).write_text(changed, "utf-8")

    def rename_module(self, old: str, new: str) -> None:
        """Rename a module of ops/, and follow it in imports and tests."""
        (self.folder / OPS / f"{old}.py").rename(self.folder / OPS / f"{new}.py")
        word = re.compile(rf"(?<=from \.){old}(?= import)|(?<=\bops\.){old}\b")
        count = 0
        for file in [*(self.folder / OPS).glob("*.py"), *(self.folder / TESTS).glob("*.py")]:
            text, found = word.subn(new, file.read_text("utf-8"))
            file.write_text(text, "utf-8")
            count += found
        assert count, f"nothing imports {old}"

    def delete(self, path: str) -> None:
        """The file is no longer in the template."""
        (self.folder / path).unlink()

    def changelog(self, version: str, gains: str, by_hand: str) -> None:
        """A section, newest first."""
        section = f"## {version}\n\n**What you get**\n\n- {gains}\n\n**By hand**\n\n- {by_hand}\n\n"
        self.edit("CHANGELOG.md", r"^(?=## )", lambda _: section)

    def migration(self, version: str, body: str) -> None:
        """The step that a service takes to this version."""
        name = f"v{version.replace('.', '_')}.py"
        head = f'"""To {version}."""\n\nfrom pathlib import Path\n\n\n'
        self.add(f"hooks/migrations/{name}", head + body)
        self.add(f"template/ops/hooks/migrations/{name}.jinja", f"{{% include 'hooks/migrations/{name}' %}}")

    def commit(self, version: str) -> None:
        """Sort the imports, renew the manifest, commit and tag."""
        ops = [str(self.folder / OPS), str(self.folder / TESTS)]
        subprocess.run([RUFF, "check", "--quiet", "--select", "I", "--fix", *ops], cwd=self.folder, check=True)
        subprocess.run([RUFF, "format", "--quiet", *ops], cwd=self.folder, check=True)
        subprocess.run([sys.executable, "tests/manifest.py"], cwd=self.folder, check=True)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message", version)
        git(self.folder, "tag", version)


def first(change: Change) -> None:
    """As it lies in the work tree, but for what it tells of its own versions."""
    for migration in [
        *change.folder.glob("hooks/migrations/v*"),
        *change.folder.glob("template/ops/hooks/migrations/v*"),
    ]:
        migration.unlink()
    change.edit("CHANGELOG.md", r"^## (?s:.*)", "## 1.0.0\n\n**What you get**\n\n- The first version.\n")


CLOCK = '''\
"""Seconds as people read them."""


def spoken(seconds: float) -> str:
    """`90` is `1 min 30 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
'''
CLOCK_TEST = '''\
"""Durations are told in minutes and seconds."""

from . import ops


def test_a_minute_and_a_half_is_told_as_such() -> None:
    assert ops.clock.spoken(90) == "1 min 30 s"


def test_less_than_a_minute_has_no_minutes() -> None:
    assert ops.clock.spoken(3.2) == "3 s"
'''
CRITICALITY = """
criticality:
  type: str
  help: What it means to others when the service is down
  choices: [low, standard, high]
  default: standard
"""
NOTE = '''\
def migrate(root: Path) -> list[str]:
    """Nothing is to be moved; environments with a log level of their own are named."""
    files = sorted(path for path in (root / "config").glob("*.yaml") if "level:" in path.read_text("utf-8"))
    return [f"config/{path.name} sets a log level: is it still the one you want?" for path in files]
'''


def second(change: Change) -> None:
    """v1.1.0: a module renamed and one added, a question, a seed; pins, workflow, Dockerfile and rules changed."""
    change.rename_module("context", "scope")
    change.add(f"{OPS}/clock.py", CLOCK)
    change.add(f"{TESTS}/test_clock.py", CLOCK_TEST)
    change.edit(f"{OPS}/slots.py", r'^"""A place', '"""One place')
    change.edit("template/pyproject.toml.jinja", r'^    "pydantic~=2\.14",\n', '    "pydantic>=2.14,<3",\n')
    change.edit("template/pyproject.toml.jinja", r"^ops = \[\n", 'ops = [\n    "anyio>=4",\n')
    change.edit("template/Dockerfile.jinja", "--interval=10s", "--interval=15s")
    change.edit("template/.gitignore", r"^dist/\n", "dist/\n.hypothesis/\n")
    change.edit("template/ops/ruff.toml", '"FA",', '"FA", "FLY",')
    workflow = "template/.github/workflows/ops-check.yml.jinja"
    change.edit(workflow, "timeout-minutes: 20", "timeout-minutes: 25")
    change.edit(
        workflow, r"^      - run: make install\n", "      - run: make install\n      - run: .venv/bin/app version\n"
    )
    change.edit("copier.yml", r"\Z", CRITICALITY)
    answers = f"{OPS}/answers.json.jinja"
    change.edit(answers, r'^(?=  "latency_target_ms")', '  "criticality": {{ criticality | to_json }},\n')
    change.add(
        "template/docs/on-call.md.jinja", "# On call for {{ service_name }}\n\nWho is called, and what to try first.\n"
    )
    change.edit("template/README.md.jinja", r"^## What is where", "## Where is what")  # a seed: for new services only
    change.migration("1.1.0", NOTE)
    change.changelog("1.1.0", "Durations that people can read.", "Complete `docs/on-call.md`: it is new,\n  and yours.")


ALLOW = '''\
def migrate(root: Path) -> list[str]:
    """The image's build reads LICENSE now: let it in."""
    file = root / ".dockerignore"
    text = file.read_text("utf-8") if file.is_file() else ""
    if not text or "!LICENSE-3RD-PARTY" in text:
        return []
    file.write_text(text + "!LICENSE-3RD-PARTY\\n", "utf-8")
    return [".dockerignore lets LICENSE-3RD-PARTY in"]
'''


REQUESTS = "  - \"{% if _copier_operation == 'update' %}/requests/*{% endif %}\"\n"


def third(change: Change) -> None:
    """v2.0.0: another module renamed, tests and a seed dropped, dependencies moved and removed, blocks rewritten."""
    change.rename_module("layers", "stack")
    change.edit(f"{OPS}/edge.py", r"^CLIENT_CLOSED: Final = 499.*$", "CLIENT_CLOSED: Final = 499  # as nginx counts it")
    change.edit(f"{OPS}/slots.py", r'^"""One place', '"""A single place')
    change.delete(f"{TESTS}/test_merging.py")
    change.delete("template/.editorconfig")
    change.edit("copier.yml", r"^.*/\.editorconfig.*\n", "")
    project = "template/pyproject.toml.jinja"
    change.edit(project, r'^    "watchfiles[^\n]*\n', "")  # moved from one group to the other
    change.edit(project, r"^ops = \[\n", 'ops = [\n    "watchfiles>=1.3,<2",\n')
    change.edit(project, r'^    "anyio>=4",\n', "")
    change.edit(project, r'^    "structlog>=26\.1",\n', '    "structlog>=26.1,<28",\n')
    change.edit(
        "template/Dockerfile.jinja",
        r"^    PYTHONDONTWRITEBYTECODE=1$",
        "    PYTHONDONTWRITEBYTECODE=1 \\\\\n    PYTHONUNBUFFERED=1",
    )
    change.edit("template/Dockerfile.jinja", r"^EXPOSE 8000\n", "EXPOSE 8000\nSTOPSIGNAL SIGTERM\n")
    change.edit("template/.gitignore", r"^\.hypothesis/\n", "")
    change.edit("template/.gitignore", r"^\.venv/\n", ".venv/\nbuild/\n")
    change.edit("template/ops/Makefile", r"^run: ##", "version: ## Show the versions\n\t$(BIN)/app version\n\nrun: ##")
    change.edit("template/ops/Makefile", r"^\.PHONY: help", ".PHONY: help version")
    workflow = "template/.github/workflows/ops-check.yml.jinja"
    change.edit(workflow, r"^      - run: make check\n      - run: make test\n", "      - run: make check test\n")
    change.edit("copier.yml", r'^  default: "300"$', '  default: "250"')  # stored answers stay as they are
    change.edit("copier.yml", r"^(?=.*config/\*.*$)", lambda _: REQUESTS)
    change.add(
        "template/requests/version.http.jinja", "# {{ service_name }}, by hand\nGET http://127.0.0.1:8000/version\n"
    )
    change.migration("2.0.0", ALLOW)
    change.changelog("2.0.0", "A smaller image.", "Nothing: `.editorconfig` is no longer ours, keep it if you like it.")

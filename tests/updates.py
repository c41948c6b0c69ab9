"""A template with two releases made from the work tree, and services born of them, for the tests of `make update`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import copier

from tests import forks
from tests.locks import UV
from tests.quick import quick
from tests.services import ROOT, clean_environment

FIRST, SECOND = "v1.0.0", "v1.1.0"
_PARTS = ("copier.yml", "CHANGELOG.md", "template", "includes", "hooks", "tests/manifest.py")


def _environment(**variables: str) -> dict[str, str]:
    """One that no other repository leads astray."""
    return {name: value for name, value in clean_environment(**variables).items() if not name.startswith("GIT_")}


def run(*command: str, cwd: Path, check: bool = True, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A command with output captured."""
    return subprocess.run(
        command, cwd=cwd, env=_environment(**variables), capture_output=True, text=True, check=check, timeout=120
    )


def git(root: Path, *arguments: str) -> str:
    """Standard output of git in this folder."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    return run("git", *identity, *arguments, cwd=root).stdout.strip()


def commit(root: Path, message: str) -> None:
    """Commit everything."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)


def release(template: Path, version: str) -> None:
    """Renew the list of digests, commit and tag."""
    run(sys.executable, "tests/manifest.py", cwd=template)
    commit(template, version)
    git(template, "tag", version)


def new_template(folder: Path) -> Path:
    """The work tree's template as a repository of its own, released as `FIRST`."""
    folder.mkdir(parents=True)
    for part in _PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet")
    release(folder, FIRST)
    return folder


def edit(root: Path, path: str, old: str, new: str) -> None:
    """Replace one place of a file.

    Raises:
        AssertionError: the place is not there.
    """
    file = root / path
    text = file.read_bytes().decode()
    assert old in text, f"{path} has no {old!r}"
    file.write_bytes(text.replace(old, new, 1).encode())


def two_releases(folder: Path) -> Path:
    """A template with a second release: a module changed, one added, shared lines, a new seed."""
    template = new_template(folder)
    ops = "template/src/{{ package_name }}/ops"
    edit(template, f"{ops}/slots.py", '"""', '"""(Second.) ')
    (template / ops / "added.py").write_text('"""New in the second release."""\n')
    edit(template, "template/pyproject.toml.jinja", '"prometheus-client', '"anyio>=4",\n    "prometheus-client')
    edit(template, "template/.gitignore", "# end ops", ".second/\n# end ops")
    (template / "template/docs/second.md").write_text("# Second\n")
    release(template, SECOND)
    return template


def born(template: Path, project: Path, version: str = FIRST, source: str | None = None, **answers: str) -> Path:
    """A service of that version, committed."""
    given = {"service_name": "orders", **answers}
    with quick():
        copier.run_copy(source or str(template), project, data=given, vcs_ref=version, defaults=True, quiet=True)
    git(project, "init", "--quiet")
    commit(project, "born")
    return project


def hooks(project: Path, *arguments: str, check: bool = False, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The command behind `make update` and its like, with this session's Copier and uv."""
    environment = _environment(**{"UV": str(UV), **variables})
    done = forks.hooks(arguments, project, environment)
    if check:
        done.check_returncode()
    return done


def tree(project: Path) -> dict[str, bytes]:
    """Every file of a service but git's and what tools leave behind."""
    left = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"}
    files = [path for path in project.rglob("*") if path.is_file() and not left & set(path.relative_to(project).parts)]
    return {os.fspath(path.relative_to(project)): path.read_bytes() for path in files}

"""A fleet of bare repositories in a folder, and the command run on it as a platform team would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patched import executable
from tests.services import ROOT, clean_environment
from tests.updates import SECOND, born, commit, edit, git, hooks, two_releases

SECRET = "ghp_secret"
LIST = """\
template: {template}
author: Platform <platform@example.org>
rings: [canary, all]
defaults:
  ring: canary
services:
  clean: clean.git
  stock:
    url: many.git
    folder: services/stock
    branch: main
  current: current.git
  edited: {{url: edited.git, ring: all}}
  taken: {{url: taken.git, ring: all}}
  lost: {{url: "https://robot:{secret}@127.0.0.1:9/lost.git", ring: all}}
"""


def bare(project: Path, remote: Path) -> Path:
    """A bare repository with the project's branch as `main`."""
    git(project, "branch", "--move", "--force", "main")
    git(project, "clone", "--quiet", "--bare", str(project), str(remote))
    git(remote, "remote", "remove", "origin")
    git(remote, "config", "uploadpack.allowFilter", "true")
    return remote


def make(folder: Path) -> Path:
    """The template and six services in two rings, each in its own state; their list is `fleet.yaml`."""
    template = bare(two_releases(folder / "made/template"), folder / "template.git")
    source = f"file://{template}"
    project = born(folder / "made/template", folder / "made/orders", source=source)
    fleet = folder / "fleet"
    fleet.mkdir()

    def copied(name: str) -> Path:
        return Path(shutil.copytree(project, folder / "made" / name))

    bare(project, fleet / "clean.git")

    many = folder / "made/many"
    shutil.copytree(project, many / "services/stock", ignore=shutil.ignore_patterns(".git"))
    (many / "README.md").write_text("Many services.\n")
    git(many, "init", "--quiet")
    commit(many, "all")
    bare(many, fleet / "many.git")

    current = copied("current")
    hooks(current, "update", check=True, UV="/bin/false")  # as the fleet's here: nothing is installed or derived
    commit(current, "updated")
    bare(current, fleet / "current.git")

    edited = copied("edited")
    edit(edited, "src/orders/ops/slots.py", '"""', '"""(Mine.) ')
    commit(edited, "an edit of the template's")
    bare(edited, fleet / "edited.git")

    taken = copied("taken")
    bare(taken, fleet / "taken.git")
    git(taken, "switch", "--quiet", "--create", f"ops/update-{SECOND}")
    (taken / "mine.txt").write_text("somebody's\n")
    commit(taken, "somebody's own attempt")
    git(taken, "push", "--quiet", str(fleet / "taken.git"), "HEAD")

    executable(fleet / "python")
    (fleet / "fleet.yaml").write_text(LIST.format(template=source, secret=SECRET))
    return fleet


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Nothing of the user's but the path; a `uv` that can't install, so that no lint is run."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(("GIT_", "UV", "PIP"))}
    return {**kept, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "UV": "/bin/false", **variables}


def command(folder: Path, *arguments: str) -> list[str]:
    """The fleet command, with the Python of this folder, in which updates take a third of the time."""
    python = folder / "python"
    return [str(python) if python.is_file() else sys.executable, "-m", "fleet", *arguments]


def fleet(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run it on the list in this folder."""
    given = [*arguments, "--fleet", str(folder / "fleet.yaml"), "-j", "2"]
    return subprocess.run(
        command(folder, *given),
        cwd=ROOT,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def rows(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Any]]:
    """The services in its JSON, by name."""
    return {row["name"]: row for row in json.loads(done.stdout)["services"]}


def heads(folder: Path) -> dict[str, str]:
    """Every branch of every remote, with its commit."""
    return {
        f"{remote.stem} {ref}": commit
        for remote in sorted(folder.glob("*.git"))
        for commit, ref in (line.split() for line in git(remote, "show-ref", "--heads").splitlines())
    }


def merge(remote: Path, branch: str) -> None:
    """What the button on a pull request does."""
    git(remote, "update-ref", "refs/heads/main", os.fsdecode(f"refs/heads/{branch}"))
    git(remote, "update-ref", "-d", f"refs/heads/{branch}")

"""docs/platform-team.md, followed to the letter: every command in its console blocks is run here, in its order."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.world import bare, environment, fleet, make, rows
from tests.services import ROOT
from tests.updates import born, commit, edit, git, hooks, new_template, release

pytestmark = pytest.mark.slow

BLOCKS = re.findall(r"```console\n(.*?)```", (ROOT / "docs/platform-team.md").read_text("utf-8"), re.DOTALL)
IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
}


def follow(block: int, cwd: Path, home: Path, **names: str) -> str:
    """Run a block of the page with these names filled in; what it prints."""
    text = BLOCKS[block]
    for name, value in names.items():
        text = re.sub(rf"\b{name}\b", value, text)
    quick = home / "python"  # the fleet's, if there is one
    text = text.replace(".venv/bin/python", str(quick) if quick.is_file() else sys.executable)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=cwd,
        env=environment(home, **IDENTITY, PATH=f"{home}/bin:/usr/local/bin:/usr/bin:/bin", PYTHON="/bin/false"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


def stand_in_tools(fork: Path) -> None:
    """What `make install` would leave in the fork: a folder of its own that leads to this session's Python.

    Nothing in it is a link, and make finds no Python to make another with: this session's tools stay as they are.
    """
    python = fork / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    installed = fork / ".venv/installed"
    installed.touch()
    os.utime(installed, (time.time() + 86_400,) * 2)  # newer than the list of tools, whatever is checked out


def upstream_with_two_releases(folder: Path) -> Path:
    """Our repository as a fork finds it; the second release has changed what a fork changes, and beside it."""
    upstream = new_template(folder)
    for name in (".gitignore", "Makefile", "requirements.lock"):
        shutil.copy2(ROOT / name, upstream / name)
    commit(upstream, "what the verbs need")
    git(upstream, "tag", "--force", "v1.0.0")
    git(upstream, "branch", "--move", "--force", "main")
    ops = "template/src/{{ package_name }}/ops"
    edit(upstream, f"{ops}/slots.py", '"""', '"""(Second.) ')
    (upstream / "template/ops/added.md").write_text("New.\n")
    edit(upstream, "copier.yml", "Name of the Python package", "Name of the package")
    edit(
        upstream,
        "CHANGELOG.md",
        "## Unreleased",
        "## 1.1.0 (2026-05-03)\n\n**What you get**\n\n- More.\n\n## Unreleased",
    )
    release(upstream, "v1.1.0")
    return upstream


def make_it_ours(fork: Path) -> None:
    """What the page's table says, each in its place."""
    edit(fork, "copier.yml", "registry.example.org/services", "registry.acme.example/services")
    edit(fork, "copier.yml", "default: Platform team", "default: Acme platform")
    edit(fork, "template/Dockerfile.jinja", "FROM python:", "FROM registry.acme.example/python:")
    (fork / "template/ops/policy.md").write_text("Acme's rules.\n")
    question = 'acme_cost_centre:\n  type: str\n  help: Who pays\n  default: "100"\n'
    (fork / "copier.yml").write_text((fork / "copier.yml").read_text() + "\n" + question)
    edit(fork, "CHANGELOG.md", "\n## ", "\n## 1.0.0.post1 (2026-05-01)\n\n**What you get**\n\n- Our rules.\n\n## ")


def test_a_fork_keeps_its_own_defaults_and_files_and_gets_our_next_release_without_a_conflict(tmp_path: Path) -> None:
    upstream = upstream_with_two_releases(tmp_path / "upstream")
    ours = tmp_path / "acme.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(ours))
    fork = tmp_path / "acme-template"

    follow(0, tmp_path, tmp_path, UPSTREAM=str(upstream), OURS=str(ours))
    assert git(fork, "tag") == ""
    assert git(fork, "rev-parse", "HEAD") == git(upstream, "rev-parse", "v1.0.0")
    stand_in_tools(fork)
    make_it_ours(fork)
    follow(1, fork, tmp_path)
    follow(2, fork, tmp_path)
    service = born(fork, tmp_path / "orders", "v1.0.0.post1", source=f"file://{ours}")
    follow(3, fork, tmp_path)
    done = hooks(service, "update")

    assert git(ours, "tag").split() == ["v1.0.0.post1", "v1.1.0.post1"]
    assert git(fork, "status", "--porcelain") == ""
    assert done.returncode == 0, done.stdout + done.stderr
    answers = (service / ".copier-answers.yml").read_text()
    assert "_commit: v1.1.0.post1" in answers
    assert "image_registry: registry.acme.example/services" in answers
    assert "acme_cost_centre: '100'" in answers
    assert (service / "ops/policy.md").read_text() == "Acme's rules.\n"
    assert (service / "ops/added.md").read_text() == "New.\n"
    assert "FROM registry.acme.example/python:" in (service / "Dockerfile").read_text()
    assert hooks(service, "check").returncode == 0
    changelog = (service / "ops/CHANGELOG.md").read_text()
    assert "- Our rules." in changelog
    assert "- More." in changelog


KEPT_OUT = ("  stock", "    url: many", "    folder:", "    branch:", "  edited", "  taken", "  lost")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet in which nothing is open, so that the page's commands end with 0."""
    folder = make(tmp_path_factory.mktemp("world"))
    lines = (folder / "fleet.yaml").read_text().splitlines()
    (folder / "fleet.yaml").write_text("\n".join(line for line in lines if not line.startswith(KEPT_OUT)))
    shutil.copytree(ROOT / "fleet", folder / "fleet", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_pages_looks_at_a_fleet_work(folder: Path) -> None:
    said = follow(4, folder, folder)

    assert "2 services: 1 on v1.0.0, 1 on v1.1.0" in said
    assert "| clean | canary | v1.0.0 |" in said
    assert '"clean": 2' in said


def test_the_pages_rollout_opens_pull_requests_with_the_forges_own_command(folder: Path) -> None:
    forge = folder / "bin/gh"
    forge.parent.mkdir()
    forge.write_text(
        f'#!/bin/sh\nprintf "%s|" "$@" >> {folder}/called\necho >> {folder}/called\n'
        "if [ $2 = list ]; then echo https://forge/1; fi\n"
    )
    forge.chmod(0o755)

    follow(5, folder, folder)
    again = follow(5, folder, folder)

    called = [line.split("|") for line in (folder / "called").read_text().splitlines()]
    assert [line[:2] for line in called] == [["pr", "create"], ["pr", "list"]]
    assert called[0][called[0].index("--head") + 1] == "ops/update-v1.1.0"
    assert called[0][called[0].index("--base") + 1] == "main"
    assert "https://forge/1" in again
    assert "1 done, 1 waiting" in again


def test_every_block_of_the_page_is_followed() -> None:
    assert len(BLOCKS) == 6


def test_a_fleet_of_a_forked_templates_services_sees_how_far_they_are_behind(tmp_path: Path) -> None:
    template = new_template(tmp_path / "made")
    for version in ("v1.0.0.post1", "v1.0.0.post2", "v1.1.0rc1"):
        (template / "NOTES").write_text(version)
        release(template, version)
    remote = bare(template, tmp_path / "template.git")
    service = born(template, tmp_path / "orders", "v1.0.0.post1", source=f"file://{remote}")
    bare(service, tmp_path / "orders.git")
    (tmp_path / "fleet.yaml").write_text(f"template: file://{remote}\nservices: {{orders: orders.git}}\n")

    row = rows(fleet(tmp_path, "status", "--no-check", "--json"))["orders"]
    assert (row["version"], row["newest"], row["behind"]) == ("v1.0.0.post1", "v1.0.0.post2", 1)

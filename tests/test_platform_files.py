"""The files around the code: image, workflows, bots, blocks. They are valid, pinned, safe from answers and owners."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.services import render
from tests.test_render import LONG

TOOLS = Path(sys.executable).parent
SHARED = ["pyproject.toml", "Dockerfile", ".gitignore"]
WORKFLOWS = [
    *("check", "deliver", "release", "rollback"),
    *("ops-check", "ops-deploy", "ops-image", "ops-readiness", "ops-rollback", "ops-update"),
]
BLOCK = re.compile(r"^# begin ops\b.*?^# end ops$\n", re.MULTILINE | re.DOTALL)
ANSWERS: dict[str, dict[str, str]] = {
    "default": {"description": "Zebra crossings", "owner_team": "Quokka"},
    "other": {
        "service_name": LONG,
        "package_name": "p" * 40,
        "description": "Zebra ${{ secrets.ZEBRA }} $(zebra) `zebra` \"zebra\" 'zebra' %0A #",
        "owner_team": "Quokka: ${{ github.token }} $QUOKKA && quokka",
        "owner_email": "o.r+d_e-r%s@sub-1.example.co.uk",
        "image_registry": "localhost:5000",
        "personal_data": "no",
        "python_version": "3.11",
    },
}


@pytest.fixture(scope="module", params=ANSWERS)
def service(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(source, tmp_path_factory.mktemp("platform") / "service", **ANSWERS[request.param])


@pytest.fixture(scope="module")
def workflows(service: Path) -> list[Path]:
    return sorted((service / ".github/workflows").glob("*.yml"))


def run(
    *command: str | Path, cwd: Path, stdin: str = "", env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run to the end; a tool by its name is that of this environment."""
    tool = TOOLS / command[0]
    return subprocess.run(
        [tool if tool.exists() else command[0], *command[1:]],
        cwd=cwd,
        input=stdin,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def jobs(workflow: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values())


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow) for step in job.get("steps", [])]


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.renovate", "renovate.json"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS],
        ["zizmor", "--offline", "--no-progress", ".github/workflows"],
        ["hadolint", "--failure-threshold", "style", "Dockerfile"],
    ],
    ids=lambda command: "-".join(part for part in command if not part.startswith("-")),
)
def test_linters_find_nothing(service: Path, command: list[str]) -> None:
    names = [f".github/workflows/{part}.yml" if part in WORKFLOWS else part for part in command]

    done = run(*names, cwd=service)

    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_finds_nothing_in_the_steps_of_workflows(service: Path, workflows: list[Path]) -> None:
    scripts = [step["run"] for workflow in workflows for step in steps(workflow) if "run" in step]
    found = [run("shellcheck", "--shell=bash", "-", cwd=service, stdin=script).stdout for script in scripts]

    assert len(scripts) >= 6
    assert "".join(found) == ""


def test_shellcheck_finds_nothing_in_the_tools_scripts(service: Path) -> None:
    scripts = sorted((service / "ops").rglob("*.sh"))
    done = run("shellcheck", *scripts, cwd=service)

    assert {script.name for script in scripts} == {"image-smoke.sh", "push.sh"}
    assert done.stdout == ""


def test_no_expression_is_put_into_a_shell(workflows: list[Path]) -> None:
    assert not [step for workflow in workflows for step in steps(workflow) if "${{" in step.get("run", "")]


def test_every_action_is_pinned_by_its_commit(workflows: list[Path]) -> None:
    uses = [line for workflow in workflows for line in workflow.read_text("utf-8").splitlines() if "uses:" in line]

    assert len(uses) >= 5
    for line in uses:
        assert re.search(r"uses: (\./\.github/workflows/ops-[\w-]+\.yml( #|$)|[\w./-]+@[0-9a-f]{40} # v\d)", line)


def test_a_job_has_only_the_permissions_that_it_names_an_end_and_no_credentials_on_disk(workflows: list[Path]) -> None:
    for workflow in workflows:
        assert yaml.safe_load(workflow.read_text("utf-8"))["permissions"] == {}
        for job in jobs(workflow):
            assert "permissions" in job
            assert "uses" in job or job["timeout-minutes"] <= 120
    checkouts = [step for each in workflows for step in steps(each) if "actions/checkout" in step.get("uses", "")]

    assert {step["with"]["persist-credentials"] for step in checkouts} == {False}
    assert len(checkouts) >= 12


def test_python_is_the_answer_in_the_image_and_in_every_workflow(service: Path, workflows: list[Path]) -> None:
    answer = yaml.safe_load((service / ".copier-answers.yml").read_text("utf-8"))["python_version"]
    text = "".join(each.read_text("utf-8") for each in (service / "Dockerfile", *workflows))

    assert re.findall(r"^FROM python:(\S+)-slim AS base$", text, re.MULTILINE) == [answer]
    assert set(re.findall(r'(?:default|python-version): "([3][.][^"]+)"', text)) == {answer}


def test_free_text_is_in_no_file_that_a_machine_acts_on(service: Path) -> None:
    names = ["Dockerfile", ".dockerignore", ".gitignore", ".gitattributes", "CODEOWNERS", "renovate.json", "Makefile"]
    acted_on = [service / name for name in names]
    acted_on += [path for folder in (".github", "ops") for path in (service / folder).rglob("*") if path.is_file()]

    assert "Zebra" in (service / "README.md").read_text("utf-8")
    assert not [path for path in acted_on if re.search("zebra|quokka", path.read_text("utf-8"), re.IGNORECASE)]


@pytest.mark.parametrize("name", SHARED)
def test_blocks_and_the_owners_places_alternate_with_an_unchanged_line_between(service: Path, name: str) -> None:
    text = (service / name).read_text("utf-8")
    markers = re.findall(r"^\s*# (begin|end) ops\b", text, re.MULTILINE)
    places = BLOCK.split(text)

    assert markers == ["begin", "end"] * (len(places) - 1)
    assert len(places) > 1
    assert all("Yours" in place for place in places[1:-1])
    assert any("Yours" in place for place in places)
    assert not [place for place in places[1:] if place and not place.startswith("\n")]
    assert not [place for place in places[:-1] if place and not place.endswith("\n\n")]


@pytest.mark.parametrize("name", SHARED)
def test_the_owners_lines_at_their_places_and_any_change_of_the_blocks_merge(
    service: Path, tmp_path: Path, name: str
) -> None:
    base = (service / name).read_text("utf-8")
    theirs = BLOCK.sub(lambda block: re.sub(r"(\n)", r" # renewed\1", block[0]), base)
    owners, places = re.subn(r"(?m)^( *)(# Yours\b.*\n)", r"\1\2\1an owner's line\n", base)
    for version, text in (("base", base), ("ours", owners), ("theirs", theirs)):
        (tmp_path / version).write_text(text, "utf-8")

    merged = run("git", "merge-file", "-p", "ours", "base", "theirs", cwd=tmp_path)

    assert merged.returncode == 0
    assert merged.stdout.count("an owner's line\n") == places >= 1
    assert merged.stdout.count(" # renewed\n") == theirs.count(" # renewed\n") > 1


def test_renovate_leaves_alone_just_the_dependency_groups_of_the_templates_block(service: Path) -> None:
    text = (service / "pyproject.toml").read_text("utf-8")
    groups = re.findall(r"(?m)^([\w-]+) = \[$", "".join(BLOCK.findall(text)))
    rules = json.loads((service / "renovate.json").read_text("utf-8"))["packageRules"]
    (off, on) = [rule for rule in rules if rule.get("matchDepTypes") == ["dependency-groups"]]

    assert off["enabled"] is False
    assert on["enabled"] is True
    assert re.findall(r"'([^']+)'", on["matchJsonata"][0]) == groups
    assert set(groups) < set(tomllib.loads(text)["dependency-groups"])


def test_nothing_in_the_dockerfiles_blocks_names_an_image(service: Path) -> None:
    """Bots renew the base image; it stands once, on the owner's line."""
    text = (service / "Dockerfile").read_text("utf-8")

    assert re.findall(r"(?m)^FROM (\S+)", "".join(BLOCK.findall(text))) == ["base", "base"]
    assert set(re.findall(r"--from=(\S+)", text)) == {"builder"}


def test_git_keeps_lf_and_ignores_no_edit_that_was_set_aside(service: Path) -> None:
    run("git", "init", "--quiet", cwd=service)
    (service / "docs/new.md").write_bytes(b"line\r\nline\r\n")
    run("git", "-c", "core.safecrlf=false", "add", "docs/new.md", cwd=service)
    listed = run("git", "ls-files", "--eol", "docs/new.md", cwd=service).stdout
    ignored = run("git", "check-ignore", ".ops-aside/a.patch", "uv.lock", ".venv/a", ".env", cwd=service).stdout
    shutil.rmtree(service / ".git")
    (service / "docs/new.md").unlink()

    assert listed.split()[0] == "i/lf"
    assert ignored.split() == [".venv/a", ".env"]


def test_an_owners_rules_of_format_and_lint_never_reach_the_templates_files(service: Path, tmp_path: Path) -> None:
    project = tmp_path / "service"
    shutil.copytree(service, project)
    settings = (project / "pyproject.toml").read_text("utf-8")
    theirs = (
        '[tool.ruff]\nline-length = 79\nsrc = ["lib"]\nformat.quote-style = "single"\n'
        'lint.extend-select = ["ANN", "D", "COM"]\nlint.isort.force-single-line = true\n'
        'lint.per-file-ignores = { "**/ops/*.py" = ["ALL"], "tests/**" = ["E"] }\n'
    )
    (project / "pyproject.toml").write_text(settings.replace("[tool.ruff]\n", theirs), "utf-8")
    concise = ("--quiet", "--output-format", "concise", ".")

    unformatted = run("ruff", "format", "--check", *concise, cwd=project).stdout
    refused = run("ruff", "check", *concise, cwd=project).stdout

    for found in (unformatted, refused):
        assert "/routes.py:" in found
        assert not [line for line in found.splitlines() if "/ops/" in line or line.startswith("ops/")]


# What follows runs the steps of ops-update.yml in a clone, with stand-ins for `gh` and `make`.

GH = """#!/bin/sh
echo "$*" >>"$STATE/calls"
case "$1 $2" in "pr list") cat "$STATE/number" 2>/dev/null ;; "pr create") echo 7 >"$STATE/number" ;; esac
exit 0
"""
MAKE = """#!/bin/sh
[ "$1" = update ] || exit 0
[ -f "$STATE/refuse" ] && exit 2
for each in "$@"; do case "$each" in REPORT=*) cp "$STATE/report" "${each#REPORT=}" ;; esac; done
cp "$STATE/change" changed.txt
[ ! -f "$STATE/open" ] || exit 2
"""


class Scheduled:
    """A week's run of ops-update.yml: each in a fresh clone of the service."""

    def __init__(self, service: Path, folder: Path) -> None:
        self.folder, self.state, self.origin = folder, folder / "state", folder / "origin"
        for each in ("state", "bin", "home"):
            (folder / each).mkdir()
        for name, text in (("gh", GH), ("make", MAKE)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.scripts = {
            each["name"]: each for each in steps(service / ".github/workflows/ops-update.yml") if "run" in each
        }
        git = ["git", "-c", "user.name=Owner", "-c", "user.email=owner@example.org", "-c", "init.defaultBranch=main"]
        shutil.copytree(service, self.origin)
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Begin"]):
            subprocess.run([*git, *command], cwd=self.origin, check=True)
        self.git = git
        self.says("a first change", "# Report\n")

    def says(self, change: str, report: str = "# Report\n") -> None:
        """What the next update will change and report."""
        (self.state / "change").write_text(change)
        (self.state / "report").write_text(report)

    def update(self) -> "subprocess.CompletedProcess[str]":
        """All steps in order; the result of the one that failed, or of the last."""
        number = len(list(self.folder.glob("clone-*")))
        clone, temporary = self.folder / f"clone-{number}", self.folder / f"temporary-{number}"
        subprocess.run([*self.git, "clone", "--quiet", "--depth=1", f"file://{self.origin}", clone], check=True)
        temporary.mkdir()
        environment = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "STATE": str(self.state),
            "RUNNER_TEMP": str(temporary),
            "GITHUB_OUTPUT": str(temporary / "output"),
            "GITHUB_REPOSITORY": "example/orders",
            "GITHUB_REF_NAME": "main",
            "GIT_TERMINAL_PROMPT": "0",
        }
        for name in ("Install", "Update", "Propose"):
            outputs = temporary / "output"
            status = outputs.read_text().strip().removeprefix("status=") if outputs.exists() else ""
            given = {
                key: {"GH_TOKEN": "", "STATUS": status}.get(key, value)
                for key, value in self.scripts[name].get("env", {}).items()
            }
            done = run("bash", "-e", "-c", self.scripts[name]["run"], cwd=clone, env={**environment, **given})
            if done.returncode:
                break
        return done

    def calls(self, start: str) -> list[str]:
        """What was asked of `gh`."""
        made = (self.state / "calls").read_text().splitlines() if (self.state / "calls").exists() else []
        return [call for call in made if call.startswith(start)]

    def proposed(self, path: str = "changed.txt") -> str:
        """A file's text on the branch."""
        return run("git", "show", f"ops/update:{path}", cwd=self.origin).stdout


@pytest.fixture(scope="module")
def plain(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(source, tmp_path_factory.mktemp("plain") / "service")


@pytest.fixture
def scheduled(plain: Path, tmp_path: Path) -> Scheduled:
    return Scheduled(plain, tmp_path)


def test_an_update_is_proposed_once_and_renewed_every_week(scheduled: Scheduled) -> None:
    first = scheduled.update()
    scheduled.says("a second change")
    second = scheduled.update()

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert scheduled.proposed() == "a second change"
    assert len(scheduled.calls("pr create")) == 1
    assert "--draft" not in scheduled.calls("pr create")[0]
    assert len(scheduled.calls("api --silent --method PATCH repos/example/orders/pulls/7")) == 1


def test_an_update_that_leaves_something_open_is_a_draft_that_says_so(scheduled: Scheduled) -> None:
    (scheduled.state / "open").touch()

    done = scheduled.update()

    assert done.returncode == 0, done.stderr
    assert scheduled.proposed() == "a first change"
    assert "something is open" in scheduled.calls("pr create")[0]
    assert "--draft" in scheduled.calls("pr create")[0]


def test_an_update_that_is_refused_fails_and_proposes_nothing(scheduled: Scheduled) -> None:
    (scheduled.state / "refuse").touch()

    done = scheduled.update()

    assert done.returncode == 2
    assert scheduled.calls("") == []


def test_nothing_is_proposed_where_nothing_changed_and_an_old_proposal_is_closed(scheduled: Scheduled) -> None:
    scheduled.update()
    subprocess.run([*scheduled.git, "merge", "--quiet", "ops/update"], cwd=scheduled.origin, check=True)

    done = scheduled.update()

    assert done.returncode == 0, done.stderr
    assert len(scheduled.calls("pr create")) == 1
    assert scheduled.calls("pr close")[0].startswith("pr close 7")


def test_somebodys_commits_on_the_branch_are_never_overwritten(scheduled: Scheduled) -> None:
    scheduled.update()
    for command in (
        ["switch", "--quiet", "ops/update"],
        ["commit", "--quiet", "--allow-empty", "--message", "Settle a conflict"],
        ["switch", "--quiet", "main"],
    ):
        subprocess.run([*scheduled.git, *command], cwd=scheduled.origin, check=True)
    scheduled.says("a second change")

    done = scheduled.update()

    assert done.returncode == 0, done.stderr
    assert "commits of somebody's" in done.stdout
    assert scheduled.proposed() == "a first change"

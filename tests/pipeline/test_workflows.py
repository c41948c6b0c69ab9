"""The workflows as GitHub reads them, and as linters of security see them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pipeline.github_tools import GitHub
from tests.services import render
from tests.test_platform_files import ANSWERS

pytestmark = pytest.mark.slow

TOOLS = Path(sys.executable).parent
Texts = dict[str, str]


@pytest.fixture(scope="module", params=ANSWERS)
def service(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(source, tmp_path_factory.mktemp("workflows") / "service", **ANSWERS[request.param])


def workflows(service: Path) -> Texts:
    return {file.name: file.read_text("utf-8") for file in (service / ".github/workflows").glob("*.yml")}


def zizmor(service: Path, *options: str) -> list[tuple[str, str]]:
    """Name and severity of what it finds."""
    command: list[str | Path] = [
        TOOLS / "zizmor",
        "--offline",
        "--no-progress",
        "--format=json",
        *options,
        ".github/workflows",
    ]
    done = subprocess.run(command, cwd=service, capture_output=True, text=True, check=False)
    return [(each["ident"], each["determinations"]["severity"]) for each in json.loads(done.stdout)]


def test_githubs_own_parser_and_editor_find_nothing(service: Path, github: GitHub) -> None:
    told = github.parsed(workflows(service))

    assert {name: each["errors"] for name, each in told.items() if each["errors"]} == {}
    assert set(told) >= {"check.yml", "deliver.yml", "release.yml", "rollback.yml", "ops-deploy.yml", "ops-image.yml"}
    assert sum(len(each["steps"]) for each in told.values()) > 40


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("release.yml", "      build: false\n", "", "Input build is required"),
        ("deliver.yml", "environment: dev", "enviroment: dev", "Invalid input, enviroment"),
        ("ops-deploy.yml", "${{ inputs.image }}", "${{ input.image }}", "Unrecognized named-value: 'input'"),
        ("ops-check.yml", "runs-on:", "run-on:", "Unexpected value 'run-on'"),
        ("release.yml", "needs: staging\n", "needs: stageing\n", "stageing"),
    ],
)
def test_githubs_parser_would_find_a_mistake(
    source: Path, tmp_path: Path, github: GitHub, file: str, old: str, new: str, said: str
) -> None:
    texts = workflows(render(source, tmp_path / "service"))
    assert old in texts[file]
    errors = github.parsed({**texts, file: texts[file].replace(old, new, 1)})[file]["errors"]

    assert said in " ".join(errors)


def test_zizmor_finds_nothing_high_for_the_pedantic_and_each_exception_has_a_reason(service: Path) -> None:
    found = zizmor(service, "--persona=pedantic")
    ignored = [line for text in workflows(service).values() for line in text.splitlines() if "zizmor: ignore" in line]

    assert [name for name, severity in found if severity in ("High", "Medium")] == []
    assert all(re.search(r"zizmor: ignore\[[a-z-]+\] - \S.+", line) for line in ignored)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("ops-deploy.yml", "make deploy OUTPUTS", "make deploy X=${{ inputs.image }} OUTPUTS", "template-injection"),
        ("ops-image.yml", r"actions/checkout@\w{40}", "actions/checkout@main", "unpinned-uses"),
        ("deliver.yml", r"secrets:\n( +REGISTRY_.*\n)+", "secrets: inherit\n", "secrets-inherit"),
    ],
)
def test_zizmor_would_find_a_mistake(source: Path, tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    service = render(source, tmp_path / "service")
    workflow = service / ".github/workflows" / file
    changed, count = re.subn(old, new, workflow.read_text("utf-8"), count=1)
    assert count == 1
    workflow.write_text(changed, "utf-8")

    assert said in {name for name, _ in zizmor(service)}


def test_every_step_is_a_verb_that_a_person_can_run(service: Path) -> None:
    """But for what only a pipeline has to do: get tools, remember outputs, ask the forge."""
    targets = set(re.findall(r"^([a-z-]+):", (service / "ops/Makefile").read_text("utf-8"), re.MULTILINE))
    scripts = [
        step["run"]
        for name, text in workflows(service).items()
        if name != "ops-update.yml"
        for job in yaml.safe_load(text)["jobs"].values()
        for step in job.get("steps", [])
        if "run" in step
    ]
    verbs = {verb for script in scripts for verb in re.findall(r"\bmake (?:--silent )?([a-z-]+)", script)}

    assert verbs <= targets
    assert {"check", "test", "slo-test", "manifests", "image", "push", "sign", "sbom", "readiness", "sign-off"} <= verbs
    assert {"deploy", "smoke", "smoke-inside", "load", "watch", "rollback"} <= verbs
    assert {"scan-secrets", "scan-code", "scan-dependencies", "scan-licences", "scan-image"} <= verbs
    assert len([script for script in scripts if "make " not in script]) == 9


def test_a_called_workflow_declares_the_secrets_that_it_uses_and_each_caller_passes_them(service: Path) -> None:
    """GitHub gives it no others: those of its environment would be empty, too."""
    documents = {name: yaml.safe_load(text) for name, text in workflows(service).items()}
    calls = 0
    for name, document in documents.items():
        for title, job in document["jobs"].items():
            called = str(job.get("uses", "")).rpartition("/")[2]
            if called in documents:
                used = set(re.findall(r"\bsecrets\.([A-Z_]+)", workflows(service)[called]))
                declared = documents[called][True]["workflow_call"].get("secrets", {})
                calls += 1

                assert used == set(declared), called
                assert {key: f"${{{{ secrets.{key} }}}}" for key in used} == job.get("secrets", {}), (name, title)
    assert calls >= 9


def test_a_job_installs_before_it_runs_a_verb_that_needs_it(service: Path) -> None:
    makefile = (service / "ops/Makefile").read_text("utf-8")
    rules = re.findall(r"^([a-z-]+):(?! *=)([^\n]*)\n((?:\t[^\n]*\n)+)", makefile, re.MULTILINE)
    needing = {name for name, before, lines in rules if "$(BIN)/" in lines and "$(BIN)/uv" not in before + lines}
    assert {"release-check", "deploy", "watch", "readiness", "manifests"} <= needing
    for name, text in workflows(service).items():
        for title, job in yaml.safe_load(text)["jobs"].items():
            installed = False
            for step in job.get("steps", []):
                verbs = re.findall(r"\bmake (?:--silent )?([a-z-]+)", step.get("run", ""))
                installed = installed or "install" in verbs

                assert installed or not needing & set(verbs), (name, title, verbs)


def test_gitlab_has_the_same_verbs(service: Path) -> None:
    text = (service / ".gitlab-ci.yml").read_text("utf-8")
    done = subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", ".gitlab-ci.yml"],
        cwd=service,
        capture_output=True,
        text=True,
        check=False,
    )
    ours = " ".join(workflows(service)[name] for name in ("ops-check.yml", "ops-deploy.yml", "ops-readiness.yml"))
    verbs = set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", ours)) - {"install", "help"}
    theirs = set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", text))

    assert done.returncode == 0, done.stdout
    assert verbs - theirs == {"image-smoke"}  # a job of GitLab reaches no container that it starts at 127.0.0.1
    assert {"image", "push", "sign", "image-find"} <= theirs


def test_what_was_signed_off_is_what_was_tried_the_same_digest_everywhere(source: Path, tmp_path: Path) -> None:
    """Every deployment of a release takes the image of one job, and that one builds nothing."""
    document = yaml.safe_load(workflows(render(source, tmp_path / "service"))["release.yml"])
    jobs = document["jobs"]
    deployments = {name: job for name, job in jobs.items() if str(job.get("uses", "")).endswith("ops-deploy.yml")}

    assert jobs["image"]["with"] == {"build": False}
    assert list(deployments) == ["staging", "staging-again", "production"]
    assert {job["with"]["image"] for job in deployments.values()} == {"${{ needs.image.outputs.image }}"}
    assert deployments["production"]["with"]["sign-off"] is True
    assert set(deployments["production"]["needs"]) == {"image", "staging-again", "readiness"}
    assert deployments["staging"]["with"]["load"] is True

"""A runner of GitHub's workflows for the tests: it executes a job's `run:` steps for real, and tells the `uses:` steps.

Conditions and expressions are evaluated by GitHub's own evaluator. Actions are not executed: their outputs are given.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.github_tools import GitHub
from tests.services import clean_environment


@dataclass(frozen=True)
class Step:
    """What became of one step: `outcome` is success, failure or skipped."""

    name: str
    outcome: str
    output: str


@dataclass
class Ran:
    """A job that has run."""

    steps: list[Step]
    outputs: dict[str, str]
    summary: str
    used: dict[str, dict[str, str]]

    @property
    def failed(self) -> list[str]:
        """Names of the steps that failed."""
        return [step.name for step in self.steps if step.outcome == "failure"]

    @property
    def made(self) -> list[str]:
        """Names of the steps that were made, whatever came out."""
        return [step.name for step in self.steps if step.outcome != "skipped"]

    def step(self, start: str) -> Step:
        """The step whose name begins so."""
        return next(step for step in self.steps if step.name.startswith(start))

    def told(self) -> str:
        """All output, for messages."""
        return "\n".join(f"== {step.name}: {step.outcome}\n{step.output[-3000:]}" for step in self.steps)


@dataclass
class Runner:
    """Runs jobs of a service's workflows in a clone of it.

    Attributes:
        github: the evaluator.
        project: the clone.
        folder: for temporary files, and `bin/` for stand-ins of programs, which come first on the path.
        variables: further environment of every step.
    """

    github: GitHub
    project: Path
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def stand_in(self, name: str, script: str) -> None:
        """A program of this name for the steps, in place of the real one."""
        file = self.folder / "bin" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(script, "utf-8")
        file.chmod(0o755)

    def real(self, name: str, program: Path) -> None:
        """A real program, by this name."""
        (self.folder / "bin").mkdir(exist_ok=True, parents=True)
        (self.folder / "bin" / name).symlink_to(program)

    def run(
        self,
        workflow: str,
        job: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        given: Mapping[str, Mapping[str, Any]] | None = None,
        actions: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Ran:
        """Run one job of a workflow.

        Args:
            workflow: name of the file.
            job: its key there.
            inputs: in place of the defaults.
            given: further contexts, as `vars`, `secrets` and `github`.
            actions: outputs of `uses:` steps, by what their action's name begins with.
        """
        document = yaml.safe_load((self.project / ".github/workflows" / workflow).read_text("utf-8"))
        work = Work(self, document, document["jobs"][job], inputs or {}, given or {}, actions or {})
        return work.run()


class Work:
    """One job while it runs."""

    def __init__(
        self,
        runner: Runner,
        workflow: dict[str, Any],
        job: dict[str, Any],
        inputs: Mapping[str, Any],
        given: Mapping[str, Mapping[str, Any]],
        actions: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.runner, self.job, self.actions = runner, job, actions
        self.temporary = runner.folder / f"temporary-{len(list(runner.folder.glob('temporary-*')))}"
        self.temporary.mkdir(parents=True)
        for name in ("output", "env", "summary"):
            (self.temporary / f"github-{name}").touch()
        triggers = {str(key): each for key, each in workflow.items()}["True"]  # YAML's `on` is true
        called = triggers.get("workflow_call") or {}
        defaults = {name: each.get("default", "") for name, each in called.get("inputs", {}).items()}
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=runner.project, capture_output=True, text=True, check=True
        )
        github = {
            "sha": commit.stdout.strip(),
            "repository": "example/orders",
            "server_url": "https://github.example",
            "run_id": "7",
            "run_attempt": "1",
            "actor": "somebody",
            "token": "the-token-of-the-run",
        }
        self.context: dict[str, Any] = {
            "inputs": {**defaults, **inputs},
            "steps": {},
            "runner": {"temp": str(self.temporary)},
            "vars": dict(given.get("vars", {})),
            "secrets": dict(given.get("secrets", {})),
            "github": {**github, **given.get("github", {})},
            "env": {},
        }
        self.failed = False
        self.used: dict[str, dict[str, str]] = {}
        self.environment = clean_environment(
            PATH=f"{runner.folder / 'bin'}:{os.environ['PATH']}",
            RUNNER_TEMP=str(self.temporary),
            GITHUB_OUTPUT=str(self.temporary / "github-output"),
            GITHUB_ENV=str(self.temporary / "github-env"),
            GITHUB_STEP_SUMMARY=str(self.temporary / "github-summary"),
            GITHUB_REPOSITORY=self.context["github"]["repository"],
            GITHUB_SHA=self.context["github"]["sha"],
            GITHUB_RUN_ID="7",
            GITHUB_REF_NAME=str(self.context["github"].get("ref_name", "main")),
            CI="true",
            **runner.variables,
        )
        self.environment.pop("MAKEFLAGS", None)

    def run(self) -> Ran:
        """All steps in order."""
        values = self._evaluated({name: str(value) for name, value in (self.job.get("env") or {}).items()})
        self.environment |= {name: str(value) for name, value in values.items()}
        steps = [self._step(step, number) for number, step in enumerate(self.job["steps"])]
        outputs = self._evaluated({name: str(value) for name, value in (self.job.get("outputs") or {}).items()})
        summary = (self.temporary / "github-summary").read_text("utf-8")
        return Ran(steps, outputs, summary, self.used)

    def _evaluated(self, expressions: dict[str, str]) -> dict[str, Any]:
        if not any("${{" in text for text in expressions.values()) and "if" not in expressions:
            return expressions
        files = {pattern: "some" for pattern in _PATTERNS if any(self.runner.project.glob(pattern))}
        return self.runner.github.evaluated(expressions, self.context, files, failed=self.failed)

    def _step(self, step: dict[str, Any], number: int) -> Step:
        name = step.get("name") or step.get("run") or step.get("uses") or str(number)
        texts = {f"env {key}": str(value) for key, value in (step.get("env") or {}).items()}
        texts |= {f"with {key}": str(value) for key, value in (step.get("with") or {}).items()}
        values = self._evaluated({"if": str(step.get("if", "success()")), **texts})
        outcome, output = "skipped", ""
        if values["if"] and "run" in step:
            outcome, output = self._ran(
                step["run"], {key[4:]: value for key, value in values.items() if key[:4] == "env "}
            )
        elif values["if"]:
            outcome = "success"
            self.used[name] = {key[5:]: value for key, value in values.items() if key[:5] == "with "}
        self._keep(step, outcome)
        return Step(name, outcome, output)

    def _keep(self, step: dict[str, Any], outcome: str) -> None:
        written = self.temporary / "github-output"
        pairs = [line.partition("=") for line in written.read_text("utf-8").splitlines()]
        outputs = {key: value for key, _, value in pairs}
        written.write_text("", "utf-8")
        for start, values in self.actions.items():
            if str(step.get("uses", "")).startswith(start) and outcome == "success":
                outputs |= values
        if "id" in step:
            self.context["steps"][step["id"]] = {"outcome": outcome, "conclusion": outcome, "outputs": outputs}
        added = (self.temporary / "github-env").read_text("utf-8").splitlines()
        self.environment |= dict(line.split("=", 1) for line in added if "=" in line)
        self.failed = self.failed or outcome == "failure"

    def _ran(self, script: str, variables: dict[str, str]) -> tuple[str, str]:
        file = self.temporary / "script.sh"
        file.write_text(script, "utf-8")
        environment = {**self.environment, **variables}
        done = subprocess.run(
            [str(shutil.which("bash")), "-e", str(file)],
            cwd=self.runner.project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return "success" if done.returncode == 0 else "failure", done.stdout + done.stderr


_PATTERNS = ("slo.yaml", "deploy/*/kustomization.yaml")

"""What a person or a pipeline says to a verb is never code: not for the shell, and not for make."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services import ROOT, clean_environment, render

OWN = ("PYTHON", "ENGINE", "TOOLS", "COPIER", "PROMTOOL", "GITLEAKS", "GRYPE", "SYFT", "COSIGN", "KUBERNETES")
FLAGS = ("BUILD_FLAGS", "PUSH_FLAGS", "PULL_FLAGS", "AUDIT_FLAGS", "RUN_FLAGS", "DIRTY", "PUBLISHED")
HOSTILE = (
    "x; touch pwned #",
    "`touch pwned`",
    "$$(touch pwned)",
    "$(shell touch pwned)",
    '"; touch pwned; "',
    "'; touch pwned; '",
)
VERBS = {
    "slo-report": ("PROMETHEUS", "OUT"),
    "silence": ("ALERTMANAGER", "END", "MINUTES"),
    "watch": ("PROMETHEUS", "MINUTES", "SINCE"),
    "push": ("TAG", "DIGEST_FILE", "VERSION"),
    "image-find": ("TAG", "WAIT", "DIGEST_FILE"),
    "image-smoke": ("SMOKE_PORT", "VERSION"),
    "release-check": ("TAG",),
    "scan-image": ("IMAGE_REF",),
    "sbom": ("IMAGE_REF", "OUT"),
    "sign": ("IMAGE_REF",),
    "deploy": ("ENVIRONMENT", "IMAGE_REF", "TIMEOUT", "OUTPUTS"),
    "rollback": ("ENVIRONMENT", "FROM", "UNLESS", "TO"),
    "promote": ("ENVIRONMENT",),
    "smoke-inside": ("ENVIRONMENT", "VERSION"),
    "smoke-restored": ("ENVIRONMENT", "WAIT"),
    "sign-off": ("ENVIRONMENT", "IMAGE_REF", "VERSION", "COMMIT", "READINESS", "OUT", "RUN", "APPROVALS", "BY"),
    "smoke": ("URL", "VERSION", "COMMIT", "WAIT", "TOKEN_FILE", "CA", "JUNIT", "JSON"),
    "readiness": ("GATE", "EXPLAIN", "ONLY", "KIND", "HTML", "MARKDOWN", "JSON", "JUNIT", "SARIF", "BADGE"),
    "test": ("TESTS",),
    "update": ("TO", "DATA", "REPORT"),
}


@pytest.fixture(scope="module")
def service(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service whose tools do nothing: what is tried is what reaches the shell."""
    project = render(source, tmp_path_factory.mktemp("words") / "orders")
    (project / ".venv/bin").mkdir(parents=True)
    for name in ("python", "uv", "coverage"):
        (project / ".venv/bin" / name).write_text("#!/bin/sh\nexit 0\n")
        (project / ".venv/bin" / name).chmod(0o755)
    return project


@pytest.mark.parametrize("verb", VERBS)
def test_no_word_given_to_a_verb_runs_as_a_command(service: Path, verb: str) -> None:
    (service / "pwned").unlink(missing_ok=True)
    true = shutil.which("true")
    tools = [f"{name}={true}" for name in ("ENGINE", "SYFT", "GRYPE", "COSIGN", "PROMTOOL")]
    for variable in VERBS[verb]:
        for hostile in HOSTILE:
            command = ["make", "--silent", verb, f"{variable}={hostile}", *tools]
            subprocess.run(command, cwd=service, env=clean_environment(), capture_output=True, check=False, timeout=60)
            assert not (service / "pwned").exists(), command


def test_every_variable_that_a_verb_takes_is_tried_here() -> None:
    text = (ROOT / "template/ops/Makefile").read_text("utf-8")
    taken = set(re.findall(r"\$\((?:value|call given,--[a-z-]+,|origin) ?([A-Z_]+)\)", text))
    tried = {variable for variables in VERBS.values() for variable in variables}

    assert taken - tried - {*OWN, *FLAGS} - {"SOURCE", "LICENCES_REFUSED", "PROFILE"} == set()
    assert {"TAG", "ENVIRONMENT", "URL", "GATE"} <= taken


def test_a_gate_that_is_empty_is_handed_on_and_refused_not_left_out(service: Path) -> None:
    """A pipeline's variable that is not set must not turn the gate into a look."""
    told = [
        subprocess.run(
            ["make", "--dry-run", "readiness", *given],
            cwd=service,
            env=clean_environment(**variables),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for given, variables in (
            (["GATE="], {}),
            ([], {"GATE": ""}),
            (["GATE=production"], {}),
            ([], {"GATE": "production"}),
            ([], {}),
        )
    ]

    assert ["--gate ''" in each for each in told] == [True, True, False, False, False]
    assert ["--gate" in each for each in told] == [True, True, True, True, False]

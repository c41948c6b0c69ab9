"""The rendered project's own habits hold: in the default render, and in the one farthest from it."""

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests import services
from tests.test_render import FARTHEST

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def farthest(shared: Path, source: Path) -> Path:
    """A service whose every answer differs from the default, installed."""
    project = services.render(source, shared / "farthest", **FARTHEST)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    return services.sync(project)


def make(project: Path, *targets: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in services.clean_environment().items() if name != "MAKEFLAGS"}
    command = ["make", *targets, f"PYTHON={sys.executable}"]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_make_check_and_test_pass(farthest: Path) -> None:
    """In the default render, `tests/pipeline/test_pull_request.py` runs them, in a clean clone."""
    done = make(farthest, "check", "test")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "TOTAL" in done.stdout


def test_the_linter_refuses_ops_code_that_reaches_for_the_owners(orders: Path) -> None:
    wrong = orders / "src" / "orders" / "ops" / "wrong.py"
    wrong.write_text('"""Wrong."""\n\nfrom ..routes import router as router\n')
    try:
        done = make(orders, "check")
    finally:
        wrong.unlink()

    assert done.returncode != 0
    assert "TID252" in done.stdout


def test_verbs_come_one_after_the_other_even_where_make_is_told_to_run_many_at_once(orders: Path) -> None:
    """`make install check` would check with tools that are not there yet."""
    own = orders / "own.mk"
    own.write_text("include ops/Makefile\nslow:\n\t@sleep 0.5; echo slow\nquick:\n\t@echo quick\n")
    try:
        done = make(orders, "--jobs=8", "--file=own.mk", "slow", "quick")
    finally:
        own.unlink()

    assert [line for line in done.stdout.splitlines() if line in ("slow", "quick")] == ["slow", "quick"]


def test_the_type_checker_is_strict(orders: Path) -> None:
    wrong = orders / "src" / "orders" / "wrong.py"
    wrong.write_text('"""Wrong."""\n\n\ndef untyped(value):\n    return value\n')
    try:
        done = make(orders, "check")
    finally:
        wrong.unlink()

    assert done.returncode != 0
    assert "Function is missing a type annotation" in done.stdout


def test_a_warning_fails_the_tests(orders: Path) -> None:
    test = orders / "tests" / "test_wrong.py"
    test.write_text('import warnings\n\n\ndef test_wrong() -> None:\n    warnings.warn("old")\n')
    try:
        done = make(orders, "test", "TESTS=tests/test_wrong.py")
    finally:
        test.unlink()

    assert done.returncode != 0
    assert "UserWarning: old" in done.stdout


def test_code_that_no_test_reaches_fails_the_tests(orders: Path) -> None:
    """However well the template's own code is covered."""
    untested = orders / "src/orders/untested.py"
    untested.write_text("def told(number: int) -> str:\n" + '    if number:\n        return "no"\n' * 20)
    try:
        some = make(orders, "test", "TESTS=tests/test_routes.py")
        every = make(orders, "test")
    finally:
        untested.unlink()

    assert some.returncode == 0
    assert "ops/" not in some.stdout.partition("coverage report")[2].partition("\n")[2]
    assert every.returncode == 2
    assert "less than fail-under" in every.stdout + every.stderr


def test_a_stale_reference_fails_the_tests_and_make_docs_renews_it(orders: Path) -> None:
    page = orders / "docs" / "configuration.md"
    before = page.read_text()
    page.write_text(before.replace("APP_PORT", "APP_PROT"))
    stale = subprocess.run(
        [orders / ".venv/bin/python", "-m", "pytest", "-q", "tests/ops/test_reference.py"],
        cwd=orders,
        capture_output=True,
        text=True,
        check=False,
    )
    renewed = make(orders, "docs")

    assert stale.returncode != 0
    assert "make docs" in stale.stdout
    assert renewed.returncode == 0
    assert page.read_text() == before


def test_make_run_serves_for_development_and_ends_with_sigterm(orders: Path) -> None:
    port = services.free_port()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=orders,
        env=services.clean_environment(APP_PORT=str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    service = services.Running(process, port)
    try:
        services.until(lambda: service.get("/readyz").status_code == 200, "readiness", 20)
        answer = service.get("/status", headers={"Authorization": "Bearer a-token-for-development-only"})
        process.terminate()
        process.wait(10)

        assert answer.status_code == 200
        with pytest.raises(httpx2.ConnectError):
            service.get("/livez")
    finally:
        service.end()

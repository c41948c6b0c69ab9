"""What the documents say is done here: their commands run, their code is checked, their links lead somewhere."""

import json
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.services import ROOT, Running, clean_environment, free_port, serving, until

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shell(command: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in clean_environment(**variables).items() if name != "MAKEFLAGS"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def consoles(page: Path) -> list[str]:
    """The commands of a page's `console` blocks, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [re.sub(r"\s+# .*", "", line) for block in blocks for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of this repository, in an empty folder of its own."""
    destination = tmp_path_factory.mktemp("fresh") / "shipshape"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(destination)], check=True)
    return destination


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_make_demo_in_a_fresh_clone_serves_says_how_to_use_it_and_ends_cleanly(
    clone: Path, ending: signal.Signals
) -> None:
    port = free_port()
    process = subprocess.Popen(
        ["make", "demo", f"PORT={port}"],
        cwd=clone,
        env={name: value for name, value in clean_environment().items() if name != "MAKEFLAGS"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    service = Running(process, port)
    try:
        until(lambda: process.poll() is not None or service.get("/readyz").status_code == 200, "readiness", 180)
        if ending == signal.SIGINT:  # as a terminal's Ctrl-C: to all processes in the foreground
            subprocess.run(["kill", "-INT", "--", f"-{process.pid}"], check=True)
            output, _ = process.communicate(timeout=20)
        else:
            said = [
                re.sub(r":\d+/", f":{port}/", line.strip())
                for line in (clone / "tests/demo.sh").read_text().splitlines()
            ]
            commands = [line.replace("$2", str(port)) for line in said if line.startswith("curl")]
            answers = [shell(f"{command} --silent --fail-with-body", clone).returncode for command in commands]
            assert answers == [0, 0, 0, 0]
            process.terminate()
            output, _ = process.communicate(timeout=20)
    finally:
        service.end()

    assert b"Authorization: Bearer" in output
    assert b"Traceback" not in output
    assert b"stopped" in output
    with pytest.raises(httpx2.ConnectError):
        service.get("/livez")


@pytest.mark.slow
def test_make_demo_removes_no_change_of_its_users_and_says_when_its_port_is_taken(clone: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = shell(f"make demo PORT={taken.getsockname()[1]}", clone)
    (clone / "demo" / "mine.txt").write_text("keep")
    changed = shell(f"make demo PORT={free_port()}", clone)

    assert busy.returncode != 0
    assert "is in use" in busy.stderr
    assert changed.returncode != 0
    assert "changes of yours" in changed.stderr
    assert (clone / "demo" / "mine.txt").exists()


@pytest.mark.slow
def test_the_readmes_way_to_start_a_service_works(clone: Path) -> None:
    command = next(line for line in consoles(clone / "README.md") if "copier copy" in line)
    done = shell(f"make install && {command} --defaults --data service_name=orders", clone)

    assert done.returncode == 0, done.stderr
    assert "make install check test" in done.stdout + done.stderr
    assert (clone.parent / "orders" / "src" / "orders" / "app.py").is_file()


def test_the_test_command_of_the_readme_is_what_ci_runs() -> None:
    assert "make test" in consoles(ROOT / "README.md")
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()
    assert "bash .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.slow
def test_the_curl_lines_of_a_services_readme_work(orders: Path) -> None:
    commands = [line for line in consoles(orders / "README.md") if line.startswith("curl")]
    with serving(
        orders, "--config", "config/dev.yaml", env={"APP_STATUS__TOKENS": '["a-token-for-development-only"]'}
    ) as service:
        answers = [
            shell(command.replace(":8000", f":{service.port}") + " --silent --fail-with-body", orders)
            for command in commands
        ]

    assert len(answers) == 3
    assert [answer.returncode for answer in answers] == [0, 0, 0]


@pytest.mark.slow
def test_a_status_token_made_and_hashed_as_the_page_says_opens_the_status_route(orders: Path) -> None:
    page = (orders / "docs" / "operations.md").read_text("utf-8")
    make = re.search(r"`(python -c \"import secrets[^`]+)`", page)
    digest = re.search(r"`(printf %s [^`]+)`", page)
    assert make
    assert digest
    token = shell(make[1], orders).stdout.strip()
    hashed = shell(digest[1], orders, TOKEN=token).stdout.split()[0]
    with serving(orders, env={"APP_STATUS__TOKENS": json.dumps([f"sha256:{hashed}"])}) as service:
        answer = service.get("/status", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200


@pytest.mark.slow
def test_the_exit_codes_levels_and_metrics_of_the_operations_page_are_true(orders: Path) -> None:
    page = (orders / "docs" / "operations.md").read_text("utf-8")
    levels = re.findall(r"`APP_LOG__LEVELS='([^']+)'`", page)
    with serving(orders, env={"APP_LOG__LEVELS": levels[1]}) as service:
        service.get("/v1/vat-rates/NO")
        exposed = service.get("/metrics").text
        service.stop()
    rows = re.findall(r"^\| (`[^|]+) \|", page.split("## Metrics")[1].split("##")[0], re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)", row)]

    assert len(levels) == 2
    assert all(isinstance(json.loads(level), dict) for level in levels)
    assert not service.logged(event="request")
    assert [name for name in names if name not in exposed and not name.startswith("http_client")] == []


@pytest.mark.slow
def test_the_code_of_the_start_page_passes_strict_type_checks_and_serves(orders: Path, tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "start.md").read_text("utf-8"), re.DOTALL)
    assert code
    project = tmp_path / "orders"
    shutil.copytree(orders, project, ignore=shutil.ignore_patterns(".venv", ".git", ".mypy_cache"))
    app = project / "src" / "orders" / "app.py"
    imports = app.read_text().split("from .ops import")[0]
    snippet = re.sub(r"^   ", "", code[1], flags=re.MULTILINE)
    app.write_text(
        f"{imports}{snippet.split(chr(10))[0]}\nfrom .routes import router\nfrom .settings import Settings\n"
        + snippet.split("\n", 1)[1]
    )
    python = orders / ".venv" / "bin" / "python"
    types = subprocess.run(
        [python, "-m", "mypy", "--strict", "src"], cwd=project, capture_output=True, text=True, check=False
    )
    serves = subprocess.run(
        [python, "-m", "pytest", "-q", "tests/test_routes.py"], cwd=project, capture_output=True, text=True, check=False
    )

    assert types.returncode == 0, types.stdout
    assert serves.returncode == 0, serves.stdout

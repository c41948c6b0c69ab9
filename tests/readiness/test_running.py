"""How the live rows take services that are not the fresh render: changed by owners, or made with other answers."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.readiness.mutating import edit
from tests.readiness.mutations_twelve_factor import APP, in_create_app
from tests.services import clean_environment, render, until

pytestmark = pytest.mark.slow

SETTING = '    currency: str = Field(default="EUR"'
SECRET = "postgresql://app:a-secret-of-this-test@127.0.0.1/orders"


@pytest.fixture
def copy(fresh: Path, tmp_path: Path) -> Path:
    """A copy of the fresh service to change."""
    return shutil.copytree(fresh, tmp_path / "orders")


@pytest.fixture(scope="module")
def python(orders: Path) -> Path:
    """An interpreter that has what a service needs."""
    return orders / ".venv/bin/python"


def looked(python: Path, root: Path, *rows: str) -> dict[str, dict[str, Any]]:
    """These live rows, or all of them, by id."""
    which = ["--only", ",".join(rows)] if rows else ["--kind", "live"]
    done = subprocess.run(
        [str(python), "-m", "ops.readiness", *which, "--json"],
        cwd=root,
        env=clean_environment(PYTHONPATH=str(root / "src")),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    return {row["id"]: row for row in json.loads(done.stdout)["rows"]}


def states(rows: dict[str, dict[str, Any]]) -> set[str]:
    return {row["state"] for row in rows.values()}


def test_a_service_that_does_not_start_fails_the_row_on_starting_and_no_other(copy: Path, python: Path) -> None:
    in_create_app(copy, f'raise RuntimeError("no way to {SECRET}")')

    rows = looked(python, copy)

    failed = {id_ for id_, row in rows.items() if row["state"] == "fail"}
    assert failed == {"twelve-factor-disposability"}
    assert "ended with 3" in rows["twelve-factor-disposability"]["seen"]
    assert rows["workers"]["state"] == "cannot tell"
    assert rows["workers"]["seen"].startswith("the service does not start: ended with 3: ")
    assert "a-secret-of-this-test" not in json.dumps(rows)


def test_a_setting_that_has_no_default_is_given_by_readiness_yaml_and_told_by_no_row(copy: Path, python: Path) -> None:
    edit(copy, "src/orders/settings.py", "from pydantic import Field", "from pydantic import Field, SecretStr")
    edit(copy, "src/orders/settings.py", SETTING, f'    database: SecretStr = Field(description="Where.")\n{SETTING}')
    missing = looked(python, copy, "config-defaults", "workers")
    (copy / "readiness.yaml").write_text(f"live:\n  env:\n    APP_DATABASE: {SECRET}\n", "utf-8")

    rows = looked(python, copy, "config-defaults", "config-env", "twelve-factor", "workers", "drain", "status-token")

    assert states(missing) == {"cannot tell"}
    assert "database: no value; set APP_DATABASE" in missing["workers"]["seen"]
    assert states(rows) == {"pass"}, rows
    assert "but for APP_DATABASE, as readiness.yaml gives" in rows["config-defaults"]["seen"]
    assert "a-secret-of-this-test" not in json.dumps(rows)


def test_middleware_that_keeps_strangers_out_does_not_keep_the_checks_out(copy: Path, python: Path) -> None:
    edit(
        copy,
        APP,
        "    app.include_router(router)\n",
        "    from starlette.responses import Response\n\n"
        '    @app.middleware("http")\n'
        "    async def closed(request, call_next):\n"
        '        known = request.url.path.startswith("/v1/")\n'
        "        return await call_next(request) if known else Response(status_code=401)\n\n"
        "    app.include_router(router)\n",
    )

    rows = looked(python, copy)

    assert {id_: row for id_, row in rows.items() if row["state"] in ("fail", "cannot tell")} == {}


def test_an_application_in_which_the_checks_find_no_place_is_told_and_fails_no_row(copy: Path, python: Path) -> None:
    edit(
        copy,
        APP,
        "    return app\n",
        "    async def whole(scope, receive, send):\n        await app(scope, receive, send)\n\n    return whole\n",
    )

    rows = looked(python, copy, "workers", "drain", "log-sensitive", "health", "config-env", "smoke", "status-token")

    assert {id_ for id_, row in rows.items() if row["state"] == "pass"} == {"config-env", "smoke", "status-token"}
    assert {row["state"] for row in rows.values()} == {"pass", "cannot tell"}
    assert rows["workers"]["seen"] == "a route that the check adds is answered 404"


def test_a_service_of_another_name_package_and_answers_passes(source: Path, tmp_path: Path, python: Path) -> None:
    root = render(
        source,
        tmp_path / "stock",
        service_name="stock-keeping",
        package_name="warehouse",
        personal_data="no",
        python_version="3.11",
        availability_target="95",
    )
    derive = [str(python), "-m", "ops.slo", "make"]
    subprocess.run(derive, cwd=root, check=True, env=clean_environment(), capture_output=True)

    rows = looked(python, root)

    assert {id_: row for id_, row in rows.items() if row["state"] in ("fail", "cannot tell")} == {}


def test_without_requests_and_without_a_file_of_configuration_the_other_rows_pass(copy: Path, python: Path) -> None:
    (copy / "smoke.yaml").unlink()
    (copy / "config/dev.yaml").unlink()

    rows = looked(python, copy, "smoke", "sli", "workers", "config-file", "twelve-factor-port-binding")

    assert {id_ for id_, row in rows.items() if row["state"] != "pass"} == {"smoke"}
    assert rows["smoke"]["seen"] == "smoke.yaml: No such file or directory"
    assert "smoke.yaml lists no request of the service's own" in rows["sli"]["seen"]


def children_of(session: int) -> Iterator[int]:
    """Processes of the service that were started below this process, in whatever session."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text("ascii").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if b"ops.readiness.hosted" in command and parent == session:
            yield int(folder.name)


def test_a_run_that_is_killed_leaves_no_process_behind(copy: Path, python: Path, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [str(python), "-m", "ops.readiness", "--only", "drain", "--json"],
        cwd=copy,
        env=clean_environment(PYTHONPATH=str(copy / "src"), TMPDIR=str(tmp_path)),  # its folder stays
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started: list[int] = until(lambda: list(children_of(run.pid)), "a service that was started", 20)
    run.send_signal(signal.SIGKILL)
    run.wait(10)

    until(lambda: not any(_alive(pid) for pid in started), "their end", 20)


def test_a_run_leaves_no_folder_and_no_process_behind(copy: Path, python: Path, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = subprocess.run(
        [str(python), "-m", "ops.readiness", "--only", "workers,twelve-factor", "--json"],
        cwd=copy,
        env=clean_environment(PYTHONPATH=str(copy / "src"), TMPDIR=str(folder)),
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert json.loads(done.stdout)["rows"]
    assert list(folder.iterdir()) == []
    before = subprocess.run(["git", "status", "--short"], cwd=copy, capture_output=True, text=True, check=True).stdout
    assert before == ""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in (Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2][:3])

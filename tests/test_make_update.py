"""docs/update.md, as its reader follows it: the verbs of an installed service, with the tools it brings itself."""

import json
import re
from pathlib import Path

import pytest

from tests.services import ROOT, TOKEN, install, run, serving
from tests.test_docs import consoles, shell
from tests.updates import FIRST, SECOND, born, commit, git, two_releases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed service of the first release, everything committed, its lock file too."""
    folder = tmp_path_factory.mktemp("make-update")
    project = install(born(two_releases(folder / "template"), folder / "orders"))
    commit(project, "installed")
    return project


def test_the_pages_commands_forecast_update_and_complete_a_service_which_then_passes_its_checks(service: Path) -> None:
    """Without the template's own tests, which services of more history pass whole in `test_update_owners.py`."""
    forecast, update = consoles(ROOT / "docs" / "update.md")
    page = (ROOT / "docs" / "update.md").read_text("utf-8")
    complete = re.search(r"run `(make install [a-z ]+)`, and commit", page)
    assert complete

    forecasted = shell(forecast, service)
    assert forecasted.returncode == 0, forecasted.stderr
    assert f"{FIRST} → {SECOND} (forecast: nothing was changed)" in forecasted.stdout
    assert git(service, "status", "--porcelain") == ""

    updated = shell(f"{update} REPORT=../report.md", service)
    assert updated.returncode == 0, updated.stderr
    assert f"# Template {FIRST} → {SECOND}" in updated.stdout
    assert (service.parent / "report.md").read_text("utf-8") in updated.stdout

    completed = shell(f"{complete[1]} TESTS=tests/test_routes.py", service)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    commit(service, "updated")


def test_answers_are_changed_and_a_version_is_chosen_as_the_page_says(service: Path) -> None:
    page = (ROOT / "docs" / "update.md").read_text("utf-8")
    data = re.search(r'`(make update DATA="[^`]+")`', page)
    assert data

    changed = shell(f"{data[1]} TO={SECOND}", service)

    assert changed.returncode == 0, changed.stderr
    assert json.loads((service / "src/orders/ops/answers.json").read_text())["latency_target_ms"] == 200
    assert "owner_email: shop@example.org" in (service / ".copier-answers.yml").read_text()
    commit(service, "changed")


def test_nothing_is_pending_after_it_and_an_edit_of_the_templates_is_told_by_make_check(service: Path) -> None:
    assert "Nothing was pending." in shell("make migrate", service).stdout
    file = service / "src/orders/ops/context.py"
    file.write_text(file.read_text() + "\n# mine\n")

    checked = shell("make check", service)

    git(service, "checkout", "--quiet", ".")
    assert checked.returncode != 0
    assert "src/orders/ops/context.py was edited; instead: use what" in checked.stderr


def test_the_service_shows_the_templates_version_in_its_command_its_status_and_its_metrics(service: Path) -> None:
    assert f"template {SECOND})" in run(service, "version").stdout
    with serving(service, env={"APP_STATUS__TOKENS": json.dumps([TOKEN])}) as running:
        (info,) = running.metric("service_info")

        assert running.status()["template_version"] == SECOND
        assert f'template_version="{SECOND}"' in info


def test_the_ways_back_that_the_page_names_are_there(service: Path) -> None:
    page = (ROOT / "docs" / "update.md").read_text("utf-8")
    back = re.search(r"To take it all back: `([^`]+)`", page)
    assert back
    (service / "src/orders/routes.py").write_text("torn")
    (service / "new").touch()

    assert shell(back[1], service).returncode == 0
    assert git(service, "status", "--porcelain") == ""

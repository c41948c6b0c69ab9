"""`make update` in odd surroundings: it works, or it refuses with what would help, and never leaves a mess."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import copier
import pytest

from tests.locks import UV
from tests.patched import executable
from tests.quick import quick
from tests.services import clean_environment
from tests.updates import FIRST, SECOND, born, commit, edit, git, hooks, run, tree, two_releases

pytestmark = pytest.mark.slow

ROUTES = "src/orders/routes.py"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_releases(tmp_path_factory.mktemp("history") / "template")


@pytest.fixture(scope="module")
def newborn(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return born(template, tmp_path_factory.mktemp("newborn") / "orders")


@pytest.fixture(scope="module")
def updated(newborn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed update makes of it, in a process of its own: the other ones here are forks of a warm one."""
    project = tmp_path_factory.mktemp("updated") / "orders"
    shutil.copytree(newborn, project)
    run(sys.executable, "-B", *MAKE_UPDATE, cwd=project, UV=str(UV))
    return project


@pytest.fixture(scope="module")
def completed(newborn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed plain `copier update` and `make migrate` make of it."""
    project = tmp_path_factory.mktemp("completed") / "orders"
    shutil.copytree(newborn, project)
    run(sys.executable, *UPDATE, cwd=project, UV=str(UV))
    hooks(project, "migrate", check=True)
    return project


@pytest.fixture(scope="module")
def copied(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed `copier copy` makes."""
    project = tmp_path_factory.mktemp("copied") / "orders"
    project.mkdir()
    run(sys.executable, *COPY, str(template), ".", cwd=project, UV=str(UV))
    return project


@pytest.fixture
def service(newborn: Path, tmp_path: Path) -> Path:
    shutil.copytree(newborn, tmp_path / "orders")
    return tmp_path / "orders"


def test_copies_and_updates_of_these_tests_that_leave_out_repetitions_are_those_of_a_process_of_its_own(
    service: Path, copied: Path, updated: Path, completed: Path, tmp_path: Path
) -> None:
    assert tree(service) == tree(copied)
    shutil.copytree(service, tmp_path / "plain")
    plain_update(tmp_path / "plain")
    assert hooks(tmp_path / "plain", "migrate").returncode == 0
    assert tree(tmp_path / "plain") == tree(completed)
    assert hooks(service, "update").returncode == 0
    assert tree(service) == tree(updated)


def plain_update(project: Path, **data: str) -> None:
    """`copier update`, as `UPDATE` runs it."""
    with quick():
        copier.run_update(project, data, defaults=True, skip_answered=True, overwrite=True, quiet=True)


def answers(project: Path, key: str) -> str:
    lines = (project / ".copier-answers.yml").read_text().splitlines()
    return next(line.removeprefix(f"{key}: ") for line in lines if line.startswith(f"{key}: "))


def refused(project: Path, *arguments: str) -> str:
    """What it says; it has changed nothing."""
    before = tree(project)
    done = hooks(project, "update", *arguments)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert tree(project) == before
    return done.stderr


def test_an_undisturbed_update_brings_the_second_release_and_leaves_nothing_open(updated: Path) -> None:
    assert answers(updated, "_commit") == SECOND
    assert (updated / "src/orders/ops/added.py").exists()
    assert (updated / "docs/second.md").read_text() == "# Second\n"
    assert hooks(updated, "check").returncode == 0


def test_a_forecast_tells_the_same_and_touches_nothing(service: Path, tmp_path: Path) -> None:
    before = tree(service)

    done = hooks(service, "update", "--check", "--json", str(tmp_path / "forecast.json"))

    report = json.loads((tmp_path / "forecast.json").read_text())
    assert done.returncode == 0
    assert (report["old"], report["new"], report["seeds"]) == (FIRST, SECOND, ["docs/second.md"])
    assert "src/orders/ops/slots.py" in report["renewed"]
    assert tree(service) == before
    assert git(service, "status", "--porcelain") == ""


def test_a_second_update_changes_nothing(updated: Path, tmp_path: Path) -> None:
    shutil.copytree(updated, tmp_path / "orders")
    commit(tmp_path / "orders", "updated")
    before = tree(tmp_path / "orders")

    assert hooks(tmp_path / "orders", "update").returncode == 0
    assert tree(tmp_path / "orders") == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / ROUTES).write_text("x"), ["not committed", ROUTES, "stash"]),
        (lambda root: (root / "new.txt").touch(), ["not committed", "new.txt"]),
        (lambda root: shutil.rmtree(root / ".git"), ["no git repository", "git init"]),
    ],
)
def test_a_tree_that_could_not_be_taken_back_is_refused(
    service: Path, spoil: Callable[[Path], object], words: list[str]
) -> None:
    spoil(service)

    said = refused(service)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (".copier-answers.yml", None, [".copier-answers.yml is not committed"]),
        (".copier-answers.yml", "x: 1\n", ["does not name the template"]),
        (".copier-answers.yml", "{", [".copier-answers.yml is no YAML"]),
        (
            ".copier-answers.yml",
            "_commit: v0.9.9\n_src_path: TEMPLATE\nservice_name: orders\n",
            ["fetch --tags", "v0.9.9"],
        ),
        (".copier-answers.yml", "_commit: v1.0.0\n_src_path: /nowhere/at/all\n", ["/nowhere/at/all", "_src_path"]),
        ("ops/manifest.json", "{", ["ops/manifest.json", "git's history"]),
        (".ops.json", "[]", [".ops.json", "git's history"]),
    ],
)
def test_what_an_update_needs_and_does_not_find_is_named_with_the_remedy(
    service: Path, template: Path, file: str, text: str | None, words: list[str]
) -> None:
    if text is None:
        (service / file).unlink()
    else:
        (service / file).write_text(text.replace("TEMPLATE", str(template)))
    commit(service, "spoilt")

    said = refused(service)
    assert all(word in said for word in words), said


def test_an_unknown_version_a_downgrade_and_a_bad_answer_are_refused_in_a_sentence(
    updated: Path, tmp_path: Path
) -> None:
    service = tmp_path / "orders"
    shutil.copytree(updated, service)
    commit(service, "updated")

    assert "v9.9.9" in refused(service, "--to", "v9.9.9")
    assert "owngrad" in refused(service, "--to", FIRST)
    assert "latency_target_ms" in refused(service, "--data", "latency_target_ms=fast")
    assert "KEY=VALUE" in refused(service, "--data", "latency_target_ms")


def test_a_template_that_lost_its_old_tag_is_told_apart_from_one_that_is_gone(
    service: Path, template: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{template}", "shallow")
    file = service / ".copier-answers.yml"
    file.write_text(file.read_text().replace(str(template), str(tmp_path / "shallow")))
    commit(service, "another address")

    assert "git fetch --tags" in refused(service)


def test_a_shallow_clone_of_the_service_is_updated_as_a_whole_one(newborn: Path, updated: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{newborn}", "orders")

    assert hooks(tmp_path / "orders", "update").returncode == 0
    assert tree(tmp_path / "orders") == tree(updated)


def test_a_service_in_a_folder_of_a_larger_repository_is_updated_there_alone(
    newborn: Path, updated: Path, tmp_path: Path
) -> None:
    service = tmp_path / "services/orders"
    shutil.copytree(newborn, service, ignore=shutil.ignore_patterns(".git"))
    (tmp_path / "services/other").mkdir()
    (tmp_path / "services/other/file").write_text("x")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "all")
    (tmp_path / "services/other/file").write_text("another team is working here")

    assert hooks(service, "update").returncode == 0
    assert tree(service) == tree(updated)
    assert git(tmp_path, "diff", "--name-only", "services/other") == "services/other/file"


def test_a_detached_head_is_updated(service: Path, updated: Path) -> None:
    git(service, "checkout", "--quiet", "--detach")

    assert hooks(service, "update").returncode == 0
    assert tree(service) == tree(updated)


def test_windows_line_ends_in_the_services_files_stay_and_conflict_with_nothing(service: Path, updated: Path) -> None:
    (service / ".gitattributes").unlink()
    commit(service, "no rule for line ends")
    paths = [".gitignore", "pyproject.toml", "src/orders/ops/slots.py", ROUTES]
    for path in paths:
        (service / path).write_bytes((service / path).read_bytes().replace(b"\n", b"\r\n"))
    commit(service, "by an editor of another system")

    done = hooks(service, "update")

    assert done.returncode == 0, done.stdout
    for path in paths:
        content = (service / path).read_bytes()
        assert content.count(b"\n") == content.count(b"\r\n"), path
        assert content.replace(b"\r\n", b"\n") == (updated / path).read_bytes(), path


def test_a_relative_path_of_the_template_is_one_from_the_services_folder_and_stays_as_it_was(
    template: Path, updated: Path, tmp_path: Path
) -> None:
    shutil.copytree(template, tmp_path / "template")
    service = born(template, tmp_path / "orders")
    file = service / ".copier-answers.yml"
    file.write_text(file.read_text().replace(f"_src_path: {template}", "_src_path: ../template"))
    commit(service, "a relative path")

    assert hooks(service, "update").returncode == 0
    assert answers(service, "_src_path") == "../template"
    assert {name: text for name, text in tree(service).items() if name != ".copier-answers.yml"} == {
        name: text for name, text in tree(updated).items() if name != ".copier-answers.yml"
    }


def test_changed_answers_are_delivered_once_and_the_owners_files_that_show_the_old_are_named(
    service: Path, template: Path, tmp_path: Path
) -> None:
    new = {"owner_email": "shop@example.org", "latency_target_ms": "250", "description": 'All "orders" & more'}
    data = [option for key, value in new.items() for option in ("--data", f"{key}={value}")]

    done = hooks(service, "update", *data, "--json", str(tmp_path / "report.json"))

    report = json.loads((tmp_path / "report.json").read_text())
    fresh = tree(born(template, tmp_path / "fresh", SECOND, **new))
    assert done.returncode == 0, done.stdout
    assert set(report["answers"]) == set(new)
    assert any("README.md" in item and "owner_email" in item for item in report["by_hand"])
    for path in (".copier-answers.yml", "pyproject.toml", "src/orders/ops/answers.json", "ops/manifest.json"):
        assert tree(service)[path] == fresh[path], path
    commit(service, "new answers")
    before = tree(service)
    assert hooks(service, "update").returncode == 0
    assert tree(service) == before


def test_a_shared_file_that_the_owner_has_replaced_stays_theirs_and_is_told(service: Path, tmp_path: Path) -> None:
    (service / ".gitignore").write_text("mine/\n")
    (service / "uv.lock").write_text("version = 1\n")
    commit(service, "an ignore file of our own")

    done = hooks(service, "update", "--json", str(tmp_path / "report.json"))

    report = json.loads((tmp_path / "report.json").read_text())
    assert done.returncode == 1
    assert (service / ".gitignore").read_text() == "mine/\n"
    assert report["conflicts"] == []
    assert [each["path"] for each in report["open"]] == [".gitignore"]
    assert any("uv.lock" in item for item in report["by_hand"])


@pytest.mark.parametrize("path", ["docs/second.md", "src/orders/ops/added.py"])
def test_a_file_that_git_ignores_is_never_overwritten_by_one_that_is_new(service: Path, path: str) -> None:
    (service / ".git/info/exclude").write_text(f"{path}\n")
    (service / path).write_text("mine, and not in git\n")

    assert f"brings {path}, and you have a file there" in refused(service)
    assert (service / path).read_text() == "mine, and not in git\n"


def test_nothing_is_written_through_a_link(service: Path) -> None:
    (service / "mine.py").write_bytes((service / "src/orders/ops/slots.py").read_bytes())
    (service / "src/orders/ops/slots.py").unlink()
    (service / "src/orders/ops/slots.py").symlink_to("../../../mine.py")
    commit(service, "a link")

    assert "src/orders/ops/slots.py was edited" in hooks(service, "check").stderr
    assert "src/orders/ops/slots.py is a symbolic link" in refused(service)


def test_nothing_is_brought_into_a_folder_that_is_a_link(service: Path, tmp_path: Path) -> None:
    shutil.move(service / "docs", tmp_path / "docs")
    (service / "docs").symlink_to(tmp_path / "docs")
    commit(service, "documents elsewhere")

    assert "docs is a symbolic link" in refused(service)
    assert not (tmp_path / "docs/second.md").exists()


def test_an_update_is_not_mixed_into_a_merge(service: Path) -> None:
    git(service, "checkout", "--quiet", "-b", "side")
    git(service, "commit", "--quiet", "--allow-empty", "--message", "side")
    git(service, "checkout", "--quiet", "-")
    git(service, "commit", "--quiet", "--allow-empty", "--message", "main")
    git(service, "merge", "--quiet", "--no-commit", "--strategy", "ours", "side")

    assert "a merge, a rebase or the like is under way" in refused(service)


def test_an_answer_that_no_question_asks_for_is_refused_with_those_that_are(service: Path) -> None:
    assert "'latency_target' is no question" in refused(service, "--data", "latency_target=200")
    assert "latency_target_ms" in refused(service, "--data", "_src_path=/x")


def test_a_renamed_package_takes_the_owners_modules_and_imports_along(service: Path) -> None:
    edit(service, ROUTES, "router = ", 'ORDERS = "/v1/orders"  # a word, and no package\nrouter = ')
    (service / "tests/test_mine.py").write_text(
        "import orders.routes\nfrom orders import app\nfrom orders.app import create_app\n"
    )
    git(service, "rm", "--quiet", "src/orders/settings.py")
    commit(service, "work")

    done = hooks(service, "update", "--data", "package_name=shop")

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (service / "src/orders").exists()
    assert not (service / "src/shop/settings.py").exists()
    assert 'ORDERS = "/v1/orders"' in (service / "src/shop/routes.py").read_text()
    assert (service / "tests/test_mine.py").read_text() == (
        "import shop.routes\nfrom shop import app\nfrom shop.app import create_app\n"
    )
    assert 'app = "shop.__main__:run"' in (service / "pyproject.toml").read_text()
    assert "orders.ops" not in (service / "pyproject.toml").read_text()


def test_plain_copier_update_with_another_package_is_told_with_the_way_back(service: Path) -> None:
    plain_update(service, package_name="shop")

    said = hooks(service, "check")
    assert said.returncode == 1
    assert 'make update DATA="package_name=shop"' in said.stderr


def test_a_plain_copier_update_leaves_what_make_migrate_completes(service: Path, updated: Path) -> None:
    plain_update(service)

    said = hooks(service, "check")
    assert said.returncode == 1
    assert "docs/second.md is new in the template" in said.stderr
    assert "docs/second.md: new, and yours from now on" in hooks(service, "migrate", check=True).stdout
    assert hooks(service, "check").returncode == 0
    derived = {path: content for path, content in tree(updated).items() if "slo.json" in path or path[:4] == "moni"}
    assert tree(service) == {path: content for path, content in tree(updated).items() if path not in derived}
    assert len(derived) >= 15  # the way back for these is make slo
    assert hooks(service, "migrate").stdout == "Nothing was pending.\n"


def killed(command: list[str], cwd: Path, seconds: float) -> None:
    """Kill a command and its children after a while."""
    variables = clean_environment(UV=str(UV))
    process = subprocess.Popen(
        command, cwd=cwd, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


MAKE_UPDATE = ["-m", "ops.hooks", "update"]
COPIER = ["-m", "copier"]
UPDATE = [*COPIER, "update", "--quiet", "--defaults", "--skip-answered"]
COPY = [*COPIER, "copy", "--quiet", "--defaults", "--overwrite", "--data=service_name=orders", f"--vcs-ref={FIRST}"]


@pytest.fixture(scope="module")
def quickly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python in which these commands leave out repetitions, so that to kill them at any time takes a fourth of it."""
    return executable(tmp_path_factory.mktemp("python") / "python")


@pytest.fixture(scope="module")
def lengths(template: Path, newborn: Path, quickly: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Seconds that the commands take in this Python when nobody kills them."""
    copy = [*COPY, str(template), "."]
    commands = {"make update": MAKE_UPDATE, "update": UPDATE, "copy": copy}
    seconds = {}
    for name, command in commands.items():
        folder = tmp_path_factory.mktemp("timed") / "orders"
        shutil.copytree(newborn, folder) if command is not copy else folder.mkdir()
        began = time.monotonic()
        run(str(quickly), *command, cwd=folder, UV=str(UV))
        seconds[name] = time.monotonic() - began
    return seconds


@pytest.mark.parametrize("share", [0.06, 0.25, 0.45, 0.7, 0.95])
def test_make_update_killed_at_any_time_can_be_run_again(
    service: Path, updated: Path, quickly: Path, lengths: dict[str, float], share: float
) -> None:
    killed([str(quickly), *MAKE_UPDATE], service, share * lengths["make update"])

    done = hooks(service, "update")

    if "not committed" in done.stderr:  # it was killed after all was done
        done = hooks(service, "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(service) == tree(updated)


@pytest.mark.parametrize("share", [0.25, 0.55, 0.9])
def test_copier_update_killed_at_any_time_is_taken_back_with_git_and_run_again(
    service: Path, completed: Path, quickly: Path, lengths: dict[str, float], share: float
) -> None:
    killed([str(quickly), *UPDATE], service, share * lengths["update"])

    (service / ".git/index.lock").unlink(missing_ok=True)
    git(service, "reset", "--quiet", "--hard")
    git(service, "clean", "-fdq")
    plain_update(service)
    hooks(service, "migrate", check=True)
    assert tree(service) == tree(completed)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_copier_copy_killed_at_any_time_is_completed_by_the_same_command(
    template: Path, newborn: Path, quickly: Path, lengths: dict[str, float], tmp_path: Path, share: float
) -> None:
    killed([str(quickly), *COPY, str(template), str(tmp_path / "orders")], tmp_path, share * lengths["copy"])

    with quick():
        options: dict[str, Any] = {"data": {"service_name": "orders"}, "vcs_ref": FIRST}
        copier.run_copy(str(template), tmp_path / "orders", defaults=True, overwrite=True, quiet=True, **options)
    assert tree(tmp_path / "orders") == tree(newborn)

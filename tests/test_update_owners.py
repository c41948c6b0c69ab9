"""`make update` for owners who keep to the rule, with answers changed; and `make check test` of what comes out.

The thirty services are those of test_update_keepers.py. Here the hooks' own lint of a result is run for real, too.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.history.lives import (
    ONE,
    SEEDS,
    SERVICES,
    THREE,
    TWO,
    History,
    Service,
    differing,
    files,
    live,
    of_the_owner,
    of_the_template,
    owners_lines,
    templates_blocks,
    torn,
)
from tests.history.owners import drawn
from tests.locks import UV
from tests.services import clean_environment
from tests.updates import git

pytestmark = pytest.mark.slow

CHANGING = [number for number in SERVICES if any(piece.__name__ == "answers_changed" for piece in drawn(number))][:6]
BUSIEST = sorted(SERVICES, key=lambda number: -len(drawn(number)))[:1]


def expected_lines(service: Service) -> dict[str, str]:
    """The owner's lines of the shared files, with the answers that were changed in place of the old ones."""
    lines = owners_lines(service.before)
    old, new = owners_lines(service.fresh(ONE)), owners_lines(service.fresh(ONE, service.owner.answers))
    if "python_version" in service.owner.answers:  # a pinned digest is that of another image
        lines["Dockerfile"] = re.sub(r"^(FROM .*)@sha256:\w+", r"\1", lines["Dockerfile"], flags=re.MULTILINE)
    for path in lines:
        for was, now in zip(old[path].splitlines(), new[path].splitlines(), strict=True):
            lines[path] = lines[path].replace(was, now)
    return lines


@pytest.mark.parametrize("number", CHANGING)
def test_make_update_brings_two_versions_and_other_answers_and_leaves_nothing_open(
    history: History, tmp_path: Path, number: int
) -> None:
    service = live(history, tmp_path, number, breaking=False)
    fresh = service.fresh(THREE, service.owner.answers)
    report = service.make_update(THREE)
    after = files(service.root)

    assert (report["conflicts"], report["open"], report["aside"], report["kept"], torn(after)) == ([], [], {}, [], [])
    assert report["seeds"] == [seed for seed in SEEDS.values() if seed not in service.before]
    assert [version for version, _ in report["migrations"]] == [TWO, THREE]
    assert {key: new for key, (_, new) in report["answers"].items()}.items() >= service.owner.answers.items()
    assert differing(of_the_template(after), of_the_template(fresh)) == []
    assert differing(templates_blocks(after), templates_blocks(fresh)) == []
    assert service.open() == set()

    seeds = {path: fresh[path] for path in report["seeds"]}
    allowed = {".dockerignore": service.before[".dockerignore"] + b"!LICENSE-3RD-PARTY\n"}
    expected = of_the_owner(service.before) | seeds | allowed
    assert differing(of_the_owner(after), expected) == [".ops.json"]
    assert differing(owners_lines(after), expected_lines(service)) == []


def test_make_update_once_more_changes_nothing(history: History, tmp_path: Path) -> None:
    service = live(history, tmp_path, CHANGING[0], breaking=False)
    service.make_update(THREE)
    service.commit(THREE)

    report = service.make_update(THREE)

    assert report["open"] == []
    assert service.changed() == []


def test_an_answer_that_was_changed_by_hand_holds_and_makes_no_conflict(history: History, tmp_path: Path) -> None:
    """Copier then compares with a render that never was; the files that nobody has edited are the new version's."""
    service = live(history, tmp_path, CHANGING[0], breaking=False)
    service.owner.edit(".copier-answers.yml", r"^latency_target_ms: .*$", "latency_target_ms: '222'")
    service.commit("by hand")

    report = service.make_update(THREE)

    answers = json.loads(service.owner.read(f"src/{service.owner.package}/ops/answers.json"))
    assert answers["latency_target_ms"] == 222
    assert (report["conflicts"], report["settled"], report["open"]) == ([], {}, [])


@pytest.mark.parametrize("number", BUSIEST)
def test_the_busiest_services_pass_make_check_test_after_two_versions(
    history: History, tmp_path: Path, number: int
) -> None:
    service = live(history, tmp_path, number, breaking=False)
    service.make_update(THREE, uv=str(UV))

    made = make(service, "install", "docs")
    git(service.root, "add", "--all")  # what was derived, too: what it comes from is committed, so it must be
    done = make(service, "check", "test")  # as the report says

    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-2000:]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "TOTAL" in done.stdout


def test_a_file_of_the_owners_in_ops_that_the_update_would_break_is_told(history: History, tmp_path: Path) -> None:
    """It imports a module that the template has renamed: no conflict, and yet broken."""
    service = live(history, tmp_path, BUSIEST[0], breaking=False)
    path = f"src/{service.owner.package}/ops/shop.py"
    service.owner.write(path, '"""The shop\'s."""\n\nfrom .context import current\n\nSHOP = current\n')
    service.commit("a shop")

    report = service.make_update(THREE, uv=str(UV))

    assert report["check"].startswith("worse")
    assert {(each["kind"], each["path"]) for each in report["open"]} >= {("foreign", path), ("broken", ".")}


def make(service: Service, *targets: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in clean_environment().items() if name != "MAKEFLAGS"}
    command = ["make", *targets, f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=service.root, env=environment, capture_output=True, text=True, check=False)

"""The same thirty services, where one piece of work in five breaks the rule and edits what is the template's.

`make update` must lose none of those edits, say of each what has become of it, and leave next to nothing to be settled
by hand.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.history.lives import (
    SERVICES,
    THREE,
    TWO,
    History,
    Service,
    aside,
    boots,
    differing,
    files,
    live,
    of_the_owner,
    of_the_template,
    templates_blocks,
    torn,
    unreadable,
)
from tests.history.owners import Broken

pytestmark = pytest.mark.slow

PLAIN = SERVICES[1::5]
FIGURES: dict[str, dict[int, int]] = {"make update": {}, "plain": {}, "plain, lost": {}}


class Updated:
    """A service after `make update`, and its report."""

    def __init__(self, service: Service, version: str) -> None:
        self.service = service
        self.report: dict[str, Any] = service.make_update(version)
        self.tree = files(service.root)
        self.conflicts: list[str] = self.report["conflicts"]
        self.open = {each["path"]: each["kind"] for each in self.report["open"]}

    def holds(self, edit: Broken) -> bool:
        """Whether the text of an edit is in the tree or was set aside."""
        return any(edit.token.encode() in content for content in self.tree.values())

    def told(self, edit: Broken) -> bool:
        """Whether the report says what has become of the file."""
        names = {*self.report["kept"], *self.report["settled"], *self.report["aside"], *self.conflicts, *self.open}
        earlier = any(path.endswith(f"/{edit.path}.patch") for path in self.open)  # set aside by the update before
        return edit.path in names or earlier


@pytest.fixture(scope="module", params=SERVICES, ids=lambda number: f"service-{number:02}")
def updated(request: pytest.FixtureRequest, history: History, tmp_path_factory: pytest.TempPathFactory) -> Updated:
    """One of the thirty, from the first version to the third."""
    service = live(history, tmp_path_factory.mktemp("breaker"), request.param, breaking=True)
    done = Updated(service, THREE)
    FIGURES["make update"][service.number] = len(done.conflicts)
    return done


def assert_nothing_is_lost(done: Updated) -> None:
    """Each edit of the template's files is there or set aside, and told."""
    fresh = done.service.fresh(done.report["new"], done.service.owner.answers)
    unlike = differing(of_the_template(done.tree), of_the_template(fresh))
    unlike += differing(templates_blocks(done.tree), templates_blocks(fresh))
    for edit in done.service.owner.broken:
        same = not edit.token and edit.path not in unlike  # what the owner deleted, the template has dropped, too
        assert done.told(edit) or same, (edit, done.report)
        assert done.holds(edit) or edit.path in done.report["settled"], (edit, done.report)


def assert_whole(done: Updated) -> None:
    """Only what is reported as a conflict has markers, and all else parses."""
    assert torn(done.tree) == sorted(done.conflicts)
    assert set(unreadable(done.tree)) <= set(done.conflicts)


def test_every_edit_is_kept_or_set_aside_and_told(updated: Updated) -> None:
    assert_nothing_is_lost(updated)


def test_every_file_is_whole_and_markers_are_only_where_the_report_says(updated: Updated) -> None:
    assert_whole(updated)


def test_the_owners_own_files_are_as_they_were(updated: Updated) -> None:
    before, after = of_the_owner(updated.service.before), of_the_owner(updated.tree)
    added = {*updated.report["seeds"], *updated.report["aside"].values()}

    assert set(differing(before, after)) == {".ops.json", ".dockerignore", *added}
    assert after[".dockerignore"] == before[".dockerignore"] + b"!LICENSE-3RD-PARTY\n"


def test_what_was_not_edited_is_the_templates_new_version(updated: Updated) -> None:
    fresh = updated.service.fresh(THREE, updated.service.owner.answers)
    edited = {edit.path for edit in updated.service.owner.broken}

    assert set(differing(of_the_template(updated.tree), of_the_template(fresh))) <= edited
    assert set(differing(templates_blocks(updated.tree), templates_blocks(fresh))) <= edited


def test_it_still_starts(updated: Updated, orders: Path) -> None:
    """Asked of those whose owner was at the template's code."""
    if any(edit.path.startswith("src/") for edit in updated.service.owner.broken):
        assert boots(updated.service, orders / ".venv" / "bin" / "python") == ""


@pytest.mark.parametrize("number", [13, 17])
def test_one_version_after_the_other_loses_nothing_either(history: History, tmp_path: Path, number: int) -> None:
    service = live(history, tmp_path, number, breaking=True)
    for version in (TWO, THREE):
        done = Updated(service, version)
        assert done.conflicts == []
        assert_nothing_is_lost(done)
        assert_whole(done)
        service.commit(version)


@pytest.mark.parametrize("number", PLAIN)
def test_plain_update_would_have_left_more_and_lost_some(history: History, tmp_path: Path, number: int) -> None:
    """For comparison, every fifth service: what `copier update` alone makes of them. Nothing else is promised of it."""
    service = live(history, tmp_path, number, breaking=True)
    service.plain_update(THREE)
    after = files(service.root)

    FIGURES["plain"][number] = len(torn(after))
    FIGURES["plain, lost"][number] = sum(
        not any(edit.token.encode() in content for content in after.values()) for edit in service.owner.broken
    )
    assert aside(service.root) == ""


def test_at_most_one_conflict_in_twenty_services() -> None:
    """The figures over all updates of this module that were run before; `pytest -rP` shows them."""
    if not FIGURES["make update"]:
        pytest.skip("no update was run before")
    told = {name: f"{sum(each.values())} in {len(each)} services" for name, each in FIGURES.items()}
    for name, figure in told.items():
        print(f"{name}, owners who break the rule: {figure}")

    assert sum(FIGURES["make update"].values()) * 20 <= len(FIGURES["make update"])

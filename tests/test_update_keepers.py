"""Thirty services whose owners keep to the rule: after a year of work, `copier update` brings every version cleanly.

This is plain `copier update` without trust, as a bot runs it; `make migrate` completes it.
"""

from pathlib import Path

import pytest

from tests.history.lives import (
    SEEDS,
    SERVICES,
    THREE,
    TWO,
    History,
    Service,
    as_it_is,
    differing,
    files,
    live,
    of_the_owner,
    of_the_template,
    owners_lines,
    templates_blocks,
    torn,
    unreadable,
    waiting,
)

pytestmark = pytest.mark.slow

FEW = (3, 14)
CONFLICTS: dict[str, list[int]] = {}  # by path, of each service


@pytest.fixture(scope="module", params=SERVICES, ids=lambda number: f"service-{number:02}")
def worked_on(request: pytest.FixtureRequest, history: History, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service whose owner has kept to the rule for a year, as it was before any update."""
    return live(history, tmp_path_factory.mktemp("keeper"), request.param, breaking=False)


@pytest.fixture
def keeper(worked_on: Service, tmp_path: Path) -> Service:
    """The same, to be updated by one test."""
    return as_it_is(worked_on, tmp_path)


def assert_brought(service: Service, path: str, version: str) -> None:
    """The update has changed all that is the template's and nothing that is the owner's."""
    after, fresh = files(service.root), service.fresh(version)
    CONFLICTS.setdefault(path, []).append(len(torn(after)))
    assert torn(after) == []
    assert unreadable(after) == []
    assert differing(of_the_template(after), of_the_template(fresh)) == []
    assert differing(templates_blocks(after), templates_blocks(fresh)) == []
    assert differing(of_the_owner(after), of_the_owner(service.before)) == []
    assert differing(owners_lines(after), owners_lines(service.before)) == []


def test_one_version_after_the_other_comes_without_a_conflict_and_touches_nothing_of_the_owners(
    keeper: Service,
) -> None:
    keeper.plain_update(TWO)
    assert_brought(keeper, "1 to 2", TWO)
    assert keeper.open() == waiting(keeper, TWO)
    crossed: tuple[str, ...] = (TWO, THREE)
    if keeper.number % 6 == 0:  # the others put it off
        assert keeper.hooks("migrate").returncode == 0
        crossed = (THREE,)
    keeper.commit(TWO)

    keeper.plain_update(THREE)

    assert_brought(keeper, "2 to 3", THREE)
    assert keeper.open() == waiting(keeper, *crossed)


def test_a_version_may_be_skipped_and_what_then_waits_is_brought_once(keeper: Service) -> None:
    keeper.plain_update(THREE)

    assert_brought(keeper, "1 to 3", THREE)
    assert keeper.open() == waiting(keeper, TWO, THREE)
    if keeper.number not in FEW:
        return
    brought = {seed for seed in SEEDS.values() if seed not in keeper.before}
    keeper.commit(THREE)

    keeper.plain_update(THREE)
    assert keeper.changed() == []

    assert keeper.hooks("migrate").returncode == 0
    expected = {
        **keeper.before,
        **{seed: keeper.fresh(THREE)[seed] for seed in brought},
        ".dockerignore": keeper.before[".dockerignore"] + b"!LICENSE-3RD-PARTY\n",
    }
    assert differing(files(keeper.root), expected) == [".ops.json"]
    assert keeper.open() == set()
    keeper.commit("migrated")

    for seed in brought:
        (keeper.root / seed).unlink()
    keeper.commit("not wanted")
    assert keeper.hooks("migrate").returncode == 0
    assert keeper.changed() == []


def test_that_makes_no_conflict_in_thirty_services() -> None:
    """The figure over all updates of this module that were run before; `pytest -rP` shows it."""
    if not CONFLICTS:
        pytest.skip("no update was run before")
    told = {path: f"{sum(counts)} conflicts in {len(counts)} services" for path, counts in CONFLICTS.items()}
    print(f"plain copier update, owners who keep to the rule: {told}")

    assert not any(any(counts) for counts in CONFLICTS.values()), told

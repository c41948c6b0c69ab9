"""Each row that a check decides can turn red, alone, for its own reason; and a fresh render has none that is."""

import shutil
from pathlib import Path

import pytest
from ops.readiness import reading, registry

from tests.readiness import mutating
from tests.readiness.mutating import Mutation

pytestmark = pytest.mark.slow


class Groups:
    """Mutations that were made together: as telling as one at a time (`mutating.grid`), in a quarter of the time."""

    def __init__(self, fresh: Path, before: dict[str, str], folder: Path) -> None:
        self.fresh, self.before, self.folder = fresh, before, folder
        self.groups = mutating.grid([each for each in mutating.of_kind("static") if not each.given])
        self.right: dict[int, bool] = {}

    def prove(self, mutation: Mutation) -> bool:
        """Whether each group that it is in turned just the rows of its members red; if not, it has to be made alone."""
        numbers = [number for number, group in enumerate(self.groups) if mutation in group]
        return bool(numbers) and all(self._as_wanted(number) for number in numbers)

    def _as_wanted(self, number: int) -> bool:
        if number not in self.right:
            group, folder = self.groups[number], self.folder / str(number)
            try:
                after = mutating.states(mutating.changed(self.fresh, folder, group), "static")
            except AssertionError:  # two of them change the same text
                self.right[number] = False
            else:
                self.right[number] = mutating.turned(self.before, after) == {each.row: each.state for each in group}
            shutil.rmtree(folder, ignore_errors=True)
        return self.right[number]


@pytest.fixture(scope="module")
def static(fresh: Path) -> dict[str, str]:
    return mutating.states(fresh, "static")


@pytest.fixture(scope="module")
def groups(fresh: Path, static: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Groups:
    return Groups(fresh, static, tmp_path_factory.mktemp("groups"))


def test_in_a_fresh_render_no_static_row_is_red(static: dict[str, str]) -> None:
    assert {id_: state for id_, state in static.items() if state in ("fail", "cannot tell")} == {}


@pytest.mark.parametrize("mutation", mutating.of_kind("static"), ids=str)
def test_a_mutation_turns_its_static_row_red_and_no_other(
    fresh: Path, static: dict[str, str], groups: Groups, tmp_path: Path, mutation: Mutation
) -> None:
    if groups.prove(mutation):
        return
    base, before = fresh, static
    if mutation.given:
        base = mutating.changed(fresh, tmp_path / "given", [Mutation(mutation.row, mutation.given)])
        before = mutating.states(base, "static")
    copy = mutating.changed(base, tmp_path / "orders", [mutation])

    assert mutating.turned(before, mutating.states(copy, "static")) == {mutation.row: mutation.state}


def test_every_row_has_a_check_or_a_signature() -> None:
    checks = registry.checks()

    assert [row.id for row in reading.catalogue([]) if row.id not in checks and row.evidence != ("signed",)] == []


def test_every_check_has_a_row() -> None:
    assert registry.checks().keys() - {row.id for row in reading.catalogue([])} == set()


def test_every_row_that_a_check_decides_has_a_mutation() -> None:
    mutated = {mutation.row for mutation in mutating.mutations()}

    assert registry.checks().keys() - mutated == set()

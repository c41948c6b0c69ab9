"""Each row that a check decides can turn red, alone, for its own reason; and a fresh render has none that is."""

from pathlib import Path

import pytest
from ops.readiness import reading, registry

from tests.readiness import mutating
from tests.readiness.mutating import Mutation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def static(fresh: Path) -> dict[str, str]:
    return mutating.states(fresh, "static")


def test_in_a_fresh_render_no_static_row_is_red(static: dict[str, str]) -> None:
    assert {id_: state for id_, state in static.items() if state in ("fail", "cannot tell")} == {}


@pytest.mark.parametrize("mutation", mutating.of_kind("static"), ids=str)
def test_a_mutation_turns_its_static_row_red_and_no_other(
    fresh: Path, static: dict[str, str], tmp_path: Path, mutation: Mutation
) -> None:
    base, before = fresh, static
    if mutation.given:
        base = mutating.changed(fresh, tmp_path / "given", [Mutation(mutation.row, mutation.given)])
        before = mutating.states(base, "static")
    copy = mutating.changed(base, tmp_path / "orders", [mutation])

    assert mutating.turned(before, mutating.states(copy, "static")) == {mutation.row: "fail"}


def test_every_row_has_a_check_or_a_signature() -> None:
    checks = registry.checks()

    assert [row.id for row in reading.catalogue([]) if row.id not in checks and row.evidence != ("signed",)] == []


def test_every_check_has_a_row() -> None:
    assert registry.checks().keys() - {row.id for row in reading.catalogue([])} == set()


def test_every_row_that_a_check_decides_has_a_mutation() -> None:
    mutated = {mutation.row for mutation in mutating.mutations()}

    assert registry.checks().keys() - mutated == set()

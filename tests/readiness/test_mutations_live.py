"""Each row that a running service decides can turn red, for its own reason; and a fresh render has none that is."""

from pathlib import Path

import pytest

from tests.readiness import mutating
from tests.readiness.mutating import Mutation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(fresh: Path, orders: Path) -> dict[str, str]:
    return mutating.live_states(fresh, orders / ".venv/bin/python")


def test_in_a_fresh_render_no_live_row_is_red(live: dict[str, str]) -> None:
    assert {id_: state for id_, state in live.items() if state in ("fail", "cannot tell")} == {}


@pytest.mark.parametrize("group", mutating.grid(mutating.of_kind("live")), ids=lambda group: "+".join(map(str, group)))
def test_mutations_turn_their_live_rows_red_and_no_others(
    fresh: Path, orders: Path, live: dict[str, str], tmp_path: Path, group: list[Mutation]
) -> None:
    copy = mutating.changed(fresh, tmp_path / "orders", group)
    after = mutating.live_states(copy, orders / ".venv/bin/python")

    assert mutating.turned(live, after) == {mutation.row: "fail" for mutation in group}

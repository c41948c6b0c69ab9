"""The groups in which mutations of live rows are made tell of each what a run of its own would."""

from tests.readiness.mutating import Mutation, grid


def mutation(number: int) -> Mutation:
    return Mutation(f"row-{number}", lambda _: None)


def test_in_one_of_its_groups_at_least_a_mutation_is_without_any_of_another_row() -> None:
    wanted = [mutation(number % 30) for number in range(43)]  # thirteen rows have two
    groups = grid(wanted)

    assert len(groups) < 15
    for one in wanted:
        together = [{each.row for each in group} for group in groups if one in group]
        assert len(together) == 2
        assert set.intersection(*together) == {one.row}


def test_each_mutation_is_in_two_groups() -> None:
    groups = grid([mutation(number) for number in range(10)])

    assert [sum(mutation.row == f"row-{number}" for group in groups for mutation in group) for number in range(10)] == [
        2
    ] * 10


def test_two_mutations_of_one_row_are_never_made_at_once() -> None:
    groups = grid([mutation(1), mutation(1), mutation(2)])

    assert sorted([each.row for each in group] for group in groups) == [
        ["row-1"],
        ["row-1"],
        ["row-1"],
        ["row-1", "row-2"],
        ["row-2"],
    ]


def test_a_mutation_that_would_hide_others_is_made_alone() -> None:
    alone = Mutation("row-9", lambda _: None, alone=True)
    groups = grid([mutation(1), alone, mutation(2)])

    assert [group for group in groups if alone in group] == [[alone]]

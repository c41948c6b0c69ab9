"""What an answer must hold, and what it may hold beside."""

from typing import Any

import pytest
from template.ops.smoke.matching import difference


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": [1]}}, {"a": {"b": [1], "c": 2}, "d": 3}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        (1, 1.0),
        (None, None),
    ],
)
def test_an_answer_may_hold_more_than_is_wanted(wanted: Any, found: Any) -> None:
    assert difference(wanted, found) is None


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (True, 1, "the answer is 1, and True is wanted"),
        (0, False, "the answer is False, and 0 is wanted"),
        ({"a": None}, {}, "the answer has no 'a'"),
        ({}, [], "the answer is [], and {} is wanted"),
        ([1], [1, 2], "the answer has 2 items, and 1 are wanted"),
        ([{"a": [0, 1]}], [{"a": [0, 2]}], "the answer[0].a[1] is 2, and 1 is wanted"),
        (
            False,
            "NO",
            "the answer is 'NO', and False is wanted; in YAML, NO, off and the like are false: put them in quotes",
        ),
    ],
)
def test_the_first_difference_is_told_with_its_place(wanted: Any, found: Any, told: str) -> None:
    assert (difference(wanted, found) or "").startswith(told)

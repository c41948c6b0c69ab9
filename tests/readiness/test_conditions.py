"""GitHub's conditions and patterns, as far as they can be told without running them."""

import pytest
from ops.readiness.conditions import holds, holds_on_gitlab, matches


@pytest.mark.parametrize(
    ("name", "patterns", "found"),
    [
        ("v1.4.1", ["v[0-9]+.[0-9]+.[0-9]+"], True),
        ("v1.4.1", ["v*"], True),
        ("v1.4.1", ["**", "!v*"], False),
        ("v1.4.1", ["!v*", "**"], True),
        ("v1.4.1-rc", ["v[0-9]+.[0-9]+.[0-9]+"], False),
        ("hotfix/1.4.1", ["hotfix*"], False),
        ("hotfix/1.4.1", ["hotfix/**"], True),
        ("hotfix/1.4.1", ["*"], False),
        ("main", ["mains?"], True),
        ("src/orders/routes.py", ["**/*.py"], True),
        ("src/orders/routes.py", ["docs/**"], False),
        ("main", ["+"], False),
    ],
)
def test_patterns_are_githubs(name: str, patterns: list[str], found: bool) -> None:
    assert matches(name, patterns) == found


@pytest.mark.parametrize(
    ("condition", "event", "found"),
    [
        ("github.event_name == 'schedule'", "pull_request", False),
        ("github.event_name != 'schedule'", "pull_request", True),
        ("github.event_name == 'push' && github.ref == 'refs/heads/main'", "main", True),
        ("github.ref == 'refs/heads/master'", "main", True),
        ("github.ref == 'refs/heads/never'", "main", False),
        ("startsWith(github.ref, 'refs/tags/v')", "tag", True),
        ("startsWith(github.ref, 'refs/tags/v')", "main", False),
        ("!startsWith(github.ref, 'refs/tags/v')", "hotfix", True),
        ("github.ref_type == 'tag' || github.event_name == 'schedule'", "schedule", True),
        ("(github.event_name == 'push' || false) && true", "pull_request", False),
        ("vars.URL != ''", "main", None),
        ("vars.URL != '' && false", "main", False),
        ("inputs.build", "main", True),
        ("!inputs.build", "main", False),
        ("inputs.to == 'Staging'", "main", True),
        ("inputs.later != ''", "main", None),
        ("inputs.empty", "main", False),
        ("github.ref == 'refs/heads/main'", "manual", None),
        ("failure()", "main", None),
        ("", "main", True),
    ],
)
def test_a_condition_holds_by_its_event_and_inputs_or_is_not_known(
    condition: str, event: str, found: bool | None
) -> None:
    inputs = {"build": True, "to": "staging", "later": "${{ needs.a.outputs.b }}", "empty": ""}

    assert holds(condition, inputs, event) is found


@pytest.mark.parametrize(
    ("condition", "events"),
    [
        ('$CI_PIPELINE_SOURCE == "merge_request_event"', {"pull_request"}),
        ('$CI_PIPELINE_SOURCE != "schedule"', {"pull_request", "main", "hotfix", "tag"}),
        ("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", {"main", "schedule"}),
        (r'$CI_COMMIT_BRANCH == "main" || $CI_COMMIT_BRANCH =~ /^hotfix\//', {"main", "schedule", "hotfix"}),
        (r"$CI_COMMIT_TAG =~ /^v\d+\.\d+\.\d+$/", {"tag"}),
        ("$CI_COMMIT_TAG == null", {"pull_request", "schedule", "main", "hotfix"}),
        ('($CI_COMMIT_BRANCH && $CI_PIPELINE_SOURCE == "push")', {"main", "hotfix"}),
        ("$CI_COMMIT_BRANCH !~ /hotfix/", {"pull_request", "schedule", "main", "tag"}),
        ('$LATER == "yes"', set()),
    ],
)
def test_gitlabs_conditions_hold_by_the_event(condition: str, events: set[str]) -> None:
    known = ("pull_request", "schedule", "main", "hotfix", "tag")

    assert {event for event in known if holds_on_gitlab(condition, event)} == events

"""Versions are compared as people mean them, and the changelog is cut where it says."""

import pytest
from hooks.versions import Version, by_hand, changes

ORDER = [
    "v0.9.0",
    "1.0.0-rc1",
    "v1.0.0",
    "v1.0.0-3-g0a1b2c3",
    "v1.0.0.post1",
    "v1.0.0.post2-1-gabc",
    "v1.0.1",
    "v1.2.0",
    "v1.10.0",
    "v2.0.0",
]


def test_tags_pre_releases_and_commits_after_a_tag_are_in_order() -> None:
    assert sorted(map(Version, reversed(ORDER))) == [Version(text) for text in ORDER]


@pytest.mark.parametrize("text", ["unknown", "2a04897", "v1", "1.0", "v1.0.0\n", "main", ""])
def test_what_is_no_version_is_neither_older_nor_newer_than_one(text: str) -> None:
    other = Version("v1.0.0")

    assert not Version(text).known
    assert not Version(text) < other
    assert not other < Version(text)
    assert Version(text) != other
    assert Version(text) == Version(text)


def test_a_version_is_the_same_with_and_without_its_v() -> None:
    assert Version("v1.2.3") == Version("1.2.3")
    assert hash(Version("v1.2.3")) == hash(Version("1.2.3"))


CHANGELOG = """# Changelog

## Unreleased

- new

## 1.10.0 (2026-11-01)

**What you get**

- Metrics.

**By hand**

- Turn the old
  dashboard off.
- Nothing else.

## [1.2.0]

**By hand**

- Nothing.

## v1.0.0

first
"""


@pytest.mark.parametrize(
    ("old", "new", "headings"),
    [
        ("v1.0.0", "v1.10.0", ["1.10.0", "1.2.0"]),
        ("v1.2.0", "v1.10.0", ["1.10.0"]),
        ("v1.10.0", "v1.10.0", []),
        ("v1.2.0", "v1.10.0-2-gabcdef0", ["Unreleased", "1.10.0"]),
        ("v1.2.0", "0a1b2c3", ["Unreleased", "1.10.0"]),
        ("v0.1.0", "v1.0.0", ["v1.0.0"]),
    ],
)
def test_the_changelog_between_two_versions_is_what_is_newer_than_the_one_and_not_than_the_other(
    old: str, new: str, headings: list[str]
) -> None:
    assert [heading for heading, _ in changes(CHANGELOG, Version(old), Version(new))] == headings


def test_what_is_to_do_by_hand_is_told_a_line_an_item_and_nothing_is_nothing() -> None:
    sections = dict(changes(CHANGELOG, Version("v0.1.0"), Version("v1.10.0")))

    assert by_hand(sections["1.10.0"]) == ["Turn the old dashboard off."]
    assert by_hand(sections["1.2.0"]) == []
    assert by_hand(sections["v1.0.0"]) == []

"""What is settled is what nobody would have decided otherwise; the rest stays a conflict."""

import pytest
from hooks.settle import parses, settle


def toml(*lines: str) -> str:
    return "[project]\ndependencies = [\n" + "".join(f"    {line},\n" for line in lines) + "]\n"


def test_the_newer_version_of_one_requirement_wins_whoever_has_it() -> None:
    base, older, newer = (toml('"alpha>=1"', f'"beta~={version}"', '"gamma"') for version in ("2.1", "2.9.1", "2.10"))

    for ours, theirs in ((older, newer), (newer, older)):
        settled = settle("pyproject.toml", base, ours, theirs)

        assert settled is not None
        assert settled.text == newer
        assert settled.how == "the newer version won"


def test_additions_of_both_at_one_place_are_kept() -> None:
    settled = settle(
        "pyproject.toml",
        toml('"alpha>=1"'),
        toml('"alpha>=1"', '"mine"', '"mine-too>=2"'),
        toml('"alpha>=1"', '"theirs"'),
    )

    assert settled is not None
    assert settled.text == toml('"alpha>=1"', '"theirs"', '"mine"', '"mine-too>=2"')
    assert settled.how == "both additions kept"


def test_one_requirement_that_both_added_is_there_once_in_its_newer_version() -> None:
    settled = settle("pyproject.toml", toml('"a"'), toml('"a"', '"httpx>=1.2"'), toml('"a"', '"httpx~=1.10"'))

    assert settled is not None
    assert settled.text == toml('"a"', '"httpx~=1.10"')


def test_an_action_pinned_by_commit_takes_the_newer_of_the_versions_in_its_comment() -> None:
    def step(commit: str, version: str) -> str:
        return f"steps:\n  - uses: actions/checkout@{commit * 40} # v{version}\n  - run: make\n"

    settled = settle("check.yml", step("a", "4.1.0"), step("b", "5.0.0"), step("c", "4.2.2"))

    assert settled is not None
    assert settled.text == step("b", "5.0.0")


def test_another_image_takes_the_place_of_one_whose_digest_was_pinned() -> None:
    old, new = "FROM python:3.12-slim AS base\n", "FROM python:3.13-slim AS base\n"
    pinned = f"FROM python:3.12-slim@sha256:{'a1' * 32} AS base\n"

    settled = settle("Dockerfile", old, pinned, new)

    assert settled is not None
    assert settled.text == new
    assert "still to be pinned" in settled.how


def test_lines_appended_to_one_end_by_both_are_both_kept() -> None:
    settled = settle(".gitignore", ".venv/\n", ".venv/\nmine/\n", ".venv/\ntheirs/\n")

    assert settled is not None
    assert settled.text == ".venv/\ntheirs/\nmine/\n"


def test_what_one_side_deleted_and_the_other_left_alone_stays_deleted() -> None:
    settled = settle("x", "a 1\nb\nc\n", "a 2\nc\n", "a 3\nb\nc\n")

    assert settled is not None
    assert settled.text == "a 3\nc\n"


def test_two_blocks_added_at_one_place_stay_whole_although_they_share_lines() -> None:
    def job(name: str) -> str:
        return f"  {name}:\n    runs-on: ubuntu\n    steps:\n      - run: make {name}\n"

    settled = settle("check.yml", "jobs:\n", f"jobs:\n{job('mine')}", f"jobs:\n{job('theirs')}")

    assert settled is not None
    assert settled.text == f"jobs:\n{job('theirs')}{job('mine')}"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("timeout = 10\n", "timeout = none\n"),  # two different meanings
        ("", "timeout = 9\n"),  # deleted, and changed
        ("retries = 5\ntimeout = 3\n", "timeout = 4\nretries = 1\n"),  # another order
        ('image = "a:1.2-b3"\n', 'image = "a:1.3-b2"\n'),  # one number newer, one older
    ],
)
def test_two_different_decisions_stay_a_conflict(ours: str, theirs: str) -> None:
    assert settle("x", "timeout = 5\n", ours, theirs) is None


@pytest.mark.parametrize(
    ("path", "ours", "theirs"),
    [
        ("x.toml", "a = 1\nb = 1\n", "a = 1\nb = [\n"),
        ("x.toml", 'a = 1\nb = "x"\n', "a = 1\nb = 'y'\n"),
        ("x.yaml", "a: 1\nb: x\n", "a: 1\nb: [x]\n"),
        ("Makefile", "a: 1\nrun:\n\tx\n", "a: 1\nrun:\n\ty\n"),
    ],
)
def test_a_result_that_does_not_parse_or_has_something_twice_is_none(path: str, ours: str, theirs: str) -> None:
    assert settle(path, ours.splitlines(keepends=True)[0], ours, theirs) is None


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("x.json", '{"a": 1}', '{"a": 1, "a": 2}'),
        ("x.yml", "a: {b: 1}\n---\nc: 1\n", "a: {b: 1, b: 2}"),
        ("x.toml", "a = 1", "a = 1\na = 2"),
        ("pyproject.toml", toml('"a"', '"b"'), toml('"a>1"', '"A<3"')),
        ("x.py", "x = 1", "x ="),
        ("Makefile", "a: b\nb:\n", "a: b\na:\n"),
        ("Dockerfile", "FROM a\nENV A=1 \\\n    # why\n    B=2\n", "FROM a\nENV A=1\n    B=2\n"),
        ("Dockerfile", "FROM a\nRUN <<EOF\nrun b\nEOF\n", "FROM a\nENV A=1 \\\nRUN b\n"),
        ("x", "anything", ""),
    ],
)
def test_a_text_parses_if_its_format_says_so_and_nothing_is_there_twice(path: str, good: str, bad: str) -> None:
    assert parses(path, good)
    assert bad == "" or not parses(path, bad)


def test_a_clean_merge_is_taken_as_it_is() -> None:
    settled = settle("x", "a\nb\nc\nd\ne\n", "A\nb\nc\nd\ne\n", "a\nb\nc\nd\nE\n")

    assert settled is not None
    assert settled.text == "A\nb\nc\nd\nE\n"

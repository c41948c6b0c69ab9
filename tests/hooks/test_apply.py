"""A result reaches the tree whole, or is completed by the next run; a person's change is never overwritten."""

import os
from pathlib import Path

import pytest
from hooks.apply import Change, Journal


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A tree to change, and a result beside it."""
    (tmp_path / "tree/folder").mkdir(parents=True)
    (tmp_path / "tree/.git").mkdir()
    (tmp_path / "tree/a").write_text("old a")
    (tmp_path / "tree/folder/b").write_text("old b")
    (tmp_path / "tree/mine").write_text("mine")
    result = tmp_path / "result"
    result.mkdir()
    (result / "a").write_text("new a")
    (result / "c").write_text("new c")
    (result / "c").chmod(0o755)
    (result / "link").symlink_to("a")
    return tmp_path / "tree"


def journal(top: Path) -> Journal:
    return Journal(top / ".git/ops-update", top)


def prepared(top: Path) -> Journal:
    result = top.parent / "result"
    made = journal(top)
    changes = [Change("a", result / "a"), Change("folder/b", None), Change("new/c", result / "c")]
    made.prepare([*changes, Change("link", result / "link")], {"old": "v1"})
    return made


def tree(top: Path) -> dict[str, str]:
    paths = [path for path in top.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(top).as_posix(): path.read_text() for path in paths}


AFTER = {"a": "new a", "new/c": "new c", "link": "new a", "mine": "mine"}


def test_files_are_replaced_added_and_deleted_with_their_modes_and_links(top: Path) -> None:
    report = prepared(top).finish()

    assert report == {"old": "v1"}
    assert tree(top) == AFTER
    assert os.access(top / "new/c", os.X_OK)
    assert os.readlink(top / "link") == "a"
    assert not (top / "folder").exists()
    assert not journal(top).begun


@pytest.mark.parametrize("after", range(5))
def test_a_run_that_was_killed_at_any_file_is_completed_by_the_next(
    top: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prepared(top)
    with monkeypatch.context() as patched:
        count = iter(range(100))
        real = Journal._bring

        def bring(self: Journal, source: Path, target: Path, delete: bool) -> None:
            if next(count) == after:
                raise KeyboardInterrupt
            real(self, source, target, delete)

        patched.setattr(Journal, "_bring", bring)
        try:
            made.finish()
        except KeyboardInterrupt:
            assert journal(top).begun

    if journal(top).begun:
        journal(top).finish()
    assert tree(top) == AFTER


def test_a_change_made_after_the_interruption_is_kept_and_told(top: Path) -> None:
    made = prepared(top)
    (top / "a").write_text("a person's")

    with pytest.raises(RuntimeError, match=r"a has been changed since.*git stash.*rm -r"):
        made.finish()

    assert tree(top)["a"] == "a person's"
    assert tree(top)["folder/b"] == "old b"
    assert made.begun


def test_a_preparation_that_was_killed_is_none(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            prepared(top)

    assert not journal(top).begun
    assert prepared(top).finish() == {"old": "v1"}

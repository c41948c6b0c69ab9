"""The check finds what is open, says what to do, and lets pass what the owner stands by."""

import json
import subprocess
from pathlib import Path

import pytest
from hooks.__main__ import main
from hooks.check import check, conflicted
from hooks.ownership import digest
from hooks.record import Record

CONFLICT = "<<<<<<< before updating\na\n||||||| last update\nb\n=======\nc\n>>>>>>> after updating\n"


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A service of one file of the template's and one of the owner's."""
    (tmp_path / "src/x/ops").mkdir(parents=True)
    (tmp_path / "src/x/ops/logs.py").write_text("made\n")
    for name in ("__init__.py", "app.py"):
        (tmp_path / "src/x" / name).touch()
    (tmp_path / "ops").mkdir()
    manifest = {
        "version": "v1.1.0",
        "package": "x",
        "files": {"src/x/ops/logs.py": digest(b"made\n")},
        "shared": {},
        "seeds": ["README.md", "src/x/app.py"],
    }
    (tmp_path / "ops/manifest.json").write_text(json.dumps(manifest))
    Record("v1.0.0", seeds=["README.md", "src/x/app.py"]).write(tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def kinds(root: Path) -> list[tuple[str, str]]:
    return [(finding.kind, finding.path) for finding in check(root).open]


def test_a_service_as_it_was_made_has_nothing_open_and_a_deleted_file_of_the_owners_is_no_finding(
    service: Path,
) -> None:
    assert kinds(service) == []
    assert check(service).version == "v1.1.0"


def test_a_conflict_is_found_wherever_it_is_and_a_line_that_looks_like_one_is_none(service: Path) -> None:
    (service / "docs").mkdir()
    (service / "docs/x.md").write_text(f"text\n{CONFLICT}")
    (service / "docs/y.md").write_text("How to read a conflict\n<<<<<<< before updating\n")
    (service / "docs/z.md.rej").write_text("@@")

    assert kinds(service) == [("conflict", "docs/x.md"), ("conflict", "docs/z.md.rej")]


def test_conflicts_are_found_without_a_repository(service: Path) -> None:
    (service / ".git").rename(service / "no-git")
    (service / "x.md").write_text(CONFLICT)

    assert ("conflict", "x.md") in kinds(service)


@pytest.mark.parametrize("text", [CONFLICT, CONFLICT.replace("\n", "\r\n"), f"a\n{CONFLICT}b\n{CONFLICT}"])
def test_markers_of_a_conflict_are_known_with_both_line_ends(text: str) -> None:
    assert conflicted(text.encode())


@pytest.mark.parametrize(
    "text", ["", "=======\n", "Title\n=======\n", "<<<<<<< a\n>>>>>>> b\n", " <<<<<<< a\n=======\n>>>>>>> b\n"]
)
def test_other_texts_are_no_conflict(text: str) -> None:
    assert not conflicted(text.encode())


def test_an_edit_is_found_with_what_to_use_instead(service: Path) -> None:
    (service / "src/x/ops/logs.py").write_text("mine\n")

    (finding,) = check(service).open
    assert (finding.kind, finding.path) == ("edited", "src/x/ops/logs.py")
    assert "APP_LOG__LEVEL" in finding.message


def test_an_edit_that_the_owner_stands_by_is_told_and_passes(service: Path) -> None:
    (service / "src/x/ops/logs.py").write_text("mine\n")
    record = Record.read(service)
    record.accepted["src/x/ops/logs.py"] = "until the template has it"
    record.write(service)

    assert kinds(service) == []
    assert [finding.message for finding in check(service).accepted] == [
        "accepted in .ops.json: until the template has it"
    ]


def test_missing_and_foreign_files_of_the_templates_folders_are_found(service: Path) -> None:
    (service / "src/x/ops/logs.py").unlink()
    (service / "src/x/ops/mine.py").touch()

    assert kinds(service) == [("missing", "src/x/ops/logs.py"), ("foreign", "src/x/ops/mine.py")]


def test_an_edit_set_aside_stays_open_until_its_patch_is_deleted(service: Path) -> None:
    patch = service / ".ops-aside/v1.0.0/src/x/ops/logs.py.patch"
    patch.parent.mkdir(parents=True)
    patch.write_text("…")

    (finding,) = check(service).open
    assert finding.kind == "aside"
    assert "src/x/ops/logs.py: APP_LOG__LEVEL" in finding.message
    patch.unlink()
    assert kinds(service) == []


def test_a_file_that_is_new_in_the_template_is_pending_until_it_was_delivered_once(service: Path) -> None:
    record = Record.read(service)
    record.seeds.remove("README.md")
    record.write(service)

    assert kinds(service) == [("seed", "README.md")]


def test_a_package_that_an_answer_renamed_is_told_with_the_way_back(service: Path) -> None:
    manifest = json.loads((service / "ops/manifest.json").read_text())
    (service / "ops/manifest.json").write_text(json.dumps({**manifest, "package": "y", "files": {}}))

    (finding,) = check(service).open
    assert finding.kind == "broken"
    assert 'make update DATA="package_name=y"' in finding.message


@pytest.mark.parametrize("file", ["ops/manifest.json", ".ops.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"born": 1}', '{"unheard": "of"}'])
def test_a_broken_list_or_record_is_told_and_never_raises(service: Path, file: str, text: str) -> None:
    (service / file).write_text(text)

    assert [finding.kind for finding in check(service).open] == ["broken"]


def test_the_command_ends_with_1_if_something_is_open_and_can_tell_it_as_json(
    service: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(service)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == ""

    (service / "src/x/ops/logs.py").unlink()
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("src/x/ops/logs.py is the template's and is gone")
    assert main(["check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["open"][0]["kind"] == "missing"

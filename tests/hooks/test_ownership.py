"""Whose a file is follows from where it lies; an edit of the template's lines is noticed, one of the owner's is not."""

from pathlib import Path

import pytest
from hooks.ownership import Drift, Manifest, blocks, digest, drifted, instead, ours, with_blocks_of

SHARED = "[project]\n# begin ops: the template's\na = 1\n# end ops\n\n# Yours\nb = 2\n  # begin ops\nc\n  # end ops\n"


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("src/orders/ops/logs.py", True),
        ("tests/ops/test_logs.py", True),
        ("ops/Makefile", True),
        (".github/workflows/ops-check.yml", True),
        (".github/workflows/check.yml", False),
        ("src/orders/routes.py", False),
        ("src/orders/ops.py", False),
        ("docs/ops-notes.md", False),
        ("deploy/ops-x.yml", False),
        (".ops-aside/v1.0.0/src/orders/ops/logs.py.patch", False),
        ("pyproject.toml", False),
    ],
)
def test_the_templates_are_folders_called_ops_and_workflows_that_begin_so(path: str, template: bool) -> None:
    assert ours(path) is template


def test_blocks_are_the_lines_between_the_markers_with_them() -> None:
    assert blocks(SHARED) == "# begin ops: the template's\na = 1\n# end ops\n  # begin ops\nc\n  # end ops\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# begin ops\n", "no end"),
        ("# end ops\n", "line 1: a block ends"),
        ("# begin ops\n# begin ops\n# end ops\n", "line 2: a block begins inside"),
    ],
)
def test_a_block_that_is_torn_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blocks(text)


def test_the_blocks_of_one_text_can_be_put_into_another() -> None:
    edited = SHARED.replace("a = 1", "a = 3").replace("b = 2", "b = 4")

    assert with_blocks_of(edited, SHARED) == SHARED.replace("b = 2", "b = 4")
    assert with_blocks_of("x\n", SHARED) is None


@pytest.fixture
def service(tmp_path: Path) -> tuple[Path, Manifest]:
    texts = {"src/x/ops/a.py": "a\n", "src/x/ops/b.py": "b\n", "ops/Makefile": "m\n", "pyproject.toml": SHARED}
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    files = {path: digest(text.encode()) for path, text in texts.items() if ours(path)}
    shared = {"pyproject.toml": digest(blocks(SHARED).encode()), "Dockerfile": digest(b"")}
    return tmp_path, Manifest("v1.0.0", "x", files, shared, ("README.md",))


def test_a_service_as_it_was_made_has_not_drifted(service: tuple[Path, Manifest]) -> None:
    root, manifest = service
    (root / "src/x/ops/__pycache__").mkdir()
    (root / "src/x/ops/__pycache__/a.pyc").touch()
    (root / "src/x/ops/a.py").write_bytes(b"a\r\n")

    assert drifted(root, manifest) == []


def test_edited_missing_and_foreign_files_are_found_and_the_owners_are_not(service: tuple[Path, Manifest]) -> None:
    root, manifest = service
    (root / "src/x/ops/a.py").write_text("mine\n")
    (root / "src/x/ops/b.py").unlink()
    (root / "ops/mine.sh").touch()
    (root / "src/x/mine.py").touch()
    (root / "pyproject.toml").write_text(SHARED.replace("b = 2", "b = 3"))

    assert drifted(root, manifest) == [
        Drift("src/x/ops/a.py", "changed"),
        Drift("src/x/ops/b.py", "missing"),
        Drift("ops/mine.sh", "foreign"),
    ]


@pytest.mark.parametrize("edit", [("a = 1", "a = 2"), ("# begin ops: the template's\n", ""), ("# end ops\n", "")])
def test_an_edit_of_the_templates_lines_in_a_shared_file_is_found(
    service: tuple[Path, Manifest], edit: tuple[str, str]
) -> None:
    root, manifest = service
    (root / "pyproject.toml").write_text(SHARED.replace(*edit, 1))

    assert drifted(root, manifest) == [Drift("pyproject.toml", "changed")]


def test_a_shared_file_without_any_of_the_templates_lines_is_told_apart_from_an_edited_one(
    service: tuple[Path, Manifest],
) -> None:
    root, manifest = service
    (root / "pyproject.toml").write_text("[project]\nname = 'mine'\n")

    assert drifted(root, manifest) == [Drift("pyproject.toml", "bare")]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "v1"}', '{"version": 1, "files"'])
def test_a_manifest_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Manifest.parse(text)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("src/x/ops/settings.py", "src/x/settings.py"),
        ("src/x/ops/else.py", "from .ops import"),
        ("tests/ops/test_x.py", "in tests/"),
        ("pyproject.toml", "[project]"),
        ("ops/unheard.of", "owners"),
    ],
)
def test_every_edit_is_told_what_to_use_instead(path: str, remedy: str) -> None:
    assert remedy in instead(path, "x")

"""What git tells of many files at once is what it tells of each."""

from pathlib import Path

from hooks.git import Git


def test_files_of_a_revision_are_read_at_once_as_one_by_one(tmp_path: Path) -> None:
    git, service = Git(tmp_path), Git(tmp_path / "services/shop")
    service.root.mkdir(parents=True)
    contents = {"a": b"", "é\nb": b"1\n2", "c.bin": b"\0\xff\r\n", "d/e": b"shop blob 3\n"}
    for path, content in contents.items():
        (service.root / path).parent.mkdir(exist_ok=True)
        (service.root / path).write_bytes(content)
    (service.root / "link").symlink_to("a")
    (tmp_path / "above").touch()
    git.output("init", "--quiet")
    git.output("add", "--all")
    git.output("commit", "--quiet", "--message", "all")
    (service.root / "a").write_text("changed since")

    found = service.files("HEAD", {*contents, "link", "above", "gone"})

    assert found == {**contents, "link": b"a"}
    assert found == {path: service.file("HEAD", path) for path in found}
    assert service.files("HEAD", ()) == {}

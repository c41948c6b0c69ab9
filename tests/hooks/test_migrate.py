"""A migration is run once, by services that are older; a new file of the owner's is delivered once."""

import json
from pathlib import Path

import pytest
from hooks import migrate, migrations
from hooks.migrate import Migration, pending, run
from hooks.ownership import Manifest
from hooks.record import Record

MANIFEST = {"version": "v2.0.0", "package": "x", "files": {}, "shared": {}, "seeds": ["README.md", "docs/new.md"]}


@pytest.fixture
def service(tmp_path: Path) -> Path:
    (tmp_path / "service/ops").mkdir(parents=True)
    (tmp_path / "service/ops/manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "fresh/docs").mkdir(parents=True)
    (tmp_path / "fresh/docs/new.md").write_text("new\n")
    return tmp_path / "service"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions whose migration was run; that to 1.2.0 fails once `fail` is in it."""
    done: list[str] = []

    def step(version: str) -> Migration:
        def apply(_: Path) -> list[str]:
            if version == "v1.2.0" and "fail" in done:
                raise OSError("disk full")
            done.append(version)
            return [f"note of {version}"]

        return Migration(version, apply)

    monkeypatch.setattr(migrate, "known", lambda: [step(each) for each in ("v1.1.0", "v1.2.0", "v2.0.0")])
    return done


def fresh(service: Path) -> Path:
    return service.parent / "fresh"


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("record", "due"),
    [
        (Record("v1.0.0"), ["v1.1.0", "v1.2.0", "v2.0.0"]),
        (Record("v1.1.0"), ["v1.2.0", "v2.0.0"]),
        (Record("v1.1.0-4-g0a1b2c3"), ["v1.2.0", "v2.0.0"]),
        (Record("v2.0.0"), []),
        (Record("v1.0.0", ["v1.1.0", "v2.0.0"]), ["v1.2.0"]),
        (Record("unknown"), ["v1.1.0", "v1.2.0", "v2.0.0"]),
    ],
)
def test_due_is_what_is_newer_than_the_birth_and_not_recorded(record: Record, due: list[str]) -> None:
    manifest = Manifest.parse(json.dumps(MANIFEST))

    assert [each.version for each in pending(Path("nowhere"), record, manifest).versions] == due


def test_what_is_done_is_recorded_and_not_done_again(service: Path, log: list[str]) -> None:
    Record("v1.1.0", seeds=["README.md"]).write(service)

    done = run(service, lambda: fresh(service))
    again = run(service, lambda: pytest.fail("nothing was due"))

    assert done.migrations == [("v1.2.0", ["note of v1.2.0"]), ("v2.0.0", ["note of v2.0.0"])]
    assert log == ["v1.2.0", "v2.0.0"]
    assert again.migrations == []
    assert Record.read(service).migrations == ["v1.2.0", "v2.0.0"]


@pytest.mark.usefixtures("log")
def test_a_new_file_is_delivered_once_and_stays_deleted_when_its_owner_deletes_it(service: Path) -> None:
    Record("v2.0.0", seeds=["README.md"]).write(service)

    assert run(service, lambda: fresh(service)).seeds == ["docs/new.md"]
    assert (service / "docs/new.md").read_text() == "new\n"
    (service / "docs/new.md").unlink()
    assert run(service, lambda: pytest.fail("nothing was due")).seeds == []
    assert not (service / "README.md").exists()


@pytest.mark.usefixtures("log")
def test_an_owners_file_of_the_same_name_is_never_overwritten(service: Path) -> None:
    Record("v2.0.0", seeds=["README.md"]).write(service)
    (service / "docs").mkdir()
    (service / "docs/new.md").write_text("mine\n")

    assert run(service, lambda: pytest.fail("nothing was due")).seeds == []
    assert (service / "docs/new.md").read_text() == "mine\n"


def test_a_migration_that_fails_stops_there_is_told_and_is_run_again(service: Path, log: list[str]) -> None:
    Record("v1.0.0", seeds=list(MANIFEST["seeds"])).write(service)
    log.append("fail")

    with pytest.raises(RuntimeError, match=r"migration to v1\.2\.0 failed \(OSError: disk full\).*make migrate again"):
        run(service, lambda: fresh(service))
    log.clear()
    run(service, lambda: fresh(service))

    assert log == ["v1.2.0", "v2.0.0"]


def test_the_templates_own_migrations_are_found_in_the_order_of_their_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v1_10_0", "v1_9_0", "helper"):
        (tmp_path / f"{name}.py").write_text("def migrate(root):\n    return []\n")
    monkeypatch.setattr(migrations, "__path__", [str(tmp_path)])

    assert [each.version for each in migrate.known()] == ["v1.9.0", "v1.10.0"]

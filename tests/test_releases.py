"""From every released version to the work tree: without trust, without a conflict, to what a new service has."""

import json
import shutil
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from hooks.ownership import ANSWERS, MANIFEST, Manifest, blocks

from tests.quick import quick
from tests.release import numbers, release
from tests.services import ROOT
from tests.test_render import FARTHEST
from tests.updates import commit, git, hooks, run

pytestmark = pytest.mark.slow

RELEASES: list[dict[str, Any]] = json.loads((ROOT / "releases.json").read_text("utf-8"))
VERSIONS = [each["version"] for each in RELEASES]
NEXT = "v999.0.0"
ANSWER_SETS = {"defaults": {"service_name": "orders"}, "edges": FARTHEST}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with every release's tag, whether or not tags travelled to this repository; the work tree is the next."""
    clone = tmp_path_factory.mktemp("releases") / "template"
    run("git", "clone", "--quiet", "--no-checkout", str(ROOT), str(clone), cwd=ROOT)
    for each in RELEASES:
        known = run("git", "cat-file", "-e", f"{each['commit']}^{{commit}}", cwd=clone, check=False).returncode == 0
        assert known, f"{each['version']} is commit {each['commit']}, which is not here: git fetch --unshallow"
        git(clone, "tag", "--force", "--no-sign", each["version"], each["commit"])
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for path in filter(None, listed):
        if (ROOT / path).is_file():
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, clone / path)
    commit(clone, "the work tree")
    git(clone, "tag", "--force", "--no-sign", NEXT)
    return clone


def rendered(template: Path, project: Path, version: str, answers: dict[str, str]) -> Path:
    options: dict[str, Any] = {"vcs_ref": version, "data": answers, "defaults": True, "quiet": True, "unsafe": False}
    with quick():
        copier.run_copy(str(template), project, **options)
    git(project, "init", "--quiet")
    commit(project, version)
    return project


def manifest(project: Path) -> Manifest:
    return Manifest.parse((project / MANIFEST).read_bytes())


@pytest.fixture(scope="module", params=[(v, a) for v in VERSIONS for a in ANSWER_SETS], ids="-".join)
def updated(
    request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, dict[str, str]]:
    """A service of a release after plain `copier update` without trust, a new one with its answers, and those."""
    version, answers = request.param[0], ANSWER_SETS[request.param[1]]
    folder = tmp_path_factory.mktemp("updated")
    project = rendered(template, folder / "old", version, answers)
    options: dict[str, Any] = {"skip_answered": True, "overwrite": True, "defaults": True, "quiet": True}
    with quick():
        copier.run_update(project, **options, unsafe=False)
    return project, rendered(template, folder / "new", NEXT, answers), answers


def test_every_release_updates_to_what_a_new_service_has(updated: tuple[Path, Path, dict[str, str]]) -> None:
    project, fresh, _ = updated

    assert manifest(project) == manifest(fresh)
    for path in manifest(fresh).files:
        assert (project / path).read_bytes() == (fresh / path).read_bytes(), path
    for path in manifest(fresh).shared:
        assert blocks((project / path).read_text("utf-8")) == blocks((fresh / path).read_text("utf-8")), path


def test_no_stored_answer_of_a_release_is_dropped_or_changed(updated: tuple[Path, Path, dict[str, str]]) -> None:
    project, _, answers = updated
    stored = yaml.safe_load((project / ANSWERS).read_text("utf-8"))

    assert {key: stored[key] for key in answers} == answers
    assert stored["_commit"] == NEXT


def test_an_update_leaves_no_conflict_and_what_is_pending_is_done_by_one_command(
    updated: tuple[Path, Path, dict[str, str]],
) -> None:
    project, _, _ = updated
    found = json.loads(hooks(project, "check", "--json").stdout)["open"]

    assert {finding["kind"] for finding in found} <= {"migration", "seed"}
    hooks(project, "migrate", check=True)
    assert hooks(project, "check").returncode == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_no_release_ever_needed_trust(template: Path, version: str) -> None:
    settings = yaml.safe_load(git(template, "show", f"{version}:copier.yml"))

    assert not {"_tasks", "_jinja_extensions", "_migrations", "_external_data"} & set(settings)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_path_that_an_owner_may_edit_is_neither_renamed_nor_removed(
    template: Path, tmp_path: Path, version: str
) -> None:
    old = manifest(rendered(template, tmp_path / "old", version, ANSWER_SETS["defaults"]))
    new = manifest(rendered(template, tmp_path / "new", NEXT, ANSWER_SETS["defaults"]))

    assert {*old.shared, *old.seeds} - {*new.shared, *new.seeds} == set()
    assert set(old.shared) <= set(new.shared), "a shared file that becomes the owner's alone is never renewed again"
    assert not set(old.seeds) & set(new.files), "an owner's file would be overwritten"


@pytest.mark.parametrize("version", VERSIONS)
def test_outside_of_its_blocks_a_shared_file_stays_as_the_release_had_it(
    template: Path, tmp_path: Path, version: str
) -> None:
    old = rendered(template, tmp_path / "old", version, ANSWER_SETS["defaults"])
    new = rendered(template, tmp_path / "new", NEXT, ANSWER_SETS["defaults"])

    for path in manifest(old).shared:
        texts = [(project / path).read_text("utf-8") for project in (old, new)]
        assert outside(texts[0]) == outside(texts[1]), path


def outside(text: str) -> list[str]:
    template = blocks(text).splitlines()
    return [line for line in text.splitlines() if line not in template]


def test_the_releases_are_recorded_in_their_order_and_told_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert sorted(VERSIONS, key=numbers) == VERSIONS
    assert len(set(VERSIONS)) == len(VERSIONS)
    for version in VERSIONS:
        section = changelog.partition(f"\n## {version[1:]} ")[2].partition("\n## ")[0]
        assert "**What you get**" in section, version
        assert "**By hand**" in section, version


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository that can be released."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/manifest.py").touch()
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n**What you get**\n\n- All.\n\n**By hand**\n"
    )
    git(tmp_path, "init", "--quiet")
    for name, value in (("user.name", "Test"), ("user.email", "test@example.org"), ("tag.gpgsign", "false")):
        git(tmp_path, "config", name, value)
    commit(tmp_path, "first")
    return tmp_path


def test_a_release_is_tagged_and_its_commit_recorded(repository: Path) -> None:
    release(repository, "v0.1.0")

    (recorded,) = json.loads((repository / "releases.json").read_text())
    assert recorded == {"version": "v0.1.0", "commit": git(repository, "rev-parse", "v0.1.0^{commit}")}
    assert "## 0.1.0 (" in git(repository, "show", "v0.1.0:CHANGELOG.md")
    assert "Unreleased" not in git(repository, "show", "v0.1.0:CHANGELOG.md")
    assert (repository / "CHANGELOG.md").read_text().index("## Unreleased") > 0
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("version", "reason"), [("0.2.0", "no version"), ("v0.1.0", "not newer"), ("v0.2.0", "says nothing")]
)
def test_what_can_not_be_released_is_refused_with_the_reason(repository: Path, version: str, reason: str) -> None:
    release(repository, "v0.1.0")
    before = git(repository, "rev-parse", "HEAD")

    with pytest.raises(SystemExit, match=reason):
        release(repository, version)
    assert git(repository, "rev-parse", "HEAD") == before


def test_a_tree_with_changes_is_not_released(repository: Path) -> None:
    (repository / "new").touch()

    with pytest.raises(SystemExit, match="not committed"):
        release(repository, "v0.1.0")

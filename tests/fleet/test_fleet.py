"""Six services in two rings, looked at, forecast and updated by the fleet command, with real remotes."""

import base64
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fleet.rollout import Budget

from tests.fleet import world
from tests.fleet.world import SECRET, command, environment, fleet, heads, merge, rows
from tests.services import ROOT, until
from tests.updates import FIRST, SECOND, git

pytestmark = pytest.mark.slow

BRANCH = f"ops/update-{SECOND}"
OPEN = 'sh -c \'cp "$1" "$2-$3.md"; echo opened\' - {report} {url} {name}'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.make(tmp_path_factory.mktemp("world"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The fleet as it was made, for one test."""
    return Path(shutil.copytree(made, tmp_path / "fleet", ignore=shutil.ignore_patterns("cache")))


def test_status_tells_versions_births_what_is_open_and_who_could_not_be_reached(made: Path) -> None:
    before = heads(made)

    done = fleet(made, "status", "--json")

    seen = rows(done)
    assert done.returncode == 1
    assert {name: (row["version"], row["behind"], row["born"]) for name, row in seen.items()} == {
        "clean": (FIRST, 1, FIRST),
        "stock": (FIRST, 1, FIRST),
        "current": (SECOND, 0, FIRST),
        "edited": (FIRST, 1, FIRST),
        "taken": (FIRST, 1, FIRST),
        "lost": ("", None, ""),
    }
    assert [each["path"] for each in seen["edited"]["open"]] == ["src/orders/ops/slots.py"]
    assert [seen[name]["open"] for name in ("clean", "stock", "current")] == [[], [], []]
    assert seen["clean"]["updated"] == git(made / "clean.git", "log", "-1", "--format=%cs")
    assert "127.0.0.1" in seen["lost"]["error"]
    assert heads(made) == before


def test_status_as_a_table_or_as_markdown_has_a_line_for_each_service(made: Path) -> None:
    table = fleet(made, "status", "--no-check", "clean", "lost", "--pass-env", "X").stdout
    markdown = fleet(made, "status", "--markdown", "--ring", "canary").stdout

    assert [line.split()[:4] for line in table.splitlines()[1:2]] == [["clean", "canary", FIRST, "1"]]
    assert "not asked" in table
    assert "2 services: 1 on v1.0.0, 1 not read" in table
    assert f"| current | canary | {SECOND} |" in markdown
    assert len(markdown.splitlines()) == 2 + 3 + 2


def test_clones_are_kept_without_old_files_and_credentials_are_neither_printed_nor_stored(made: Path) -> None:
    done = fleet(made, "status")

    clones = made / "cache/shipshape-fleet/clones"
    [edited] = clones.glob("*-edited-*.git")
    missing = git(edited, "rev-list", "--objects", "--missing=print", "main")
    assert "\n?" in missing
    assert SECRET not in done.stdout + done.stderr
    assert "https://127.0.0.1:9/lost.git" in done.stdout
    stored = [file for file in clones.parent.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert stored == []
    assert list((clones.parent / "scratch").iterdir()) == []


def test_credentials_of_the_list_reach_the_server_and_no_output(tmp_path: Path) -> None:
    seen: list[str] = []

    class Forge(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(HTTPStatus.NOT_FOUND if seen[-1] else HTTPStatus.UNAUTHORIZED)
            self.send_header("WWW-Authenticate", 'Basic realm="forge"')
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Forge) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://robot:{SECRET}@127.0.0.1:{server.server_port}/orders.git"
        (tmp_path / "fleet.yaml").write_text(f"services: {{orders: '{url}'}}\n")
        done = fleet(tmp_path, "status", "--json")
        server.shutdown()
        thread.join()

    assert base64.b64encode(f"robot:{SECRET}".encode()).decode() in seen[-1]
    assert "orders.git/' not found" in rows(done)["orders"]["error"]
    assert SECRET not in done.stdout + done.stderr


def test_code_of_the_services_sees_no_token_no_home_and_no_settings_of_the_users(folder: Path, tmp_path: Path) -> None:
    spied = tmp_path / "spied"
    git(tmp_path, "clone", "--quiet", str(folder / "clean.git"), "work")
    hook = tmp_path / "work/ops/hooks/__main__.py"
    hook.write_text(
        "import os\n"
        f"open({str(spied)!r}, 'w').write(repr(dict(os.environ)) + open('.git/config').read())\n"
        'print(\'{"open": [], "accepted": []}\')\n'
    )
    git(tmp_path / "work", "commit", "--quiet", "--all", "--message", "a spy")
    git(tmp_path / "work", "push", "--quiet", "origin", "HEAD:main")

    done = fleet(folder, "status", "clean", GH_TOKEN=SECRET, SSH_AUTH_SOCK="/agent", APP_X="1", ALLOWED="yes")
    seen = spied.read_text()
    fleet(folder, "status", "clean", "--pass-env", "ALLOWED", ALLOWED="yes")

    assert done.returncode == 0, done.stdout
    assert [
        word for word in (SECRET, "/agent", "APP_X", "ALLOWED", "remote", str(folder / "clean")) if word in seen
    ] == []
    assert f"'HOME': '{folder}'" not in seen
    assert "'ALLOWED': 'yes'" in spied.read_text()


def test_a_service_whose_code_never_ends_is_killed_with_its_children_and_is_a_row(folder: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    git(tmp_path, "clone", "--quiet", str(folder / "clean.git"), "work")
    hook = tmp_path / "work/ops/hooks/__main__.py"
    hook.write_text(
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)\n"
    )
    git(tmp_path / "work", "commit", "--quiet", "--all", "--message", "never ends")
    git(tmp_path / "work", "push", "--quiet", "origin", "HEAD:main")

    row = rows(fleet(folder, "status", "clean", "--json", "--timeout", "2"))["clean"]

    assert "took longer than 2 s and was killed" in row["error"]
    time.sleep(0.1)
    alive = subprocess.run(
        ["ps", "-o", "stat=", *pids.read_text().split()], capture_output=True, text=True, check=False
    )
    assert [line for line in alive.stdout.splitlines() if not line.startswith("Z")] == []


def test_a_service_that_names_a_template_nobody_vouches_for_is_not_updated_from_it(
    folder: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", str(folder / "clean.git"), "work")
    answers = tmp_path / "work/.copier-answers.yml"
    answers.write_text(answers.read_text().replace("template.git", "secret.git"))
    git(tmp_path / "work", "commit", "--quiet", "--all", "--message", "another template")
    git(tmp_path / "work", "push", "--quiet", "origin", "HEAD:main")

    seen = fleet(folder, "status", "clean", "--no-check")
    row = rows(fleet(folder, "forecast", "clean", "--json"))["clean"]

    assert "names another template" in seen.stdout
    assert "names another template" in row["error"]
    assert "add the address to template:" in row["error"]


@dataclass
class Story:
    """A rollout over two rings; each step's end."""

    folder: Path
    before: dict[str, str]
    forecast: Any = None
    after_forecast: dict[str, str] | None = None
    too_early: Any = None
    dry: Any = None
    after_dry: dict[str, str] | None = None
    first: Any = None
    after_first: dict[str, str] | None = None
    again: Any = None
    after_again: dict[str, str] | None = None
    second: Any = None
    after_second: dict[str, str] | None = None
    last: Any = None
    after_last: dict[str, str] | None = None


@pytest.fixture(scope="module")
def story(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story") / "fleet"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns("cache"))
    told = Story(folder, heads(folder))
    told.forecast = fleet(folder, "forecast", "--json", "clean", "current", "edited", "lost")
    told.after_forecast = heads(folder)
    told.too_early = fleet(folder, "rollout", "--ring", "all")
    told.dry = fleet(folder, "rollout", "--ring", "canary", "--dry-run", "--max", "1", "--json", "--open", OPEN)
    told.after_dry = heads(folder)
    told.first = fleet(folder, "rollout", "--ring", "canary", "--open", OPEN, "--json")
    told.after_first = heads(folder)
    shutil.copytree(folder, folder.parent / "waiting", ignore=shutil.ignore_patterns("cache", "*.md"))
    told.again = fleet(folder, "rollout", "--ring", "canary", "--open", "false", "--json")
    told.after_again = heads(folder)
    merge(folder / "clean.git", BRANCH)
    merge(folder / "many.git", f"{BRANCH}-stock")
    told.second = fleet(folder, "rollout", "--ring", "all", "--open", OPEN, "--json")
    told.after_second = heads(folder)
    told.last = fleet(folder, "rollout", "--ring", "all", "--open", "false", "--json")
    told.after_last = heads(folder)
    return told


@pytest.fixture
def waiting(story: Story, tmp_path: Path) -> Path:
    """The fleet with the first ring's branches pushed and not merged, for one test."""
    return Path(shutil.copytree(story.folder.parent / "waiting", tmp_path / "fleet"))


def states(done: Any) -> dict[str, str]:
    return {name: row["state"] for name, row in rows(done).items()}


def test_a_forecast_counts_what_would_be_open_and_touches_no_remote(story: Story) -> None:
    seen = rows(story.forecast)

    assert story.forecast.returncode == 1
    assert {name: (row["old"], row["new"], len(row["open"])) for name, row in seen.items() if not row["error"]} == {
        "clean": (FIRST, SECOND, 0),
        "current": (SECOND, SECOND, 0),
        "edited": (FIRST, SECOND, 1),
    }
    assert seen["edited"]["counts"]["aside"] == 1
    assert seen["edited"]["lint"] == "could not be run"
    assert seen["clean"]["counts"]["renewed"] > 3
    assert story.after_forecast == story.before


def test_a_ring_waits_for_the_one_before_it_and_says_for_whom(story: Story) -> None:
    assert story.too_early.returncode == 2
    assert "ring all waits for 2 of 3 services" in story.too_early.stderr
    assert f"clean is on {FIRST}, not on {SECOND}" in story.too_early.stderr


def test_a_dry_run_within_a_budget_begins_no_more_and_pushes_nothing(story: Story) -> None:
    assert sorted(states(story.dry).values()) == ["done", "later", "would push"]
    assert story.dry.returncode == 0
    assert story.after_dry == story.before


def test_the_first_ring_gets_branches_with_one_commit_that_holds_the_update_alone(story: Story) -> None:
    assert story.first.returncode == 0, story.first.stdout
    assert states(story.first) == {"clean": "pushed", "stock": "pushed", "current": "done"}
    assert story.after_first is not None
    new = {name: commit for name, commit in story.after_first.items() if name not in story.before}
    assert set(new) == {f"clean refs/heads/{BRANCH}", f"many refs/heads/{BRANCH}-stock"}
    assert {name: story.after_first[name] for name in story.before} == story.before
    tip = new[f"many refs/heads/{BRANCH}-stock"]
    many = story.folder / "many.git"
    assert git(many, "rev-parse", f"{tip}^") == story.before["many refs/heads/main"]
    changed = git(many, "diff", "--name-only", f"{tip}^", tip).splitlines()
    assert "services/stock/src/orders/ops/added.py" in changed
    assert all(path.startswith("services/stock/") for path in changed)
    assert git(many, "log", "-1", "--format=%an <%ae>|%s", tip) == (
        f"Platform <platform@example.org>|stock: update to version {SECOND} of the template"
    )


def test_the_branch_holds_what_make_update_makes(story: Story) -> None:
    clean, current = story.folder / "clean.git", story.folder / "current.git"

    assert git(clean, "rev-parse", "main^{tree}") == git(current, "rev-parse", "main^{tree}")


def test_the_pull_request_gets_the_report(story: Story) -> None:
    report = Path(f"{story.folder}/many.git-stock.md").read_text()

    assert f"# Template {FIRST} → {SECOND}" in report
    assert "docs/second.md" in report
    assert rows(story.first)["stock"]["note"] == "opened"


def test_a_second_run_changes_nothing_and_opens_nothing(story: Story) -> None:
    assert story.again.returncode == 0
    assert states(story.again) == {"clean": "waiting", "stock": "waiting", "current": "done"}
    assert story.after_again == story.after_first


def test_the_next_ring_goes_when_the_first_is_merged_and_leaves_somebodys_branch_alone(story: Story) -> None:
    assert story.second.returncode == 1
    assert states(story.second) == {"edited": "open", "taken": "theirs", "lost": "failed"}
    assert story.after_second is not None
    assert story.after_second[f"taken refs/heads/{BRANCH}"] == story.before[f"taken refs/heads/{BRANCH}"]
    tip = story.after_second[f"edited refs/heads/{BRANCH}"]
    assert git(story.folder / "edited.git", "log", "-1", "--format=%s", tip).startswith("open: update to version")
    assert "## Your edits, set aside" in Path(f"{story.folder}/edited.git-edited.md").read_text()
    assert SECRET not in story.second.stdout + story.second.stderr
    assert states(story.last) == states(story.second)
    assert story.after_last == story.after_second


def test_a_forced_ring_carries_its_reason_and_only_clean_holds_back_what_would_be_open(folder: Path) -> None:
    reason = "security fix; $(touch /nowhere)"

    forced = ["rollout", "--ring", "all", "--force-ring", reason, "--json"]
    held = fleet(folder, *forced, "--only-clean", "edited")
    git(folder / "taken.git", "update-ref", "-d", f"refs/heads/{BRANCH}")
    pushed = fleet(folder, *forced, "taken", "--open", OPEN)

    assert (held.returncode, states(held)) == (1, {"edited": "held"})
    assert f"edited refs/heads/{BRANCH}" not in heads(folder)
    assert (pushed.returncode, states(pushed)) == (0, {"taken": "pushed"})
    assert reason in git(folder / "taken.git", "log", "-1", "--format=%B", BRANCH)
    assert f"> Begun before earlier rings were done: {reason}" in Path(f"{folder}/taken.git-taken.md").read_text()


def test_a_branch_that_somebody_has_amended_is_left_alone_and_a_base_that_moved_is_renewed_when_asked(
    waiting: Path, tmp_path: Path
) -> None:
    folder, given = waiting, ["rollout", "--ring", "canary", "clean", "--json"]
    git(tmp_path, "clone", "--quiet", str(folder / "clean.git"), "work")
    work = tmp_path / "work"
    (work / "more.txt").write_text("the owner goes on\n")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "more")
    git(work, "push", "--quiet", "origin", "HEAD:main")
    moved = fleet(folder, *given)
    renewed = fleet(folder, *given, "--renew")
    parent = git(folder / "clean.git", "rev-parse", f"{BRANCH}^")
    git(work, "fetch", "--quiet", "origin")
    git(work, "switch", "--quiet", BRANCH)
    (work / "mine.txt").write_text("x\n")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--amend", "--no-edit")
    git(work, "push", "--quiet", "--force", "origin", BRANCH)
    amended = heads(folder)
    left = fleet(folder, *given, "--renew")

    assert [states(done)["clean"] for done in (moved, renewed, left)] == ["waiting", "pushed", "theirs"]
    assert parent == git(folder / "clean.git", "rev-parse", "main")
    assert heads(folder) == amended


def test_a_rollout_killed_in_the_middle_is_simply_run_again(folder: Path, story: Story) -> None:
    given = ["rollout", "--ring", "canary", "clean", "current", "--fleet", str(folder / "fleet.yaml")]
    process = subprocess.Popen(
        command(folder, *given), cwd=ROOT, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    scratch = folder / "cache/shipshape-fleet/scratch"
    until(lambda: list(scratch.glob("*/home/tmp/ops-update-*")), "the update of a service")
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    for clone in (folder / "cache/shipshape-fleet/clones").glob("*.git"):
        (clone / "config.lock").touch()  # as a killed git leaves it

    done = fleet(folder, "rollout", "--ring", "canary", "clean", "current", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert states(done) == {"clean": "pushed", "current": "done"}
    merged = git(story.folder / "clean.git", "rev-parse", "main^{tree}")
    assert git(folder / "clean.git", "rev-parse", f"{BRANCH}^{{tree}}") == merged

    def swept() -> bool:
        """The service's own command has outlived the killed run, and may have written after the next one's sweep."""
        fleet(folder, "status", "--ring", "current")
        return not list(scratch.iterdir())

    until(swept, "an empty scratch folder", 60)


def test_a_branch_whose_pull_request_was_not_opened_any_more_gets_it_from_the_next_run(waiting: Path) -> None:
    folder, given = waiting, ["rollout", "--ring", "canary", "clean", "--json", "--open", OPEN, "--find"]
    pushed = heads(folder)
    opened = fleet(folder, *given, "true")
    found = fleet(folder, *given[:5], "--open", "false", "--find", "echo https://forge/{repository}/{branch}")

    assert (states(opened), rows(opened)["clean"]["note"]) == ({"clean": "waiting"}, "opened")
    assert f"# Template {FIRST}" in Path(f"{folder}/clean.git-clean.md").read_text()
    assert states(found) == {"clean": "waiting"}
    assert BRANCH in rows(found)["clean"]["note"]
    assert heads(folder) == pushed


def test_a_budget_ends_with_its_number_or_with_too_many_failures() -> None:
    budget, careful = Budget(2, None), Budget(None, 2)
    careful.failed()

    assert [budget.refused() for _ in range(3)] == ["", "", "the run's budget is spent"]
    assert careful.refused() == ""
    careful.failed()
    assert careful.refused() == "stopped after too many failures"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rollout"], "--ring 0"),
        (["rollout", "--ring", "late"], "canary, all"),
        (["rollout", "--ring", "canary", "--open", "gh {nobody}"], "{branch}"),
        (["forecast", "--to", "v9.9.9"], "it has v1.1.0, v1.0.0"),
        (["status", "nobody"], "nobody"),
        (["status", "--template", "ext::sh"], "--template"),
    ],
)
def test_what_can_not_be_meant_is_refused_in_a_sentence(made: Path, arguments: list[str], words: str) -> None:
    done = fleet(made, *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr

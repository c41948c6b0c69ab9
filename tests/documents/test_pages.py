"""The documents of a rendered service: what they name is there, and they are what their readers' tools can read."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from ops.readiness import reading
from ops.slo import runbook_page

from tests import services
from tests.services import ROOT
from tests.slo import browser
from tests.test_render import LONG

TEAM = "A | B <b>`x` | [c](d) | **e** \\"
ANSWERS: dict[str, dict[str, str]] = {
    "default": {},
    "other": {
        "service_name": LONG,
        "package_name": "shop",
        "personal_data": "no",
        "availability_target": "99.999",
        "latency_target_ms": "60000",
        "python_version": "3.11",
        "owner_team": TEAM,
        "description": "- 1. | Prices <orders> in `kroner`",
        "image_registry": "localhost:5000",
    },
    "lax": {"availability_target": "95", "owner_team": "É"},
}
FILLED_IN = [
    "architecture.md",
    "capacity-and-cost.md",
    "decisions/0001-cdn.md",
    "decisions/0002-messaging.md",
    "development.md",
    "disaster-recovery.md",
    "dpia.md",
    "launch.md",
    "operations.md",
    "organisation.md",
    "ros.md",
    "runbook.md",
    "support.md",
    "user-guide.md",
]
MADE = "reference/"  # by `make docs`; other tests look at it
MERMAID = "mermaid@12.3.0"
MERMAID_DIGEST = "sha512-4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtRm4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
MISSPELT = re.compile(
    r"\b(Github|GIT[Hh]ub|Gitlab|Kubernets|Kubernates|Prometeus|Postgres[Qq]l|Openapi|OpenApi|Javascript|Datatilsyn\b|"
    r"Fastapi|FastApi|Alert[Mm]anger|Renovatebot|Back[Ss]tage's's|mermaid js|Graf[ae]nna|Open[Tt]elemetery)\b"
)


@pytest.fixture(scope="module", params=ANSWERS)
def project(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return services.render(source, tmp_path_factory.mktemp("documents") / "service", **ANSWERS[request.param])


@pytest.fixture(scope="module")
def pages(project: Path) -> dict[str, str]:
    """The text of each document, by its path below docs/."""
    files = sorted((project / "docs").rglob("*.md"))
    return {each.relative_to(project / "docs").as_posix(): each.read_text("utf-8") for each in files}


def answers(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    return found


def body(text: str) -> str:
    return text.split("\n---\n", 1)[1] if text.startswith("---\n") else text


def code(text: str) -> list[str]:
    """Lines of code that a shell would run."""
    blocks = re.findall(r"(?ms)^```console\n(.*?)^```", text)
    return [line for block in blocks for line in block.splitlines() if line]


def test_every_document_that_people_fill_in_is_a_draft_of_its_owner(project: Path, pages: dict[str, str]) -> None:
    heads = {path: yaml.safe_load(text.split("---\n")[1]) for path, text in pages.items() if text.startswith("---\n")}
    draft = {"owner": answers(project)["owner_team"], "status": "draft", "reviewed": "TODO", "expires": "TODO"}

    assert sorted(set(heads) - {"release.md"}) == FILLED_IN
    assert {path: head for path, head in heads.items() if head != draft} == {}


def test_every_link_leads_to_a_file_or_a_heading(project: Path, pages: dict[str, str]) -> None:
    dead = []
    for page, text in pages.items():
        for link in re.findall(r"(?<!\\)\]\((?!https?://|mailto:)([^)\s]+)\)", body(text)):
            path, _, anchor = link.partition("#")
            file = (project / "docs" / page).parent / path if path else project / "docs" / page
            if path.removeprefix("../").startswith(MADE):
                continue
            known = (
                {each.anchor for each in runbook_page.read(file.read_text("utf-8")).headings} if file.is_file() else ()
            )
            if not file.exists() or (anchor and anchor not in known):
                dead.append(f"{page}: {link}")

    assert dead == []


@pytest.mark.slow
def test_the_links_into_what_is_made_lead_somewhere(orders: Path) -> None:
    links = [
        (page.parent / link).resolve()
        for page in sorted((orders / "docs").rglob("*.md"))
        for link in re.findall(r"\]\(((?:\.\./)?reference/[^)#]+)[^)]*\)", page.read_text("utf-8"))
    ]

    assert len(links) > 12
    assert [str(each) for each in links if not each.is_file()] == []


def test_every_verb_and_command_is_there(project: Path, pages: dict[str, str]) -> None:
    makefile = (project / "ops/Makefile").read_text("utf-8")
    verbs = {name for found in re.findall(r"(?m)^([a-z][a-z \-]*):(?!=)", makefile) for name in found.split()}
    named: dict[str, str] = {}
    for page, text in pages.items():
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))
        for line in [*code(text), *inline]:
            for found in re.findall(r"(?:^|[\s;&])make((?: [a-z][a-z\-]*)+)(?=$|[\s`;&])", line):
                named.update(dict.fromkeys(found.split(), page))

    assert {"install", "run", "check", "test", "docs", "slo", "smoke", "load", "image", "readiness"} <= named.keys()
    assert {verb: page for verb, page in named.items() if verb not in verbs} == {}


def test_every_setting_is_in_the_reference(pages: dict[str, str]) -> None:
    known = set(re.findall(r"`(APP_\w+)`", pages["configuration.md"])) | {"APP_CONFIG_FILE", "APP_SECRETS_DIR"}
    keys = set(re.findall(r"\| `APP_\w+` \| `([\w.]+)` \|", pages["configuration.md"]))
    text = "".join(body(text) for page, text in pages.items() if page in FILLED_IN and page != "runbook.md")
    variables = set(re.findall(r"\bAPP_[A-Z_]+[A-Z]\b", text))
    dotted = set(re.findall(r"`((?:log|limits|shutdown|status|errors|health|metrics|build)\.\w+(?:\.\w+)?)`", text))

    assert {"APP_STATUS__TOKENS", "APP_WORKERS"} <= variables
    assert variables - known == set()
    assert "limits.concurrent_requests" in dotted
    assert dotted - keys == set()


def test_every_row_of_the_scorecard_that_is_named_is_there(pages: dict[str, str]) -> None:
    known = {row.id for row in reading.catalogue([])}
    named = {
        id_
        for cell in re.findall(r"\| ((?:`[a-z0-9\-]+`(?:, )?)+) \|", pages["ros.md"])
        for id_ in re.findall(r"`([a-z0-9\-]+)`", cell)
    }
    named |= {
        id_
        for found in re.findall(r"(?m)^- [^\n]*: ((?:`[a-z0-9\-]+`(?:, )?)+)$", pages["dpia.md"])
        for id_ in re.findall(r"`([a-z0-9\-]+)`", found)
    }

    assert len(named) > 30
    assert named - known == set()


def test_every_row_of_a_table_has_as_many_cells_as_its_head(pages: dict[str, str]) -> None:
    wrong = []
    for page, text in pages.items():
        width = 0
        for number, line in enumerate(
            re.sub(r"(?ms)^```.*?^```", lambda found: "\n" * found[0].count("\n"), text).splitlines(), 1
        ):
            cells = len(re.split(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            width = width or cells if cells else 0
            if cells != width:
                wrong.append(f"{page}:{number}: {cells - 2} cells, not {width - 2}")

    assert wrong == []


def test_tables_are_shown_as_tables_whatever_the_team_is_called(pages: dict[str, str]) -> None:
    reader = MarkdownIt("commonmark").enable("table")
    for page in ("support.md", "organisation.md", "ros.md"):
        shown = reader.render(body(pages[page]))

        assert "| ---" not in shown
        assert shown.count("<table>") == len(re.findall(r"(?m)^\|[- |]+\|$", pages[page]))


def test_free_text_is_shown_as_it_was_written(project: Path, pages: dict[str, str]) -> None:
    given = answers(project)
    reader = MarkdownIt("commonmark").enable("table")
    shown = {page: html.unescape(re.sub(r"<[a-z/][^>]*>", "", reader.render(body(pages[page])))) for page in FILLED_IN}

    assert given["description"] in shown["architecture.md"]
    assert given["description"] in shown["user-guide.md"]
    assert [
        page
        for page in ("ros.md", "organisation.md", "support.md", "user-guide.md")
        if given["owner_team"] not in shown[page]
    ] == []


def test_prose_is_no_wider_than_it_can_be_read(pages: dict[str, str]) -> None:
    lines = [
        (page, number, len(line))
        for page, text in pages.items()
        if page in FILLED_IN
        for number, line in enumerate(
            re.sub(r"(?ms)^```.*?^```", lambda found: "\n" * found[0].count("\n"), text).splitlines(), 1
        )
        if not line.startswith("|") and "](" not in line
    ]
    names = len(LONG) * 2 + len(TEAM)  # answers may be longer than those that the lines were cut for

    assert [each for each in lines if each[2] > 160 + names] == []


def test_names_are_spelt_as_their_owners_spell_them(pages: dict[str, str]) -> None:
    assert {page: found for page, text in pages.items() if (found := MISSPELT.findall(text))} == {}


def test_what_they_say_of_the_manifests_is_what_these_have(project: Path, pages: dict[str, str]) -> None:
    name = answers(project)["service_name"]
    deployment = yaml.safe_load((project / "ops/kubernetes/base/deployment.yaml").read_text("utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    production = (project / "deploy/production/kustomization.yaml").read_text("utf-8")
    least, most = (re.search(rf"/spec/{key}, value: (\d+)", production) for key in ("minReplicas", "maxReplicas"))
    hosts = {each: f"https://{name}{part}.example.org" for each, part in (("production", ""), ("staging", ".staging"))}
    assert least
    assert most

    assert f"{least[1]} to {most[1]}, by CPU at 70 %" in pages["architecture.md"]
    assert f"{name}: {least[1]} to {most[1]} instances" in pages["architecture.md"]
    assert (resources["requests"], resources["limits"]) == (
        {"cpu": "200m", "memory": "256Mi"},
        {"cpu": "1", "memory": "256Mi"},
    )
    assert "| 0.2 to 1 CPU, 256 MiB |" in pages["architecture.md"]
    assert "| 0.2 to 1 CPU, 256 MiB |" in pages["capacity-and-cost.md"]
    assert pod["terminationGracePeriodSeconds"] == 40
    assert "The pod has 40 s." in pages["architecture.md"]
    for environment, host in hosts.items():
        assert host.removeprefix("https://") in (project / f"deploy/{environment}/kustomization.yaml").read_text(
            "utf-8"
        )
        assert f"<{host}>" in pages["user-guide.md"]
    assert f"kubectl -n {name}-production " in pages["disaster-recovery.md"]


def test_what_they_say_of_defaults_is_what_the_reference_says(pages: dict[str, str]) -> None:
    defaults = dict(re.findall(r"\| `APP_\w+` \| `([\w.]+)` \| [^|]+ \| `([^`]+)` \|", pages["configuration.md"]))

    assert {key: defaults[key] for key in ("workers", "limits.concurrent_requests", "limits.request_seconds")} == {
        "workers": "1",
        "limits.concurrent_requests": "256",
        "limits.request_seconds": "60.0",
    }
    assert defaults["limits.request_body_bytes"] == str(1024**2)
    assert (defaults["shutdown.drain_seconds"], defaults["shutdown.timeout_seconds"]) == ("5.0", "20.0")
    assert "503 for 5 s while requests are served, at most 20 s" in pages["architecture.md"]
    assert "256 for each worker, then 503" in pages["architecture.md"]
    assert "60 s, body up to 1 MiB" in pages["architecture.md"]


@pytest.mark.parametrize(
    ("target", "minutes", "support"),
    [
        ("99.9", "40.3", "at all hours"),
        ("99.999", "0.4", "at all hours"),
        ("99", "403.2", "every day"),
        ("95", "2016.0", "office hours"),
    ],
)
def test_support_is_asked_for_as_the_objective_needs_it(
    source: Path, tmp_path: Path, target: str, minutes: str, support: str
) -> None:
    root = services.render(source, tmp_path / "orders", availability_target=target)
    first = (root / "docs/support.md").read_text("utf-8").split("## Who supports what")[0]

    assert f"The objective of {target} % leaves {minutes} minutes without service in 28 days" in first
    assert support in first
    assert f"leaves {minutes} minutes in 28 days" in (root / "docs/disaster-recovery.md").read_text("utf-8")


def test_a_dpia_asks_the_nine_criteria_and_all_that_article_35_wants(pages: dict[str, str], project: Path) -> None:
    text = pages["dpia.md"]
    processed = answers(project)["personal_data"] == "yes"
    parts = re.findall(r"(?m)^## \d\. (.*)$", text)

    assert re.findall(r"(?m)^\| (\d) \| [^|]+\? \|", text) == [str(number) for number in range(1, 10)]
    assert ("article 35(7)(a)" in text, "datatilsynet.no" in text) == (True, True)
    for part in ("(b)", "(c)", "(d)"):
        assert (f"35(7){part}" in text) == processed
    assert ("article 36" in text.lower()) == processed
    assert len(parts) == (9 if processed else 3)
    assert ("no: no personal data" in text) != processed


def test_a_recovery_plan_has_four_levels_with_times_and_a_log_of_drills(pages: dict[str, str]) -> None:
    text = pages["disaster-recovery.md"]
    page = runbook_page.read(text)

    assert re.findall(r"(?m)^\| \[(\w+)\]\(#\w+\) \|", text) == ["Service", "Database", "Cluster", "Region"]
    assert {"service", "database", "cluster", "region", "drills", "who-does-what"} <= {
        each.anchor for each in page.headings
    }
    assert "| date | level | cause played | time taken |" in text


def test_costs_are_asked_for_idle_and_up_to_a_million_customers(pages: dict[str, str]) -> None:
    rows = re.findall(r"(?m)^\| (idle|[\d ]+) \|", pages["capacity-and-cost.md"].split("## Cost a month")[1])

    assert rows == ["idle", "1", "10", "100", "500", "1 000", "1 000 000"]


@pytest.fixture(scope="session")
def mermaid(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script that draws diagrams, in the one version whose digest is here."""
    folder = tmp_path_factory.mktemp("mermaid")
    assert shutil.which("npm"), "npm is not installed: apt-get install npm"
    command = ["npm", "pack", "--json", "--silent", MERMAID]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (packed,) = json.loads(done.stdout)
    assert packed["integrity"] == MERMAID_DIGEST
    subprocess.run(["tar", "xzf", packed["filename"], "package/dist/mermaid.min.js"], cwd=folder, check=True)
    return (folder / "package/dist/mermaid.min.js").read_text("utf-8")


def diagrams(pages: dict[str, str]) -> Iterator[tuple[str, str]]:
    for page, text in pages.items():
        yield from ((page, found) for found in re.findall(r"(?ms)^```mermaid\n(.*?)^```", text))


@pytest.mark.slow
def test_every_diagram_is_drawn(mermaid: str, pages: dict[str, str], tmp_path: Path, project: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><title>diagrams</title>", "utf-8")
    drawn = {}
    with browser.chromium() as chromium, browser.opened(chromium, tmp_path / "page.html") as seen:
        seen.page.add_script_tag(content=mermaid)
        for page, diagram in diagrams(pages):
            drawn[page] = seen.page.evaluate("text => mermaid.render('drawn', text).then(each => each.svg)", diagram)
        with pytest.raises(Exception, match="Parse error"):
            seen.page.evaluate("text => mermaid.render('drawn', text)", "flowchart LR\n  a -- b --- -> c")

    assert sorted(drawn) == ["architecture.md", "release.md", "ros.md"]
    assert all(answers(project)["service_name"] in svg for svg in drawn.values())
    assert seen.requests == [(tmp_path / "page.html").as_uri()]


@pytest.fixture(scope="session")
def backstage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Backstage's own validator."""
    folder = tmp_path_factory.mktemp("npm") / "backstage"
    shutil.copytree(ROOT / "tests/documents/backstage", folder)
    assert shutil.which("npm"), "npm is not installed: apt-get install npm"
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "validate.js"


@pytest.mark.slow
@pytest.mark.parametrize("team", ["Platform team", TEAM, "É", "- team -", "x" * 80, "---", "Team: № 5 & søn"])
def test_backstage_takes_the_catalogue_s_entities(backstage: Path, source: Path, tmp_path: Path, team: str) -> None:
    root = services.render(source, tmp_path / "service", service_name=LONG, owner_team=team)
    (root / "docs/reference").mkdir()
    (root / "docs/reference/openapi.json").write_text('{"openapi": "3.1.0"}', "utf-8")
    command: list[str | Path] = ["node", backstage, "catalog-info.yaml"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "catalog-info.yaml: 2 entities\n", "")
    (root / "catalog-info.yaml").write_text(
        (root / "catalog-info.yaml").read_text("utf-8").replace("kind: API", "kind: Api")
    )
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 1

"""What the checks of people, documents and data find, on the smallest service that shows it."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from ops.readiness import complexity, datastores, pages
from ops.readiness.checks import data, people
from ops.readiness.outcome import CannotTell, Failed, NotApplicable, Open
from ops.readiness.pages import Page
from ops.readiness.service import Service

from tests.readiness.test_security import file

MAKEFILE = "include ops/Makefile\n\nmine: other\n\techo\n"
TEMPLATE = "install: $(BIN)/uv ## Install\ncheck test: lint\nA := b\n.PHONY: no\n"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    file(tmp_path, "Makefile", MAKEFILE)
    return file(tmp_path, "ops/Makefile", TEMPLATE)


def test_verbs_are_those_of_both_makefiles(service: Service) -> None:
    assert pages.targets(service) == {"install", "check", "test", "mine"}


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("make install check test mine", []),
        ("APP_X=1 make test TESTS=a.py | tail", []),
        ("make deploy # make nothing", ["make deploy"]),
        ("cd a && make build", ["make build"]),
        ("app serve --port 1", []),
        (".venv/bin/app configuration", ["app configuration"]),
        ("echo 'make nothing'", []),
        ("make 'unclosed", []),
        ("make -C . -j 4 nothing", ["make nothing"]),
        ("make test 2>&1 >log | tee log", []),
        ("make test > log", []),
        ("make $TARGET", []),
    ],
)
def test_a_command_that_is_not_there_is_told(service: Service, line: str, unknown: list[str]) -> None:
    file(service.root, "docs/a.md", f"# A\n\n```console\n{line}\n```\n\nmake nothing\n")

    assert list(Page(service, "docs/a.md").unknown_commands()) == [
        f"docs/a.md:4: there is no `{each}`" for each in unknown
    ]


def test_a_link_that_leads_nowhere_is_told(service: Service) -> None:
    text = "# A b\n\n[a](#a-b) [b](#c) [c](../Makefile) [d](no.md#x) \\[e\\](f) https://x.org [g](https://x.org/a)\n"
    text += "[h](<../Makefile>) [i](/Makefile) [j](ftp://x.org/a)\n"
    file(service.root, "docs/a.md", text)

    assert list(Page(service, "docs/a.md").dead_links()) == [
        "docs/a.md:3: the link #c leads nowhere",
        "docs/a.md:3: the link no.md#x leads nowhere",
    ]


@pytest.mark.parametrize("written", ["", "TODO: write it\n", "<!-- later -->\n", "### Deeper\n"])
def test_a_section_without_a_word_says_nothing(service: Service, written: str) -> None:
    page = Page(service, "docs/a.md")
    file(service.root, "docs/a.md", f"## Build\n\n{written}\n## Test\n\nRun it.\n")

    page.says("test")
    with pytest.raises(Failed, match=r"docs/a\.md:1: nothing is written under Build"):
        page.says("build")
    with pytest.raises(Failed, match=r"docs/a\.md has no section Set up: write one"):
        page.says("set-up")


def test_ways_through_a_function_are_counted() -> None:
    source = (
        "def plain():\n    return 1\n\n"
        "async def busy(a, b):\n    '''Say why.'''\n    if a and b or b:\n        return [x for x in a if x]\n"
        "    for _ in a:\n        try:\n            pass\n        except ValueError:\n            pass\n"
        "    def inner():\n        while a:\n            pass\n"
        "    return 1 if a else 2\n"
    ).replace("\\'", "'")
    found = {each.name: (each.ways, each.documented) for each in complexity.functions(source)}

    assert found == {"plain": (1, False), "busy": (9, True), "inner": (2, False)}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("* @kari @ola\n", None),
        ("* @org/team\n", None),
        ("* kari@example.org\n", Open),
        ("* @kari @ola\n/docs/ @kari\n", Open),
        ("/docs/ @kari @ola\n", Failed),
        ("* kari\n", Failed),
        ("", Failed),
    ],
)
def test_two_people_or_a_team_for_every_file(service: Service, text: str, outcome: type[Exception] | None) -> None:
    file(service.root, "CODEOWNERS", text)
    if outcome is None:
        assert people.bus_factor(service).startswith("*: @")
    else:
        with pytest.raises(outcome):
            people.bus_factor(service)


@pytest.mark.parametrize(
    ("renovate", "base", "outcome"),
    [
        ({"extends": ["config:recommended"]}, "python:3.13-slim", None),
        ({"extends": ["config:recommended"]}, "registry.example.org/python:3.12-slim-trixie@sha256:ab", None),
        ({"extends": ["config:recommended"]}, "python:3.13-slim-bullseye", Failed),
        ({"extends": ["config:recommended"]}, "python:3.99", CannotTell),
        ({"extends": ["config:recommended"], "enabled": False}, "python:3.13", Failed),
        ({"extends": ["config:recommended"], "enabledManagers": ["dockerfile"]}, "python:3.13", Failed),
        ({}, "python:3.13", Failed),
    ],
)
def test_updates_are_proposed_and_nothing_has_reached_its_end(
    service: Service, renovate: dict[str, object], base: str, outcome: type[Exception] | None
) -> None:
    file(service.root, "renovate.json", json.dumps(renovate))
    file(service.root, "Dockerfile", f"FROM {base} AS base\n")
    if outcome is None:
        assert "gets security fixes until" in people.deprecation(service)
    else:
        with pytest.raises(outcome):
            people.deprecation(service)


def test_dependabot_will_do_and_a_template_update_without_a_schedule_will_not(service: Service) -> None:
    file(service.root, ".github/dependabot.yml", "updates: [{package-ecosystem: uv}]\n")
    file(service.root, "Dockerfile", "FROM python:3.13 AS base\n")
    by_hand = people.deprecation(service)
    file(service.root, ".github/workflows/ops-update.yml", "on: workflow_dispatch\n")

    assert by_hand.startswith(".github/dependabot.yml: new versions of dependencies are proposed; the template's")
    with pytest.raises(Failed, match="runs on no schedule"):
        people.deprecation(service)


PROJECT = "[project]\ndependencies = [{}]\n"
LOCK = (
    '[[package]]\nname = "sqlmodel"\n[[package.dependencies]]\nname = "sqlalchemy"\n[[package]]\nname = "sqlalchemy"\n'
)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("pyproject.toml", PROJECT.format('"Psycopg[binary]>=3"'), "PostgreSQL, by psycopg"),
        ("pyproject.toml", PROJECT.format('"sqlmodel"'), "a database, by sqlmodel"),
        ("src/a/store.py", "import os\nimport sqlite3\n", "a file, by sqlite3 in src/a/store.py"),
        ("deploy/a.yaml", "a: 1\n---\nkind: PersistentVolumeClaim\n", "a volume, claimed in deploy/a.yaml"),
    ],
)
def test_a_store_is_known_by_its_client_or_its_volume(service: Service, path: str, text: str, told: str) -> None:
    file(service.root, "pyproject.toml", PROJECT.format('"httpx"'))
    with pytest.raises(NotApplicable):
        data.replication(service)
    file(service.root, "uv.lock", LOCK)
    file(service.root, path, text)

    assert datastores.needed(service)[0] == told
    assert "deployed elsewhere" in data.replication(service)


def test_what_a_dependency_brings_along_is_seen_too(service: Service) -> None:
    file(service.root, "pyproject.toml", PROJECT.format('"sqlmodel"'))
    file(service.root, "uv.lock", LOCK)

    assert datastores.needed(service) == ["a database, by sqlmodel", "a database, by sqlalchemy (for sqlmodel)"]


@pytest.mark.parametrize(
    ("commands", "days", "outcome"),
    [(True, 10, None), (True, 191, Failed), (True, None, Open), (False, 10, Open)],
)
def test_a_restore_must_have_been_drilled_within_half_a_year(
    service: Service, commands: bool, days: int | None, outcome: type[Exception] | None
) -> None:
    file(service.root, "pyproject.toml", PROJECT.format('"asyncpg"'))
    code = "```console\npg_restore newest\n```\n" if commands else "Restore it.\n"
    day = "TODO" if days is None else date.today() - timedelta(days)  # noqa: DTZ011
    file(
        service.root,
        data.PLAN,
        f"## Database\n\n{code}\n## Drills\n\n| date | level |\n|---|---|\n| {day} | Database |\n",
    )
    if outcome is None:
        assert data.backup_restore(service) == f"a backup was restored on {day} ({data.PLAN})"
    else:
        with pytest.raises(outcome):
            data.backup_restore(service)

"""The generated parts of the documents: they say what the code does, and a check tells where they do not."""

import json
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ops.documents import alerts, dependencies, lifetimes, personal_data, routes, tables
from ops.documents.dependencies import Dependencies
from ops.documents.made import Made
from ops.documents.reading import DocumentsError

from tests import services

ROUTE = '\n\n@router.get("/rates")\nasync def rates() -> list[int]:\n    """All rates."""\n    return [25]\n'
FIELD = (
    "class Line(BaseModel):\n"
    '    note: Annotated[str, Personal(purpose="to deliver | quickly", retention="P30D", category="contact")] = ""\n'
)
MADE = ["alerts.md", "dependencies.md", "openapi.json", "personal-data.md", "routes.md"]


@pytest.fixture
def project(orders: Path, tmp_path: Path) -> Path:
    """A copy of the installed default render, without its environment."""
    left = shutil.ignore_patterns(".venv", ".git", ".mypy_cache", ".ruff_cache", "__pycache__", ".coverage*")
    return Path(shutil.copytree(orders, tmp_path / "orders", ignore=left))


def documents(project: Path, orders: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """`python -m ops.documents`, by the installed service's interpreter, on the copy's own package."""
    python = orders / ".venv/bin/python"
    environment = services.clean_environment(PYTHONPATH=str(project / "src"))
    return subprocess.run(
        [python, "-m", "ops.documents", command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def edit(project: Path, path: str, old: str, new: str) -> None:
    file = project / path
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.slow
def test_a_fresh_service_has_them_all_and_they_are_up_to_date(project: Path, orders: Path) -> None:
    done = documents(project, orders, "check")

    assert sorted(each.name for each in (project / "docs/reference").iterdir()) == MADE
    assert (done.returncode, done.stdout) == (0, "docs/reference/: 5 files say what the code does.\n")
    assert "| GET | `/v1/vat-rates/{country}` | The VAT rate that" in (project / "docs/reference/routes.md").read_text(
        "utf-8"
    )


@pytest.mark.slow
def test_edits_by_hand_are_named_and_make_takes_them_back(project: Path, orders: Path) -> None:
    files = [project / "docs/reference" / name for name in MADE]
    before = [file.read_bytes() for file in files]
    for file in files:
        text = file.read_bytes()
        file.write_bytes(text.replace(b'"orders"', b'"ordres"') if file.suffix == ".json" else text + b"More.\n")
    edited = documents(project, orders, "check")
    made = documents(project, orders, "make")
    *lines, remedy = edited.stderr.splitlines()

    assert edited.returncode == 1
    assert sorted(lines) == [
        f"docs/reference/{name}: is not what the code gives: it is out of date, or was edited" for name in MADE
    ]
    assert remedy == "make docs makes them anew; an edit belongs into what they are made from"
    assert made.stdout == "docs/reference/: 5 files, 5 of them new or changed\n"
    assert [file.read_bytes() for file in files] == before


@pytest.mark.slow
def test_a_file_that_is_missing_is_named(project: Path, orders: Path) -> None:
    (project / "docs/reference/routes.md").unlink()
    done = documents(project, orders, "check")

    assert done.returncode == 1
    assert "docs/reference/routes.md: is missing\n" in done.stderr


@pytest.mark.slow
def test_a_new_route_and_a_new_field_with_personal_data_make_them_stale(project: Path, orders: Path) -> None:
    source = "src/orders/routes.py"
    edit(project, source, "router = APIRouter", "from .ops import Personal\n\nrouter = APIRouter")
    edit(project, source, "class Line(BaseModel):\n", FIELD)
    (project / source).write_text((project / source).read_text("utf-8") + ROUTE, "utf-8")
    stale = documents(project, orders, "check")
    documents(project, orders, "make")

    assert stale.returncode == 1
    assert [line.split(":")[0].rpartition("/")[2] for line in stale.stderr.splitlines()[:-1]] == [
        "personal-data.md",
        "routes.md",
        "openapi.json",
    ]
    assert documents(project, orders, "check").returncode == 0
    assert "| GET | `/v1/rates` | All rates. | – | 200, 4XX, 5XX |" in (project / "docs/reference/routes.md").read_text(
        "utf-8"
    )
    page = (project / "docs/reference/personal-data.md").read_text("utf-8")
    assert (
        "| `Order` | `lines[].note` | to deliver \\| quickly | P30D | contact | – | – | `POST /v1/quotes body` |"
        in page
    )


@pytest.mark.slow
def test_a_lock_file_that_a_bot_has_renewed_is_told_and_fails_nothing(project: Path, orders: Path) -> None:
    edit(project, "uv.lock", 'name = "anyio"\nversion = "', 'name = "anyio"\nversion = "99.')
    renewed = documents(project, orders, "check")
    documents(project, orders, "make")

    assert renewed.returncode == 0
    assert renewed.stderr == (
        "docs/reference/dependencies.md: was made with other versions of dependencies, which fails nothing: make docs "
        "renews it\n"
    )
    assert documents(project, orders, "check").stderr == ""


@pytest.mark.slow
def test_a_new_dependency_must_be_listed_with_its_licence(project: Path, orders: Path) -> None:
    edit(project, "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "Annotated_Types>=0.7",\n')
    stale = documents(project, orders, "check")
    documents(project, orders, "make")
    page = (project / "docs/reference/dependencies.md").read_text("utf-8")

    assert stale.returncode == 1
    assert "docs/reference/dependencies.md: is not what the code gives" in stale.stderr
    assert "| annotated-types | MIT |" in page.split("## The service's own\n")[1].split("## The template's\n")[0]
    assert documents(project, orders, "check").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        (
            "src/orders/app.py",
            "def create_app",
            "import nothing_of_that_name\n\ndef create_app",
            "ModuleNotFoundError: No module",
        ),
        (
            "src/orders/settings.py",
            "    currency: str",
            "    needed: int\n    currency: str",
            "config/dev.yaml: the settings are",
        ),
        ("pyproject.toml", "[project]\n", "[project\n", "pyproject.toml: is no TOML"),
        ("monitoring/prometheus/rules/alerts.yaml", "groups:", "groups: [", "monitoring/prometheus/rules/alerts.yaml:"),
        ("deploy/common/httproute.yaml", "spec:", "spec: [", "deploy/common/httproute.yaml:"),
    ],
)
def test_what_can_t_be_read_is_told_in_one_line(
    project: Path, orders: Path, path: str, old: str, new: str, told: str
) -> None:
    edit(project, path, old, new)
    done = documents(project, orders, "check")

    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_they_are_to_be_committed_once_all_else_is(project: Path, orders: Path) -> None:
    git = ["git", "-c", "user.name=K", "-c", "user.email=k@example.org"]
    (project / ".git/info").mkdir(parents=True)
    subprocess.run([*git, "init", "--quiet"], cwd=project, check=True)
    before = documents(project, orders, "check")
    (project / ".git/info/exclude").write_text("docs/reference/\n", "utf-8")
    for command in (["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run([*git, *command], cwd=project, check=True)
    done = documents(project, orders, "check")
    (project / "notes.txt").write_text("at work", "utf-8")

    assert before.returncode == 0
    assert done.returncode == 1
    assert done.stderr.startswith("docs/reference/: is not committed: git add docs/reference\n")
    assert documents(project, orders, "check").returncode == 0


def test_who_may_call_a_route_is_told_by_its_scheme_and_by_what_the_gateway_publishes() -> None:
    document: dict[str, Any] = {
        "paths": {
            "/v1/a": {"get": {"summary": "One", "security": [{"oauth": ["read"]}], "responses": {"200": {}}}},
            "/v1/b": {"post": {"deprecated": True, "requestBody": {"content": {"application/json": {}}}}},
            "/v10": {"get": {"security": [{"key": []}, {}]}, "parameters": [{"name": "q", "in": "query"}]},
        }
    }
    rows = [
        line.split(" | ")
        for line in routes.text(document, ("/v1",)).splitlines()
        if line.startswith(("| GET", "| POST"))
    ]

    assert [row[-1] for row in rows] == [
        "whoever has oauth, through the gateway |",
        "anyone, through the gateway |",
        "anyone, inside the cluster alone |",
    ]
    assert [row[1] for row in rows] == ["`/v1/a`", "`/v1/b` (deprecated)", "`/v10`"]
    assert [row[3] for row in rows] == ["–", "application/json", "`q` (query)"]
    assert "anyone |" in routes.text(document, None)
    assert routes.NONE in routes.text({}, None)


def test_an_alert_of_two_severities_is_one_row_with_its_section() -> None:
    rule = {"alert": "A_B", "labels": {"severity": "page"}, "annotations": {"consequence": "{{ $value }} | lost"}}
    other = {
        **rule,
        "labels": {"severity": "ticket"},
        "annotations": {"runbook_url": "https://x.org/docs/runbook.md#a_b"},
    }
    lines = alerts.text([rule, other, {"alert": "C", "annotations": {"runbook_url": "https://wiki.example.org/c"}}])

    assert "| A_B | page, ticket | … \\| lost | – |\n| [C](https://wiki.example.org/c) | – | – | – |\n" in lines


def test_personal_data_is_listed_apart_from_secrets() -> None:
    row: dict[str, Any] = {
        "model": "M",
        "field": "f",
        "kind": "personal",
        "purpose": "to <b>",
        "retention": "P1Y",
        "category": "contact",
    }
    row |= {"legal_basis": "contract", "recipients": ["the carrier"], "used": ["POST /a body"]}
    page = personal_data.text([row, {**row, "kind": "secret", "field": "s"}])

    assert "| `M` | `f` | to \\<b\\> | P1Y | contact | contract | the carrier | `POST /a body` |\n" in page
    assert "| `M` | `s` | `POST /a body` |\n" in page.split("## Secrets")[1]
    assert "No personal data is declared." in personal_data.text([])


LOCK = {
    "package": [
        {"name": "a", "version": "1", "dependencies": [
            {"name": "b", "extra": ["x"]},
            {"name": "c", "marker": "sys_platform == 'win32'"},
            {"name": "d", "marker": "python_full_version < '3.12'"},
        ]},
        {"name": "b", "version": "2", "optional-dependencies": {"x": [{"name": "e"}], "y": [{"name": "f"}]}},
        {"name": "e", "version": "3", "dependencies": [{"name": "a"}]},
    ]
}  # fmt: skip


def test_what_is_locked_for_the_image_is_the_same_on_every_machine() -> None:
    assert dependencies._closure(LOCK, ("a",), "3.13") == {"a": "1", "b": "2", "e": "3"}
    assert set(dependencies._closure(LOCK, ("a",), "3.11")) == {"a", "b", "d", "e"}
    assert dependencies._names(["A_b.c[x]>=1", "d; sys_platform == 'win32'", {"include-group": "x"}, "e"], "3.13") == (
        "a-b-c",
        "e",
    )


def test_a_stamp_changes_with_any_version_and_with_nothing_else() -> None:
    known = Dependencies(("a",), ("b",), {"b": "2", "a": "1"}, "3.13")

    assert known.stamp == Dependencies((), (), {"a": "1", "b": "2"}, "3.11").stamp
    assert known.stamp != Dependencies((), (), {"a": "1", "b": "3"}, "3.13").stamp
    assert known.needed() == ("| a |", "| b |")


@pytest.mark.parametrize(
    ("there", "problem", "noted"),
    [
        (None, "is missing", False),
        ("text with 2", None, False),
        ("text with 1, and b", None, True),
        ("text with 1", "does not name b", False),
        ("edited with 2, and b", "is not what the code gives: it is out of date, or was edited", False),
        ("", "does not name b", False),
    ],
)
def test_only_other_versions_are_forgiven(tmp_path: Path, there: str | None, problem: str | None, noted: bool) -> None:
    made = Made("a.md", "text with 2" if there == "text with 2" else "text with 2, and b", "with 2", ("b",))
    if there is not None:
        (tmp_path / "a.md").write_text(there, "utf-8")

    assert made.problem(tmp_path) == problem
    assert made.only_versions(tmp_path) == noted


def test_a_file_that_can_t_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()

    with pytest.raises(DocumentsError, match=r"a\.md: can't be read: Is a directory"):
        Made("a.md", "x").problem(tmp_path)
    (tmp_path / "b.md").write_bytes(b"\xff")
    assert Made("b.md", "x").problem(tmp_path) == "is not what the code gives: it is out of date, or was edited"


def test_ends_of_lines_are_no_difference(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"one\r\ntwo\r\n")

    assert Made("a.md", "one\ntwo\n").problem(tmp_path) is None


def test_a_cell_holds_one_line_and_no_bar() -> None:
    assert tables.table(("a", "b"), [("x\n| y", ""), (tables.plain("*a* <b> [c]"), "d")]) == (
        "| a | b |\n| --- | --- |\n| x \\| y | – |\n| \\*a\\* \\<b\\> \\[c\\] | d |\n"
    )


def test_how_long_python_is_kept_is_told_from_a_table_with_its_source() -> None:
    assert "Python 3.13, which the image has, gets security fixes until October 2029" in lifetimes.sentence("3.13")
    assert lifetimes.SOURCE in lifetimes.sentence("3.13")
    assert "is in no table here" in lifetimes.sentence("4.0")
    assert lifetimes.ENDS["3.11"] == date(2027, 10, 31)


@pytest.mark.slow
def test_no_index_and_no_machine_is_named_in_what_is_made(orders: Path) -> None:
    text = "".join(each.read_text("utf-8") for each in (orders / "docs/reference").iterdir())
    document = json.loads((orders / "docs/reference/openapi.json").read_text("utf-8"))

    assert os.fspath(orders) not in text
    assert "files.pythonhosted" not in text
    assert document["info"]["version"] == "unreleased"

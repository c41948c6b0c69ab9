"""Rendering: every set of answers gives files that parse, bad answers get one message, nothing needs trust."""

import ast
import json
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from allpairspy import AllPairs

from tests.services import ROOT, render

LONG = "a-service-name-of-just-forty-characters1"
TEXT = """Prices "orders" in 'kroner' & €: {{ 7 * 7 }} {% raw %} ${HOME} `ls` \\n # 50 % <b>æøå</b> 😀 | [x](y)"""
ANSWERS: dict[str, list[Any]] = {
    "service_name": ["orders", "a", LONG],
    "package_name": [None, "shop_orders", "p" * 40],
    "description": ["Prices orders", TEXT, "x" * 200],
    "owner_team": ["Team Orders", "Équipe « Commandes »: 'n° 1'", "- yes: no # [team]"],
    "owner_email": ["orders@example.org", "o.r+d_e-r%s@sub-1.example.co.uk"],
    "availability_target": ["99.9", "90", "99.999"],
    "latency_target_ms": ["300", "1", "60000"],
    "personal_data": ["yes", "no"],
    "image_registry": ["registry.example.org/services", "localhost:5000", "ghcr.io/a/b-c/d__e"],
    "python_version": ["3.11", "3.12", "3.13"],
}
FARTHEST: dict[str, str] = {
    "service_name": LONG,
    "package_name": "p" * 40,
    "description": TEXT,
    "owner_team": "- yes: no # [team]",
    "owner_email": "o.r+d_e-r%s@sub-1.example.co.uk",
    "availability_target": "99.999",
    "latency_target_ms": "60000",
    "personal_data": "no",
    "image_registry": "localhost:5000",
    "python_version": "3.11",
}
SETS = [
    {name: value for name, value in zip(ANSWERS, row, strict=True) if value is not None}
    for row in AllPairs(list(ANSWERS.values()))
]


@pytest.fixture(scope="module", params=range(len(SETS)), ids=str)
def rendered(
    request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    answers = SETS[request.param]
    return render(source, tmp_path_factory.mktemp("render") / "service", **answers), answers


def files(project: Path) -> list[Path]:
    return [path for path in project.rglob("*") if path.is_file()]


def unescaped(page: Path) -> str:
    """A Markdown page as it is read: CommonMark takes a backslash before punctuation as that punctuation."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", page.read_text("utf-8"))


def test_there_are_at_least_a_dozen_sets_and_every_pair_of_answers_is_in_one() -> None:
    assert len(SETS) >= 12


PARSERS: dict[str, Callable[[str], Any]] = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".yml": yaml.safe_load,
}


@cache  # most files are the same in every render
def parses(suffix: str, text: str) -> bool:
    PARSERS.get(suffix, str)(text)
    return True


def test_every_file_parses_in_its_format(rendered: tuple[Path, dict[str, Any]]) -> None:
    for path in files(rendered[0]):
        text = path.read_text("utf-8")
        assert parses(path.suffix, text), path
        assert text == "" or text.endswith("\n"), path


def test_nothing_of_the_templates_syntax_is_left(rendered: tuple[Path, dict[str, Any]]) -> None:
    project, answers = rendered
    for path in files(project):
        if path.name == ".copier-answers.yml":  # it holds the answers in YAML's own quoting
            continue
        parts = path.relative_to(project).parts
        package = next((project / "src").iterdir()).name
        if ROOT.joinpath("template", *("{{ package_name }}" if part == package else part for part in parts)).is_file():
            continue  # copied as it is: what it holds of `{{` is Prometheus' own
        text = unescaped(path) if path.suffix == ".md" else path.read_text("utf-8")
        text = re.sub(r"\{\{ (image|ingress) \}\}", "", text)  # NAIS's own
        for value in sorted(answers.values(), key=lambda value: -len(str(value))):
            text = text.replace(str(value), "").replace(json.dumps(value, ensure_ascii=False), "")
        text = re.sub(r"\$\{\{.*?\}\}", "", text)  # GitHub's own expressions
        assert not re.search(r"\{\{ |\{%|\{#|\.jinja\b|copier__|_copier_", text), path
        assert not path.name.endswith(".jinja")
        assert "{{" not in str(path)


def test_answers_come_out_unchanged(rendered: tuple[Path, dict[str, Any]]) -> None:
    project, answers = rendered
    pyproject = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    package = answers.get("package_name", answers["service_name"].replace("-", "_"))

    if "description" in answers:
        assert unescaped(project / "README.md").splitlines()[2] == answers["description"]
    assert pyproject["project"]["name"] == answers["service_name"]
    assert pyproject["project"]["description"] == answers["description"]
    assert (project / "src" / stored["package_name"] / "app.py").is_file()
    assert stored["package_name"] == package or len(answers["service_name"]) > 32
    assert {name: stored[name] for name in answers} == answers


@pytest.mark.parametrize(
    ("service", "package"),
    [
        ("orders", "orders"),
        ("order-api", "order_api"),
        ("logging", "logging_service"),
        ("class", "class_service"),
        ("test", "test_service"),
        (LONG, "a_service_name_of_just_forty_cha"),
    ],
)
def test_the_package_is_named_after_the_service_and_never_like_a_library(
    source: Path, tmp_path: Path, service: str, package: str
) -> None:
    project = render(source, tmp_path / "service", service_name=service)

    assert [path.parent.name for path in project.glob("src/*/app.py")] == [package]


def test_nothing_ever_needs_trust() -> None:
    settings = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))

    assert not {"_tasks", "_jinja_extensions", "_migrations", "_external_data"} & set(settings)


def test_every_question_has_a_default_and_a_validator_or_choices() -> None:
    settings = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    questions = {name: value for name, value in settings.items() if not name.startswith("_")}

    assert set(questions) == set(ANSWERS)
    assert all("default" in value and ("validator" in value or "choices" in value) for value in questions.values())


def test_no_python_file_holds_jinja_or_has_its_suffix_but_those_that_include_a_hook() -> None:
    python = [path for path in (ROOT / "template").rglob("*") if ".py" in path.suffixes]
    included = [path for path in python if path.suffix == ".jinja"]

    for path in included:
        hook = path.relative_to(ROOT / "template" / "ops").with_suffix("")
        assert path.read_text("utf-8") == f"{{% include '{hook}' %}}"
    for path in set(python) - set(included):
        ast.parse(path.read_text("utf-8"))


def test_every_hook_reaches_a_service_as_it_is(source: Path, tmp_path: Path) -> None:
    project = render(source, tmp_path / "service")
    hooks = sorted((ROOT / "hooks").rglob("*.py"))

    assert len(hooks) > 10
    for hook in hooks:
        assert (project / "ops" / hook.relative_to(ROOT)).read_bytes() == hook.read_bytes()
    assert (project / "ops/CHANGELOG.md").read_bytes() == (ROOT / "CHANGELOG.md").read_bytes()


def test_no_file_names_an_index_or_a_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")

    assert "://" not in lock
    assert "--hash=sha256:" in lock
    assert not (ROOT / "uv.lock").exists()

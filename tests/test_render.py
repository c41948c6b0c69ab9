"""Rendering: every set of answers gives files that parse, bad answers get one message, nothing needs trust."""

import ast
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
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


def test_every_file_parses_in_its_format(rendered: tuple[Path, dict[str, Any]]) -> None:
    parsers: dict[str, Callable[[str], Any]] = {
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yaml": yaml.safe_load,
        ".yml": yaml.safe_load,
    }
    for path in files(rendered[0]):
        text = path.read_text("utf-8")
        parsers.get(path.suffix, str)(text)
        assert text == "" or text.endswith("\n"), path


def test_nothing_of_the_templates_syntax_is_left(rendered: tuple[Path, dict[str, Any]]) -> None:
    project, answers = rendered
    for path in files(project):
        if path.name == ".copier-answers.yml":  # it holds the answers in YAML's own quoting
            continue
        text = unescaped(path) if path.suffix == ".md" else path.read_text("utf-8")
        for value in sorted(answers.values(), key=lambda value: -len(str(value))):
            text = text.replace(str(value), "").replace(json.dumps(value, ensure_ascii=False), "")
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


REFUSED: dict[str, list[Any]] = {
    "service_name": [
        "",
        "Orders",
        "orders_api",
        "-orders",
        "orders-",
        "1orders",
        "a" * 41,
        "orders\n",
        "../evil",
        "a/b",
        "ordres é",
        "a.b",
        "{{ 1 }}",
    ],
    "package_name": [
        "",
        "Orders",
        "class",
        "logging",
        "fastapi",
        "ops",
        "tests",
        "1a",
        "a-b",
        "a.b",
        "../x",
        "a\n",
        "a" * 41,
        "con",
        "match",
        "pydantic",
    ],
    "description": ["", "   ", "two\nlines", "tab\there", "nul\0", "right\u202eleft", "line\u2028sep", "x" * 201],
    "owner_team": ["", "x" * 81, "a\nb"],
    "owner_email": [
        "",
        "orders",
        "a@b",
        "a b@example.org",
        "a@example.org\n",
        "a@-x.org",
        "@example.org",
        "a@@example.org",
    ],
    "availability_target": ["", "100", "89.9", "99,9", "high", "99.9999", "-1", "99.9\n"],
    "latency_target_ms": ["", "0", "-5", "60001", "fast", "1.5", "300\n", "1e3", "０３００"],
    "personal_data": ["maybe", ""],
    "image_registry": ["", "https://x.org", "UPPER.org", "a b", "x.org/", "x.org:port", "x\ny"],
    "python_version": ["3.10", "2.7", "latest"],
}


@pytest.mark.parametrize(
    ("question", "answer"), [(name, value) for name, values in REFUSED.items() for value in values]
)
def test_a_bad_answer_is_refused_with_one_message_and_nothing_is_rendered(
    source: Path, tmp_path: Path, question: str, answer: Any
) -> None:
    with pytest.raises((ValueError, copier.errors.CopierError)) as refusal:
        render(source, tmp_path / "service", **{question: answer})

    assert question in str(refusal.value)
    assert "escape" not in str(refusal.value)
    assert not (tmp_path / "service").exists() or not files(tmp_path / "service")


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


def test_no_python_file_holds_jinja_or_has_its_suffix() -> None:
    python = [path for path in (ROOT / "template").rglob("*") if ".py" in path.suffixes]

    assert not [path for path in python if path.suffix == ".jinja"]
    for path in python:
        ast.parse(path.read_text("utf-8"))


def test_no_file_names_an_index_or_a_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")

    assert "://" not in lock
    assert "--hash=sha256:" in lock
    assert not (ROOT / "uv.lock").exists()

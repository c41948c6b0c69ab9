"""Answers: a bad one is refused in one line that says what would do, a strange one comes out as it was written."""

import ast
import fcntl
import json
import keyword
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markdown_it import MarkdownIt

from tests import forks
from tests.quick import quick
from tests.services import ROOT, clean_environment, plain_copy, render

pytestmark = pytest.mark.slow

# What is no string can only come from a data file, or from a stored answer.
REFUSED: dict[str, list[Any]] = {
    "service_name": [
        "",
        "Orders",
        "orders_api",
        "-orders",
        "orders-",
        "../evil",
        "1orders",
        "--help",
        "a" * 41,
        "a" * 100_000,
        "orders\n",
        " orders",
        "a/b",
        "/etc",
        "a.b",
        "ordres é",
        "or\u0334ders",
        "orders\u0660",  # a digit, but not 0 to 9
        "ｏｒｄｅｒｓ",
        "оrders",  # begins with a Cyrillic letter
        "orders\0",
        "\ufefforders",
        "orders\udcff",  # how a byte of a command line that is no UTF-8 arrives
        "{{ 1 }}",
        "$(reboot)",
        5,
        3.5,
        True,
        None,
        ["orders"],
        {"name": "orders"},
        date(2024, 1, 1),
    ],
    "package_name": [
        "",
        "Orders",
        "class",
        "fastapi",
        "../x",
        "ops",
        "tests",
        "logging",
        "match",
        "type",
        "_",
        "__init__",
        "pydantic",
        "con",
        "lpt9",
        "1a",
        "a-b",
        "a.b",
        "a\n",
        "a" * 41,
        "naïve",
        "a²",
        "{{ service_name }}",
        False,
        None,
        ["a"],
    ],
    "description": [
        "",
        "   ",
        "two\nlines",
        "x" * 201,
        " leading",
        "trailing ",
        "\u00a0no-break",
        "\u3000",
        "cr\rlf",
        "tab\there",
        "nul\0",
        "\x1b[31mred",
        "del\x7f",
        "nel\x85",
        "right\u202eleft",
        "isolate\u2066d",
        "mark\u200f",
        "arabic mark\u061c",
        "line\u2028sep",
        "para\u2029sep",
        "\ufeffbom",
        "zero\u200bwidth",
        "word\u2060joiner",
        "soft\xadhyphen",
        "\u3164",
        "\u200d",
        "tag\U000e0041",
        "lone\ud800",
        "not a character\uffff",
        "x" * 100_000,
        "\\" * 201,
        5,
        1.10,
        True,
        None,
        ["a"],
        {"a": "b"},
        10**5000,
        date(2024, 1, 1),
        b"bytes",
    ],
    "owner_team": ["", "\t", "x" * 81, "a\nb", "a\u202eb", " team", 5, None, [["a"]]],
    "owner_email": [
        "",
        "orders",
        "a@b",
        "a b@example.org",
        "-a@example.org",
        "a@example.org\n",
        "a@-x.org",
        "@example.org",
        "a@",
        "a@@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a.@example.org",
        "a@example..org",
        "a@example.org.",
        "a@127.0.0.1",
        "a@[127.0.0.1]",
        '"a b"@example.org',
        "A <a@example.org>",
        "a@example.org,b@example.org",
        "mailto:a@example.org",
        "a@exämple.org",
        "a@example.org?cc=b",
        "x" * 65 + "@example.org",
        f"a@{'x' * 64}.org",
        f"a@{'x.' * 130}org",
        "$(reboot)@example.org",
        True,
        None,
        ["a@example.org"],
    ],
    "availability_target": [
        "",
        "100",
        "89.9",
        "99,9",
        "high",
        "99.9999",
        "-1",
        "-99.9",
        "99.9\n",
        "99.9%",
        "9e1",
        "nan",
        "inf",
        "0x5f",
        "٩٩",
        "99.",
        ".99",
        float("nan"),
        float("inf"),
        100,
        50,
        None,
        True,
        [99.9],
    ],
    "latency_target_ms": [
        "",
        "0",
        "-5",
        "60001",
        "fast",
        "1.5",
        "300\n",
        "+300",
        "1e3",
        "0x1F",
        "0300",
        "3_00",
        "300ms",
        "０３００",
        0,
        300.0,
        10**5000,
        -(10**400),
        None,
        True,
        {},
    ],
    "personal_data": ["maybe", "", "Yes", "true", "no\n", True, False, None, ["yes"], {"yes": "no"}],
    "image_registry": [
        "",
        "https://x.org",
        "UPPER.org",
        "a b",
        "x.org/",
        "x.org:port",
        "x\ny.org",
        "x.org:",
        "x.org:0",
        "x.org:65536",
        "x.org:99999",
        "-x.org",
        "x..org",
        ".x.org",
        "x.org//a",
        "x.org/a/../b",
        "x.org/Team",
        "x.org/a:latest",
        "x.org/a@sha256:0",
        "team",
        "team/orders",
        "[::1]:5000",
        "user:password@x.org",
        "${{ secrets.X }}.org",
        f"{'x' * 64}.org",
        "x.org/" + "a" * 200,
        5000,
        None,
        ["x.org"],
    ],
    "python_version": ["3.10", "2.7", "latest", "", "3.13.1", " 3.13", 3.1, 3, None, True, ["3.13"]],
}
ROWS = [(name, value) for name, values in REFUSED.items() for value in values]

# Each has a Zq in it, by which its places are found.
TEXTS = [
    "Zq 'single' \"double\" `back` ‘curly’ «guillemets» „low“",
    "'''Zq''' \"\"\"Zq\"\"\"",
    "Zq \\ \\n \\t \\\\ \\u0041 \\x41 \\' \\\" C:\\new\\table",
    "Zq ends with a backslash \\",
    "Zq {{ 7 * 7 }} {{ service_name }} {% raw %} {# no #} {%- if x -%}",
    "{{ Zq",
    "{% Zq",
    "{# Zq",
    "Zq ${{ secrets.X }} ${{ github.token }}",
    "Zq $(reboot) `reboot` $HOME ${HOME} $$ %PATH% !! ; && || > /dev/null < x",
    "Zq ]]> <![CDATA[ <!-- --> <b>bold</b> <script>alert(1)</script> &amp; &#65;",
    "--- Zq",
    "--- Zq ---",
    "... Zq",
    "- Zq",
    "-Zq",
    "+ Zq",
    "+++ Zq",
    "* Zq *emphasis* **strong** _under_ ~~struck~~",
    "1. Zq",
    "1) Zq",
    "> Zq",
    "# Zq # comment",
    "=== Zq",
    "| Zq | table |",
    "[Zq](https://example.org) ![Zq][x] [^1] <https://example.org>",
    "! Zq",
    "!!python/object:Zq",
    "& Zq",
    "&anchor Zq",
    "*alias Zq",
    "@ Zq @team",
    "`Zq`",
    "% Zq 50 %",
    "? Zq",
    ": Zq",
    "Zq: a key: {flow: [map]}",
    "[Zq]",
    '[Zq]\\nkey = "value"',
    '{"Zq": null}',
    "Zq,",
    "= Zq",
    '=HYPERLINK("Zq")',
    "Zq \U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1f3\U0001f1f4 \u2764\ufe0f",
    "Zq e\u0301 and é, n\u0303 and ñ, Z\u0351\u0342",
    "Zq שלום עולם",
    "مرحبا Zq می\u200cخواهم",
    "Zq 価格を計算する・ﾊﾝｶｸ",
    "Zq \ue000 private, \u00a0 no-break, \u2003 em",
    "Zq   three   spaces",
    "Zq DROP TABLE orders; --",
    "Zq %s %d %n {0} {} %(x)s",
    "../../Zq",
    "x" * 198 + "Zq",
]
# Words that mean something else in YAML, TOML or Python when they stand alone.
WORDS = [
    "yes",
    "no",
    "null",
    "~",
    "1e3",
    "2024-01-01",
    "0x1F",
    "0o17",
    "1_000",
    ".inf",
    "12:30:45",
    "true",
    "None",
    "<<",
    "=",
]
ACCEPTED: dict[str, list[Any]] = {
    "service_name": ["a", "a-b", "a--b", "a1-2", "xn--orders", "null", "true", "a" * 40, "e-1", "con"],
    "package_name": ["a", "a_b", "shop_orders2", "a" * 40, "e1"],
    "owner_email": [
        "a@b.co",
        "o.r+d_e-r%s@sub-1.example.co.uk",
        f"{'x' * 64}@example.org",
        "A@EXAMPLE.ORG",
        "1@x.xn--p1ai",
    ],
    "availability_target": ["90", "99.90", "99.999", 99.9, 95],
    "latency_target_ms": ["1", "60000", 250],
    "personal_data": ["yes", "no"],
    "image_registry": ["localhost", "localhost/a", "x:5000", "x.org:65535/a/b-c/d__e.f", "127.0.0.1:5000", "a.b"],
    "python_version": ["3.11", "3.12", 3.13],
}
_MARKED = re.compile(r"Makefile|\.mk$|\.sh$|Dockerfile|^\.github/|\.env|\.py$|^\.ci/")


def refusal(source: Path, destination: Path, answers: dict[str, Any]) -> str:
    """What Copier says to bad answers; nothing is rendered."""
    with pytest.raises(copier.errors.UserMessageError) as refused:
        render(source, destination, **answers)
    assert not destination.exists()
    return str(refused.value)


def command_line(*words: str | bytes, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "copier", *words],
        env=clean_environment(PYTHONUTF8="1", **variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def files(project: Path) -> list[Path]:
    return [path for path in project.rglob("*") if path.is_file()]


def strings(tree: Any) -> Iterator[str]:
    """All the keys and values of a parsed document, as text."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield str(name)
            yield from strings(value)
    elif isinstance(tree, list):
        for each in tree:
            yield from strings(each)
    else:
        yield str(tree)


def read_page(text: str) -> list[str]:
    """The paragraphs, headings, cells and blocks of a Markdown page, as a reader sees them."""
    matter = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
    found: list[str] = []
    if matter:
        found += strings(yaml.safe_load(matter[1]))
        text = text[matter.end() :]
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        parts = [("\n" if part.type == "softbreak" else part.content) for part in token.children or []]
        found.append("".join(parts) if token.type == "inline" else token.content)
    return found


def parsed(path: Path) -> list[str]:
    """The strings that a file holds once its own format has been parsed."""
    return _parsed(path.suffix, path.read_text("utf-8"))


@cache  # most files of a render are as in every other
def _parsed(suffix: str, text: str) -> list[str]:
    match suffix:
        case ".toml":
            return list(strings(tomllib.loads(text)))
        case ".json":
            return list(strings(json.loads(text)))
        case ".yaml" | ".yml":
            return list(strings(list(yaml.safe_load_all(text))))
        case ".md":
            return read_page(text)
        case ".py":
            ast.parse(text)
    return [text]


def assert_unchanged(project: Path, description: str, team: str) -> None:
    """Every file parses, and each of the texts is read wherever one of them was put."""
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert (stored["description"], stored["owner_team"]) == (description, team)
    assert tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["description"] == description
    page = read_page((project / "README.md").read_text("utf-8"))
    assert description in page
    assert any(each.startswith(f"Owned by {team}, ") for each in page)
    for path in files(project):
        found = [each for each in parsed(path) if "Zq" in each]
        assert all(description in each or team in each for each in found), path
        assert not (found and _MARKED.search(path.relative_to(project).as_posix())), path
        assert bool(found) == ("Zq" in path.read_text("utf-8")), path


def test_the_tables_hold_more_than_a_hundred_and_twenty_answers() -> None:
    assert len(ROWS) > 120
    assert len(TEXTS) > 50
    assert all("Zq" in text for text in TEXTS)


@pytest.mark.parametrize(
    ("question", "answer"), ROWS, ids=lambda value: ascii(value)[:30] if value != 10**5000 else "∞"
)
def test_a_bad_answer_is_refused_in_one_line_and_nothing_is_rendered(
    source: Path, tmp_path: Path, question: str, answer: Any
) -> None:
    message = refusal(source, tmp_path / "service", {question: answer})

    assert f"{question}: " in message
    assert re.search(r": (write|put|leave) |would do", message)
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize("question", REFUSED)
def test_the_command_line_refuses_in_one_line_and_without_a_traceback(
    source: Path, tmp_path: Path, question: str
) -> None:
    given = [value for value in REFUSED[question] if isinstance(value, str) and "\0" not in value]
    commands = [["--data", f"{question}={value}"] for value in given[:5]]
    (tmp_path / "data.yml").write_text(yaml.safe_dump({question: REFUSED[question][-1]}, allow_unicode=False))
    commands.append(["--data-file", str(tmp_path / "data.yml")])

    for number, given_so in enumerate(commands):
        words = ["copy", "--defaults", *given_so, str(source), str(tmp_path / f"service{number}")]
        done = forks.run("copier", words, tmp_path, clean_environment())

        assert done.returncode == 1, done.stderr
        assert done.stdout == ""
        assert re.fullmatch(rf".*\b{question}: .*\n", done.stderr), done.stderr
        assert not (tmp_path / f"service{number}").exists()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\xff\xfe", id="bytes that are no UTF-8"),
        pytest.param(b"x" * 100_000, id="100 kB"),
        pytest.param(b"\x1b]0;title\x07", id="a terminal's escape sequence"),
    ],
)
def test_what_only_a_command_line_can_hold_is_refused_in_one_line_that_can_be_shown(
    source: Path, tmp_path: Path, answer: bytes
) -> None:
    done = command_line(
        "copy", "--defaults", "--data", b"description=" + answer, str(source), str(tmp_path / "service")
    )

    assert done.returncode == 1
    assert re.fullmatch(r".*\bdescription: .*\n", done.stderr)
    assert done.stderr.strip().isprintable()
    assert len(done.stderr) < 400


def test_a_bad_default_in_the_users_own_settings_is_refused_in_one_line_too(source: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.yml").write_text('defaults: {python_version: "3.9"}')
    environment = {"COPIER_SETTINGS_PATH": str(tmp_path / "settings.yml")}
    done = command_line("copy", "--defaults", str(source), str(tmp_path / "service"), **environment)

    assert done.returncode == 1
    assert re.fullmatch(r".*\bpython_version: \"3.9\" is no choice.*settings\.yml.*\n", done.stderr)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_free_text_comes_out_as_it_was_written_in_every_format_and_in_nothing_that_runs(
    source: Path, tmp_path: Path, number: int
) -> None:
    description = TEXTS[number]
    team = [text for text in TEXTS if len(text) <= 80][-number % 50]

    assert_unchanged(render(source, tmp_path / "service", description=description, owner_team=team), description, team)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_a_format_would_take_for_something_else_stays_text(source: Path, tmp_path: Path, word: str) -> None:
    project = render(source, tmp_path / "service", description=word, owner_team=word)

    assert_unchanged(project, word, word)


@pytest.mark.parametrize("number", range(max(len(values) for values in ACCEPTED.values())))
def test_good_answers_are_stored_as_text_and_every_file_parses(source: Path, tmp_path: Path, number: int) -> None:
    answers = {name: values[number % len(values)] for name, values in ACCEPTED.items()}
    project = render(source, tmp_path / "service", **answers)

    stored = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    assert {name: stored[name] for name in answers} == {name: str(value) for name, value in answers.items()}
    for path in files(project):
        parsed(path)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=60))
def test_any_text_is_refused_or_comes_out_as_it_was_written(
    source: Path, tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    destination = tmp_path_factory.mktemp("any") / "service"
    try:
        render(source, destination, description=text, owner_team=text)
    except copier.errors.UserMessageError:
        assert not destination.exists()
    else:
        assert_unchanged(destination, text, text)
    shutil.rmtree(destination.parent)


@pytest.fixture(scope="module")
def includes() -> SandboxedEnvironment:
    """What copier.yml imports, in an environment like Copier's."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(ROOT),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        undefined=StrictUndefined,
    )


@pytest.fixture(scope="module")
def names(includes: SandboxedEnvironment) -> Any:
    return includes.get_template("includes/names.jinja").module


@pytest.fixture(scope="module")
def rules(includes: SandboxedEnvironment) -> Any:
    return includes.get_template("includes/rules.jinja").module


@settings(max_examples=500, deadline=None)
@given(st.from_regex(r"\A[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z"))
@example("a" * 31 + "-b")
@example("a" * 40)
@example("con")
@example("os-path")
def test_every_service_name_gives_a_package_that_can_be_imported_and_is_not_taken(
    names: Any, rules: Any, name: str
) -> None:
    package = names.package(name)

    assert rules.service_name(name) == ""
    assert rules.package_name(package) == ""
    assert package.isidentifier()
    assert not keyword.iskeyword(package)
    assert not keyword.issoftkeyword(package)
    assert package not in sys.stdlib_module_names


def test_every_name_that_is_taken_gives_a_package_that_is_not(names: Any, rules: Any) -> None:
    packages = [names.package(name.replace("_", "-")) for name in names.taken]

    assert [package for package in packages if rules.package_name(package)] == []


def test_what_python_uses_is_taken(rules: Any) -> None:
    words = [*sys.stdlib_module_names, *keyword.kwlist, *keyword.softkwlist]

    assert [word for word in words if rules.package_name(word) == ""] == []
    assert rules.package_name("orders") == ""


@pytest.mark.slow
def test_what_the_service_has_installed_is_taken(orders: Path, rules: Any) -> None:
    found = orders.glob(".venv/lib/*/site-packages/*")
    installed = {path.name.split(".")[0] for path in found if path.suffix in ("", ".py", ".so")}

    assert "fastapi" in installed
    assert [name for name in sorted(installed - {"orders"}) if rules.package_name(name) == ""] == []


def test_every_question_applies_its_rule_at_the_prompt_and_to_what_is_not_asked() -> None:
    document = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    questions = {name: question for name, question in document.items() if not name.startswith("_")}

    assert set(questions) == set(REFUSED)
    for name, question in questions.items():
        assert f"rules.refuse('{name}', {name}, _copier_conf" in question["ask"]
        assert "choices" in question or f"rules.{name}({name})" in question["validator"]
        assert "choices" not in question or f"_copier_conf, {question['choices']})" in question["ask"]


class Terminal:
    """Copier at a terminal of its own, with everything it has shown."""

    def __init__(self, *words: str) -> None:
        self.shown = ""
        self._end, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
        environment = clean_environment(TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1")
        command = [sys.executable, "-m", "copier", *words]
        self.process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment)
        os.close(there)

    def expect(self, text: str, seconds: float = 30) -> None:
        """Read until `text` is shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            if not select.select([self._end], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"{text!r} was not shown: {self.shown!r}")
            self.shown += os.read(self._end, 65536).decode(errors="replace")

    def type(self, text: str) -> None:
        """Clear the line, write this and press Enter."""
        self.shown = ""
        os.write(self._end, f"\x15{text}\r".encode())

    def close(self) -> int:
        """The exit status; all that is still shown is read first."""
        try:
            while data := os.read(self._end, 65536):
                self.shown += data.decode(errors="replace")
        except OSError:  # the other side is closed
            pass
        os.close(self._end)
        return self.process.wait(60)


def test_the_prompt_says_what_would_do_and_lets_one_correct_the_answer(source: Path, tmp_path: Path) -> None:
    (tmp_path / "data.yml").write_text(
        yaml.safe_dump({name: str(values[0]) for name, values in ACCEPTED.items() if name != "service_name"})
    )
    terminal = Terminal("copy", "--data-file", str(tmp_path / "data.yml"), str(source), str(tmp_path / "service"))
    terminal.expect("a DNS label")
    terminal.type("Orders")
    terminal.expect('"Orders" is no service name: write 1 to 40 lower case letters')
    terminal.type("orders")
    terminal.expect("What the service does")
    terminal.type(" two ends ")
    terminal.expect("begins or ends with white space")
    terminal.type("two ends")
    terminal.expect("owns the service")
    terminal.type("Team Orders")

    assert terminal.close() == 0
    assert "Traceback" not in terminal.shown
    stored = yaml.safe_load((tmp_path / "service" / ".copier-answers.yml").read_text("utf-8"))
    assert [stored[name] for name in ("service_name", "description", "owner_team")] == [
        "orders",
        "two ends",
        "Team Orders",
    ]


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def commit(folder: Path, tag: str = "") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "As it is")
    if tag:
        git(folder, "tag", tag)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template of three versions: v1.0.0 had no rules, v2.0.0 has today's, v3.0.0 the same."""
    template = plain_copy(tmp_path_factory.mktemp("versions") / "template")
    today = (template / "copier.yml").read_text("utf-8")
    lax = yaml.safe_load(today)
    for name in REFUSED:
        lax[name].pop("validator", None)
        lax[name].pop("ask")
    git(template, "init", "--quiet")
    (template / "copier.yml").write_text(yaml.safe_dump(lax, sort_keys=False), "utf-8")
    commit(template, "v1.0.0")
    (template / "copier.yml").write_text(today, "utf-8")
    commit(template, "v2.0.0")
    (template / "template" / ".editorconfig").write_text("root = true\n")
    commit(template, "v3.0.0")
    return template


def started(versions: Path, project: Path, version: str, **answers: str) -> Path:
    """A service of that version, committed."""
    answers.setdefault("service_name", "orders")
    with quick():
        copier.run_copy(str(versions), project, data=answers, vcs_ref=version, defaults=True, quiet=True)
    git(project, "init", "--quiet")
    commit(project)
    return project


def update(project: Path, version: str, **answers: str) -> dict[str, Any]:
    """`copier update`, and the answers that it stored."""
    options: dict[str, Any] = {"defaults": True, "overwrite": True, "quiet": True, "unsafe": False}
    with quick():
        copier.run_update(project, data=answers, vcs_ref=version, **options)
    stored: dict[str, Any] = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    return stored


def test_a_stored_answer_that_a_new_version_refuses_is_named_and_another_one_does(
    versions: Path, tmp_path: Path
) -> None:
    project = started(versions, tmp_path / "service", "v1.0.0", owner_email="a..b@example.org")
    done = command_line("update", "--defaults", "--vcs-ref", "v2.0.0", str(project))

    assert done.returncode == 1
    assert re.search(r'owner_email: "a\.\.b@example\.org" is no e-mail.*\.copier-answers\.yml: .*--data', done.stderr)
    assert "Traceback" not in done.stderr
    assert git(project, "status", "--porcelain") == ""
    assert update(project, "v2.0.0", owner_email="ab@example.org")["owner_email"] == "ab@example.org"


@pytest.mark.parametrize(("question", "answer"), [("package_name", "class"), ("python_version", "3.9")])
def test_a_stored_answer_that_was_edited_by_hand_is_refused_with_its_place(
    versions: Path, tmp_path: Path, question: str, answer: str
) -> None:
    project = started(versions, tmp_path / "service", "v2.0.0")
    stored = project / ".copier-answers.yml"
    stored.write_text(re.sub(rf"(?m)^{question}: .*", f"{question}: '{answer}'", stored.read_text("utf-8")), "utf-8")
    commit(project)

    with pytest.raises(copier.errors.UserMessageError, match=rf'{question}: "{answer}" .*\.copier-answers\.yml'):
        update(project, "v3.0.0")
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize(("old", "new"), [("v1.0.0", "v2.0.0"), ("v2.0.0", "v3.0.0"), ("v1.0.0", "v3.0.0")])
def test_good_answers_survive_every_update_and_can_be_changed(
    versions: Path, tmp_path: Path, old: str, new: str
) -> None:
    project = started(versions, tmp_path / "service", old, description=TEXTS[4], package_name="shop")
    before = yaml.safe_load((project / ".copier-answers.yml").read_text("utf-8"))
    after = update(project, new, latency_target_ms="250", service_name="sales")

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"_commit", "latency_target_ms", "service_name"}

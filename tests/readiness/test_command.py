"""`python -m ops.readiness`: what it prints, writes and refuses, and when a gate lets a service through."""

from io import StringIO
from pathlib import Path

import pytest
from ops.readiness.progress import Progress

from tests.readiness.owner import Owner, made, row, signature
from tests.services import ROOT

OWN = """
from ops.readiness.registry import live, static


@static("own-limits")
def limits(service):
    return "cpu 1"


@live("own-drain")
def drain(service):
    return "no request lost"
"""


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Owner:
    owner = made(
        tmp_path,
        monkeypatch,
        capsys,
        row("own-limits", gate="dev", evidence=["static"]),
        row("own-drain", gate="staging", evidence=["live"]),
        row("pentest"),
        row("cdn"),
    )
    owner.write("own.py", OWN)
    owner.says(checks="own.py", signed={"pentest": signature()})
    return owner


def test_a_gate_lets_through_what_passes_it_and_the_gates_before(owner: Owner) -> None:
    assert [owner.run("--gate", gate)[0] for gate in ("dev", "staging", "production")] == [0, 0, 1]

    owner.says(checks="own.py", signed={"pentest": signature(), "cdn": signature()})

    assert owner.run("--gate", "production")[0] == 0

    owner.write("own.py", OWN.replace('return "cpu 1"', "raise ValueError"))

    assert [owner.run("--gate", gate)[0] for gate in ("dev", "staging", "production")] == [1, 1, 1]


def test_a_gate_is_closed_while_statements_have_mistakes(owner: Owner) -> None:
    owner.says(checks="own.py", signed={"pentest": signature(), "cdn": signature(), "gone": signature()})
    status, out, errors = owner.run("--gate", "dev")

    assert status == 1
    assert "Gate dev        closed  1 of 1 rows, 100 %" in out
    assert "'gone' is no row" in errors


def test_the_report_tells_the_gates_and_what_to_do_first(owner: Owner) -> None:
    owner.write("own.py", OWN.replace('return "no request lost"', 'raise RuntimeError("no port")'))
    out = owner.run()[1].split("\n\n", 1)[1]

    assert [line.rstrip() for line in out.splitlines()][:3] == [
        "Gate dev        passed  1 of 1 rows, 100 %",
        "Gate staging    closed  1 of 2 rows, 50 %",
        "Gate production closed  2 of 4 rows, 50 %",
    ]
    assert out.splitlines()[4:] == [
        "",
        "What to do first, for production",
        "  can't tell own-drain (gate staging): Make it hold",
        "  open       cdn (gate production): Make it hold",
    ]


def test_what_is_broken_comes_before_what_nobody_knows_and_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        row("signed-late"), row("unknown", evidence=["static"], gate="dev"), row("signed-early", gate="dev"),
        row("broken-late", evidence=["static"]), row("broken-early", evidence=["static"], gate="staging"),
    ]  # fmt: skip
    owner = made(tmp_path, monkeypatch, capsys, *rows)
    failing = "\n".join(
        f'@static("broken-{when}")\ndef {when}(service):\n    raise Failed("x")' for when in ("late", "early")
    )
    owner.write(
        "own.py", f"from ops.readiness.registry import static\nfrom ops.readiness.outcome import Failed\n{failing}\n"
    )
    owner.says(checks="own.py")

    assert owner.asked()[1]["next"] == ["broken-early", "broken-late", "unknown", "signed-early", "signed-late"]


def test_a_part_of_the_rows_judges_no_gate(owner: Owner) -> None:
    assert [each["id"] for each in owner.asked("--kind", "static")[1]["rows"]] == ["own-limits"]
    assert [each["id"] for each in owner.asked("--kind", "live")[1]["rows"]] == ["own-drain"]

    _, report, _ = owner.asked("--only", "pentest,own-limits")

    assert [each["id"] for each in report["rows"]] == ["own-limits", "pentest"]
    assert (report["gates"], report["whole"]) == ({}, False)
    assert "No gate is judged by a part" in owner.run("--only", "own-limits")[1]


def test_the_documented_check_of_ones_own_works(owner: Owner) -> None:
    page = (ROOT / "template/docs/readiness.md").read_text("utf-8")
    owner.write("own.py", page.split("```python\n")[1].split("```")[0])
    owner.says(checks="own.py", rows=[row("handbook", evidence=["static"])])

    owner.write("docs/handbook.md", "Services: bank")
    assert owner.states()["handbook"] == ("fail", "docs/handbook.md does not name the service: add it to the list")
    owner.write("docs/handbook.md", "Services: bank, shop")
    assert owner.states()["handbook"] == ("pass", "docs/handbook.md names it")


def test_the_documented_statements_are_sound(owner: Owner) -> None:
    page = (ROOT / "template/docs/readiness.md").read_text("utf-8")
    owner.write("readiness.yaml", page.split("```yaml\n")[1].split("```")[0])
    _, report, errors = owner.asked()

    assert [line for line in errors.splitlines() if "has not come yet" not in line] == []
    assert {each["id"]: each["state"] for each in report["rows"]}["cdn"] == "not applicable"


def test_a_row_explains_itself(owner: Owner) -> None:
    status, out, _ = owner.run("--explain", "own-limits")

    assert status == 0
    assert out.splitlines()[0] == "own-limits: own-limits holds"
    for told in (
        "  Seen      cpu 1",
        "  Why       Else it does not.",
        "  Gate      dev",
        "“It must hold”",
        "Remedy    Make it",
    ):
        assert told in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--gate", "prod"], "argument --gate: invalid choice: 'prod'"),
        (["--only", "own-limit"], "'own-limit' is no row: did you mean own-limits?"),
        (["--explain", "x"], "'x' is no row: there are own-limits, own-drain, pentest, cdn"),
        (["--gate", "dev", "--only", "own-limits"], "a gate is judged by all of its rows: leave --only and --kind out"),
        (["--timeout", "0"], "'0' is no number of seconds up to 3600"),
        (["--json", "--junit"], "only one form of the report fits on standard output"),
        (["--json", "/dev/null/x"], "/dev/null/x: can't be written: File exists; name a file in a folder that can"),
        (["--colour"], "unrecognized arguments: --colour; --help tells the options"),
    ],
)
def test_what_can_not_be_run_as_asked_is_refused_in_one_line(owner: Owner, options: list[str], told: str) -> None:
    status, out, errors = owner.run(*options)

    assert (status, out, len(errors.splitlines())) == (2, "", 1)
    assert told in errors


def test_elsewhere_than_in_a_service_it_says_where_to_run_it(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, errors = owner.run()

    assert status == 2
    assert errors == f"readiness: {tmp_path} is no service's folder: it has no src/ and ops/; run this where they are\n"


def test_the_progress_is_told_on_a_terminal_alone() -> None:
    """One line, written over, and gone in the end."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal, pipe = Terminal(), StringIO()
    for stream in (terminal, pipe):
        progress = Progress(stream, 2)
        progress.told("drain", False)
        progress.told("drain", True)
        progress.gone()

    assert terminal.getvalue() == "\r\033[K0/2 drain\r\033[K1/2 \r\033[K"
    assert pipe.getvalue() == ""

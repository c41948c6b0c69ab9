"""What a check tells decides its row: never a pass by default, by exception, by silence or by waiting."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.readiness.owner import Owner, made, row, signature
from tests.services import ROOT

CHECKS = '''
import time
from ops.readiness.outcome import CannotTell, Failed, NotApplicable, Open
from ops.readiness.registry import live, static
from ops.readiness.service import Service


@static("own-row")
def look(service: Service) -> str:
    """Look."""
    {body}
'''


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Owner:
    return made(
        tmp_path,
        monkeypatch,
        capsys,
        row("own-row", evidence=["static"], gate="dev"),
        row("beside", evidence=["static"], gate="staging"),
        row("both", evidence=["live", "signed"]),
    )


def checked(owner: Owner, body: str, more: str = "") -> tuple[str, str]:
    owner.write("own.py", CHECKS.format(body=body) + more)
    owner.says(checks="own.py")
    return owner.states()["own-row"]


@pytest.mark.parametrize(
    ("body", "state", "evidence"),
    [
        ('return f"it is {service.package}"', "pass", "it is shop"),
        ('raise Failed("it is\\n not so")', "fail", "it is not so"),
        ('raise Open("say what")', "open", "say what"),
        ('raise NotApplicable("no store")', "not applicable", "no store"),
        ('raise CannotTell("no kustomize")', "cannot tell", "no kustomize"),
        ("raise KeyError('port')", "cannot tell", "its check itself failed: KeyError: 'port'"),
        ("raise SystemExit(0)", "cannot tell", "its check itself failed: RuntimeError: SystemExit: 0"),
        ("raise TimeoutError('peer')", "cannot tell", "its check itself failed: TimeoutError: peer"),
        ("raise Failed", "fail", "its check did not say why"),
        ("return None", "cannot tell", "its check told no evidence: a check returns what it saw"),
        ('return ""', "cannot tell", "its check told no evidence: a check returns what it saw"),
    ],
)
def test_a_check_decides_its_row(owner: Owner, body: str, state: str, evidence: str) -> None:
    assert checked(owner, body) == (state, evidence)


def test_a_row_that_nothing_checks_cannot_be_told(owner: Owner) -> None:
    assert owner.states()["beside"] == ("cannot tell", "nothing checks it: no check is declared for this row")


def test_a_check_that_hangs_ends_nothing_but_itself(owner: Owner) -> None:
    owner.write("own.py", CHECKS.format(body="time.sleep(60)") + BESIDE)
    owner.says(checks="own.py")
    began = time.monotonic()
    _, report, _ = owner.asked("--timeout", "0.3")

    assert time.monotonic() - began < 5
    assert [(each["id"], each["state"], each["seen"]) for each in report["rows"][:2]] == [
        ("own-row", "cannot tell", "its check did not end within 0.3 s"),
        ("beside", "pass", "it is there"),
    ]


BESIDE = '''

@static("beside")
def other(service: Service) -> str:
    """Look."""
    return "it is there"
'''


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def broken(:\n", "own.py: line 1: SyntaxError: invalid syntax"),
        ("\nraise OSError('no disk')\n", "own.py: line 2: OSError: no disk"),
        ("import no_such_module\n", "own.py: line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            CHECKS.format(body="return 'x'").replace("own-row", "gone"),
            "own.py: 'gone' is no row: add it under rows, or mend",
        ),
        (CHECKS.format(body="return 'x'") * 2, "ValueError: row 'own-row' has a check already: "),
        (CHECKS.format(body="return 'x'").replace("own-row", "container"), "row 'container' has a check already: "),
    ],
)
def test_a_mistake_in_the_owners_checks_is_told_and_the_rest_is_reported(owner: Owner, text: str, told: str) -> None:
    """One of them would take a check of the template's own out of the way."""
    owner.write("own.py", text)
    owner.says(checks="own.py", signed={"both": signature()})
    status, report, errors = owner.asked()

    assert status == 1
    assert f"readiness.yaml:1: checks: {told}" in errors or told in errors
    assert [each["state"] for each in report["rows"]] == ["cannot tell"] * 3
    assert report["rows"][2]["seen"].endswith("https://wiki.example.org/1")


@pytest.mark.parametrize(
    ("body", "signed", "state"),
    [
        ('return "it runs"', True, "pass"),
        ('return "it runs"', False, "open"),
        ('raise Open("decide")', True, "open"),
        ('raise CannotTell("no store")', False, "cannot tell"),
        ('raise Failed("it does not")', True, "fail"),
        ('raise NotApplicable("no store")', False, "not applicable"),
    ],
)
def test_a_row_with_a_check_and_a_signature_is_as_good_as_its_worse_half(
    owner: Owner, body: str, signed: bool, state: str
) -> None:
    owner.write("own.py", CHECKS.format(body=body).replace('@static("own-row")', '@live("both")'))
    owner.says(checks="own.py", signed={"both": signature()} if signed else {})

    assert owner.states()["both"][0] == state


def test_checks_are_made_side_by_side(owner: Owner) -> None:
    owner.write(
        "own.py",
        (CHECKS + BESIDE).format(body='time.sleep(0.5); return "x"').replace('"it is', 'time.sleep(0.5) or "it is'),
    )
    owner.says(checks="own.py")
    began = time.monotonic()
    _, report, _ = owner.asked()

    assert time.monotonic() - began < 0.9
    assert [each["seconds"] >= 0.5 for each in report["rows"]] == [True, True, False]


@pytest.mark.parametrize(
    ("objective", "answer", "state"),
    [
        (99.95, "99.9", "open"),
        (99.9, "99.99", "open"),
        (99.9, "99.5", "not applicable"),
        ("nan", "99.5", "open"),
        (None, "99.99", "open"),
        (None, "99.9", "not applicable"),
    ],
)
def test_a_row_concerns_the_targets_that_need_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    objective: float | str | None,
    answer: str,
    state: str,
) -> None:
    """The answer says it, and slo.yaml if that promises more; less in there takes no row away."""
    owner = made(tmp_path, monkeypatch, capsys, row("zones", from_availability=99.95))
    owner.write(".copier-answers.yml", f"service_name: shop\navailability_target: '{answer}'\n")
    if objective:
        owner.write(
            "slo.yaml", f"slos: [{{name: latency, objective: 99}}, {{name: availability, objective: {objective}}}]\n"
        )

    assert owner.states()["zones"][0] == state


def test_a_row_whose_target_nobody_can_tell_concerns_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = made(tmp_path, monkeypatch, capsys, row("zones", from_availability=99.95))
    owner.write(".copier-answers.yml", "[broken")
    owner.write("slo.yaml", "slos: [{name: availability, objective: high}]")

    assert owner.states()["zones"][0] == "open"


@pytest.mark.parametrize(("answer", "state"), [("yes", "open"), ("no", "not applicable")])
def test_a_row_may_concern_one_answer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, state: str
) -> None:
    owner = made(tmp_path, monkeypatch, capsys, row("own-dpia", only_if={"personal_data": "yes"}))
    owner.write(".copier-answers.yml", f"personal_data: '{answer}'\n")

    assert owner.states()["own-dpia"][0] == state


def test_what_a_check_has_started_ends_with_the_run(owner: Owner) -> None:
    checked(owner, 'service.ending.callback(open("ended", "w").close); return "it is started"')

    assert (owner.root / "ended").exists()


def test_a_report_tells_when_it_was_made(owner: Owner) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    report = owner.asked()[1]

    assert began <= datetime.fromisoformat(report["started_at"]) <= datetime.now(UTC)
    assert (report["service"], report["commit"]) == ("shop", None)


def test_checks_make_trees_of_code_one_at_a_time() -> None:
    """Two threads at once fail now and then with Python 3.11, about once in a hundred runs."""
    modules = sorted((ROOT / "template/ops/readiness").rglob("*.py"))

    assert [each.name for each in modules if "ast.parse(" in each.read_text("utf-8")] == ["parsing.py"]

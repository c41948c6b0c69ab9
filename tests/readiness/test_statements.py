"""readiness.yaml: a signature counts only if it is whole; each mistake is told by itself, and the rest is reported."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.readiness.owner import DATES, DONE, TODAY, TOMORROW, YESTERDAY, Owner, made, row, signature

DAY = timedelta(days=1)
LAST = YESTERDAY + timedelta(days=400)
LINK = "https://wiki.example.org/1"


def far(day: date, done: str) -> str:
    """What is said of a day that is too far from yesterday."""
    days = f"{day}, {(day - YESTERDAY).days} days after {YESTERDAY}, when it was {done}"
    return f"{days}, and 400 are the most: write {LAST} or an earlier day"


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Owner:
    return made(tmp_path, monkeypatch, capsys, row("pentest"), row("launch", documents=["docs/launch.md"]), row("cdn"))


def test_a_row_that_nobody_has_signed_is_open(owner: Owner) -> None:
    assert owner.states()["pentest"] == (
        "open",
        "nobody has signed it: readiness.yaml has no valid entry pentest under signed",
    )


def test_a_signature_passes_its_row_and_no_other(owner: Owner) -> None:
    owner.says(signed={"pentest": signature()})
    status, report, errors = owner.asked()

    assert (status, errors) == (0, "")
    assert [(each["id"], each["state"]) for each in report["rows"]] == [
        ("pentest", "pass"),
        ("launch", "open"),
        ("cdn", "open"),
    ]
    assert report["rows"][0]["seen"] == f"signed by Kari Nordmann on {YESTERDAY}, until {TOMORROW}: {LINK}"


def test_a_signature_and_its_document_may_count_for_400_days(owner: Owner) -> None:
    owner.says(signed={"launch": signature(expires=LAST)})
    owner.write("docs/launch.md", DONE.replace(str(TOMORROW), str(LAST)))

    assert owner.states()["launch"][0] == "pass"


def test_a_signature_that_expires_today_counts_no_more(owner: Owner) -> None:
    owner.says(signed={"pentest": signature(expires=TODAY)})
    state, seen = owner.states()["pentest"]

    assert state == "open"
    assert seen.startswith(f"what Kari Nordmann signed on {YESTERDAY} expired on {TODAY}: have it done again")


@pytest.mark.parametrize(
    ("front", "left"),
    [
        (DONE.replace("approved", "draft"), "docs/launch.md is not approved: its status is draft"),
        (DONE.replace(str(TOMORROW), "TODO"), "docs/launch.md: no date in expires; write one, as 2026-11-30"),
        (
            DONE.replace(DATES, f"reviewed: {TOMORROW}\nexpires: {TOMORROW + DAY}\n"),
            f"docs/launch.md: reviewed is {TOMORROW}, which has not come yet",
        ),
        (DONE.replace(str(TOMORROW), "2024-06-01"), "docs/launch.md expired on 2024-06-01: review it again"),
        (
            DONE.replace(str(TOMORROW), "2099-01-01"),
            f"docs/launch.md: it expires on {far(date(2099, 1, 1), 'reviewed')}",
        ),
        (DONE.replace(str(TOMORROW), "9999-12-31"), f"docs/launch.md: it expires on {far(date.max, 'reviewed')}"),
        (DONE.replace(str(TOMORROW), str(LAST + DAY)), f"docs/launch.md: it expires on {far(LAST + DAY, 'reviewed')}"),
        (DONE + "TODO: who?\n", "docs/launch.md has 1 TODO left, the first in line 9"),
    ],
    ids=["a draft", "no end", "reviewed tomorrow", "expired", "far", "farthest", "a day too far", "a marker"],
)
def test_a_signature_counts_once_its_document_is_done(owner: Owner, front: str, left: str) -> None:
    owner.says(signed={"launch": signature()})
    owner.write("docs/launch.md", front)

    assert owner.states()["launch"] == ("open", left)

    owner.write("docs/launch.md", DONE)

    assert owner.states()["launch"][0] == "pass"


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (
            {"signed": {"pentst": signature()}},
            "readiness.yaml:3: signed.pentst: 'pentst' is no row: did you mean pentest?",
        ),
        (
            {"signed": {"pentest": signature(on="30.11.2024")}},
            "readiness.yaml:4: signed.pentest.on: '30.11.2024' is no date: write year, month and day, as 2026-11-30",
        ),
        ({"signed": {"pentest": signature(on="2024-02-30")}}, "signed.pentest.on: '2024-02-30' is no date"),
        ({"signed": {"pentest": signature(on="2024-11-30T10:00:00Z")}}, "is no date"),
        ({"signed": {"pentest": signature(on=TOMORROW)}}, f"signed.pentest.on: {TOMORROW} has not come yet"),
        ({"signed": {"pentest": signature(expires="2020-01-01")}}, f"2020-01-01 is not after {YESTERDAY}, when it was"),
        (
            {"signed": {"pentest": signature(by="TODO")}},
            "signed.pentest.by: 'TODO' tells nobody anything: write the full",
        ),
        ({"signed": {"pentest": signature(by="TODO: who?")}}, "'TODO: who?' tells nobody anything"),
        ({"signed": {"pentest": signature(by="")}}, "signed.pentest.by: '' tells nobody anything"),
        ({"signed": {"pentest": signature(by="Somebody")}}, "'Somebody' tells nobody anything"),
        ({"signed": {"pentest": signature(by="me")}}, "'me' tells nobody anything: write the full name"),
        ({"signed": {"pentest": signature(by="x")}}, "'x' tells nobody anything: write the full name"),
        (
            {"signed": {"pentest": signature(expires="2099-01-01")}},
            f"signed.pentest.expires: 2099-01-01 is {far(date(2099, 1, 1), 'signed').partition(', ')[2]}",
        ),
        ({"signed": {"pentest": signature(on="0001-01-01", expires="9999-12-31")}}, "write 0002-02-05 or an earlier"),
        ({"signed": {"pentest": signature(expires="2027-W48-2")}}, "signed.pentest.expires: '2027-W48-2' is no date"),
        ({"signed": {"pentest": signature(by=7)}}, "signed.pentest.by: 7 tells nobody anything"),
        (
            {"signed": {"pentest": signature(evidence="it is fine")}},
            "'it is fine' is neither an address (https://…) nor",
        ),
        ({"signed": {"pentest": signature(evidence="https://…")}}, "'https://…' tells nobody anything"),
        ({"signed": {"pentest": signature(evidence="docs/gone.md")}}, "'docs/gone.md' is neither an address"),
        ({"signed": {"pentest": signature(evidence="../../etc/passwd")}}, "is neither an address"),
        (
            {"signed": {"pentest": {"by": "Kari Nordmann"}}},
            "signed.pentest: on, evidence, expires missing: each of by, on,",
        ),
        ({"signed": {"pentest": signature(mood="good")}}, "'mood' is no key here: there are by, on, evidence, expires"),
        ({"signed": {"pentest": True}}, "signed.pentest: True stands where {by, on, evidence, expires} must"),
        ({"signed": ["pentest"]}, "signed: a list stands where signatures must: id: {by, on, evidence, expires}"),
        ({"not_applicable": {"pentest": "we do not care"}}, "'we do not care' stands where {reason, by} must"),
        (
            {"not_applicable": {"pentest": {"reason": "TODO", "by": "Kari"}}},
            "pentest.reason: 'TODO' tells nobody anything",
        ),
        ({"not_applicable": {"pentest": {"reason": "It is a toy."}}}, "not_applicable.pentest: by missing: each of"),
        ({"not_applicable": {"gone": {"reason": "It is a toy.", "by": "Kari"}}}, "'gone' is no row"),
        ({"sined": {}}, "readiness.yaml:1: sined: 'sined' is no key here: did you mean signed?"),
        ({"rows": [{"id": "own"}]}, "rows[0]: text is missing: write one"),
        ({"checks": "gone.py"}, "checks: 'gone.py' is no Python file in this repository: name one that is"),
        (
            {"live": {"config": "gone.yaml"}},
            "live.config: 'gone.yaml' is no file in this repository; config/dev.yaml is",
        ),
        (
            {"live": {"env": {"APP_PORT": [1]}}},
            "live.env.APP_PORT: an environment variable is a text: write it in quotes",
        ),
    ],
    ids=str,
)
def test_a_mistake_is_told_and_the_rest_is_reported(owner: Owner, statements: dict[str, Any], told: str) -> None:
    """The status tells of it, the wrong entry counts as not there, and a row beside it passes."""
    sound = {"cdn": signature()}
    signed = statements.get("signed", {})
    owner.says(**{**statements, "signed": {**signed, **sound} if isinstance(signed, dict) else signed})
    text = (owner.root / "readiness.yaml").read_text("utf-8")
    status, report, errors = owner.asked()

    assert status == 1
    assert told in errors, text
    assert len(report["problems"]) == len(errors.splitlines()) >= 1
    assert report["rows"][0]["state"] == "open"
    assert isinstance(signed, list) or report["rows"][2]["state"] == "pass"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "signed: {pentest: []\n",
            "readiness.yaml:2: this is no YAML: did not find expected ',' or '}'; nothing in the file counts",
        ),
        ("- a\n- b\n", "readiness.yaml:1: a list stands where keys must: signed, not_applicable, rows, checks, live"),
        ("signed: &all {cdn: *all}\n", "too deep, or too much: write values out instead of aliases (*)"),
        ("signed:\n  cdn: {}\n  cdn: {}\n", "readiness.yaml:3: signed: the key 'cdn' is there twice"),
        ("\x00", "readiness.yaml: this is no YAML: unacceptable character"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_told_and_the_rest_is_reported(owner: Owner, text: str, told: str) -> None:
    owner.write("readiness.yaml", text)
    status, report, errors = owner.asked()

    assert status == 1
    assert told in errors
    assert [each["state"] for each in report["rows"]] == ["open", "open", "open"]


def test_a_missing_file_is_told_and_the_rest_is_reported(owner: Owner) -> None:
    (owner.root / "readiness.yaml").unlink()
    status, report, errors = owner.asked()

    assert (status, len(report["rows"])) == (1, 3)
    assert errors == "readiness: readiness.yaml: it is not there; take it back from git's history\n"


def test_an_empty_file_says_nothing_and_is_no_mistake(owner: Owner) -> None:
    owner.write("readiness.yaml", "# nothing yet\n")

    assert owner.asked()[0::2] == (0, "")


def test_a_row_that_does_not_concern_the_service_is_left_out_with_a_name(owner: Owner) -> None:
    owner.says(not_applicable={"cdn": {"reason": "Only other services call it.", "by": "Kari Nordmann"}})
    report = owner.asked()[1]

    assert report["rows"][2]["state"] == "not applicable"
    assert report["rows"][2]["seen"] == "Kari Nordmann says in readiness.yaml: Only other services call it."
    assert report["gates"]["production"]["rows"] == 2


def test_a_row_that_is_signed_and_not_applicable_is_neither(owner: Owner) -> None:
    owner.says(
        signed={"cdn": signature()}, not_applicable={"cdn": {"reason": "Nothing to serve.", "by": "Kari Nordmann"}}
    )
    status, report, errors = owner.asked()

    assert (status, report["rows"][2]["state"]) == (1, "open")
    assert errors == "readiness: readiness.yaml: cdn: it is signed and not applicable: take one away; neither counts\n"


def test_a_file_of_the_repository_is_evidence(owner: Owner) -> None:
    owner.write("docs/decisions/cdn.md", "# No CDN\n")
    owner.says(signed={"cdn": signature(evidence="docs/decisions/cdn.md#why")})

    assert owner.states()["cdn"][0] == "pass"

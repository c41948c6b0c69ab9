"""What load.yaml may say, and what is said of one that is wrong."""

from pathlib import Path

import pytest
from ops.load import figures, plan
from ops.load.figures import Figures, Outcome
from ops.load.plan import Stage, Turns
from ops.smoke.masking import Masks
from ops.smoke.outcome import BadInput

GOOD = """
requests:
  - request: GET /v1/things
    weight: 3
  - {name: order, request: POST /v1/orders, body: {a: 1}, status: 201}
headers: {X-Team: load}
pause_seconds: [0, 0.1]
profiles:
  short: [{seconds: 2, users: 4}, {seconds: 3, users: 4}]
  long: [{seconds: 60, users: 0}, {seconds: 1, users: 1}]
thresholds: {failed_percent: 1, p99_ms: 300}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "load.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_plan_has_weighted_requests_stages_and_thresholds(tmp_path: Path) -> None:
    found = plan.read(written(tmp_path, GOOD), Masks())

    assert [(each.request.name, each.weight) for each in found.requests] == [("GET /v1/things", 3.0), ("order", 1.0)]
    assert found.requests[1].request.headers == {"X-Team": "load"}
    assert found.profiles["short"] == (Stage(2.0, 4), Stage(3.0, 4))
    assert found.thresholds == {"failed_percent": 1.0, "p99_ms": 300.0}
    assert found.pause_seconds == (0.0, 0.1)


def test_each_request_gets_its_share_and_none_waits_long_for_its_turn(tmp_path: Path) -> None:
    turns = Turns(plan.read(written(tmp_path, GOOD), Masks()).requests)
    sent = [turns.next().name for _ in range(400)]

    assert sent.count("order") == 100
    assert all(sent[start : start + 4].count("order") == 1 for start in range(0, 400, 4))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight: 3", "weight: 0", "requests[0]: weight: 0 is no number from 0.001 to 1e+06"),
        ("weight: 3", "weight: true", "requests[0]: weight: True is no number"),
        ("weight: 3", "wait: 3", "requests[0]: 'wait' is no key here"),
        ("GET /v1/things", "fetch /v1/things", "requests[0]: request: 'fetch /v1/things' is no request"),
        ("[0, 0.1]", "[1, 0.1]", "pause_seconds: [1, 0.1]; write two numbers of seconds"),
        (
            "seconds: 2, users: 4",
            "seconds: 2, users: 9999",
            "short[0]: users: 9999 is no number from 0 to 5000",
        ),
        ("seconds: 2, users: 4", "seconds: 2, users: 1.5", "profiles: short[0]: users: 1.5 is no whole number"),
        ("seconds: 60", "seconds: 15000", "profiles: long[0]: seconds: 15000 is no number from 1 to 14400"),
        ("{seconds: 1, users: 1}", "{seconds: 1, users: 0}", "profiles: long: nobody sends anything"),
        ("profiles:\n", "profiles: [short]\nx:\n", "'x' is no key here"),
        ("p99_ms: 300", "p98_ms: 300", "thresholds: 'p98_ms' is no key here"),
        ("{failed_percent: 1, p99_ms: 300}", "{}", "thresholds: there is none, so that nothing could fail"),
        ("{failed_percent: 1, p99_ms: 300}", "[", "this is no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_would_be_right(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(BadInput) as refused:
        plan.read(written(tmp_path, GOOD.replace(old, new)), Masks())

    assert said in str(refused.value)
    assert "load.yaml" in str(refused.value)


def test_a_secret_header_comes_from_the_environment_and_is_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD_TOKEN", "Bearer a-secret-of-the-load-test")
    masks = Masks()
    found = plan.read(written(tmp_path, GOOD.replace("X-Team: load", "Authorization: {env: LOAD_TOKEN}")), masks)

    assert found.requests[0].request.headers["Authorization"] == "Bearer a-secret-of-the-load-test"
    assert "a-secret" not in masks.text("sent Bearer a-secret-of-the-load-test")


def of(count: int, failed: int, p99: float, rate: float = 10.0) -> Figures:
    return Figures("all", count, failed, rate, {"p50_ms": 5.0, "p95_ms": 9.0, "p99_ms": p99})


@pytest.mark.parametrize(
    ("total", "missed"),
    [
        (of(1000, 10, 300.0), []),
        (of(1000, 11, 300.0), ["failed_percent is 1.1 %, and must be at most 1 %"]),
        (of(1000, 0, 301.0), ["p99_ms is 301 ms, and must be at most 300 ms"]),
        (of(1000, 0, 1.0, 4.9), ["requests_per_second is 4.9 /s, and must be at least 5 /s"]),
        (of(0, 0, 0.0, 0.0), ["no request was answered or failed: nothing was measured"]),
    ],
)
def test_a_threshold_that_does_not_hold_is_told_with_both_numbers(total: Figures, missed: list[str]) -> None:
    limits = {"failed_percent": 1.0, "p99_ms": 300.0, "requests_per_second": 5.0}

    assert figures.missed(total, limits) == missed
    assert Outcome("http://x", "short", 1.0, total, [], {}, missed).passed == (not missed)

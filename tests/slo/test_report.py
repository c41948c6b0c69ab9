"""The SLO report on a real Prometheus with a recorded past: its figures, its page and its Markdown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import pytest
from markdown_it import MarkdownIt
from ops.slo import report
from playwright.sync_api import Browser

from tests.slo import browser
from tests.slo.history import BUCKET, COUNT, DAY, END, HOSTILE, START, Past, month, recalled
from tests.slo.specs import availability, document, freshness, latency, objective_of, parsed

pytestmark = pytest.mark.slow

TEXT = "<img src=x onerror=alert(1)> | {{7*7}} `x` **y**"
SPEC = parsed(document(availability(objective=99.99, description=TEXT), latency(objective=99.5), owner=TEXT))
UNTIL = "2024-06-03T00:00:00Z"
FAILED = {"http_response_status_code": "500"}


def reported(folder: Path, url: str, *options: str, spec: Any = SPEC) -> dict[str, Any]:
    """The report as JSON; Markdown and HTML lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [f"--{form}={folder / 'report'}.{form}" for form in ("markdown", "html", "json")]
    end = [] if any(each.startswith("--end") for each in options) else [f"--end={UNTIL}"]

    assert report.main(spec, [f"--prometheus={url}", *files, *end, *options]) == 0

    document: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="module")
def past() -> Past:
    return month()


@pytest.fixture(scope="module")
def url(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that remembers the month."""
    with recalled(past, tmp_path_factory.mktemp("month") / "prometheus") as address:
        yield address


@pytest.fixture(scope="module")
def folder(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the month in each form."""
    folder = tmp_path_factory.mktemp("report")
    reported(folder, url)
    return folder


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


def by_hand(past: Past, name: str, start: int, end: int, **only: str) -> tuple[float, float]:
    """Bad and all events of an objective, counted from sample to sample."""
    total = past.increase(COUNT, start, end, **only)
    if name == "availability":
        return past.increase(COUNT, start, end, **FAILED, **only), total
    return total - past.increase(BUCKET, start, end, le="0.3", **only), total


# --- Figures


@pytest.mark.parametrize(("number", "budget"), [(0, 0.0001), (1, 0.005)])
def test_the_figures_are_those_counted_by_hand(made: dict[str, Any], past: Past, number: int, budget: float) -> None:
    """Over an outage, restarts and gaps: events, ratio, budget and its equivalent in minutes of outage."""
    found = made["objectives"][number]
    bad, total = by_hand(past, found["name"], START, END)

    assert (found["bad"], found["total"]) == pytest.approx((bad, total), rel=1e-9)
    assert found["reached"] == pytest.approx(1 - bad / total, rel=1e-9)
    assert found["budget_spent"] == pytest.approx(bad / total / budget, rel=1e-9)
    assert found["outage_minutes"] == pytest.approx(bad / total * 28 * 24 * 60, rel=1e-9)


def test_the_month_comes_out_as_it_was_written(made: dict[str, Any]) -> None:
    """Literally: so that a mistake that both ways of counting share is seen."""
    shown = [(each["name"], each["met"], round(each["bad"]), round(each["total"])) for each in made["objectives"]]

    assert shown == [("availability", False, 2821, 8572265), ("latency", True, 7572, 8572265)]


@pytest.mark.parametrize("number", [0, 1])
def test_each_day_is_that_counted_by_hand(made: dict[str, Any], past: Past, number: int) -> None:
    found = made["objectives"][number]
    days = [by_hand(past, found["name"], START + day * DAY, START + (day + 1) * DAY) for day in range(28)]

    assert [each["bad"] for each in found["days"]] == pytest.approx([bad for bad, _ in days], rel=1e-9)
    assert [each["total"] for each in found["days"]] == pytest.approx([total for _, total in days], rel=1e-9)


def test_it_begins_in_plain_words(folder: Path) -> None:
    """What was missed, what it cost, and what to look at."""
    lines = (folder / "report.markdown").read_text("utf-8").splitlines()

    assert "**orders met 1 of 2 objectives and missed availability, as far as there are data.**" in lines
    assert (
        "- availability was missed in the 99.0 % of the window that has data: 99.9670 % of requests were good, 99.99 % "
        "should be. 2,821 of 8,572,265 were bad. That is 329.1 % of the error budget, as much as a full outage of "
        "13 minutes (4.0 minutes may be spent)."
    ) in lines
    assert "- availability: 86 % of the bad requests fell on 15 May, 93 % on POST /v1/orders." in lines
    assert [line for line in lines if "came on" in line] == [
        "- Version 1.5.0 came on 15 May 14:00: availability was 99.99 % before and 81.62 % after it."
    ]


def test_the_ratio_is_weighted_by_requests(made: dict[str, Any]) -> None:
    """Requests were slowest on a day that had few: the average of the days' averages is twice as bad."""
    found = made["objectives"][1]
    averages = mean(each["bad"] / each["total"] for each in found["days"])

    assert averages / (1 - found["reached"]) == pytest.approx(1.98, abs=0.01)


@pytest.mark.parametrize("number", [0, 1])
def test_routes_are_those_counted_by_hand(made: dict[str, Any], past: Past, number: int) -> None:
    """The worst first, by method and route template."""
    found = made["objectives"][number]
    routes = [(each["method"], each["route"], each["bad"], each["total"]) for each in found["routes"]]
    counted = [
        (method, route, *by_hand(past, found["name"], START, END, http_request_method=method, http_route=route))
        for method, route, _, _ in routes
    ]

    assert {route for _, route, _, _ in routes} == {"/v1/orders/{order_id}", "/v1/orders", HOSTILE}
    assert routes[0][:2] == (("POST", "/v1/orders"), ("GET", "/v1/orders/{order_id}"))[number]
    assert [each[2:] for each in routes] == [pytest.approx(each[2:], rel=1e-9) for each in counted]
    assert sum(each["share"] for each in found["routes"]) == pytest.approx(1)


def test_the_window_before_is_told_with_what_it_lacks(made: dict[str, Any], past: Past) -> None:
    """Its data begin on its ninth day."""
    found = made["objectives"][0]["before"]
    bad, total = by_hand(past, "availability", START - 28 * DAY, START)

    assert (found["bad"], found["total"]) == pytest.approx((bad, total), rel=1e-9)
    assert found["measured"] == pytest.approx(20 / 28)


def test_gaps_are_told_in_every_form(folder: Path, made: dict[str, Any]) -> None:
    """Two: of six hours, and of forty minutes with a restart in it."""
    told = "none from 23 May 03:00 to 23 May 09:00 (6 h) and 28 May 12:00 to 28 May 12:40 (40 min)"

    assert made["objectives"][0]["gaps"] == [
        {"start": "2024-05-23T03:00:00Z", "end": "2024-05-23T09:00:00Z"},
        {"start": "2024-05-28T12:00:00Z", "end": "2024-05-28T12:40:00Z"},
    ]
    assert made["objectives"][0]["measured"] == pytest.approx(1 - 400 / (28 * 24 * 60))
    for form in ("markdown", "html"):
        text = re.sub(r"\\", "", (folder / f"report.{form}").read_text("utf-8"))
        assert "as far as there are data." in text
        assert told in text


def test_a_whole_window_is_called_one(url: str, tmp_path: Path) -> None:
    """A week without a gap: nothing is said of one."""
    found = reported(tmp_path, url, "--end=2024-05-20T00:00:00Z", "--window=7d")
    text = (tmp_path / "report.markdown").read_text("utf-8")

    assert found["objectives"][0]["measured"] == 1
    assert "**orders met 1 of 2 objectives and missed availability.**" in text
    assert "Not the whole window" not in text
    assert "this is one of 7" in text


def test_alerts_are_told_with_when_and_how_long(made: dict[str, Any]) -> None:
    """Pages first; twice the same alert is one line; one still fires when the window ends."""
    shown = [
        (
            each["name"],
            each["severity"],
            each["seconds"] // 60,
            [(one["start"][5:16], one["open"]) for one in each["firings"]],
        )
        for each in made["alerts"]
    ]

    assert shown == [
        ("AvailabilityErrorBudgetBurn", "page", 115, [("05-15T14:08", False), ("05-15T18:00", False)]),
        ("DependencyDown", "ticket", 10, [("05-08T06:00", False)]),
        ("LatencyErrorBudgetBurn", "ticket", 300, [("05-26T11:00", False)]),
        ("TargetDown", "ticket", 30, [("06-02T23:30", True)]),
    ]


def test_a_version_is_told_with_what_was_good_before_and_after(made: dict[str, Any], past: Past) -> None:
    """From change to change: the bad version's effect is not counted against the one that replaced it."""
    came, back = made["changes"]
    minute = 60
    bad, total = by_hand(
        past, "availability", START + 9 * DAY + 14 * 60 * minute, START + 9 * DAY + 14 * 60 * minute + 45 * minute
    )

    assert (came["time"], came["before"], came["version"]) == ("2024-05-15T14:00:00Z", ["1.4.0"], "1.5.0")
    assert (back["time"], back["before"], back["version"]) == ("2024-05-15T14:46:00Z", ["1.5.0"], "1.4.0")
    assert came["good"]["availability"]["before"] > 0.9999
    assert came["good"]["availability"]["after"] == pytest.approx(1 - bad / total, abs=0.005)
    assert back["good"]["availability"]["after"] > 0.9999


def test_the_same_data_give_the_same_report(url: str, folder: Path, tmp_path: Path) -> None:
    """To the last byte."""
    reported(tmp_path, url)

    for form in ("markdown", "html", "json"):
        assert (tmp_path / f"report.{form}").read_bytes() == (folder / f"report.{form}").read_bytes()


# --- Other sources


def test_records_stand_in_for_counters_that_are_gone(tmp_path: Path) -> None:
    """Half a day at 10 requests a second, a tenth of a percent bad; a day at 30, all good, with a gap of six hours."""
    past, noon = Past(), END - 3 * DAY // 2
    past.record("availability", noon, END - DAY, 10, 0.01)
    past.record("availability", END - DAY + 60, END - DAY + 6 * 3600, 30, 0)
    past.record("availability", END - DAY // 2, END, 30, 0)
    past.add(COUNT, END - 60, 5, job="orders")
    past.add(COUNT, END, 9, job="orders")
    with recalled(past, tmp_path / "prometheus") as url:
        found = reported(tmp_path, url, "--window=2d", spec=parsed(document(availability())))["objectives"][0]

    assert found["source"] == "records"
    assert found["measured"] == pytest.approx(30 / 48, abs=0.005)
    assert found["bad"] == pytest.approx(0.01 * 12 * 3600, rel=0.01)
    assert found["total"] == pytest.approx((10 * 12 + 30 * 18) * 3600, rel=0.01)
    assert found["routes"] == []
    assert "the records of the recording rules" in (tmp_path / "report.markdown").read_text("utf-8")


def test_series_that_come_late_at_odd_times_are_counted_all_the_same(tmp_path: Path) -> None:
    """Scrapes 7 s past the minute, and a series of errors that begins with the first: by hand to half a percent."""
    past = Past()
    past.record("availability", END - DAY, END, 1, 0)
    for minute in range(2 * 1440):
        at = END - 2 * DAY + minute * 60 + 7
        past.add(COUNT, at, minute * 100, job="orders", http_response_status_code="200")
        if minute >= 2000:
            past.add(COUNT, at, (minute - 1999) * 3, job="orders", **FAILED)
    with recalled(past, tmp_path / "prometheus") as url:
        found = reported(tmp_path, url, "--window=2d", spec=parsed(document(availability())))["objectives"][0]

    assert found["bad"] == pytest.approx(past.increase(COUNT, 0, END, **FAILED), rel=0.005)
    assert found["total"] == pytest.approx(past.increase(COUNT, 0, END), rel=0.005)


def test_samples_are_counted_too(tmp_path: Path) -> None:
    """A result that is made every ten minutes, but not for five hours: minutes in which it was older than fifteen."""
    past = Past()
    past.record("freshness", END - DAY, END, 6, 0)
    for minute in range(24 * 60 + 1):
        at = END - DAY + minute * 60
        stuck = min(minute, 600) if minute < 900 else minute
        past.add("orders_imported_timestamp_seconds", at, at - (minute - stuck // 10 * 10) * 60, job="orders")
    with recalled(past, tmp_path / "prometheus") as url:
        found = reported(tmp_path, url, "--window=1d", spec=parsed(document(freshness())))["objectives"][0]

    assert (found["bad"], found["total"]) == (284, 1441)
    assert found["routes"] is None
    assert "284 of 1,441 were bad" in (tmp_path / "report.markdown").read_text("utf-8")


def test_averages_are_weighted_as_the_rules_do(tmp_path: Path) -> None:
    """Of a value that does not grow with its window, each evaluation counts the same: a short day weighs little."""
    past = Past()
    past.record("probe", END - 2 * DAY, END - DAY - 60, 1, 0)
    past.record("probe", END - 3600 + 60, END, 1, 0.5)
    for minute in (*range(1440), *range(2820, 2881)):
        past.add("probe_success", END - 2 * DAY + minute * 60, 1 if minute < 1440 else 0.5)
    error, total = (
        f"{query}(probe_success[{{{{.window}}}}]))" for query in ("1 - avg(avg_over_time", "count(count_over_time")
    )
    spec = parsed(document(objective_of("probe", 99, error, total)))
    with recalled(past, tmp_path / "prometheus") as url:
        found = reported(tmp_path, url, "--window=2d", spec=spec)["objectives"][0]

    assert 1 - found["reached"] == pytest.approx(0.5 / 25, rel=0.02)


@pytest.mark.parametrize(("more", "shown"), [(0, "met | 99.9 % | 99.900 %"), (1, "missed | 99.9 % | 99.899 %")])
def test_one_bad_event_too_many_is_one_too_many(tmp_path: Path, more: int, shown: str) -> None:
    """Of 1 440 000 events 1440 may be bad; no figure is rounded to look better."""
    past = Past()
    past.record("availability", END - DAY, END, 1, 0)
    for minute in range(1441):
        at = END - DAY + minute * 60
        past.add(COUNT, at, minute * 999 - more * (minute == 1440), job="orders", http_response_status_code="200")
        past.add(COUNT, at, minute + more * (minute == 1440), job="orders", **FAILED)
    with recalled(past, tmp_path / "prometheus") as url:
        reported(tmp_path, url, "--window=1d", spec=parsed(document(availability())))

    assert f"| availability | {shown} |" in (tmp_path / "report.markdown").read_text("utf-8")


def test_a_route_takes_part_in_each_sum_of_a_query(tmp_path: Path) -> None:
    """Of two sums of bad events one route has only the first, the other only the second."""
    past = Past()
    past.record("busy", END - DAY, END, 1, 0)
    for minute in range(1441):
        for route, status, number in (("/a", "200", 9), ("/a", "500", 1), ("/b", "200", 7), ("/b", "429", 3)):
            labels = {"http_request_method": "GET", "http_route": route, "http_response_status_code": status}
            past.add(COUNT, END - DAY + minute * 60, minute * number, job="orders", **labels)
    each = [
        f'sum(rate({COUNT}{{job="orders"{only}}}[{{{{.window}}}}]))'
        for only in (',http_response_status_code="500"', ',http_response_status_code="429"', "")
    ]
    spec = parsed(document(objective_of("busy", 70, f"{each[0]} + {each[1]} # sum(x)", each[2])))
    with recalled(past, tmp_path / "prometheus") as url:
        routes = reported(tmp_path, url, "--window=1d", spec=spec)["objectives"][0]["routes"]

    assert [(route["route"], round(route["bad"]), round(route["total"])) for route in routes] == [
        ("/b", 4320, 14400),
        ("/a", 1440, 14400),
    ]


def test_an_objective_without_traffic_is_not_judged(tmp_path: Path) -> None:
    """It is neither met nor missed, and the others are."""
    past = Past()
    past.record("availability", END - DAY, END, 1, 0)
    for minute in range(1441):
        past.add(COUNT, END - DAY + minute * 60, minute * 10, job="orders", http_route="/a")
        past.add(COUNT, END - DAY + minute * 60, 4, job="orders", http_route="/b")
    spec = parsed(
        document(availability(), availability("idle", only=',http_route="/b"'), availability("gone", only=',x="y"'))
    )
    with recalled(past, tmp_path / "prometheus") as url:
        found = reported(tmp_path, url, "--window=1d", spec=spec)["objectives"]
    text = (tmp_path / "report.markdown").read_text("utf-8")

    assert [each["met"] for each in found] == [True, None, None]
    assert "idle can't be judged: there were no requests." in text
    assert "gone can't be judged: there are no data." in text


# --- The page, and the Markdown


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return browser.axe(tmp_path_factory.mktemp("npm") / "axe")


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (360, "light"), (360, "dark")])
def test_the_page_is_sound(
    folder: Path, chromium: Browser, axe: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No complaint, nothing loaded, no wider than the window, and nothing that axe finds wrong."""
    file = folder / "report.html"
    with browser.opened(chromium, file, width, scheme) as seen:
        seen.page.locator("summary").first.click()

        assert seen.overflow() <= 0
        assert seen.violations(axe) == []
        assert seen.requests == [file.as_uri()]
        assert seen.complaints == []


def test_the_page_follows_the_scheme(folder: Path, chromium: Browser) -> None:
    """Dark on request, and light on paper."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with browser.opened(chromium, folder / "report.html", scheme="dark") as seen:
        dark = seen.page.evaluate(ground)
        seen.page.emulate_media(media="print")

        assert dark == "rgb(20, 23, 26)"
        assert seen.page.evaluate(ground) == "rgb(255, 255, 255)"


def test_bars_show_the_days(folder: Path, chromium: Browser) -> None:
    """One each, as high as its share of the axis, which ends at 300 %, and it says what it is."""
    with browser.opened(chromium, folder / "report.html") as seen:
        plot = seen.page.locator("figure svg").first
        bars = plot.locator(".bar")
        heights = bars.evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().height)")
        whole = plot.bounding_box()

        assert whole
        assert len(heights) == 28
        assert heights[9] / whole["height"] == pytest.approx(2.845 / 3, abs=0.01)
        assert sum(heights) / whole["height"] == pytest.approx(3.291 / 3, abs=0.01)
        assert bars.nth(9).text_content() == "15 May: 284.5 % of the budget, 2,438 of 776,806 bad"


def test_lines_show_the_rest_of_the_budget_and_the_speed(folder: Path, chromium: Browser) -> None:
    """The rest ends at -229 % between -300 % and 100 %; the worst hour's 1458 times lie between 0.1 and 10 000."""
    with browser.opened(chromium, folder / "report.html") as seen:
        lines = [seen.page.locator("path.line").first, *seen.page.locator(".burn").first.locator("path.line").all()]
        rest, *speed = ([float(y) for y in re.findall(r",([\d.]+)", each.get_attribute("d") or "")] for each in lines)

        assert rest[-1] == pytest.approx(100 * (1 - (3 - 2.291) / 4), abs=0.1)
        assert min(y for part in speed for y in part) == pytest.approx(100 * (1 - 4.164 / 5), abs=0.1)


def test_foreign_text_is_text_in_the_page(folder: Path, chromium: Browser) -> None:
    """A route, a description and an owner that try to be more."""
    with browser.opened(chromium, folder / "report.html") as seen:
        assert seen.page.locator("script, img, b, iframe").count() == 0
        assert seen.page.locator("td", has_text=HOSTILE).first.inner_text() == HOSTILE
        assert TEXT in seen.page.inner_text("main")
        assert TEXT in seen.page.inner_text("header")


def test_foreign_text_is_text_in_markdown(folder: Path) -> None:
    """No HTML, no further column, and no template's action comes of it."""
    raw = (folder / "report.markdown").read_text("utf-8")
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(raw)
    inline = [child for token in tokens for child in token.children or []]
    cells = ["".join(child.content for child in token.children or []) for token in tokens if token.type == "inline"]

    assert not [
        each for each in [*tokens, *inline] if each.type.startswith(("html", "code", "fence", "image", "link", "em"))
    ]
    assert HOSTILE in cells
    assert TEXT in cells
    assert "{{" not in raw
    for table in re.findall(r"(?:^\|.*\n)+", raw, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1

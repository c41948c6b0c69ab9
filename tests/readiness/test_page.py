"""The report's page in headless Chromium: sound, safe, usable by keyboard, and its filters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from ops.readiness import report_html
from playwright.sync_api import Browser

from tests.readiness.cards import HOSTILE, card, mixed, pair
from tests.services import until
from tests.slo import browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "readiness.html"
    file.write_text(report_html.render(mixed()), "utf-8")
    return file


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return browser.axe(tmp_path_factory.mktemp("npm") / "axe")


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (360, "light"), (360, "dark")])
def test_the_page_is_sound(
    page: Path, chromium: Browser, axe: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No complaint, nothing loaded, no wider than the window, and nothing that axe finds wrong."""
    with browser.opened(chromium, page, width, scheme) as seen:
        seen.page.locator("summary").first.click()

        assert seen.overflow() <= 0
        assert seen.violations(axe) == []
        assert seen.requests == [page.as_uri()]
        assert seen.complaints == []


def test_foreign_text_is_text(page: Path, chromium: Browser) -> None:
    with browser.opened(chromium, page) as seen:
        assert seen.page.locator("img, iframe, main script").count() == 0
        assert seen.page.locator("#row-hostile .seen").inner_text() == HOSTILE
        assert HOSTILE in seen.page.locator("#row-hostile h4").inner_text()
        assert HOSTILE in seen.page.locator(".notice").inner_text()
        assert seen.complaints == []


def test_the_page_tells_gates_states_and_what_to_do_first(page: Path, chromium: Browser) -> None:
    with browser.opened(chromium, page) as seen:
        assert [" ".join(each.split()) for each in seen.page.locator(".gate").all_inner_texts()] == [
            "Dev ✕ closed 1 of 2 rows 50 %",
            "Staging ✕ closed 1 of 3 rows 33 %",
            "Production ✕ closed 1 of 4 rows 25 %",
        ]
        assert seen.page.locator(".next a").all_inner_texts() == ["probes holds", HOSTILE, "cdn holds"]


def shown(seen: browser.Seen) -> list[str]:
    """Ids of the rows that can be seen."""
    rows: list[str] = seen.page.locator(".row:visible").evaluate_all("rows => rows.map(row => row.id.slice(4))")
    return rows


def test_filters_show_what_is_asked_for(page: Path, chromium: Browser) -> None:
    """By state, gate (with those before it), theme and words; a theme without rows goes, too."""
    with browser.opened(chromium, page) as seen:
        form = seen.page.locator("#filters")
        assert len(shown(seen)) == 5

        form.get_by_label("Gate").select_option("staging")
        assert shown(seen) == ["limits", "probes", "hostile"]
        form.get_by_label("pass").uncheck()
        assert shown(seen) == ["probes", "hostile"]
        assert seen.page.locator("output").inner_text() == "2 of 5 rows"
        assert seen.page.locator(".theme:visible").count() == 2
        form.get_by_label("Search").fill("KUSTOMIZATION probe")
        assert shown(seen) == ["probes"]
        form.get_by_role("button").click()
        shows = "document.querySelectorAll('.row:not([hidden])').length === 5"
        until(lambda: seen.page.evaluate(shows), "all rows")  # to wait in the page itself, its own policy forbids
        form.get_by_label("Theme").select_option("Data")
        assert shown(seen) == ["store"]


def test_the_page_is_used_by_keyboard_alone(page: Path, chromium: Browser) -> None:
    """Tab reaches the first link, the filters in their order, and each row's details, which Enter opens."""
    with browser.opened(chromium, page) as seen:
        reached = []
        for _ in range(30):
            seen.page.keyboard.press("Tab")
            reached.append(seen.page.evaluate("document.activeElement.name || document.activeElement.tagName"))
            if reached[-1] == "SUMMARY":
                break
        seen.page.keyboard.press("Enter")

        assert reached == ["A"] * 3 + ["text", "gate", "theme"] + ["state"] * 5 + ["BUTTON", "SUMMARY"]
        assert seen.page.locator("#row-limits dl").is_visible()


def test_a_link_to_a_row_that_is_hidden_shows_it(page: Path, chromium: Browser) -> None:
    with browser.opened(chromium, page) as seen:
        seen.page.locator("#filters").get_by_label("fail").uncheck()
        seen.page.locator(".next a").first.click()
        until(lambda: seen.page.evaluate("!document.getElementById('row-probes').hidden"), "the row")

        assert "probes" in shown(seen)


def test_without_its_script_all_rows_are_there(page: Path, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    try:
        plain = context.new_page()
        plain.goto(page.as_uri())

        assert plain.locator(".row").count() == 5
        assert not plain.locator("#filters").is_visible()
    finally:
        context.close()


def test_on_paper_it_is_light_and_has_no_controls(page: Path, chromium: Browser) -> None:
    with browser.opened(chromium, page, scheme="dark") as seen:
        seen.page.emulate_media(media="print")

        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not seen.page.locator("#filters").is_visible()


def test_a_part_of_the_rows_shows_no_gate(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "part.html"
    file.write_text(report_html.render(card(pair("a", "T", "dev", "pass"), whole=False)), "utf-8")
    with browser.opened(chromium, file) as seen:
        assert seen.page.locator(".gate").count() == 0
        assert "no gate is judged by a part" in seen.page.locator(".headline").inner_text()

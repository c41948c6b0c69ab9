"""A page in headless Chromium: what it complains of, what it loads, how wide it is, and what axe finds."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Seen:
    """One page as it is shown."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        pixels: int = self.page.evaluate(
            "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
        )
        return pixels

    def violations(self, axe: str) -> list[str]:
        """What axe finds wrong for people who see, hear or move otherwise: rule and place."""
        self.page.evaluate(axe)
        found: list[dict[str, Any]] = self.page.evaluate("axe.run().then(result => result.violations)")
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def axe(folder: Path) -> str:
    """The script of axe, installed by npm into this folder, which must not be there yet."""
    shutil.copytree(Path(__file__).parent / "axe", folder)
    assert shutil.which("npm"), "npm is not installed: apt-get install npm"
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / "node_modules/axe-core/axe.min.js").read_text("utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, file: Path, width: int = 1200, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Seen]:
    """A file, shown in a window of this width, in a `light` or `dark` scheme."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        seen = Seen(context.new_page())
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(file.as_uri())
        yield seen
    finally:
        context.close()

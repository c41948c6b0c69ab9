"""docs/runbook.md, its owner's: what it lacks for an alert, and the text that a new section begins with."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from . import runbook_page
from .alerts import NAMES
from .contract import anchor
from .rules import ABSENT
from .runbook_page import Heading, Page
from .spec import Objective, Spec

NAME: Final = "docs/runbook.md"
PARTS: Final = ("Meaning", "First look", "Likely causes", "Mitigation", "Escalation")
_NEEDED: Final = {"First look": "what to look at first", "Mitigation": "what stops the harm"}
_TEXTS: Final = Path(__file__).with_suffix("")
_PART = re.compile(rf" {{0,3}}\*\*({'|'.join(PARTS)})(?:[.:]\*\*|\*\*[.:]?)")


def lint(text: str, alerts: list[str]) -> list[str]:
    """What keeps an alert's link from leading to help.

    Args:
        text: of docs/runbook.md.
        alerts: names of all alerts that can fire.

    Returns:
        A line for each problem, as `docs/runbook.md:LINE: what is wrong: what to do`, in the order of the lines.
    """
    page = runbook_page.read(text)
    found = [(page.unclosed, "this fence or comment never ends: close it")] if page.unclosed is not None else []
    if (above := _alerts(page)) is None:
        found.append((0, "no `## Alerts`: add this heading; `make slo` then adds a section for each alert"))
    else:
        found += [*_missing(page, above, alerts), *_unknown(page, alerts), *_twice(page, alerts)]
        known = {anchor(name) for name in alerts}
        found += [each for section in _sections(page) if section.anchor in known for each in _hollow(page, section)]
    return [f"{NAME}:{index + 1}: {what}" for index, what in sorted(found)]


def completed(text: str, wanted: dict[str, str]) -> tuple[str, list[str]]:
    """Add sections that are missing, at the end of `## Alerts`; nothing else is touched.

    Args:
        text: of docs/runbook.md, with its ends of lines as they are.
        wanted: text of each alert's section by the alert's name.

    Returns:
        The new text, and the names of the alerts that were added.
    """
    page = runbook_page.read(text)
    above = _alerts(page)
    place = len(page.lines) if above is None else page.until(above, 2)
    there = {each.anchor for each in page.headings}
    added = list({anchor(name): name for name in reversed(wanted) if anchor(name) not in there}.values())[::-1]
    if not added or (place == len(page.lines) and page.unclosed is not None):
        return text, []  # what is added within code or a comment would be added again the next time
    parts = [f"### {_as_heading(name)}\n\n{wanted[name].strip()}\n" for name in added]
    new = "\n".join(parts if above is not None else ["## Alerts\n", *parts]) + ("\n" if page.lines[place:] else "")
    before, after = "".join(page.lines[:place]), "".join(page.lines[place:])
    end = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    gap = "" if not before or not page.lines[place - 1].strip() else end
    gap = gap if before.endswith(("\n", "\r")) else gap * 2
    return before + gap + new.replace("\n", end) + after, added


def section(spec: Spec, alert: str) -> str:
    """The text that an alert's section begins with, without its heading.

    Raises:
        ValueError: there is no such alert.
    """
    objective = next((each for each in spec.objectives if each.alert == alert), None)
    if objective is None and alert not in (*NAMES, ABSENT):
        raise ValueError(f"{alert!r} is no alert of slo.yaml or of the template")
    text = (_TEXTS / f"{alert if objective is None else f'objective-{_kind(objective)}'}.md").read_text("utf-8").strip()
    name = "" if objective is None else objective.name
    names = {"<service>": spec.service, "<job>": spec.job, "OBJECTIVE": name, "ALERT": alert}
    return re.sub(r"<service>|<job>|\bOBJECTIVE\b|\bALERT\b", lambda found: names[found[0]], text)


def _kind(objective: Objective) -> str:
    if any(each.metric.endswith("_bucket") for each in (*objective.error.selectors, *objective.total.selectors)):
        return "latency"
    labels = {matcher.label for each in objective.error.selectors for matcher in each.matchers}
    return "availability" if "http_response_status_code" in labels else "other"


def _alerts(page: Page) -> Heading | None:
    return next((each for each in page.headings if each.level == 2 and each.anchor == "alerts"), None)


def _sections(page: Page) -> list[Heading]:
    """The headings of alerts."""
    if (above := _alerts(page)) is None:
        return []
    last = page.until(above, 2)
    return [each for each in page.headings if above.first < each.first < last and each.level == 3]


def _missing(page: Page, above: Heading, names: list[str]) -> Iterator[tuple[int, str]]:
    sections = {each.anchor for each in _sections(page)}
    elsewhere = {each.anchor: each for each in reversed(page.headings)}
    for name in names:
        if anchor(name) in sections:
            continue
        if other := elsewhere.get(anchor(name)):
            remedy = f"make it `### {name}` under `## Alerts`, or rename one of the two"
            yield other.first, f"{name}: the alert's link leads here, and this is no section of an alert: {remedy}"
        else:
            yield above.first, f"{name}: no section for this alert: `make slo` adds one"


def _unknown(page: Page, names: list[str]) -> Iterator[tuple[int, str]]:
    known = {anchor(name) for name in names}
    for each in _sections(page):
        if each.anchor not in known:
            remedy = "delete the section, name it as its alert, or bring the alert back in slo.yaml"
            yield each.first, f"{each.name}: no alert has this name: {remedy}"


def _twice(page: Page, names: list[str]) -> Iterator[tuple[int, str]]:
    guarded = {"alerts", *(anchor(name) for name in names), *(each.anchor for each in _sections(page))}
    first: dict[str, Heading] = {}
    for each in page.headings:
        before = first.setdefault(each.anchor, each)
        if before is not each and each.anchor in guarded:
            remedy = "links lead to the first: make them one, or rename one"
            yield each.first, f"{each.name}: this heading is in line {before.first + 1}, too: {remedy}"


def _hollow(page: Page, heading: Heading) -> Iterator[tuple[int, str]]:
    """Parts that an alert's section must have and has not, or with nothing in them."""
    last = page.until(heading, 3)
    begins = [
        (index, found[1])
        for index in range(heading.after, last)
        if page.kinds[index] == "text" and (found := _PART.match(page.lines[index]))
    ]
    ends = [*(index for index, _ in begins[1:]), last][: len(begins)]  # none where nothing is written at all
    parts = {part: (index, end) for (index, part), end in zip(reversed(begins), reversed(ends), strict=True)}
    for name, what in _NEEDED.items():
        if name not in parts:
            yield heading.first, f"{heading.name}: no `**{name}.**`: begin a paragraph with it, and say {what}"
        elif not any(_says_something(each) for each in page.paragraphs(*parts[name])):
            yield parts[name][0], f"{heading.name}: `**{name}.**` says nothing: say {what}"


def _says_something(paragraph: str) -> bool:
    """Whether it is more than a part's name and a reminder to write it."""
    rest = _PART.sub("", paragraph)
    return bool(re.search(r"\w", rest)) and not re.match(r"\W*TODO\b", rest)


def _as_heading(name: str) -> str:
    """An alert's name so that no `_` in it is read as emphasis."""
    return re.sub(r"^_+|_+$", lambda found: r"\_" * len(found[0]), name)

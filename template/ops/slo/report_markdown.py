"""The SLO report as Markdown: text from elsewhere comes out as text, whatever is in it."""

import re
from typing import Final

from . import report_format as shown
from . import report_tables as tables
from . import report_words as words
from .report_figures import Outcome, Report

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def render(report: Report) -> str:
    """The document."""
    looks = words.look_at(report)
    parts = [
        f"# {text(report.service)}: service level objectives",
        text(words.head(report)),
        f"**{text(words.headline(report))}**",
        listed([words.costs(each) for each in report.outcomes]),
        *(f"> {text(line)}" for line in words.missing(report)),
        *(["## What to look at", listed(looks)] if looks else []),
        "## Objectives",
        table(tables.overview(report)),
    ]
    for each in report.outcomes:
        parts += [f"## {text(each.name)}", *_outcome(each)]
    parts += ["## Alerts that fired", table(tables.alerts(report)) if report.alerts else words.NO_ALERT]
    parts += ["## Versions", table(tables.changes(report)) if report.changes else text(words.no_change(report))]
    return "\n\n".join([*parts, "## How the figures were made", listed(words.method(report))]) + "\n"


def text(raw: str) -> str:
    """Foreign text, so that nothing in it means anything to Markdown, HTML or a template language."""
    return _MARKS.sub(r"\\\1", shown.clean(raw))


def listed(lines: list[str]) -> str:
    """A list of sentences."""
    return "\n".join(f"- {text(line)}" for line in lines)


def table(made: tables.Table) -> str:
    """A table; figures stand to the right."""
    ruler = ["--:" if number in made.numbers else "---" for number in range(len(made.heads))]
    rows = [[text(cell) for cell in row] for row in (made.heads, *made.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], ruler, *rows[1:]))


def _outcome(each: Outcome) -> list[str]:
    parts = [text(each.description)] if each.description else []
    if each.idle:
        return [*parts, text(words.costs(each))]
    parts.append(text(words.peak(each)))
    for made in (tables.days(each, every=False), tables.routes(each)):
        if made.rows:
            parts += [f"{text(made.caption)}:", table(made)]
    return parts

"""The SLO report as one HTML page: no script, nothing loaded, text from elsewhere always escaped."""

from html import escape
from pathlib import Path
from typing import Final

from . import report_format as shown
from . import report_plots
from . import report_tables as tables
from . import report_words as words
from .report_figures import Change, Outcome, Report

_STYLE: Final = Path(__file__).with_name("report.css").read_text("utf-8")
# Were anything in it taken for a script or an address, the browser would still not run or load it.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(report: Report) -> str:
    """The document."""
    title = f"{report.service}: service level objectives"
    looks = words.look_at(report)
    body = [
        f'<header><h1>{text(title)}</h1><p class="when">{text(words.head(report))}</p></header><main>',
        f'<p class="headline">{text(words.headline(report))}</p>',
        listed([words.costs(each) for each in report.outcomes]),
        *(f'<p class="notice">{text(line)}</p>' for line in words.missing(report)),
        *([f"<h2>What to look at</h2>{listed(looks)}"] if looks else []),
        f"<h2>Objectives</h2>{table(tables.overview(report))}{_contents(report)}",
        *(_outcome(f"slo-{number}", each, report) for number, each in enumerate(report.outcomes, 1)),
        '<h2 id="alerts">Alerts that fired</h2>',
        table(tables.alerts(report)) if report.alerts else f"<p>{words.NO_ALERT}</p>",
        '<h2 id="versions">Versions</h2>',
        table(tables.changes(report)) if report.changes else f"<p>{text(words.no_change(report))}</p>",
        f'<h2 id="method">How the figures were made</h2>{listed(words.method(report))}</main>',
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{text(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<style>\n{_STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def text(raw: str) -> str:
    """Foreign text as HTML; a figure and its percent sign stay on one line."""
    return escape(shown.clean(raw)).replace(" %", "&nbsp;%")


def listed(lines: list[str]) -> str:
    """A list of sentences."""
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>"


def table(made: tables.Table) -> str:
    """A table in a frame that scrolls by itself where it is too wide, by keyboard, too."""

    def cell(number: int, raw: str) -> str:
        kinds = (["n"] if number in made.numbers else []) + ([raw] if number == 1 and raw in ("met", "missed") else [])
        kind = f' class="{" ".join(kinds)}"' if kinds else ""
        return f'<th scope="row"{kind}>{text(raw)}</th>' if number == 0 else f"<td{kind}>{text(raw)}</td>"

    heads = "".join(
        f'<th scope="col"{" class=n" if number in made.numbers else ""}>{text(head)}</th>'
        for number, head in enumerate(made.heads)
    )
    rows = "".join(f"<tr>{''.join(cell(*each) for each in enumerate(row))}</tr>" for row in made.rows)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{text(made.caption)}"><table>'
        f"<caption>{text(made.caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _contents(report: Report) -> str:
    places = [(f"slo-{number}", each.name) for number, each in enumerate(report.outcomes, 1)]
    places += [("alerts", "Alerts"), ("versions", "Versions"), ("method", "How the figures were made")]
    links = "".join(f'<li><a href="#{place}">{text(name)}</a></li>' for place, name in places)
    return f'<nav aria-label="On this page"><ul>{links}</ul></nav>'


def _outcome(name: str, each: Outcome, report: Report) -> str:
    head = f'<h2 id="{name}">{text(each.name)}</h2>' + (f"<p>{text(each.description)}</p>" if each.description else "")
    if each.idle:
        return f"{head}<p>{text(words.costs(each))}</p>"
    changes: list[Change] = report.changes
    parts = [
        f"<p>{text(words.peak(each))}</p>",
        report_plots.days(name, each, changes),
        report_plots.left(name, each, changes),
        f'<div class="burn">{report_plots.burn(name, each, changes, f"{report.own_days}d")}</div>',
        _legend(each, report),
    ]
    if each.routes:
        parts.append(table(tables.routes(each)))
    parts.append(f"<details><summary>Each day in figures</summary>{table(tables.days(each, every=True))}</details>")
    return head + "".join(parts)


def _legend(each: Outcome, report: Report) -> str:
    keys = [("page", words.limits(report, "page")), ("ticket", words.limits(report, "ticket"))]
    keys += [("mark", "a version came")] if report.changes else []
    keys += [("gap", "no data")] if each.measured.gaps else []
    items = "".join(f'<li><i class="k-{kind}"></i>{text(told)}</li>' for kind, told in keys)
    return f'<ul class="legend">{items}</ul>'

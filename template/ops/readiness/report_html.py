"""The report as one HTML page for a launch review: nothing loaded, text from elsewhere always escaped.

Without its script it shows every row; the script only hides those that are not asked for.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from . import words
from .outcome import STATES, Result, State
from .rows import DOCUMENTS, GATES, Gate, Row
from .scorecard import TO_DO, Scorecard

_STYLE: Final = Path(__file__).with_name("report.css").read_text("utf-8")
_SCRIPT: Final = Path(__file__).with_name("report.js").read_text("utf-8").strip()
_DIGEST: Final = b64encode(sha256(_SCRIPT.encode()).digest()).decode()
# Were anything else in it taken for a script or an address, the browser would still not run or load it.
_POLICY: Final = (
    f"default-src 'none'; script-src 'sha256-{_DIGEST}'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_MARKS: Final = {"fail": "✕", "cannot tell": "?", "open": "○", "pass": "✓", "not applicable": "–"}
_FIRST: Final = 10


def render(card: Scorecard) -> str:
    """The document."""
    title = f"{card.service}: readiness"
    body = [
        f'<header><h1>{escape(title)}</h1><p class="when">{escape(_when(card))}</p></header><main>',
        f'<p class="headline">{escape(words.headline(card))}.</p>',
        *([_gates(card)] if card.whole else []),
        _bar(card),
        *([_problems(card)] if card.problems else []),
        *([_first(card)] if card.next() else []),
        '<h2 id="rows">Rows</h2>',
        _filters(card),
        *(_theme(number, theme, rows) for number, (theme, rows) in enumerate(card.themes(), 1)),
        f"{_meanings()}</main>",
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<style>\n{_STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(body)
        + f"\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _when(card: Scorecard) -> str:
    commit = f"commit {card.commit[:12]}{'-dirty' if card.commit.endswith('-dirty') else ''}, " if card.commit else ""
    when = card.started.strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    return f"{commit}{when}, template {card.version}; {len(card.rows)} rows in {card.seconds:.1f} s"


def _gates(card: Scorecard) -> str:
    return f'<ul class="gates">{"".join(_gate(card, gate) for gate in GATES)}</ul>'


def _gate(card: Scorecard, gate: Gate) -> str:
    score, word = card.score(gate), words.gate(card, gate)
    mark = _MARKS["pass" if word == "passed" else "fail"]
    return (
        f'<li class="gate {word}"><h2>{gate.capitalize()}</h2><p class="word">{mark} {word}</p>'
        f'<meter min="0" max="{max(1, score.applicable)}" value="{score.passed}" aria-label="rows that pass"></meter>'
        f'<p class="figure">{score.passed} of {score.applicable} rows <span>{score.percent}&nbsp;%</span></p></li>'
    )


def _bar(card: Scorecard) -> str:
    """All rows by their state, as wide as they are many."""
    parts: list[tuple[State, int]] = [(state, card.count(state)) for state in STATES if card.count(state)]
    bar = "".join(f'<i class="{_name(state)}" style="flex-grow:{count}"></i>' for state, count in parts)
    keys = "".join(f"<li>{_pill(state)} {count}</li>" for state, count in parts)
    return f'<div class="bar" aria-hidden="true">{bar}</div><ul class="keys">{keys}</ul>'


def _problems(card: Scorecard) -> str:
    lines = "".join(f"<li>{escape(problem)}</li>" for problem in card.problems)
    return f'<section class="notice"><h2>Mistakes in what people wrote</h2><ul>{lines}</ul></section>'


def _first(card: Scorecard) -> str:
    left = card.next()
    items = "".join(
        f'<li>{_pill(result.state)} <a href="#row-{escape(row.id)}">{escape(row.text)}</a>'
        f'<span class="gate-of">{row.gate}</span><p>{_remedy(result)}</p></li>'
        for row, result in left[:_FIRST]
    )
    more = f"<p>And {len(left) - _FIRST} more, below.</p>" if len(left) > _FIRST else ""
    return f'<h2 id="next">What to do first</h2><ol class="next">{items}</ol>{more}'


def _filters(card: Scorecard) -> str:
    states = "".join(
        f'<label><input type="checkbox" name="state" value="{_name(state)}" checked> {words.NAMES[state]}</label>'
        for state in STATES
        if card.count(state)
    )
    themes = [(str(number), theme) for number, (theme, _) in enumerate(card.themes(), 1)]
    return (
        '<form class="filters" id="filters" hidden>'
        '<label>Search <input type="search" name="text" autocomplete="off"></label>'
        f"{_choice('gate', 'Gate', [(gate, gate) for gate in GATES])}{_choice('theme', 'Theme', themes)}"
        f"<fieldset><legend>State</legend>{states}</fieldset>"
        '<button type="reset">Show all</button>'
        f'<output id="shown" aria-live="polite">{len(card.rows)} rows</output></form>'
    )


def _choice(name: str, label: str, values: Iterable[tuple[str, str]]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(told)}</option>' for value, told in values)
    return f'<label>{label} <select name="{name}"><option value="">all</option>{options}</select></label>'


def _theme(number: int, theme: str, rows: list[tuple[Row, Result]]) -> str:
    done = sum(result.state in {"pass", "not applicable"} for _, result in rows)
    cards = "".join(_row(row, result, number) for row, result in rows)
    head = f'<h3 id="theme-{number}">{escape(theme)} <span>{done} of {len(rows)}</span></h3>'
    return f'<section class="theme">{head}{cards}</section>'


def _row(row: Row, result: Result, theme: int) -> str:
    to_do = f'<p class="do"><b>To do</b> {_remedy(result)}</p>' if result.state in TO_DO else ""
    return (
        f'<article class="row {_name(result.state)}" id="row-{escape(row.id)}" data-state="{_name(result.state)}" '
        f'data-gate="{row.gate}" data-theme="{theme}"><h4>{_pill(result.state)} {escape(row.text)}</h4>'
        f'<p class="of"><code>{escape(row.id)}</code> <span class="gate-of">{row.gate}</span></p>'
        f'<p class="seen">{escape(result.evidence)}</p>{to_do}{_more(row, result)}</article>'
    )


def _remedy(result: Result) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(result.remedy))


def _more(row: Row, result: Result) -> str:
    facts = {
        "Why": [row.why],
        "Decided by": [f"{', '.join(row.evidence)}{f', in {result.seconds:g} s' if result.seconds else ''}"],
        "Documents": [", ".join(row.documents)] if row.documents else [],
    }
    for each in row.sources:
        facts.setdefault(DOCUMENTS.get(each.document, each.document), []).append(f"“{each.text}”")
    told = "".join(_fact(name, texts) for name, texts in facts.items() if texts)
    head = f'Why, and who asks<span class="hidden"> for {escape(row.id)}</span>'
    return f"<details><summary>{head}</summary><dl>{told}</dl></details>"


def _fact(name: str, texts: list[str]) -> str:
    """A name, once, and all that is told under it."""
    return f"<dt>{escape(name)}</dt>{''.join(f'<dd>{escape(text)}</dd>' for text in texts)}"


def _pill(state: State) -> str:
    return f'<span class="pill {_name(state)}"><i aria-hidden="true">{_MARKS[state]}</i> {words.NAMES[state]}</span>'


def _name(state: str) -> str:
    return state.replace(" ", "-")


def _meanings() -> str:
    told = "".join(f"<dt>{_pill(state)}</dt><dd>{escape(words.MEANINGS[state])}</dd>" for state in STATES)
    return f'<h2 id="meanings">What the states mean</h2><dl class="meanings">{told}</dl>'

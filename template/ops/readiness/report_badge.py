"""The report as a badge: how many rows of the production gate pass, as a picture that needs nothing beside it."""

from html import escape
from typing import Final

from .scorecard import Scorecard

_CHARACTER, _PADDING, _HEIGHT = 6.6, 9, 20  # pixels; of a font of 11 pixels that is not narrow
_GREEN, _AMBER, _RED, _GREY = "#1a6b34", "#8a5a00", "#b3261e", "#545b64"
_LABEL: Final = "readiness"


def render(card: Scorecard) -> str:
    """The picture."""
    told, colour = _told(card)
    left, right = (round(len(text) * _CHARACTER) + 2 * _PADDING for text in (_LABEL, told))
    whole = left + right
    title = escape(f"{card.service}: {_LABEL}: {told}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{_HEIGHT}" role="img" aria-label="{title}">\n'
        f"  <title>{title}</title>\n"
        f'  <clipPath id="edge"><rect width="{whole}" height="{_HEIGHT}" rx="3"/></clipPath>\n'
        f'  <g clip-path="url(#edge)"><rect width="{left}" height="{_HEIGHT}" fill="#2f353b"/>'
        f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{colour}"/></g>\n'
        '  <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\n'
        f'    <text x="{left / 2:g}" y="14" textLength="{left - 2 * _PADDING}">{_LABEL}</text>\n'
        f'    <text x="{left + right / 2:g}" y="14" textLength="{right - 2 * _PADDING}">{escape(told)}</text>\n'
        "  </g>\n</svg>\n"
    )


def _told(card: Scorecard) -> tuple[str, str]:
    if not card.whole:
        return "not judged", _GREY
    score = card.score("production")
    if card.opens("production"):
        return "production ready", _GREEN
    broken = card.count("fail") + card.count("cannot tell") + len(card.problems)
    return f"{score.passed} of {score.applicable}", _RED if broken else _AMBER

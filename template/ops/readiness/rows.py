"""The catalogue: what must hold, as data. One file of `catalogue/` a theme, and the owner's own rows."""

from dataclasses import dataclass
from typing import Final, Literal

Gate = Literal["dev", "staging", "production"]
GATES: Final[tuple[Gate, ...]] = ("dev", "staging", "production")
FIRST: Final = "0.2.0"  # the version that brought the catalogue
# In the order of the report; other themes follow.
THEMES: Final = (
    "Twelve-factor",
    "Logs",
    "Metrics, SLI, SLO, alerts",
    "Health",
    "Tests",
    "Delivery",
    "Container and platform",
    "Data",
    "Security and privacy",
    "People and documents",
)
# What the catalogue is made of, by the names that `sources` uses; `own` is what the template itself asks for.
DOCUMENTS: Final = {
    "nais": "What is production ready? (NAIS)",
    "moving-to-production": "Moving to Production (tim-minter)",
    "production-ready": "Production ready (operations standard)",
    "backend-checklist": "Production readiness checklist for backend applications (Aleksei Kornev)",
    "own": "The template's own standard",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row comes from: a document, and its item in the document's own words."""

    document: str
    text: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do: a sentence, and the file and the command to do it in and with, where there are such."""

    do: str
    file: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the catalogue.

    Attributes:
        id: stable for ever.
        theme: the heading that it stands under.
        text: what must hold, in a few words.
        why: what goes wrong without it, in a sentence or two.
        sources: at least one.
        gate: the first gate that it blocks.
        evidence: `static` or `live` (a check of that kind) and `signed` (a person), in any combination but the empty.
        remedy: what to do if it does not pass.
        from_availability: percent; below this target the row does not apply.
        documents: must have no `TODO:` left and be neither unreviewed nor expired before a signature counts.
        only_if: answers that must be as given, else the row does not apply, as {"personal_data": "yes"}.
        since: the version of the template that brought it.
    """

    id: str
    theme: str
    text: str
    why: str
    sources: tuple[Source, ...]
    gate: Gate
    evidence: tuple[str, ...]
    remedy: Remedy
    from_availability: float = 0.0
    documents: tuple[str, ...] = ()
    only_if: tuple[tuple[str, str], ...] = ()
    since: str = FIRST

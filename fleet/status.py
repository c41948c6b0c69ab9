"""Which service is on which version of the template, and what is open there."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .address import TroubleError
from .listing import Service
from .table import Table
from .visit import TROUBLE, Run, State, elsewhere, opened, visiting


@dataclass
class Row:
    """One service; `error` says why nothing is known."""

    name: str
    ring: str
    version: str = ""
    newest: str = ""
    behind: int | None = None
    born: str = ""
    updated: str = ""
    open: list[dict[str, str]] | None = None
    accepted: list[dict[str, str]] = field(default_factory=list)
    note: str = ""
    error: str = ""


def status(run: Run, service: Service, look: bool = True) -> Row:
    """One service's row; `look` asks its own check, which runs code of its repository."""
    row = Row(service.name, service.place, note=f"held: {service.hold}" if service.hold else "")
    try:
        state = _state(run, service, look)
    except TROUBLE as error:
        row.error = str(error)
        return row
    row.version, row.born, row.updated, row.accepted = state.version, state.born, state.updated, state.accepted
    row.open = state.open
    notes = [row.note, elsewhere(run, state)]
    template = run.templates.main or run.templates.of(state.source)
    try:
        releases = template.releases()
        row.newest, row.behind = releases[-1] if releases else "", template.behind(state.version)
    except TroubleError as error:
        notes.append(str(error))
    row.note = "; ".join(each for each in notes if each)
    return row


def _state(run: Run, service: Service, look: bool) -> State:
    if not look:
        with opened(run, service) as (_, state):
            return state
    with visiting(run, service) as visit:
        visit.state.open, visit.state.accepted = visit.check()
        return visit.state


def counted(findings: list[dict[str, str]] | None) -> str:
    """How many of which kind, such as `2: 1 aside, 1 edited`."""
    if not findings:
        return "not asked" if findings is None else "-"
    kinds = sorted(Counter(each["kind"] for each in findings).items())
    return f"{len(findings)}: " + ", ".join(f"{number} {kind}" for kind, number in kinds)


def table(rows: list[Row]) -> Table:
    """What a person is shown."""
    shown = Table(["service", "ring", "version", "behind", "born", "updated", "open", "accepted", ""])
    for row in rows:
        if row.error:
            shown.add(row.name, row.ring, "?", "", "", "", "", "", row.error)
        else:
            behind = "?" if row.behind is None else row.behind or "-"
            accepted = len(row.accepted) or "-"
            shown.add(
                row.name, row.ring, row.version, behind, row.born, row.updated, counted(row.open), accepted, row.note
            )
        shown.details += [f"{row.name}: {each['kind']}: {each['path']}" for each in row.open or ()]
    versions = Counter(row.version for row in rows if not row.error)
    lost = sum(bool(row.error) for row in rows)
    total = ", ".join(f"{number} on {version}" for version, number in sorted(versions.items()))
    shown.total = f"{len(rows)} services: {total or 'none could be read'}" + (f", {lost} not read" if lost else "")
    return shown


def wanting(rows: list[Row]) -> bool:
    """Whether somebody has something to do but update: something is open, or could not be read."""
    return any(row.error or row.open for row in rows)


def totals(rows: list[Row]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "services": len(rows),
        "unread": sum(bool(row.error) for row in rows),
        "open": sum(bool(row.open) for row in rows),
        "behind": sum(bool(row.behind) for row in rows),
        "versions": dict(sorted(Counter(row.version for row in rows if not row.error).items())),
    }

"""What an update would do to each service; nothing is changed."""

import re
from dataclasses import dataclass, field
from typing import Any

from .address import plain
from .listing import Service
from .releases import reached
from .table import Table
from .visit import TROUBLE, Run, findings, template_of, visiting

_COUNTED = ("renewed", "settled", "kept", "aside", "conflicts", "by_hand")


@dataclass
class Row:
    """One service. `counts` by what the report calls it; `open` are findings; `error` says why there is no forecast."""

    name: str
    ring: str
    old: str = ""
    new: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    details: dict[str, list[str]] = field(default_factory=dict)
    lint: str = ""
    open: list[dict[str, str]] = field(default_factory=list)
    note: str = ""
    error: str = ""


def forecast(run: Run, service: Service, wanted: str | None) -> Row:
    """One service's row."""
    row = Row(service.name, service.place, note=f"held: {service.hold}" if service.hold else "")
    try:
        with visiting(run, service) as visit:
            row.old = visit.state.version
            template = template_of(run, visit.state)
            row.new = template.chosen(wanted)
            if reached(row.old, row.new):
                row.open, _ = visit.check()
                row.note = "is there already"
                return row
            report, _ = visit.update(row.new, template, "--check")
    except TROUBLE as error:
        row.error = str(error)
        return row
    fill(row, report)
    return row


def fill(row: Row, report: dict[str, Any]) -> None:
    """Take over what the service's own update has said."""
    for key in _COUNTED:
        value = report.get(key)
        row.details[key] = [plain(each) for each in value] if isinstance(value, (list, dict)) else []
        row.counts[key] = len(row.details[key])
    row.lint = re.split(r"[:;(]", plain(report.get("check", "")))[0].strip()
    row.open = findings(report, "open")


def table(rows: list[Row]) -> Table:
    """What a person is shown."""
    heads = ["renewed", "settled", "merged", "aside", "conflicts", "by hand"]
    shown = Table(["service", "ring", "from", "to", *heads, "lint", "open", ""])
    for row in rows:
        counts = [row.counts.get(key, 0) or "-" for key in _COUNTED]
        if row.error:
            shown.add(row.name, row.ring, row.old or "?", row.new, *[""] * 8, row.error)
        else:
            opened = len(row.open) or "-"
            shown.add(row.name, row.ring, row.old, row.new, *counts, row.lint or "-", opened, row.note)
        shown.details += [f"{row.name}: {each['kind']}: {each['path']}" for each in row.open]
        shown.details += [f"{row.name}: by hand: {each}" for each in row.details.get("by_hand", ())]
    sums = totals(rows)
    shown.total = (
        f"{sums['services']} services: {sums['clean']} clean, {sums['open']} with something open, {sums['unread']} "
        f"not read; {sums['conflicts']} conflicts, {sums['aside']} edits set aside, {sums['settled']} settled"
    )
    return shown


def totals(rows: list[Row]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "services": len(rows),
        "clean": sum(not row.error and not row.open for row in rows),
        "open": sum(bool(row.open) for row in rows),
        "unread": sum(bool(row.error) for row in rows),
        **{key: sum(row.counts.get(key, 0) for row in rows) for key in _COUNTED},
    }


def wanting(rows: list[Row]) -> bool:
    """Whether anything would be open."""
    return any(row.error or row.open for row in rows)

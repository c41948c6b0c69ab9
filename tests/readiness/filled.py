"""A service whose people have done their part: every document filled in and approved, every row signed."""

import contextlib
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import yaml
from ops.readiness import reading
from ops.slo.__main__ import main as slo

ONE, OTHER = "Kari Nordmann", "Ola Hansen"
# What stands after a reminder, and what a team might write in its place; the first that fits is taken.
ANSWERS = (
    (r"1–4", "2"),
    (
        r"(names?\b|who\b|the name\b|how\b.*who\b|second line|management|whoever|data protection officer)",
        f"{ONE}, {OTHER}",
    ),
    (r"(date|dates|the first drill)", "2026-11-16"),
    (r"(yes or no)", "no: prices of orders alone are computed"),
    (r"(low, medium or high|risk\b|low to high)", "low"),
    (r"(price|cost|sum|people and cost)", "120 EUR"),
    (r"(requests a second|number|numbers|minutes|seconds|time|hours|days|RTO)", "40"),
    (r"(link|links|where|the address|the real address|addresses|address)", "https://wiki.example.org/orders"),
    (r"", "As agreed on 16 November: nothing beside what stands above"),
)
_REMINDER = re.compile(r"TODO: ?((?:[^|\n]|\n(?=  |[a-z\"])(?! *[-|#\d]))*)")


PERSONAL = 'email: Annotated[str, Personal(purpose="to send the quote", retention="P30D", category="contact")] = ""'


def fill(root: Path, today: date) -> None:
    """Do what only people can do, as they would, and sign all of it."""
    _personal_data(root)
    for file in sorted((root / "docs").rglob("*.md")):
        text = file.read_text("utf-8")
        if text.startswith("---\n"):
            file.write_text(filled_in(text, today), "utf-8")
    _objectives(root)
    for path in ("deploy/common/httproute.yaml", "deploy/nais/app.yaml", "catalog-info.yaml", "load.yaml"):
        if (root / path).is_file():
            _without_reminders(root / path)
    owners = (root / "CODEOWNERS").read_text("utf-8")
    (root / "CODEOWNERS").write_text(re.sub(r"(?m)^\* .*$", "* @kari-nordmann @ola-hansen", owners), "utf-8")
    sign(root, today)


def sign(root: Path, today: date, *, but: tuple[str, ...] = ()) -> None:
    """Sign every row that a person must sign, but these."""
    file = root / "readiness.yaml"
    known = yaml.safe_load(file.read_text("utf-8")) or {}
    known["signed"] = {id_: entry for id_, entry in _signatures(today) if id_ not in but}
    file.write_text(yaml.safe_dump(known, sort_keys=False, allow_unicode=True), "utf-8")


def _signatures(today: date) -> Iterator[tuple[str, dict[str, object]]]:
    for row in reading.catalogue([]):
        if "signed" in row.evidence:
            evidence = row.documents[0] if row.documents else f"https://wiki.example.org/orders/{row.id}"
            yield row.id, {"by": ONE, "on": today, "evidence": evidence, "expires": today + timedelta(365)}


def filled_in(text: str, today: date) -> str:
    """A document without reminders, approved today, for a year."""
    head, body = text.split("\n---\n", 1)
    head = head.replace("status: draft", "status: approved").replace("reviewed: TODO", f"reviewed: {today}")
    head = head.replace("expires: TODO", f"expires: {today + timedelta(365)}")
    body = body.replace("PUBLIC_URL=TODO", "PUBLIC_URL=https://orders.example.org/v1/vat-rates/NO")
    body = body.replace("TOKEN=TODO", "TOKEN=$(cat ~/.config/orders/token)")
    return f"{head}\n---\n{_REMINDER.sub(_answer, body)}"


def _answer(found: re.Match[str]) -> str:
    """What somebody writes in place of a reminder; the end of the sentence or of the cell stays."""
    asked = found[1].strip()
    wanted = next(answer for pattern, answer in ANSWERS if re.match(pattern, asked, re.IGNORECASE))
    closing = ")" if found[1].count(")") > found[1].count("(") else ""
    end = re.search(r"[.;\s]*\Z", found[1])
    return wanted + closing + (end[0] if end else "")


def _personal_data(root: Path) -> None:
    """One field with personal data, declared; the inventory gets its row, as `make docs` would write it."""
    (routes,) = root.glob("src/*/routes.py")
    text = routes.read_text("utf-8").replace("\nrouter = ", "\nfrom .ops import Personal\n\nrouter = ", 1)
    routes.write_text(
        text.replace("class Order(BaseModel):\n", f"class Order(BaseModel):\n    {PERSONAL}\n", 1), "utf-8"
    )
    inventory = root / "docs/reference/personal-data.md"
    row = "| `Order` | `email` | to send the quote | P30D | contact | – | – | `POST /v1/quotes body` |\n"
    inventory.write_text(inventory.read_text("utf-8").replace("\n## Secrets", f"\n{row}\n## Secrets", 1), "utf-8")


def _objectives(root: Path) -> None:
    """The addresses in slo.yaml, and what is derived from it."""
    file = root / "slo.yaml"
    text = file.read_text("utf-8")
    text = re.sub(r" TODO: [^\n]*", "", text).replace("git.example.org", "git.orders.example.org")
    text = text.replace("grafana.example.org", "grafana.orders.example.org")
    file.write_text(text.replace("# probe_url: ", "probe_url: "), "utf-8")
    with contextlib.chdir(root), contextlib.redirect_stdout(None):
        assert slo(["make"]) == 0


def _without_reminders(file: Path) -> None:
    text = file.read_text("utf-8")
    file.write_text(re.sub(r"(?m)[ ]*# TODO:.*$", "", text), "utf-8")

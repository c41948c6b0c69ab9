"""personal-data.md: the inventory of personal data and secrets that the code declares."""

from collections.abc import Iterable, Mapping
from typing import Any

from .tables import plain, table

HEAD = """\
# Personal data and secrets

Made by `make docs` from what the code declares (`Personal(…)`, `SecretStr`); `make check` compares. Change the code.
`app personal-data` prints the same. What is declared is redacted in logs, mails, reports, spans and problem documents;
what it is for is weighed in [dpia.md](../dpia.md).
"""
NONE = """\
No personal data is declared. If a model, a parameter or a setting holds some, declare it where it is defined:
`Annotated[str, Personal(purpose="to deliver", retention="P1Y")]`.
"""


def text(rows: Iterable[Mapping[str, Any]]) -> str:
    """The whole page."""
    known = list(rows)
    personal = [each for each in known if each["kind"] == "personal"]
    secrets = [each for each in known if each["kind"] == "secret"]
    parts = [HEAD, "## Personal data\n", _personal(personal) if personal else NONE, "## Secrets\n", _secrets(secrets)]
    return "\n".join(parts)


def _personal(rows: list[Mapping[str, Any]]) -> str:
    heads = ("model", "field", "purpose", "retention", "category", "legal basis", "recipients", "used in")
    return table(
        heads,
        [
            (
                f"`{each['model']}`",
                f"`{each['field']}`",
                plain(each["purpose"]),
                plain(each["retention"]),
                plain(each["category"]),
                plain(each["legal_basis"] or ""),
                plain(", ".join(each["recipients"])),
                _used(each),
            )
            for each in rows
        ],
    )


def _secrets(rows: list[Mapping[str, Any]]) -> str:
    if not rows:
        return "None is declared.\n"
    return table(
        ("model", "field", "used in"), [(f"`{each['model']}`", f"`{each['field']}`", _used(each)) for each in rows]
    )


def _used(row: Mapping[str, Any]) -> str:
    return ", ".join(f"`{each}`" for each in row["used"])

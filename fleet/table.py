"""Rows for a terminal, or as Markdown."""

from dataclasses import dataclass, field

from .address import plain


@dataclass
class Table:
    """Columns that are empty everywhere are left out. `details` follow, one a line, then the `total`."""

    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    total: str = ""

    def add(self, *cells: object) -> None:
        """Add a row."""
        self.rows.append([plain(cell) for cell in cells])

    def terminal(self) -> str:
        """Aligned with spaces."""
        kept = self._kept()
        widths = [max(len(row[at]) for row in [self.heads, *self.rows]) for at in kept]
        lines = [
            "  ".join(row[at].ljust(width) for at, width in zip(kept, widths, strict=True)).rstrip()
            for row in [self.heads, *self.rows]
        ]
        details = [f"  {each}" for each in self.details]
        return "\n".join([*lines, *(["", *details] if details else []), "", self.total]) + "\n"

    def markdown(self) -> str:
        """For a page or an issue."""
        kept = self._kept()
        rows = [self.heads, ["---"] * len(self.heads), *[[_escaped(cell) for cell in row] for row in self.rows]]
        lines = ["| " + " | ".join(row[at] for at in kept) + " |" for row in rows]
        details = [f"- {_escaped(each)}" for each in self.details]
        return "\n".join([*lines, "", *([*details, ""] if details else []), self.total]) + "\n"

    def _kept(self) -> list[int]:
        return [at for at in range(len(self.heads)) if at == 0 or any(row[at] for row in self.rows)]


def _escaped(text: str) -> str:
    for special in "\\|`*_<>[]@#":  # a mention would call somebody
        text = text.replace(special, "\\" + special)
    return text

"""What an update did or would do, for a person and for a program."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .check import Finding

NEXT = "make install docs check test"


@dataclass
class Report:
    """One update of one service. Paths are relative to the service's folder.

    `renewed`: the template's files that changed. `settled`: conflicts that were settled, path to how.
    `conflicts`: those that a person must
    settle. `aside`: edits taken out of the template's files, path to the patch that holds them. `kept`: the
    template's files in which the owner's
    edits were merged with the template's changes. `check`: `make lint` before and after, where a merge could have
    broken something.
    """

    old: str
    new: str
    changelog: list[tuple[str, str]] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    settled: dict[str, str] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    aside: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    migrations: list[tuple[str, list[str]]] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    answers: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    check: str = "not run: nothing had to be merged"
    open: list[Finding] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Report":
        """What `document` gave."""
        return replace(cls(**document), open=[Finding(**each) for each in document["open"]])

    def markdown(self, forecast: bool = False) -> str:
        """The report as it is shown, and as the body of a pull request."""
        same = self.old == self.new
        title = f"# Template {self.new}" if same else f"# Template {self.old} → {self.new}"
        parts = [title + (" (forecast: nothing was changed)" if forecast else "")]
        parts += [f"## {name}\n\n{_indented(text)}" for name, text in self.changelog]
        parts += [
            _list("Renewed", self._renewed()),
            _list("New files of yours", [f"`{path}`: yours from now on" for path in self.seeds]),
            _list("Answers", [f"`{key}`: {old!r} → {new!r}" for key, (old, new) in self.answers.items()]),
            _list("Migrations", [f"{version}: done" for version, _ in self.migrations]),
            _list("Settled", [f"`{path}`: {how}" for path, how in self.settled.items()]),
            _list("Your edits, merged into the template's files", [f"`{path}`" for path in self.kept]),
            _list("Your edits, set aside", [f"`{path}` → `{patch}`" for path, patch in self.aside.items()]),
            _list("Conflicts", [f"`{path}`" for path in self.conflicts]),
            f"`make lint`: {self.check}." if self.settled or self.kept or self.aside or "worse" in self.check else "",
            _list("To do by hand", self.by_hand),
            _list("Open", [f"`{each.path}` {each.message}" for each in self.open]),
        ]
        if not self.open:
            parts.append("Nothing is open.")
        if not forecast:
            parts.append(f"Next: look at `git diff`, then `{NEXT}`.")
        return "\n\n".join(part for part in parts if part) + "\n"

    def _renewed(self) -> list[str]:
        shown = [f"`{path}`" for path in self.renewed[:12]]
        more = len(self.renewed) - len(shown)
        return [*shown, f"and {more} more: `git diff --stat`"] if more > 0 else shown


def _list(heading: str, items: list[str]) -> str:
    return f"## {heading}\n\n" + "\n".join(f"- {item}" for item in items) if items else ""


def _indented(text: str) -> str:
    """A section of the changelog below a heading of the report."""
    return text.replace("\n## ", "\n### ")

"""alerts.md: every alert that can fire, what it means, what to do first, and where the runbook tells more."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .reading import documents
from .tables import plain, table

RULES: Final = "monitoring/prometheus/rules"
HEAD: Final = """\
# Alerts

Made by `make docs` from `monitoring/`, which `make slo` makes from [slo.yaml](../../slo.yaml); `make check` compares. A
`page` wakes somebody, a `ticket` waits for office hours. Each links to its section of the runbook.
"""


def of(root: Path) -> list[dict[str, Any]] | None:
    """The alerting rules in the order of their files; None where nothing is derived.

    Raises:
        DocumentsError: a file of rules is no YAML.
    """
    files = sorted((root / RULES).glob("*.yaml"))
    if not files:
        return None
    return [rule for file in files for rule in _alerting(documents(root, f"{RULES}/{file.name}"))]


def _alerting(parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for group in part.get("groups") or ():
            yield from (rule for rule in group.get("rules") or () if "alert" in rule)


def text(rules: list[dict[str, Any]]) -> str:
    """The whole page; an alert of several severities is one row."""
    severities: dict[str, list[str]] = {}
    for rule in rules:
        severities.setdefault(rule["alert"], []).append(str(rule.get("labels", {}).get("severity", "")))
    first = {rule["alert"]: rule.get("annotations", {}) for rule in reversed(rules)}
    rows = [
        (
            _link(name, first[name]),
            ", ".join(dict.fromkeys(each)),
            _said(first[name], "consequence"),
            _said(first[name], "action"),
        )
        for name, each in severities.items()
    ]
    return f"{HEAD}\n{table(('alert', 'severity', 'what it means', 'what to do first'), rows)}"


def _link(name: str, annotations: dict[str, Any]) -> str:
    url = str(annotations.get("runbook_url", ""))
    page, _, anchor = url.rpartition("#")
    if page.endswith("/docs/runbook.md"):
        return f"[{name}](../runbook.md#{anchor})"
    return f"[{name}]({url})" if url else name


def _said(annotations: dict[str, Any], key: str) -> str:
    """An annotation, with `…` in place of what only a firing alert knows."""
    return plain(re.sub(r"\{\{.*?\}\}", "…", str(annotations.get(key, ""))))

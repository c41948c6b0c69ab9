"""slo.yaml: the objectives in Sloth's form `prometheus/v1`, and, under `x-ops`, what `make slo` needs beyond it.

Sloth reads the same file and leaves `x-ops` out: https://sloth.dev/specs/default/
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from . import document, queries
from .document import DocumentError, Entry
from .windows import DAYS

NAME: Final = "slo.yaml"
_SLO_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]")  # Sloth's rule
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ALERT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SERVICE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # a DNS label: it names objects in Kubernetes, too
_URL = re.compile(r"https?://[^\s\"'<>{}`\\]+")
# Sloth has these; what is derived here has no use for them, or could not prove them.
_UNSUPPORTED: Final = {
    "slo_plugins": "Sloth's plug-ins are not run here: write the rules into a rule file of your own",
    "plugins": "Sloth's plug-ins are not run here: write the rules into a rule file of your own",
    "raw": "a ratio that is made already can't be weighted by requests over long windows: write it as `events`",
    "plugin": "Sloth's SLI plug-ins are not run here: write the two queries as `events`",
}
_RESERVED: Final = ("sloth_", "__")
_OWN_LABELS: Final = ("severity", "service", "owner", "long_window", "short_window", "muted_by_deployment", "alertname")


@dataclass(frozen=True)
class AlertOptions:
    """What slo.yaml says of the page or the ticket of one objective."""

    disable: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """One objective.

    Attributes:
        name: unique in the file.
        objective: percent, above 0 and below 100.
        error, total: queries of bad and of all events.
        alert: the name that its alerts share; empty if it has none.
    """

    name: str
    description: str
    objective: Decimal
    labels: dict[str, str]
    error: queries.Query
    total: queries.Query
    alert: str
    alert_labels: dict[str, str]
    alert_annotations: dict[str, str]
    page: AlertOptions
    ticket: AlertOptions

    @property
    def ratio(self) -> Decimal:
        """The objective as a ratio, 0 to 1."""
        return self.objective / 100

    @property
    def budget(self) -> Decimal:
        """Ratio of events that may be bad, 0 to 1."""
        return 1 - self.ratio

    def options(self, severity: str) -> AlertOptions:
        """Those of the `page` or the `ticket`."""
        return self.page if severity == "page" else self.ticket


@dataclass(frozen=True)
class Tuning:
    """What the owner changes of one of the template's own alerts."""

    disable: bool = False
    threshold: Decimal | None = None
    severity: str | None = None


@dataclass(frozen=True)
class Spec:
    """All that slo.yaml says.

    Attributes:
        window: of the error budget, `28d` or `30d`.
        job: Prometheus' label `job` of the service's targets.
        minimum_errors: bad events in a long window before its alert may fire.
        runbook_url, grafana_url: what links in alerts begin with.
        probe_url: address that is probed from outside; None: nothing is.
        alerts: changes of the template's own alerts by name.
    """

    service: str
    labels: dict[str, str]
    objectives: tuple[Objective, ...]
    window: str
    job: str
    owner: str
    minimum_errors: int
    runbook_url: str
    grafana_url: str
    probe_url: str | None
    alerts: dict[str, Tuning]

    @property
    def edges(self) -> list[float]:
        """Edges in seconds that the service's latency histogram must have, sorted."""
        found = {float(edge) for each in self.objectives for query in (each.error, each.total) for edge in query.edges}
        return sorted(found)


def parse(text: str, known_alerts: Mapping[str, bool] | None = None) -> Spec:
    """Read slo.yaml.

    Args:
        text: of the file.
        known_alerts: names of the template's own alerts, and whether each has a threshold.

    Raises:
        DocumentError: every problem with its line, and what would be right.
    """
    reader = _Reader()
    spec = reader.spec(document.parse(text, NAME), known_alerts or {})
    if reader.problems:
        raise DocumentError(reader.problems)
    return spec


class _Reader:
    """Reads entries into values, and gathers what is wrong with them instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def spec(self, root: Entry, known_alerts: Mapping[str, bool]) -> Spec:
        given = self.mapping(root, "version service labels slos x-ops", needed="version service slos")
        if "version" in given and given["version"].value != "prometheus/v1":
            self.wrong(given["version"], "write prometheus/v1, the form that is read here")
        service = self.text(given.get("service"), _SERVICE, "write a name such as orders")
        slos = given.get("slos")
        objectives = tuple(self.objective(each) for each in self.entries(slos))
        self.unique(slos, [each.name.lower() for each in objectives], "name")  # they name files
        alerts = [each.alert for each in objectives if each.alert]
        self.unique(slos, [*alerts, *(name for name in known_alerts if name in alerts)], "alerting.name")
        ops = self.mapping(
            given.get("x-ops"), "window job owner minimum_errors runbook_url grafana_url probe_url alerts", needed=""
        )
        spec = Spec(
            service=service,
            labels=self.labels(given.get("labels"), reserved=True),
            objectives=objectives,
            window=self.choice(ops.get("window"), tuple(DAYS), "28d"),
            job=self.text(ops.get("job"), _SERVICE, "write the label `job` of the targets", service),
            owner=self.text(ops.get("owner"), re.compile(r".{1,100}"), "write the team's name", "unknown"),
            minimum_errors=int(self.number(ops.get("minimum_errors"), 1, 1_000_000, Decimal(10), whole=True)),
            runbook_url=self.text(ops.get("runbook_url"), _URL, "write an address", "docs/runbook.md"),
            grafana_url=self.text(ops.get("grafana_url"), _URL, "write an address", "http://localhost:3000").rstrip(
                "/"
            ),
            probe_url=self.text(ops.get("probe_url"), _URL, "write an address", "") or None,
            alerts=self.tunings(ops.get("alerts"), known_alerts),
        )
        if not self.problems and len(spec.edges) > 8:
            self.wrong(root, f"{len(spec.edges)} different latencies: each costs a series of every route; 8 are enough")
        return spec

    def objective(self, entry: Entry) -> Objective:
        keys = "name description objective labels sli alerting plugins"
        given = self.mapping(entry, keys, needed="name objective sli alerting")
        sli = self.mapping(given.get("sli"), "events raw plugin", needed="events")
        events = self.mapping(sli.get("events"), "error_query total_query", needed="error_query total_query")
        error, total = self.query(events.get("error_query")), self.query(events.get("total_query"))
        if error and total and error.unit != total.unit:
            self.wrong(
                events["total_query"],
                f"it is in {total.unit}, error_query in {error.unit}: use one function",
                show=False,
            )
        alerting = self.mapping(given.get("alerting"), "name labels annotations page_alert ticket_alert", needed="")
        page, ticket = self.options(alerting.get("page_alert")), self.options(alerting.get("ticket_alert"))
        wants = not (page.disable and ticket.disable)
        if wants and alerting and "name" not in alerting:
            self.wrong(given["alerting"], "`name` is missing: the alerts need one, such as AvailabilityErrorBudgetBurn")
        empty = queries.Query("", "samples", (), ())
        return Objective(
            name=self.text(given.get("name"), _SLO_NAME, "write 2 or more letters, digits, `-`, `_` and `.`"),
            description=self.text(
                given.get("description"), re.compile(r"(?s).{1,1000}"), "write a sentence", " "
            ).strip(),
            objective=self.percent(given.get("objective")),
            labels=self.labels(given.get("labels"), reserved=True),
            error=error or empty,
            total=total or empty,
            alert=self.text(alerting.get("name"), _ALERT, "write letters, digits and `_`, such as LatencyBurn", ""),
            alert_labels=self.labels(alerting.get("labels")),
            alert_annotations=self.labels(alerting.get("annotations")),
            page=page,
            ticket=ticket,
        )

    def options(self, entry: Entry | None) -> AlertOptions:
        given = self.mapping(entry, "disable labels annotations", needed="")
        return AlertOptions(
            self.flag(given.get("disable")), self.labels(given.get("labels")), self.labels(given.get("annotations"))
        )

    def tunings(self, entry: Entry | None, known: Mapping[str, bool]) -> dict[str, Tuning]:
        found = {}
        for name, each in self.mapping(entry, " ".join(known), needed="").items():
            given = self.mapping(each, "disable threshold severity", needed="")
            threshold = given.get("threshold")
            if threshold and not known[name]:
                self.wrong(threshold, f"{name} has no threshold", show=False)
            found[name] = Tuning(
                self.flag(given.get("disable")),
                self.number(threshold, 0, 10**12, Decimal(0)) if threshold else None,
                self.choice(given["severity"], ("page", "ticket"), "ticket") if "severity" in given else None,
            )
        return found

    def query(self, entry: Entry | None) -> queries.Query | None:
        text = self.text(entry, re.compile(r"(?s).{1,5000}"), "write a query")
        if entry is None or not isinstance(entry.value, str):
            return None
        try:
            return queries.read(text)
        except queries.QueryError as error:
            self.wrong(entry, str(error), show=False)
            return None

    def percent(self, entry: Entry | None) -> Decimal:
        remedy = "write a percentage above 0 and below 100, such as 99.9 (100 would leave no budget for any error)"
        value = self.number(entry, 0, 100, Decimal(99), remedy=remedy)
        if entry is not None and (value in (0, 100) or -int(value.as_tuple().exponent) > 6):
            self.wrong(entry, remedy if value in (0, 100) else "six digits after the point are enough")
            return Decimal(99)
        return value

    def number(
        self, entry: Entry | None, lowest: int, highest: int, default: Decimal, *, whole: bool = False, remedy: str = ""
    ) -> Decimal:
        if entry is None:
            return default
        value = entry.value
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not lowest <= value <= highest:
            kind = "whole number" if whole else "number"
            self.wrong(entry, remedy or f"write a {kind} from {lowest} to {highest}")
            return default
        return Decimal(str(value))

    def flag(self, entry: Entry | None) -> bool:
        if entry is not None and not isinstance(entry.value, bool):
            self.wrong(entry, "write true or false")
        return entry is not None and entry.value is True

    def choice(self, entry: Entry | None, choices: tuple[str, ...], default: str) -> str:
        if entry is None:
            return default
        if entry.value not in choices:
            self.wrong(entry, f"write {' or '.join(choices)}")
            return default
        return str(entry.value)

    def text(self, entry: Entry | None, pattern: "re.Pattern[str]", remedy: str, default: str = "") -> str:
        if entry is None:
            return default
        if not isinstance(entry.value, str) or not pattern.fullmatch(entry.value):
            self.wrong(entry, remedy)
            return default
        return entry.value

    def labels(self, entry: Entry | None, *, reserved: bool = False) -> dict[str, str]:
        found = {}
        for name, each in (self.mapping(entry, None, needed="") if entry else {}).items():
            if not isinstance(each.value, str):
                self.wrong(each, "write text, in quotes")
            elif not _LABEL.fullmatch(name) or name.startswith(_RESERVED):
                self.wrong(
                    each, "no name for it: write letters, digits and `_`, not beginning with sloth_ or __", show=False
                )
            elif reserved and name in _OWN_LABELS:
                self.wrong(each, f"`{name}` is set by what is derived: take another name")
            else:
                found[name] = each.value
        return found

    def mapping(self, entry: Entry | None, keys: str | None, *, needed: str) -> dict[str, Entry]:
        if entry is None:
            return {}
        if not isinstance(entry.value, dict):
            if entry.value is not None or needed:
                self.wrong(entry, "write a mapping: `key: value`, a line each")
            return {}
        allowed = keys.split() if keys is not None else list(entry.value)
        for key, inner in entry.items():
            if key in _UNSUPPORTED and inner.place.endswith(key):
                self.wrong(inner, f"not supported here: {_UNSUPPORTED[key]}", show=False)
            elif key not in allowed:
                close = difflib.get_close_matches(key, allowed, 1)
                hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(sorted(allowed)) or 'none'}"
                self.wrong(inner, f"unknown: {hint}", show=False)
        missing = [key for key in needed.split() if key not in entry.value]
        if missing and not (missing == ["events"] and set(entry.value) & set(_UNSUPPORTED)):
            self.wrong(entry, f"{' and '.join(f'`{key}`' for key in missing)} missing", show=False)
        return {key: inner for key, inner in entry.items() if key in allowed and key not in _UNSUPPORTED}

    def entries(self, entry: Entry | None) -> Iterator[Entry]:
        if entry is None:
            return
        if not isinstance(entry.value, list) or not entry.value:
            self.wrong(entry, "write a list with at least one objective: `- name: …`")
            return
        yield from entry.value

    def unique(self, entry: Entry | None, names: list[str], key: str) -> None:
        for name in sorted({each for each in names if each and names.count(each) > 1}):
            self.wrong(entry, f"{key} {name!r} is used twice, or is one of the template's", show=False)

    def wrong(self, entry: Entry | None, remedy: str, *, show: bool = True) -> None:
        line, place, value = (entry.line, entry.place, entry.value) if entry else (1, "", None)
        shown = "" if not show or isinstance(value, dict | list) else f"{_shown(value)}: "
        self.problems.append(f"{NAME}:{line}: {place or 'the document'}: {shown}{remedy}")


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"

"""The template's own alerts, from alerts.yaml beside this module, written for one service."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from . import contract
from .spec import Spec, Tuning
from .windows import number

CATALOGUE: Final[dict[str, dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text("utf-8"))
# Whether each has a threshold; the others of the catalogue are further tests of one.
NAMES: Final = {name: "threshold" in entry for name, entry in CATALOGUE.items() if "rule_of" not in entry}
_NUMBER = re.compile(r"<(1-)?(threshold|over|under)(?:\*([0-9.]+))?>")


def group(spec: Spec) -> dict[str, Any]:
    """The rule group of all that the owner has not disabled."""
    return {"name": f"{spec.service}-alerts", "rules": [_rule(spec, name) for name in wanted(spec)]}


def wanted(spec: Spec) -> list[str]:
    """Names of the alerts that are not disabled."""
    return [name for name in NAMES if not spec.alerts.get(name, Tuning()).disable]


def fill(spec: Spec, name: str, text: str) -> str:
    """A text of the catalogue with the service's names and the threshold in it."""
    known = {
        "<job>": spec.job,
        "<service>": spec.service,
        "<pods>": f"{re.escape(spec.service).replace(chr(92) + '-', '-').replace(chr(92), chr(92) * 2)}-[^-]+-[^-]+",
        "<pod>": f"{spec.service}-7c9d8-x2x4z",
    }
    nodes = 'label_replace(kube_pod_info{pod=~"<pods>"}, "instance", "$1", "node", "(.+)")'
    text = text.replace("<nodes>", nodes)
    for placeholder, value in known.items():
        text = text.replace(placeholder, value)
    return _NUMBER.sub(lambda found: _number(spec, name, found), text)


def _number(spec: Spec, name: str, found: "re.Match[str]") -> str:
    value = threshold(spec, name) * {"threshold": Decimal(1), "over": Decimal("1.1"), "under": Decimal("0.9")}[found[2]]
    if found[1]:
        value = 1 - value
    return number(value * Decimal(found[3] or 1))


def threshold(spec: Spec, name: str) -> Decimal:
    """The owner's threshold, or the template's."""
    tuned = spec.alerts.get(name, Tuning()).threshold
    return Decimal(str(CATALOGUE[name].get("threshold", 0))) if tuned is None else tuned


def _rule(spec: Spec, name: str) -> dict[str, Any]:
    entry = CATALOGUE[name]
    severity = spec.alerts.get(name, Tuning()).severity or entry["severity"]
    texts = {part: fill(spec, name, entry[part]) for part in ("summary", "consequence", "action")}
    rule: dict[str, Any] = {"alert": name, "expr": fill(spec, name, entry["expr"])}
    if entry["for"] != "0m":
        rule["for"] = entry["for"]
    rule["labels"] = contract.labels(spec, severity, muted_by_deployment=entry["muted_by_deployment"])
    rule["annotations"] = contract.annotations(spec, name, "service", texts)
    return rule

"""slo.yaml and what is derived from it, as checks see it."""

import json
from typing import Any

import promql_parser as promql
import yaml
from ops.slo import alerts, outputs, spec
from ops.slo import rules as derived
from ops.slo.document import DocumentError

from . import leaks
from .outcome import CannotTell, Failed
from .service import Service

RULES = "monitoring/prometheus/rules"
TEMPLATE = "ops/slo/alerts.yaml"


def parsed(service: Service) -> spec.Spec:
    """What slo.yaml says.

    Raises:
        Failed: it is missing, or not valid.
    """
    try:
        return spec.parse(service.text(spec.NAME), alerts.NAMES)
    except DocumentError as error:
        raise Failed(error.problems[0]) from None


def known(service: Service) -> spec.Spec:
    """The same, for rows that can't look without it.

    Raises:
        CannotTell: it is missing, or not valid; the row `slo` says what is wrong.
    """
    try:
        return parsed(service)
    except Failed as failed:
        raise CannotTell(f"slo.yaml can't be read: {failed}") from None


def stale(service: Service, *folders: str) -> list[str]:
    """What is derived below these folders, and not as slo.yaml derives it now."""
    found = service.once(
        "derived", lambda: outputs.differences(service.root, outputs.made(known(service), service.package))
    )
    return [each for each in found if each.startswith(folders)]


def rules(service: Service) -> list[dict[str, Any]]:
    """Every rule below monitoring/prometheus/rules, recording and alerting.

    Raises:
        CannotTell: there is none, or a file is no YAML.
    """
    return service.once("rules", lambda: _read(service))


def alerting_rules(service: Service) -> list[dict[str, Any]]:
    """Those that raise an alert."""
    return [rule for rule in rules(service) if rule.get("alert") and isinstance(rule["alert"], str)]


def standing_rules(service: Service) -> list[dict[str, Any]]:
    """Those that raise an alert, without any of the template's that slo.yaml switches off or gives otherwise."""
    given = {str(rule["alert"]): rule for rule in alerts.group(known(service))["rules"]}
    return [
        rule
        for rule in alerting_rules(service)
        if rule["alert"] not in alerts.NAMES or _same(rule, given.get(str(rule["alert"]), {}))
    ]


def names(service: Service) -> list[str]:
    """Names of all alerts that slo.yaml gives, in the order of the rules."""
    spec = known(service)
    named = [each.alert for each in spec.objectives if each.alert]
    return [*named, *([derived.ABSENT] if named else []), *alerts.wanted(spec)]


def gone(service: Service) -> list[str]:
    """Names of the alerts that slo.yaml gives and no rule file has."""
    try:
        there = {rule["alert"] for rule in alerting_rules(service)}
    except CannotTell:
        there = set()
    return [name for name in dict.fromkeys(names(service)) if name not in there]


def edited(service: Service) -> str:
    """What is wrong with the template's list of alerts, from which all rules of its own are made; empty if nothing is.

    An edit that `.ops.json` accepts, with its reason, is the owner's way where there is no other.
    """
    file = service.root / TEMPLATE
    if file.is_file() and leaks.digests(service.root).get(TEMPLATE) == leaks.digest(file.read_bytes()):
        return ""
    accepted = service.mapping(".ops.json").get("accepted") if (service.root / ".ops.json").is_file() else None
    if file.is_file() and isinstance(accepted, dict) and accepted.get(TEMPLATE):
        return ""
    return (
        f"{TEMPLATE}: {'was edited' if file.is_file() else 'is missing'}, so that alerts may be gone: take it back "
        "from git's history, and change alerts, or switch them off, in slo.yaml under x-ops"
    )


def metrics_of(expression: str) -> set[str]:
    """Names of the metrics that an expression reads.

    Raises:
        Failed: it is no PromQL.
    """
    found: set[str] = set()

    def visit(node: Any) -> bool:
        selector = node.vector_selector if isinstance(node, promql.MatrixSelector) else node
        if isinstance(selector, promql.VectorSelector):
            names = [each.value for each in selector.matchers.matchers if each.name == "__name__"]
            found.update([selector.name] if selector.name else names)
        return True

    try:
        promql.walk(promql.parse(expression), visit, lambda _: True)
    except ValueError as error:
        raise Failed(f"no PromQL: {str(error).splitlines()[0]}: {' '.join(expression.split())[:120]}") from None
    return found


def dashboards(service: Service) -> dict[str, dict[str, Any]]:
    """The derived dashboards by path.

    Raises:
        Failed: there is none, or one is no JSON.
    """
    found = {}
    for file in sorted((service.root / "monitoring/grafana/dashboards").glob("*.json")):
        path = file.relative_to(service.root).as_posix()
        try:
            found[path] = json.loads(service.text(path))
        except ValueError:
            raise Failed(f"{path}: is no JSON") from None
    if not found:
        raise Failed("monitoring/grafana/dashboards: there is no dashboard")
    return found


def _same(rule: dict[str, Any], given: dict[str, Any]) -> bool:
    return {key: value for key, value in rule.items() if value and key != "file"} == {
        key: value for key, value in given.items() if value and key != "file"
    }


def _mappings(part: Any, key: str) -> list[dict[str, Any]]:
    """The mappings in the list of this name; none where something else stands."""
    listed = part.get(key) if isinstance(part, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _whole(rule: dict[str, Any], path: str) -> dict[str, Any]:
    """A rule with what every rule has, and its file."""
    parts = {key: each if isinstance(each := rule.get(key), dict) else {} for key in ("labels", "annotations")}
    return {"expr": "", **rule, **parts, "file": path}


def _read(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in sorted((service.root / RULES).glob("*.yaml")):
        path = file.relative_to(service.root).as_posix()
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            document = yaml.load(service.text(path), loader)  # noqa: S506 - a safe loader
        except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError):  # of odd scalars, too
            raise CannotTell(f"{path}: is no YAML") from None
        for group in _mappings(document, "groups"):
            found += [_whole(rule, path) for rule in _mappings(group, "rules")]
    if not found:
        raise CannotTell(f"{RULES}: there are no rules: make slo derives them from slo.yaml")
    return found

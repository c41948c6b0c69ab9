"""slo.yaml and what is derived from it, as checks see it."""

import json
from typing import Any

import promql_parser as promql
import yaml
from ops.slo import alerts, outputs, spec
from ops.slo import rules as derived
from ops.slo.document import DocumentError

from .outcome import CannotTell, Failed
from .service import Service

RULES = "monitoring/prometheus/rules"


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
    return [rule for rule in rules(service) if rule.get("alert")]


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


def _read(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in sorted((service.root / RULES).glob("*.yaml")):
        path = file.relative_to(service.root).as_posix()
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            document = yaml.load(service.text(path), loader)  # noqa: S506 - a safe loader
        except yaml.YAMLError:
            raise CannotTell(f"{path}: is no YAML") from None
        groups = document.get("groups") if isinstance(document, dict) else None
        found += [
            {"expr": "", "labels": {}, "annotations": {}, **rule, "file": path}
            for group in groups or ()
            if isinstance(group, dict)
            for rule in group.get("rules") or ()
            if isinstance(rule, dict)
        ]
    if not found:
        raise CannotTell(f"{RULES}: there are no rules: make slo derives them from slo.yaml")
    return found

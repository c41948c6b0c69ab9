"""What breaks one promise of the metrics, objectives, alerts and monitors."""

import re
from pathlib import Path

from tests.readiness.mutating import Mutation, delete, edit
from tests.readiness.mutations_platform import without
from tests.readiness.mutations_twelve_factor import OPS, in_routes

BOARDS = "monitoring/grafana/dashboards"
RULES = "monitoring/prometheus/rules"


def without_rule(root: Path, alert: str) -> None:
    """Take an alert out of the template's rules."""
    file = root / RULES / "alerts.yaml"
    text = file.read_text("utf-8")
    shorter = re.sub(rf"(?ms)^( *)- alert: {alert}\n.*?(?=^\1- alert: |\Z)", "", text)
    assert shorter != text
    file.write_text(shorter, "utf-8")


def without_first_look(root: Path) -> None:
    """Empty what the runbook says to look at first, for one alert."""
    file = root / "docs/runbook.md"
    text = file.read_text("utf-8")
    begin = text.index("### MemoryNearLimit")
    look, after = text.index("**First look", begin), text.index("**Likely causes", begin)
    file.write_text(f"{text[:look]}**First look.**\n\n{text[after:]}", "utf-8")


def emptied(root: Path) -> None:
    """Leave nothing of an alert's section but its heading."""
    file = root / "docs/runbook.md"
    text, count = re.subn(r"(?ms)^(### CPUSaturated\n).*?(?=^### )", r"\1\n", file.read_text("utf-8"))
    assert count == 1
    file.write_text(text, "utf-8")


def untested(root: Path) -> None:
    file = root / "monitoring/prometheus/tests/alerts.yaml"
    file.write_text(re.sub(r"(?m)^", "# ", file.read_text("utf-8")), "utf-8")


MUTATIONS = [
    Mutation(
        "metrics",
        lambda root: edit(
            root,
            f"{OPS}/metrics.py",
            'return (sums or "").encode() + encode(registry), content_type',
            'return encode(registry) + (sums or "").encode(), content_type',
        ),
        "no OpenMetrics",
    ),
    Mutation(
        "sli",
        lambda root: edit(
            root, f"{OPS}/metrics.py", "        route = self.route(scope)\n", '        route = scope["path"]\n'
        ),
        "the raw path as a label",
    ),
    Mutation("slo", lambda root: edit(root, "src/orders/slo.json", "0.3", "0.25"), "buckets of another latency"),
    Mutation(
        "slo-dashboard",
        lambda root: edit(
            root, f"{OPS}/metrics.py", '"http_server_active_requests_limit",', '"http_server_requests_limit",'
        ),
        "a metric that a panel asks for has another name",
    ),
    Mutation(
        "slo-dashboard",
        lambda root: edit(root, f"{BOARDS}/slo.json", "slo:current_burn_rate:ratio", "slo:burn_rate_of_now:ratio"),
        "a panel edited by hand",
    ),
    Mutation(
        "slo-alerts",
        lambda root: edit(root, f"{RULES}/slo-availability.yaml", "long_window: 1h", "long_window: 2h"),
        "the fastest burn is not watched",
    ),
    Mutation("slo-alerts", lambda root: without_rule(root, "ErrorsLogged"), "an alert of the template's is gone"),
    Mutation(
        "slo-alerts",
        lambda root: edit(
            root, f"{RULES}/alerts.yaml", "(increase(log_errors_total{", "(0 * increase(log_errors_total{"
        ),
        "an alert that never fires",
    ),
    Mutation("slo-alerts", lambda root: delete(root, f"{RULES}/slo-latency.yaml"), "an objective's rules are gone"),
    Mutation(
        "slo-alerts",
        lambda root: (root / f"{RULES}/slo-latency.yaml").write_text("groups: []\n", "utf-8"),
        "an empty file of rules",
    ),
    Mutation(
        "slo-alerts",
        lambda root: edit(root, "monitoring/kustomization.yaml", "  - kubernetes/prometheusrule.yaml\n", ""),
        "rules that the cluster does not load",
    ),
    Mutation(
        "slo-alerts",
        lambda root: edit(root, "ops/slo/alerts.yaml", "\nVersionSkew:\n", "\nVersionSkewed:\n"),
        "the template's list of alerts is edited",
    ),
    Mutation("alert-actionable", without_first_look, "a section of the runbook says nothing"),
    Mutation("alert-actionable", emptied, "a section of the runbook is a heading alone"),
    Mutation("alert-basic", untested, "no rule is tested"),
    Mutation("alert-basic", lambda root: without(root, "DiskIOSaturated"), "I/O operations are not watched"),
    Mutation(
        "alert-mute",
        lambda root: edit(
            root, "ops/slo/silence.py", '{"service": spec.service, "muted_by_deployment"', '{"muted_by_deployment"'
        ),
        "a silence of every service's alerts",
    ),
    Mutation(
        "alert-mute",
        lambda root: edit(root, ".github/workflows/ops-deploy.yml", "make --silent silence", "make --silent help"),
        "a deployment that wakes people",
    ),
    Mutation(
        "alert-tracked",
        lambda root: edit(
            root, "monitoring/alertmanager/alertmanager.yaml", "  - receiver: ticket", "  - receiver: nobody"
        ),
        "tickets go to nobody",
    ),
    Mutation(
        "monitor-service",
        lambda root: edit(root, "monitoring/kubernetes/podmonitor.yaml", "path: /metrics", "path: /measures"),
        "scraped where nothing answers",
    ),
    Mutation(
        "monitor-db",
        lambda root: in_routes(root, "import sqlite3"),
        "a database that nothing tells of",
    ),
    Mutation(
        "monitor-third-party",
        lambda root: edit(
            root,
            f"{OPS}/health.py",
            'UP.labels(self.check.name).set(1 if self.state == "pass" else 0)',
            "UP.labels(self.check.name).set(1)",
        ),
        "a dependency that is down counts as up",
    ),
    Mutation("monitor-platform", lambda root: without(root, "QuotaNearlyUsed"), "quotas are not watched"),
    Mutation(
        "monitor-availability",
        lambda root: edit(
            root, "slo.yaml", "  alerts: {}\n", "  alerts: {}\n  probe_url: https://orders.example.org/\n"
        ),
        "an address that no probe asks",
    ),
    Mutation(
        "monitor-resources",
        lambda root: edit(
            root, f"{OPS}/metrics.py", "for worker in slots.living():", "for worker in slots.living()[1:]:"
        ),
        "a worker of which nothing is told",
    ),
]

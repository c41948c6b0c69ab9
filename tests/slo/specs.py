"""Different slo.yaml files, as people write them."""

import re
from pathlib import Path
from typing import Any

import yaml
from ops.slo import alerts, spec

COUNT = "http_server_request_duration_seconds_count"
BUCKET = "http_server_request_duration_seconds_bucket"
WINDOW = "[{{.window}}]"


def parsed(text: str) -> spec.Spec:
    """Read a file as `make slo` does."""
    return spec.parse(text, alerts.NAMES)


def document(*slos: dict[str, Any], **ops: Any) -> str:
    """A file with these objectives, and these keys under x-ops."""
    head = {"version": "prometheus/v1", "service": "orders", "slos": list(slos)}
    return yaml.safe_dump({**head, **({"x-ops": ops} if ops else {})}, sort_keys=False)


def availability(name: str = "availability", objective: float = 99.9, only: str = "", **more: Any) -> dict[str, Any]:
    """An objective of requests that do not fail; `only` are further matchers."""
    error = f'sum(rate({COUNT}{{job="orders",http_response_status_code=~"5.."{only}}}{WINDOW}))'
    return objective_of(name, objective, error, f'sum(rate({COUNT}{{job="orders"{only}}}{WINDOW}))', **more)


def latency(
    name: str = "latency", objective: float = 99, edge: str = "0.3", only: str = "", **more: Any
) -> dict[str, Any]:
    """An objective of requests that are answered in time."""
    total = f'sum(rate({COUNT}{{job="orders"{only}}}{WINDOW}))'
    return objective_of(
        name, objective, f'{total} - sum(rate({BUCKET}{{job="orders",le="{edge}"{only}}}{WINDOW}))', total, **more
    )


def freshness(name: str = "freshness", objective: float = 99.5, **more: Any) -> dict[str, Any]:
    """An objective of minutes in which a result was young enough."""
    age = 'time() - max(orders_imported_timestamp_seconds{job="orders"})'
    return objective_of(
        name,
        objective,
        f"sum_over_time(({age} > bool 900)[{{{{.window}}}}:1m])",
        f"count_over_time(({age})[{{{{.window}}}}:1m])",
        **more,
    )


def objective_of(name: str, objective: float, error: str, total: str, **more: Any) -> dict[str, Any]:
    """An objective of any kind, with an alert of its name."""
    alert = "".join(part.title() for part in re.split("[^A-Za-z0-9]", name)) + "Burn"
    sli = {"events": {"error_query": error, "total_query": total}}
    return {"name": name, "objective": objective, "sli": sli, "alerting": {"name": alert}, **more}


SPECS = {
    "seed": document(availability(), latency(), window="28d", owner="Orders team"),
    "thirty days": document(availability(), latency(), window="30d", minimum_errors=1),
    "route classes": document(
        availability("checkout", 99.99, ',http_route="/v1/checkout"'),
        latency("checkout-latency", 95, "0.1", ',http_route="/v1/checkout",http_request_method!~"GET|HEAD"'),
        latency("search.latency", 90, "2.5", ',http_route=~"/v1/search.*"'),
    ),
    "lowest": document(availability(objective=90), latency(objective=90.0, edge="60.0"), minimum_errors=500),
    "highest": document(availability(objective=99.999), latency(objective=99.999, edge="0.001"), window="30d"),
    "freshness": document(freshness(), freshness("throughput", 95)),
    "other counters": document(
        objective_of("jobs", 99, f"sum(increase(jobs_failed_total{WINDOW}))", f"sum(increase(jobs_total{WINDOW}))"),
        objective_of(
            "two-kinds",
            99.5,
            f'sum(rate(a_total{{outcome="failed"}}{WINDOW})) + sum(rate(b_total{{outcome="failed"}}{WINDOW}))',
            f"sum(rate(a_total{WINDOW})) + sum(rate(b_total{WINDOW}))",
        ),
    ),
    "hostile texts": document(
        availability(
            description='{{ $labels.x }} "quoted" \\ $(echo) <script> | `x`\nsecond line',
            labels={"tier": '1 {{ "x" }} \\ " \n y'},
            alerting={
                "name": "_Burn",
                "labels": {"team": "orders"},
                "annotations": {"extra": "{{ $value }}"},
                "page_alert": {"labels": {"pager": "primary"}},
                "ticket_alert": {"annotations": {"summary": "my own"}},
            },
        ),
        owner='{{ .Evil }} "team" \\ <b>',
        runbook_url="https://git.example.org/a/b?c=d",
        probe_url="https://orders.example.org/v1/x?y=z",
        alerts={
            "MemoryNearLimit": {"threshold": 0.75},
            "BackupTooOld": {"disable": True},
            "ServiceDown": {"severity": "ticket"},
        },
    ),
    "no pages": document(
        availability(alerting={"name": "Burn", "page_alert": {"disable": True}}),
        latency(alerting={"page_alert": {"disable": True}, "ticket_alert": {"disable": True}}),
        alerts={name: {"disable": True} for name in alerts.NAMES if name != "ServiceDown"},
    ),
}


def written(folder: Path, texts: dict[str, str]) -> Path:
    """Write texts by their paths below a folder."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder

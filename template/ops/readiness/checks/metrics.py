"""Metrics of the running service, and the indicators in them."""

from collections import Counter
from typing import Final

from ops.readiness import promtool
from ops.readiness.checks.health import smoke_plan
from ops.readiness.exposition import Sample, families, samples
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import Ground, ground
from ops.readiness.service import Service
from ops.smoke import address, api
from ops.smoke.outcome import Failed as SmokeFailed
from ops.smoke.target import Surroundings, Wanted
from ops.smoke.trust import Trust

HISTOGRAM: Final = "http_server_request_duration_seconds"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
_NEEDED: Final = ("service_info", "log_records", "http_server_active_requests", HISTOGRAM)
_COUNTED, _FAILING = 24, 3


@live("metrics")
def metrics(service: Service) -> str:
    """`/metrics` can be parsed in both forms, and tells the application's key figures."""
    at = ground(service)
    exercise(at)
    text = at.main().get("/metrics")
    other = at.main().get("/metrics", Accept=OPENMETRICS)
    if "openmetrics" not in other.headers.get("content-type", ""):
        raise Failed(f"asked for OpenMetrics, /metrics answers {other.headers.get('content-type')}")
    found, again = families(text.text), families(other.text, openmetrics=True)
    if missing := [name for name in _NEEDED if name not in {family.name for family in found}]:
        raise Failed(f"/metrics does not tell {', '.join(missing)}")
    twice = [
        key
        for key, times in Counter((s.name, *sorted(s.labels.items())) for s in samples(text.text)).items()
        if times > 1
    ]
    if twice:
        raise Failed(f"/metrics tells {twice[0][0]} twice with the same labels")
    if undescribed := [family.name for family in found if not family.documentation or family.type == "unknown"]:
        raise Failed(f"/metrics does not say what {', '.join(undescribed[:5])} means, or of which type it is")
    checked = promtool.says("check", "metrics", given=text.text)
    return f"{len(found)} metrics in Prometheus text, {len(again)} in OpenMetrics; {checked}"


@live("sli")
def sli(service: Service) -> str:
    """Each request is counted once, by the template of its route, over all workers; what raises is an error."""
    at = ground(service)
    route = f"{at.prefix}/counted/{{item}}"
    for number in range(_COUNTED):
        _planted(at, f"/counted/item-{number}", 200)
    for _ in range(_FAILING):
        _planted(at, "/counted/fail", 500)
    found = samples(at.main().get("/metrics").text)
    counted = {
        labels["http_response_status_code"]: value
        for labels, value in _counts(found)
        if labels.get("http_route") == route and labels.get("http_request_method") == "GET"
    }
    if counted.get("200") != _COUNTED or counted.get("500") != _FAILING:
        raise Failed(
            f"{_COUNTED} answers and {_FAILING} exceptions of one route were counted as {counted or 'nothing'}"
        )
    if raw := [labels["http_route"] for labels, _ in _counts(found) if "item-" in labels.get("http_route", "")]:
        raise Failed(f"a label holds the raw path of a request: {raw[0]}")
    ends = sum(
        s.value
        for s in found
        if s.name == f"{HISTOGRAM}_bucket" and s.labels.get("http_route") == route and s.labels.get("le") == "+Inf"
    )
    if ends != _COUNTED + _FAILING:
        raise Failed(f"{_COUNTED + _FAILING} requests, and {ends:g} in the buckets of latency")
    return f"{_COUNTED} answers and {_FAILING} exceptions, counted as such under {route}; {_owners(service, at)}"


def exercise(at: Ground) -> None:
    """Make the running service do once what its metrics tell of."""
    at.once.get(
        "exercised", lambda: [at.main().get(f"{at.prefix}{path}").status_code for path in ("/call", "/levels", "/work")]
    )


def _planted(at: Ground, path: str, wanted: int) -> None:
    status = at.main().get(at.prefix + path).status_code
    if status != wanted:
        raise CannotTell(f"a route that the check adds is answered {status}: is there middleware that keeps it out?")


def _counts(found: list[Sample]) -> list[tuple[dict[str, str], float]]:
    return [(each.labels, each.value) for each in found if each.name == f"{HISTOGRAM}_count"]


def _owners(service: Service, at: Ground) -> str:
    """The same for the owner's own requests, as smoke.yaml lists them."""
    requests = smoke_plan(service, at).requests if (service.root / "smoke.yaml").is_file() else ()
    if not requests:
        return "smoke.yaml lists no request of the service's own to count"
    surroundings = Surroundings(address.parse(at.main().url), Wanted(), smoke_plan(service, at), at.masks, Trust())
    with at.asking:
        before = _of_routes(at)
        for each in requests:
            target = surroundings.target(10.0)
            try:
                api.send(target, each)
            except SmokeFailed as failed:
                raise CannotTell(str(failed)) from None
            finally:
                target.client.disconnect()
        grown = _of_routes(at) - before
    if sum(grown.values()) != len(requests):
        raise Failed(f"{len(requests)} requests of smoke.yaml were answered, and {sum(grown.values()):g} counted")
    return f"{len(requests)} of smoke.yaml, counted under {', '.join(sorted(grown))}"


def _of_routes(at: Ground) -> "Counter[str]":
    """Requests by route, without those that checks have added or made up."""
    found: Counter[str] = Counter()
    for labels, value in _counts(samples(at.main().get("/metrics").text)):
        if not labels.get("http_route", "").startswith(at.planted) and labels.get("http_route") != "_UNMATCHED":
            found[f"{labels.get('http_request_method')} {labels.get('http_route')}"] += int(value)
    return found

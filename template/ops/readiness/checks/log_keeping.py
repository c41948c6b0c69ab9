"""Logs beside the service: where they are gathered, how errors are reported, and what raises an alert."""

import re
from typing import Final

from ops.readiness import objectives
from ops.readiness.checks.configuration import settings_without_anything
from ops.readiness.checks.logs import SCHEMA
from ops.readiness.exposition import samples
from ops.readiness.instance import until
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live, static
from ops.readiness.running import ground
from ops.readiness.service import Service

_DOCUMENT: Final = "docs/logs.md"
_DSN: Final = "http://0123456789abcdef@127.0.0.1:9/1"
_EX_CONFIG: Final = 78
_NEEDED: Final = ("timestamp", "level", "event", "logger", "service", "request_id", "trace_id")
_ERRORS: Final = "log_errors_total"


@static("log-central")
def central(service: Service) -> str:
    """A collector can parse the lines, and the queries for errors and warnings are written down."""
    schema = service.mapping(SCHEMA)  # JSON is YAML
    if missing := [name for name in _NEEDED if name not in schema.get("required", ())]:
        raise Failed(f"{SCHEMA}: a line need not have {', '.join(missing)}, by which logs are filtered")
    queries = re.findall(r"`+([^`]+)`+", service.text(_DOCUMENT))
    name = str(service.answers.get("service_name", ""))
    of_it = [query for query in queries if name in query]
    if lacking := [level for level in ("error", "warning") if not any(_asks_for(query, level) for query in of_it)]:
        raise Failed(f"{_DOCUMENT}: no query of {name} filters for level {' or '.join(lacking)}")
    return f"{_DOCUMENT} has queries of {name} for error and warning; {SCHEMA} promises {', '.join(_NEEDED)}"


@live("error-reporting")
def reporting(service: Service) -> str:
    """Errors can be reported to a server of Sentry's protocol: by one setting, off by default, never half on."""
    at = ground(service)
    value, _ = settings_without_anything(at).get("errors.dsn", ("", ""))
    if value != "null":
        raise Failed(
            "errors.dsn has a default: errors would be sent somewhere that nobody chose"
            if value
            else "there is no setting errors.dsn"
        )
    env = {**at.main_environment(), "APP_ERRORS__DSN": _DSN}
    ended = at.command("reporting", "config", "--check", env=env)
    if ended.status == 0 and _has_package(service):
        return "errors.dsn is off by default, and takes a DSN; sentry-sdk is installed"
    if ended.status != _EX_CONFIG or "sentry-sdk" not in ended.stderr or "errors.dsn" not in ended.stderr:
        raise Failed(f"without sentry-sdk, a DSN is answered with status {ended.status}: errors would go nowhere")
    return "errors.dsn is off by default; without the package sentry-sdk a DSN is refused, and the refusal names it"


@live("log-alerts")
def alerts(service: Service) -> str:
    """Errors in the log are counted by logger, and an alert watches the count."""
    watching = [rule["alert"] for rule in objectives.standing_rules(service) if _ERRORS in rule["expr"]]
    if not watching:
        raise Failed(f"no alert in monitoring/ watches {_ERRORS}")
    at = ground(service)
    before = _counted(at.main().get("/metrics").text)
    if at.main().get(f"{at.prefix}/levels").status_code != 200:
        raise CannotTell("a route that the check adds, and that logs errors, is not answered")
    grown = until(lambda: _counted(at.main().get("/metrics").text) - before, 3) or 0
    if grown < 3:
        raise Failed(f"three errors of loggers below `readiness` were logged, and {_ERRORS} grew by {grown:g} for them")
    return f"{_ERRORS} counts by logger; {', '.join(watching)} watches it"


def _counted(text: str) -> float:
    """Errors of the loggers that the check uses."""
    return sum(each.value for each in samples(text, _ERRORS) if each.labels.get("logger", "").startswith("readiness."))


def _asks_for(query: str, level: str) -> bool:
    return bool(re.search(rf"\blevel\b\s*(=~?|:)\s*\(?[\"'][^\n]*\b{level}\b", query))


def _has_package(service: Service) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - of this environment, which is the service's

    return service is not None and find_spec("sentry_sdk") is not None

"""Logs of the running service: what each line is, which are there, and how they belong together."""

import json
import re
from secrets import token_hex
from typing import Any, Final

from ops.readiness import planted
from ops.readiness.instance import until
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import Ground, ground
from ops.readiness.service import Service

SCHEMA: Final = "ops/log-line.schema.json"


@live("log-stdout")
def stdout(service: Service) -> str:
    """Every line on standard output is one JSON object of the schema; standard error has nothing."""
    at = ground(service)
    instance = at.main()
    asked(at, "/levels")
    until(lambda: instance.logged(logger=planted.LOUD))
    lines = list(instance.lines)
    schema = json.loads(service.text(SCHEMA))
    for line in lines:
        if wrong := _wrong(line, schema):
            raise Failed(f"a line on standard output {wrong}: {at.masks.excerpt(line.decode('utf-8', 'replace'))}")
    if instance.errors:
        raise Failed(f"standard error has {at.masks.excerpt(instance.errors[0].decode('utf-8', 'replace'))}")
    if len(lines) < 10:
        raise Failed(f"only {len(lines)} lines on standard output after a start and a request that logs")
    return f"{len(lines)} lines, each a JSON object as {SCHEMA} wants it; nothing on standard error"


@live("log-levels")
def levels(service: Service) -> str:
    """The level of all loggers and those of single ones hold, for DEBUG, INFO, WARNING and ERROR."""
    at = ground(service)
    request_id = asked(at, "/levels")
    wanted = {
        planted.LOUD: ["debug", "info", "warning", "error"],
        planted.PLAIN: ["info", "warning", "error"],
        planted.QUIET: ["error"],
    }
    until(lambda: at.main().logged(request_id=request_id, logger=planted.QUIET) or None, 3)
    found = {name: [line["level"] for line in at.main().logged(request_id=request_id, logger=name)] for name in wanted}
    if found != wanted:
        wrong = next(name for name in wanted if found[name] != wanted[name])
        raise Failed(
            f"of a logger that should tell {', '.join(wanted[wrong])}, the log has {found[wrong] or 'nothing'}"
        )
    return "log.level INFO hides DEBUG; log.levels gives one logger DEBUG, and another only ERROR"


@live("log-trace")
def trace(service: Service) -> str:
    """A request's ids are on each of its lines, in its answer, and on what it asks of other services."""
    at = ground(service)
    request_id, trace_id = f"readiness-{token_hex(4)}", token_hex(16)
    traceparent = f"00-{trace_id}-{token_hex(8)}-01"
    path = f"{at.prefix}/call"
    answer = at.main().get(path, X_Request_ID=request_id, traceparent=traceparent)
    if answer.status_code != 200:
        raise CannotTell(f"a route that the check adds is answered {answer.status_code}")
    if answer.headers.get("x-request-id") != request_id:
        raise Failed(f"X-Request-ID {request_id} came back as {answer.headers.get('x-request-id')}")
    _, _, _, headers = next(each for each in reversed(at.peer.received) if each[1] == "/asked")
    asked = {headers.get("x-request-id"): headers.get("traceparent", "none") for *_, headers in at.peer.received}
    if request_id not in asked or trace_id not in asked[request_id] or traceparent == asked[request_id]:
        raise Failed(f"what the request asks of another service carries {headers.get('traceparent', 'no traceparent')}")
    lines = until(lambda: at.main().logged(request_id=request_id, trace_id=trace_id), 3)
    if not lines:
        raise Failed("the request's line in the log has not the ids that its caller sent")
    return f"the caller's ids: in the answer, in {len(lines)} lines, and in what was asked of another service"


def asked(at: Ground, path: str, status: int = 200) -> str:
    """Ask one of the planted routes; the request's id."""
    request_id = f"readiness-{token_hex(4)}"
    found = at.main().get(at.prefix + path, X_Request_ID=request_id).status_code
    if found != status:
        raise CannotTell(f"a route that the check adds is answered {found}: is there middleware that keeps it out?")
    return request_id


def _wrong(line: bytes, schema: dict[str, Any]) -> str:
    """What of a line is not as the schema wants it; empty if all is."""
    document = parsed(line)
    if not document:
        return "is no JSON object"
    for name in schema.get("required", ()):
        if name not in document:
            return f"has no {name}"
    for name, wanted in schema.get("properties", {}).items():
        if name in document and not _fits(document[name], wanted):
            return f"has a {name} of another form"
    for name, others in schema.get("dependentRequired", {}).items():
        if name in document and (missing := [each for each in others if each not in document]):
            return f"has {name}, and no {missing[0]}"
    return ""


def _fits(value: object, wanted: dict[str, Any]) -> bool:
    """Whether a value is of a type, pattern, range or list of the schema's."""
    kinds = {"string": str, "integer": int, "number": (int, float), "null": type(None), "object": dict, "array": list}
    given = wanted.get("type", [])
    types: Any = [kinds[each] for each in ([given] if isinstance(given, str) else given) if each in kinds]
    if types and not any(isinstance(value, each) and not isinstance(value, bool) for each in types):
        return False
    if "enum" in wanted and value not in wanted["enum"]:
        return False
    if isinstance(value, str) and "pattern" in wanted and not re.search(wanted["pattern"], value):
        return False
    low, high = wanted.get("minimum"), wanted.get("maximum")
    return not isinstance(value, int | float) or ((low is None or value >= low) and (high is None or value <= high))


def parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

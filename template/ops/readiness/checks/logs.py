"""Logs of the running service: what each line is, where it goes beside standard output, and what it never holds."""

import email
import json
import re
from dataclasses import dataclass
from email import policy
from functools import cache
from secrets import token_hex
from typing import Any, Final

from ops.readiness import planted
from ops.readiness.instance import until
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import MAILED_TO, Ground, ground
from ops.readiness.service import Service

SCHEMA: Final = "ops/log-line.schema.json"
# RFC 5424, section 6: priority, version, time, host, application, process, message id, structured data, message.
_SYSLOG: Final = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT[\d:.]+Z) \S{1,255} (\S{1,48}) \S{1,128} \S{1,32} "
    rb'(-|\[\S+( [^ =]+="[^"]*")*\]) (.*)',
    re.DOTALL,
).fullmatch
_LOCAL0: Final = 16 * 8
_SEVERITY: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_FAILURES: Final = 6
_LINES: Final = 9  # of a request that logs at every level of three loggers


@live("log-stdout")
def stdout(service: Service) -> str:
    """Every line on standard output is one JSON object of the schema; standard error has nothing."""
    at = ground(service)
    instance = at.main()
    _asked(at, "/levels")
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
    request_id = _asked(at, "/levels")
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


@live("log-syslog")
def syslog(service: Service) -> str:
    """Each line is an RFC 5424 message at a syslog server, too, with the severity of its level."""
    at = ground(service)
    request_id = _asked(at, "/levels").encode()

    def arrived() -> list[bytes]:
        return [each for each in list(at.syslog.received) if request_id in each]

    until(lambda: len(arrived()) >= _LINES or None, 3)
    if not arrived():
        raise Failed(f"none of the request's lines arrived over UDP; {len(at.syslog.received)} others did")
    for message in arrived():
        if not (match := _SYSLOG(message)):
            raise Failed(f"no RFC 5424 message: {at.masks.excerpt(message.decode('utf-8', 'replace'))}")
        document = _json(match[6])
        level = str(document.get("level"))
        if int(match[1]) != _LOCAL0 + _SEVERITY.get(level, -1):
            raise Failed(f"a line of level {level} arrived with priority {int(match[1])}")
    return f"{len(arrived())} RFC 5424 messages arrived over UDP, of the severity of their level, the JSON line in each"


@live("log-email")
def mail(service: Service) -> str:
    """Equal errors are one mail, with the stack trace and their number, to everybody on the list."""
    at = ground(service)

    def about() -> list[_Mail]:
        return [each for each in _mails(at) if "provoked by a readiness check\n" in each.body]

    for _ in range(_FAILURES):
        _asked(at, "/fail", status=500)
    until(lambda: about() or None, 6)
    for _ in range(_FAILURES):  # the group has been told of, and is silent for a while
        _asked(at, "/fail", status=500)
    until(lambda: len(about()) > 1 or None, 1.2)
    found = about()
    if len(found) != 1:
        raise Failed(f"{2 * _FAILURES} equal errors in two workers made {len(found)} mails; one is wanted")
    if missing := [each for each in MAILED_TO if each not in found[0].to]:
        raise Failed(f"the mail did not go to {', '.join(missing)}, who is on the list")
    if "Traceback (most recent call last)" not in found[0].body or "in _fail" not in found[0].body:
        raise Failed("the mail about an error has no stack trace")
    return f"{2 * _FAILURES} equal errors in two workers: one mail to {len(MAILED_TO)} addresses, with the stack trace"


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


@live("log-sensitive")
def sensitive(service: Service) -> str:
    """Planted secrets and personal data come out nowhere: log, syslog, mail, status, answers."""
    at = ground(service)
    secrets, body = _planted()
    path = f"{at.prefix}/leak"
    request_id = f"readiness-{token_hex(4)}"
    answer = at.main().ask("POST", path, json=body, headers={"X-Request-ID": request_id})
    if answer.status_code != 500:
        raise CannotTell(f"a route that the check adds is answered {answer.status_code}")
    line = until(lambda: at.main().logged(request_id=request_id, logger="readiness"), 3)
    mailed = until(lambda: [each for each in _mails(at) if request_id in each.body] or None, 5)
    if not line or not mailed:
        raise CannotTell(f"what was planted is not in the {'mail' if line else 'log'} in any form: nothing to look at")
    status = at.main().get("/status", Authorization=f"Bearer {at.token}").text
    places = {
        "the log": at.written(),
        "syslog": b"\n".join(at.syslog.received).decode("utf-8", "replace"),
        "mail": "\n".join(each.body + each.subject for each in _mails(at)),
        "the answer": answer.text,
        "/status": status,
    }
    secrets["the status token"] = at.token
    out = sorted(
        {f"{what} in {where}" for where, text in places.items() for what, value in secrets.items() if value in text}
    )
    if out:
        raise Failed(f"{len(out)} times what must not leave the service came out: {', '.join(out[:6])}")
    return f"{len(secrets)} secrets and personal data, in fields, text and an exception: none in {', '.join(places)}"


def _planted() -> tuple[dict[str, str], dict[str, Any]]:
    """What must not come out, by what it is, and the body of a request that makes a program log it."""
    key = f"sk_live_{token_hex(16)}"
    # Numbers that the check digits of their kind accept; none is anybody's.
    secrets = {
        "a password": f"pw-{token_hex(8)}",
        "a bearer token": token_hex(24),
        "an e-mail address": f"kari.{token_hex(4)}@person.example",
        "a card number": "4111111111111111",
        "a national identity number": "01010750160",
        "an API key": key,
        "a password in a URL": f"url-{token_hex(8)}",
    }
    values = list(secrets.values())
    fields = {"password": values[0], "customer": {"email": values[2], "card": values[3]}, "api_key": key}
    text = (
        f"could not log in with password={values[0]}, Authorization: Bearer {values[1]}, for {values[2]}, "
        f"card {values[3]}, fnr {values[4]}, at postgresql://app:{values[6]}@db.example/orders?api_key={key}"
    )
    return secrets, {"fields": fields, "text": text}


@dataclass(frozen=True, slots=True)
class _Mail:
    to: str
    subject: str
    body: str


def _mails(at: Ground) -> list[_Mail]:
    return [_read(each) for each in list(at.mailbox.received)]


@cache
def _read(text: str) -> _Mail:
    message = email.message_from_string(text, policy=policy.default)
    part = message.get_body(("plain",))
    body = str(part.get_content()) if part is not None else text
    return _Mail(str(message["To"]), str(message["Subject"]), body.replace("\r\n", "\n"))


def _asked(at: Ground, path: str, status: int = 200) -> str:
    """Ask one of the planted routes; the request's id."""
    request_id = f"readiness-{token_hex(4)}"
    found = at.main().get(at.prefix + path, X_Request_ID=request_id).status_code
    if found != status:
        raise CannotTell(f"a route that the check adds is answered {found}: is there middleware that keeps it out?")
    return request_id


def _wrong(line: bytes, schema: dict[str, Any]) -> str:
    """What of a line is not as the schema wants it; empty if all is."""
    document = _json(line)
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


def _json(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

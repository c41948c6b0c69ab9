"""Where log lines and errors go beside standard output, and what is in none of these places."""

import email
import re
from dataclasses import dataclass
from email import policy
from functools import cache
from secrets import token_hex
from typing import Any, Final

import httpx2
from ops.readiness.checks.logs import asked, parsed
from ops.readiness.instance import until
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import live
from ops.readiness.running import MAILED_TO, Ground, ground
from ops.readiness.service import Service

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


@live("log-syslog")
def syslog(service: Service) -> str:
    """Each line is an RFC 5424 message at a syslog server, too, with the severity of its level."""
    at = ground(service)
    request_id = asked(at, "/levels").encode()

    def arrived() -> list[bytes]:
        return [each for each in list(at.syslog.received) if request_id in each]

    until(lambda: len(arrived()) >= _LINES or None, 3)
    if not arrived():
        raise Failed(f"none of the request's lines arrived over UDP; {len(at.syslog.received)} others did")
    for message in arrived():
        if not (match := _SYSLOG(message)):
            raise Failed(f"no RFC 5424 message: {at.masks.excerpt(message.decode('utf-8', 'replace'))}")
        document = parsed(match[6])
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
        asked(at, "/fail", status=500)
    until(lambda: about() or None, 6)
    # The group has been told of, and is silent for a while. Another error on the same connection, so in the same
    # worker, is mailed after whatever that worker would have mailed of this one.
    with httpx2.Client(verify=False, trust_env=False, base_url=at.main().url) as client:
        for path in (*["/fail"] * _FAILURES, "/fail-otherwise"):
            client.get(at.prefix + path)
    until(lambda: any("in another place" in each.body for each in _mails(at)) or None, 8)
    found = about()
    if len(found) != 1:
        raise Failed(f"{2 * _FAILURES} equal errors in two workers made {len(found)} mails; one is wanted")
    if missing := [each for each in MAILED_TO if each not in found[0].to]:
        raise Failed(f"the mail did not go to {', '.join(missing)}, who is on the list")
    if "Traceback (most recent call last)" not in found[0].body or "in _fail" not in found[0].body:
        raise Failed("the mail about an error has no stack trace")
    return f"{2 * _FAILURES} equal errors in two workers: one mail to {len(MAILED_TO)} addresses, with the stack trace"


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

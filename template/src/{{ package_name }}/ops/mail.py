"""Error mail: one message for many equal errors, to people, without what must not leave the service.

Errors that look alike are one group (its fingerprint). The first of a group is mailed after a moment, in which its
equals are counted; then the group is silent for a while, and what came meanwhile is counted in its next mail.
"""

import fcntl
import hashlib
import json
import os
import re
import smtplib
import ssl
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any, Final

from .about import About
from .settings import EmailSettings

Record = Mapping[str, Any]

_SMTP_SECONDS: Final = 10.0
_MOST_GROUPS: Final = 256
_FRAMES: Final = 3
_LONGEST_TEXT: Final = 32_768
_FRAME: Final = re.compile(r'File "([^"]+)", line \d+, in (\S+)')
_CHANGING: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\d+")


def fingerprint(record: Record) -> str:
    """What equal errors share: logger, exception type and the innermost functions, or the event without its numbers."""
    stack = str(record.get("exception_stacktrace") or "")
    if stack:
        frames = _FRAME.findall(stack)[-_FRAMES:]
        places = [f"{os.path.basename(path)}:{function}" for path, function in frames]
        parts = [record.get("logger"), record.get("exception_type"), *places]
    else:
        parts = [record.get("logger"), _CHANGING.sub("#", str(record.get("event")))]
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:16]


@dataclass
class Group:
    """Equal errors since their last mail: how many, and the first of them."""

    record: Record
    due: float
    count: int = 0
    since: float = field(default_factory=time.time)


class Ledger:
    """When each group was mailed last, and how many its equals were since, for all workers of the service.

    Args:
        folder: that the workers share; None for a single one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, dict[str, float]] = {}

    def claim(self, group: str, count: int, interval: float, most_per_hour: int) -> int | None:
        """Count these errors; how many are to be told in a mail now, or None if the group is to stay silent."""
        with self._open() as known:
            now = time.time()
            entry = known.setdefault(group, {"sent": 0.0, "count": 0})
            entry["count"] += count
            sent = [each["sent"] for each in known.values() if now - each["sent"] < 3600]
            if now - entry["sent"] < interval or len(sent) >= most_per_hour:
                return None
            told = int(entry["count"])
            entry["sent"], entry["count"] = now, 0
            self._forget(known, now)
            return told

    def give_back(self, group: str, count: int) -> None:
        """The mail could not be sent: nothing was told."""
        with self._open() as known:
            entry = known.setdefault(group, {"sent": 0.0, "count": 0})
            entry["sent"], entry["count"] = 0.0, entry["count"] + count

    def _forget(self, known: dict[str, dict[str, float]], now: float) -> None:
        while len(known) > _MOST_GROUPS:
            del known[min(known, key=lambda each: known[each]["sent"])]
        for group in [each for each, entry in known.items() if now - entry["sent"] > 86_400 and not entry["count"]]:
            del known[group]

    @contextmanager
    def _open(self) -> Generator[dict[str, dict[str, float]]]:
        """The groups, read and written under the workers' lock; without the folder, this worker's own."""
        file = None
        if self._folder is not None:
            with suppress(OSError, ValueError):
                file = (self._folder / "mail.json").open("a+", encoding="utf-8")
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                known = json.loads(file.read() or "{}")
                self._known = known if isinstance(known, dict) else {}
        try:
            yield self._known
        finally:
            if file is not None:
                with suppress(OSError):
                    file.seek(0)
                    file.truncate()
                    json.dump(self._known, file)
                with suppress(OSError):
                    file.close()


class Mail:
    """People's mailboxes, as the destination of a queue of error records.

    Args:
        settings: `log.email`.
        about: whose errors these are.
        ledger: shared by the workers.
        connect: makes the connection; for tests.
    """

    def __init__(
        self, settings: EmailSettings, about: About, ledger: Ledger, connect: "Callable[[], smtplib.SMTP] | None" = None
    ) -> None:
        self._settings = settings
        self._about = about
        self._ledger = ledger
        self._connect = connect or self._connected
        self.groups: dict[str, Group] = {}

    def deliver(self, items: Sequence[tuple[Record, Any]]) -> int:
        """Add errors to their groups; the queue calls `tick` for what is due."""
        now = time.monotonic()
        for record, _ in items:
            key = fingerprint(record)
            if key not in self.groups:
                if len(self.groups) >= _MOST_GROUPS:
                    continue
                self.groups[key] = Group(record, now + self._settings.gather_seconds)
            self.groups[key].count += 1
        return len(items)

    def tick(self, *, closing: bool) -> float | None:
        """Mail what is due, or all that waits if the service is closing; the seconds until something is due.

        Raises:
            OSError: the server can't be reached, or refuses.
        """
        now = time.monotonic()
        for key, group in list(self.groups.items()):
            if not closing and group.due > now:
                continue
            interval = self._settings.interval_seconds
            told = self._ledger.claim(key, group.count, interval, self._settings.most_per_hour)
            group.count = 0  # it is in the ledger now
            if told is not None:
                try:
                    self._send(self._message(group, told))
                except (OSError, smtplib.SMTPException):
                    self._ledger.give_back(key, told)
                    raise
            del self.groups[key]
        return min((group.due - now for group in self.groups.values()), default=None)

    def close(self) -> None:
        """There is no connection between mails."""

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context()
        port = settings.port or {"tls": 465, "starttls": 587, "none": 25}[settings.security]
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, port, timeout=_SMTP_SECONDS, context=context)
        else:
            server = smtplib.SMTP(settings.host, port, timeout=_SMTP_SECONDS)
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.username is not None and settings.password is not None:
            server.login(settings.username, settings.password.get_secret_value())
        return server

    def _send(self, message: EmailMessage) -> None:
        with self._connect() as server:
            server.send_message(message)

    def _message(self, group: Group, count: int) -> EmailMessage:
        record, about = group.record, self._about
        what = str(record.get("exception_type") or record.get("event"))
        message = EmailMessage()
        times = f" ({count} times)" if count > 1 else ""
        message["Subject"] = _line(f"[{about.name}] {what}{times}: {record.get('event')}", 200)
        message["From"] = self._settings.sender or f"{about.name}@localhost"
        message["To"] = ", ".join(self._settings.to)
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=f"{about.name}.invalid")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notices back
        message["X-Fingerprint"] = fingerprint(record)
        message.set_content(self._body(record, group, count))
        return message

    def _body(self, record: Record, group: Group, count: int) -> str:
        about = self._about
        rows = {
            "service": about.name,
            "version": about.version,
            "commit": about.commit,
            "times": count,
            "first": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(group.since)),
            "level": record.get("level"),
            "logger": record.get("logger"),
            "request_id": record.get("request_id"),
            "trace_id": record.get("trace_id"),
            "runbook": self._settings.runbook_url,
        }
        head = "\n".join(f"{name:<11} {value}" for name, value in rows.items() if value is not None)
        known = {*rows, "timestamp", "event", "span_id", "exception_type", "exception_message", "exception_stacktrace"}
        fields = "\n".join(f"{name}: {value}" for name, value in record.items() if name not in known)
        parts = [str(record.get("event")), head, fields, str(record.get("exception_stacktrace") or "")]
        return "\n\n".join(part for part in parts if part)[:_LONGEST_TEXT]


def _line(text: str, longest: int) -> str:
    """One header line: neither breaks nor control characters, which could end the header."""
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"

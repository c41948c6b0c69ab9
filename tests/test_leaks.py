"""Planted secrets and personal data leave the service by no way out, wherever a caller or a developer has put them."""

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from aiosmtpd.controller import Controller

from tests.conftest import installed
from tests.otlp import Collector, collecting
from tests.services import NO_TLS, ROOT, TOKEN, Running, free_port, run, serving, until
from tests.test_outlets import Mailbox, mail
from tests.test_reporting import Receiver, dsn

pytestmark = pytest.mark.slow

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----"
# What is sent, and which part of it must be nowhere.
TEXTS = {
    "e-mail": ("please write to ola.nordmann@posten.example", "ola.nordmann@posten"),
    "bearer": ("Authorization: Bearer mF_9.B5f-4.1JqM-and-more", "mF_9.B5f-4.1JqM"),
    "basic": ("Authorization: Basic b2xhOmh1bnRlcjItaHVudGVyMg==", "b2xhOmh1bnRlcjIt"),
    "jwt": (f"got {JWT} from them", "dozjgNryP4J3jVmNHl0w5N"),
    "private key": (KEY, "MIIEvQIBADANBgkqhkiG9w0"),
    "card": ("paid with 4111 1111 1111 1111 today", "1111 1111"),
    "card without spaces": ("paid with 5555555555554444 today", "5555555555554444"),
    "national id": ("born as 01010112377 here", "01010112377"),
    "iban": ("to NO9386011117947 please", "9386011117947"),
    "connection string": ("postgresql://ola:corrEct-horse@db.internal/shop", "corrEct-horse"),
    "url": ("https://shop.example/reset?token=t0ken-of-reset-91&lang=no", "t0ken-of-reset-91"),
    "json": ('{"password": "battery-staple-77", "page": 1}', "battery-staple-77"),
    "form": ("user=ola&password=battery-staple-78&page=1", "battery-staple-78"),
    "cloud key": ("with AKIAIOSFODNN7EXAMPLE today", "AKIAIOSFODNN7EXAMPLE"),
    "assignment": ("password: battery-staple-79", "battery-staple-79"),
}
WHERE = ["log", "exception", "detail", "details", "validation", "task", "thread", "outgoing"]


@dataclass
class Exits:
    """Everything that leaves one service."""

    service: Running
    syslog: "Syslog"
    mailbox: Mailbox
    receiver: Receiver
    collector: Collector
    answers: list[str] = field(default_factory=list)

    def post(self, path: str, content: str, **headers: str) -> httpx2.Response:
        options: dict[str, Any] = {"headers": headers, "timeout": 10, "verify": NO_TLS}
        answer = httpx2.post(self.service.url + path, content=content.encode(), **options)
        self.answers.append(f"{answer.headers} {answer.text}")
        return answer

    def all(self) -> dict[str, str]:
        """The text that has left by each exit, as a reader sees it and as it was written."""
        mails = [message.get_content() for message in self.mailbox.messages if isinstance(message, EmailMessage)]
        lines = b"".join(self.service.lines).decode()
        texts = {
            "standard output": lines,
            "standard error": b"".join(self.service.errors).decode(),
            "syslog": self.syslog.received.decode(errors="replace"),
            "mail": "\n".join([*mails, *(str(message["Subject"]) for message in self.mailbox.messages)]),
            "reports": json.dumps(self.receiver.events, ensure_ascii=False),
            "spans": "\n".join(map(repr, self.collector.spans)),
            "answers": "\n".join(self.answers),
        }
        return {name: text + text.replace("\\n", "\n").replace('\\"', '"') for name, text in texts.items()}


class Syslog(threading.Thread):
    """Reads what comes over TCP."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.received = b""
        self.start()

    @property
    def port(self) -> int:
        return int(self.server.getsockname()[1])

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            with peer:
                while piece := peer.recv(65536):
                    self.received += piece


@pytest.fixture(scope="module")
def careless(shared: Path, source: Path) -> Path:
    """A service whose owner has put data everywhere, with the package for reports."""
    project = installed(shared / "leaks", source, owner=Path(__file__).parent / "owners" / "leaks")
    command = [f"{ROOT}/.venv/bin/uv", "pip", "install", "--quiet", "--python", f"{project}/.venv/bin/python"]
    packages = ["sentry-sdk>=2.75,<3", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"]
    subprocess.run([*command, *packages], check=True)
    return project


SECRETS = {"APP_PARTNER__PASSWORD": "partner-secret-55", "APP_DATABASE": "postgresql://ola:db-secret-66@db/shop"}


@pytest.fixture(scope="module")
def exits(careless: Path) -> Iterator[Exits]:
    """The careless service, after everything was planted everywhere, and stopped."""
    with collecting() as collector:
        yield planted_everywhere(careless, collector)


def planted_everywhere(careless: Path, collector: Collector) -> Exits:
    """Plant everything everywhere, and gather what leaves."""
    box, receiver, syslog, port = Mailbox(), Receiver(free_port()), Syslog(), free_port()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    outlets = {
        **mail(port, GATHER_SECONDS="0", INTERVAL_SECONDS="1", MOST_PER_HOUR="10000"),
        **dsn(receiver.server_port),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "APP_LOG__SYSLOG": f"tcp://127.0.0.1:{syslog.port}",
        "APP_LOG__LEVEL": "DEBUG",
        "APP_LOG__CLOSE_SECONDS": "20",
    }
    with serving(careless, env={**SECRETS, **outlets}) as service:
        made = Exits(service, syslog, box, receiver, collector)
        for text, _ in TEXTS.values():
            plain = re.sub(r"[^\x20-\x7e]", " ", text)
            for where in WHERE:
                made.post(
                    f"/v1/text?where={where}&q={quote(text)}",
                    text,
                    **{"X-Note": plain, "Cookie": f"session={quote(text)}"},
                )
            made.post(f"/v1/{quote(text, safe='')}", text)
            until(lambda: "careless" in service.status()["checks"], "the check")
            made.answers.append(json.dumps(service.status()))
            made.answers.append(service.get("/metrics").text)
        customer = {"alias": "Kalle-of-the-shop", "favourite": "purple-suede-shoes", "pin": "pin-4711-pin"}
        for body in (
            customer,
            {**customer, "shoe_size": "purple-suede-shoes"},
            {**customer, "Kalle-of-the-shop": 1},
            [customer],
        ):
            made.post("/v1/customers", json.dumps(body), **{"Content-Type": "application/json"})
        made.post("/v1/customers?fail=true", json.dumps(customer), **{"Content-Type": "application/json"})
        until(lambda: receiver.events and box.messages, "mails and reports", 20)
        assert service.stop() == 0
    server.stop()
    receiver.shutdown()
    receiver.server_close()
    syslog.server.close()
    return made


def test_every_exit_was_used_so_that_silence_proves_something(exits: Exits) -> None:
    texts = exits.all()

    assert len(exits.service.lines) > 300
    assert texts["syslog"].count("unhandled exception") > 50
    assert len(exits.mailbox.messages) >= 5
    assert len(exits.receiver.events) > 50
    assert len(exits.collector.spans) > 100
    assert sum('"status": 409' in answer or '"status":409' in answer for answer in exits.answers) == 2 * len(TEXTS)
    for name in ("standard output", "syslog", "mail", "reports", "answers"):
        assert "[redacted:" in texts[name], name


@pytest.mark.parametrize("kind", TEXTS)
def test_a_planted_text_leaves_by_no_exit(exits: Exits, kind: str) -> None:
    secret = TEXTS[kind][1]
    variants = {secret, quote(secret), secret.replace(" ", "")}

    assert {name for name, text in exits.all().items() if any(variant in text for variant in variants)} == set()


@pytest.mark.parametrize("secret", ["Kalle-of-the-shop", "purple-suede-shoes", "pin-4711-pin"])
def test_what_a_model_declares_leaves_by_no_exit(exits: Exits, secret: str) -> None:
    assert {name for name, text in exits.all().items() if secret in text} == set()


@pytest.mark.parametrize("secret", ["partner-secret-55", "db-secret-66", TOKEN])
def test_a_secret_of_the_settings_leaves_by_no_exit(exits: Exits, secret: str) -> None:
    assert {name for name, text in exits.all().items() if secret in text} == set()


def test_what_is_no_secret_is_still_told(exits: Exits) -> None:
    texts = exits.all()

    for told in ("the caller said", "while handling", "they said", "no shoes for", "shoe_size"):
        assert told in texts["standard output"], told
    assert "can't take" in texts["answers"]
    assert "RuntimeError" in texts["mail"]


def test_the_inventory_names_what_is_declared_and_where_it_is_used(careless: Path) -> None:
    rows = json.loads(run(careless, "personal-data", "--format", "json").stdout)
    by_field = {(row["model"], row["field"]): row for row in rows}

    assert by_field["Customer", "favourite"]["purpose"] == "to recommend"
    assert by_field["Customer", "favourite"]["retention"] == "P1Y"
    assert "/v1/customers" in json.dumps(by_field["Customer", "favourite"])
    assert ("Settings", "partner.password") in by_field

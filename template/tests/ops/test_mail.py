"""Many equal errors are one mail with their number; nothing about mail reaches the request that failed."""

import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

import pytest

from . import ops

Mail, Ledger, fingerprint = ops.mail.Mail, ops.mail.Ledger, ops.mail.fingerprint
Settings = ops.settings.EmailSettings
ABOUT = ops.about.About("orders", "1.2.3", "v1", 0.3, commit="abc")
STACK = (
    'Traceback (most recent call last):\n  File "/app/routes.py", line {line}, in pay\n    charge(17)\n'
    '  File "/app/bank.py", line 9, in charge\n    raise ValueError("no funds {line}")\nValueError: no funds {line}\n'
)


def error(line: int = 1, **fields: Any) -> dict[str, Any]:
    stack = STACK.replace("{line}", str(line))
    about = {"exception_type": "ValueError", "exception_message": f"no funds {line}", "exception_stacktrace": stack}
    return {"level": "error", "event": "request failed", "logger": "edge", "request_id": "r-1", **about, **fields}


class Server:
    """Stands for a connection to a mail server; keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.down = False

    def __call__(self) -> Any:
        if self.down:
            raise ConnectionRefusedError
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send_message(self, message: EmailMessage) -> None:
        self.sent.append(message)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves both clocks on."""
    now = [1_000_000.0]
    monkeypatch.setattr(ops.mail.time, "time", lambda: now[0])
    monkeypatch.setattr(ops.mail.time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def mail(server: Server, folder: Path | None = None, **settings: Any) -> Any:
    return Mail(Settings(to=["team@example.org"], **settings), ABOUT, Ledger(folder), server)


def test_a_thousand_equal_errors_are_one_mail_that_says_so(server: Server, clock: Callable[[float], None]) -> None:
    made = mail(server)

    made.deliver([(record, None) for record in [error(line) for line in range(1000)]])
    assert made.tick(closing=False) == 10
    clock(10)
    assert made.tick(closing=False) is None

    (message,) = server.sent
    assert message["Subject"] == "[orders] ValueError (1000 times): request failed"
    assert "times       1000" in message.get_content()


def test_a_group_is_silent_for_its_interval_and_then_tells_what_came_meanwhile(
    server: Server, clock: Callable[[float], None]
) -> None:
    made = mail(server, interval_seconds=100)
    for wait, count in [(10, 1), (10, 5), (10, 6), (100, 1)]:
        made.deliver([(record, None) for record in [error()] * count])
        clock(wait)
        made.tick(closing=False)

    assert [message["Subject"] for message in server.sent] == [
        "[orders] ValueError: request failed",
        "[orders] ValueError (12 times): request failed",
    ]


def test_different_errors_are_different_mails_up_to_the_limit_an_hour(
    server: Server, clock: Callable[[float], None]
) -> None:
    made = mail(server, most_per_hour=3)

    made.deliver([(record, None) for record in [error(logger=f"logger{number}") for number in range(10)]])
    clock(10)
    made.tick(closing=False)

    assert len(server.sent) == 3


def test_workers_share_what_has_been_mailed(server: Server, clock: Callable[[float], None], tmp_path: Path) -> None:
    workers = [mail(server, tmp_path, interval_seconds=100) for _ in range(3)]
    for worker in workers:
        worker.deliver([(record, None) for record in [error()] * 4])
    clock(10)
    for worker in workers:
        worker.tick(closing=False)
    clock(100)
    workers[1].deliver([(record, None) for record in [error()]])
    clock(10)
    workers[1].tick(closing=False)

    assert [message["Subject"].split(":")[0] for message in server.sent] == [
        "[orders] ValueError (4 times)",
        "[orders] ValueError (9 times)",
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "\0"])
def test_a_shared_file_that_is_broken_costs_no_mail(
    server: Server, clock: Callable[[float], None], tmp_path: Path, content: str
) -> None:
    (tmp_path / "mail.json").write_text(content)
    made = mail(server, tmp_path)
    made.deliver([(record, None) for record in [error()]])
    clock(10)
    made.tick(closing=False)

    assert len(server.sent) == 1


def test_a_server_that_is_down_costs_no_error_but_time(server: Server, clock: Callable[[float], None]) -> None:
    made = mail(server)
    server.down = True
    made.deliver([(record, None) for record in [error()] * 7])
    clock(10)
    with pytest.raises(ConnectionRefusedError):
        made.tick(closing=False)

    server.down = False
    made.tick(closing=False)
    assert [message["Subject"] for message in server.sent] == ["[orders] ValueError (7 times): request failed"]


def test_at_the_end_of_the_service_what_waits_is_mailed_at_once(server: Server, clock: Callable[[float], None]) -> None:
    made = mail(server)
    made.deliver([(record, None) for record in [error()]])
    clock(1)
    made.tick(closing=True)

    assert len(server.sent) == 1


def test_groups_are_bounded(server: Server, clock: Callable[[float], None]) -> None:
    made = mail(server, most_per_hour=1)
    made.deliver([(record, None) for record in [error(logger=f"logger{number}") for number in range(5000)]])
    assert len(made.groups) <= 256
    clock(10)
    made.tick(closing=False)

    assert len(server.sent) == 1
    assert len(made._ledger._known) <= 256


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (error(1), error(2), True),
        (error(1), error(1, logger="other"), False),
        (error(1), error(1, exception_type="KeyError"), False),
        ({"logger": "a", "event": "order 17 failed"}, {"logger": "a", "event": "order 18 failed"}, True),
        ({"logger": "a", "event": "order failed"}, {"logger": "a", "event": "refund failed"}, False),
        ({}, {"event": None}, True),
    ],
)
def test_errors_are_equal_if_they_come_from_one_place(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert (fingerprint(one) == fingerprint(other)) is same


def test_a_mail_names_the_request_the_trace_the_version_and_the_runbook(
    server: Server, clock: Callable[[float], None]
) -> None:
    made = mail(server, sender="orders@example.org", runbook_url="https://example.org/runbook")
    made.deliver([(record, None) for record in [error(trace_id="4bf9", customer_kind="shop")]])
    clock(10)
    made.tick(closing=False)

    (message,) = server.sent
    text = message.get_content()
    assert message["From"] == "orders@example.org"
    assert message["To"] == "team@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    for line in ("version     1.2.3", "commit      abc", "request_id  r-1", "trace_id    4bf9", "customer_kind: shop"):
        assert line in text
    assert "runbook     https://example.org/runbook" in text
    assert 'File "/app/bank.py", line 9, in charge' in text


def test_no_text_of_an_error_can_add_a_header(server: Server, clock: Callable[[float], None]) -> None:
    made = mail(server)
    made.deliver([(record, None) for record in [error(event="x\r\nBcc: all@example.org\u2028y", exception_type=None)]])
    clock(10)
    made.tick(closing=False)

    (message,) = server.sent
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]


@pytest.mark.parametrize("settings", [{"to": ["team"]}, {"to": ["a@b\nBcc: c@d"]}, {"username": "x"}, {"port": 0}])
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Settings(**settings)


def test_without_a_recipient_there_is_no_queue_and_no_thread() -> None:
    outlets = ops.outlets.Outlets(ops.OpsSettings(), ABOUT)

    assert outlets.lines == []
    assert outlets.errors == []
    outlets.close()


def test_smtp_is_spoken_with_time_limits(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    asked: dict[str, Any] = {}

    def connect(host: str, port: int, **options: Any) -> Server:
        asked.update(host=host, port=port, **options)
        return server

    monkeypatch.setattr(smtplib, "SMTP", connect)
    Mail(Settings(to=["a@b"], host="mail", security="none"), ABOUT, Ledger())._connected()

    assert asked == {"host": "mail", "port": 25, "timeout": 10.0}

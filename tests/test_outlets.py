"""Log lines reach a real syslog server and a real mail server, and neither of them can hold up a request."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.services import ROOT, TOKEN, Client, Load, Running, free_port, run, serving, until
from tests.test_docs import consoles, shell

pytestmark = pytest.mark.slow

CRASH, ITEM = "/v1/crash", "/v1/items/17"


class Rsyslog:
    """A real rsyslogd that listens on loopback in every way, and writes what it has understood as JSON."""

    def __init__(self, folder: Path) -> None:
        self.tcp, self.udp = free_port(), free_port()
        self.socket = folder / "log.sock"
        self._records = folder / "records"
        configuration = folder / "rsyslog.conf"
        configuration.write_text(
            f"""
            module(load="imudp") module(load="imtcp") module(load="imuxsock" SysSock.Use="off")
            global(workDirectory="{folder}" maxMessageSize="64k")
            template(name="parsed" type="string" string="%jsonmesg%\\n")
            ruleset(name="all") {{ action(type="omfile" file="{self._records}" template="parsed") }}
            input(type="imudp" port="{self.udp}" address="127.0.0.1" ruleset="all")
            input(type="imtcp" port="{self.tcp}" address="127.0.0.1" ruleset="all")
            input(type="imuxsock" Socket="{self.socket}" ruleset="all" UseSpecialParser="off" ParseHostname="on")
            """
        )
        command = ["rsyslogd", "-n", "-f", str(configuration), "-i", str(folder / "pid"), "-C"]
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        self.process = subprocess.Popen(command, env={"PATH": path}, stderr=subprocess.DEVNULL)
        until(self._listens, "rsyslogd")

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.tcp)) == 0 and self.socket.exists()

    def records(self) -> list[dict[str, Any]]:
        """What it has understood."""
        text = self._records.read_text("utf-8") if self._records.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def rsyslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    assert shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin"), "apt install rsyslog"
    server = Rsyslog(tmp_path_factory.mktemp("rsyslog"))
    yield server
    server.stop()


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix"])
def test_a_real_syslog_server_understands_every_line_over_each_transport(
    orders: Path, rsyslog: Rsyslog, transport: str
) -> None:
    address = (
        f"unix://{rsyslog.socket}" if transport == "unix" else f"{transport}://127.0.0.1:{getattr(rsyslog, transport)}"
    )
    mark = f"{transport}-1"
    with serving(orders, env={"APP_LOG__SYSLOG": address}) as service:
        service.get("/v1/vat-rates/NO", headers={"X-Request-ID": mark})
        line = service.wait_for(event="request", request_id=mark)
        service.stop()

    parsed = until(
        lambda: [each for each in rsyslog.records() if mark in each.get("structured-data", "")], "the record"
    )
    record = parsed[0]
    assert (record["syslogfacility"], record["syslogseverity"]) == ("16", "6")  # local0, informational
    assert record["app-name"] == "orders"
    assert record["msgid"] == "access"
    assert record["procid"] == str(service.process.pid)
    assert f'request_id="{mark}"' in record["structured-data"]
    assert f'trace_id="{line["trace_id"]}"' in record["structured-data"]
    assert json.loads(record["msg"]) == line


class Mailbox:
    """A real SMTP server that keeps what it gets; `seconds` makes it slow."""

    def __init__(self) -> None:
        self.messages: list[Message | EmailMessage] = []
        self.seconds = 0.0

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        await asyncio.sleep(self.seconds)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, port
    server.stop()


def mail(port: int, **more: str) -> dict[str, str]:
    settings = {"TO": '["team@example.org"]', "HOST": "127.0.0.1", "PORT": str(port), "SECURITY": "none", **more}
    return {f"APP_LOG__EMAIL__{name}": value for name, value in settings.items()}


def load(port: int, path: str, count: int, connections: int = 4) -> Load:
    made = Load()

    async def send() -> None:
        clients = [Client(port, path, made).send(count // connections) for _ in range(connections)]
        await asyncio.gather(*clients)

    asyncio.run(send())
    return made


@pytest.mark.parametrize("workers", [1, 3])
def test_a_thousand_equal_errors_are_one_mail_with_their_number(
    probes: Path, mailbox: tuple[Mailbox, int], workers: int
) -> None:
    box, port = mailbox
    settings = {**mail(port, GATHER_SECONDS="4"), "APP_WORKERS": str(workers)}
    with serving(probes, env=settings) as service:
        assert load(service.port, CRASH, 1000).answered == {500: 1000}
        until(lambda: box.messages, "the mail", 20)
        service.stop()

    subjects = [message["Subject"] for message in box.messages]
    counts = [int(found[1]) if (found := re.search(r"\((\d+) times\)", subject)) else 1 for subject in subjects]
    assert len(subjects) == 1 or workers > 1, subjects
    assert sum(counts) <= 1000
    if workers == 1:
        assert counts == [1000]
    text = box.messages[0].get_content()  # type: ignore[union-attr]
    assert "request_id" in text
    assert "in crash" in text
    assert "Traceback" in text


def silent() -> socket.socket:
    """A server that takes connections and never reads or says a word."""
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    return server


@contextmanager
def destination(kind: str) -> Iterator[int]:
    """The port of a server that is down, or hangs."""
    if kind == "down":
        with closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            yield taken.getsockname()[1]
        return
    with closing(silent()) as server:
        yield server.getsockname()[1]


def taken(ports: list[int], path: str, count: int) -> list[list[float]]:
    """Seconds of `count` requests to each port, by turns: whatever else the machine does disturbs all of them alike."""

    async def send() -> list[list[float]]:
        connections = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
        took: list[list[float]] = [[] for _ in ports]
        for _ in range(count):
            for (reader, writer), seconds in zip(connections, took, strict=True):
                began = time.perf_counter()
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head.lower())
                await reader.readexactly(int(length[1]) if length else 0)
                seconds.append(time.perf_counter() - began)
        for _, writer in connections:
            writer.close()
        return took

    return asyncio.run(send())


def ratios(plain: Running, burdened: Running) -> tuple[float, float]:
    """The median and the 99th percentile of a burdened service's requests, over a plain one's: medians of 3 rounds."""
    rounds = []
    for _ in range(3):
        each = [statistics.quantiles(took, n=100) for took in taken([plain.port, burdened.port], ITEM, 500)]
        rounds.append((each[1][49] / each[0][49], each[1][98] / each[0][98]))
    return statistics.median(half for half, _ in rounds), statistics.median(last for _, last in rounds)


@pytest.mark.parametrize("kind", ["down", "hangs"])
def test_servers_that_are_down_or_hang_delay_no_request_and_what_they_miss_is_counted(probes: Path, kind: str) -> None:
    with destination(kind) as syslog, destination(kind) as smtp:
        sinks = {
            "APP_LOG__SYSLOG": f"tcp://127.0.0.1:{syslog}",
            **mail(smtp, GATHER_SECONDS="0"),
            "APP_LOG__CLOSE_SECONDS": "1",
        }
        with serving(probes) as plain, serving(probes, env=sinks) as burdened:
            half, last = ratios(plain, burdened)
            load(burdened.port, ITEM, 12_000)
            load(burdened.port, CRASH, 400)
            memory = Path(f"/proc/{burdened.process.pid}/status").read_text()
            began = time.monotonic()
            dropped = burdened.metric('log_records_dropped_total{sink="syslog"}')
            status = burdened.stop()
            took = time.monotonic() - began

    assert half < 1.2
    assert last < 2
    assert sum(dropped.values()) > 1000
    assert int(re.search(r"VmRSS:\s+(\d+) kB", memory)[1]) < 250_000  # type: ignore[index]
    assert status == 0
    assert took < 12  # drain, and a second for what waits


def test_a_syslog_server_that_comes_back_gets_what_waited(orders: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with serving(orders, env={"APP_LOG__SYSLOG": f"tcp://127.0.0.1:{port}"}) as service:
        service.get("/v1/vat-rates/NO", headers={"X-Request-ID": "while-down"})
        with closing(socket.create_server(("127.0.0.1", port))) as server:
            server.settimeout(30)
            peer, _ = server.accept()
            with closing(peer):
                peer.settimeout(5)
                received = b""
                while b"while-down" not in received:
                    received += peer.recv(65536)
            service.stop()

    assert b"while-down" in received


def test_every_line_of_a_service_is_as_its_schema_says(probes: Path) -> None:
    schema = json.loads((ROOT / "template/ops/log-line.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    with serving(probes, env={"APP_LOG__LEVEL": "DEBUG"}) as service:
        for path in (ITEM, CRASH, "/v1/nothing", "/readyz", "/v1/stream"):
            service.get(path, headers={"X-Request-ID": "a.b-c_1"})
        service.stop()
    lines = [json.loads(line) for line in service.lines]

    assert {line["level"] for line in lines} >= {"info", "error"}
    assert [error.message for line in lines for error in validator.iter_errors(line)] == []
    assert list(validator.iter_errors({**lines[0], "level": "warn"})) != []


def test_the_queries_of_the_logs_page_name_fields_that_the_lines_have(orders: Path) -> None:
    page = (orders / "docs/logs.md").read_text("utf-8")
    known = set(json.loads((ROOT / "template/ops/log-line.schema.json").read_text())["properties"])
    kql = set(re.findall(r"(\w+) (?::|>=) ", page))
    logql = set(re.findall(r"\\\| (\w+)(?:=|>)", page)) - {"json"}

    assert len(kql) >= 5
    assert kql <= known
    assert len(logql) >= 4
    assert logql <= known


def of_each(service: Running) -> Iterator[dict[str, Any]]:
    """The status that each of two workers tells, while the other one is held."""
    for pid in service.workers().values():
        os.kill(pid, signal.SIGSTOP)
        try:
            yield service.status()
        finally:
            os.kill(pid, signal.SIGCONT)


def test_the_commands_of_the_logs_page_change_a_level_in_every_worker_and_back(orders: Path) -> None:
    commands = consoles(orders / "docs/logs.md")
    with serving(orders, env={"APP_WORKERS": "2", "APP_SHUTDOWN__DRAIN_SECONDS": "0"}) as service:

        def said(number: int) -> Any:
            options = " --silent --fail-with-body"
            command = commands[number].replace(":8000", f":{service.port}") + options
            return json.loads(shell(command, orders, TOKEN=TOKEN).stdout)["log_levels"]

        def everywhere(known: bool) -> bool:
            return all(("httpx2" in status.get("log_levels", {})) == known for status in of_each(service))

        until(lambda: len(service.workers()) == 2, "two workers")
        assert said(0)["httpx2"]["level"] == "DEBUG"
        until(lambda: everywhere(True), "both workers")
        assert said(1)["httpx2"]["level"] == "DEBUG"
        assert said(2) == {}
        until(lambda: everywhere(False), "both workers")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that vouches for itself, and a server's context with it."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        *names,
    ]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


def test_syslog_over_tls_reaches_a_server_that_is_who_it_says_and_no_other(
    orders: Path, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    trusted, context = certificate
    received = b""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(10)
        address = {"APP_LOG__SYSLOG": f"tls://127.0.0.1:{server.getsockname()[1]}"}
        with serving(orders, env={**address, "SSL_CERT_FILE": str(trusted)}) as service:
            peer = context.wrap_socket(server.accept()[0], server_side=True)
            peer.settimeout(10)
            service.get("/v1/vat-rates/NO", headers={"X-Request-ID": "over-tls"})
            while b"over-tls" not in received:
                received += peer.recv(65536)
            peer.close()
            service.stop()

        with serving(orders, env={**address, "APP_LOG__CLOSE_SECONDS": "0.5"}) as service:
            stranger = server.accept()[0]
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(stranger, server_side=True)
            stranger.close()
            service.stop()

    assert b"<134>1 " in received


def test_mail_is_sent_encrypted_after_a_login_with_a_password_from_a_secret_file(
    probes: Path, certificate: tuple[Path, ssl.SSLContext], tmp_path: Path
) -> None:
    trusted, context = certificate
    box, port = Mailbox(), free_port()
    logins: list[tuple[bytes, bytes]] = []

    def authenticate(_: Any, __: Any, ___: Any, ____: str, data: LoginPassword) -> AuthResult:
        logins.append((data.login, data.password))
        return AuthResult(success=True)

    server = Controller(
        box, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=authenticate
    )
    server.start()
    (tmp_path / "APP_LOG__EMAIL__PASSWORD").write_text("a-mail-password")
    settings = {
        **mail(port, GATHER_SECONDS="0", SECURITY="starttls", USERNAME="orders"),
        "APP_SECRETS_DIR": str(tmp_path),
        "SSL_CERT_FILE": str(trusted),
    }
    with serving(probes, env=settings) as service:
        service.get(CRASH)
        until(lambda: box.messages, "the mail")
        service.stop()
    server.stop()

    assert logins == [(b"orders", b"a-mail-password")]
    assert not any(b"a-mail-password" in line for line in service.lines)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("APP_LOG__SYSLOG", "logs.example.org"),
        ("APP_LOG__SYSLOG", "tcp://user:hunter2@logs"),
        ("APP_LOG__EMAIL__TO", '["nobody"]'),
        ("APP_LOG__EMAIL__SECURITY", "ssl"),
    ],
)
def test_a_wrong_outlet_is_refused_at_the_start_with_what_would_do(orders: Path, variable: str, value: str) -> None:
    ended = run(orders, "config", "--check", env={variable: value})

    assert ended.status == 78
    assert variable in ended.stderr
    assert "hunter2" not in ended.stderr


def test_a_killed_worker_leaves_no_outlet_without_its_thread(orders: Path, rsyslog: Rsyslog) -> None:
    with serving(orders, env={"APP_LOG__SYSLOG": f"tcp://127.0.0.1:{rsyslog.tcp}", "APP_WORKERS": "2"}) as service:
        first = service.workers()
        os.kill(first["0"], signal.SIGKILL)
        until(lambda: service.workers().get("0", first["0"]) != first["0"], "a new worker")
        for number in range(40):
            service.get("/v1/vat-rates/NO", headers={"X-Request-ID": f"after-{number}"})
        service.stop()

    def seen() -> set[str]:
        return set(re.findall(r"after-\d+", json.dumps([each.get("structured-data") for each in rsyslog.records()])))

    until(lambda: len(seen()) == 40, "all forty records")

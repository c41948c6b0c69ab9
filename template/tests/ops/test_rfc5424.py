"""Records reach a syslog server over every transport as RFC 5424 has them."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from . import ops

Format, Syslog, Target = ops.rfc5424.Format, ops.rfc5424.Syslog, ops.rfc5424.Target
ABOUT = ops.about.About("orders", "1.2.3", "v1", 0.3)
LINE = (
    b'{"timestamp":"2026-11-20T10:00:00.000001Z","level":"error","event":"no stock","logger":"orders.routes",'
    b'"request_id":"r-1","trace_id":"4bf9","span_id":"00f0","version":"1.2.3"}\n'
)


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("udp://logs.example.org", ("udp", "logs.example.org", 514, "")),
        ("tcp://10.0.0.1:1514", ("tcp", "10.0.0.1", 1514, "")),
        ("tls://[::1]", ("tls", "::1", 6514, "")),
        ("unix:///dev/log", ("unix", "", 0, "/dev/log")),
    ],
)
def test_a_target_is_an_address_with_a_scheme(address: str, target: tuple[str, str, int, str]) -> None:
    assert Target.parse(address) == Target(*target)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "logs",
        "logs:514",
        "http://x",
        "udp://",
        "udp://x:99999",
        "unix://dev/log",
        "unix:",
        "tcp://u:p@x",
        "udp://x/y",
    ],
)
def test_another_address_is_refused_with_what_would_do_and_without_a_password(address: str) -> None:
    with pytest.raises(ValueError, match=r"unix:///dev/log") as refusal:
        Target.parse(address)
    assert "u:p" not in str(refusal.value)


def test_a_message_has_the_header_the_structured_data_and_the_line() -> None:
    message = Format(ABOUT, 8192).message(LINE, "error").decode()

    found = re.fullmatch(r"<131>1 (\S+) (\S+) orders (\d+) orders\.routes \[service@32473 ([^]]+)] (\{.*})", message)
    assert found
    assert found[1] == "2026-11-20T10:00:00.000001Z"
    assert found[3] == str(os.getpid())
    assert found[4] == 'request_id="r-1" trace_id="4bf9" span_id="00f0" version="1.2.3"'
    assert found[5].encode() + b"\n" == LINE


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", 135), ("info", 134), ("warning", 132), ("error", 131), ("critical", 130)]
)
def test_the_priority_is_local0_with_the_severity_of_the_level(level: str, priority: int) -> None:
    assert Format(ABOUT, 8192).message(LINE, level).startswith(f"<{priority}>1 ".encode())


def test_what_has_a_meaning_in_structured_data_is_escaped_and_names_stay_one_word() -> None:
    line = b'{"timestamp":"t","logger":"a b\\u00e6","request_id":"x\\"]\\\\y","version":null}'

    message = Format(ABOUT, 8192).message(line, "info").decode()
    assert ' a_b_ [service@32473 request_id="x\\"\\]\\\\y"] {' in message


@pytest.mark.parametrize("line", [b"not JSON\n", b"[1]\n", b"\n", b"{}\n"])
def test_a_line_that_is_no_json_object_is_sent_without_structured_data(line: bytes) -> None:
    assert re.match(rb"<134>1 - \S+ orders \d+ - - ", Format(ABOUT, 8192).message(line, "info"))


def test_a_message_that_is_too_large_loses_its_end_and_stays_text() -> None:
    message = Format(ABOUT, 300).message(LINE.replace(b"no stock", "æ".encode() * 500), "info")

    assert len(message) <= 300
    assert message.decode().endswith("æ…")


@pytest.fixture
def stream() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(5)
        yield server


def test_over_tcp_each_message_is_framed_by_its_length(stream: socket.socket) -> None:
    syslog = Syslog(Target("tcp", "127.0.0.1", stream.getsockname()[1]), ABOUT)

    assert syslog.deliver([(LINE, "error"), (b"{}\n", "info")]) == 2
    syslog.close()

    with closing(stream.accept()[0]) as peer:
        received = b"".join(iter(lambda: peer.recv(65536), b""))
    length, rest = received.split(b" ", 1)
    assert rest[: int(length)].endswith(LINE.rstrip())
    assert re.fullmatch(rb"\d+ <134>1 .*\{\}", rest[int(length) :])


def test_a_server_that_has_closed_the_connection_is_noticed_and_connected_to_again(stream: socket.socket) -> None:
    syslog = Syslog(Target("tcp", "127.0.0.1", stream.getsockname()[1]), ABOUT)
    syslog.deliver([(LINE, "info")])
    stream.accept()[0].close()

    threading.Event().wait(0.1)
    with pytest.raises(OSError, match=r"closed|reset"):
        syslog.deliver([(LINE, "info")])
    assert syslog.deliver([(b"{}", "info")]) == 1
    with closing(stream.accept()[0]) as peer:
        assert b"<134>1" in peer.recv(1000)
    syslog.close()


def test_over_udp_each_message_is_a_datagram_that_fits_in_a_packet() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        syslog = Syslog(Target("udp", "127.0.0.1", server.getsockname()[1]), ABOUT)

        assert syslog.deliver([(LINE, "error"), (LINE.replace(b"no stock", b"x" * 5000), "info")]) == 2
        first, second = server.recv(65536), server.recv(65536)
        syslog.close()

    assert first.endswith(LINE.rstrip())
    assert len(second) == 1400


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_unix_socket_of_either_kind_takes_messages(tmp_path: Path, kind: int) -> None:
    with closing(socket.socket(socket.AF_UNIX, kind)) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(5)
        if kind == socket.SOCK_STREAM:
            server.listen()
        syslog = Syslog(Target("unix", path=str(tmp_path / "log")), ABOUT)

        assert syslog.deliver([(LINE, "error")]) == 1
        peer = server.accept()[0] if kind == socket.SOCK_STREAM else server
        with closing(peer):
            received = peer.recv(65536)
        syslog.close()

    assert received.endswith(LINE.rstrip())
    assert bool(re.match(rb"\d+ <131>1 ", received)) == (kind == socket.SOCK_STREAM)


@pytest.mark.parametrize("scheme", ["tcp", "tls", "unix"])
def test_a_server_that_is_not_there_is_an_error_for_the_queue_to_try_again(tmp_path: Path, scheme: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        syslog = Syslog(Target(scheme, "127.0.0.1", taken.getsockname()[1], str(tmp_path / "log")), ABOUT)

        with pytest.raises(OSError, match=r"\S"):
            syslog.deliver([(LINE, "info")])

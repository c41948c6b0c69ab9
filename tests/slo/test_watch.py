"""What `make watch` says where it can't watch: a deployment that nobody has looked at is no good one."""

import argparse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from ops.slo import watch

from tests.pipeline.answering import answering
from tests.slo.specs import SPECS, parsed

SPEC = parsed(SPECS["seed"])


class Answering(BaseHTTPRequestHandler):
    """Answers with the next of some texts, for ever the last one."""

    texts: ClassVar[list[tuple[int, str]]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, text = self.texts[0] if len(self.texts) == 1 else self.texts.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


KNOWN = '{"data": {"result": [{"metric": {}}]}}'
NONE = '{"data": {"result": []}}'
FIRES = '{"data": {"result": [{"metric": {"alertname": "A", "long_window": "1h", "short_window": "5m"}}]}}'


def watched(*texts: tuple[int, str], minutes: float = 1.0, since: float | None = None) -> list[str]:
    """Watch a server that answers so, without waiting."""
    handler = type("Texts", (Answering,), {"texts": list(texts)})
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        given = argparse.Namespace(prometheus=url, minutes=minutes, since=since)
        found: list[str] = watch.run(SPEC, given, sleep=lambda _: None)
        return found


def test_it_ends_at_once_when_the_fastest_burn_fires_also_after_a_time_of_silence() -> None:
    assert watched((200, KNOWN), (200, NONE), (200, NONE), (200, FIRES)) == ["A (1h, 5m)"]


def test_nothing_fired_is_said_only_after_the_whole_time() -> None:
    assert watched((200, KNOWN), (200, NONE), minutes=0.01) == []


def test_a_prometheus_that_fails_for_a_moment_is_asked_again() -> None:
    failing = [(503, "{}")] * 3
    assert watched(*failing, (200, KNOWN), *failing, (200, FIRES)) == ["A (1h, 5m)"]


def test_what_fired_before_the_deployment_is_told_and_another_that_fires_since_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = FIRES.replace('"A"', '"B"')
    both = FIRES.replace("}}]", '}}, {"metric": {"alertname": "B", "long_window": "1h", "short_window": "5m"}}]')

    assert watched((200, KNOWN), (200, FIRES), (200, FIRES), minutes=0.001, since=1.0) == []
    assert "fired before the deployment, and is not held against it: A (1h, 5m)" in capsys.readouterr().out
    assert watched((200, KNOWN), (200, FIRES), (200, both), since=1.0) == ["B (1h, 5m)"]
    assert watched((200, KNOWN), (200, NONE), (200, other), since=1.0) == ["B (1h, 5m)"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([(200, NONE)], "no rule of .* is evaluated there: load monitoring/ into this Prometheus"),
        ([(200, KNOWN), (503, "{}")], "refused with status 503"),
        ([(200, "<html>")], "no Prometheus answers there"),
        ([(404, '{"data": 1}')], "refused with status 404"),
    ],
)
def test_where_nothing_can_be_known_it_says_so(texts: list[tuple[int, str]], said: str) -> None:
    with pytest.raises(watch.WatchError, match=said):
        watched(*texts)


@pytest.mark.parametrize(
    ("url", "minutes", "said"),
    [
        ("prometheus:9090", 1.0, "'prometheus:9090' is no address"),
        ("http://me:secret@prometheus", 1.0, "what is given is no address"),
        ("http://127.0.0.1:9", 0.0, "--minutes 0: write more than 0, up to 60"),
        ("http://127.0.0.1:9", 61.0, "--minutes 61: write more than 0, up to 60"),
        ("http://127.0.0.1:9", 1.0, "no Prometheus answers there"),
    ],
)
def test_bad_input_is_one_line(url: str, minutes: float, said: str) -> None:
    with pytest.raises(watch.WatchError, match=said) as refused:
        watch.run(SPEC, argparse.Namespace(prometheus=url, minutes=minutes, since=None), sleep=lambda _: None)

    assert "secret" not in str(refused.value)

"""What the SLO report refuses: one clear line each, exit status 2, and nothing written."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from ops.slo import prometheus, report

from tests.services import free_port
from tests.slo.history import COUNT, DAY, END, Past, recalled
from tests.slo.specs import availability, document, parsed

pytestmark = pytest.mark.slow

UNTIL = "--end=2024-06-03T00:00:00Z"


class Odd(BaseHTTPRequestHandler):
    """Answers as Prometheus never does; the first part of the path says how."""

    tokens: ClassVar[list[str | None]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.tokens.append(self.headers["Authorization"])
        getattr(self, f"_{self.path.split('/')[1]}")()

    def _html(self) -> None:
        self._answer(200, "<!doctype html><title>Grafana</title>", "text/html; charset=utf-8")

    def _denied(self) -> None:
        self._answer(401, "Unauthorized", "text/plain")

    def _moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://login.example/in?from=here")
        self.end_headers()

    def _refused(self) -> None:
        answer = {"status": "error", "errorType": "execution", "error": "query processing would load too many\nsamples"}
        self._answer(422, json.dumps(answer), "application/json")

    def _foreign(self) -> None:
        self._answer(200, '{"status": "success", "data": []}', "application/json")

    def _huge(self) -> None:
        self._answer(200, " " * 5000, "application/json")

    def _slow(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass  # it was left

    def _answer(self, status: int, text: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr but what is tested."""


@contextmanager
def odd() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line that is told; an older report is still there, and nothing else."""
    (folder / "old.html").write_text("old", "utf-8")

    status = report.main(
        parsed(document(availability())), [f"--html={folder / 'old.html'}", f"--markdown={folder / 'new.md'}", *options]
    )
    told = capsys.readouterr()

    assert status == 2
    assert told.out == ""
    assert re.fullmatch(r"slo-report: [^\n]+\n", told.err)
    assert [file.name for file in folder.iterdir()] == ["old.html"]
    assert (folder / "old.html").read_text("utf-8") == "old"
    return told.err


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("html", r"no Prometheus' API is there \(status 200, text/html\): give the address before /api/v1"),
        ("denied", r"access denied \(status 401\): give a token: --token-file or PROMETHEUS_TOKEN"),
        ("moved", r"sends us to http://login\.example/in: give the address that answers by itself"),
        ("refused", r"refuses a query \(status 422\): query processing would load too many samples"),
        ("foreign", r"answers JSON, but not as Prometheus does"),
        ("huge", r"an answer has more than 0 MB: it is left"),
        ("slow", r"an answer takes more than 1 seconds: it is left"),
    ],
)
def test_an_address_that_is_no_prometheus_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.setattr(prometheus, "_LARGEST", 4000)
    monkeypatch.setattr(prometheus, "_SECONDS", 0.6)
    with odd() as url:
        told = refused(tmp_path, capsys, f"--prometheus={url}/{place}")

    assert re.search(message, told)


def test_nobody_at_the_address_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(tmp_path, capsys, f"--prometheus=http://127.0.0.1:{free_port()}")

    assert "can't be reached: [Errno 111] Connection refused; give the address of a Prometheus that runs" in told


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "--prometheus '': no address: write http://HOST:PORT"),
        ("prometheus:9090", "--prometheus 'prometheus:9090': no address"),
        ("http://x:secret@prometheus", "it names a user"),
        ("http://prometheus/?a=b", "no address"),
    ],
)
def test_what_is_no_address_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str, message: str
) -> None:
    told = refused(tmp_path, capsys, f"--prometheus={address}")

    assert message in told
    assert "secret" not in told


def test_the_token_goes_to_the_address_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a file, with a line's end; a refusal says that there was one."""
    token = tmp_path / "token"
    token.write_text("s3cret-t0ken\n", "utf-8")
    (tmp_path / "out").mkdir()
    with odd() as url:
        Odd.tokens.clear()
        told = refused(tmp_path / "out", capsys, f"--prometheus={url}/denied", f"--token-file={token}")

    assert Odd.tokens == ["Bearer s3cret-t0ken"]
    assert "access denied (status 401): it refuses this token" in told
    assert "s3cret" not in told


@pytest.mark.parametrize("text", [None, "", "two\nlines", "a b", "sch\u00f6n"])
def test_a_broken_token_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None) -> None:
    """Without a word of what is in it."""
    (tmp_path / "out").mkdir()
    if text is not None:
        (tmp_path / "token").write_text(text, "utf-8")
    told = refused(tmp_path / "out", capsys, "--prometheus=http://127.0.0.1:1", f"--token-file={tmp_path / 'token'}")

    assert f"--token-file {tmp_path / 'token'}: " in told
    assert ("can't be read: No such file" if text is None else "no token: one line") in told
    assert not text or text not in told


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--end=yesterday", "--end 'yesterday': no time: write it with its zone, such as 2026-11-21T00:00:00Z"),
        ("--end=2024-06-03T00:00:00", "no time: write it with its zone"),
        ("--end=9999-01-01T00:00:00Z", "it lies in the future"),
        ("--window=28", "--window '28': write whole days from 1d to 92d"),
        ("--window=93d", "write whole days from 1d to 92d"),
        ("--json=/dev/null/x.json", "--json /dev/null/x.json: can't be written: Not a directory"),
        ("--json=/nowhere/x.json", "--json /nowhere/x.json: can't be written: No such file or directory"),
        ("--json=/tmp", "--json /tmp: can't be written: it is a folder"),
    ],
)
def test_a_bad_option_is_told_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, message: str
) -> None:
    assert message in refused(tmp_path, capsys, "--prometheus=http://127.0.0.1:1", option)


def test_a_window_without_data_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    past = Past()
    past.record("availability", END - DAY, END, 1, 0)
    (tmp_path / "out").mkdir()
    with recalled(past, tmp_path / "prometheus") as url:
        told = refused(tmp_path / "out", capsys, f"--prometheus={url}", "--end=2023-01-01T00:00:00Z")

    assert 'no data of the objectives of orders (job="orders") in the 28 days to 2023-01-01 00:00 UTC' in told


def test_rules_that_are_not_loaded_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without them no alert could have fired."""
    past = Past()
    for minute in range(60):
        past.add(COUNT, END - 3600 + minute * 60, minute, job="orders", http_response_status_code="200")
    (tmp_path / "out").mkdir()
    with recalled(past, tmp_path / "prometheus") as url:
        told = refused(tmp_path / "out", capsys, f"--prometheus={url}", UNTIL)

    assert 'no records slo:sli_total:rate5m{sloth_service="orders"} in the 28 days' in told
    assert "load the rules that `make slo` writes" in told


def test_a_window_without_traffic_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    past = Past()
    past.record("availability", END - DAY, END, 0, 0)
    (tmp_path / "out").mkdir()
    with recalled(past, tmp_path / "prometheus") as url:
        told = refused(tmp_path / "out", capsys, f"--prometheus={url}", UNTIL)

    assert "no traffic: orders was measured, but had not one event in the 28 days" in told

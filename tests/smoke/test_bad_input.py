"""Whoever runs the smoke tests wrongly gets one line that says what to write, and exit status 2."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from template.ops.smoke.__main__ import main

from tests.services import free_port
from tests.smoke.smoking import smoke_without_service

SOMEWHERE = "http://127.0.0.1:1"
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run it with these arguments in an empty folder; returns the one line of its refusal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMOKE_STATUS_TOKEN", raising=False)

    def run(*arguments: str) -> str:
        status, told = main(arguments), capsys.readouterr()
        (line,) = told.err.splitlines()
        assert (status, told.out, line[:7]) == (2, "", "smoke: ")
        return line[7:]

    return run


def test_a_refusal_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    done = smoke_without_service(tmp_path, "orders.example.org")

    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        "smoke: URL 'orders.example.org': it needs a scheme; write http://HOST:PORT or https://HOST\n"
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("orders.example.org", "it needs a scheme; write http://HOST:PORT"),
        ("", "it needs a scheme"),
        ("ftp://orders.example.org", "it needs a scheme"),
        ("http://", "there is no host in it"),
        ("http://orders example", "odd characters"),
        ("http://[::1", "Invalid IPv6 URL"),
        ("http://orders:seventy", "write http://HOST:PORT"),
        ("http://orders:0", "from 1 to 65535"),
        ("http://orders:65536", "Port out of range"),
        ("http://orders/?a=1", "a base address has no ?"),
        ("http://örders", "odd characters"),
    ],
)
def test_what_is_no_base_address_is_refused_with_the_form_of_one(refused: Refused, url: str, told: str) -> None:
    line = refused(url)

    assert line.startswith(f"URL {url!r}: ")
    assert told in line


def test_a_password_in_the_address_is_refused_and_not_shown(refused: Refused) -> None:
    line = refused("http://me:hunter2@127.0.0.1")

    assert "leave out what is before the @" in line
    assert "hunter2" not in line


def test_nobody_at_the_address_is_bad_input_that_names_it(refused: Refused) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert refused(url).startswith(f"{url}: no connection: Connection refused")


def test_a_name_that_nobody_has_is_told(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)  # none is asked for: that would leave this machine

    line = refused("http://orders.example.org")
    assert line.startswith("http://orders.example.org: the name orders.example.org is not known")
    assert line.endswith("is the address right, and the service started?")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--colour"], "unrecognized arguments: --colour"),
        (["--timeout", "soon"], "'soon' is no number of seconds"),
        (["--timeout", "0"], "more than 0 seconds"),
        (["--wait", "nan"], "'nan' is no number of seconds"),
        (["--request", "vat-rates/NO"], "'vat-rates/NO' is no request; write a method and a path, as GET /v1/things"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: can't be read: No such file or directory"),
        (["--ca", "nowhere.pem"], "--ca nowhere.pem: No such file or directory"),
        (["--ca", "smoke.yaml"], "--ca smoke.yaml: there is no certificate in it"),
        (["--junit", "smoke.yaml/x.xml"], "smoke.yaml/x.xml: can't be written: File exists"),
        (["--status-token-file", "nowhere"], "--status-token-file nowhere: can't be read: No such file"),
    ],
)
def test_wrong_options_are_refused_with_their_name(
    refused: Refused, tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "smoke.yaml").touch()

    assert told in refused(SOMEWHERE, *arguments)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "must hold one token"),
        (b"hunter2", "must hold one token of 16 or more"),
        (b"hunter2-hunter2-hunter2\nhunter2-hunter2-hunter3", "must hold one token"),
        (b'["hunter2-hunter2-hunter2"]', "must hold one token"),
        (b"sha256:hunter2hunter2", "this is a token's digest"),
        (b"\xffhunter2-hunter2-hunter2", "it is no text"),
    ],
)
def test_a_bad_token_file_is_refused_and_not_shown(refused: Refused, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "token").write_bytes(content)

    line = refused(SOMEWHERE, "--status-token-file", "token")
    assert told in line
    assert line.startswith("--status-token-file token: ")
    assert "hunter" not in line


def test_a_bad_token_in_the_environment_is_refused_and_not_shown(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE_STATUS_TOKEN", "hunter2")

    line = refused(SOMEWHERE)

    assert line.startswith("SMOKE_STATUS_TOKEN: it must hold one token")
    assert "hunter" not in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("requests: [", "this is no YAML: line 1: "),
        ("a: b: c", "this is no YAML: line 1: mapping values are not allowed here"),
        ("- GET /v1", "it must hold keys and values, such as requests:, and holds list"),
        ("request: GET /v1", "'request' is no key here; there are service, requests, "),
        ("requests: GET /v1", "requests: 'GET /v1' is not of the form: a list"),
        ("requests: [GET /v1]", "requests[0]: 'GET /v1' is no request; write - request: GET /v1/things"),
        ("requests: [{name: x}]", "requests[0]: request: '' is no request"),
        ("requests: [{request: get /v1}]", "requests[0]: request: 'get /v1' is no request"),
        ("requests: [{request: GET /a}, {request: GET /b, jsn: {}}]", "requests[1]: 'jsn' is no key here"),
        ("requests: [{request: GET /a, status: ok}]", "requests[0]: status: 'ok' is no number from 100 to 599"),
        ("requests: [{request: GET /a, json: {day: 2026-01-31}}]", "requests[0]: json: Object of type date"),
        ("requests: [{request: GET /a, headers: {X: 1}}]", "requests[0]: headers: X: its value is no line of"),
        ('requests: [{request: GET /a, headers: {X: "a\\nb"}}]', "requests[0]: headers: X: its value is no line of"),
        ("requests: [{request: GET /a, headers: {X: {env: NOT_SET}}}]", "the environment variable NOT_SET is not set"),
        ("requests: [{request: GET /a, headers: {X: {file: f}}}]", "{env: NAME} for a value from the environment"),
        ("unknown_path: v1", "unknown_path: 'v1' is no path; write one that begins with /"),
        ("documentation: public", "documentation: 'public'; write open or closed"),
        ("certificate_days: two", "certificate_days: 'two' is no number from 0 to 3650"),
        ("certificate_days: true", "certificate_days: True is no number"),
        ("skip: {everything: no time}", "skip: 'everything' is no check; there are tls-certificate, "),
        ("skip: {livez: ''}", "skip: livez: say why, in a sentence"),
    ],
)
def test_a_wrong_smoke_yaml_is_refused_with_the_place(refused: Refused, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "smoke.yaml").write_text(text)

    line = refused(SOMEWHERE)
    assert line.startswith("smoke.yaml: ")
    assert told in line


def test_nothing_is_left_of_an_older_report_when_the_tests_can_not_be_run(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text("all is well")

    refused(f"http://127.0.0.1:{free_port()}", "--junit", "junit.xml")
    assert (tmp_path / "junit.xml").read_text() == ""

"""The console script: what it prints, and its exit status."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from . import PACKAGE, ops


class Settings(ops.settings.OpsSettings):  # type: ignore[misc]
    """The settings of a service that these tests describe."""

    api_key: SecretStr = SecretStr("")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("APP_") or name == "PORT"]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(ops.configuration, "SECRETS_DIR", tmp_path / "none")


def app(*arguments: str) -> int:
    return int(ops.cli.main("no.such.module:create_app", f"{__name__}:Settings", list(arguments)))


# --- config


def test_config_shows_each_value_and_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_API_KEY", "hunter2")
    monkeypatch.setenv("APP_STATUS__TOKENS", '["hunter2-hunter2-hunter2"]')

    assert app("config", "--port", "9000") == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert lines["port"] == ["9000", "flag", "--port"]
    assert lines["host"] == ['"0.0.0.0"', "default"]
    assert lines["api_key"] == ['"**********"', "environment", "variable", "APP_API_KEY"]
    assert "hunter2" not in str(lines)


def test_config_check_says_nothing_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert app("config", "--check") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", [["config"], ["config", "--check"], ["serve"], ["health"]])
def test_a_refused_configuration_is_status_78_and_one_message_on_stderr(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_PROT", "1")
    monkeypatch.setenv("APP_STATUS__TOKENS", '["hunter2"]')

    assert app(*command, "--port", "x") == 78
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "configuration refused, 3 problems:\n"
        "  - environment variable APP_PROT: no such setting; did you mean APP_PORT?\n"
        '  - flag --port: port = "x": Input should be a valid integer, unable to parse string as an integer\n'
        "  - environment variable APP_STATUS__TOKENS: status.tokens.0: "
        "a token in plain must have at least 16 characters\n"
    )


def test_one_problem_is_told_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    assert app("config", "--config", "/no/such.yaml") == 78
    assert capsys.readouterr().err.startswith("configuration refused, 1 problem:\n  - flag --config: ")


def test_config_schema_is_a_json_schema_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_PORT", "broken")

    assert app("config", "--schema") == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["port"]["maximum"] == 65535
    assert schema["properties"]["api_key"]["format"] == "password"
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(("form", "begins"), [("markdown", "# Configuration\n"), ("dotenv", "# Made by `make docs`")])
def test_config_prints_the_reference(form: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app("config", "--reference", form) == 0
    text = capsys.readouterr().out
    assert text.startswith(begins)
    assert text == getattr(ops.reference, form)(Settings)


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["config", "--check", "--schema"], ["serve", "--nope"]])
def test_a_wrong_command_line_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        app(*arguments)

    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: app")


# --- version


def test_version_tells_the_service_and_its_template(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_BUILD__COMMIT", "abc123")
    about = ops.about.ABOUT

    assert app("version") == 0
    assert capsys.readouterr().out == (
        f"{about.name} {about.version} (commit abc123, built unknown, template {about.template_version})\n"
    )


def test_version_needs_no_valid_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PORT", "broken")

    assert app("version") == 0


def test_the_quick_commands_do_not_load_the_web_framework() -> None:
    program = f"""
import sys
from {PACKAGE}.ops.cli import main
main("no.such:app", "no.such:Settings", ["version"])
print([name for name in ("fastapi", "pydantic", "prometheus_client", "structlog", "uvicorn") if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=20)

    assert ended.stdout.splitlines()[-1] == b"[]"


# --- health


@pytest.fixture
def server() -> Iterator[Any]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/livez" else 503)
            self.end_headers()

        def log_message(self, *_: object, **__: object) -> None:
            """Nothing."""

    made = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_health_is_status_0_when_the_service_lives(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert app("health", "--port", str(server.server_port)) == 0
    assert capsys.readouterr().out == "/livez: 200\n"


def test_health_is_status_1_when_the_service_is_not_ready_and_that_is_asked(
    server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app("health", "--ready", "--host", "127.0.0.1", "--port", str(server.server_port)) == 1
    assert capsys.readouterr().out == "/readyz: 503\n"


def test_health_is_status_1_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert app("health", "--host", "127.0.0.1", "--port", "1") == 1
    assert capsys.readouterr().err == "/livez: no answer from 127.0.0.1, port 1 ([Errno 111] Connection refused)\n"


def test_health_is_status_1_when_what_answers_speaks_no_http(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_close_at_once, args=(listener,))
        thread.start()
        status = app("health", "--host", "127.0.0.1", "--port", str(listener.getsockname()[1]))
        thread.join()

    assert status == 1
    assert "no answer from 127.0.0.1" in capsys.readouterr().err


def _close_at_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.close()


# --- serve


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken


def test_an_address_that_is_taken_is_status_69(listener: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(listener.getsockname()[1])

    assert app("serve", "--host", "127.0.0.1", "--port", port) == 69
    assert capsys.readouterr().err == (
        f"the service can't listen: 127.0.0.1, port {port} is in use; set APP_HOST, APP_PORT or --port\n"
    )


def test_an_address_that_can_not_be_had_is_status_69(capsys: pytest.CaptureFixture[str]) -> None:
    assert app("serve", "--host", "192.0.2.1") == 69
    assert "192.0.2.1, port 8000 can't be had" in capsys.readouterr().err


def test_a_host_that_is_no_address_is_status_69(capsys: pytest.CaptureFixture[str]) -> None:
    assert app("serve", "--host", "not an address") == 69
    assert "can't listen" in capsys.readouterr().err


def served(folder: Path, create_app: str) -> "subprocess.CompletedProcess[str]":
    """Run `app serve` in a process of its own, to its end."""
    (folder / "made.py").write_text(create_app)
    program = f"""
import sys
from {PACKAGE}.ops.cli import main
sys.exit(main("made:create_app", "{PACKAGE}.ops.settings:OpsSettings", ["serve", "--host", "127.0.0.1"]))
"""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    environ = {**os.environ, "PYTHONPATH": str(folder), "PORT": port}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, check=False, env=environ, timeout=20, text=True)


def test_an_application_that_can_not_be_made_is_status_3_and_its_reason_is_logged(tmp_path: Path) -> None:
    ended = served(tmp_path, "def create_app(settings): raise ValueError('no way')\n")

    assert ended.returncode == 3
    assert ended.stderr == "the service can't start: ValueError in made:create_app, see the log above\n"
    assert json.loads(ended.stdout)["exception_message"] == "no way"


@pytest.mark.parametrize(
    "create_app",
    [
        "try: signalled()\n    except SystemExit: pass",
        "try: signalled()\n    except SystemExit: raise ValueError from None",
        "try: signalled()\n    except SystemExit: raise KeyboardInterrupt from None",
        "Lost()",
    ],
)
def test_a_signal_during_the_start_is_status_0_whatever_becomes_of_its_exception(
    tmp_path: Path, create_app: str
) -> None:
    ended = served(
        tmp_path,
        f"""
import os, signal, time

def signalled():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)

class Lost:
    def __del__(self):
        signalled()

def create_app(settings):
    {create_app}
""",
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT"])
def test_a_worker_that_was_told_to_end_before_it_began_ends_at_once(name: str) -> None:
    """The signal's handler is still the main process's: it has put the signal into this process's copy of a queue."""
    program = f"""
import signal
from queue import SimpleQueue
from types import SimpleNamespace
from {PACKAGE}.ops import workers
signals = SimpleQueue()
for each in (signal.SIGCHLD, signal.{name}):
    signals.put(each)
workers._in_worker(SimpleNamespace(SIG_QUEUE=signals), SimpleNamespace())
print("goes on")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=20, text=True)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")

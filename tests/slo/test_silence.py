"""The id of a silence is handed on to shells: what answers in Alertmanager's place can't choose it."""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ops.slo import silence

from tests.pipeline.answering import answering
from tests.slo.specs import SPECS, parsed

GOOD = "01234567-89ab-cdef-0123-456789abcdef"


def made(identity: object) -> str:
    """What the command prints where the silence gets this id."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps({"silenceID": identity}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Answering)) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        given = argparse.Namespace(alertmanager=url, minutes=5, comment="deployment", end=None)
        printed: str = silence.run(parsed(SPECS["seed"]), given)
        return printed


def test_an_id_is_printed_as_it_is() -> None:
    assert made(GOOD) == GOOD


@pytest.mark.parametrize("identity", ["$(touch pwned)", "`touch pwned`", f"{GOOD}; touch pwned", "", None, 7])
def test_what_is_no_id_is_refused_and_not_printed(identity: object) -> None:
    with pytest.raises(silence.SilenceError, match="gives the silence no id") as refused:
        made(identity)

    assert "pwned" not in str(refused.value)

"""The command line."""

import argparse
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from . import address, plan
from .address import Address
from .masking import Masks
from .outcome import BadInput
from .plan import Plan, Request
from .registry import ids
from .target import Wanted

TOKEN_VARIABLE: Final = "SMOKE_STATUS_TOKEN"  # noqa: S105 - its name
DEFAULT_PLAN: Final = Path("smoke.yaml")
_TOKEN = re.compile(r"[!-~]{16,4096}").fullmatch


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for."""

    address: Address
    wanted: Wanted
    plan: Plan
    wait: float
    junit: Path | None
    json: Path | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; --help tells the options")


def read(arguments: Sequence[str] | None, masks: Masks, environ: Mapping[str, str] = os.environ) -> Options:
    """Read the command line, and the files that it names.

    Raises:
        BadInput: something is wrong.
    """
    given = _parser().parse_args(arguments)
    base = address.parse(given.url)
    token = _token(given.status_token_file, environ)
    if token is not None:
        masks.add(token)
    wanted = Wanted(given.version, given.commit, token, given.published, given.timeout, given.ca)
    return Options(base, wanted, _plan(given, masks, environ), given.wait, given.junit, given.json)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m ops.smoke",
        description="Smoke tests of a running service, by its address alone.",
        epilog="Exit status: 0 all passed, 1 a check failed, 2 it can't be run as asked.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="base address: http://127.0.0.1:8000, https://orders.example.org/prefix")
    add("--version", metavar="V", type=_given, help="the version that was deployed")
    add("--commit", metavar="C", type=_given, help="the commit that it was built from")
    add("--status-token-file", metavar="FILE", type=Path, help=f"holds the status token; or {TOKEN_VARIABLE} does")
    add("--published", action="store_true", help="the address is the gateway's: no operational route may be there")
    add("--request", metavar="'GET /v1/…'", action="append", help="in place of those in smoke.yaml; may be repeated")
    add("--config", metavar="FILE", type=Path, help="in place of smoke.yaml")
    add("--ca", metavar="FILE", type=Path, help="certificates (PEM) to trust in place of the system's")
    add("--junit", metavar="FILE", type=Path, help="write the results as JUnit's XML")
    add("--json", metavar="FILE", type=Path, help="write the results as JSON")
    add("--timeout", metavar="S", type=_some_seconds, default=10.0, help="seconds that one check may take; 10")
    add(
        "--wait",
        metavar="S",
        type=_seconds,
        default=0.0,
        help="wait so many seconds until it is ready, and of the version",
    )
    return parser


def _given(text: str) -> str | None:
    """A text, or None for an empty one: what a pipeline passes when it knows no value."""
    return text or None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to 3600")
    return seconds


def _some_seconds(text: str) -> float:
    if not (seconds := _seconds(text)):
        raise argparse.ArgumentTypeError("it must be more than 0 seconds")
    return seconds


def _plan(given: argparse.Namespace, masks: Masks, environ: Mapping[str, str]) -> Plan:
    file = given.config or (DEFAULT_PLAN if DEFAULT_PLAN.exists() else None)
    found = Plan() if file is None else plan.read(file, ids(), masks, environ)
    if not given.request:
        return found
    lines = [plan.line(text, "--request") for text in given.request]
    requests = tuple(Request(f"{method} {path}", method, path) for method, path in lines)
    return found.asking(requests)


def _token(file: Path | None, environ: Mapping[str, str]) -> str | None:
    where = f"--status-token-file {file}" if file is not None else TOKEN_VARIABLE
    if file is None:
        text = environ.get(TOKEN_VARIABLE, "").strip()
        if not text:
            return None
    else:
        try:
            text = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise BadInput(f"{where}: can't be read: {reason}; name a file that holds one token") from None
    if text.startswith("sha256:"):
        raise BadInput(f"{where}: this is a token's digest, which the service has; give the token itself")
    if text.startswith("[") or not _TOKEN(text):
        raise BadInput(f"{where}: it must hold one token of 16 or more visible characters, and holds something else")
    return text

"""A silence around a deployment, with a hard end. It never mutes the fastest burn, nor that nobody answers."""

import argparse
import getpass
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from .spec import Spec

LONGEST_MINUTES: Final = 60
TOKEN_VARIABLE: Final = "ALERTMANAGER_TOKEN"  # noqa: S105 - the name of a variable
_ID = re.compile(r"[0-9a-fA-F-]{36}")


class SilenceError(Exception):
    """Alertmanager did not do it; the text is one line for the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command `silence`."""
    parser.add_argument("--alertmanager", required=True, metavar="URL", help="address before /api/v2")
    parser.add_argument("--minutes", type=int, default=20, help=f"when it ends by itself, 1 to {LONGEST_MINUTES}")
    parser.add_argument("--comment", default="deployment", help="why; shown in Alertmanager")
    parser.add_argument("--end", metavar="ID", help="end the silence with this id now, instead of making one")


def run(spec: Spec, given: argparse.Namespace) -> str:
    """Make a silence, or end one; gives what to print: the id of the silence.

    Raises:
        SilenceError: it was refused.
    """
    if given.end is not None:
        if not _ID.fullmatch(given.end):
            raise SilenceError(f"--end {given.end!r}: no id of a silence: write what `silence` has printed")
        _ask("DELETE", f"{_base(given.alertmanager)}/api/v2/silence/{given.end}", None)
        return f"{given.end} ended"
    if not 1 <= given.minutes <= LONGEST_MINUTES:
        raise SilenceError(f"--minutes {given.minutes}: write 1 to {LONGEST_MINUTES}: a silence must have an end")
    wanted = silence(spec, datetime.now(UTC), given.minutes, given.comment)
    answer = _ask("POST", f"{_base(given.alertmanager)}/api/v2/silences", wanted)
    identity = answer.get("silenceID")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):  # it is handed on to shells
        raise SilenceError(f"{_base(given.alertmanager)}: no Alertmanager answers there: it gives the silence no id")
    return identity


def silence(spec: Spec, now: datetime, minutes: int, comment: str) -> dict[str, Any]:
    """The silence as Alertmanager's API v2 takes it: alerts of this service that carry muted_by_deployment="true"."""
    matchers = {"service": spec.service, "muted_by_deployment": "true"}
    return {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers.items()
        ],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=minutes)).isoformat(),
        "createdBy": os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or _user(),
        "comment": comment,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user needs no name
        return "pipeline"


def _base(url: str) -> str:
    if "@" in url or not re.fullmatch(r"https?://[\x21-\x7e]+", url):
        shown = "what is given" if "@" in url else repr(url)
        raise SilenceError(f"--alertmanager: {shown} is no address: write http://HOST:PORT, without a user in it")
    return url.rstrip("/").removesuffix("/api/v2")


def _ask(method: str, url: str, body: dict[str, Any] | None) -> dict[str, Any]:
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx2.request(method, url, json=body, headers=headers, timeout=10)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise SilenceError(f"{url}: can't be reached: {error or type(error).__name__}") from None
    if answer.status_code != 200:
        text = " ".join(answer.text.split())[:200]
        raise SilenceError(f"{url}: refused with status {answer.status_code}: {text or 'no reason given'}")
    try:
        document = answer.json() if answer.content else {}
    except ValueError:
        raise SilenceError(f"{url}: no Alertmanager answers there") from None
    return document if isinstance(document, dict) else {}

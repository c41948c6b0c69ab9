"""Whether the fastest burn fires after a deployment: what no silence mutes, and what a deployment is taken back for."""

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any, Final

import httpx2

from .spec import Spec

LONGEST_MINUTES: Final = 60
TOKEN_VARIABLE: Final = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
_EVERY_SECONDS: Final = 15.0
_FAILURES: Final = 4  # in a row


class WatchError(Exception):
    """It can't be watched, and so nothing is known; the text is one line for the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command `watch`."""
    parser.add_argument("--prometheus", required=True, metavar="URL", help="address before /api/v1")
    parser.add_argument("--minutes", type=float, default=5.0, help=f"how long, up to {LONGEST_MINUTES}")
    parser.add_argument(
        "--since", type=float, metavar="UNIX", help="when the deployment began: what fired then is not held against it"
    )


def run(spec: Spec, given: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Watch; ends at once when an alert fires.

    Returns:
        The alerts that fire, as `name (long window, short window)`; none if none did all the time.

    Raises:
        WatchError: Prometheus does not answer, four times in a row, or nothing of this service is known there.
    """
    if not 0 < given.minutes <= LONGEST_MINUTES:
        raise WatchError(f"--minutes {given.minutes:g}: write more than 0, up to {LONGEST_MINUTES}")
    base, end = _base(given.prometheus), time.monotonic() + given.minutes * 60
    if not _patiently(lambda: _ask(base, known(spec)), sleep):
        raise WatchError(f"{base}: no rule of {spec.service} is evaluated there: load monitoring/ into this Prometheus")
    before = set() if given.since is None else _firing(lambda: _ask(base, fastest(spec), given.since), sleep)
    if before:
        print(f"{spec.service}: fired before the deployment, and is not held against it: {', '.join(sorted(before))}")
    while True:
        if new := _firing(lambda: _ask(base, fastest(spec)), sleep) - before:
            return sorted(new)
        if time.monotonic() >= end:
            return []
        sleep(min(_EVERY_SECONDS, max(0.0, end - time.monotonic())))


def _firing(ask: Callable[[], list[dict[str, Any]]], sleep: Callable[[float], None]) -> set[str]:
    return {_told(each["metric"]) for each in _patiently(ask, sleep)}


def _patiently(ask: Callable[[], list[dict[str, Any]]], sleep: Callable[[float], None]) -> list[dict[str, Any]]:
    """What Prometheus answers; a few failures in a row are waited out."""
    for _ in range(_FAILURES - 1):
        try:
            return ask()
        except WatchError:
            sleep(_EVERY_SECONDS)
    return ask()


def fastest(spec: Spec) -> str:
    """The query for the burn alerts of this service that wake somebody and that a deployment does not mute."""
    return (
        f'ALERTS{{service={json.dumps(spec.service)},alertstate="firing",sloth_severity="page",'
        'muted_by_deployment="false",long_window!=""}'
    )


def known(spec: Spec) -> str:
    """A query that finds something wherever the rules of this service are evaluated."""
    return f"slo:objective:ratio{{sloth_service={json.dumps(spec.service)}}}"


def _told(metric: dict[str, str]) -> str:
    return f"{metric.get('alertname')} ({metric.get('long_window')}, {metric.get('short_window')})"


def _base(url: str) -> str:
    if "@" in url or not url.startswith(("http://", "https://")):
        shown = "what is given" if "@" in url else repr(url)
        raise WatchError(f"--prometheus: {shown} is no address: write http://HOST:PORT, without a user in it")
    return url.rstrip("/").removesuffix("/api/v1")


def _ask(base: str, query: str, at: float | None = None) -> list[dict[str, Any]]:
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = {"query": query} | ({} if at is None else {"time": f"{at:.0f}"})
    try:
        answer = httpx2.post(f"{base}/api/v1/query", data=asked, headers=headers, timeout=10)
        document = answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise WatchError(f"{base}: no Prometheus answers there: {error or type(error).__name__}") from None
    data = document.get("data") if isinstance(document, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if answer.status_code != 200 or not isinstance(result, list):
        raise WatchError(f"{base}: refused with status {answer.status_code}")
    return result

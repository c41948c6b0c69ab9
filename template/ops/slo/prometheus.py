"""Queries of Prometheus' HTTP API: read-only, bounded in time and size, one clear message for whatever goes wrong."""

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx2

TOKEN_VARIABLE: Final = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable
_SECONDS: Final = 120.0
_LARGEST: Final = 64_000_000
# Prometheus refuses more than 11 000 points a series.
_MOST_POINTS: Final = 10_000
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")

Labels = tuple[tuple[str, str], ...]
Points = list[tuple[float, float]]


class PrometheusError(Exception):
    """Prometheus can't be asked, or does not answer the question; the text is one line for the user."""


@dataclass(frozen=True)
class Series:
    """One series of an answer: `points` are pairs of Unix time in seconds and value; what is no number is left out."""

    labels: dict[str, str]
    points: Points


def read_token(file: Path | None) -> str:
    """The bearer token from a file, else from the variable PROMETHEUS_TOKEN; empty if there is neither.

    Raises:
        PrometheusError: the file can't be read, or what is there is no token. The message never shows it.
    """
    if file is None:
        place, text = f"the variable {TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE, "").strip()
        if not text:
            return ""
    else:
        place = f"--token-file {file}"
        try:
            with file.open("rb") as stream:
                text = stream.read(10_000).decode("ascii").strip()
        except OSError as error:
            raise PrometheusError(f"{place}: can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            text = ""
    if not _TOKEN.fullmatch(text):
        raise PrometheusError(f"{place}: no token: one line of letters, digits and punctuation is wanted, nothing else")
    return text


class Prometheus:
    """One Prometheus, or what speaks its API.

    Attributes:
        url: its address, as people may see it.
        warnings: what it said about its answers, such as that a part of it did not answer.
    """

    def __init__(self, url: str, token: str = "") -> None:
        """Take the address before `/api/v1`.

        Raises:
            PrometheusError: it is no address.
        """
        self.url = _checked(url)
        self.warnings: list[str] = []
        # No redirect is followed: the token is for this address alone.
        self._client = httpx2.Client(
            headers={"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
            timeout=httpx2.Timeout(_SECONDS, connect=10),
        )
        self._has_token = bool(token)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def range(self, query: str, start: int, end: int, step: int) -> list[Series]:
        """Values at `start`, `start + step` … up to `end` (Unix time and seconds), in as many requests as it takes.

        Raises:
            PrometheusError: no answer, or none that can be used.
        """
        found: dict[Labels, Points] = {}
        for first, last in _chunks(start, end, step):
            asked = {"query": query, "start": str(first), "end": str(last), "step": str(step)}
            for labels, points in self._ask("query_range", asked, "matrix"):
                found.setdefault(labels, []).extend(points)
        return [Series(dict(labels), points) for labels, points in sorted(found.items()) if points]

    def _ask(self, path: str, asked: dict[str, str], kind: str) -> list[tuple[Labels, Points]]:
        answer = self._read(f"{self.url}/api/v1/{path}", {**asked, "timeout": f"{_SECONDS:.0f}s"})
        for warning in answer.get("warnings") or []:
            if (text := _line(str(warning))) not in self.warnings:
                self.warnings.append(text)
        try:
            data = answer["data"]
            if data["resultType"] == kind:
                return [(_labels(each["metric"]), _points(each["values"])) for each in data["result"]]
        except (TypeError, KeyError, ValueError, AttributeError):
            pass
        raise PrometheusError(f"{self.url}: answers JSON, but not as Prometheus does: is the address right?")

    def _read(self, url: str, form: dict[str, str]) -> dict[str, Any]:
        try:
            with self._client.stream("POST", url, data=form) as response:
                return self._answer(response, _bounded(response, self.url))
        except httpx2.TimeoutException:
            raise PrometheusError(f"{self.url}: no answer within {_SECONDS:.0f} seconds") from None
        except httpx2.InvalidURL as error:
            raise PrometheusError(f"{self.url}: no address: {_line(str(error))}") from None
        except (httpx2.HTTPError, OSError) as error:
            reason = _line(str(error)) or type(error).__name__
            raise PrometheusError(
                f"{self.url}: can't be reached: {reason}; give the address of a Prometheus that runs"
            ) from None

    def _answer(self, response: httpx2.Response, body: bytes) -> dict[str, Any]:
        status = response.status_code
        if status in (401, 403):
            remedy = "it refuses this token" if self._has_token else f"give a token: --token-file or {TOKEN_VARIABLE}"
            raise PrometheusError(f"{self.url}: access denied (status {status}): {remedy}")
        if response.is_redirect:
            place = _line(response.headers.get("location", "elsewhere").split("?")[0])
            raise PrometheusError(f"{self.url}: sends us to {place}: give the address that answers by itself")
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or answer.get("status") not in ("success", "error"):
            kind = _line(response.headers.get("content-type", "no type")).split(";")[0]
            raise PrometheusError(
                f"{self.url}: no Prometheus' API is there (status {status}, {kind}): "
                "give the address before /api/v1, such as http://prometheus:9090"
            )
        if answer["status"] == "error":
            reason = _line(str(answer.get("error") or answer.get("errorType") or "no reason given"))
            raise PrometheusError(f"{self.url}: refuses a query (status {status}): {reason}")
        return answer


def _checked(url: str) -> str:
    if "@" in url:  # not shown: a password may be in it
        raise PrometheusError("--prometheus: it names a user: leave out what is before the @, and give a token instead")
    try:
        parsed = httpx2.URL(url)
        right = parsed.scheme in ("http", "https") and bool(parsed.host) and not parsed.query and not parsed.fragment
    except (httpx2.InvalidURL, TypeError):
        right = False
    if not right or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise PrometheusError(f"--prometheus {url!r}: no address: write http://HOST:PORT or https://HOST/PATH")
    return url.rstrip("/").removesuffix("/api/v1")


def _bounded(response: httpx2.Response, url: str) -> bytes:
    """The whole body; a server that trickles or never stops is left."""
    body, deadline = bytearray(), monotonic() + _SECONDS
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _LARGEST:
            raise PrometheusError(f"{url}: an answer has more than {_LARGEST // 1_000_000} MB: it is left")
        if monotonic() > deadline:
            raise PrometheusError(f"{url}: an answer takes more than {_SECONDS:.0f} seconds: it is left")
    return bytes(body)


def _chunks(start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    while start <= end:
        last = min(end, start + step * (_MOST_POINTS - 1))
        yield start, last
        start = last + step


def _labels(metric: dict[str, str]) -> Labels:
    return tuple(sorted(metric.items()))


def _points(values: list[tuple[float, str]]) -> Points:
    found = ((float(time), float(value)) for time, value in values)
    return [(time, value) for time, value in found if math.isfinite(value)]


def _line(text: str) -> str:
    """Foreign text as a short part of one line."""
    text = re.sub(r"[^\x20-\x7e]+", " ", text).strip()
    return text if len(text) <= 300 else f"{text[:299]}…"

"""Requests to the service: bounded in time and size, and never sent on to where a redirect points."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from .address import Address
from .masking import Masks
from .outcome import Failed
from .trust import Trust

PROBLEM: Final = "application/problem+json"
_MOST: Final = 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `body` is its beginning if it is not `whole`."""

    asked: str
    request_id: str
    status: int
    headers: httpx2.Headers
    body: bytes
    whole: bool
    masks: Masks

    @property
    def media_type(self) -> str:
        """The content type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def told(self) -> str:
        """What came, for people: status, beginning of the body, and the id that the service's log has."""
        if 300 <= self.status < 400 and "location" in self.headers:
            what = f"a redirect to {self._location()}, which was not followed"
        else:
            what = self.masks.excerpt(self.text) or "no body"
        return f"{self.asked} answered {self.status}: {what} (request id {self.request_id})"

    def json(self) -> Any:
        """The body, parsed.

        Raises:
            Failed: it is no JSON, or too long.
        """
        if not self.whole:
            raise Failed(f"{self.asked} answered more than {len(self.body):,} bytes, the rest of which was not read")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Failed(f"no JSON: {self.told}") from None

    def document(self) -> dict[str, Any]:
        """The body, a JSON object.

        Raises:
            Failed: it is none.
        """
        document = self.json()
        if not isinstance(document, dict):
            raise Failed(f"no JSON object: {self.told}")
        return document

    def _location(self) -> str:
        try:
            parts = urlsplit(self.headers["location"])
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else parts.path
        except ValueError:
            return "somewhere"


class Client:
    """Asks the service on behalf of one check.

    Args:
        address: the base of all paths.
        trust: what is known of the server's certificate.
        masks: hide secrets in what is told.
        seconds: within which all of this client's requests must be answered.
        seen: gets every answer.
    """

    def __init__(self, address: Address, trust: Trust, masks: Masks, seconds: float, seen: list[Answer]) -> None:
        self.address, self.trust, self.seconds = address, trust, seconds
        self._masks, self._seen = masks, seen
        self._ends = monotonic() + seconds
        self._http: httpx2.Client | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        most: int = _MOST,
    ) -> Answer:
        """Send a request, and read its answer up to `most` bytes. One connection serves all, if the server keeps it.

        Raises:
            Failed: there was no answer, or not in time.
        """
        sent = {"X-Request-ID": f"smoke-{token_hex(6)}", **(headers or {})}
        asked = f"{method} {path}"
        try:
            with self._open().stream(
                method, self.address.url(path), headers=sent, content=content, timeout=max(0.001, self.left)
            ) as response:
                body, whole = self._body(response, most)
        except (httpx2.TimeoutException, TimeoutError):
            raise Failed(f"{asked}: no whole answer within {self.seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise Failed(f"{asked}: no answer: {type(error).__name__}: {error}") from None
        request_id = self._masks.excerpt(response.headers.get("x-request-id", sent["X-Request-ID"]))
        answer = Answer(asked, request_id, response.status_code, response.headers, body, whole, self._masks)
        self._seen.append(answer)
        return answer

    def disconnect(self) -> None:
        """Close the connection; the next request opens another, maybe to another instance."""
        if self._http is not None:
            self._http.close()
            self._http = None

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._ends - monotonic()

    def _open(self) -> httpx2.Client:
        if self._http is None:
            # As sent, and uncompressed: a few bytes of gzip can become any number.
            headers = {"User-Agent": "ops-smoke", "Accept-Encoding": "identity"}
            verify = self.trust.context if self.trust.context is not None else False  # False: plain http, no TLS at all
            self._http = httpx2.Client(headers=headers, verify=verify, trust_env=False, follow_redirects=False)
        return self._http

    def _body(self, response: httpx2.Response, most: int) -> tuple[bytes, bool]:
        body = bytearray()
        for piece in response.iter_raw():  # as they come: with a size it would wait until a piece is full
            body += piece
            if len(body) > most:
                return bytes(body[:most]), False
            if self.left < 0:  # a byte now and then keeps a connection within its own time-out for ever
                raise TimeoutError
        return bytes(body), True

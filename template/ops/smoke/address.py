"""The base address that all requests go to."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from .outcome import BadInput


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service is. `prefix` is what its paths begin with there: `/shop`, or nothing."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port, as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def url(self, path: str = "") -> str:
        """The whole address of a path."""
        return f"{self.scheme}://{self.authority}{self.prefix}{path}"


def parse(text: str) -> Address:
    """Read a base address.

    Raises:
        BadInput: it is none.
    """
    if "@" in text:  # not shown: a password may be in it
        raise BadInput("URL: it names a user; leave out what is before the @, a token has its own option")
    if not text.lower().startswith(("http://", "https://")):
        raise BadInput(f"URL {text!r}: it needs a scheme; write http://HOST:PORT or https://HOST")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
        httpx2.URL(text)
    except (ValueError, httpx2.InvalidURL) as error:
        raise BadInput(f"URL {text!r}: {error}; write http://HOST:PORT or https://HOST") from None
    if not host or not text.isascii() or any(c.isspace() for c in text):
        raise BadInput(f"URL {text!r}: there is no host in it, or one with odd characters; write https://HOST")
    if parts.query or parts.fragment:
        raise BadInput(f"URL {text!r}: a base address has no ? and no #; leave them out")
    if port == 0:
        raise BadInput(f"URL {text!r}: nobody listens on port 0; write one from 1 to 65535")
    scheme = parts.scheme.lower()
    return Address(scheme, host, port or (443 if scheme == "https" else 80), parts.path.rstrip("/"))

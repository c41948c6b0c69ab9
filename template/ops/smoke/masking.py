"""Text that is fit to be shown: without secrets, and without characters that a terminal or a CI system obeys."""

import base64
import json
from urllib.parse import quote

MASK = "***"
_MOST = 160


class Masks:
    """Secrets that are never shown, in any form in which a server may send them back."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def add(self, secret: str) -> None:
        """Hide this from now on."""
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        forms = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], encoded}
        # The longest first: a short form may be a part of a long one.
        self._forms = sorted({*self._forms, *forms} - {""}, key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """The text with its secrets masked, otherwise as it is."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def text(self, text: str) -> str:
        """The text with its secrets masked, in one line of printable characters."""
        text = " ".join(self.hidden(text).split())
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

    def excerpt(self, text: str) -> str:
        """The beginning of a text; masked before it is cut, so that no half of a secret is left."""
        shown = self.text(text)
        return shown if len(shown) <= _MOST else shown[:_MOST] + "…"

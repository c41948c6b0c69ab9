"""Takes personal data and secrets out of whatever leaves the process beside its answers: logs, mails, reports, spans.

Three lines of defence: fields that were declared (`personal.Personal`, `SecretStr`), names of fields and parameters
(`sensitive_names`), and values that say by themselves what they are (`sensitive_text`). What is taken out leaves
`[redacted:KIND]`, and no part of it.
"""

import dataclasses
import re
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote_plus
from uuid import UUID

from .sensitive_names import Rule, folded, rule_for
from .sensitive_text import MARKER, Rules, Span, spans

Event = MutableMapping[str, Any]

ERROR: Final = "[redacted:error]"
TOO_DEEP: Final = "[too deep]"
TOO_MANY: Final = "[too many]"
MAX_TEXT: Final = 65_536
_OVERLAP: Final = 8_192  # a secret that begins before a cut is seen whole, or far enough to be known
_MAX_CHARACTERS: Final = 4 * MAX_TEXT  # of all texts in one value
_MAX_DEPTH: Final = 12
_MAX_ITEMS: Final = 4_096
_SHORTEST: Final = 5  # characters; anything shorter holds nothing without a name before it
_KEPT_CLEAN: Final = 2_048  # ordinary texts that are known, so that they need not be read again
_CLEAN_LENGTH: Final = 160
_PASSES: Final = 4

# Fields of the pipeline's own that nobody outside has a say in; a caller may choose the request's id.
_OWN: Final = frozenset({"timestamp", "level", "service", "version", "trace_id", "span_id"})
_PLAIN: Final = frozenset({bool, type(None), datetime, date, time, timedelta, UUID, complex, range, type(...)})
_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_IDENTIFIER: Final = re.compile(r"[a-z][a-z_]*+").fullmatch
_MASK: Final = re.compile(r"\*+").fullmatch
# A number under such a name is a measure, whatever its digits say.
_MEASURES: Final = frozenset(
    ["ms", "us", "ns", "seconds", "timestamp", "ts", "epoch", "bytes", "size", "count", "total", "offset", "time", "at"]
)
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}").search
_TOKEN: Final = re.compile(r"[^\s\"'<>&?]{4,}")
_ENCODINGS: Final = 2  # a URL within a URL is encoded twice
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}").fullmatch


class Redactor:
    """Replaces personal data and secrets in texts, values and log events. It never raises, and never changes its input.

    Args:
        ip_addresses: whether public IP addresses are hidden, too. They are personal data (CJEU C-582/14, Breyer); off,
            since a log that is kept for the service's security needs them (GDPR, recital 49).
        max_text: characters of a text; what is beyond is cut off.
    """

    def __init__(self, *, ip_addresses: bool = False, max_text: int = MAX_TEXT) -> None:
        self._ip_addresses = ip_addresses
        self._max_text = max(1024, max_text)
        self._own_rules: dict[str, Rule | None] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Callable[[str], object] | None]] = []
        self._rules: dict[str, Rule | None] = {}
        self._backwards = Rules(self._rule)
        self._clean: set[str] = set()
        self._ordinary: set[str] = set()  # names of fields without a rule

    # --- what the owner adds

    def redact_key(self, *names: str) -> None:
        """Hide the values under these names, whatever they are; `customer_no` is `customerNo` and `Customer-No`, too.

        Raises:
            ValueError: for a name without a letter or digit.
        """
        for name in names:
            self._own_rules[_known(name)] = Rule(f"key:{_known(name)}", "token")
        self._forget()

    def keep_key(self, *names: str) -> None:
        """Show the values under these names, which would be hidden for their name; values are still looked at.

        Raises:
            ValueError: for a name without a letter or digit.
        """
        for name in names:
            self._own_rules[_known(name)] = None
        self._forget()

    def redact_pattern(
        self, name: str, regex: str | re.Pattern[str], check: Callable[[str], object] | None = None
    ) -> None:
        """Hide what a regular expression finds, as `[redacted:NAME]`.

        Args:
            name: lower case letters, digits and `_`.
            regex: should take time in proportion to the text: no quantifier on what has one (`(a+)+`).
            check: is given what was found, and says whether it is to be hidden; if it raises, it is.

        Raises:
            ValueError: for a name that can't stand in its place, or an expression that is none or finds nothing (`x*`).
        """
        if not _KIND(name):
            raise ValueError(f"name {name!r}: use 1 to 40 lower case letters, digits and '_', a letter first")
        try:
            compiled = re.compile(regex)
        except re.error as error:
            raise ValueError(f"regex of {name}: {error}") from None
        if compiled.search("") is not None:
            raise ValueError(f"regex of {name}: it finds the empty text; use + in place of *")
        self._patterns.append((name, compiled, check))
        self._forget()

    def declare(self, *models: Any) -> None:
        """Hide the values under the names and aliases of declared and secret fields of models, settings or an app."""
        from .personal import declared_names  # noqa: PLC0415 - it brings pydantic, which texts alone do not need

        for name in declared_names(*models):
            words = folded(name)
            if words and self._rule(name) is None:
                # One word (`name`, `id`) means other things in prose: there it takes a quote or an equals sign.
                self._own_rules.setdefault(
                    "_".join(words), Rule(f"key:{'_'.join(words)[:60]}", "words", prose=len(words) > 1)
                )
        self._forget()

    def _forget(self) -> None:
        self._rules, self._clean, self._ordinary = {}, set(), set()
        self._backwards = Rules(self._rule)

    # --- what is redacted

    def text(self, text: str) -> str:
        """A text without personal data and secrets."""
        if text in self._clean:
            return text
        try:
            return self._text(text)
        except Exception:  # noqa: BLE001 - better nothing than what may be a secret
            return ERROR

    def value(self, value: Any) -> Any:
        """A value without personal data and secrets: itself where nothing had to change, else a copy in plain types."""
        try:
            return self._walk(value, _MAX_DEPTH, _Budget())
        except Exception:  # noqa: BLE001
            return ERROR

    def event(self, event: Event) -> Event:
        """A log event without personal data and secrets; a processor of `logs.Pipeline`."""
        try:
            return self._event(event)
        except Exception:  # noqa: BLE001
            return {name: value if name in _OWN else ERROR for name, value in event.items() if _IDENTIFIER(str(name))}

    def _event(self, event: Event) -> Event:
        changed: dict[str, Any] = {}
        ordinary, clean = self._ordinary, self._clean
        budget: _Budget | None = None
        for name, value in event.items():
            if name in _OWN:
                continue
            kind = type(value)
            if name in ordinary:
                if kind is str:
                    if len(value) < _SHORTEST or value in clean or (name == "request_id" and _ID(value)):
                        continue
                    new: Any = self.text(value)
                elif kind in _PLAIN or (kind is int and -(10**7) < value < 10**7):
                    continue
                else:
                    budget = budget or _Budget()
                    new = self._under(name, value, _MAX_DEPTH, budget)
            else:
                budget = budget or _Budget()
                new = self._under(name, value, _MAX_DEPTH, budget)
                if self._name(name) != name:
                    return self._renamed(event)
            if new is not value:
                changed[name] = new
        return {**event, **changed} if changed else event

    def _renamed(self, event: Event) -> Event:
        """The same, slower, where a name itself must not be shown."""
        own = {name: value for name, value in event.items() if name in _OWN}
        given = {name: value for name, value in event.items() if name not in _OWN}
        return {**own, **(self._mapping(given, _MAX_DEPTH, _Budget()) or given)}

    # --- texts

    def _text(self, text: str) -> str:
        if type(text) is not str:
            text = str.__str__(text)
        if len(text) < _SHORTEST:
            return text
        found: list[Span] | None = None
        if len(text) <= self._max_text:
            text = self._readable(text)
            found = self._spans(text)
        if found is not None and not found:
            if len(text) <= _CLEAN_LENGTH:
                if len(self._clean) >= _KEPT_CLEAN:
                    self._clean.clear()
                self._clean.add(text)
            return text
        text = self._cut(text) if found is None else _replaced(text, found, self._max_text)
        for _ in range(_PASSES):  # what stands beside a replacement may now be read in another way
            found = self._spans(text)
            if not found:
                return text
            text = _replaced(text, found, self._max_text)
        return text

    def _spans(self, text: str) -> list[Span]:
        found = spans(text, self._backwards, addresses=self._ip_addresses)
        for kind, regex, check in self._patterns:
            for match in regex.finditer(text):
                if match.end() > match.start() and _confirmed(check, match[0]):
                    found.append((match.start(), match.end(), kind))
        if found and "[redacted:" in text:
            markers = [match.span() for match in MARKER.finditer(text)]
            found = [span for span in found if not _inside(span, markers)]
        return found

    def _readable(self, text: str) -> str:
        """The text with those pieces decoded that hide something behind percent signs."""
        return _TOKEN.sub(self._decoded, text) if "%" in text and _ENCODED(text) else text

    def _decoded(self, token: re.Match[str]) -> str:
        """A piece of a URL as it is, unless something is to be hidden in what it says when it is decoded."""
        text = token[0]
        if "%" not in text:
            return text
        for _ in range(_ENCODINGS):
            plain = unquote_plus(text, errors="replace")
            if plain == text:
                break
            text = plain
            if self._spans(text):
                shown = _replaced(text, self._spans(text), self._max_text)
                return "".join(f"%{ord(each):02X}" if each <= " " else each for each in shown)
        return token[0]

    def _cut(self, text: str) -> str:
        """The beginning of a long text, and the end of a long stack trace, both without what must not be shown."""
        limit = self._max_text - 64
        tail = ""
        at = text.find('\n  File "', len(text) - limit // 4)
        if at > limit and 'File "' in text[:limit] and "BEGIN " not in text:
            window = text[at - _OVERLAP : at] + self._readable(text[at:])
            tail = _replaced(window, self._spans(window), limit // 2, skip=_OVERLAP)
        window = self._readable(text[: limit + _OVERLAP])
        head = _replaced(window, self._spans(window), limit - len(tail), cut=limit - len(tail))
        return f"{head}\n[… {len(text) - limit} characters or more left out …]{tail}"

    # --- names

    def _rule(self, name: str) -> Rule | None:
        try:
            return self._rules[name]
        except KeyError:
            key = "_".join(folded(name))
            rule = self._own_rules[key] if key in self._own_rules else rule_for(name)
            if len(self._rules) >= _KEPT_CLEAN:
                self._rules.clear()
            self._rules[name] = rule
            return rule

    def _name(self, name: Any) -> Any:
        """A key of a mapping; it may hold what must not be shown, too."""
        if type(name) is str:
            return self.text(name)
        if type(name) in _PLAIN or type(name) is float:
            return name
        shown = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        redacted = self.text(shown)
        return name if redacted == shown else redacted

    # --- values

    def _under(self, name: Any, value: Any, depth: int, budget: "_Budget") -> Any:
        """What stands under a name."""
        text = name if type(name) is str else name.decode("latin-1") if isinstance(name, bytes) else None
        if text is None:
            return self._walk(value, depth, budget)
        rule = self._rule(text)
        if rule is None:
            if len(self._ordinary) < _KEPT_CLEAN and self.text(text) is text:
                self._ordinary.add(text)
            redacted = self._walk(value, depth, budget)
            measured = redacted is not value and isinstance(value, int | float | Decimal)
            return value if measured and folded(text)[-1:] and folded(text)[-1] in _MEASURES else redacted
        if value is None or isinstance(value, bool) or (not rule.numbers and isinstance(value, int | float)):
            return value
        if isinstance(value, str) and (not value or MARKER.fullmatch(value) or _MASK(value)):
            return value
        if isinstance(value, bytes | Mapping | list | tuple | AbstractSet) and not value:
            return value
        return f"[redacted:{rule.kind}]"

    def _walk(self, value: Any, depth: int, budget: "_Budget") -> Any:
        kind = type(value)
        if kind is str:
            return self._budgeted(value, budget)
        if kind in _PLAIN:
            return value
        if kind is int:
            return value if -(10**7) < value < 10**7 else self._number(value)
        if kind is float:
            return self._number(value) if value.is_integer() and abs(value) > 10**8 else value
        budget.items -= 1
        if budget.items < 0:
            return TOO_MANY
        if depth <= 0:
            return TOO_DEEP
        try:
            return self._object(value, depth - 1, budget)
        except Exception:  # noqa: BLE001 - an object that can't be read; its siblings can
            return ERROR

    def _budgeted(self, text: str, budget: "_Budget") -> str:
        budget.characters -= len(text)
        return self.text(text) if budget.characters >= 0 else TOO_MANY

    def _number(self, value: Any) -> Any:
        """A number is hidden if it is, written out, a card's or a person's."""
        if not 10**7 <= abs(value) < 10**20 or value != int(value):
            return value
        shown = str(int(value))
        return value if (redacted := self.text(shown)) == shown else redacted

    def _object(self, value: Any, depth: int, budget: "_Budget") -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value, depth, budget) or value
        if isinstance(value, tuple) and (names := getattr(value, "_fields", None)) is not None:
            return self._mapping(dict(zip(names, value, strict=False)), depth, budget) or value
        if isinstance(value, list | tuple):
            return self._sequence(value, depth, budget)
        if isinstance(value, AbstractSet | deque):
            return self._items(value, depth, budget) or value
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value, budget)
        if isinstance(value, str):
            return self._budgeted(str.__str__(value), budget)
        if isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite()):
            return self._number(value)
        if _has_members(value):
            from .personal import members  # noqa: PLC0415 - it brings pydantic, which is there if there is a model

            given = members(value)
            return self._mapping(given, depth, budget) or given
        return self._budgeted(str(value), budget)

    def _bytes(self, value: bytes | bytearray | memoryview, budget: "_Budget") -> Any:
        shown = bytes(value[: self._max_text]).decode("utf-8", "backslashreplace")
        redacted = self._budgeted(shown, budget)
        return value if redacted == shown else redacted.encode("utf-8", "backslashreplace")

    def _mapping(self, value: Mapping[Any, Any], depth: int, budget: "_Budget") -> dict[Any, Any] | None:
        """A mapping's copy, or None if nothing had to change."""
        copy: dict[Any, Any] = {}
        changed = False
        refused = "input" in value and "loc" in value and "msg" in value  # what pydantic says of a refused value
        named = value.get("name", value.get("key")) if "value" in value else None
        for name, member in value.items():
            budget.items -= 1
            if budget.items < 0:
                copy[TOO_MANY] = TOO_MANY
                return copy
            if refused and name in ("input", "ctx") and member is not None:
                new: Any = "[redacted:input]"
            elif name == "value" and isinstance(named, str) and self._rule(named) is not None:
                new = self._under(named, member, depth, budget)
            else:
                new = self._under(name, member, depth, budget)
            shown = self._name(name)
            changed = changed or new is not member or shown is not name
            while shown is not name and shown in copy:
                shown = f"{shown}_"
            copy[shown] = new
        return copy if changed else None

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int, budget: "_Budget") -> Any:
        if len(value) == 2 and isinstance(value[0], str | bytes) and isinstance(value[1], str | bytes):
            # A header or parameter as a pair, unless both are names: ("body", "password").
            second = value[1].decode("latin-1") if isinstance(value[1], bytes) else value[1]
            if not _IDENTIFIER(second) and (new := self._under(value[0], value[1], depth, budget)) is not value[1]:
                pair = [self.value(value[0]), new]
                return tuple(pair) if isinstance(value, tuple) else pair
        items = self._items(value, depth, budget)
        return value if items is None else tuple(items) if isinstance(value, tuple) else items

    def _items(self, value: Iterable[Any], depth: int, budget: "_Budget") -> list[Any] | None:
        """The redacted members of a list, or None if nothing had to change."""
        copy: list[Any] = []
        changed = False
        for item in value:
            budget.items -= 1
            if budget.items < 0:
                return [*copy, TOO_MANY]
            new = self._walk(item, depth, budget)
            changed = changed or new is not item
            copy.append(new)
        return copy if changed else None


class _Budget:
    """What is left to read of one value."""

    __slots__ = ("characters", "items")

    def __init__(self) -> None:
        self.items, self.characters = _MAX_ITEMS, _MAX_CHARACTERS


def _replaced(text: str, found: list[Span], limit: int, *, skip: int = 0, cut: int | None = None) -> str:
    """The text with every span replaced, at most `limit` characters of it; never a part of a span or a marker.

    Args:
        skip: characters at the beginning that are left out.
        cut: characters of the text after which nothing more is taken.
    """
    pieces: list[str] = []
    at, room = skip, limit
    stop = len(text) if cut is None else cut
    for begin, end, kind in [*_merged(found), (stop, stop, "")]:
        if end <= at and kind:
            continue
        plain = text[at : max(at, min(begin, stop))][:room]
        pieces.append(plain)
        room -= len(plain)
        marker = f"[redacted:{kind}]" if kind and begin < stop else ""
        if room < len(marker) or begin >= stop:
            break
        pieces.append(marker)
        room -= len(marker)
        at = end
    return "".join(pieces)


def _merged(found: list[Span]) -> list[Span]:
    """Spans in order, those that overlap made one, which is called as its longest part."""
    merged: list[Span] = []
    longest = 0
    for begin, end, kind in sorted(found, key=lambda span: (span[0], -span[1])):
        if merged and begin < merged[-1][1]:
            last = merged[-1]
            if end - begin > longest:
                longest, last = end - begin, (last[0], last[1], kind)
            merged[-1] = (last[0], max(last[1], end), last[2])
        else:
            merged.append((begin, end, kind))
            longest = end - begin
    return merged


def _inside(span: Span, markers: list[tuple[int, int]]) -> bool:
    place = bisect_right(markers, (span[0], sys.maxsize)) - 1
    return place >= 0 and span[1] <= markers[place][1]


def _confirmed(check: Callable[[str], object] | None, found: str) -> bool:
    try:
        return check is None or bool(check(found))
    except Exception:  # noqa: BLE001 - a check that can't tell
        return True


def _known(name: str) -> str:
    words = folded(name)
    if not words:
        raise ValueError(f"name {name!r}: use one with letters or digits")
    return "_".join(words)[:60]


def _has_members(value: Any) -> bool:
    return not isinstance(value, type) and (hasattr(type(value), "model_fields") or dataclasses.is_dataclass(value))


REDACTOR: Final = Redactor()
redact_key = REDACTOR.redact_key
keep_key = REDACTOR.keep_key
redact_pattern = REDACTOR.redact_pattern

"""Finds in a text what must not be shown: by the name before a value, and by what the value itself says.

Every search is linear in the length of the text: possessive quantifiers where one run may follow another, bounds
elsewhere, and a place that was read once is not read again.
"""

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final

from . import check_digits
from .sensitive_names import Rule

Span = tuple[int, int, str]  # begin, end, kind


class Rules(dict[str, Rule | None]):
    """The rule for a name that is written backwards, as it is read from a text; found once.

    Args:
        rule_of: the rule for a name.
    """

    def __init__(self, rule_of: Callable[[str], Rule | None]) -> None:
        super().__init__()
        self.of = rule_of

    def __missing__(self, name: str) -> Rule | None:
        if len(self) >= _KEPT_NAMES:
            self.clear()
        rule = self[name] = self.of(_unescaped(name[::-1]))
        return rule


def _unescaped(name: str) -> str:
    """A name without the escapes that JSON writes letters with."""
    return _UNICODE.sub(lambda match: chr(int(match[1], 16)), name) if "\\" in name else name


_KEPT_NAMES: Final = 4_096
_UNICODE: Final = re.compile(r"\\+u([0-9A-Fa-f]{4})")  # as JSON may write letters

MARKER: Final = re.compile(r"\[redacted:(?:key:)?[\w.\-]{1,64}\]")


def _words(text: str) -> list[str]:
    return text.split()


# --- cheap looks, so that ordinary texts cost little

_DIGIT_CLASS: Final = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))
_TOKEN_CLASS: Final = bytes(
    97 if chr(code).isascii() and (chr(code).isalnum() or code in b"-_") else 32 for code in range(256)
)
_DIGITS: Final = b"0" * 6
_TOKEN: Final = b"a" * 15


def spans(text: str, rules: Rules, *, addresses: bool = False) -> list[Span]:
    """Everything in a text that must not be shown, in no order; the spans may overlap.

    Args:
        text: at most some 64 KiB.
        rules: for names.
        addresses: public IP addresses, too.
    """
    found: list[Span] = []
    if "=" in text or ":" in text:
        _named(text, rules, found)
        if addresses:
            _ip(text, found)
    elif addresses and "." in text:
        _ip(text, found)
    if "@" in text:
        _users(text, found)
        _mail(text, found, "@")
    if "%" in text:
        _percent_encoded(text, rules, found)
    if "+" in text:
        _phones(text, found)
    raw = text.encode("utf-8", "surrogatepass")
    if _DIGITS in raw.translate(_DIGIT_CLASS, b" -./"):
        _numbers(text, found)
    if _TOKEN in raw.translate(_TOKEN_CLASS):
        _tokens(text, found)
    if "earer" in text or "asic " in text or "BEARER" in text:
        _schemes(text, found)
    if "-----BEGIN" in text or "---- BEGIN" in text:
        _private_keys(text, found)
    if "'" in text or '"' in text or "(" in text or "</" in text or "--" in text or "-u " in text:
        _marked_up(text, rules, found)
    return found


# --- e-mail addresses, and users in URLs

_ESCAPED: Final = r"(?:\\{1,2}u[0-9A-Fa-f]{4}[\w.+%\-]*+)*+"  # letters as JSON may write them
_HOST: Final = r"((?:[\w\-]++(?:\\{1,2}u[0-9A-Fa-f]{4}[\w\-]*+)*+\.)+)([^\W\d_][\w\-]*)(?!\w*\()"
_MAIL: Final = {
    # The part before the at-sign of RFC 5322, without what more often delimits an address; an apostrophe (O'Brien)
    # unless it opens a literal of Python's (b'…).
    "@": re.compile(
        r"(?<![\w.+%\-])(?:[\w.+\-]++(?<![brfu\d])'(?=\w))?(?:[\w.+\-]*\+[\w.\-]*=)?"
        rf"[\w.+%\-]++{_ESCAPED}@{_HOST}"
    ),
    "%40": re.compile(rf"(?<![\w.+%\-])(?:%[0-9A-Fa-f]{{2}}|[\w.+\-])+?%(?:25){{0,2}}40{_HOST}"),
}
_NO_MAIL_USERS: Final = ("git@", "hg@", "svn@", "celery@")
_NO_MAIL_ENDS: Final = frozenset(  # units of systemd, and files
    (
        *("service", "socket", "timer", "target", "slice", "scope", "mount", "device", "path"),
        *("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "mjs", "map", "json", "html"),
    )
)
_VERSION: Final = re.compile(r"v?\d+\.\d+\.|\dx\.").match


def _mail(text: str, found: list[Span], at: str) -> None:
    users = {end for _, end, kind in found if kind == "userinfo"}  # what follows is a host's name
    for match in _MAIL[at].finditer(text):
        whole, host, end = match[0], match[1], match[2].lower()
        if len(end) < 2 or end in _NO_MAIL_ENDS or _VERSION(host) or whole.startswith(_NO_MAIL_USERS):
            continue
        if host.startswith("self.") and end not in ("com", "org", "net"):  # `weights@self.bias` in a line of code
            continue
        if match.start(1) - 1 not in users:
            found.append((*match.span(), "email"))


_ENCODED: Final = re.compile(
    r"(?:%[0-9A-Fa-f]{2}|(?<![\w%]))([A-Za-z][\w.\-]{1,60}+)(?:%22|%27)?%3[ADad](?:%20|\+)?(?:%22|%27)?"
    r"((?:[\w.\-~*!+/=]|%(?!26|22|27|2[Cc]|7[Dd])[0-9A-Fa-f]{2})++)"
)
_ENCODED_USER: Final = re.compile(r"%3A%2F%2F((?:[^\s&%]|%(?!2F|40)[0-9A-F]{2}){1,256}+)%40", re.IGNORECASE)


def _percent_encoded(text: str, rules: Rules, found: list[Span]) -> None:
    """What a URL or a form carries in a value of another: `next=%2Fa%3Ftoken%3D…`."""
    if "40" in text:
        _mail(text, found, "%40")
        found.extend((match.start(1), match.end(1), "userinfo") for match in _ENCODED_USER.finditer(text))
    named = ((match, rules.of(match[1])) for match in _ENCODED.finditer(text))
    found.extend((match.start(2), match.end(2), rule.kind) for match, rule in named if rule is not None)


_URL: Final = re.compile(r"://")
_URL_END: Final = re.compile(r"[^\s\"'<>`]{0,512}+")
_PORT: Final = re.compile(r"[^\s/?#@:]*:\d{0,5}(?:[/?#]|\Z)").match
_ORACLE: Final = re.compile(r"oracle:\w{2,8}:([^\s/@]{1,64}+/[^\s@]{1,128}+)@")
_USER: Final = re.compile(r"(?<![\w./:\-])[\w.+\-]++:[^\s:/\"'<>@]{3,128}+@(?=[\w.\-]{1,128}+[:/]\d?|(?:tcp|unix)\()")


def _users(text: str, found: list[Span]) -> None:
    """`user:password@` in URLs (RFC 3986, 3.2.1), also where the password should have been percent-encoded."""
    done = 0
    for match in _URL.finditer(text):
        begin = match.end()
        if begin < done:
            continue
        if text.find("@", begin, begin + 512) < 0:
            continue
        url = _URL_END.match(text, begin)
        rest = url[0] if url else ""
        # Paths of web addresses may hold at-signs (`/@me`); elsewhere the last one ends the password.
        web = text.endswith(("http", "https", "ws", "wss"), 0, match.start())
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0] if web else rest
        at = authority.rfind("@")
        if at < 0 and ":" in authority and not _PORT(rest):
            at = rest.rfind("@")  # the password holds a slash, a question mark or a number sign
        if at > 0 and rest[:at] not in ("git", "hg", "svn") and not MARKER.fullmatch(rest[:at]):
            found.append((begin, begin + at, "userinfo"))
            done = begin + at
    if "oracle:" in text:
        found.extend((m.start(1), m.end(1), "userinfo") for m in _ORACLE.finditer(text))
    found.extend((m.start(), m.end() - 1, "userinfo") for m in _USER.finditer(text) if not m[0].endswith("sha256@"))


# --- numbers with check digits

_AROUND: Final = r"(?<![0-9A-Za-z][0-9])(?<![0-9][.,][0-9])"
_AFTER: Final = r"(?![0-9A-Za-z])(?!\.[0-9])"
Check = Callable[[str], bool]


def _danish_or_swedish(text: str) -> bool:
    return check_digits.is_swedish(text) or (text[6] == "-" and check_digits.is_danish(text))


# Nine digits or more, with at most one other character between two of them: all that the following begin with.
_NUMBER: Final = re.compile(rf"[0-9]{_AROUND}(?=[0-9]{{2}}(?:[ .\-+A-FU-Y]?[0-9]){{6}})")
_CARD: Final = re.compile(
    r"(?:[0-9]{13,19}|[0-9]{4}[ .\-][0-9]{4}[ .\-][0-9]{4}[ .\-][0-9]{1,4}(?:[ .\-][0-9]{3})?"
    r"|[0-9]{4}[ .\-][0-9]{6}[ .\-][0-9]{4,5}|[0-9]{4}(?:[ .\-][0-9]{3}){3}|[0-9]{6}[ .\-][0-9]{13})"
    rf"{_AFTER}"
)
_NUMBERS: Final[tuple[tuple[str, re.Pattern[str], Check], ...]] = (
    ("card", _CARD, check_digits.is_card),
    ("national_id", re.compile(rf"[0-9]{{6}}[ .\-]?[0-9]{{5}}{_AFTER}"), check_digits.is_norwegian),
    ("national_id", re.compile(rf"(?:[0-9]{{6}}|[0-9]{{8}})[\-+][0-9]{{4}}{_AFTER}"), _danish_or_swedish),
    ("national_id", re.compile(rf"[0-9]{{12}}{_AFTER}"), check_digits.is_swedish),
    (
        "national_id",
        re.compile(rf"[0-9]{{6}}[\-+A-FU-Y][0-9]{{3}}[0-9A-FHJ-NPR-Y]{_AFTER}"),
        check_digits.is_finnish,
    ),
    ("national_id", re.compile(rf"[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}{_AFTER}(?!-)"), check_digits.is_ssn),
)
_LETTERED: Final = re.compile(r"[A-Z](?<![0-9A-Za-z_].)[A-Z] ?[0-9]{2}")
_NINO: Final = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z_])")
_PHONE: Final = re.compile(
    r"\+(?<![\w+].)[1-9][0-9]{0,2}(?:[ .\-]?\(0?\))?(?:[ .\-]?\(?[0-9]{1,12}\)?){1,7}+(?![0-9A-Za-z])"
)
# A bare number with a unit is no person's and no card's.
_UNIT: Final = re.compile(
    r" ?(?:bytes?|[kKMGT]i?B|B|ms|us|µs|ns|sec(?:onds)?|s|rows?|records?|items?|events?|messages?|keys?|%)\b"
).match


def _numbers(text: str, found: list[Span]) -> None:
    done = 0
    for start in _NUMBER.finditer(text):
        if (begin := start.start()) < done:
            continue
        for kind, regex, check in _NUMBERS:
            match = regex.match(text, begin)
            if match is not None and check(match[0]) and not (match[0].isdigit() and _UNIT(text, match.end())):
                done = match.end()
                found.append((begin, done, kind))
                break
    for start in _LETTERED.finditer(text):
        begin = start.start()
        nino = _NINO.match(text, begin)
        if nino is not None and check_digits.is_nino(nino[0]):
            found.append((begin, nino.end(), "national_id"))
        elif (end := _iban_end(text, begin)) and check_digits.is_iban(text[begin:end]):
            found.append((begin, end, "iban"))


def _iban_end(text: str, begin: int) -> int:
    """Where an account number that begins here would end; 0 where its country has none of this length."""
    left, end = check_digits.iban_length(text[begin : begin + 2]), begin
    if not left:
        return 0
    limit = min(len(text), begin + 2 * left)
    while left and end < limit:
        if text[end].isalnum():
            left -= 1
        elif text[end] not in " -":
            return 0
        end += 1
    return 0 if left or text[end : end + 1].isalnum() else end


def _phones(text: str, found: list[Span]) -> None:
    found.extend((m.start(), m.end(), "phone") for m in _PHONE.finditer(text) if check_digits.is_phone(m[0]))


# --- addresses of clients

_IPS: Final = re.compile(
    r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\.?\w)"
    r"|(?=[0-9A-Fa-f]{0,4}+:[0-9A-Fa-f]{0,4}+:)[0-9A-Fa-f:]{3,39}+(?:\.[0-9.]{5,13})?(?![\w:]))"
)


def _ip(text: str, found: list[Span]) -> None:
    for match in _IPS.finditer(text):
        try:
            public = ip_address(match[0]).is_global
        except ValueError:
            continue
        if public:
            found.append((match.start(), match.end(), "ip_address"))


# --- tokens that say what they are

_VENDOR: Final = re.compile(
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_\w{20,}+|gl(?:pat|dt|rt|ptt|cbt|oas|soat|agent|ft|imt)-[\w\-]{16,}+"
    r"|xox[abceoprs](?:\.xox[bp])?-[\w\-]{8,}+|xapp-[\w\-]{10,}+|hooks\.slack\.com/(?:services|workflows)/[\w/]{8,}+"
    r"|(?:discord|discordapp)\.com/api/webhooks/\d+/[\w\-]+"
    r"|(?<=/bot)\d{8,10}:[\w\-]{30,}+|\d{8,10}:AA[\w\-]{32,33}(?![\w\-])"  # Telegram
    r"|[srp]k_(?:live|test|prod)_[A-Za-z0-9]{10,}+|whsec_[\w+/=\-]{16,}+|sk-[\w\-]{16,}+"
    r"|AIza[\w\-]{35}|ya29\.[\w\-]{20,}+|GOCSPX-[\w\-]{20,}+|1//0[\w\-]{20,}+"  # Google
    r"|SG\.[\w\-]{16,}+\.[\w\-]{16,}+|npm_[A-Za-z0-9]{30,}+|pypi-[\w\-]{16,}+|dckr_(?:pat|oat)_[\w\-]{20,}+"
    r"|hf_[A-Za-z]{30,}+|do[opr]_v1_[a-f0-9]{64}|hv[sbr]\.[\w\-]{20,}+|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"
    r"|gls[ac]_[\w+/=]{20,}+|glc_[\w+/=]{20,}+|NRAK-[A-Z0-9]{20,}+|ATATT3[\w\-=]{20,}+|dapi[a-f0-9]{32}"
    r"|sntry[su]_[\w+/=\-]{20,}+|AGE-SECRET-KEY-1[A-Z0-9]{50,}+|lin_api_[A-Za-z0-9]{30,}+|sbp_[a-f0-9]{40}"
    r"|pscale_(?:tkn|oauth|pw)_[\w.\-]{20,}+|ntn_[A-Za-z0-9]{30,}+|v2\.local\.[\w\-]{20,}+|SK[0-9a-f]{32}(?![0-9a-z])"
)
_JWT: Final = re.compile(r"eyJ(?<![\w\-]...)([\w\-]{5,4096}+)={0,2}(?:\.[\w\-]*+={0,2}){1,4}+")
_RUN: Final = re.compile(r"[A-Za-z0-9_\-]{15,}+")
_ID: Final = re.compile(r"[0-9a-f\-]++|[0-9A-F\-]++").fullmatch
_LONG_NAME: Final = re.compile(r"[_\-]*+[A-Za-z]++(?:[_\-]++[A-Za-z]*+)*+").fullmatch
_SAID: Final = re.compile(r"\b(?:[Tt]oken|[Ss]ecret|[Aa][Pp][Ii][ _\-]?[Kk]ey)[ \t]++([A-Za-z0-9_\-.~+/=]{16,512}+)")
_PREFIXES: Final = ("AKIA", "ASIA", "ABIA", "ACCA", "hf_", "sk-", "sk_", "AIza", "gh", "xox", "GOCSPX")


def _tokens(text: str, found: list[Span]) -> None:
    done = 0
    for run in _RUN.finditer(text):
        word, begin = run[0], run.start()
        if _ID(word) or ((word.isalpha() or _LONG_NAME(word)) and not word.startswith(_PREFIXES)):
            continue
        # The prefix of some lies before the run, behind a dot or a slash; what follows a match is of no interest.
        at = max(done, begin - 32)
        while (match := _VENDOR.search(text, at, run.end() + 256)) is not None:
            done = at = match.end()
            before = text[match.start() - 1 : match.start()]
            plain = match[0].startswith("sk-") and not any(char.isdigit() for char in match[0])
            if not plain and not (before.isalnum() and before.isascii()):
                found.append((match.start(), match.end(), "token"))
            if at >= run.end():
                break
        done = max(done, run.end())
    found.extend((m.start(1), m.end(1), "token") for m in _SAID.finditer(text) if any(map(str.isdigit, m[1])))
    if "eyJ" in text:
        found.extend((m.start(), m.end(), "jwt") for m in _JWT.finditer(text) if _is_jose(m[1]))


def _is_jose(rest: str) -> bool:
    """Whether the first part of a token is a header of RFC 7515: JSON with `alg`."""
    if rest.startswith(("hbGciO", "0eXAiO", "raWQiO", "lbmMiO")):
        return True
    header = f"eyJ{rest}"
    try:
        decoded = binascii.a2b_base64(header.replace("-", "+").replace("_", "/") + "=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        return False
    return b'"alg"' in decoded


_SCHEME: Final = re.compile(r"\b(bearer|basic)(?:[ \t]++|%20|\+)([A-Za-z0-9._~+/%\-]{4,}+=*+)", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[A-Z]?[a-z]{2,}+(?:[A-Z][a-z]{2,}+|[_'.\-][a-z]{2,}+)*+[.]?|[A-Z]{2,12}|[a-z]+").fullmatch


def _schemes(text: str, found: list[Span]) -> None:
    for match in _SCHEME.finditer(text):
        value = match[2].rstrip(".")
        if match[1].lower() == "basic":
            if not _is_basic(value):
                continue
        elif len(value) < 8 or (_PLAIN(value) and len(value) <= 24):
            continue
        found.append((match.start(2), match.start(2) + len(value), "credentials"))


def _is_basic(value: str) -> bool:
    """Whether this is `user:password` in base64 (RFC 7617)."""
    try:
        decoded = binascii.a2b_base64(value.replace("%3D", "="), strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded


_PEM: Final = re.compile(
    r"-----? ?BEGIN [A-Z0-9 ]{0,48}+(?:(?<=PRIVATE KEY)|(?<=PRIVATE KEY BLOCK)|(?<=PRIVATE KEY ))[ \-]*+"
)
_PEM_END: Final = re.compile(r"-----? ?END [A-Z0-9 ]{0,48}+-{0,5}+")


def _private_keys(text: str, found: list[Span]) -> None:
    done = 0
    for match in _PEM.finditer(text):
        if match.start() < done:
            continue
        end = _PEM_END.search(text, match.end())
        done = end.end() if end else len(text)
        found.append((match.start(), done, "private_key"))


# --- values under names

_SEPARATOR: Final = re.compile(r"[:=][=:>]?")
_NAME_BACKWARDS: Final = re.compile(
    r"[ \t]{0,8}+([\"'`\])\\!]{0,6}+)[ \t]{0,2}+([\w.\-]++(?:(?<=u)\\{1,2}[\w.\-]*+)*+)"
).match
_BEFORE_BACKWARDS: Final = re.compile(r" ([\w\-]++)(?: ([\w\-]++))?")
_NEAR: Final = 40
_REACH: Final = 120
# The last word of names that people write with spaces: "API key: …", "Phone number: …".
_NOUNS: Final = frozenset(
    ["key", "number", "no", "nr", "address", "name", "string", "code", "birth", "id", "token", "secret", "insurance"]
)
_URL_NAMES: Final = frozenset(
    ["code", "key", "sig", "signature", "state", "hash", "auth", "ticket", "assertion", "samlresponse"]
)
_SPECIAL: Final = frozenset(  # written backwards, as they are found
    form[::-1]
    for name in (*_NOUNS, *_URL_NAMES, "input_value", "parameters", "input", "SAMLResponse")
    for form in (name, name.upper(), name.capitalize())
)
_OPEN: Final = re.compile(r"[bBuUrR]{0,2}(\\*)([\"'`])")
_STRING: Final = {
    # A quote that a letter follows is an apostrophe: password='it's mine'.
    quote: re.compile(rf"(?:[^{quote}\\]|\\.|{quote}(?=\w)|{quote}{quote}(?=\w))*+{quote}", re.DOTALL)
    for quote in "\"'`"
}
_BRACKETS: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'|[()\[\]{}]")
_CALL: Final = re.compile(r"[A-Za-z_][\w.]*+(?=\()")
_NEXT: Final = r"[\w.\-]++[\"']?(?:[ \t]*+=|:(?!//))"
_BARE: Final = re.compile(rf"(?:[^\s,;&\"'<>|)\]}}]++|[,;&|](?![\s\"']|\Z|{_NEXT})|[)\]}}\"'<>](?=\w))++")
_BARE_URL: Final = re.compile(r"[^\s&#\"'<>]++")
_MORE_WORDS: Final = re.compile(
    rf"(?:[ \t](?!--|{_NEXT})(?:[^\s,;&\"'<>|)\]}}]++|[,;&|](?![\s\"']|\Z|{_NEXT})|[)\]}}\"'<>](?=\w))++){{0,11}}+"
)
_MORE_DIGITS: Final = re.compile(r"(?:[ ]\(?[0-9][0-9A-Z()\-]{0,7}+(?![\w=:]))*+")
_NEXT_NAME: Final = re.compile(r"[\w.\-]++=[^\s=]").match
_OF_NAMES: Final = frozenset(["key:dsn", "key:connection_string", "key:connectionstring", "key:conn_str"])
_BLOCK: Final = re.compile(
    r"[|>][+\-]?[ \t]*+\n[ \t]++([^\n]*+(?:\n[ \t]++[^\n]*+)*+)"
).match  # YAML's texts of several lines
_ANYTHING: Final = re.compile(r"[^\s\"']++").match
_SCHEMED: Final = re.compile(r"[A-Za-z][\w\-]*+[ \t]++(?=\S)")
_COOKIE: Final = re.compile(r"\s*[\w.\-]++=")
_LINE: Final = re.compile(r"[^\r\n]*+")
_HARMLESS: Final = re.compile(  # nothing, masks, types
    r"(?i:none|null|nil|true|false|undefined|yes|no|unset|n/a|nan)|-|\*+|[x•]{3,}|\.{3}|…"
    r"|\[?<?(?i:filtered|redacted|hidden|masked|removed)>?\]?"
    r"|SecretStr\(['\"]?\**['\"]?\)|SecretBytes\(b?['\"]?\**['\"]?\)"
    r"|(?:str|int|bytes|float|bool|object|string|text|varchar|integer|boolean|SecretStr|SecretBytes|Any|Optional|EmailStr"
    r"|date|datetime|dict|list|tuple|set|Annotated|Field|Literal)(?:\[.*)?(?: ?\| ?None)?",
    re.DOTALL,
).fullmatch
# Of SQL, formats, shells and documents. Where it has a name, that has to be a secret's: a password may be `$ecret`.
_PLACEHOLDER: Final = re.compile(
    r"(?:(?:Bearer|Basic|Token) )?(?:\?|%s|\$\d{1,2}|\$\{[A-Za-z_]\w*\}|\$[A-Z][A-Z_]+|\{\d?\}"
    r"|(?:%\(|[<{])([A-Za-z_][\w. \-\[\]\"'!]*+)(?:\)s|[>}])|[:@]([a-z_]+))"
).fullmatch
_STOP: Final = frozenset(
    _words(
        "must is was are not no none should shall cannot could would does did do too may can has have had required "
        "missing invalid expired wrong incorrect empty unknown denied failed failure rejected unset set changed "
        "rotated revoked refreshed mismatch ok okay success successful error err timeout connection unexpected unable "
        "user database permission field value string input length minimum maximum at least only please enter type "
        "http bad malformed unauthorized forbidden unsupported undefined present absent valid accepted verified "
        "updated created deleted reset policy check checking hidden redacted"
    )
)
_PLACEHOLDERS: Final = re.compile(r"(?:[\s,()]++|%s|%\(\w+\)s|\?|\$\d+|:\w+|\w+\(|DEFAULT|NULL)*+").fullmatch
_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][\w.]*+(?:[(\[].*)?", re.DOTALL).fullmatch
_OBJECT: Final = re.compile(r"<[^<>\n]{0,200}(?: object|instance| at 0x)[^<>\n]{0,200}>").match
_CODE: Final = re.compile(
    r"^[ |+\-]*File \"[^\"\n]*\", line \d+(?:, in [^\n]*)?\n((?:[ |]{4,}(?! *File \")[^\n]*(?:\n|\Z))+)", re.MULTILINE
)


class _Reader:
    """Reads one text from left to right, name by name."""

    def __init__(self, text: str, rules: Rules, found: list[Span]) -> None:
        self.text, self.rules, self.found = text, rules, found
        self.done = 0
        self._code: list[int] | None = None

    def name(self, name: str, closers: str, at: int, pos: int, separator: str) -> None:
        text = self.text
        before = text[at - 1] if at else ""
        if name == "input_value":
            self._input(pos)
            return
        rule = self.rules.of(name)
        if rule is None and before == " " and name.lower() in _NOUNS:
            rule = self._longer(name, at)
        if rule is None and name == "parameters" and text[pos : pos + 2].lstrip()[:1] in ("(", "[", "{"):
            rule = _SQL
        if rule is None and name == "input" and closers and "'loc':" in text:
            rule = _INPUT
        url = before in ("?", "&") and separator == "=" and before != ""
        if rule is None and url and name.lower() in _URL_NAMES:
            value = _BARE_URL.match(text, pos)
            if value and len(value[0]) >= 16 and not _PLAIN(value[0]):
                self._add(pos, value.end(), "key:" + name.lower())
        if rule is None or text.endswith(("[redacted:", "[redacted:key:"), max(0, at - 14), at):
            return
        opened = before if before in ("'", '"') and before not in closers else ""
        if opened and text[at - 2 : at - 1] == "\\":
            opened = "\\" + opened
        quoted = any(quote in closers for quote in "\"'`")
        self.value(pos, rule, opened=opened, url=url, prose=separator == ":" and not quoted and not url)

    def _longer(self, name: str, at: int) -> Rule | None:
        words = _BEFORE_BACKWARDS.match(self.text[max(0, at - 40) : at][::-1])
        if words is None:
            return None
        near = words[1][::-1]
        rule = self.rules.of(f"{near}_{name}")
        if rule is None and words[2]:
            rule = self.rules.of(f"{words[2][::-1]}_{near}_{name}")
        return rule

    def _add(self, begin: int, end: int, kind: str) -> None:
        if end > begin:
            self.found.append((begin, end, kind))
            self.done = max(self.done, end)

    def _input(self, pos: int) -> None:
        """What pydantic repeats of a value that it refuses, up to the last `, input_type=` of the line."""
        text = self.text
        stop = text.find("\n", pos)
        stop = len(text) if stop < 0 else stop
        end = text.rfind(", input_type=", pos, stop)
        end = stop if end < 0 else end
        if not MARKER.fullmatch(text, pos, end):
            self._add(pos, end, "input")
        self.done = max(self.done, end)

    def value(self, pos: int, rule: Rule, *, opened: str = "", url: bool = False, prose: bool = False) -> None:
        text, size = self.text, len(self.text)
        start = pos
        while pos < size and text[pos] in " \t":
            pos += 1
        spaced = pos > start
        if pos < size and text[pos] in "\r\n":  # pretty JSON
            after = pos
            while after < size and text[after].isspace():
                after += 1
            if after < size and text[after] in "\"'{[":
                pos = after
        if pos >= size or text[pos].isspace():
            return
        string, block = _OPEN.match(text, pos), _BLOCK(text, pos)
        if string is not None:
            self._string(string, rule)
        elif block is not None:
            self.hide(block.start(1), block.end(1), rule, quoted=True)
        elif text[pos] in "([{":
            self._container(pos, pos, rule)
        else:
            self._plain(pos, rule, opened=opened, url=url, prose=prose and spaced, spaced=spaced)

    def _string(self, opening: re.Match[str], rule: Rule) -> None:
        text, begin = self.text, opening.end()
        slashes, quote = opening[1], opening[2]
        if slashes:
            end = text.find(slashes + quote, begin)
            while end > 0 and text[end - 1] == "\\":
                end = text.find(slashes + quote, end + 1)
        else:
            closing = _STRING[quote].match(text, begin)
            end = closing.end() - 1 if closing else -1
        if end < 0:
            line = _LINE.match(text, begin)
            end = line.end() if line else len(text)
        self.hide(begin, end, rule, quoted=True)

    def _container(self, begin: int, pos: int, rule: Rule) -> None:
        """A list, tuple, object or call that begins at `begin` and has its first bracket at `pos`."""
        if self._in_code(begin):
            self.done = max(self.done, pos + 1)
            return
        depth, end = 0, len(self.text)
        for token in _BRACKETS.finditer(self.text, pos):
            if token[0] in "([{":
                depth += 1
            elif token[0] in ")]}":
                depth -= 1
                if depth == 0:
                    end = token.end()
                    break
        if MARKER.match(self.text, begin):
            self.done = max(self.done, begin)
            self._plain(begin, rule, opened="", url=False, prose=False, spaced=False)
        elif begin < pos:
            self.hide(begin, end, rule)
        elif end - begin > 2:
            self.hide(begin + 1, end - 1 if depth == 0 else end, rule)

    def _plain(self, pos: int, rule: Rule, *, opened: str, url: bool, prose: bool, spaced: bool) -> None:
        text = self.text
        marker = MARKER.match(text, pos)
        if marker is not None and (marker.end() == len(text) or not text[marker.end()].isalnum()):
            self.done = max(self.done, marker.end())
            return
        if text[pos] == "<" and (known := _OBJECT(text, pos)) is not None:
            self.done = max(self.done, known.end())
            return
        if marker is None and (call := _CALL.match(text, pos)) is not None:
            self._container(pos, call.end(), rule)
            return
        end = self._end(pos, rule, url=url, spaced=spaced)
        if opened:
            closing = text.find(opened, pos)
            if closing >= 0 and (closing < end or rule.reading in ("words", "line")):
                line = _LINE.match(text, pos)
                end = closing if line is None or closing < line.end() else min(end, line.end())
        value = text[pos:end]
        first = value.split(None, 1)[0].rstrip(".,:;!") if value.strip() else ""
        if prose and (first.lower() in _STOP or not rule.prose):
            return
        if (prose or rule.reading == "soft") and rule.reading != "words" and _is_word(value, rule, prose):
            return
        self.hide(pos, end, rule)

    def _end(self, pos: int, rule: Rule, *, url: bool, spaced: bool) -> int:
        text = self.text
        if url:
            match = _BARE_URL.match(text, pos)
            return match.end() if match else pos
        if rule.reading == "line":
            scheme = _SCHEMED.match(text, pos)
            if scheme is None or text[pos : pos + 9].lower() in ("digest us", "oauth oau", "aws4-hmac"):
                line = _LINE.match(text, pos)
                bare = _BARE.match(text, pos)
                return line.end() if line and (scheme or rule.kind == "key:set_cookie") else bare.end() if bare else pos
            bare = _BARE.match(text, scheme.end())
            return bare.end() if bare else scheme.end()
        if "cookie" in rule.kind and _COOKIE.match(text, pos):
            line = _LINE.match(text, pos)
            return line.end() if line else pos
        if spaced and rule.kind not in _OF_NAMES and _NEXT_NAME(text, pos):
            return pos  # no value: the next name follows
        bare = _BARE.match(text, pos)
        if bare is None:
            other = _ANYTHING(text, pos)
            return other.end() if other else pos
        end = bare.end()
        if rule.kind in _OF_NAMES and text[end : end + 1] == ";":
            line = _LINE.match(text, end)
            return line.end() if line else end
        if rule.reading == "words":
            more = None if self._is_placeholder(bare[0], quoted=False) else _MORE_WORDS.match(text, end)
            end = more.end() if more else end
        elif text[pos] in "+(0123456789" or "iban" in rule.kind:
            more = _MORE_DIGITS.match(text, end)
            end = more.end() if more else end
        return end

    def hide(self, begin: int, end: int, rule: Rule, *, quoted: bool = False) -> None:
        value = self.text[begin:end]
        stripped = value.strip().rstrip(",;.")
        self.done = max(self.done, end if quoted else begin)
        if not stripped or _HARMLESS(stripped) or MARKER.fullmatch(stripped) or self._is_placeholder(stripped, quoted):
            return
        if rule is _SQL and _PLACEHOLDERS(value):
            return
        if not rule.numbers and stripped.replace(".", "").isdigit() and not quoted:
            return
        if not quoted and self._in_code(begin) and _ATTRIBUTE(stripped):
            return
        self._add(begin, end, rule.kind)

    def _is_placeholder(self, value: str, quoted: bool) -> bool:
        match = _PLACEHOLDER(value)
        if match is None or (quoted and match[2]):
            return False
        name = match[1] or match[2]
        return name is None or self.rules.of(name) is not None

    def _in_code(self, place: int) -> bool:
        """Whether a place is in a line of source code that a traceback shows."""
        if self._code is None:
            self._code = []
            if 'File "' in self.text:
                for match in _CODE.finditer(self.text):
                    self._code += match.span(1)
        return bool(bisect_right(self._code, place) % 2)


_SQL: Final = Rule("sql_parameters", "token")
_INPUT: Final = Rule("input", "token")


def _is_word(value: str, rule: Rule, prose: bool) -> bool:
    """Whether a value is a word of a sentence, not a token."""
    value = value.rstrip(".,:;!?")
    if prose and len(value) < (8 if rule.reading == "soft" else 4) and not value.isdigit():
        return True
    return bool(_PLAIN(value)) and len(value) <= 24


def _named(text: str, rules: Rules, found: list[Span]) -> None:
    """Values after a name and a separator: the separators are looked for, the name before each is read backwards."""
    reader: _Reader | None = None
    done = 0
    for separator in _SEPARATOR.finditer(text):
        begin = separator.start()
        if begin < done:
            continue
        name = _NAME_BACKWARDS(text[max(done, begin - _NEAR) : begin][::-1])
        if name is None:
            continue
        if name.end() == _NEAR:  # a long one
            name = _NAME_BACKWARDS(text[max(done, begin - _REACH) : begin][::-1])
        if name is None or (rules[name[2]] is None and name[2] not in _SPECIAL) or separator[0] == "::":
            continue
        reader = reader or _Reader(text, rules, found)
        reader.name(_unescaped(name[2][::-1]), name[1], begin - name.end(), separator.end(), separator[0])
        done = reader.done


# --- what has a syntax of its own: SQL's messages, pairs, XML, command lines

_PAIR: Final = re.compile(r"[\[(]\s*+b?([\"'])([\w\-]{2,60}+)\1\s*+,\s*+(?=b?[\"'])")
_XML: Final = re.compile(r"<(?:[\w\-]{1,30}:)?([\w.\-]{2,60}+)(?:\s[^<>]{0,200}+)?>([^<]++)</")
_OPTION: Final = re.compile(r"(?<![\w\-])--([A-Za-z][\w\-]{1,60}+)[ \t]++(?=[^\s\-=])")
_CURL: Final = re.compile(r"(?<!\S)-u [\"']?[\w.@\-]{1,64}+:(?=[^\s/])")
_SPOKEN: Final = re.compile(
    r"\b(?:password|passwd|passphrase|identified\s++by(?:\s++password)?)\s++(?=['\"])", re.IGNORECASE
)
_KEY: Final = re.compile(r"\bKey \(([^=\n]{1,500}+)=\(")
_ROW: Final = re.compile(r"\bFailing row contains \(")
_DUPLICATE: Final = re.compile(r"\bDuplicate entry (?=')")
_FOR_KEY: Final = re.compile(r"'(?:[^'\\]|\\.){0,2000}+' for key '([\w.\-$]{1,200}+)'")
_INSERT: Final = re.compile(r"\(([^()]{1,4000}+)\)\s*+VALUES\s*+(?=\()", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(r"[a-z][a-z_]*+").fullmatch
_PASSWORD: Final = Rule("key:password", "words")


def _marked_up(text: str, rules: Rules, found: list[Span]) -> None:
    reader = _Reader(text, rules, found)
    for begin, rule in _places(text, rules):
        if begin >= reader.done:
            reader.value(begin, rule)
    if "</" in text:
        for match in _XML.finditer(text):
            if (rule_ := rules.of(match[1])) is not None:
                reader.hide(match.start(2), match.end(2), rule_, quoted=True)


def _places(text: str, rules: Rules) -> Iterator[tuple[int, Rule]]:
    """Begins of values, each with its rule."""
    if "'," in text or '",' in text:
        for match in _PAIR.finditer(text):
            if (rule := rules.of(match[2])) is not None and not _is_identifier(text, match.end()):
                yield match.end(), rule
    if "-u " in text or "--" in text:
        yield from _places_of_commands(text, rules)
    if "assw" in text or "ASSW" in text or "IDENTIFIED" in text:
        for match in _SPOKEN.finditer(text):
            yield match.end(), _PASSWORD
    if "(" in text:
        yield from _places_of_postgres(text, rules)
    if "Duplicate entry" in text:
        yield from _places_of_mysql(text, rules)


def _places_of_commands(text: str, rules: Rules) -> Iterator[tuple[int, Rule]]:
    for match in _CURL.finditer(text):
        yield match.end(), Rule("key:password", "token")
    for match in _OPTION.finditer(text):
        if (rule := rules.of(match[1])) is not None and rule.reading != "soft":
            yield match.end(), rule


def _places_of_mysql(text: str, rules: Rules) -> Iterator[tuple[int, Rule]]:
    for match in _DUPLICATE.finditer(text):
        key = _FOR_KEY.match(text, match.end())
        named = rules.of(re.split(r"[.\-$]", key[1])[-1].removesuffix("_UNIQUE")) if key else None
        if named is not None:
            yield match.end(), named


def _places_of_postgres(text: str, rules: Rules) -> Iterator[tuple[int, Rule]]:
    if "Key (" in text:
        for match in _KEY.finditer(text):
            named = [rules.of(word) for word in re.findall(r"\w+", match[1])]
            if any(named):
                yield match.end() - 1, next(rule for rule in named if rule)
    if "row contains (" in text:
        for match in _ROW.finditer(text):
            yield match.end() - 1, Rule("row", "token")
    if "VALUES" in text or "alues" in text:
        for match in _INSERT.finditer(text):
            if any(rules.of(word) for word in re.findall(r"\w+", match[1])):
                yield match.end(), _SQL


def _is_identifier(text: str, begin: int) -> bool:
    """Whether the string that begins here is a name rather than a value: ("body", "password")."""
    opening = _OPEN.match(text, begin)
    closing = _STRING[opening[2]].match(text, opening.end()) if opening else None
    return opening is None or closing is None or bool(_IDENTIFIER(text[opening.end() : closing.end() - 1]))

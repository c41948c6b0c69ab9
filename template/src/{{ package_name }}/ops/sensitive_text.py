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
RuleOf = Callable[[str], Rule | None]

MARKER: Final = re.compile(r"\[redacted:(?:key:)?[\w.\-]{1,64}\]")

# --- cheap looks, so that ordinary texts cost little

_DIGIT_CLASS: Final = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))
_TOKEN_CLASS: Final = bytes(97 if chr(code).isascii() and (chr(code).isalnum() or code in b"-_") else 32 for code in range(256))
_DIGITS: Final = b"0" * 6
_TOKEN: Final = b"a" * 15


def spans(text: str, rule_of: RuleOf, *, addresses: bool = False) -> list[Span]:
    """Everything in a text that must not be shown, in no order; the spans may overlap.

    Args:
        text: at most some 64 KiB.
        rule_of: the rule for a name.
        addresses: public IP addresses, too.
    """
    found: list[Span] = []
    if "=" in text or ":" in text:
        _named(text, rule_of, found)
        if addresses:
            _ip(text, found)
    elif addresses and "." in text:
        _ip(text, found)
    if "@" in text:
        _users(text, found)
        _mail(text, found, "@")
    if "%" in text and "40" in text:
        _mail(text, found, "%40")
    if "+" in text:
        _checked(text, _PHONE, found)
    raw = text.encode("utf-8", "surrogatepass")
    if _DIGITS in raw.translate(_DIGIT_CLASS, b" -./"):
        _numbers(text, found)
    if _TOKEN in raw.translate(_TOKEN_CLASS):
        _tokens(text, found)
    if "earer" in text or "asic " in text or "BEARER" in text:
        _schemes(text, found)
    if "-----BEGIN" in text or "---- BEGIN" in text:
        _private_keys(text, found)
    if "'" in text or '"' in text or "(" in text or "</" in text or " --" in text or text[:2] == "--":
        _marked_up(text, rule_of, found)
    return found


# --- e-mail addresses, and users in URLs

_HOST: Final = r"(?:[^\W_](?:[\w\-]*+)\.)++"
_MAIL: Final = {
    # The part before the at-sign of RFC 5322, without what more often delimits an address; an apostrophe (O'Brien)
    # unless it opens a literal of Python's (b'…).
    "@": re.compile(
        r"(?<![\w.+%\-])(?:[\w.+\-]++(?<![brfu\d])'(?=\w))?(?:[\w.+\-]*\+[\w.\-]*=)?[\w.+%\-]++@"
        r"((?:[\w\-]++\.)+)([^\W\d_][\w\-]*)(?!\w*\()"
    ),
    "%40": re.compile(
        r"(?<![\w.+%\-])(?:%[0-9A-Fa-f]{2}|[\w.+\-])+?%(?:25){0,2}40((?:[\w\-]++\.)+)([^\W\d_][\w\-]*)(?!\w*\()"
    ),
}
_NO_MAIL_USERS: Final = ("git@", "hg@", "svn@", "celery@")
_NO_MAIL_ENDS: Final = frozenset(
    "service socket timer target slice scope mount device path png jpg jpeg gif svg webp css js mjs map json html".split()
)
_VERSION: Final = re.compile(r"v?\d+\.\d+\.|\dx\.").match


def _mail(text: str, found: list[Span], at: str) -> None:
    for match in _MAIL[at].finditer(text):
        whole, host, end = match[0], match[1], match[2].lower()
        if len(end) < 2 or end in _NO_MAIL_ENDS or _VERSION(host) or whole.startswith(_NO_MAIL_USERS):
            continue
        if host.startswith("self.") and end not in ("com", "org", "net"):  # `weights@self.bias` in a line of code
            continue
        begin, stop = match.span()
        if any(first < stop and begin < last and kind == "userinfo" for first, last, kind in found[-8:]):
            continue
        found.append((begin, stop, "email"))


_URL: Final = re.compile(r"://")
_URL_END: Final = re.compile(r"[^\s\"'<>`]{0,512}+")
_PORT: Final = re.compile(r"[^\s/?#@:]*:\d{0,5}(?:[/?#]|\Z)").match
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
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        at = authority.rfind("@")
        if at < 0 and ":" in authority and not _PORT(rest):
            at = rest.rfind("@")  # the password holds a slash, a question mark or a number sign
        if at > 0 and rest[:at] not in ("git", "hg", "svn") and not MARKER.fullmatch(rest[:at]):
            found.append((begin, begin + at, "userinfo"))
            done = begin + at
    for match in _USER.finditer(text):
        if "sha256" not in match[0][-8:]:
            found.append((match.start(), match.end() - 1, "userinfo"))


# --- numbers with check digits

_AROUND: Final = r"(?<![0-9A-Za-z][0-9])(?<![0-9][.,][0-9])"
_AFTER: Final = r"(?![0-9A-Za-z])(?!\.[0-9])"
Check = Callable[[str], bool]
_NUMBERS: Final[tuple[tuple[str, re.Pattern[str], Check], ...]] = (
    (
        "card",
        re.compile(
            rf"[0-9]{_AROUND}(?:[0-9]{{12,18}}|[0-9]{{3}}[ .\-][0-9]{{4}}[ .\-][0-9]{{4}}[ .\-][0-9]{{1,4}}(?:[ .\-][0-9]{{3}})?|"
            rf"[0-9]{{3}}[ .\-][0-9]{{6}}[ .\-][0-9]{{4,5}}|[0-9]{{3}}(?:[ .\-][0-9]{{3}}){{3}}|[0-9]{{5}}[ .\-][0-9]{{13}}){_AFTER}"
        ),
        check_digits.is_card,
    ),
    ("national_id", re.compile(rf"[0-9]{_AROUND}[0-9]{{5}}[ .\-]?[0-9]{{5}}{_AFTER}"), check_digits.is_norwegian),
    (
        "national_id",
        re.compile(rf"[0-9]{_AROUND}(?:[0-9]{{5}}|[0-9]{{7}})[\-+][0-9]{{4}}{_AFTER}"),
        lambda text: check_digits.is_swedish(text) or ("-" == text[6] and check_digits.is_danish(text)),
    ),
    ("national_id", re.compile(rf"[0-9]{_AROUND}[0-9]{{11}}{_AFTER}"), check_digits.is_swedish),
    (
        "national_id",
        re.compile(rf"[0-9]{_AROUND}[0-9]{{5}}[\-+A-FU-Y][0-9]{{3}}[0-9A-FHJ-NPR-Y]{_AFTER}"),
        check_digits.is_finnish,
    ),
    ("national_id", re.compile(rf"[0-9]{_AROUND}[0-9]{{2}}-[0-9]{{2}}-[0-9]{{4}}{_AFTER}(?!-)"), check_digits.is_ssn),
    (
        "national_id",
        re.compile(
            r"[A-CEGHJ-PR-TW-Z](?<![0-9A-Za-z_].)[A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?![0-9A-Za-z_])"
        ),
        check_digits.is_nino,
    ),
)
_PHONE: Final = (
    "phone",
    re.compile(r"\+(?<![\w+].)[1-9][0-9]{0,2}(?:[ .\-]?\(0?\))?(?:[ .\-]?\(?[0-9]{1,12}\)?){1,7}+(?![0-9A-Za-z])"),
    check_digits.is_phone,
)
_IBAN: Final = re.compile(r"[A-Z](?<![0-9A-Za-z].)[A-Z][0-9]{2}(?=[ \-]?[0-9A-Z]{4})")
# A bare number with a unit is no person's and no card's.
_UNIT: Final = re.compile(
    r" ?(?:bytes?|[kKMGT]i?B|B|ms|us|µs|ns|sec(?:onds)?|s|rows?|records?|items?|events?|messages?|keys?|%)\b"
).match


def _checked(text: str, wanted: tuple[str, re.Pattern[str], Check], found: list[Span]) -> None:
    kind, regex, check = wanted
    for match in regex.finditer(text):
        if check(match[0]) and not (match[0].isdigit() and _UNIT(text, match.end())):
            found.append((match.start(), match.end(), kind))


def _numbers(text: str, found: list[Span]) -> None:
    for wanted in _NUMBERS:
        _checked(text, wanted, found)
    for match in _IBAN.finditer(text):
        end, left = match.start(), check_digits.iban_length(text[match.start() : match.start() + 2])
        if not left:
            continue
        limit = min(len(text), end + 2 * left)
        while left and end < limit:
            if text[end].isalnum():
                left -= 1
            elif text[end] not in " -":
                break
            end += 1
        if not left and not text[end : end + 1].isalnum() and check_digits.is_iban(text[match.start() : end]):
            found.append((match.start(), end, "iban"))


# --- addresses of clients

_IPS: Final = re.compile(
    r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.]*\w)|(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?:\.[0-9.]{5,13})?(?![\w:]))"
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
    r"|(?:discord|discordapp)\.com/api/webhooks/\d+/[\w\-]+|(?<=/bot)\d{8,10}:[\w\-]{30,}+|\d{8,10}:AA[\w\-]{32,33}(?![\w\-])"
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
_HEX: Final = re.compile(r"[0-9a-f\-]++|[0-9A-F\-]++|[a-z]++(?:[_\-][a-z]++)*+").fullmatch


def _tokens(text: str, found: list[Span]) -> None:
    for run in _RUN.finditer(text):
        if not _HEX(run[0]):  # neither an id nor a long name
            break
    else:
        return
    for match in _VENDOR.finditer(text):
        begin = match.start()
        if begin and text[begin - 1].isalnum() and text[begin - 1].isascii():
            continue
        if match[0][:3] == "sk-" and not any(char.isdigit() for char in match[0]):
            continue
        found.append((begin, match.end(), "token"))
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            if _is_jose(match[1]):
                found.append((match.start(), match.end(), "jwt"))


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
        value = match[2]
        if match[1].lower() == "basic":
            if not _is_basic(value):
                continue
        elif len(value) < 8 or (_PLAIN(value) and len(value) <= 24):
            continue
        found.append((match.start(2), match.end(2), "credentials"))


def _is_basic(value: str) -> bool:
    """Whether this is `user:password` in base64 (RFC 7617)."""
    try:
        decoded = binascii.a2b_base64(value.replace("%3D", "="), strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded


_PEM: Final = re.compile(r"-----? ?BEGIN [A-Z0-9 ]{0,40}+(?<=PRIVATE KEY)(?: BLOCK)?[ \-]*+|-----? ?BEGIN [A-Z0-9 ]{0,40}+(?<=PRIVATE KEY BLOCK)[ \-]*+")
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

_SEPARATOR: Final = re.compile(r":=|=>|[=!]=|::|[:=]")
_NAME_BACKWARDS: Final = re.compile(r"[ \t]{0,8}+([\"'`\])\\]{0,6}+)[ \t]{0,2}+([\w.\-]++)")
_BEFORE_BACKWARDS: Final = re.compile(r" ([\w\-]++)(?: ([\w\-]++))?")
_REACH: Final = 100
# The last word of names that people write with spaces: "API key: …", "Phone number: …".
_NOUNS: Final = frozenset("key number no nr address name string code birth id token secret insurance licence license".split())
_URL_NAMES: Final = frozenset("code key sig signature state hash auth ticket assertion samlresponse".split())
_OPEN: Final = re.compile(r"[bBuUrR]{0,2}(\\*)([\"'`])")
_STRING: Final = {
    # A quote that a letter follows is an apostrophe: password='it's mine'.
    quote: re.compile(rf"(?:[^{quote}\\]|\\.|{quote}(?=\w)|{quote}{quote}(?=\w))*+{quote}", re.DOTALL) for quote in "\"'`"
}
_BRACKETS: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'|[()\[\]{}]")
_CALL: Final = re.compile(r"[A-Za-z_][\w.]*+(?=\()")
_NEXT: Final = r"[\w.\-]++[\"']?\s*+[=:]"
_BARE: Final = re.compile(
    rf"(?:[^\s,;&\"'<>|)\]}}]++|[,;&|](?![\s\"']|\Z|{_NEXT})|[)\]}}\"'<>](?=\w))++"
)
_BARE_URL: Final = re.compile(r"[^\s&#\"'<>]++")
_MORE_WORDS: Final = re.compile(rf"(?:[ \t](?!{_NEXT})(?:[^\s,;&\"'<>|)\]}}]++|[,;&|](?![\s\"']|\Z|{_NEXT})|[)\]}}\"'<>](?=\w))++){{0,11}}+")
_MORE_DIGITS: Final = re.compile(r"(?:[ ]\(?[0-9][0-9A-Z()\-]{0,7}+(?![\w=:]))*+")
_SCHEMED: Final = re.compile(r"[A-Za-z][\w\-]*+[ \t]++(?=\S)")
_COOKIE: Final = re.compile(r"\s*[\w.\-]++=")
_LINE: Final = re.compile(r"[^\r\n]*+")
_HARMLESS: Final = re.compile(
    r"(?i:none|null|nil|true|false|undefined|yes|no|unset|n/a|nan)|-|\*+|[x•]{3,}|\.{3}|…|\[?<?(?:filtered|redacted|hidden|masked|removed)>?\]?"
    r"|SecretStr\(['\"]?\**['\"]?\)|SecretBytes\(b?['\"]?\**['\"]?\)"
    # placeholders of SQL, of formats, of shells and of documents; types
    r"|(?:(?:Bearer|Basic|Token) )?(?:\?|%s|%\(\w+\)s|\$\d+|\$\{?\w+\}?|:[a-z]\w*|@[a-z]\w*|\{[\w.!\[\]\"':]*\}|\{\{[^{}]*\}\}|<[\w \-]+>|__\w+__)"
    r"|(?:str|int|bytes|float|bool|object|string|text|varchar|integer|boolean|SecretStr|SecretBytes|Any|Optional|EmailStr|"
    r"date|datetime|dict|list|tuple|set|Annotated|Field|Literal)(?:\[.*)?(?: ?\| ?None)?",
    re.DOTALL,
).fullmatch
_STOP: Final = frozenset(
    "must is was are not no none should shall cannot could would does did do too may can has have had required missing "
    "invalid expired wrong incorrect empty unknown denied failed failure rejected unset set changed rotated revoked "
    "refreshed mismatch ok okay success successful error err timeout connection unexpected unable user database "
    "permission field value string input length minimum maximum at least only please enter type http bad malformed "
    "unauthorized forbidden unsupported undefined present absent valid accepted verified updated created deleted reset "
    "policy check checking hidden redacted".split()
)
_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][\w.]*+(?:[(\[].*)?", re.DOTALL).fullmatch
_OBJECT: Final = re.compile(r"<[^<>\n]{0,200}(?: object|instance| at 0x)[^<>\n]{0,200}>|<[a-z][a-z _\-]{0,30}>").match
_CODE: Final = re.compile(r"^[ |+\-]*File \"[^\"\n]*\", line \d+(?:, in [^\n]*)?\n((?:[ |]{4,}(?! *File \")[^\n]*(?:\n|\Z))+)", re.MULTILINE)


class _Reader:
    """Reads one text from left to right, name by name."""

    def __init__(self, text: str, rule_of: RuleOf, found: list[Span]) -> None:
        self.text, self.rule_of, self.found = text, rule_of, found
        self.done = 0
        self._code: list[int] | None = None

    def read(self) -> None:
        text = self.text
        for separator in _SEPARATOR.finditer(text):
            begin = separator.start()
            if begin < self.done or separator[0] == "::":
                continue
            low = max(self.done, begin - _REACH)
            name = _NAME_BACKWARDS.match(text[low:begin][::-1])
            if name is not None:
                self._name(name[2][::-1], name[1], begin - name.end(), separator.end(), separator[0])

    def _name(self, name: str, closers: str, at: int, pos: int, separator: str) -> None:
        text = self.text
        before = text[at - 1] if at else ""
        if name == "input_value":
            self._input(pos)
            return
        rule = self.rule_of(name)
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
        self._value(pos, rule, opened=opened, url=url, prose=separator == ":" and not quoted and not url)

    def _longer(self, name: str, at: int) -> Rule | None:
        words = _BEFORE_BACKWARDS.match(self.text[max(0, at - 40) : at][::-1])
        if words is None:
            return None
        near = words[1][::-1]
        rule = self.rule_of(f"{near}_{name}")
        if rule is None and words[2]:
            rule = self.rule_of(f"{words[2][::-1]}_{near}_{name}")
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

    def _value(self, pos: int, rule: Rule, *, opened: str, url: bool, prose: bool) -> None:
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
        string = _OPEN.match(text, pos)
        if string is not None:
            self._string(string, rule)
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
        self._hide(begin, end, rule, quoted=True)

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
            self._hide(begin, end, rule)
        elif end - begin > 2:
            self._hide(begin + 1, end - 1 if depth == 0 else end, rule)

    def _plain(self, pos: int, rule: Rule, *, opened: str, url: bool, prose: bool, spaced: bool) -> None:
        text = self.text
        if text[pos] == "<" and (known := _OBJECT(text, pos)) is not None:
            self.done = max(self.done, known.end())
            return
        if MARKER.match(text, pos) is None and (call := _CALL.match(text, pos)) is not None:
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
        if prose and first.lower() in _STOP:
            return
        if (prose or rule.reading == "soft") and rule.reading in ("token", "soft", "line") and _is_word(value, rule):
            return
        self._hide(pos, end, rule)

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
        if spaced and re.compile(r"[\w.\-]++=[^\s=]").match(text, pos) and rule.reading != "line":
            return pos  # no value: the next name follows
        bare = _BARE.match(text, pos)
        if bare is None:
            other = re.compile(r"[^\s\"']++").match(text, pos)
            return other.end() if other else pos
        end = bare.end()
        if rule.reading == "words" and (more := _MORE_WORDS.match(text, end)):
            end = more.end()
        elif text[pos] in "+(0123456789" or "iban" in rule.kind:
            more = _MORE_DIGITS.match(text, end)
            end = more.end() if more else end
        return end

    def _hide(self, begin: int, end: int, rule: Rule, *, quoted: bool = False) -> None:
        value = self.text[begin:end]
        stripped = value.strip().rstrip(",;.")
        self.done = max(self.done, end if quoted else begin)
        if not stripped or _HARMLESS(stripped) or MARKER.fullmatch(stripped):
            return
        if not rule.numbers and stripped.replace(".", "").isdigit() and not quoted:
            return
        if not quoted and self._in_code(begin) and _ATTRIBUTE(stripped):
            return
        self._add(begin, end, rule.kind)

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


def _is_word(value: str, rule: Rule) -> bool:
    """Whether a value is a word of a sentence, not a token."""
    value = value.rstrip(".,:;!?")
    if len(value) < (8 if rule.reading == "soft" else 4):
        return True
    return bool(_PLAIN(value)) and len(value) <= 24


def _named(text: str, rule_of: RuleOf, found: list[Span]) -> None:
    _Reader(text, rule_of, found).read()


# --- what has a syntax of its own: SQL's messages, pairs, XML, command lines

_PAIR: Final = re.compile(r"[\[(]\s*+b?([\"'])([\w\-]{2,60}+)\1\s*+,\s*+(?=b?[\"'])")
_XML: Final = re.compile(r"<(?:[\w\-]{1,30}:)?([\w.\-]{2,60}+)(?:\s[^<>]{0,200}+)?>([^<]++)</")
_OPTION: Final = re.compile(r"(?<![\w\-])--([A-Za-z][\w\-]{1,60}+)[ \t]++(?=[^\s\-=])")
_SPOKEN: Final = re.compile(r"\b(?:password|passwd|passphrase|identified\s++by(?:\s++password)?)\s++(?=['\"])", re.IGNORECASE)
_KEY: Final = re.compile(r"\bKey \(([^=\n]{1,500}+)=\(")
_ROW: Final = re.compile(r"\bFailing row contains \(")
_DUPLICATE: Final = re.compile(r"\bDuplicate entry (?=')")
_FOR_KEY: Final = re.compile(r"'(?:[^'\\]|\\.){0,2000}+' for key '([\w.\-$]{1,200}+)'")
_INSERT: Final = re.compile(r"\(([^()]{1,4000}+)\)\s*+VALUES\s*+(?=\()", re.IGNORECASE)
_IDENTIFIER: Final = re.compile(r"[a-z][a-z_]*+").fullmatch
_PASSWORD: Final = Rule("key:password", "words")


def _marked_up(text: str, rule_of: RuleOf, found: list[Span]) -> None:
    reader = _Reader(text, rule_of, found)
    for begin, rule, check in _places(text, rule_of):
        if begin < reader.done:
            continue
        if check:
            value = _OPEN.match(text, begin)
            end = _STRING[value[2]].match(text, value.end()) if value else None
            if value is None or end is None or _IDENTIFIER(text[value.end() : end.end() - 1]):
                continue
        reader._value(begin, rule, opened="", url=False, prose=False)  # noqa: SLF001 - of this module
    if "</" in text:
        for match in _XML.finditer(text):
            if (found_rule := rule_of(match[1])) is not None:
                reader._hide(match.start(2), match.end(2), found_rule, quoted=True)  # noqa: SLF001


def _places(text: str, rule_of: RuleOf) -> Iterator[tuple[int, Rule, bool]]:
    """Begins of values, each with its rule and whether the value could be a name as well."""
    for regex, group, check in ((_PAIR, 2, True), (_OPTION, 1, False)):
        for match in regex.finditer(text):
            if (rule := rule_of(match[group])) is not None and rule.reading != "soft" or check:
                if rule is not None:
                    yield match.end(), rule, check
    for match in _SPOKEN.finditer(text):
        yield match.end(), _PASSWORD, False
    if "(" in text:
        for match in _KEY.finditer(text):
            rules = [rule_of(word) for word in re.findall(r"\w+", match[1])]
            if (named := next((rule for rule in rules if rule), None)) is not None:
                yield match.end() - 1, named, False
        for match in _ROW.finditer(text):
            yield match.end() - 1, Rule("row", "token"), False
        for match in _INSERT.finditer(text):
            if any(rule_of(word) for word in re.findall(r"\w+", match[1])):
                yield match.end(), _SQL, False
    for match in _DUPLICATE.finditer(text):
        key = _FOR_KEY.match(text, match.end())
        named = rule_of(re.split(r"[.\-$]", key[1])[-1].removesuffix("_UNIQUE")) if key else None
        if named is not None:
            yield match.end(), named, False

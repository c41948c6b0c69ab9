"""Names of fields, headers, parameters and settings whose values must not be shown.

A name is folded into words: `X-Api-Key`, `xApiKey` and `x_api_key` are one.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

# How a value without quotes is read from a text:
#   words   over spaces, to the end of the phrase: passwords, names of people, addresses, dates
#   token   one word; after ": ", in prose, a plain English word is no token ("invalid token: expired")
#   soft    as token, and after "=" too, since these names mean other things as well ("session=closed")
#   line    to the end of the line: headers
Reading = Literal["words", "token", "soft", "line"]


def _words(text: str) -> list[str]:
    return text.split()


@dataclass(frozen=True, slots=True)
class Rule:
    """How the values under a name are found and what they are called.

    Args:
        kind: stands in the place of the value.
        reading: how a value without quotes is read from a text.
        numbers: numbers are values to hide, too; not so for `tokens`, which is more often a count.
        prose: the name is meant where ": " follows it in a text, without quotes.
    """

    kind: str
    reading: Reading
    numbers: bool = True
    prose: bool = True


_WORDS: Final = (
    "password passwd pwd passphrase passcode passord losenord adgangskode kennwort secret "
    "first_name last_name full_name middle_name given_name family_name maiden_name surname firstname lastname fullname "
    "fornavn etternavn birth_date date_of_birth birthdate birthday dob fodselsdato birth_name "
    "street street_address postal_address home_address billing_address shipping_address delivery_address "
    "mailing_address residential_address address_line"
)
_TOKENS: Final = (
    "token jwt bearer apikey api_key secret_key private_key access_key access_key_id secret_access_key encryption_key "
    "signing_key master_key auth_key account_key shared_access_key subscription_key ssh_key hmac_key session_key "
    "service_account_key storage_key auth_code authorization_code client_assertion "
    "sessionid session_id session_token session_cookie sessid csrf xsrf csrf_token csrfmiddlewaretoken xsrf_token "
    "dsn connection_string connectionstring conn_str otp totp one_time_code mfa_code pin pin_code card_pin "
    "cvv cvc cvv2 cvc2 card_number cardnumber credit_card creditcard card_no iban account_number bank_account "
    "routing_number x_amz_signature x_amz_credential shared_access_signature "
    "email e_mail email_address epost e_post mailaddress phone mobile telephone msisdn phone_number mobile_number "
    "telephone_number tel cell_phone cellphone mobil telefon telefonnummer mobilnummer fax "
    "ssn social_security social_security_number fodselsnummer fnr personnummer personal_number national_id "
    "national_identity national_identity_number national_insurance_number identity_number nin nino cpr cpr_number hetu "
    "henkilotunnus bsn tax_id tax_number steuer_id pesel dni nie codice_fiscale passport passport_number id_card "
    "drivers_license driver_license driving_licence d_number dnummer"
)
_SOFT: Final = "auth session sess pass cookie cookies credential credentials"
_LINES: Final = "authorization proxy_authorization set_cookie"
_ALONE: Final = "x_auth cookie2"

_SUFFIXES: Final[dict[str, Rule]] = {
    **{name: Rule(f"key:{name}", "words") for name in _WORDS.split()},
    **{name: Rule(f"key:{name}", "token") for name in (_TOKENS + " " + _ALONE).split()},
    **{name: Rule(f"key:{name}", "soft", numbers=False) for name in _SOFT.split()},
    **{name: Rule(f"key:{name}", "line") for name in _LINES.split()},
}
_ANYWHERE: Final = frozenset(
    ["password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "credential", "credentials", "jwt"]
)
_ANYWHERE_LINE: Final = frozenset(("authorization",))
# Parts of names that are written as one word; each long enough to be no part of another word.
_INSIDE: Final = re.compile(
    r"password|passwd|passphrase|apikey|privatekey|secretkey|accesskey|clientsecret|(?:access|refresh|auth|bearer|csrf|"
    r"xsrf|session|api|user|device)token|sessionid|sessid|connectionstring|creditcard|cardnumber|emailaddress|"
    r"phonenumber|mobilenumber|fodselsnummer|personnummer|dateofbirth|authorization|middlewaretoken"
)
_INSIDE_END: Final = ("token", "secret", "passwd", "credentials")
# A name that ends so tells something about the secret, not the secret.
_ABOUT: Final = frozenset(
    _words(
        "count counts total length len size bytes chars type kind class id ids url uri endpoint path file filename "
        "dir policy strength valid validity present used usage limit limits budget quota rate bucket status state "
        "error errors reason verified changed enabled disabled required optional algorithm alg source domain provider "
        "template sent attempts attempt retries scheme name names version arn store backend expiry expires expired "
        "expiration exp ttl age at in seconds secs minutes hours days ms ns us time timeout date duration index "
        "position issuer iss audience method mode label field fields column columns param format pattern regex prefix "
        "suffix rotation rotated manager service server client handler middleware factory model schema scope scopes "
        "ids num max min ref refs exists missing invalid location region samesite secure httponly consent banner "
        "reset resets hint question questions created updated issued revoked lifetime window cost price per entropy "
        "generator validator checker parser encoder decoder map cache pool maker lookup match matches mismatch check "
        "checks"
    )
)
_ABOUT_BEFORE: Final = frozenset(
    _words(
        "has is num max min n total count no use uses used allow allows require requires required needs should skip "
        "missing invalid valid supports with without can public publishable"
    )
)
_NEUTRAL: Final = frozenset(
    _words(
        "value header string str raw plain plaintext text hash hashed digest encrypted confirmation confirm repeat "
        "again new old current data b64 base64 hex input number no nr address 1 2 3 list env var secret body"
    )
)
# Tokens that are none: cursors of paged lists, and what language models call so.
_NEVER: Final = frozenset(
    _words(
        "next_token page_token next_page_token previous_page_token continuation_token cancellation_token sync_token "
        "eos_token bos_token pad_token unk_token sep_token mask_token stop_token idempotency_token public_key "
        "cache_key primary_key public_token no_auth db_session http_session"
    )
)
_PLURALS: Final = {"tokens": "token", "secrets": "secret", "passwords": "password", "emails": "email"} | {
    "sessions": "session",
    "phones": "phone",
    "credentials": "credentials",
    "cookies": "cookies",
}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
_LETTERS: Final = str.maketrans({"ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ß": "ss", "đ": "d", "ł": "l"})
_LONGEST: Final = 96


def folded(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case and without accents: `X-ApiKey` is `x`, `api`, `key`."""
    name = name[-_LONGEST:]
    if not name.isascii():
        name = unicodedata.normalize("NFKD", name.translate(_LETTERS))
        name = "".join(char for char in name if not unicodedata.combining(char))
    return tuple(word.lower() for word in _WORD.findall(name))


def rule_for(name: str) -> Rule | None:
    """The rule for a name, or None for one whose values may be shown."""
    words = folded(name)
    if not words or "_".join(words) in _NEVER:
        return None
    found = _by_words(words)
    if found is None and len(words) > 1 and words[-1].isdigit():
        words = words[:-1]
        found = _by_words(words)
    while found is None and len(words) > 1 and words[-1] in _NEUTRAL:
        words = words[:-1]
        found = _by_words(words)
    return found


def _by_words(words: tuple[str, ...]) -> Rule | None:
    for start in range(len(words)):
        if (rule := _SUFFIXES.get("_".join(words[start:]))) is not None:
            return None if start and words[0] in _ABOUT_BEFORE else rule
    last = words[-1]
    if last in _ABOUT or words[0] in _ABOUT_BEFORE or "_".join(words[-2:]) in _NEVER:
        return None
    if (single := _PLURALS.get(last)) is not None:
        rule = _SUFFIXES[single]
        return Rule(rule.kind, rule.reading, numbers=False)
    for word in words:
        if word in _ANYWHERE:
            return _SUFFIXES[word]
        if word in _ANYWHERE_LINE:
            return _SUFFIXES[word]
    joined = "".join(words)
    if (stem := _INSIDE.search(joined)) is not None:
        rest = joined[stem.end() :]
        about = rest.removesuffix("s") in _ABOUT or rest in _ABOUT
        return None if about else _named(stem[0])
    if last.endswith(_INSIDE_END):
        return next(_named(stem) for stem in _INSIDE_END if last.endswith(stem))
    return None


def _named(stem: str) -> Rule:
    known = _SUFFIXES.get(stem)
    return known if known is not None else Rule(f"key:{stem}", "token")

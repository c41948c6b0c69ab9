"""Numbers that say by themselves what they are: cards, accounts, national identity numbers, telephone numbers.

Each function takes the text of one candidate and says whether its check digits, and its date if it has one, are right.
"""

from typing import Final

_DAYS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Issuers and their lengths, ISO/IEC 7812: first and last prefix, digits. A number of 13 digits that begins with 1 is a
# time in milliseconds until 2033, so that no issuer's range may begin there.
_ISSUERS: Final = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (6011, 6011, (16, 17, 18, 19)),  # Discover
    (644, 659, (16, 17, 18, 19)),
    (300, 305, (14, 16)),  # Diners Club
    (3095, 3095, (14, 16)),
    (36, 36, (14,)),
    (38, 39, (14, 16)),
    (3528, 3589, (16, 17, 18, 19)),  # JCB
    (62, 62, (16, 17, 18, 19)),  # UnionPay
    (2200, 2204, (16, 17, 18, 19)),  # Mir
    (5018, 5018, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (5020, 5020, (13, 14, 15, 16, 17, 18, 19)),
    (5038, 5038, (13, 14, 15, 16, 17, 18, 19)),
    (5893, 5893, (13, 14, 15, 16, 17, 18, 19)),
    (6304, 6304, (13, 14, 15, 16, 17, 18, 19)),
    (6759, 6763, (13, 14, 15, 16, 17, 18, 19)),
    (9792, 9792, (16,)),  # Troy
)
# Length of an account number by country: SWIFT's IBAN registry.
_IBAN: Final = {
    **dict.fromkeys(("NO",), 15),
    **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FK", "FO", "GL", "NL", "SD"), 18),
    **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "OM", "SO", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25),
    **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HN", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29),
    **dict.fromkeys(("JO", "KW", "MU", "YE"), 30),
    **dict.fromkeys(("MT", "SC"), 31),
    **dict.fromkeys(("LC",), 32),
    **dict.fromkeys(("RU",), 33),
}
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_HETU: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
# Country calling codes (ITU-T E.164 list of assigned codes) by their digits.
_CODES: Final = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 "
    "84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 "
    "236 237 238 239 240 241 242 243 244 245 246 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 "
    "265 266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 "
    "377 378 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 "
    "594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 "
    "850 852 853 855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 "
    "995 996 998"
)
_CALLING: Final = frozenset(_CODES.split())
_PHONE_DIGITS: Final = {"1": (11, 11), "7": (11, 11), "45": (10, 10), "47": (10, 14), "46": (9, 13), "33": (11, 11)}


def digits(text: str) -> str:
    """Only the digits of a text."""
    return "".join(char for char in text if "0" <= char <= "9")


def luhn(number: str) -> bool:
    """Whether the last digit is right: every second digit from the right doubled, nines cast out (ISO/IEC 7812-1)."""
    return sum(map(int, number[::-2] + number[-2::-2].translate(_DOUBLED))) % 10 == 0


def is_card(text: str) -> bool:
    """A payment card: an issuer's prefix with a length that it uses, and a right check digit."""
    number = digits(text)
    if not 13 <= len(number) <= 19:
        return False
    for first, last, lengths in _ISSUERS:
        if first <= int(number[: len(str(first))]) <= last and len(number) in lengths:
            return luhn(number)
    return False


def is_iban(text: str) -> bool:
    """A bank account: its country's length, and 1 as the remainder by 97 of the rearranged number (ISO 13616)."""
    compact = "".join(char for char in text if char.isalnum())
    if _IBAN.get(compact[:2]) != len(compact) or not compact.isascii():
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def iban_length(country: str) -> int:
    """Characters of a country's account numbers; 0 where there are none."""
    return _IBAN.get(country, 0)


def is_norwegian(text: str) -> bool:
    """A Norwegian fødselsnummer, D-number (day + 40), H-number or synthetic number (month + 40, + 65, + 80).

    Its two check digits are MOD 11 with the weights 3 7 6 1 8 9 4 5 2 and 5 4 3 2 7 6 5 4 3 2
    (https://www.skatteetaten.no/person/folkeregister/identitetsnummer/); since 2032 the first remainder may be 0 to 3.
    """
    number = digits(text)
    if len(number) != 11:
        return False
    day, month = int(number[:2]), int(number[2:4])
    day -= 40 if day > 40 else 0
    month -= 80 if month > 80 else 65 if month > 65 else 40 if month > 40 else 0
    if not _is_day(day, month):
        return False
    first = sum(weight * int(char) for weight, char in zip((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), number, strict=False))
    second = sum(weight * int(char) for weight, char in zip((5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), number, strict=True))
    return first % 11 == 0 and second % 11 == 0


def is_swedish(text: str) -> bool:
    """A Swedish personnummer or samordningsnummer (day + 60): Luhn over its last ten digits (SKV 704).

    `20260131-1200` is such a number in one case of ten, and much more often a time: from the year 2015 on, one whose
    last four digits may be an hour and a minute is taken for that.
    """
    number = digits(text)
    if len(number) not in (10, 12) or (len(number) == 12 and number[:2] not in ("18", "19", "20")):
        return False
    year = int(number[:-8])
    recent = 15 <= year <= 40 or 2015 <= year <= 2040
    number = number[-10:]
    day = int(number[4:6])
    if not _is_day(day - 60 if day > 60 else day, int(number[2:4])):
        return False
    return luhn(number) and not (recent and int(number[6:8]) < 24 and int(number[8:]) < 60)


def is_danish(text: str) -> bool:
    """A Danish CPR number in the form `DDMMYY-NNNN`: a date only, since its check digit was given up in 2007."""
    number = digits(text)
    return len(number) == 10 and _is_day(int(number[:2]), int(number[2:4]))


def is_finnish(text: str) -> bool:
    """A Finnish henkilötunnus: its nine digits' remainder by 31 gives the last character (DVV)."""
    number = text[:6] + text[7:10]
    return _is_day(int(text[:2]), int(text[2:4])) and _HETU[int(number) % 31] == text[10]


def is_ssn(text: str) -> bool:
    """A social security number of the United States: no group of zeros, no area 666 or 9xx (SSA)."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_nino(text: str) -> bool:
    """A national insurance number of the United Kingdom: its prefix is one that is given out (HMRC, NIM39110)."""
    return text[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def is_phone(text: str) -> bool:
    """A telephone number in international form: a country's code and as many digits as it uses (ITU-T E.164)."""
    number = digits(text)
    code = next((number[:length] for length in (1, 2, 3) if number[:length] in _CALLING), "")
    low, high = _PHONE_DIGITS.get(code, (9, 15))
    return bool(code) and low <= len(number) <= high


def _is_day(day: int, month: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= _DAYS[month]

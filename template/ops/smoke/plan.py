"""`smoke.yaml`: what the owner expects of this service beside what every service has."""

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from .masking import Masks
from .outcome import BadInput
from .reading import headers, keys, number, typed

ANYTHING: Final = object()  # no expectation of the answer's document
_LINE = re.compile(r"([A-Z]{1,20}) (/[!-~]*)").fullmatch
_PATH = re.compile(r"/[!-~]*").fullmatch
_TOP = ("service", "requests", "unknown_path", "documentation", "headers", "certificate_days", "skip")
_REQUEST = ("name", "request", "headers", "body", "status", "json")


@dataclass(frozen=True, slots=True)
class Request:
    """One real request of the API, and what its answer must be. `status` None: any from 200 to 299."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    status: int | None = None
    json: Any = ANYTHING


@dataclass(frozen=True, slots=True)
class Plan:
    """All of `smoke.yaml`. `certificate_days`: for how many days a certificate must be valid still."""

    service: str | None = None
    requests: tuple[Request, ...] = ()
    unknown_path: str = "/no-such-path"
    documentation: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    certificate_days: int = 14
    skip: Mapping[str, str] = field(default_factory=dict)

    def asking(self, requests: tuple[Request, ...]) -> "Plan":
        """The same with other requests."""
        return replace(self, requests=requests)


def read(file: Path, checks: Collection[str], masks: Masks, environ: Mapping[str, str] = os.environ) -> Plan:
    """Read the file; values of headers that come from the environment are masked from now on.

    Args:
        file: in YAML.
        checks: ids that may stand under `skip`.
        masks: gets the secrets.
        environ: where `{env: NAME}` is looked up.

    Raises:
        BadInput: it can't be read, or something in it is wrong.
    """
    given = loaded(file)
    keys(given, _TOP, str(file))
    requests = typed(given, "requests", list, "a list", [], str(file))
    skip = typed(given, "skip", dict, "check: reason", {}, str(file))
    for name, reason in skip.items():
        if name not in checks:
            raise BadInput(f"{file}: skip: {name!r} is no check; there are {', '.join(checks)}")
        if not isinstance(reason, str) or not reason.strip():
            raise BadInput(f"{file}: skip: {name}: say why, in a sentence")
    return Plan(
        typed(given, "service", str, "a name", None, str(file)),
        tuple(request(each, f"{file}: requests[{index}]", masks, environ) for index, each in enumerate(requests)),
        _path(typed(given, "unknown_path", str, "a path", Plan().unknown_path, str(file)), f"{file}: unknown_path"),
        _documentation(given, str(file)),
        headers(given, str(file), masks, environ),
        number(given, "certificate_days", 0, 3650, 14, str(file)),
        skip,
    )


def line(text: str, where: str) -> tuple[str, str]:
    """Method and path of `GET /v1/things`.

    Raises:
        BadInput: it is not of this form.
    """
    match = _LINE(text)
    if match is None or "#" in text:
        raise BadInput(f"{where}: {text!r} is no request; write a method and a path, as GET /v1/things")
    return match[1], match[2]


def loaded(file: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping, or nothing.

    Raises:
        BadInput: it can't be read, or holds something else.
    """
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise BadInput(f"{file}: this is no YAML: {at}{error.problem}; mend it there") from None
    except (OSError, yaml.YAMLError, RecursionError, ValueError, LookupError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no YAML in UTF-8"
        raise BadInput(f"{file}: can't be read: {reason}; mend it, or name another with --config") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadInput(f"{file}: it must hold keys and values, such as requests:, and holds {type(document).__name__}")
    return document


def _path(value: str, where: str) -> str:
    if not _PATH(value) or "#" in value:
        raise BadInput(f"{where}: {value!r} is no path; write one that begins with /, percent-encoded")
    return value


def _documentation(given: Mapping[str, Any], where: str) -> str | None:
    value = given.get("documentation")
    if value not in (None, "open", "closed"):
        raise BadInput(f"{where}: documentation: {value!r}; write open or closed, or leave it out")
    return value


def request(given: Any, where: str, masks: Masks, environ: Mapping[str, str] = os.environ) -> Request:
    """One entry of `requests`.

    Raises:
        BadInput: something in it is wrong.
    """
    if not isinstance(given, dict):
        raise BadInput(f"{where}: {given!r} is no request; write - request: GET /v1/things")
    keys(given, _REQUEST, where)
    method, path = line(typed(given, "request", str, "GET /v1/things", "", where), f"{where}: request")
    name = typed(given, "name", str, "a few words", f"{method} {path}", where)
    for key in ("body", "json"):
        try:
            json.dumps(given.get(key), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BadInput(f"{where}: {key}: {error}; put a date or the like in quotes") from None
    return Request(
        masks.text(name),
        method,
        path,
        headers(given, where, masks, environ),
        given.get("body"),
        number(given, "status", 100, 599, None, where),
        given.get("json", ANYTHING),
    )

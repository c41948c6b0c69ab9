"""Values of `smoke.yaml`, each refused with its place if it is not what it must be; and files that reports go to."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .masking import Masks
from .outcome import BadInput

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}").fullmatch
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?").fullmatch


def keys(given: Mapping[Any, Any], known: Collection[str], where: str) -> None:
    """Refuse a key that is not known."""
    for key in given:
        if key not in known:
            raise BadInput(f"{where}: {key!r} is no key here; there are {', '.join(known)}")


def typed(given: Mapping[str, Any], key: str, kind: type, form: str, default: Any, where: str) -> Any:
    """The value of a key, of this type.

    Raises:
        BadInput: it is of another.
    """
    value = given.get(key)
    if value is not None and not isinstance(value, kind):
        raise BadInput(f"{where}: {key}: {value!r} is not of the form: {form}")
    return default if value is None else value


def number(given: Mapping[str, Any], key: str, low: int, high: int, default: int | None, where: str) -> Any:
    """The value of a key, a whole number from `low` to `high`."""
    value = given.get(key)
    if value is not None and (type(value) is not int or not low <= value <= high):
        raise BadInput(f"{where}: {key}: {value!r} is no number from {low} to {high}")
    return default if value is None else value


def headers(given: Mapping[str, Any], where: str, masks: Masks, environ: Mapping[str, str]) -> dict[str, str]:
    """The value of `headers`: a text each, or `{env: NAME}`, which is masked from now on."""
    found = {}
    for name, value in typed(given, "headers", dict, "name: value", {}, where).items():
        at = f"{where}: headers: {name}"
        if not isinstance(name, str) or not _HEADER(name):
            raise BadInput(f"{at}: this is no header's name; write letters, digits and dashes")
        if isinstance(value, dict):
            value = _secret(value, at, masks, environ)  # noqa: PLW2901
        if not isinstance(value, str) or not _HEADER_VALUE(value):
            raise BadInput(f"{at}: its value is no line of ASCII text; write a text in quotes, or {{env: NAME}}")
        found[name] = value
    return found


def _secret(value: Mapping[Any, Any], where: str, masks: Masks, environ: Mapping[str, str]) -> str:
    variable = value.get("env")
    if list(value) != ["env"] or not isinstance(variable, str):
        raise BadInput(f"{where}: write a text, or {{env: NAME}} for a value from the environment")
    if not environ.get(variable):
        raise BadInput(f"{where}: the environment variable {variable} is not set; set it, or leave the request out")
    masks.add(environ[variable])
    # "Bearer xyz": the part after the space is the secret, and may come back alone.
    masks.add(environ[variable].rpartition(" ")[2])
    return environ[variable]


def written(file: Path | None, text: str) -> None:
    """Write a report, if it is wanted.

    Raises:
        BadInput: it can't be written there.
    """
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise BadInput(f"{file}: can't be written: {error.strerror}; name a file in a folder that can") from None

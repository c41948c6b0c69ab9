"""Values of secret settings in files that are committed: configuration, manifests, compose and the like."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from . import deployed, known_secrets
from .outcome import Failed
from .service import Service

REFERENCE: Final = "docs/configuration.md"
_ROW: Final = re.compile(r"(?m)^\| `(APP_\w+)` \| `([\w.]+)` \| ([^|]*)\|")
_ENV: Final = re.compile(r"""(?m)^\s*(?:ENV\s+|-\s+|export\s+)?["']?(APP_\w+)["']?\s*[=:]\s*(.*?)\s*\\?$""")


def names(service: Service) -> dict[str, str]:
    """Variables of secret settings, each with its key in YAML, from the reference that the settings classes make.

    Raises:
        Failed: the reference is not there, or names no setting.
    """
    rows = _ROW.findall(service.text(REFERENCE))
    if not rows:
        raise Failed(f"{REFERENCE} lists no settings: make docs")
    return {variable: key for variable, key, accepts in rows if "secret" in accepts}


def values(service: Service) -> Iterator[str]:
    """Each place where a secret setting has a value, or development's value elsewhere, without the value."""
    known = names(service)
    yield from known_secrets.found(service, known.values())
    yield from _in_configuration(service, known)
    yield from _in_manifests(service, known)
    yield from _in_lines(service, known)


def _in_configuration(service: Service, known: dict[str, str]) -> Iterator[str]:
    for file in sorted((service.root / "config").rglob("*.y*ml")):
        if not file.is_file():
            continue
        path = file.relative_to(service.root).as_posix()
        document = service.mapping(path) if file.read_text("utf-8", "replace").strip() else {}
        for key in known.values():
            value: Any = document
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if _is_secret(value):
                yield f"{path}: {key} has a value"


def _in_manifests(service: Service, known: dict[str, str]) -> Iterator[str]:
    for path, document in deployed.documents(service, "deploy"):
        if document.get("kind") == "Secret" and (document.get("data") or document.get("stringData")):
            yield f"{path}: a Secret with its values"
        for each in document.get("secretGenerator") or ():
            if isinstance(each, dict) and each.get("literals"):
                yield f"{path}: secretGenerator has values"
        for name, value in _pairs(document):
            if name in known and _is_secret(value):
                yield f"{path}: {name} has a value"


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Names with values, wherever they stand: mappings, lists of name and value, and `NAME=value`."""
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and "value" in value:
            yield value["name"], value["value"]
        for key, each in value.items():
            if isinstance(key, str) and not isinstance(each, dict | list):
                yield key, each
            yield from _pairs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _pairs(each)
    elif isinstance(value, str):
        yield from _ENV.findall(value)


def _in_lines(service: Service, known: dict[str, str]) -> Iterator[str]:
    """Files of lines: compose, the example of an environment, the Dockerfile, workflows."""
    files = [
        service.root / name
        for name in ("compose.yaml", "compose.yml", "docker-compose.yml", ".env.example", "Dockerfile")
    ]
    files += sorted((service.root / ".github/workflows").glob("*.y*ml"))
    for file in files:
        if not file.is_file():
            continue
        for name, value in _ENV.findall(file.read_text("utf-8", "replace")):
            if name in known and _is_secret(value):
                yield f"{file.relative_to(service.root).as_posix()}: {name} has a value"


def _is_secret(value: Any) -> bool:
    """Whether a value is one that opens something: no reference, no hash, and not development's."""
    if value is None or isinstance(value, bool):
        return False
    if isinstance(value, dict):
        return False
    if isinstance(value, list):
        return any(_is_secret(each) for each in value)
    text = str(value).strip().strip("\"'").strip()
    if text.startswith("["):
        try:
            return any(_is_secret(each) for each in json.loads(text))
        except ValueError:
            pass
    return not (
        text in ("", "null", "~", known_secrets.DEVELOPMENT)
        or text.startswith(("sha256:", "$", "#"))
        or re.fullmatch(r"\$?\{\{?.*\}\}?", text)
    )

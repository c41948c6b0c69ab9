"""Development's secrets, which everybody knows, where another environment would take them."""

import json
import re
from base64 import b64decode
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ops.delivery.objects import Environment

from . import manifests
from .outcome import CannotTell, Failed
from .service import Service

DEVELOPMENT: Final = "a-token-for-development-only"  # documented, and good for nothing elsewhere
CONFIG: Final = "config"
# Folders of deploy/, and files of config/, that are nobody's but the developers'.
_DEVELOPERS: Final = ("dev", "development", "local", "test", "tests", "ci")
_PLACES: Final = (CONFIG, manifests.DEPLOY, "ops/kubernetes", "Dockerfile")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_COPIES: Final = re.compile(r"(?i)\s*(?:COPY|ADD)\s")  # into the image, which has every environment's files


def found(service: Service, keys: Collection[str]) -> Iterator[str]:
    """Each line by which an environment other than development takes one of its secrets; never the secret.

    Args:
        service: the service.
        keys: of its secret settings, as `status.tokens`.
    """
    known, files = {DEVELOPMENT}, set()
    for file in _files(service.root / CONFIG):
        path = file.relative_to(service.root).as_posix()
        if _of_developers(service, path) and (held := set(_held(service, path, keys))):
            known |= held
            files.add(path)
    known = {each.lower() for each in known | {f"sha256:{sha256(each.encode()).hexdigest()}" for each in known}}
    told = list(_lines(service, known, files))
    yield from (f"{place}: {what}: everybody knows it; give each environment its own" for place, what in told)
    if not told:
        yield from _rendered(service, known)


def _lines(service: Service, known: set[str], files: set[str]) -> Iterator[tuple[str, str]]:
    for file in (file for place in _PLACES for file in _files(service.root / place)):
        path = file.relative_to(service.root).as_posix()
        if _of_developers(service, path):
            continue
        for number, line in _numbered(file):
            if any(each in line for each in known):
                yield f"{path}:{number}", "a secret of development's"
            elif not _COPIES.match(line) and (taken := [each for each in sorted(files) if each in line]):
                yield f"{path}:{number}", f"{taken[0]}, which holds a secret of development's"


def _rendered(service: Service, known: set[str]) -> Iterator[str]:
    """What no line of another environment's files shows: it takes development's own."""
    try:
        environments = manifests.environments(service)
    except (CannotTell, Failed):
        return  # the rows on manifests say so
    places = [
        f"{file.relative_to(service.root).as_posix()}:{number}"
        for file in _files(service.root / manifests.DEPLOY)
        for number, line in _numbered(file)
        if any(each in line for each in known)
    ]
    for name, environment in environments.items():
        if name not in _DEVELOPERS and any(each in _text(environment) for each in known):
            at = places[0] if places else f"{manifests.DEPLOY}/{name}/kustomization.yaml"
            yield f"{at}: a secret of development's, which {name} takes: everybody knows it; give it one of its own"


def _text(environment: Environment) -> str:
    """All that is applied, with what Secrets hold in plain."""
    secrets = [value for one in environment.of("Secret") for value in (one.get("data") or {}).values()]
    return "\n".join([json.dumps(environment.objects, default=str), *map(_plain, secrets)]).lower()


def _plain(value: object) -> str:
    try:
        return b64decode(str(value)).decode("utf-8", "replace")
    except ValueError:
        return ""


def _held(service: Service, path: str, keys: Collection[str]) -> Iterator[str]:
    """Values of secret settings in a file of configuration."""
    try:
        document = service.mapping(path)
    except Failed:
        return  # the row on secrets, or on configuration, says so
    for key in keys:
        value: Any = document
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and (each == DEVELOPMENT or each.startswith("sha256:")):
                yield each  # all others are no development's secrets, but secrets in the repository


def _of_developers(service: Service, path: str) -> bool:
    """Whether a file is one that developers and live checks alone use, by its folder or its name."""
    return path == service.live.config or any(part.partition(".")[0] in _DEVELOPERS for part in Path(path).parts[1:])


def _files(place: Path) -> list[Path]:
    return sorted(file for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())


def _numbered(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, in lower case and without comments."""
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return
    yield from ((number, _COMMENT.sub("", line).lower()) for number, line in enumerate(text.splitlines(), 1))

"""dependencies.md: what the service is built on, under which licences, and whether it is still kept.

Versions are in uv.lock, which bots renew: they are not repeated here.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker, default_environment

from . import lifetimes
from .reading import text as read
from .reading import toml
from .tables import plain, table

GROUP: Final = "ops"  # the template's, beside [project] dependencies
HEAD: Final = """\
# Dependencies

Made by `make docs` from `pyproject.toml`, `uv.lock` and what is installed; `make check` compares. Versions are in
`uv.lock`, with the hash of each file; Renovate renews them ([support.md](../support.md)). What only development needs
is not listed. `state` is what a dependency says of itself.
"""
STATUS: Final = {"7": "**not maintained any more**", "6": "mature", "5": "stable", "4": "beta", "3": "alpha"}
STATUS_EARLY: Final = {"1": "planned", "2": "pre-alpha"}


def folded(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class Dependency:
    """A dependency, as its installed metadata describes it."""

    name: str
    licence: str
    status: str
    about: str


@dataclass(frozen=True)
class Dependencies:
    """All that the service needs when it runs.

    Attributes:
        own: names in [project] dependencies, in order.
        template: names in the template's group.
        locked: version of each package that these bring with them, themselves included.
        python: of the image.
    """

    own: tuple[str, ...]
    template: tuple[str, ...]
    locked: dict[str, str]
    python: str

    @cached_property
    def stamp(self) -> str:
        """Changes with every version that is locked."""
        known = "\n".join(f"{name}=={version}" for name, version in sorted(self.locked.items()))
        return f"Made with the locked versions {hashlib.sha256(known.encode()).hexdigest()[:12]}."

    def needed(self) -> tuple[str, ...]:
        """Rows that must be there, with whatever versions: what a person has chosen."""
        return tuple(f"| {name} |" for name in (*self.own, *self.template))

    def text(self) -> str:
        """The whole page."""
        heads = ("dependency", "licence", "state", "what it is")
        rest = sorted(set(self.locked) - {*self.own, *self.template})
        own = table(heads, _rows(self.own)) if self.own else "None yet beside the template's.\n"
        return "\n".join(
            [
                HEAD,
                lifetimes.sentence(self.python),
                "## The service's own\n",
                own,
                "## The template's\n",
                table(heads, _rows(self.template)),
                "## What these bring with them\n",
                table(heads, _rows(rest)) if rest else "Nothing.\n",
                self.stamp + "\n",
            ]
        )


def of(root: Path) -> Dependencies:
    """The dependencies of the service.

    Raises:
        DocumentsError: pyproject.toml or uv.lock can't be read.
    """
    project = toml(root, "pyproject.toml", "take it back from git's history")
    lock = toml(root, "uv.lock", "make install makes it")
    python = _python(root)
    own = _names(project.get("project", {}).get("dependencies", []), python)
    template = _names(project.get("dependency-groups", {}).get(GROUP, []), python)
    template = tuple(name for name in template if name not in own)
    return Dependencies(own, template, _closure(lock, (*own, *template), python), python)


def described(name: str) -> Dependency:
    """What a distribution says of itself, if it is installed here."""
    try:
        known = metadata(name)
    except PackageNotFoundError:
        return Dependency(name, "not installed here", "", "")
    classifiers = known.get_all("Classifier") or []
    status = next((each.split(" :: ")[1][:1] for each in classifiers if each.startswith("Development Status ::")), "")
    return Dependency(
        name, _licence(known, classifiers), (STATUS | STATUS_EARLY).get(status, ""), known["Summary"] or ""
    )


def _rows(names: tuple[str, ...] | list[str]) -> Iterator[tuple[str, ...]]:
    for each in map(described, names):
        yield each.name, plain(each.licence), each.status, plain(each.about)


def _licence(known: Any, classifiers: list[str]) -> str:
    """Its expression (SPDX), else what the field says in a line, else the classifiers."""
    told = known["License-Expression"] or known["License"] or ""
    if told and "\n" not in told and len(told) <= 60:
        return str(told)
    return " or ".join(each.rsplit(" :: ", 1)[-1] for each in classifiers if each.startswith("License ::"))


def _names(requirements: list[Any], python: str) -> tuple[str, ...]:
    """Names of the requirements that hold in the image."""
    found = (
        re.match(r"\s*([A-Za-z0-9][\w.\-]*)[^;]*(?:;\s*(.*))?$", each) for each in requirements if isinstance(each, str)
    )
    return tuple(dict.fromkeys(folded(each[1]) for each in found if each and _holds(each[2], python)))


def _closure(lock: dict[str, Any], names: tuple[str, ...], python: str) -> dict[str, str]:
    """The locked version of these and of all that they need in the image."""
    known = {each["name"]: each for each in lock.get("package", ()) if isinstance(each.get("name"), str)}
    versions: dict[str, str] = {}
    waiting = [(name, "") for name in names]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        package = known.get(name, {})
        versions[name] = str(package.get("version", ""))
        needs = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for need in needs:
            if not _holds(need.get("marker"), python):
                continue
            for one in ((need["name"], ""), *((need["name"], each) for each in need.get("extra", ()))):
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)
    return versions


def _holds(marker: str | None, python: str) -> bool:
    """Whether a marker holds in the image, which is Linux with CPython: the same on every machine."""
    if not marker:
        return True
    image: dict[str, str] = {name: str(value) for name, value in default_environment().items()}
    image |= {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    image |= {
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    image |= {"python_version": python, "python_full_version": f"{python}.0", "implementation_version": f"{python}.0"}
    try:
        return Marker(marker).evaluate({**image, "extra": ""})
    except ValueError:
        return True


def _python(root: Path) -> str:
    """The image's version of Python, as the Dockerfile has it; else the one that this runs on."""
    if (root / "Dockerfile").is_file():
        found = re.search(r"(?m)^FROM \S*python:(\d+\.\d+)", read(root, "Dockerfile", "mend it"))
        if found:
            return found[1]
    return lifetimes.running()

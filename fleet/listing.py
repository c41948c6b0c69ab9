"""`fleet.yaml`: which services there are, and the order in which an update reaches them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from .address import canonical, plain, wrong

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock\Z|[./]\Z))[A-Za-z0-9_][^\s~^:?*\[\\\x00-\x1f\x7f]*\Z")
_AUTHOR = re.compile(r"[^<>\n]+ <[^<>\s]+@[^<>\s]+>\Z")
_TOP = ("template", "author", "rings", "defaults", "services")
_DEFAULTS = ("ring", "branch", "folder")
_SERVICE = ("url", *_DEFAULTS, "hold")


class MistakesError(ValueError):
    """Everything that is wrong with the list, one line each."""


@dataclass(frozen=True)
class Service:
    """One service. `branch`: None is the remote's own choice. `hold`: why it is left out of rollouts."""

    name: str
    url: str
    ring: int = 0
    folder: str = ""
    branch: str | None = None
    hold: str = ""
    ring_name: str = ""

    @property
    def place(self) -> str:
        """Its ring as the list calls it."""
        return self.ring_name or str(self.ring)


@dataclass(frozen=True)
class Fleet:
    """The whole list. `rings` are their names, if they have names."""

    services: tuple[Service, ...]
    templates: tuple[str, ...] = ()
    author: str = "Platform team <platform-team@localhost>"
    rings: tuple[str, ...] = ()

    def ring(self, given: str) -> int | None:
        """A ring by its number or name; None if there is none of that name."""
        if given in self.rings:
            return self.rings.index(given)
        return int(given) if given.isdecimal() and len(given) < 6 and not self.rings else None


def read(file: Path) -> Fleet:
    """Read the list.

    Raises:
        MistakesError: it can't be read, or something in it is wrong.
    """
    try:
        node = yaml.compose(file.read_text("utf-8"), yaml.SafeLoader)
    except OSError as error:
        raise MistakesError(f"{file}: {error.strerror}: say where the list is with --fleet FILE") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MistakesError(f"{file}: it is no YAML: {plain(error)}") from error
    reader = _Reader(file)
    fleet = reader.fleet(node)
    if reader.mistakes:
        raise MistakesError("\n".join(text for _, text in sorted(reader.mistakes, key=lambda each: each[0])))
    return fleet


class _Reader:
    def __init__(self, file: Path) -> None:
        self.file, self.base = file, file.absolute().parent
        self.mistakes: list[tuple[int, str]] = []
        self.rings: tuple[str, ...] = ()

    def wrong(self, node: yaml.Node | None, place: str, remedy: str) -> None:
        line = node.start_mark.line + 1 if node else 1
        value = f" is {plain(node.value, 80)!r}" if isinstance(node, yaml.ScalarNode) else ""
        self.mistakes.append((line, f"{self.file}, line {line}: {place}{value}: {remedy}"))

    def fleet(self, node: yaml.Node | None) -> Fleet:
        top = dict(self.entries(node, "the list", _TOP))
        self.rings = self.names(top.get("rings"))
        defaults = {
            key: self.value(key, each, f"defaults.{key}")
            for key, each in self.entries(top.get("defaults"), "defaults", _DEFAULTS)
        }
        services = []
        if "services" not in top:
            self.wrong(node, "services", "is missing: name each service with its repository's address")
        for name, each in self.entries(top.get("services"), "services"):
            if not _NAME.match(name):
                self.wrong(each, f"services.{plain(name, 80)}", "a name is letters, digits, '.', '_' and '-', up to 64")
            given = self.service(each, f"services.{name}")
            one = {"url": "", "ring": 0, **defaults, **given, "name": name}
            services.append(Service(**one, ring_name=self.rings[one["ring"]] if self.rings else ""))
        self.twice(services, top.get("services"))
        options: dict[str, Any] = {"author": self.author(top["author"])} if "author" in top else {}
        return Fleet(tuple(services), self.templates(top.get("template")), rings=self.rings, **options)

    def entries(
        self, node: yaml.Node | None, place: str, known: tuple[str, ...] = ()
    ) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and values of a mapping; a key that is there twice or unknown is a mistake."""
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, place, "write it as `key: value` lines")
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            if name in seen:
                self.wrong(key, place, "is there twice: one of the two would be lost")
            elif known and name not in known:
                self.wrong(key, place, f"there is no such key; there are {', '.join(known)}")
            else:
                seen.add(name)
                yield name, value

    def service(self, node: yaml.Node, place: str) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            return {"url": self.address(node, place)}
        given = dict(self.entries(node, place, _SERVICE))
        if "url" not in given and isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{place}.url", "is missing: the address or path of its repository")
        return {key: self.value(key, each, f"{place}.{key}") for key, each in given.items()}

    def value(self, key: str, node: yaml.Node, place: str) -> Any:
        if key == "url":
            return self.address(node, place)
        if key == "ring":
            return self.ring(node, place)
        text = self.text(node, place)
        if key == "branch" and text and not _BRANCH.match(text):
            self.wrong(node, place, "is no name of a branch")
        if key == "folder":
            path = PurePosixPath(text)
            if path.is_absolute() or ".." in path.parts or "\\" in text or text.startswith(("-", ":")):
                self.wrong(node, place, "must be a folder in the repository, such as services/orders")
            return "" if text in ("", ".") else path.as_posix()
        return (text or None) if key == "branch" else text

    def text(self, node: yaml.Node, place: str) -> str:
        if isinstance(node, yaml.ScalarNode) and node.value.isprintable():
            return str(node.value)
        self.wrong(node, place, "must be one line of text")
        return ""

    def address(self, node: yaml.Node, place: str) -> str:
        text = self.text(node, place)
        reason = wrong(text)
        if reason:
            self.wrong(node, place, f"{reason}: write https://…, ssh://…, git@host:path or a path")
        local = self.base / Path(text).expanduser()
        is_path = "://" not in text and ":" not in text.split("/", maxsplit=1)[0]
        return str(local.resolve()) if is_path and not reason else text

    def ring(self, node: yaml.Node, place: str) -> int:
        text = self.text(node, place)
        found = Fleet((), rings=self.rings).ring(text)
        if found is None:
            remedy = (
                f"the rings are {', '.join(self.rings)}" if self.rings else "write 0, 1, 2 …, or name them in rings"
            )
            self.wrong(node, place, remedy)
        return found or 0

    def names(self, node: yaml.Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        found = [each.value for each in node.value] if isinstance(node, yaml.SequenceNode) else []
        if not found or not all(isinstance(each, str) and _NAME.match(each) for each in found):
            self.wrong(node, "rings", "list their names in order, such as [canary, early, all]")
            return ()
        if len(set(found)) < len(found):
            self.wrong(node, "rings", "a name is there twice")
        return tuple(found)

    def author(self, node: yaml.Node) -> str:
        text = self.text(node, "author")
        if not _AUTHOR.match(text):
            self.wrong(node, "author", "write it as Name <address@example.org>")
        return text

    def templates(self, node: yaml.Node | None) -> tuple[str, ...]:
        """One address, or a list: the first is the present one, others are such as it had before."""
        each = node.value if isinstance(node, yaml.SequenceNode) else [node] if node else []
        return tuple(self.address(one, "template") for one in each)

    def twice(self, services: list[Service], node: yaml.Node | None) -> None:
        seen: dict[tuple[str, str], str] = {}
        for service in services:
            key = (canonical(service.url), service.folder)
            if service.url and key in seen:
                text = f"is the same repository and folder as {seen[key]}: give one of them its folder, or delete it"
                self.wrong(node, f"services.{service.name}", text)
            seen[key] = service.name

"""The template's releases, as Copier orders them, and a mirror of the template that services are updated from."""

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import InvalidVersion, Version

from .address import TroubleError, canonical, expanded, redact, without_credentials
from .clones import Cache

_DESCRIBED = re.compile(r"(?P<tag>.+)-(?P<after>\d+)-g[0-9a-f]+\Z")


def parsed(version: str) -> tuple[Version, int] | None:
    """A tag, or what `git describe` says of a commit after it, in a form that can be compared; None for others."""
    found = _DESCRIBED.match(version)
    try:
        return Version(found["tag"] if found else version), int(found["after"]) if found else 0
    except InvalidVersion:
        return None


def reached(version: str, wanted: str) -> bool:
    """Whether a version is the one that is wanted, or newer."""
    one, other = parsed(version), parsed(wanted)
    return version == wanted or (one is not None and other is not None and one >= other)


@dataclass
class Template:
    """One template, asked once a run. `tags`: its versions, oldest first."""

    address: str
    cache: Cache
    _tags: list[str] | None = None
    _mirror: Path | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shown(self) -> str:
        """Its address without credentials."""
        return redact(self.address)

    def tags(self) -> list[str]:
        """Its versions, oldest first.

        Raises:
            TroubleError: it can't be reached.
        """
        with self._guard:
            if self._tags is None:
                with self.cache.clone(self.address, full=True) as clone:
                    try:
                        listed = clone.git("ls-remote", "--tags", "--refs", "--", "origin").output
                    except TroubleError as error:
                        raise TroubleError(f"the template {self.shown} can't be reached: {error}") from error
                names = [line.partition("refs/tags/")[2] for line in listed.splitlines()]
                known = [(version, name) for name in names if (version := parsed(name))]
                self._tags = [name for _, name in sorted(known)]
            return self._tags

    def releases(self) -> list[str]:
        """Its releases, oldest first: no pre-releases."""
        return [tag for tag in self.tags() if not Version(tag).is_prerelease]

    def behind(self, version: str) -> int | None:
        """How many releases are newer than a version; None if it has no order."""
        own = parsed(version)
        return None if own is None else len([tag for tag in self.releases() if (Version(tag), 0) > own])

    def chosen(self, wanted: str | None) -> str:
        """The version that is wanted, or the newest release.

        Raises:
            TroubleError: there is none such.
        """
        releases = self.releases()
        if wanted is None and releases:
            return releases[-1]
        if wanted in self.tags():
            return str(wanted)
        there = ", ".join(reversed(releases[-5:])) or "no version at all"
        raise TroubleError(f"the template {self.shown} has no version {wanted or ''}: it has {there}")

    def settings(self, written: str) -> str:
        """git's settings by which a service finds the mirror where it asks for the address that it has `written` down.

        So that its code needs no credentials, the template's host is asked once, and all services get the same.
        """
        local = Path(expanded(written)).expanduser()
        if local.is_dir():
            return ""
        with self._guard:
            if self._mirror is None:
                with self.cache.clone(self.address, full=True) as clone:
                    refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
                    clone.git("fetch", "--quiet", "--prune", "--no-tags", "origin", *refs)
                    self._mirror = clone.folder
        address = without_credentials(expanded(written)).removesuffix("/").removesuffix(".git")
        spelt = {expanded(written), address, f"{address}.git", f"{address}/"}
        return f'[url "file://{self._mirror}"]\n' + "".join(f'\tinsteadOf = "{each}"\n' for each in sorted(spelt))


class Templates:
    """All templates that services name. `listed`: those that the list or the command line vouches for."""

    def __init__(self, cache: Cache, listed: tuple[str, ...]) -> None:
        self.cache = cache
        self._guard = threading.Lock()
        self._known = {canonical(address): Template(address, cache) for address in listed}
        self._listed = set(self._known)
        self.main = self._known[canonical(listed[0])] if listed else None

    def of(self, written: str) -> Template:
        """The template with this address."""
        with self._guard:
            return self._known.setdefault(canonical(written), Template(written, self.cache))

    def vouched(self, written: str) -> bool:
        """Whether code of this template may be fetched with the user's credentials."""
        return canonical(written) in self._listed

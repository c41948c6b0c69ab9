"""Versions of the template as Copier records them, and what its changelog says between two of them."""

import re
from functools import total_ordering

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-?((?:a|b|rc)\d+))?(?:\.post(\d+))?(?:-(\d+)-g[0-9a-f]+)?\Z")
_HEADING = re.compile(r"^## +\[?(v?\d+\.\d+\.\d+\S*?|Unreleased)\]?(?:\s.*)?$", re.MULTILINE)


@total_ordering
class Version:
    """A tag such as `v1.2.0` or `v1.2.0.post1`, or what `git describe` says of a commit after it (`v1.2.0-3-g0a1b2c3`).

    A text that is neither has no order: it is equal to itself alone, and neither older nor newer than another.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        found = _VERSION.match(text)
        self.known = found is not None
        major, minor, patch, early, post, after = found.groups() if found else (0, 0, 0, None, 0, 0)
        # a pre-release comes before its release, a fork's post-release after it, commits after a tag after that
        self._key = (int(major), int(minor), int(patch), early or "~", int(post or 0), int(after or 0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and (
            self.text == other.text or (self._both(other) and self._key == other._key)
        )

    def __lt__(self, other: "Version") -> bool:
        return self._both(other) and self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key if self.known else self.text)

    def __str__(self) -> str:
        return self.text

    def _both(self, other: "Version") -> bool:
        return self.known and other.known


def changes(changelog: str, old: Version, new: Version) -> list[tuple[str, str]]:
    """The sections (heading, text) of a changelog that are newer than `old` and not newer than `new`, newest first.

    "Unreleased" belongs to them when `new` is a commit after a tag, or none.
    """
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    sections = []
    for heading, end in zip(headings, ends, strict=True):
        name = heading[1]
        section = Version(name)
        unreleased = name == "Unreleased" and (not new.known or "-g" in new.text)
        if unreleased or (old < section <= new) or (section.known and not new.known and old < section):
            sections.append((name, changelog[heading.end() : end].strip()))
    return sections


def by_hand(text: str) -> list[str]:
    """The items under "By hand" in a section of the changelog, each as one line; an item "Nothing…" is none."""
    _, found, rest = text.partition("**By hand**")
    items = re.split(r"^- ", rest.split("\n**", 1)[0], flags=re.MULTILINE)[1:] if found else []
    plain = [" ".join(item.split()) for item in items]
    return [item for item in plain if not item.lower().startswith("nothing")]

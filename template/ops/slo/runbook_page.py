"""A page of Markdown, read as far as headings and what stands below them need it."""

import re
from dataclasses import dataclass, field

from .contract import anchor

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_FENCE = re.compile(r" {0,3}(?:(?:[-*+]|[0-9]{1,9}[.)]) +)*(`{3,}(?=[^`]*$)|~{3,})")
_COMMENT = re.compile(r" {0,3}<!--(?!.*-->)")
_BREAK = re.compile(r" {0,3}(?:([-_*])[ \t]*(?:\1[ \t]*){2,}|<!--.*)")
_OTHER = re.compile(r"[ \t>]|[-*+](?:[ \t]|$)|[0-9]{1,9}[.)](?:[ \t]|$)|<")
_INTERRUPTS = re.compile(r" {0,3}(?:>|[-*+][ \t]+\S|1[.)][ \t]+\S)")
_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^()]*\)")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^()]*\)|\[[^\]]*\])")
_EMPHASIS = re.compile(r"(?<![\w\\])(_{1,3})(?=\S)(.+?)(?<=[^\s\\])\1(?!\w)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
# What a line may be part of in place of a paragraph that can become a heading: nothing, or a list, a quote, HTML.
_NONE, _LIST = -1, -2


@dataclass(frozen=True)
class Heading:
    """A heading as it is shown; its own lines are those from `first` until before `after`, counted from 0."""

    level: int
    name: str
    first: int
    after: int

    @property
    def anchor(self) -> str:
        """What links to it have after `#`, if it is the first of its name."""
        return anchor(self.name)


@dataclass
class Page:
    """A page.

    Attributes:
        lines: with their ends, so that together they are the page's text.
        kinds: of each line: `text`, `code`, or `mark` for what nobody sees, such as a fence or a comment.
        headings: those that are no code and no comment, as CommonMark has them.
        unclosed: index of the line that opens a fence or a comment which never ends.
    """

    lines: list[str]
    kinds: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    unclosed: int | None = None

    def until(self, heading: Heading, level: int) -> int:
        """Index of the line at which what is below a heading ends: that of the next one of this level or above."""
        later = (each.first for each in self.headings if each.first > heading.first and each.level <= level)
        return next(later, len(self.lines))

    def paragraphs(self, first: int, until: int) -> list[str]:
        """The paragraphs and the lines of code among these lines, without comments."""
        seen = [line if kind != "mark" else "\n" for line, kind in zip(self.lines, self.kinds, strict=True)]
        text = _TAG.sub("", "".join(seen[first:until]).replace("\r\n", "\n").replace("\r", "\n"))
        return [each.strip() for each in re.split(r"\n[ \t]*\n", text) if each.strip()]


def read(text: str) -> Page:
    """Read a page; its front matter is no part of what it says."""
    page = Page(_LINE.findall(text))
    front = _front_matter(page.lines)
    closing: re.Pattern[str] | None = None
    inner, opened, paragraph = "", 0, _NONE
    for index, whole in enumerate(page.lines):
        line, kind, begun, paragraph = whole.rstrip("\r\n").lstrip("\ufeff"), "mark", paragraph, _NONE
        if index < front:
            pass
        elif closing is not None:
            if closing.match(line):
                closing = None
            else:
                kind = inner
        elif fence := _FENCE.match(line):
            closing = re.compile(rf" {{0,{fence.start(1) + 3}}}{fence[1][0]}{{{len(fence[1])},}}[ \t]*$")
            inner, opened = "code", index
        elif _COMMENT.match(line):
            closing, inner, opened = re.compile(".*-->"), "mark", index
        else:
            kind, paragraph = "text", _text(page, index, line, begun)
        page.kinds.append(kind)
    page.unclosed = opened if closing is not None else None
    return page


def _text(page: Page, index: int, line: str, paragraph: int) -> int:
    """Take a line of text; returns the index where the paragraph began that it is part of, or what it is part of."""
    if found := _ATX.fullmatch(line):
        name = re.sub(r"(?:^|[ \t])#+$", "", (found[2] or "").rstrip(" \t"))
        page.headings.append(Heading(len(found[1]), _shown(name), index, index + 1))
        return _NONE
    if paragraph >= 0 and (under := _UNDERLINE.fullmatch(line)):
        name = "".join(each.strip() for each in page.lines[paragraph:index])
        page.headings.append(Heading(1 if under[1][0] == "=" else 2, _shown(name), paragraph, index + 1))
        return _NONE
    if not line.strip() or _BREAK.fullmatch(line):
        return _NONE
    if paragraph >= 0 and not _INTERRUPTS.match(line):
        return paragraph
    return index if paragraph == _NONE and not _OTHER.match(line) else _LIST


def _front_matter(lines: list[str]) -> int:
    """How many lines at the beginning are YAML for tools."""
    if not lines or lines[0].lstrip("\ufeff").rstrip() != "---":
        return 0
    return next((index + 1 for index, line in enumerate(lines) if index and line.rstrip() in ("---", "...")), 0)


def _shown(markup: str) -> str:
    """What a heading shows, as far as links to it depend on that."""
    text = _LINK.sub(r"\1", _IMAGE.sub("", _TAG.sub("", markup)))
    return _ESCAPED.sub(r"\1", _EMPHASIS.sub(r"\2", text)).strip()

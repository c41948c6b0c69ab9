"""Secrets in the repository: what looks like one, wherever it stands; and settings that hold one, by their names."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

# Each is what its issuer gives out and nobody writes by chance: what it is, a part that it always has, and its form.
PATTERNS: Final = (
    ("a private key", "PRIVATE KEY", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("an access key of AWS", "AKIA", r"\bAKIA[0-9A-Z]{16}\b"),
    ("a session key of AWS", "ASIA", r"\bASIA[0-9A-Z]{16}\b"),
    ("a token of GitHub", "gh", r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    ("a token of GitLab", "gl", r"\bgl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_\-]{20,}"),
    ("a token of Slack", "xox", r"\bxox[abeoprs]-[A-Za-z0-9\-]{12,}"),
    ("a webhook of Slack", "hooks.slack.com", r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}"),
    ("a key of Google", "AIza", r"\bAIza[0-9A-Za-z_\-]{35}\b"),
    ("a key of Stripe", "k_live_", r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    ("a key of Azure", "Key=", r"\bAccountKey=[A-Za-z0-9+/]{60,}={0,2}|\bSharedAccessKey=[A-Za-z0-9+/]{40,}={0,2}"),
    ("a token of PyPI", "pypi-AgE", r"\bpypi-AgE[A-Za-z0-9_\-]{40,}"),
    ("a token of npm", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a key of OpenAI or Anthropic", "sk-", r"\bsk-(?:ant-|proj-)[A-Za-z0-9_\-]{32,}"),
    ("a JSON web token", "eyJ", r"\beyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{16,}"),
    (
        "a password in an address",
        "://",
        r"://(?P<user>[^\s:/@\"'<>{}$,]{1,64}):(?P<password>[^\s/@\"'<>{}$,]{3,128})@[\w\[]",
    ),
)
_FORMS: Final = tuple((kind, part, re.compile(form)) for kind, part, form in PATTERNS)
_EXAMPLES: Final = re.compile(r"(?i)(user|pass|password|passwd|passord|secret|token|pw|[.*x…]+)\Z")
# A value by its name, in files of values. Settings of the service (APP_…, config/) are what the row `secrets` is about.
NAMED: Final = "a value of what is named as a secret"
_NAMES: Final = r"""(?!APP_)(?:\w[\w.\-]*?)??(?:secret|token|secret[_-]?key|(?P<sure>
    pass(?:word|wd|phrase|ord)|pwd|(?:api|access|private)[_-]?key|client[_-]?secret))"""
_VALUE: Final = r"""(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s"'#,}\]]+))(?=\s*(?:[,}\])\#]|$))"""
_NAMED: Final = re.compile(
    rf"""(?imx) (?:^[ \t\-]*|[,{{(][ \t]*) (?:(?:export|ENV|ARG)\s+)?
    (?: ["']?{_NAMES}["']?\s*[=:][ \t]*
    | name:[ ]*["']?{_NAMES.replace("sure", "surely")}["']?,?\s+value:[ ]* ) {_VALUE}"""
)
_OF_VALUES: Final = re.compile(
    r"(?i).*\.(?:ya?ml|json|toml|ini|cfg|conf|properties|env|sh|tfvars)\Z|\.env.*\Z|.*Dockerfile.*\Z"
)
# References, tags, places, types and what everybody knows.
_NO_VALUE: Final = re.compile(
    r"(?i)[$<*&!|>].*|.*(?:\$\{|\$\(|\{\{|<\w+>).*|[~.]?/[\w./\-]+\Z|%[({\w].*%?\Z|(?:string|required|optional|inherit|"
    r"change[_-]?me|example|dummy|placeholder|todo|tbd|redacted|development|postgres|minioadmin)\Z"
)
# What is sealed may lie in the repository.
_SEALED: Final = re.compile(r"(?m)^kind:\s*SealedSecret\b|^sops:|^[ \t]*[\"']?sops[\"']?\s*:|\$ANSIBLE_VAULT")
_KEY: Final = re.compile(r"(?=.*[0-9])(?=.*[a-z])[A-Za-z0-9+/=_.\-]{16,}\Z")  # what nobody would name a thing
SHORTEST: Final = 6  # of a value that is named as a secret
_LARGEST: Final = 50_000_000
_SKIPPED: Final = {".git", ".venv", "__pycache__", "node_modules", ".tools", ".mypy_cache", ".ruff_cache"}
MANIFEST: Final = "ops/manifest.json"


@dataclass(frozen=True)
class Leak:
    """Where a secret stands, and what kind it is; never the secret."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        """As a message names it."""
        return f"{self.path}:{self.line}: {self.kind}"


def found(root: Path) -> tuple[list[Leak], int]:
    """Leaks in the files that git knows or would take, and how many files were read.

    The template's files are left out as long as they are as it made them: tests plant much in there.
    """
    leaks: list[Leak] = []
    count = 0
    made = digests(root)
    for path in _files(root):
        try:
            content = (root / path).read_bytes()
        except OSError:
            continue
        if path in made and made[path] == digest(content):
            continue
        text = _text(content)
        if text is None or Path(path).name == "uv.lock":
            continue
        count += 1
        leaks += _in(path, text)
    return leaks, count


def digest(content: bytes) -> str:
    """Of a file, as the list of the template's files has it: the same for both kinds of line end."""
    return sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def digests(root: Path) -> dict[str, str]:
    """What the template's files were when it made them, by their paths."""
    try:
        files = json.loads((root / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {str(path): str(digest) for path, digest in files.items()} if isinstance(files, dict) else {}


def _text(content: bytes) -> str | None:
    """A file's text, in UTF-8 or by its byte order mark in UTF-16; None if it is none."""
    if len(content) > _LARGEST:
        return None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    return None if b"\0" in content[:1024] else content.decode("utf-8", "replace")


def _in(path: str, text: str) -> Iterator[Leak]:
    for kind, part, form in _FORMS:
        if part not in text:
            continue
        for match in form.finditer(text):
            if not _is_example(match):
                yield Leak(path, text.count("\n", 0, match.start()) + 1, kind)
    code = path.endswith(".py") and not path.startswith("tests/")  # tests are full of words that open nothing
    if code or (_OF_VALUES.match(Path(path).name) and not path.startswith("config/") and not _SEALED.search(text)):
        for match in _NAMED.finditer(text):
            value = match["double"] or match["single"] or match["bare"]
            if not (code and match["bare"]) and _is_value(value, sure=bool(match["sure"] or match["surely"])):
                yield Leak(path, text.count("\n", 0, match.start(match.lastgroup or 0)) + 1, NAMED)


def _is_example(match: re.Match[str]) -> bool:
    """Whether what stands in an address is a word for a password, or the name of the user once more."""
    given = match.groupdict()
    return bool(given) and (bool(_EXAMPLES.match(given["password"])) or given["password"] == given["user"])


def _is_value(text: str, *, sure: bool) -> bool:
    """Whether it opens something: no reference, type or example. Where the name may be a place's, only a key does."""
    plain = len(text) >= SHORTEST and not (_EXAMPLES.match(text) or _NO_VALUE.match(text) or " " in text)
    return plain and (sure or bool(_KEY.match(text)))


def _files(root: Path) -> list[str]:
    listed = _git(root)
    if listed is None:
        every = (each for each in root.rglob("*") if each.is_file())
        listed = [each.relative_to(root).as_posix() for each in every]
    return [each for each in listed if not _SKIPPED & set(Path(each).parts[:-1])]


def _git(root: Path) -> list[str] | None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return sorted({each for each in done.stdout.decode("utf-8", "replace").split("\0") if each})

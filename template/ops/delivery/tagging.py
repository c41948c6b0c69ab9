"""Whether a tag is a release: of this version, and of a commit whose image was built when it was pushed."""

import re
import subprocess
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml

from .reading import DeliveryError

_PIPELINE: Final = Path(".github/workflows/deliver.yml")  # its branches are those whose every commit is built
_BRANCHES: Final = ("main", "hotfix/**")
_REFERENCE: Final = re.compile(r"refs/(?:heads|remotes/origin)/(.+)")


class TagError(Exception):
    """The tag is no release; the text says why, and what to do."""


def check(root: Path, tag: str) -> str:
    """The version that a tag releases.

    Raises:
        TagError: it is not the version in pyproject.toml, or of a commit that is on no branch which is built.
        DeliveryError: the repository can't be read.
    """
    version = _version(root)
    if tag != f"v{version}":
        raise TagError(
            f"tag {tag!r}: pyproject.toml says version {version}, and so does the image of this commit: tag it "
            f"v{version}, or change the version, commit and push first"
        )
    built = _built(root)
    if not any(fnmatchcase(branch, pattern) for branch in _branches(root) for pattern in built):
        raise TagError(
            f"tag {tag}: this commit is on none of the branches {', '.join(built)}, so it was not checked and built: "
            "push it there"
        )
    return version


def _built(root: Path) -> list[str]:
    """The branches whose every commit is built, as patterns."""
    try:
        document = yaml.safe_load((root / _PIPELINE).read_text("utf-8"))
        branches = {str(key): each for key, each in document.items()}["True"]["push"]["branches"]  # `on` is true
    except (OSError, yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError):
        return list(_BRANCHES)
    return [str(each) for each in branches] if isinstance(branches, list) else list(_BRANCHES)


def _version(root: Path) -> str:
    try:
        return str(tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DeliveryError("pyproject.toml: tells no version: write one under [project]") from None


def _branches(root: Path) -> list[str]:
    command = [
        "git",
        "for-each-ref",
        "--contains",
        "HEAD",
        "--format=%(refname)",
        "refs/remotes",
        "refs/heads",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DeliveryError(f"git does not tell the branches of this commit: {done.stderr.strip()}")
    return [found[1] for each in done.stdout.split() if (found := _REFERENCE.fullmatch(each))]

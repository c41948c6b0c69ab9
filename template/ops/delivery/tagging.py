"""Whether a tag is a release: of this version, and of a commit whose image was built when it was pushed."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Final

from .reading import DeliveryError

# Branches whose every commit deliver.yml builds the image of.
BUILT: Final = re.compile(r"(?:[^/]+/)?(?:main|hotfix/.+)")


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
    branches = [each for each in _branches(root) if BUILT.fullmatch(each)]
    if not branches:
        raise TagError(
            f"tag {tag}: this commit is neither on main nor on a branch hotfix/…, so it was not checked and built: "
            "push it there"
        )
    return version


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
        "--format=%(refname:lstrip=2)",
        "refs/remotes",
        "refs/heads",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DeliveryError(f"git does not tell the branches of this commit: {done.stderr.strip()}")
    return done.stdout.split()

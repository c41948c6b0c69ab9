"""After an update: what is derived from slo.yaml is made anew, by the new version's own tool."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from .git import environment

SPEC = "slo.yaml"
TOOL = "ops/slo/__main__.py"
NEEDED = ("httpx2", "promql-parser", "pyyaml")


def derive(root: Path) -> str | None:
    """Run `make slo` in the service's folder, in an environment of its own.

    Returns:
        What a person has to do if it could not be done; None if nothing is left.
    """
    if not (root / SPEC).is_file() or not (root / TOOL).is_file():
        return None
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        return _by_hand("uv is not there")
    wanted = [part for each in _requirements(root) for part in ("--with", each)]
    tool = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable, *wanted]
    done = subprocess.run(
        [*tool, "python", "-m", "ops.slo", "make"],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    return _by_hand((done.stderr.strip().splitlines() or ["it failed"])[0])


def _by_hand(why: str) -> str:
    return f"`make install slo` makes monitoring/ anew; the update could not ({why})"


def _requirements(root: Path) -> list[str]:
    """What the tool needs, in the versions that the service has it in."""
    try:
        groups = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("dependency-groups", {})
    except (OSError, ValueError):
        groups = {}
    given = [each for name in ("ops", "ops-dev") for each in groups.get(name, ()) if isinstance(each, str)]
    found = {name: each for each in given if (name := re.split(r"[^A-Za-z0-9-]", each)[0].lower()) in NEEDED}
    return [found.get(name, name) for name in NEEDED]

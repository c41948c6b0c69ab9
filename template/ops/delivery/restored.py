"""Smoke tests of what runs after a rollback: those of its own commit, for today's may ask for what it never had."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from . import forwarding
from .cluster import ClusterError

_PLAN: Final = "smoke.yaml"


def run(namespace: str, service: str, options: Sequence[str]) -> int:
    """Ask the service what it is, and run the smoke tests of that commit.

    Args:
        namespace: of the service.
        service: the Kubernetes Service that leads to it.
        options: further ones for `ops.smoke`.

    Returns:
        The exit status of the smoke tests.

    Raises:
        ClusterError: there is no way to the service, or it does not tell what it is.
    """
    with forwarding.way(namespace, service) as url, tempfile.TemporaryDirectory() as folder:
        about = _about(url)
        commit = about.get("commit")
        text = _plan(commit) if isinstance(commit, str) else None
        file = Path(folder) / _PLAN
        file.write_text(text or "", "utf-8")
        if text is None:
            print(f"no {_PLAN} of commit {commit} is in this repository: its requests are left out", file=sys.stderr)
        print(f"what runs again: version {about.get('version')}, commit {commit}", flush=True)
        command = [sys.executable, "-m", "ops.smoke", "--config", str(file), *options, "--", url]
        return subprocess.run(command, check=False).returncode


def _about(url: str) -> dict[str, Any]:
    import httpx2  # noqa: PLC0415 - other commands run where only PyYAML is installed

    try:
        found = httpx2.get(f"{url}/version", timeout=10).raise_for_status().json()
    except (httpx2.HTTPError, OSError, ValueError) as error:
        raise ClusterError(f"/version does not tell what runs again: {error}") from None
    if not isinstance(found, dict):
        raise ClusterError("/version does not tell what runs again")
    return found


def _plan(commit: str) -> str | None:
    """The smoke tests of a commit; None where they, or it, are not known here."""
    if not commit.isalnum():
        return None
    command = ["git", "show", f"{commit}:./{_PLAN}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None

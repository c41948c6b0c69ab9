"""Prometheus' own tool, where it is installed: nothing here needs it."""

import shutil
import subprocess
from pathlib import Path

from .outcome import Failed


def says(*arguments: str, given: str = "", cwd: Path | None = None) -> str:
    """What it says of rules, or of metrics that it is given.

    Raises:
        Failed: it says that something is wrong.
    """
    program = shutil.which("promtool")
    if program is None:
        return "promtool is not here, and was not asked"
    try:
        done = subprocess.run(
            [program, *arguments], input=given, cwd=cwd, capture_output=True, text=True, timeout=45, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return f"promtool {' '.join(arguments[:2])} could not be run here"
    if done.returncode:
        lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
        raise Failed(f"promtool {' '.join(arguments[:2])}: {'; '.join(lines[:4])[:400]}")
    return f"promtool {' '.join(arguments[:2])}: nothing wrong"

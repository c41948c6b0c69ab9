"""`uv.lock` without asking the index again for what it has told: each question for one file can take it seconds."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.quick import in_one_step, place

UV = Path(sys.executable).with_name("uv")


def lock(project: Path, env: dict[str, str]) -> Path:
    """Write the service's `uv.lock`, as `uv lock` would.

    Of the same requirements uv makes the same file: it is asked once a session. Of what it keeps on this machine it
    makes the same as of what the index has, or says that something is missing.
    """
    file = project / "uv.lock"
    kept = place("uv.lock", (project / "pyproject.toml").read_text("utf-8"))
    if not kept.is_file():
        command = [str(UV), "lock", "--quiet", "--python", sys.executable]
        known = subprocess.run([*command, "--offline"], cwd=project, env=env, capture_output=True, check=False)
        if known.returncode:
            subprocess.run(command, cwd=project, env=env, capture_output=True, check=True)
        in_one_step(kept, file.read_bytes())
    shutil.copy(kept, file)
    return file

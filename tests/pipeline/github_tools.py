"""GitHub's own parser of workflows and evaluator of expressions, from its npm packages."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

_SOURCE = Path(__file__).with_name("github")
_REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"


class GitHub:
    """Both tools, installed and bundled in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._evaluator: subprocess.Popen[str] | None = None

    def parsed(self, workflows: dict[str, str]) -> dict[str, dict[str, Any]]:
        """Of each workflow (its text by its file name): `errors`, and its `steps` as job and script."""
        command = ["node", str(self.folder / "made/parse.mjs")]
        done = subprocess.run(command, input=json.dumps(workflows), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, dict[str, Any]] = json.loads(done.stdout)
        return found

    def evaluated(
        self, expressions: dict[str, str], context: dict[str, Any], files: dict[str, str], *, failed: bool
    ) -> dict[str, Any]:
        """Each expression's value; that of `if` is true or false.

        Args:
            expressions: texts, with `${{ }}` in them but for `if`.
            context: what they may ask for, as `inputs`, `steps` and the like.
            files: what `hashFiles` gives for a pattern; nothing for all others.
            failed: whether a step before has failed.
        """
        given = {"expressions": expressions, "context": context, "files": files, "failed": failed, "cancelled": False}
        if self._evaluator is None:  # one for all: to start one takes longer than all that it is asked
            command = ["node", str(self.folder / "made/evaluate.mjs")]
            self._evaluator = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._evaluator.stdin is not None
        assert self._evaluator.stdout is not None
        self._evaluator.stdin.write(json.dumps(given) + "\n")
        self._evaluator.stdin.flush()
        found: dict[str, Any] = json.loads(self._evaluator.stdout.readline() or '"the evaluator has ended"')
        return found

    def end(self) -> None:
        """Leave no process behind."""
        if self._evaluator is not None:
            assert self._evaluator.stdin is not None
            assert self._evaluator.stdout is not None
            self._evaluator.stdin.close()
            self._evaluator.wait(10)
            self._evaluator.stdout.close()


def installed(folder: Path) -> GitHub:
    """Install and bundle them, once a folder."""
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").is_dir():
            npm = shutil.which("npm")
            assert npm, "npm is not installed: apt-get install npm"
            shutil.copytree(_SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
            subprocess.run([npm, "ci"], cwd=folder, check=True, capture_output=True)
            bundle = ["npx", "esbuild", "parse.js", "evaluate.js", "--bundle", "--platform=node", "--format=esm"]
            options = ["--outdir=made", "--out-extension:.js=.mjs", "--log-level=error", f"--banner:js={_REQUIRE}"]
            subprocess.run([*bundle, *options], cwd=folder, check=True, capture_output=True)
    return GitHub(folder)

"""git, as far as an update needs it."""

import os
import subprocess
from collections.abc import Collection
from io import BytesIO
from pathlib import Path

# Set where git runs a hook: they would lead git into another repository.
_FOREIGN = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")

# Conflicts carry their base; a user's own settings change no text and ask for no signature.
_SETTINGS = {
    "merge.conflictStyle": "diff3",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.hooksPath": os.devnull,
    "commit.gpgSign": "false",
    "user.name": "make update",
    "user.email": "make-update@localhost",
    "advice.detachedHead": "false",
}


def environment() -> dict[str, str]:
    """The process's environment, with git's settings for the temporary clone and nothing that leads git astray."""
    variables = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    for number, (name, value) in enumerate(_SETTINGS.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = name
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    variables["GIT_CONFIG_COUNT"] = str(len(_SETTINGS))
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables


class Git:
    """Commands in one working tree.

    Raises:
        RuntimeError: git failed, with what it said.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def output(self, *arguments: str, given: bytes | None = None) -> bytes:
        """Standard output of a command, which reads what is given."""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment(), input=given, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def text(self, *arguments: str) -> str:
        """The same as text, without the last line's end."""
        return self.output(*arguments).decode("utf-8", "surrogateescape").removesuffix("\n")

    def paths(self, *arguments: str) -> list[str]:
        """The same as a list; `-z` is among the arguments."""
        return [path for path in self.text(*arguments).split("\0") if path]

    def file(self, revision: str, path: str) -> bytes | None:
        """A file as it was in a revision, its path relative to this folder; None if it was not there."""
        try:
            return self.output("show", f"{revision}:./{path}")
        except RuntimeError:
            return None

    def files(self, revision: str, wanted: Collection[str]) -> dict[str, bytes]:
        """The wanted files that were there in a revision; a process for each would take longer than all the rest."""
        known = [entry.split("\t", 1) for entry in self.paths("ls-tree", "-r", "-z", revision)]
        blobs = [(path, kind.split()[2]) for kind, path in known if path in wanted and kind.split()[1] == "blob"]
        asked = "".join(f"{blob}\n" for _, blob in blobs).encode()
        answer = BytesIO(self.output("cat-file", "--batch", given=asked))
        found = {}
        for path, _ in blobs:
            size = int(answer.readline().split()[2])
            found[path] = answer.read(size)
            answer.read(1)  # the end of the line
        return found

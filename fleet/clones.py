"""Clones in a cache folder: bare, without the contents of old files, each locked while it is used.

git runs with the user's credentials in these clones alone. What a service brings is run in a scratch folder, whose own
`.git` is never read again: the result is taken from the files.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .address import TroubleError, canonical, expanded, redact, without_credentials, wrong
from .process import Ended, confined, run, trusted

# The user's own settings change no text; nothing is run on the side, and nothing goes on in the background.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
}
_TREE = "Ops-Fleet-Tree"


@dataclass(frozen=True)
class Heads:
    """What a remote has: its base branch, and the commits of the branches that were asked for."""

    base: str
    branches: dict[str, str]


class Clone:
    """One repository in the cache; nobody else uses it at the same time."""

    def __init__(self, folder: Path, address: str, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        self.address = expanded(address)
        self.shown = without_credentials(self.address)

    def git(self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None, own: bool = True) -> Ended:
        """Run git.

        Args:
            arguments: of git.
            check: whether it must succeed.
            env: more of the environment.
            own: with the user's environment, credentials and all; else `env` is all of it.

        Raises:
            TroubleError: it failed.
        """
        environment = {**(trusted() if own else {}), **(env or {})}
        self._configure(environment, own)
        command = ["git", f"--git-dir={self.folder}", *arguments]
        ended = run(command, cwd=self.folder, env=environment, seconds=self.seconds)
        if check and ended.status != 0:
            verb = next((each for each in arguments if not each.startswith("-")), "git")
            raise TroubleError(f"git {verb}: {ended.said}")
        return ended

    def _configure(self, environment: dict[str, str], own: bool) -> None:
        """Settings by way of the environment: the address with its credentials gets into no file and no list of
        processes of ours.
        """
        settings = dict(_SETTINGS)
        if own and self.shown != self.address:
            settings[f"url.{self.address}.insteadOf"] = self.shown
        first = int(environment.get("GIT_CONFIG_COUNT") or 0)
        for number, (name, value) in enumerate(settings.items(), first):
            environment[f"GIT_CONFIG_KEY_{number}"], environment[f"GIT_CONFIG_VALUE_{number}"] = name, value
        environment["GIT_CONFIG_COUNT"] = str(first + len(settings))

    def text(self, *arguments: str) -> str:
        """Standard output, without white space around it."""
        return self.git(*arguments).output.strip()

    def heads(self, base: str | None, *patterns: str) -> Heads:
        """Ask the remote.

        Raises:
            TroubleError: it can't be reached, or has no such branch.
        """
        wanted = [f"refs/heads/{each}" for each in ([base] if base else []) + list(patterns)]
        listed = self.git("ls-remote", "--symref", "--", "origin", "HEAD", *wanted).output
        lines = [line.partition("\t") for line in listed.splitlines() if not line.startswith("ref: ")]
        found = {ref: commit for commit, _, ref in lines}
        chosen = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", listed, re.MULTILINE)
        name = base or (chosen[1] if chosen else None)
        branches = {ref.removeprefix("refs/heads/"): commit for ref, commit in found.items() if ref != "HEAD"}
        if name is None or (base and base not in branches):
            raise TroubleError(
                f"the remote has no branch {base}" if base else "the remote names no branch: say branch:"
            )
        return Heads(name, {name: found["HEAD"], **branches} if not base else branches)

    def fetch(self, heads: Heads, *branches: str) -> None:
        """Bring branches that are not here yet as they are there."""
        old = [name for name in branches if self._here(name) != heads.branches[name]]
        if old:
            refs = [f"+refs/heads/{name}:refs/heads/{name}" for name in old]
            self.git("fetch", "--quiet", "--no-tags", "--filter=blob:none", "origin", *refs)

    def _here(self, branch: str) -> str:
        return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False).output.strip()

    def file(self, commit: str, path: str) -> str | None:
        """A file's text; None if it is not there."""
        if not self.text("ls-tree", commit, "--", path):
            return None
        return self.git("cat-file", "blob", f"{commit}:{path}").output

    def changed(self, commit: str, path: str) -> str:
        """The day of the last commit that touched a file."""
        return self.text("log", "-1", "--format=%cs", commit, "--", path)

    def check_out(self, commit: str, scratch: "Scratch") -> None:
        """Bring a commit's files into the scratch folder, as a repository of its own that has no remote."""
        tree = scratch.tree
        index = {"GIT_INDEX_FILE": str(scratch.index)}
        self.git(f"--work-tree={tree}", "read-tree", "--reset", "-u", commit, env=index)
        self._plain(scratch, "init", "--quiet", "--template=")
        information = tree / ".git/objects/info"
        information.mkdir(exist_ok=True)
        (information / "alternates").write_text(f"{self.folder / 'objects'}\n", "utf-8")
        self._plain(scratch, "update-ref", "--no-deref", "HEAD", commit)
        shutil.copyfile(scratch.index, tree / ".git/index")

    def _plain(self, scratch: "Scratch", *arguments: str) -> None:
        done = run(["git", *arguments], cwd=scratch.tree, env=confined(scratch.home), seconds=self.seconds)
        if done.status != 0:
            raise TroubleError(f"git {arguments[0]}: {done.said}")

    def taken(self, scratch: "Scratch", folder: str) -> str:
        """The tree that the files in the scratch folder make; only the service's own folder counts."""
        # without credentials: what is in the scratch folder may be a repository with settings of its own
        environment = {**confined(scratch.home), "GIT_INDEX_FILE": str(scratch.index)}
        environment["GIT_CONFIG_GLOBAL"] = os.devnull
        work = f"--work-tree={scratch.tree}"
        self.git(work, "add", "--all", "--", str(scratch.tree / folder), own=False, env=environment)
        return self.git("write-tree", own=False, env=environment).output.strip()

    def commit(self, tree: str, parent: str, author: str, message: str) -> str:
        """A commit that names its tree, so that somebody's later change of it is noticed."""
        name, _, email = author.rpartition(" ")
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", name), ("EMAIL", email.strip("<>")))
        }
        text = f"{message.strip()}\n\n{_TREE}: {tree}"
        return self.git("commit-tree", tree, "-p", parent, "-m", text, env=who).output.strip()

    def made_here(self, tip: str, base: str) -> bool:
        """Whether a branch is one commit of this command's upon the base branch, and nobody's since."""
        parents = self.text("rev-list", "--parents", "-1", tip).split()[1:]
        named = re.search(rf"^{_TREE}: ([0-9a-f]+)$", self.text("log", "-1", "--format=%B", tip), re.MULTILINE)
        if len(parents) != 1 or not named or named[1] != self.text("rev-parse", f"{tip}^{{tree}}"):
            return False
        return self.git("merge-base", "--is-ancestor", parents[0], base, check=False).status == 0

    def push(self, commit: str, branch: str, before: str) -> None:
        """Bring a commit to the remote, unless the branch is another than `before` there; empty: not there."""
        lease = f"--force-with-lease=refs/heads/{branch}:{before}"
        self.git("push", "--quiet", "--no-verify", lease, "origin", f"{commit}:refs/heads/{branch}")


@dataclass(frozen=True)
class Scratch:
    """A folder for one service's run: its files, and a home and temporary folder for what it brings."""

    folder: Path

    @property
    def tree(self) -> Path:
        """The repository's files."""
        return self.folder / "tree"

    @property
    def home(self) -> Path:
        """What HOME is for the service's code."""
        return self.folder / "home"

    @property
    def index(self) -> Path:
        """The index that belongs to the files."""
        return self.folder / "index"


class Cache:
    """The folder of all clones."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        for part in ("clones", "scratch"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    def _sweep(self) -> None:
        """Remove scratch folders that killed runs have left: nobody holds their locks."""
        for lock in (self.folder / "scratch").glob("*.lock"):
            with lock.open("w") as file, suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.with_suffix(""))
                lock.unlink()
        for folder in (self.folder / "scratch").iterdir():  # a service's command had outlived its killed run, and wrote
            if folder.is_dir() and not folder.with_suffix(".lock").exists():
                _remove(folder)

    @contextmanager
    def scratch(self) -> Iterator[Scratch]:
        """A new scratch folder, removed at the end."""
        descriptor, name = tempfile.mkstemp(suffix=".lock", dir=self.folder / "scratch")
        lock = Path(name)
        scratch = Scratch(lock.with_suffix(""))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for folder in (scratch.tree, scratch.home):
                folder.mkdir(mode=0o700, parents=True)
            yield scratch
        finally:
            _remove(scratch.folder)
            lock.unlink(missing_ok=True)
            os.close(descriptor)

    @contextmanager
    def clone(self, address: str, full: bool = False) -> Iterator[Clone]:
        """The clone of a repository, made if it is not there; its lock lasts as long as git works in it.

        Raises:
            TroubleError: the address is none, or another run holds the clone for too long.
        """
        reason = wrong(address)
        if reason:
            raise TroubleError(f"{redact(address)}: {reason}")
        folder = self.folder / "clones" / _named(address)
        with _locked(folder.with_suffix(".lock"), self.seconds):
            _clear(folder)
            clone = Clone(folder, address, self.seconds)
            self._make(clone, full)
            yield clone

    def _make(self, clone: Clone, full: bool) -> None:
        if not (clone.folder / "config").is_file() or "[fleet]" not in (clone.folder / "config").read_text("utf-8"):
            _remove(clone.folder)
            clone.folder.mkdir(parents=True)
            clone.git("init", "--quiet", "--bare", "--template=")
            if not full:
                clone.git("config", "remote.origin.promisor", "true")
                clone.git("config", "remote.origin.partialCloneFilter", "blob:none")
            clone.git("config", "fleet.made", "true")
        clone.git("config", "remote.origin.url", clone.shown)


def _named(address: str) -> str:
    """A folder's name for a repository, the same for all ways to write its address."""
    same = canonical(address)
    return (
        f"{re.sub(r'[^A-Za-z0-9]+', '-', same)[-40:].strip('-')}-{hashlib.sha256(same.encode()).hexdigest()[:12]}.git"
    )


def _remove(folder: Path) -> None:
    """Remove a folder, and leave what resists to the next time."""
    shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove git's own locks that a killed git has left; one that outlived its run holds them for a moment only."""
    deadline = time.monotonic() + 2
    while left := list(folder.rglob("*.lock")):
        if time.monotonic() > deadline:
            for file in left:
                file.unlink(missing_ok=True)
        time.sleep(0.05)


@contextmanager
def _locked(file: Path, seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    with file.open("w") as opened:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TroubleError(f"another run holds {file.stem}") from None
                time.sleep(0.05)
        yield


def refuse_outside(tree: Path, folder: str, files: Sequence[str] = ("ops/hooks/__main__.py",)) -> Path:
    """The service's folder in its tree.

    Raises:
        TroubleError: it leads out of the tree, or nothing of the template's is in it.
    """
    root = tree / folder
    if not root.resolve().is_relative_to(tree.resolve()):
        raise TroubleError(f"{folder} leads out of the repository")
    gone = [name for name in files if not (root / name).is_file()]
    if gone:
        raise TroubleError(f"it has no {gone[0]}: it comes from no version of the template that updates itself")
    return root

"""Thirty services of the history's first version, their updates, and what is looked at after one."""

import ast
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import copier
import yaml
from hooks.check import conflicted
from hooks.ownership import ANSWERS, ASIDE, blocks, ours

from tests import forks
from tests.history import versions
from tests.history.owners import Owner, work
from tests.history.versions import VERSIONS, git
from tests.quick import quick, temporary
from tests.services import clean_environment
from tests.test_render import LONG, TEXT

SERVICES = range(30)
ONE, TWO, THREE = VERSIONS
SHARED = {"pyproject.toml", "Dockerfile", ".gitignore"}
BIRTHS: tuple[dict[str, str], ...] = (
    {"service_name": "orders"},
    {"service_name": "order-api", "python_version": "3.11"},
    {"service_name": "a", "description": "Prices orders", "owner_team": "Team Orders"},
    {"service_name": LONG, "description": TEXT, "personal_data": "no"},
    {"service_name": "till", "package_name": "north_till", "latency_target_ms": "150"},
    {"service_name": "logging", "owner_team": "Équipe « Commandes »: 'n° 1'"},
)


class History:
    """The template's repository and fresh renders of its versions, made once for all workers of a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    @cached_property
    def template(self) -> Path:
        """The repository."""
        return self._once(self.folder / "template", versions.build)

    def fresh(self, version: str, answers: dict[str, str]) -> Path:
        """The service as this version renders it with these answers."""
        name = hashlib.sha256(json.dumps([version, answers], sort_keys=True).encode()).hexdigest()[:16]
        source = str(self.template)

        def render(target: Path) -> None:
            with quick():
                copier.run_copy(source, target, answers, vcs_ref=version, defaults=True, quiet=True, unsafe=False)

        return self._once(self.folder / name, render)

    def _once(self, target: Path, make: Callable[[Path], object]) -> Path:
        with Path(f"{target}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                making = target.with_name(f"{target.name}.new")
                shutil.rmtree(making, ignore_errors=True)
                make(making)
                making.rename(target)
        return target


@dataclass
class Service:
    """One of the thirty, in a folder of its own, with all that its owner has done committed."""

    history: History
    number: int
    owner: Owner
    before: dict[str, bytes] = field(repr=False)

    @property
    def root(self) -> Path:
        return self.owner.root

    @property
    def born(self) -> dict[str, str]:
        """The answers that it was born with."""
        return BIRTHS[self.number % len(BIRTHS)]

    def fresh(self, version: str, answers: dict[str, str] | None = None) -> dict[str, bytes]:
        """The files of a new service of this version, with the answers of this one's birth and these."""
        born = {"latency_target_ms": "300", **self.born}  # the default then: later ones change no service
        return _below(self.history.fresh(version, {**born, **(answers or {})}))

    def commit(self, message: str) -> None:
        """Commit everything, and take it for the state before the next update."""
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", message)
        self.before = files(self.root)

    def plain_update(self, version: str) -> None:
        """`copier update` as a bot runs it, without trust; no answer is changed."""
        options: dict[str, Any] = {"defaults": True, "skip_answered": True, "overwrite": True, "quiet": True}
        with quick():
            copier.run_update(self.root, vcs_ref=version, unsafe=False, **options)

    def make_update(self, version: str, uv: str = "false") -> dict[str, Any]:
        """`make update`, but for the environment that uv would make for it; its report.

        Args:
            uv: without one, the result is not linted.
        """
        file = self.root.with_name(f"{self.root.name}.json")
        file.unlink(missing_ok=True)
        data = [option for key, value in self.owner.answers.items() for option in ("--data", f"{key}={value}")]
        done = self.hooks("update", "--to", version, *data, "--json", str(file), UV=uv)
        assert file.is_file(), f"{done.returncode}: {done.stderr}"
        report: dict[str, Any] = json.loads(file.read_text("utf-8"))
        assert (done.returncode == 1) == bool(report["open"]), report
        return report

    def hooks(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """One of the commands that the template has delivered."""
        with temporary() as folder:
            environment = clean_environment(PYTHONDONTWRITEBYTECODE="1", TMPDIR=folder, **variables)
            return forks.hooks(arguments, self.root, environment)

    def open(self) -> set[tuple[str, str]]:
        """What `make check` would find to be open, as kind and path."""
        done = self.hooks("check", "--json")
        assert done.returncode in (0, 1), done.stderr
        return {(each["kind"], each["path"]) for each in json.loads(done.stdout)["open"]}

    def changed(self) -> list[str]:
        """What git says has changed since the last commit."""
        return git(self.root, "status", "--porcelain").splitlines()


@cache
def _below(render: Path) -> dict[str, bytes]:
    """The files of a render, which nobody changes."""
    return {path.relative_to(render).as_posix(): path.read_bytes() for path in render.rglob("*") if path.is_file()}


MIGRATIONS = {TWO: "ops/hooks/migrations/v1_1_0.py", THREE: "ops/hooks/migrations/v2_0_0.py"}
SEEDS = {TWO: "docs/on-call.md", THREE: "requests/version.http"}


def waiting(service: Service, *crossed: str) -> set[tuple[str, str]]:
    """What a plain update over these versions leaves to `make migrate`: their migrations, their new files."""
    found = {("migration", MIGRATIONS[version]) for version in crossed}
    return found | {("seed", SEEDS[version]) for version in crossed if SEEDS[version] not in service.before}


def as_it_is(service: Service, folder: Path) -> Service:
    """The same service once more, in a folder of its own."""
    root = folder / f"{service.root.name}-again"
    shutil.copytree(service.root, root, symlinks=True)
    return replace(service, owner=replace(service.owner, root=root))


def live(history: History, folder: Path, number: int, *, breaking: bool) -> Service:
    """The service of this number: rendered at the first version, worked on for a year, committed."""
    root = folder / f"{'breaker' if breaking else 'keeper'}-{number:02}"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(history.fresh(ONE, BIRTHS[number % len(BIRTHS)]), root)
    (package,) = (app.parent.name for app in root.glob("src/*/app.py"))
    owner = work(root, package, number, breaking=breaking)
    git(root, "init", "--quiet")
    for name, value in (("user.name", "owner"), ("user.email", "owner@localhost"), ("gc.auto", "0")):
        git(root, "config", name, value)
    service = Service(history, number, owner, {})
    service.commit("A year of work")
    return service


def files(root: Path) -> dict[str, bytes]:
    """Every file that git would take."""
    listed = git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    return {path: (root / path).read_bytes() for path in listed if path and (root / path).is_file()}


def of_the_template(tree: dict[str, bytes]) -> dict[str, bytes]:
    """The files that are the template's as a whole, the answers among them."""
    return {path: content for path, content in tree.items() if ours(path) or path == ANSWERS}


def of_the_owner(tree: dict[str, bytes]) -> dict[str, bytes]:
    """The files that are the owner's as a whole."""
    return {path: content for path, content in tree.items() if not ours(path) and path not in {*SHARED, ANSWERS}}


def templates_blocks(tree: dict[str, bytes]) -> dict[str, str]:
    """The template's lines of each shared file."""
    return {path: blocks(tree[path].decode()) for path in SHARED if path in tree}


def owners_lines(tree: dict[str, bytes]) -> dict[str, str]:
    """The owner's lines of each shared file."""
    block = re.compile(r"^[ ]*# begin ops\b(?s:.*?)^[ ]*# end ops\b.*\n", re.MULTILINE)
    return {path: block.sub("", tree[path].decode()) for path in SHARED if path in tree}


def differing(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Paths that are not in both with the same content."""
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


def torn(tree: dict[str, bytes]) -> list[str]:
    """The files with markers of a conflict, or what could not be merged."""
    return sorted(path for path, content in tree.items() if conflicted(content) or path.endswith(".rej"))


PARSERS: dict[str, Callable[[str], Any]] = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".yaml": lambda text: list(yaml.load_all(text, yaml.CSafeLoader)),
    ".yml": lambda text: list(yaml.load_all(text, yaml.CSafeLoader)),
}


def unreadable(tree: dict[str, bytes]) -> list[str]:
    """The files that do not parse in the format of their name."""
    found = ["Dockerfile"] if not whole_dockerfile(tree.get("Dockerfile", b"").decode()) else []
    return found + [path for path, content in tree.items() if not _parses(Path(path).suffix, content)]


@cache
def _parses(suffix: str, content: bytes) -> bool:
    """Most files are the same in all services: each is parsed once."""
    try:
        PARSERS.get(suffix, str)(content.decode())
    except (ValueError, SyntaxError, yaml.YAMLError):
        return False
    return True


def whole_dockerfile(text: str) -> bool:
    """Whether each line of it, joined with those that continue it, begins with an instruction."""
    lines = re.sub(r"^\s*(?:#.*)?\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return all(re.match(r"[A-Z]+ ", line) and not re.search(r"  (?:COPY|USER|RUN|FROM) ", line) for line in lines)


def aside(root: Path) -> str:
    """All edits that were set aside."""
    return "".join(file.read_text("utf-8") for file in sorted((root / ASIDE).rglob("*.patch")))


def boots(service: Service, python: Path) -> str:
    """What an interpreter with the libraries says when the application is made; nothing if all is well."""
    package = service.owner.package
    code = f"from {package}.app import create_app; from {package}.settings import Settings; create_app(Settings())"
    environment = clean_environment(PYTHONPATH=str(service.root / "src"), PYTHONDONTWRITEBYTECODE="1")
    command = [str(python), "-c", code]
    done = subprocess.run(command, cwd=service.root, env=environment, capture_output=True, text=True, check=False)
    return done.stderr[-600:] if done.returncode else ""

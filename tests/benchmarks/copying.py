"""What rendering and updating a service cost, as ratios to cookiecutter rendering the same files.

    python tests/benchmarks/copying.py [--quick] [--write]

Makes a repository of two versions from the template of the work tree, and a cookiecutter template of the same files
with variables at the same places; cookiecutter is installed into a cache folder. Both run as people run them, from the
command line, in random order in rounds; a ratio of CPU time is taken within a round. With --write the table goes into
docs/performance.md. Needs Copier and uv, and about three minutes.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import copier
import jinja2
from ratios import Row, ratio, table, visited, write
from rendering import PACKAGE, copy_of_the_template

GOAL = 1.5


class Bench:
    """Two templates that render the same files, each in a folder and in a git repository.

    Args:
        folder: holds all that is made; what it held is removed, but for the environment of cookiecutter.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for old in folder.iterdir():
            if old.name != "venv":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        self.plain = copy_of_the_template(folder / "plain")
        self.repository = folder / "repository"
        shutil.copytree(self.plain, self.repository)
        _commit(self.repository, "v1.0.0")
        self.service = folder / "service"
        _run(*self._copier("copy", "--vcs-ref", "v1.0.0"), self.repository, self.service)
        _commit(self.service)
        everything = sorted(path for path in self.service.rglob("*") if path.is_file())
        self.paths = [path for path in everything if self.service / ".git" not in path.parents]
        for ours in (self.repository / "template").rglob("ops/*.py"):
            ours.write_text(ours.read_text("utf-8") + "# A later version.\n", "utf-8")
        _commit(self.repository, "v1.1.0")
        self.cookie = self._cookiecutter_template()
        self.cookie_repository = folder / "cookie.git"
        shutil.copytree(self.cookie, self.cookie_repository)
        _commit(self.cookie_repository)
        self.config = folder / "cookiecutter.yaml"
        self.config.write_text(f"cookiecutters_dir: {folder}/clones\nreplay_dir: {folder}/replay\n")
        self.target = folder / "target"

    def visits(self) -> dict[str, Callable[[], float]]:
        """What is timed: each ends with a new service, or an updated one, in `target`."""
        copier, cookiecutter = self._copier("copy"), [str(self._environment() / "bin/cookiecutter"), "--no-input"]
        cookiecutter += ["--config-file", str(self.config), "--output-dir", str(self.target)]
        return {
            "copier, folder": lambda: self._timed(*copier, self.plain, self.target),
            "copier, git": lambda: self._timed(*copier, self.repository, self.target),
            "cookiecutter, folder": lambda: self._timed(*cookiecutter, self.cookie),
            "cookiecutter, git": lambda: self._timed(*cookiecutter, self.cookie_repository.as_uri()),
            "update": self._update,
            "start copier": lambda: self._timed(sys.executable, "-c", "import copier._cli"),
            "start cookiecutter": lambda: self._timed(cookiecutter[0], "--version"),
        }

    def same_files(self) -> None:
        """Look whether both render the same.

        Raises:
            ValueError: a file is missing or another one.
        """
        self.visits()["cookiecutter, folder"]()
        for path in self.paths:
            theirs = self.target / PACKAGE / path.relative_to(self.service)
            if not theirs.exists() or theirs.read_bytes() != path.read_bytes():
                raise ValueError(f"cookiecutter renders another {path.relative_to(self.service)}")

    def _timed(self, *command: str | Path) -> float:
        shutil.rmtree(self.target, ignore_errors=True)
        shutil.rmtree(self.folder / "clones", ignore_errors=True)
        (self.folder / "clones").mkdir()
        return _run(*command)

    def _update(self) -> float:
        shutil.rmtree(self.target, ignore_errors=True)
        shutil.copytree(self.service, self.target)
        return _run(sys.executable, "-m", "copier", "update", "--quiet", "--defaults", self.target)

    def _copier(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "copier", *words, "--quiet", "--defaults", "--data", f"service_name={PACKAGE}"]

    def _environment(self) -> Path:
        environment = self.folder / "venv"
        if not (environment / "bin" / "cookiecutter").exists():
            uv = Path(sys.executable).with_name("uv")
            _run(uv, "venv", "--quiet", "--python", sys.executable, environment)
            _run(uv, "pip", "install", "--quiet", "--python", environment / "bin/python", "cookiecutter")
        return environment

    def _cookiecutter_template(self) -> Path:
        """The rendered files, with the service's name as a variable in paths, and in the files that Copier renders."""
        root = self.folder / "cookie"
        root.mkdir()
        (root / "cookiecutter.json").write_text(json.dumps({"name": PACKAGE}))
        rendered = {_name(path, self.plain / "template") for path in (self.plain / "template").rglob("*.jinja")}
        for path in self.paths:
            relative = path.relative_to(self.service).as_posix()
            text = path.read_text("utf-8")
            text = re.sub(r"\{[{%#]", lambda found: "{{ '" + found[0] + "' }}", text)
            if relative in rendered:
                text = text.replace(PACKAGE, "{{ cookiecutter.name }}")
            place = root / "{{ cookiecutter.name }}" / relative.replace(PACKAGE, "{{ cookiecutter.name }}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
        return root


def _name(source: Path, root: Path) -> str:
    relative = source.relative_to(root).as_posix().removesuffix(".jinja")
    return relative.replace("{{ package_name }}", PACKAGE).replace(
        "{{ _copier_conf.answers_file }}", ".copier-answers.yml"
    )


def _run(*command: str | Path) -> float:
    """Run this to its end: user and system time of it and of all that it starts, which other work hardly disturbs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _commit(folder: Path, tag: str = "") -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org"]
    _run(*git, "init", "--quiet")
    _run(*git, "add", "--all", "--force")
    _run(*git, "commit", "--quiet", "--message", "As it is")
    if tag:
        _run(*git, "tag", tag)


def measure(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each visit in each round; one round before, for nothing: files come into the page cache."""
    return {name: seconds[1:] for name, seconds in visited(bench.visits(), rounds + 1).items()}


def where(bench: Bench, start: float) -> dict[str, dict[str, float]]:
    """What a copy and an update spend their time on, each in a process of its own; `start` is what imports take."""
    shutil.rmtree(bench.target, ignore_errors=True)
    told = {}
    for name, source in (("copy", bench.repository), ("update", bench.target)):
        words = [sys.executable, __file__, "--count", name, str(source), str(bench.target)]
        if name == "update":
            shutil.rmtree(bench.target)
            shutil.copytree(bench.service, bench.target)
        told[name] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        told[name]["start"] = start
    return told


def count(operation: str, source: str, target: str) -> dict[str, float]:
    """Copy or update in this process, and count processes and compilations."""
    told: dict[str, float] = {"processes": 0, "compilations": 0}
    told |= {"in processes": 0.0, "in compilations": 0.0}
    _watch(subprocess.Popen, "__init__", told, "processes")
    for name in ("communicate", "wait"):
        _watch(subprocess.Popen, name, told, "processes", counted=False)
    _watch(jinja2.Environment, "compile", told, "compilations")
    began = time.perf_counter()
    if operation == "copy":
        copier.run_copy(source, target, data={"service_name": PACKAGE}, defaults=True, quiet=True)
    else:
        copier.run_update(target, defaults=True, overwrite=True, quiet=True)
    return told | {"all": time.perf_counter() - began}


def _watch(owner: Any, name: str, told: dict[str, float], what: str, *, counted: bool = True) -> None:
    """Add the time of each call to what is told; calls within calls count once."""
    wrapped, depth = getattr(owner, name), [0]

    def watched(*words: Any, **options: Any) -> Any:
        began, depth[0] = time.perf_counter(), depth[0] + 1
        try:
            return wrapped(*words, **options)
        finally:
            depth[0] -= 1
            told[what] += counted
            if not depth[0]:
                told[f"in {what}"] += time.perf_counter() - began

    setattr(owner, name, watched)


def rows(bench: Bench, found: dict[str, list[float]]) -> list[Row]:
    """The table's lines."""
    files = len(bench.paths)
    work = {
        name: [all_ - start for all_, start in zip(found[f"{name}, folder"], found[f"start {name}"], strict=True)]
        for name in ("copier", "cookiecutter")
    }
    return [
        ratio(
            f"a render of {files} files from git, over cookiecutter",
            GOAL,
            found["copier, git"],
            found["cookiecutter, git"],
        ),
        ratio("the same from a folder", GOAL, found["copier, folder"], found["cookiecutter, folder"]),
        ratio("the same from a folder, without the start of Python", None, work["copier"], work["cookiecutter"]),
        ratio(
            "the start alone: Copier's imports, over cookiecutter's",
            None,
            found["start copier"],
            found["start cookiecutter"],
        ),
        ratio("an update, over a render from git", None, found["update"], found["copier, git"]),
        ratio("an update, over cookiecutter's render from git", None, found["update"], found["cookiecutter, git"]),
    ]


def page(found: Sequence[Row], told: dict[str, dict[str, float]]) -> str:
    """The results as Markdown."""
    text = (
        table(found) + "\n| share of | imports | processes | Jinja compilations | the rest |\n|---|---|---|---|---|\n"
    )
    for name, each in told.items():
        whole = each["all"] + each["start"]
        parts = [each["start"], each["in processes"], each["in compilations"]]
        shares = [*parts, whole - sum(parts)]
        notes = ["", f", {each['processes']:.0f} of them", f", {each['compilations']:.0f} of them", ""]
        text += f"| {name} | " + " | ".join(f"{s / whole:.0%}{n}" for s, n in zip(shares, notes, strict=True)) + " |\n"
    return text


def main() -> int:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="how often each is timed (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "shipshape-copying", metavar="FOLDER")
    parser.add_argument("--count", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count:
        print(json.dumps(count(*given.count)))
        return 0
    os.environ.pop("VIRTUAL_ENV", None)
    given.cache.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.cache)
    bench.same_files()
    found = measure(bench, 3 if given.quick else given.rounds)
    text = page(rows(bench, found), where(bench, median(found["start copier"])))
    print(text)
    print({name: round(median(each), 2) for name, each in found.items()}, "CPU seconds", file=sys.stderr)
    if given.write:
        write("rendering", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

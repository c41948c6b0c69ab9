"""Copier in this process, without its repetitions: it clones, reads and compiles the same texts again and again.

What it makes is the same (`test_quick.py`); what it has found out once is kept for all processes of a session.
"""

import atexit
import hashlib
import marshal
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from copier import _main, _template, _vcs
from copier._main import Worker
from copier._template import Template
from jinja2.sandbox import SandboxedEnvironment as Environment

_KEPT = "SHIPSHAPE_TESTS_KEPT"  # inherited by this session's workers and by what they start
_PROPERTIES = ("commit", "commit_hash", "git_index_modes", "version")  # of a clone; each asks git, most of them often


def memory(room: int) -> str | None:
    """A folder in memory with this much room, in bytes, in which programs may be run; None if there is none.

    To write and read many small files there saves a fifth of the time.
    """
    folder = "/dev/shm"
    try:
        system = os.statvfs(folder)
    except OSError:
        return None
    usable = os.access(folder, os.W_OK) and not system.f_flag & os.ST_NOEXEC
    return folder if usable and system.f_bavail * system.f_frsize > room else None


@contextmanager
def temporary() -> Iterator[str]:
    """A folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="rendering-", dir=memory(2**30)) as folder:
        yield folder


def _folder() -> Path:
    """Where a session keeps what it has found out; whoever is first makes it, and removes it at the end."""
    if _KEPT not in os.environ:
        os.environ[_KEPT] = tempfile.mkdtemp(prefix="kept-", dir=memory(2**30))
        atexit.register(shutil.rmtree, os.environ[_KEPT], ignore_errors=True)
    return Path(os.environ[_KEPT])


KEPT = _folder()


def in_one_step(file: Path, content: bytes) -> None:
    """Write it so that nobody reads half of it."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_bytes(content)
    new.replace(file)


def place(*key: object) -> Path:
    """The file that is kept under this key."""
    return KEPT / hashlib.sha256(repr(key).encode("utf-8", "surrogatepass")).hexdigest()


_compiled: dict[tuple[object, ...], Any] = {}
_compile: Callable[..., Any] = Environment.compile


def _compile_once(self: Environment, source: Any, name: Any = None, filename: Any = None, *options: Any) -> Any:
    """What Jinja compiles is the same for the same text and environment, wherever the file lies."""
    if not isinstance(source, str) or any(options):
        return _compile(self, source, name, filename, *options)
    syntax = (self.keep_trailing_newline, self.trim_blocks, self.lstrip_blocks, self.undefined, *self.extensions)
    key = (source, name, type(self), syntax)
    if key not in _compiled:
        file = place(*key)
        if not file.is_file():
            in_one_step(file, marshal.dumps(_compile(self, source, name, name)))
        _compiled[key] = marshal.loads(file.read_bytes())
    return _compiled[key]


def _plain(text: object) -> bool:
    """Whether Jinja would make the same of a text: it has no syntax, and no line whose end could be cut."""
    return isinstance(text, str) and not {"{", "\n", "\r"} & set(text)


_render_string: Callable[..., str] = Worker._render_string
_answers_relpath: Callable[[Worker], Path] = Worker.answers_relpath.fget  # type: ignore[attr-defined]


def _render_plain(self: Worker, string: str, extra_context: Any = None) -> str:
    return string if _plain(string) else _render_string(self, string, extra_context)


def _plain_answers_relpath(self: Worker) -> Path:
    path = self.answers_file or self.template.answers_relpath
    return Path(path) if _plain(str(path)) else _answers_relpath(self)


_load: Callable[..., Any] = _template.load_template_config


def _load_once(path: Path, quiet: bool = False) -> Any:
    text = path.read_bytes()
    if b"!include" in text:
        return _load(path, quiet)
    file = place("configuration", text)
    if not file.is_file():
        in_one_step(file, pickle.dumps(_load(path, quiet)))
    return pickle.loads(file.read_bytes())


_clone: Callable[..., str] = _vcs.clone


def _clone_once(url: str, ref: str = "HEAD", location: str | None = None) -> str:
    """A clone that is kept, as long as the repository's branches and tags are what they were; of a plain path alone."""
    git = Path(url, ".git") if Path(url, ".git").is_dir() else Path(url)
    if ref == "HEAD" or not (git / "HEAD").is_file() or (git / "shallow").exists():
        return _clone(url, ref, location)
    named = [git / "HEAD", git / "packed-refs", *sorted((git / "refs").rglob("*"))]
    target = place("clone", url, ref, [(str(file), file.read_bytes()) for file in named if file.is_file()])
    if not target.is_dir():
        new = target.with_name(f"{target.name}.{os.getpid()}")
        _clone(url, ref, str(new))
        try:
            new.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(new)
    return str(target)


_render_template: Callable[[Worker], None] = Worker._render_template


def _render_once(self: Worker) -> None:
    """What an empty folder gets is the same for the same answers: an update renders its old and new version apart."""
    clone, folder = self.template.local_abspath, self.dst_path
    if clone.parent != KEPT or (folder.is_dir() and any(folder.iterdir())):
        _render_template(self)
        return
    answers = {name: value for name, value in self.answers.combined.items() if isinstance(value, str | int | float)}
    remembered = dict(self._answers_to_remember())
    given = (answers, remembered, self.all_exclusions, self.answers_relpath, _main._operation.get())
    target = place("render", clone, *given)
    if not target.is_dir():
        _render_template(self)
        new = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(folder, new, symlinks=True)
        with suppress(OSError):  # another process was faster
            new.rename(target)
    else:
        shutil.copytree(target, folder, symlinks=True, copy_function=shutil.copy, dirs_exist_ok=True)


def _of_a_clone(name: str) -> cached_property[Any]:
    """A property of a template that is read from git once for each clone that is kept."""
    ask: Callable[[Template], Any] = getattr(Template, name).func

    def asked(self: Template) -> Any:
        clone = self.local_abspath
        if clone.parent != KEPT:
            return ask(self)
        file = clone.with_name(f"{clone.name}-{name}")
        if not file.is_file():
            in_one_step(file, pickle.dumps(ask(self)))
        return pickle.loads(file.read_bytes())

    made: cached_property[Any] = cached_property(asked)
    made.__set_name__(Template, name)
    return made


@contextmanager
def patched() -> Iterator[None]:
    """Copier without its repetitions.

    For each file it also asks git whether modes are ignored (`core.fileMode` is off), and would mend git's index then.
    They are nowhere ignored here.
    """
    asking = mock.patch.object(Worker, "_sync_git_index_executable_bit", create=True)
    once = mock.patch.multiple(_template, load_template_config=_load_once, clone=_clone_once)
    paths = mock.patch.multiple(Worker, _render_string=_render_plain, answers_relpath=property(_plain_answers_relpath))
    rendering = mock.patch.object(Worker, "_render_template", _render_once)
    properties: dict[str, Any] = {name: _of_a_clone(name) for name in _PROPERTIES}
    compiling = mock.patch.object(Environment, "compile", _compile_once)
    with compiling, asking, once, paths, rendering, mock.patch.multiple(Template, **properties):
        yield


@contextmanager
def quick() -> Iterator[None]:
    """Copier without its repetitions, and with its temporary files in memory."""
    with temporary() as folder, patched(), mock.patch.object(tempfile, "tempdir", folder):
        yield

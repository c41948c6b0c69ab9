"""The service as checks see it: its repository, read once and as late as possible, and a running instance of it."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml

from .outcome import CannotTell, Failed

T = TypeVar("T")


class Reference(list[str]):
    """The place of another part of the same file, as GitLab's `!reference [.job, script]` names it."""


# A safe loader, in C where there is one, that knows the one tag of GitLab's own.
_LOADER: Any = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
_LOADER.add_constructor("!reference", lambda loader, node: Reference(map(str, loader.construct_sequence(node))))


@dataclass(frozen=True, slots=True)
class Live:
    """How checks start the service: with which file of configuration, and which environment beside."""

    config: str = "config/dev.yaml"
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """A service's repository. All checks of a run share one; what is read or made once is a cached property.

    Attributes:
        root: the service's folder.
        live: how it is started here.
        ending: closed when the run is over: what a check starts for all, such as a running service, ends by it.
    """

    root: Path = field(default_factory=Path)
    live: Live = field(default_factory=Live)
    ending: ExitStack = field(default_factory=ExitStack)
    _made: dict[str, Any] = field(default_factory=dict, repr=False)
    _making: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns, made once whichever of several checks asks first."""
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            found: T = self._made[name]
            return found

    @cached_property
    def package(self) -> str:
        """Name of the Python package that holds the folder `ops`.

        Raises:
            CannotTell: there is none, or more than one.
        """
        found = sorted(each.parent.name for each in self.root.glob("src/*/ops") if each.is_dir())
        if len(found) != 1:
            raise CannotTell(f"src/ must hold one package with a folder ops, and holds {', '.join(found) or 'none'}")
        return found[0]

    @cached_property
    def answers(self) -> dict[str, Any]:
        """The answers that the service was rendered with."""
        return self.mapping(".copier-answers.yml")

    def text(self, path: str) -> str:
        """A file's text.

        Raises:
            Failed: it is not there, or no UTF-8 text.
        """
        try:
            return (self.root / path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror or "can't be read") if isinstance(error, OSError) else "is no UTF-8 text"
            raise Failed(f"{path}: {reason}") from None

    def mapping(self, path: str) -> dict[str, Any]:
        """A YAML file that holds a mapping; GitLab's may have a header, which `---` ends.

        Raises:
            Failed: it is not there, is no YAML, or holds something else.
        """
        try:
            header, *rest = list(yaml.load_all(self.text(path), Loader=_LOADER)) or [None]
        except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:  # of odd scalars, too
            mark = getattr(error, "problem_mark", None)
            raise Failed(f"{path}{f':{mark.line + 1}' if mark else ''}: is no YAML") from None
        has_header = len(rest) == 1 and isinstance(header, dict) and header.keys() == {"spec"}
        document = rest[0] if has_header else header
        if rest and not has_header:
            raise Failed(f"{path}: must hold one document, and holds {len(rest) + 1}")
        if not isinstance(document, dict):
            raise Failed(f"{path}: must hold keys and values, and holds {type(document).__name__}")
        return document

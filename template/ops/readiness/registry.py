"""Which function checks which row. A row of evidence `static` or `live` has exactly one."""

import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from typing import Final, Literal

from .service import Service

Kind = Literal["static", "live"]
Look = Callable[[Service], str]
OWN: Final = "readiness_checks_of_the_owner"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        id: of its row.
        kind: `live` if it starts the service or talks to it, `static` if it only reads.
        look: returns the evidence; raises `Failed`, `Open`, `NotApplicable` or `CannotTell`. Any other exception is
            told as the check's own failure, and the row does not pass.
    """

    id: str
    kind: Kind
    look: Look


_CHECKS: Final[dict[str, Check]] = {}
# Where declarations go: an owner's file declares into a mapping of its own.
_into: dict[str, Check] = _CHECKS


def static(row: str) -> Callable[[Look], Look]:
    """Declare the check of a row that only reads the repository."""
    return _declared(row, "static")


def live(row: str) -> Callable[[Look], Look]:
    """Declare the check of a row that needs the service to run."""
    return _declared(row, "live")


def _declared(row: str, kind: Kind) -> Callable[[Look], Look]:
    def declare(look: Look) -> Look:
        if known := _CHECKS.get(row, _into.get(row)):
            raise ValueError(f"row {row!r} has a check already: {known.look.__module__}.{known.look.__name__}")
        _into[row] = Check(row, kind, look)
        return look

    return declare


def loaded(file: Path) -> Mapping[str, Check]:
    """The checks that an owner's file declares. Whatever it raises is raised."""
    global _into  # noqa: PLW0603 - the decorators have no other way to know whose file calls them
    checks()  # first, so that one of these is known by its name
    spec = spec_from_file_location(OWN, file.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = module_from_spec(spec)
    sys.modules[OWN] = module  # as an import would: dataclasses look their module up
    own: dict[str, Check] = {}
    _into = own
    try:
        spec.loader.exec_module(module)
    finally:
        _into = _CHECKS
    return own


def place(error: BaseException, file: Path) -> str:
    """What an owner's file raised, and at which of its lines."""
    own = str(file.resolve())
    lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == own]
    told = str(error)
    if isinstance(error, SyntaxError) and error.filename == own:
        lines, told = [error.lineno], error.msg
    where = f"line {lines[-1]}: " if lines else ""
    return f"{where}{type(error).__name__}: {' '.join(told.split())}"


def checks() -> Mapping[str, Check]:
    """Every check by its row; those of the template are imported by this."""
    from . import checks as package  # noqa: PLC0415 - its modules import this one

    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return dict(_CHECKS)

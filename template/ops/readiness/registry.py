"""Which function checks which row. A row of evidence `static` or `live` has exactly one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Final, Literal

from .service import Service

Kind = Literal["static", "live"]
Look = Callable[[Service], str]


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


def static(row: str) -> Callable[[Look], Look]:
    """Declare the check of a row that only reads the repository."""
    return _declared(row, "static")


def live(row: str) -> Callable[[Look], Look]:
    """Declare the check of a row that needs the service to run."""
    return _declared(row, "live")


def _declared(row: str, kind: Kind) -> Callable[[Look], Look]:
    def declare(look: Look) -> Look:
        if row in _CHECKS:
            raise ValueError(f"row {row!r} has two checks: {_CHECKS[row].look.__module__} and {look.__module__}")
        _CHECKS[row] = Check(row, kind, look)
        return look

    return declare


def checks() -> Mapping[str, Check]:
    """Every check by its row; those of the template are imported by this."""
    from . import checks as package  # noqa: PLC0415 - its modules import this one

    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return dict(_CHECKS)

"""The command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from .outcome import BadInput
from .registry import Kind
from .rows import GATES, Gate
from .runner import SECONDS

STDOUT: Final = "-"
# What a report can be written as, and what that is good for.
FORMS: Final = {
    "html": "one page that needs nothing beside it",
    "markdown": "a job's summary",
    "json": "everything, for programs",
    "junit": "JUnit's XML",
    "sarif": "SARIF 2.1.0: what is left to do, with the place in the repository",
    "badge": "an SVG badge",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for: `files` maps a form of the report to a file, or to `-`."""

    gate: Gate | None
    only: tuple[str, ...]
    kind: Kind | None
    explain: str | None
    files: dict[str, str]
    timeout: float
    root: Path

    @property
    def whole(self) -> bool:
        """Whether all rows are looked at."""
        return not self.only and self.kind is None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; --help tells the options")


def read(arguments: Sequence[str] | None) -> Options:
    """Read the command line.

    Raises:
        BadInput: something is wrong.
    """
    given = _parser().parse_args(arguments)
    files = {form: value for form in FORMS if (value := getattr(given, form)) is not None}
    if list(files.values()).count(STDOUT) > 1:
        raise BadInput("only one form of the report fits on standard output; give the others a file")
    options = Options(given.gate, given.only, given.kind, given.explain, files, given.timeout, Path())
    if options.gate and not options.whole:
        raise BadInput("a gate is judged by all of its rows: leave --only and --kind out, or --gate")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m ops.readiness",
        description="Whether the service is ready for production, row by row.",
        epilog="Exit status: 0 told, and the gate of --gate is passed; 1 it is closed, or what people wrote has "
        "mistakes; 2 it can't be run as asked.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--gate", choices=GATES, help="end with 1 while a row of this gate, or of an earlier one, is not passed")
    add("--only", metavar="ID[,ID]", type=_ids, default=(), help="look at these rows alone; no gate is judged then")
    add("--kind", choices=("static", "live"), help="make checks of this kind alone; no gate is judged then")
    add("--explain", metavar="ID", help="tell one row: its sources, why it matters, what is seen, what to do")
    for form, use in FORMS.items():
        add(
            f"--{form}", metavar="FILE", nargs="?", const=STDOUT, help=f"write {use}; without a file to standard output"
        )
    add("--timeout", metavar="S", type=_seconds, default=SECONDS, help=f"seconds that one check may take; {SECONDS:g}")
    return parser


def _ids(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to 3600")
    return seconds

"""`python -m ops.smoke URL`: smoke tests of a running service. `--help` tells the rest."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from time import monotonic

from . import options, report
from .masking import Masks
from .outcome import BadInput, Result
from .reading import written
from .runner import run
from .target import Surroundings
from .trust import Trust, context_for
from .waiting import met

PASSED, FAILED, REFUSED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the smoke tests, and tell what came out.

    Returns:
        0: all passed. 1: something failed. 2: they can't be run as asked; one message says why.
    """
    masks = Masks()
    try:
        given = options.read(arguments, masks)
        for file in (given.junit, given.json):
            written(file, "")  # before anything else: a report of an earlier run must not look like this one's
        context_for(given.address, given.wanted.ca)
        results, started, seconds = _run(given, masks)
        for file, form in ((given.junit, report.as_junit), (given.json, report.as_json)):
            written(file, form(results, given.address.url(), started, seconds))
    except BadInput as bad:
        print(f"smoke: {masks.text(str(bad))}", file=sys.stderr)
        return REFUSED
    return PASSED if report.passed(results) else FAILED


def _run(given: options.Options, masks: Masks) -> tuple[list[Result], datetime, float]:
    started, began = datetime.now(UTC), monotonic()
    surroundings = Surroundings(given.address, given.wanted, given.plan, masks, Trust())
    results = run(met(surroundings, given.wait, _say))
    seconds = monotonic() - began
    for line in report.lines(results):
        _say(line)
    _say(report.closing(results, given.address.url(), seconds))
    return results, started, seconds


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # a name may be in any script, and the terminal know another
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

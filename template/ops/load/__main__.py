"""`python -m ops.load URL`: a load test of a running service, by load.yaml. `make load` has an environment for it."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ops.smoke import address
from ops.smoke.masking import Masks
from ops.smoke.outcome import BadInput
from ops.smoke.reading import written

from . import figures, plan

PASSED, FAILED, REFUSED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the load of one profile, and tell what came out.

    Returns:
        0: all thresholds hold. 1: one does not. 2: it can't be run as asked; one message says why.
    """
    masks = Masks()
    given = _parser().parse_args(arguments)
    try:
        url = address.parse(given.url).url()
        wanted = plan.read(given.config, masks)
        profile = given.profile or next(iter(wanted.profiles))
        if profile not in wanted.profiles:
            raise BadInput(f"--profile {profile!r}: {given.config} has {', '.join(wanted.profiles)}")
        for file in (given.json, given.html):
            written(file, "")  # before the run: a report of an earlier one must not look like this one's
        outcome = _sent(wanted, profile, url, masks, given.html)
        written(given.json, outcome.as_json())
    except BadInput as bad:
        print(f"load: {masks.text(str(bad))}", file=sys.stderr)
        return REFUSED
    for line in figures.lines(outcome):
        print(line, flush=True)
    return PASSED if outcome.passed else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.load", description="Load test of a running service.")
    parser.add_argument("url", metavar="URL", help="base address, such as https://orders.staging.example.org")
    parser.add_argument("--config", type=Path, default=Path(plan.NAME), metavar="FILE", help="in place of load.yaml")
    parser.add_argument("--profile", metavar="NAME", help="which stages; the first ones unless you say")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts there")
    return parser


def _sent(wanted: plan.Plan, profile: str, url: str, masks: Masks, html: Path | None) -> figures.Outcome:
    if find_spec("locust") is None:
        raise BadInput("Locust is not installed here: `make load URL=…` installs and uses it")
    from . import sending  # noqa: PLC0415 - it makes sockets gevent's

    return sending.run(wanted, profile, url, masks, html)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

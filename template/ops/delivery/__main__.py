"""Whether the manifests in deploy/ keep the rules that every service keeps.

python -m ops.delivery check                     renders every environment with kustomize, and checks it
python -m ops.delivery check --rendered FOLDER   checks FOLDER/<environment>.yaml, rendered before
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import differences, pods, reading, surroundings
from .objects import Environment

DONE, OPEN, REFUSED = 0, 1, 2
DEPLOY = Path("deploy")
STAGING, PRODUCTION = "staging", surroundings.PRODUCTION


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the manifests, in the service's folder.

    Returns:
        0: nothing is wrong. 1: something is, a line each on standard error. 2: the input can't be read.
    """
    given = _parser().parse_args(arguments)
    try:
        environments = reading.rendered(given.rendered) if given.rendered else reading.built(DEPLOY)
        found = list(_problems(environments, differences.listed(DEPLOY / "differences.yaml")))
    except reading.DeliveryError as error:
        print(error, file=sys.stderr)
        return REFUSED
    for line in found:
        print(line, file=sys.stderr)
    if found:
        return OPEN
    names = ", ".join(each.name for each in environments)
    print(f"{names}: the manifests keep the rules." if names else f"{DEPLOY}/: there are no manifests to check.")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.delivery", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    check = commands.add_parser("check", help="check the rendered manifests, and what differs between environments")
    check.add_argument("--rendered", type=Path, metavar="FOLDER", help="with a file <environment>.yaml for each")
    return parser


def _problems(environments: list[Environment], allowed: list[tuple[str, ...]]) -> Iterator[str]:
    for environment in environments:
        for rules in (pods, surroundings):
            yield from (f"{environment.name}: {problem}" for problem in rules.problems(environment))
    known = {each.name: each for each in environments}
    if PRODUCTION in known and STAGING not in known:
        yield f"{PRODUCTION}: there is no {STAGING} to compare it with"
    elif PRODUCTION in known:
        yield from differences.problems(known[STAGING], known[PRODUCTION], allowed)


if __name__ == "__main__":
    sys.exit(main())

"""Whether all environments keep the rules, and production differs from staging only as its owner has listed."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from . import differences, pods, reading, surroundings
from .objects import Environment

DEPLOY = Path("deploy")
STAGING, PRODUCTION = "staging", surroundings.PRODUCTION


def run(given: argparse.Namespace) -> int:
    """Check; 0: nothing is wrong, 1: something is, a line each on standard error.

    Raises:
        DeliveryError: the input can't be read.
    """
    environments = reading.rendered(given.rendered) if given.rendered else reading.built(DEPLOY)
    found = list(problems(environments, differences.listed(DEPLOY / "differences.yaml")))
    for line in found:
        print(line, file=sys.stderr)
    if found:
        return 1
    names = ", ".join(each.name for each in environments)
    print(f"{names}: the manifests keep the rules." if names else f"{DEPLOY}/: there are no manifests to check.")
    return 0


def problems(environments: list[Environment], allowed: list[tuple[str, ...]]) -> Iterator[str]:
    """What is wrong, a sentence each."""
    for environment in environments:
        for rules in (pods, surroundings):
            yield from (f"{environment.name}: {problem}" for problem in rules.problems(environment))
    known = {each.name: each for each in environments}
    if PRODUCTION in known and STAGING not in known:
        yield f"{PRODUCTION}: there is no {STAGING} to compare it with"
    elif PRODUCTION in known:
        yield from differences.problems(known[STAGING], known[PRODUCTION], allowed)

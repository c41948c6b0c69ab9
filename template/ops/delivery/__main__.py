"""From the manifests in deploy/ to what runs: whether they keep the rules, and releases into environments and back.

python -m ops.delivery check                     renders every environment with kustomize, and checks it
python -m ops.delivery check --rendered FOLDER   checks FOLDER/<environment>.yaml, rendered before
python -m ops.delivery render FOLDER             writes these files
python -m ops.delivery deploy ENVIRONMENT IMAGE  brings an image, named by its digest, into an environment, and waits
python -m ops.delivery rollback ENVIRONMENT      goes back to the revision before, and waits
python -m ops.delivery promote ENVIRONMENT       lets the preview of a blue/green rollout take over
python -m ops.delivery reach ENVIRONMENT -- …    runs a command that needs {url}, the service's own address
python -m ops.delivery smoke-restored ENVIRONMENT -- …  runs the smoke tests of the commit that runs there
python -m ops.delivery release-check TAG         whether a tag is this version, of a commit that was built
python -m ops.delivery sign-off ENVIRONMENT IMAGE …  records who has let it in
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import checking, commands
from .cluster import ClusterError
from .reading import DeliveryError

DONE, OPEN, REFUSED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, in the service's folder.

    Returns:
        0: done. 1: something is wrong with the manifests, or the cluster did not do it; it is told on standard error.
        2: the input can't be read, and nothing was done. `reach` ends as its command does.
    """
    given = _parser().parse_args(arguments)
    try:
        status: int = given.run(given)
    except DeliveryError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except ClusterError as error:
        print(f"{given.environment}: {error}", file=sys.stderr)
        return OPEN
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.delivery", description=(__doc__ or "").splitlines()[0])
    found = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    check = found.add_parser("check", help="check the rendered manifests, and what differs between environments")
    check.add_argument("--rendered", type=Path, metavar="FOLDER", help="with a file <environment>.yaml for each")
    check.set_defaults(run=checking.run)
    commands.add(found)
    return parser


if __name__ == "__main__":
    sys.exit(main())

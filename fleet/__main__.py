"""Many services at once: who is on which version of the template, what an update would do, and the update in rings.

python -m fleet status
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from . import forecast, rollout, status
from .address import TroubleError, plain, redact, wrong
from .clones import Cache
from .listing import Fleet, MistakesError, Service, read
from .process import arguments, stop
from .releases import Templates
from .visit import Run

DONE, OPEN, REFUSED = 0, 1, 2
_R = TypeVar("_R")


class RefusedError(RuntimeError):
    """Nothing was begun; the text says why and what would help."""


def main(given: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0: done, nothing is open. 1: something is open, or failed. 2: refused, and nothing was begun.
    """
    wanted = _parser().parse_args(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        fleet = read(wanted.fleet)
        return int(wanted.command(wanted, fleet))
    except (RefusedError, MistakesError, TroubleError) as error:
        print(redact(str(error)), file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        stop()
        print("stopped; run it again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("names", nargs="*", metavar="NAME", help="only these services")
    common.add_argument("--fleet", type=Path, default=Path("fleet.yaml"), metavar="FILE", help="the list of services")
    common.add_argument("--template", metavar="ADDRESS", help="the template's address, instead of the list's")
    common.add_argument("--ring", metavar="RING", help="only services of this ring")
    common.add_argument("-j", "--jobs", type=_number, default=4, metavar="N", help="services at a time (4)")
    common.add_argument("--timeout", type=_number, default=600, metavar="SECONDS", help="for each process (600)")
    common.add_argument("--cache", type=Path, default=_cache(), metavar="FOLDER", help="where clones are kept")
    common.add_argument(
        "--pass-env", action="append", default=[], metavar="NAME", help="a variable that services' code may see"
    )
    form = common.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")

    parser = argparse.ArgumentParser(prog="python -m fleet", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("status", parents=[common], help="which service is on which version")
    command.add_argument("--no-check", action="store_true", help="read only, and run no code of the services'")
    command.set_defaults(command=_status)

    command = commands.add_parser("forecast", parents=[common], help="what an update would do; changes nothing")
    command.add_argument("--to", metavar="VERSION", help="without it, the newest release")
    command.set_defaults(command=_forecast)

    command = commands.add_parser("rollout", parents=[common], help="bring an update to one ring")
    command.add_argument("--to", metavar="VERSION", help="without it, the newest release")
    command.add_argument("--force-ring", metavar="REASON", default="", help="do not wait for earlier rings")
    command.add_argument("--open", metavar="COMMAND", default="", help=f"opens the pull request; {_places()}")
    command.add_argument("--find", metavar="COMMAND", default="", help="prints something if there is a pull request")
    command.add_argument("--only-clean", action="store_true", help="push nothing that leaves something open")
    command.add_argument("--renew", action="store_true", help="make waiting branches anew upon their base")
    command.add_argument("--dry-run", action="store_true", help="do everything but push")
    command.add_argument("--author", metavar="'NAME <MAIL>'", help="of the commits")
    command.add_argument("--max", type=_number, metavar="N", help="begin at most N updates")
    command.add_argument("--stop-after-failures", type=_number, metavar="N", help="begin none after N failures")
    command.set_defaults(command=_rollout)
    return parser


def _places() -> str:
    return ", ".join(f"{{{place}}}" for place in rollout.PLACES)


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "shipshape-fleet")


def _run(wanted: argparse.Namespace, fleet: Fleet) -> Run:
    listed = (wanted.template, *fleet.templates) if wanted.template else fleet.templates
    if wanted.template and (reason := wrong(wanted.template)):
        raise RefusedError(f"--template {redact(wanted.template)}: {reason}")
    cache = Cache(wanted.cache.absolute(), wanted.timeout)
    return Run(cache, Templates(cache, listed), wanted.timeout, tuple(wanted.pass_env))


def _chosen(wanted: argparse.Namespace, fleet: Fleet) -> list[Service]:
    unknown = sorted(set(wanted.names) - {service.name for service in fleet.services})
    if unknown:
        raise RefusedError(f"{wanted.fleet} has no service {', '.join(unknown)}")
    ring = _ring(wanted, fleet) if wanted.ring is not None else None
    chosen = [
        service
        for service in fleet.services
        if (not wanted.names or service.name in wanted.names) and ring in (None, service.ring)
    ]
    if not chosen:
        raise RefusedError(f"{wanted.fleet} has no such service")
    return chosen


def _ring(wanted: argparse.Namespace, fleet: Fleet) -> int:
    ring = fleet.ring(wanted.ring)
    if ring is None:
        raise RefusedError(f"there is no ring {wanted.ring}: there are {', '.join(fleet.rings) or '0, 1, 2 …'}")
    return ring


def _each(wanted: argparse.Namespace, services: list[Service], visit: Callable[[Service], _R]) -> list[_R]:
    """One row a service, several at a time, in the list's order."""
    tell = sys.stderr.isatty()

    def told(service: Service) -> _R:
        row = visit(service)
        if tell:
            print(f"{service.name}: seen", file=sys.stderr)
        return row

    with ThreadPoolExecutor(wanted.jobs) as pool:
        waiting = [pool.submit(told, service) for service in services]
        try:
            return [each.result() for each in waiting]
        except BaseException:
            stop()
            pool.shutdown(cancel_futures=True)
            raise


def _ended(wanted: argparse.Namespace, module: ModuleType, rows: list[Any]) -> int:
    if wanted.json:
        document = {"services": [asdict(row) for row in rows], "totals": module.totals(rows)}
        print(redact(json.dumps(document, indent=2, ensure_ascii=False)))
    else:
        table = module.table(rows)
        print(table.markdown() if wanted.markdown else table.terminal(), end="")
    return OPEN if module.wanting(rows) else DONE


def _status(wanted: argparse.Namespace, fleet: Fleet) -> int:
    run, services = _run(wanted, fleet), _chosen(wanted, fleet)
    rows = _each(wanted, services, lambda service: status.status(run, service, not wanted.no_check))
    return _ended(wanted, status, rows)


def _version(run: Run, wanted: argparse.Namespace) -> str:
    """The version to go to, known before anything is begun."""
    if run.templates.main is None:
        raise RefusedError("say which template is meant: template: in the list, or --template ADDRESS")
    return run.templates.main.chosen(wanted.to)


def _forecast(wanted: argparse.Namespace, fleet: Fleet) -> int:
    run, services = _run(wanted, fleet), _chosen(wanted, fleet)
    version = _version(run, wanted)
    rows = _each(wanted, services, lambda service: forecast.forecast(run, service, version))
    return _ended(wanted, forecast, rows)


def _rollout(wanted: argparse.Namespace, fleet: Fleet) -> int:
    if wanted.ring is None:
        raise RefusedError("say which ring: --ring 0")
    run, services = _run(wanted, fleet), _chosen(wanted, fleet)
    for option, command in (("--open", wanted.open), ("--find", wanted.find)):
        try:
            arguments(command, dict.fromkeys(rollout.PLACES, "")) if command else None
        except ValueError as error:
            raise RefusedError(f"{option}: {error}") from error
    version = _version(run, wanted)
    if not wanted.force_ring:
        _gate(run, wanted, fleet, version)
    order = rollout.Order(
        version=version,
        author=wanted.author or fleet.author,
        forced=plain(wanted.force_ring),
        open=wanted.open,
        find=wanted.find,
        only_clean=wanted.only_clean,
        dry=wanted.dry_run,
        renew=wanted.renew,
    )
    budget = rollout.Budget(wanted.max, wanted.stop_after_failures)
    rows = _each(wanted, services, lambda service: rollout.rollout(run, service, order, budget))
    return _ended(wanted, rollout, rows)


def _gate(run: Run, wanted: argparse.Namespace, fleet: Fleet, version: str) -> None:
    """Refuse a ring while an earlier one is not done."""
    ring = _ring(wanted, fleet)
    earlier = [service for service in fleet.services if service.ring < ring]
    found = _each(wanted, earlier, lambda service: rollout.blocking(run, service, version))
    blocked = [f"  {service.name} {plain(why)}" for service, why in zip(earlier, found, strict=True) if why]
    if blocked:
        lines = "\n".join(blocked)
        raise RefusedError(
            f"ring {wanted.ring} waits for {len(blocked)} of {len(earlier)} services in earlier rings:\n{lines}\n"
            "Merge and mend those, give them a hold: in the list, or say --force-ring REASON"
        )


if __name__ == "__main__":
    sys.exit(main())

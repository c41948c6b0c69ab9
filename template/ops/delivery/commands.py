"""The commands that change something, or reach into a cluster."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from . import cluster, forwarding, reading, releasing, restored, rollouts, signing_off, tagging
from .checking import DEPLOY
from .reading import DeliveryError


def add(commands: Any) -> None:
    """Add the parsers of these commands."""
    render = commands.add_parser("render", help="write each environment's manifests into a file of its name")
    render.add_argument("folder", type=Path)
    render.set_defaults(run=_render, environment="deploy")
    check = commands.add_parser("release-check", help="whether a tag is this version, of a commit that was built")
    check.add_argument("tag", help="such as v1.2.3")
    check.set_defaults(run=_release_check)
    for name, run, summary in (
        ("deploy", _deploy, "bring an image into an environment, and wait until it runs"),
        ("rollback", _rollback, "go back to the revision before, and wait until it runs"),
        ("promote", _promote, "let the preview of a blue/green rollout take over"),
        ("reach", _reach, "run a command while the service can be reached; {url} in it is where"),
        ("smoke-restored", _smoke_restored, "run the smoke tests of the commit that runs, after a rollback"),
        ("sign-off", _sign_off, "record who has let an image into an environment"),
    ):
        parser = commands.add_parser(name, help=summary)
        parser.add_argument("environment", help="a folder in deploy/, such as staging")
        parser.set_defaults(run=run)
        if name in ("deploy", "rollback", "promote"):
            parser.add_argument("--timeout", type=_seconds, default=600.0, metavar="SECONDS", help="of the roll-out")
            parser.add_argument("--outputs", type=Path, metavar="FILE", help="append before=IMAGE and after=IMAGE")
        if name in ("deploy", "sign-off"):
            parser.add_argument("image", help="NAME@sha256:…")
        if name == "rollback":
            parser.add_argument("--from", dest="only_from", metavar="IMAGE", help="do nothing if another one runs")
        if name == "smoke-restored":
            parser.add_argument("options", nargs="*", metavar="OPTION", help="of python -m ops.smoke, after --")
        if name == "reach":
            parser.add_argument("program", nargs="+", metavar="COMMAND")
        if name == "sign-off":
            _add_sign_off(parser)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 7200:
        raise argparse.ArgumentTypeError(f"{text}: write 1 to 7200 seconds")
    return seconds


def _add_sign_off(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--readiness", required=True, type=Path, metavar="FILE", help="make readiness JSON=FILE")
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="where the record is written")
    parser.add_argument("--run", dest="run_address", default="", metavar="URL", help="of the pipeline's run")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--approvals", type=Path, metavar="FILE", help="gh api repos/…/actions/runs/…/approvals")
    who.add_argument("--by", metavar="NAME", help="who has started the job that only some may start")


def _render(given: argparse.Namespace) -> int:
    found = sorted(each.parent for each in DEPLOY.glob("*/kustomization.yaml") if each.parent.name != reading.SHARED)
    for each in found:
        _write(given.folder / f"{each.name}.yaml", reading.build(each))
    print(f"{given.folder}/: {', '.join(each.name for each in found) or 'there are no manifests'}")
    return 0


def _release_check(given: argparse.Namespace) -> int:
    try:
        print(f"{given.tag}: version {tagging.check(Path(), given.tag)}")
    except tagging.TagError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _deploy(given: argparse.Namespace) -> int:
    release = releasing.release(DEPLOY, given.environment, releasing.image(given.image))
    before = rollouts.deploy(release, given.timeout)
    _tell(given, before, str(release.image))
    print(f"{given.environment}: {release.name} runs {release.image}; before: {before or 'nothing'}")
    return 0


def _rollback(given: argparse.Namespace) -> int:
    only_from = releasing.image(given.only_from) if given.only_from else None
    before, after = rollouts.back(_known(given.environment), given.timeout, only_from=only_from)
    _tell(given, before, after)
    if before == after and only_from is not None:
        print(f"{given.environment}: {only_from} was never there, so nothing was taken back; {after} runs")
    else:
        print(f"{given.environment}: back from {before} to {after}")
    return 0


def _promote(given: argparse.Namespace) -> int:
    known = _known(given.environment)
    if known.kind != "Rollout":
        print(f"{given.environment}: a {known.kind} needs no promotion")
        return 0
    cluster.promoted(known.namespace, known.name)
    cluster.settled(known.kind, known.namespace, known.name, given.timeout)
    print(f"{given.environment}: promoted")
    return 0


def _reach(given: argparse.Namespace) -> int:
    known = _known(given.environment)
    return forwarding.run(known.namespace, known.preview or known.name, given.program)


def _smoke_restored(given: argparse.Namespace) -> int:
    known = _known(given.environment)
    return restored.run(known.namespace, known.name, given.options)


def _sign_off(given: argparse.Namespace) -> int:
    wanted = releasing.image(given.image)
    releasing.known(DEPLOY, given.environment)
    if given.approvals:
        signers = signing_off.approvals(given.approvals, given.environment)
    else:
        signers = [{"name": given.by, "comment": ""}] if given.by.strip() else []
    record = signing_off.record(
        given.environment, wanted, given.version, given.commit, signers, given.readiness, given.run_address
    )
    _write(given.to, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(f"{given.environment}: {wanted} signed off by {', '.join(each['name'] for each in signers)}")
    return 0


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise DeliveryError(f"{file}: can't be written: {error.strerror}; name a file in a folder that can") from None


def _known(environment: str) -> releasing.Release:
    """The environment as it is in deploy/, with no image in particular."""
    return releasing.release(DEPLOY, environment, None)


def _tell(given: argparse.Namespace, before: str | None, after: str | None) -> None:
    if given.outputs is None:
        return
    try:
        with given.outputs.open("a", encoding="utf-8") as file:
            file.write(f"before={before or ''}{os.linesep}after={after or ''}{os.linesep}")
    except OSError as error:
        raise DeliveryError(f"--outputs {given.outputs}: {error.strerror}") from None

"""The commands that change something, or reach into a cluster."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from . import cluster, forwarding, reading, releasing, restored, rollouts, signing_off, tagging
from .checking import DEPLOY
from .reading import DeliveryError

_SECONDS: Final = 600.0
_JUDGED_SECONDS: Final = 2400.0


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
            parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="of the roll-out")
            parser.add_argument(
                "--outputs", type=Path, metavar="FILE", help="append before=IMAGE, after=IMAGE and more"
            )
        if name in ("deploy", "sign-off"):
            parser.add_argument("image", help="NAME@sha256:…")
        if name == "rollback":
            parser.add_argument("--from", dest="only_from", metavar="IMAGE", help="do nothing if another one runs")
            parser.add_argument("--unless", type=_revision, metavar="REVISION", help="do nothing if it is this one")
            parser.add_argument("--to", type=_revision, metavar="REVISION", help="where to go; else the one before")
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


def _revision(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no revision: write a number, as kubectl rollout history tells it"
        )
    return int(text)


def _limit(given: argparse.Namespace, release: releasing.Release) -> float:
    """How long a roll-out may take, in seconds: one with steps that are judged takes longer."""
    return float(given.timeout or (_JUDGED_SECONDS if release.kind == "Rollout" else _SECONDS))


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

    def tell(before: rollouts.Running) -> None:
        revision = "" if before.revision is None else before.revision
        _tell(given, before=before.image or "", revision=str(revision))

    before = rollouts.deploy(release, _limit(given, release), tell)
    _tell(given, after=str(release.image))
    print(f"{given.environment}: {release.name} runs {release.image}; before: {before.image or 'nothing'}")
    return 0


def _rollback(given: argparse.Namespace) -> int:
    only_from, known = releasing.image(given.only_from) if given.only_from else None, _known(given.environment)
    before, after = rollouts.back(known, _limit(given, known), only_from=only_from, unless=given.unless, to=given.to)
    _tell(given, before=before or "", after=after or "")
    if before == after and (only_from is not None or given.unless is not None):
        print(f"{given.environment}: this deployment has changed nothing, so nothing was taken back; {after} runs")
    else:
        print(f"{given.environment}: back from {before} to {after}")
    return 0


def _promote(given: argparse.Namespace) -> int:
    known = _known(given.environment)
    if known.kind != "Rollout":
        print(f"{given.environment}: a {known.kind} needs no promotion")
        return 0
    cluster.promoted(known.namespace, known.name)
    cluster.settled(known.kind, known.namespace, known.name, _limit(given, known))
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


def _tell(given: argparse.Namespace, **outputs: str) -> None:
    if given.outputs is None:
        return
    try:
        with given.outputs.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}{os.linesep}" for name, value in outputs.items())
    except OSError as error:
        raise DeliveryError(f"--outputs {given.outputs}: {error.strerror}") from None

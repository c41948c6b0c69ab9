"""What watches over the service, derived from slo.yaml.

python -m ops.slo make      writes monitoring/ and what else is derived
python -m ops.slo check     ends with 1 if that is not up to date, or the runbook lacks a section
python -m ops.slo silence   mutes what a deployment may raise, for some minutes
python -m ops.slo watch     ends with 1 if the fastest burn fires within some minutes
python -m ops.slo report    the past window's objectives, as Markdown and HTML
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import alerts, outputs, report, rules, runbook, silence, spec, watch
from .document import DocumentError
from .spec import Spec

DONE, OPEN, REFUSED = 0, 1, 2
RUNBOOK = Path("docs/runbook.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in the service's folder.

    Returns:
        0: done. 1: something is not up to date. 2: refused, and nothing was changed.
    """
    given = _parser().parse_args(arguments)
    root = Path.cwd()
    file = root / spec.NAME
    if not file.is_file():
        return _without(root, given.command)
    try:
        known = spec.parse(file.read_text("utf-8"), alerts.NAMES)
        if given.command == "make":
            return _make(root, known)
        if given.command == "check":
            return _check(root, known)
        if given.command == "silence":
            print(silence.run(known, given))
            return DONE
        if given.command == "watch":
            return _watch(known, given)
        return report.run(known, given)
    except UnicodeDecodeError:
        return _refuse(f"{spec.NAME} or {RUNBOOK}: it is no text in UTF-8")
    except (DocumentError, silence.SilenceError, watch.WatchError, OSError) as error:
        return _refuse(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.slo", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("make", help=f"write {outputs.FOLDER}/ and the buckets' edges, add missing runbook sections")
    commands.add_parser("check", help="compare with what slo.yaml gives, and look for every alert in the runbook")
    silence.add_arguments(commands.add_parser("silence", help="mute this service's alerts around a deployment"))
    watch.add_arguments(commands.add_parser("watch", help="whether the fastest burn fires after a deployment"))
    report.add_arguments(commands.add_parser("report", help="the objectives of the past window"))
    return parser


def _without(root: Path, command: str) -> int:
    """The owner has deleted slo.yaml: that is theirs to decide."""
    if command in ("make", "check") and not (root / outputs.FOLDER).exists():
        print(f"There is no {spec.NAME}: nothing is derived.")
        return DONE
    return _refuse(f"{spec.NAME} is not there: take it back from git's history, or delete {outputs.FOLDER}/, too")


def _make(root: Path, known: Spec) -> int:
    texts = outputs.made(known, _package(root))
    stale = outputs.differences(root, texts)
    outputs.write(root, texts)
    print(f"{outputs.FOLDER}/: {len(texts)} files, {len(stale)} of them new, changed or removed")
    wanted = {name: runbook.section(known, name) for name in _alerts(known)}
    file = root / RUNBOOK
    if file.is_file():
        text = file.read_bytes().decode("utf-8")
        longer, added = runbook.completed(text, wanted)
        if added:
            file.write_bytes(longer.encode())
            print(f"{RUNBOOK}: added sections for {', '.join(added)}: make them yours")
    return DONE


def _check(root: Path, known: Spec) -> int:
    found = outputs.differences(root, outputs.made(known, _package(root)))
    remedy = "make slo" if found else ""
    if uncommitted := _uncommitted(root):
        found.append(uncommitted)
    file = root / RUNBOOK
    if file.is_file():
        found += runbook.lint(file.read_bytes().decode("utf-8"), _alerts(known))
    elif known.runbook_url.endswith(str(RUNBOOK)):
        found.append(
            f"{RUNBOOK}: is missing, and every alert refers to it: take it back from git's history, or set "
            "x-ops.runbook_url to where it is now"
        )
    for line in found:
        print(line, file=sys.stderr)
    if found:
        if remedy:
            print(f"{remedy} makes them anew; an edit belongs into {spec.NAME}", file=sys.stderr)
        return OPEN
    print(f"{spec.NAME}: {len(known.objectives)} objectives, and all that is derived from them is up to date.")
    return DONE


def _watch(known: Spec, given: argparse.Namespace) -> int:
    if fires := watch.run(known, given):
        print(f"{known.service}: fires: {', '.join(fires)}: docs/runbook.md", file=sys.stderr)
        return OPEN
    print(f"{known.service}: for {given.minutes:g} minutes no fastest burn has fired.")
    return DONE


def _alerts(known: Spec) -> list[str]:
    """Names of all alerts, in the order of the rules."""
    named = [each.alert for each in known.objectives if each.alert]
    return [*named, *([rules.ABSENT] if named else []), *alerts.wanted(known)]


def _uncommitted(root: Path) -> str | None:
    """A sentence if slo.yaml is committed and nothing derived is: a pipeline would make it, and nobody would see it."""
    tracked = ["git", "ls-files", "--", spec.NAME]
    derived = ["git", "ls-files", "--", outputs.FOLDER]
    head = ["git", "cat-file", "-e", f"HEAD:./{spec.NAME}"]
    try:
        if subprocess.run(head, cwd=root, capture_output=True, check=False).returncode != 0:
            return None
        known, made = (
            subprocess.run(each, cwd=root, capture_output=True, check=False).stdout for each in (tracked, derived)
        )
    except OSError:
        return None
    return f"{outputs.FOLDER}/: is not committed: git add {outputs.FOLDER}" if known and not made else None


def _package(root: Path) -> str:
    """The name of the service's package.

    Raises:
        DocumentError: ops/manifest.json does not tell it.
    """
    try:
        return str(json.loads((root / "ops/manifest.json").read_text("utf-8"))["package"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DocumentError(["ops/manifest.json: tells no package: take it back from git's history"]) from None


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())

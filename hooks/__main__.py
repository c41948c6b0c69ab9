"""The commands behind `make check`, `make update`, `make update-check` and `make migrate`.

python -m ops.hooks check
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .check import Result, check

DONE, OPEN, REFUSED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command in the present folder, the service's.

    Returns:
        0: done, nothing is open. 1: something is open. 2: refused, and nothing was changed.
    """
    given = _parser().parse_args(arguments)
    status: int = given.command(given)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.hooks", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("check", help="look for what is open, and for edits of the template's files")
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    command.set_defaults(command=_check)

    command = commands.add_parser("update", help="update to a version of the template")
    command.add_argument("--to", metavar="VERSION", help="a tag of the template; without it, the newest release")
    command.add_argument("--data", metavar="KEY=VALUE", action="append", default=[], help="change an answer")
    command.add_argument("--check", action="store_true", help="forecast it, and change nothing")
    command.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON, too")
    command.add_argument("--report", metavar="FILE", type=Path, help="write the report as Markdown, too")
    command.set_defaults(command=_update)

    command = commands.add_parser("migrate", help="run pending migrations, bring new files")
    command.set_defaults(command=_migrate)

    command = commands.add_parser("finish")  # the second half of an update, in its temporary clone
    command.add_argument("work", type=Path)
    command.add_argument("asked", nargs="*")
    command.set_defaults(command=_finish)
    return parser


def _check(given: argparse.Namespace) -> int:
    result = check(Path.cwd())
    if given.json:
        print(json.dumps(result.document(), indent=2, ensure_ascii=False))
    else:
        _show(result)
    return OPEN if result.open else DONE


def _show(result: Result) -> None:
    for finding in result.accepted:
        print(f"{finding.path}: {finding.message}")
    for finding in result.open:
        print(f"{finding.path} {finding.message}", file=sys.stderr)


def _update(given: argparse.Namespace) -> int:
    from .update import RefusedError, Wanted, update  # Copier is there only when this is asked for

    wrong = [each for each in given.data if "=" not in each]
    if wrong:
        return _refuse(f"{wrong[0]!r} is no answer: write KEY=VALUE, such as latency_target_ms=200")
    try:
        report = update(Path.cwd(), Wanted(given.to, tuple(given.data), given.check))
    except RefusedError as refusal:
        return _refuse(str(refusal))
    text = report.markdown(forecast=given.check)
    print(text, end="")
    if given.report:
        given.report.write_text(text, "utf-8")
    if given.json:
        given.json.write_text(json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return OPEN if report.open else DONE


def _migrate(_: argparse.Namespace) -> int:
    from .migrate import run
    from .template import Renders, answers

    root = Path.cwd()
    try:
        stored = answers((root / ".copier-answers.yml").read_bytes())
        with tempfile.TemporaryDirectory(prefix="ops-migrate-") as folder:
            local = (root / stored["_src_path"]).resolve()
            source = str(local) if local.is_dir() else stored["_src_path"]
            renders = Renders(Path(folder), source)
            done = run(root, lambda: renders.at(stored))
    except (OSError, ValueError, RuntimeError) as error:
        return _refuse(str(error))
    for version, notes in done.migrations:
        print(f"{version}: migrated")
        print("".join(f"- {note}\n" for note in notes), end="")
    for path in done.seeds:
        print(f"{path}: new, and yours from now on")
    if not done.migrations and not done.seeds:
        print("Nothing was pending.")
    return DONE


def _finish(given: argparse.Namespace) -> int:
    from .finish import finish

    try:
        report = finish(Path.cwd(), given.work, given.asked)
    except (OSError, ValueError, RuntimeError) as error:
        return _refuse(str(error))
    (given.work / "report.json").write_text(json.dumps(report.document()), "utf-8")
    return DONE


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())

"""`python -m ops.readiness`, in the service's folder: how ready it is. `--help` tells the rest."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from io import TextIOWrapper
from pathlib import Path
from time import monotonic
from typing import Final

from . import (
    options,
    reading,
    registry,
    report_badge,
    report_html,
    report_json,
    report_junit,
    report_markdown,
    report_sarif,
    report_text,
    statements,
)
from .assessment import answers, assess
from .entries import close
from .options import STDOUT, Options
from .outcome import BadInput, line
from .progress import Progress
from .registry import Check
from .rows import Row
from .scorecard import Scorecard
from .service import Service

PASSED, CLOSED, REFUSED = 0, 1, 2
_FORMS: Final[dict[str, Callable[[Scorecard], str]]] = {
    "html": report_html.render,
    "markdown": report_markdown.render,
    "json": report_json.render,
    "junit": report_junit.render,
    "sarif": report_sarif.render,
    "badge": report_badge.render,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at the service, and tell.

    Returns:
        0: told, and the gate that was asked for is passed. 1: it is closed, or something that people wrote is wrong.
        2: it can't be run as asked; one message says why.
    """
    try:
        given = options.read(arguments)
        commit = _commit(given.root)  # before a report is written into the repository
        for file in given.files.values():
            _written(file, "")  # before anything else: a report of an earlier run must not look like this one's
        card = examined(given, commit)
        for form, file in given.files.items():
            _written(file, _FORMS[form](card))
    except BadInput as bad:
        print(f"readiness: {bad}", file=sys.stderr)
        return REFUSED
    _tell(card, given)
    return CLOSED if card.problems or (given.gate and not card.opens(given.gate)) else PASSED


def examined(given: Options, commit: str) -> Scorecard:
    """The scorecard of the service in a folder.

    Raises:
        BadInput: there is no service, no catalogue, or no such row.
    """
    if not (given.root / "ops").is_dir() or not (given.root / "src").is_dir():
        raise BadInput(
            f"{given.root.resolve()} is no service's folder: it has no src/ and ops/; run this where they are"
        )
    started, began = datetime.now(UTC), monotonic()
    problems: list[str] = []
    catalogue = reading.catalogue(problems)
    if not catalogue:
        raise BadInput("; ".join(problems) or "ops/readiness/catalogue/ has no rows; take it back from git's history")
    today = date.today()  # noqa: DTZ011 - the day on which people sign is that of where they are
    said = statements.read(given.root, catalogue, today, problems)
    checks = {**registry.checks(), **said.checks}
    wanted = _wanted(said.rows, checks, given)
    service = Service(given.root, said.live)
    progress = Progress(sys.stderr, len(wanted))
    results = assess(wanted, checks, said, service, today, given.timeout, progress.told)
    progress.gone()
    return Scorecard(
        service=str(answers(service).get("service_name") or given.root.resolve().name),
        version=str(answers(service).get("_commit") or "unknown"),
        commit=commit,
        rows=tuple(zip(wanted, results, strict=True)),
        problems=tuple(line(problem) for problem in problems),
        whole=given.whole and given.explain is None,
        started=started,
        seconds=monotonic() - began,
    )


def _wanted(rows: Sequence[Row], checks: Mapping[str, Check], given: Options) -> list[Row]:
    only = given.only or ((given.explain,) if given.explain is not None else ())
    known = [row.id for row in rows]
    for id_ in only:
        if id_ not in known:
            raise BadInput(f"{id_!r} is no row: {close(id_, known)}")
    kinds = {row.id: checks[row.id].kind if row.id in checks else None for row in rows}
    return [row for row in rows if (not only or row.id in only) and given.kind in (None, kinds[row.id])]


def _commit(root: Path) -> str:
    try:
        head, changed = (
            subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, timeout=20, check=True).stdout
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head.strip()}-dirty" if changed.strip() else head.strip()


def _tell(card: Scorecard, given: Options) -> None:
    if STDOUT not in given.files.values():
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        if given.explain is not None:
            told = report_text.explained(*card.rows[0])
        else:
            told = report_text.lines(card, given.gate, colour=colour)
        print(*told, sep="\n")
        sys.stdout.flush()
    for problem in card.problems:
        print(f"readiness: {problem}", file=sys.stderr)


def _written(name: str, text: str) -> None:
    if name == STDOUT:
        print(text, end="")
        return
    file = Path(name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise BadInput(f"{file}: can't be written: {error.strerror}; name a file in a folder that can") from None


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # a name may be in any script, and the terminal know another
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)

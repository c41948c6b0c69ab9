"""An update brought to one ring of services: a branch and a pull request each.

What has been done is read from the remotes alone, so that a run that was killed is simply run again.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .address import TroubleError, plain, repository, without_credentials
from .listing import Service
from .process import arguments, run, trusted
from .releases import reached
from .status import counted
from .table import Table
from .visit import TROUBLE, Run, State, Visit, findings, opened, template_of, visiting

PLACES = ("branch", "title", "report", "name", "base", "url", "repository", "version")
_BODY = 60_000  # characters; forges take no more than 65,536

DONE, WAITING, PUSHED, WOULD, LATER = "done", "waiting", "pushed", "would push", "later"
OPEN, THEIRS, HELD, FAILED = "open", "theirs", "held", "failed"
_GOOD = {DONE, WAITING, PUSHED, WOULD, LATER}


@dataclass(frozen=True)
class Order:
    """What is wanted. `forced`: why the ring is begun before those ahead of it are done."""

    version: str
    author: str
    forced: str = ""
    open: str = ""
    find: str = ""
    only_clean: bool = False
    dry: bool = False
    renew: bool = False


@dataclass
class Row:
    """What has become of one service."""

    name: str
    ring: str
    old: str = ""
    new: str = ""
    state: str = ""
    branch: str = ""
    open: list[dict[str, str]] = field(default_factory=list)
    note: str = ""


class Budget:
    """How many updates may still be begun, and how many may fail."""

    def __init__(self, most: int | None, failures: int | None) -> None:
        self._left, self._failures = most, failures
        self._guard = threading.Lock()

    def refused(self) -> str:
        """Take one; why there is none left, or nothing if there was."""
        with self._guard:
            if self._failures is not None and self._failures <= 0:
                return "stopped after too many failures"
            if self._left is not None and self._left <= 0:
                return "the run's budget is spent"
            self._left = None if self._left is None else self._left - 1
            return ""

    def failed(self) -> None:
        """One has failed."""
        with self._guard:
            self._failures = None if self._failures is None else self._failures - 1


def blocking(run: Run, service: Service, version: str) -> str:
    """Why a service of an earlier ring holds the next ring back; empty if it does not."""
    if service.hold:
        return ""
    try:
        with visiting(run, service) as visit:
            state = visit.state
            if not reached(state.version, version):
                return f"is on {state.version}, not on {version}"
            found, _ = visit.check()
            return f"has something open: {counted(found)}" if found else ""
    except TROUBLE as error:
        return f"can't be told: {error}"


def branch_of(service: Service, version: str) -> str:
    """The branch that brings it; services of one repository each have their own."""
    return f"ops/update-{version}-{service.name}" if service.folder else f"ops/update-{version}"


def _left(service: Service, branch: str, state: State) -> str:
    """A note on branches of other versions that wait, too."""
    mine = f"-{service.name}" if service.folder else ""
    others = [name for name in state.heads.branches if name.startswith("ops/update-") and name.endswith(mine)]
    others = [name for name in others if name not in (branch, state.heads.base)]
    return f"also there: {', '.join(sorted(others))}" if others else ""


def rollout(run: Run, service: Service, order: Order, budget: Budget) -> Row:
    """Update one service as far as it is not yet done."""
    row = Row(service.name, service.place, new=order.version, branch=branch_of(service, order.version))
    if service.hold:
        row.state, row.note = HELD, service.hold
        return row
    try:
        _Delivery(run, service, order, budget, row).bring()
    except TROUBLE as error:
        row.state, row.note = FAILED, str(error)
        budget.failed()
    return row


class _Delivery:
    def __init__(self, run: Run, service: Service, order: Order, budget: Budget, row: Row) -> None:
        self.run, self.service, self.order, self.budget, self.row = run, service, order, budget, row

    def bring(self) -> None:
        row, order = self.row, self.order
        with opened(self.run, self.service, row.branch, "ops/update-*") as (clone, state):
            row.old, tip = state.version, state.heads.branches.get(row.branch, "")
            row.note = _left(self.service, row.branch, state)
            ours = bool(tip) and clone.made_here(tip, state.commit)
            subject = plain(clone.text("log", "-1", "--format=%s", tip)) if tip else ""
        if reached(row.old, order.version):
            self._done()
        elif tip and not ours:
            row.state = THEIRS
            self._tell(f"{row.branch} has somebody's commits and was left alone: merge or delete it")
        else:
            found = bool(tip) and self._found(state)
            if found and not order.renew:
                row.state = OPEN if subject.startswith("open: ") else WAITING
                self._tell("its branch is there, to be merged")
            else:
                self._update(tip, propose=not found)

    def _tell(self, *notes: str) -> None:
        self.row.note = "; ".join(each for each in (*notes, self.row.note) if each)

    def _done(self) -> None:
        with visiting(self.run, self.service) as visit:
            self.row.open, _ = visit.check()
        self.row.state, self.row.branch = (OPEN if self.row.open else DONE), ""

    def _found(self, state: State) -> bool:
        """Whether there is a pull request for the branch; yes if nobody has said how to find that out."""
        if not (self.order.find and self.order.open):
            return True
        said = self._said(self.order.find, self._values(state, "", ""))
        self._tell(said)
        return bool(said)

    def _update(self, tip: str, propose: bool) -> None:
        row, order = self.row, self.order
        refused = self.budget.refused()
        if refused:
            row.state = LATER
            self._tell(refused)
            return
        with visiting(self.run, self.service) as visit:
            template = template_of(self.run, visit.state)
            document, report = visit.update(order.version, template)
            row.open = findings(document, "open")
            title = self._title()
            body = self._body(report)
            if order.only_clean and row.open:
                row.state = HELD
                self._tell("something would be open")
                return
            self._deliver(visit, tip, title)
            if propose and order.open and not order.dry:
                file = visit.scratch.folder / "body.md"
                file.unlink(missing_ok=True)
                file.write_text(body, "utf-8")
                self._tell(self._said(order.open, self._values(visit.state, title, str(file))))

    def _deliver(self, visit: Visit, tip: str, title: str) -> None:
        row, order, state = self.row, self.order, visit.state
        with self.run.cache.clone(self.service.url) as clone:
            tree = clone.taken(visit.scratch, self.service.folder)
            if tree == clone.text("rev-parse", f"{state.commit}^{{tree}}"):
                raise TroubleError("its update changed nothing")
            if order.dry:
                row.state = WOULD
                return
            same = bool(tip) and clone.text("rev-parse", f"{tip}^{{tree}}", f"{tip}^1").split() == [tree, state.commit]
            if not same:
                commit = clone.commit(tree, state.commit, order.author, self._message(title))
                clone.push(commit, row.branch, tip)
        row.state = OPEN if row.open else WAITING if same else PUSHED

    def _title(self) -> str:
        before = ["open"] * bool(self.row.open) + [self.service.name] * bool(self.service.folder)
        text = f"update to version {self.order.version} of the template"
        return ": ".join([*before, text]) if before else f"U{text[1:]}"

    def _message(self, title: str) -> str:
        lines = [title, "", f"From {plain(self.row.old)} to {self.order.version}."]
        lines += [f"Open: {each['path']}: {each['kind']}" for each in self.row.open[:20]]
        lines += [f"Begun before earlier rings were done: {self.order.forced}"] if self.order.forced else []
        return "\n".join(lines)

    def _body(self, report: str) -> str:
        forced = f"> Begun before earlier rings were done: {self.order.forced}\n\n" if self.order.forced else ""
        text = forced + report
        return text if len(text) <= _BODY else text[:_BODY] + "\n\n…\n"

    def _values(self, state: State, title: str, report: str) -> dict[str, str]:
        url = self.service.url
        values = (
            self.row.branch,
            title,
            report,
            self.service.name,
            state.heads.base,
            without_credentials(url),
            repository(url),
            self.order.version,
        )
        return dict(zip(PLACES, values, strict=True))

    def _said(self, command: str, values: dict[str, str]) -> str:
        with self.run.cache.scratch() as scratch:  # an empty folder: nothing of the service's decides what is run
            words = arguments(command, values)
            ended = run(words, cwd=scratch.tree, env=trusted(), seconds=self.run.seconds)
        if ended.status != 0:
            raise TroubleError(f"{words[0]}: {plain(ended.said)}")
        return plain(ended.output)


def table(rows: list[Row]) -> Table:
    """What a person is shown."""
    shown = Table(["service", "ring", "from", "to", "state", "branch", "open", ""])
    for row in rows:
        opened = counted(row.open) if row.open else ""
        shown.add(row.name, row.ring, row.old or "?", row.new, row.state, row.branch, opened, row.note)
        shown.details += [f"{row.name}: {each['kind']}: {each['path']}" for each in row.open]
    shown.total = f"{len(rows)} services: " + ", ".join(f"{number} {state}" for state, number in totals(rows).items())
    return shown


def totals(rows: list[Row]) -> dict[str, Any]:
    """How many are in which state."""
    return dict(sorted(Counter(row.state for row in rows).items()))


def wanting(rows: list[Row]) -> bool:
    """Whether a person has something to do but to merge."""
    return any(row.state not in _GOOD or row.open for row in rows)

"""The service's own tests: what the last run of them recorded, and how they measure coverage."""

import tomllib
from typing import Any, Final

from ops.readiness import tested
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import static
from ops.readiness.service import Service

FLOOR: Final = 80.0
MOST_UNMEASURED: Final = 20.0  # percent: room for what a tool writes, not for the service


@static("tests")
def passed(service: Service) -> str:
    """The whole suite has passed, on exactly what lies here now."""
    known = tested.state(service.root)
    if known is None:
        raise Failed(f"no run of the suite that passed is recorded in {tested.FILE}: make test writes it")
    if not known.current:
        raise Failed(f"the suite passed at {known.at}, and what it tests, or what with, has changed since")
    files = [file for file in (service.root / "tests").rglob("test_*.py") if "ops" not in file.parts]
    if not files:
        raise Failed("tests/ holds no test of the service's own, only the template's: write some")
    return f"the whole suite passed at {known.at}, with the code, configuration and lock file that lie here now"


@static("coverage")
def coverage(service: Service) -> str:
    """Branches of the service's own code are measured, the floor is no formality, and the last run was above it."""
    try:
        document = tomllib.loads(service.text("pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise Failed(f"pyproject.toml: is no TOML: {error}") from None
    settings: dict[str, Any] = document.get("tool", {}).get("coverage", {})
    run, report = settings.get("run", {}), settings.get("report", {})
    if run.get("branch") is not True:
        raise Failed("pyproject.toml: [tool.coverage.run] branch is not true: a branch that no test takes is not seen")
    floor = report.get("fail_under", 0)
    if not isinstance(floor, int | float) or floor < FLOOR:
        raise Failed(f"pyproject.toml: [tool.coverage.report] fail_under is {floor}, and {FLOOR:g} is the least")
    known = tested.state(service.root)
    if known is None:
        raise CannotTell(f"what the suite covers is not recorded in {tested.FILE}: make test writes it")
    if known.unmeasured > MOST_UNMEASURED:
        raise Failed(
            f"{known.unmeasured:g} % of the service's own lines are not measured; {MOST_UNMEASURED:g} % is the most: "
            "see source, include and omit in [tool.coverage] of pyproject.toml"
        )
    if known.covered < floor:
        raise Failed(f"the last run covered {known.covered:g} % of the service's own code; the floor is {floor:g} %")
    branches = "" if known.branches is None else f", {known.branches:g} % of the branches"
    return f"the last run covered {known.covered:g} % of its own code{branches}; the floor is {floor:g} %"

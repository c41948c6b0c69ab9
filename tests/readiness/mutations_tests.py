"""What the record of the suite's last run can tell against the service."""

from pathlib import Path

from ops.readiness import tested

from tests.readiness.mutating import Mutation, delete, edit


def lower_floor(root: Path) -> None:
    """The suite passed, with a floor that nothing falls below."""
    edit(root, "pyproject.toml", "fail_under = 85", "fail_under = 10")
    tested.record(root, 90.0, 86.0)


def untested_change(root: Path) -> None:
    """A change after the last run of the suite."""
    file = root / "src/orders/routes.py"
    file.write_text(file.read_text("utf-8") + "\n# changed\n", "utf-8")


def no_own_tests(root: Path) -> None:
    """Only the template's tests are left."""
    delete(root, "tests/test_routes.py")
    tested.record(root, 90.0, 86.0)


MUTATIONS = [
    Mutation("tests", untested_change, "a change that was not tested"),
    Mutation("tests", no_own_tests, "no test of the service's own"),
    Mutation("load-test", lambda root: edit(root, "load.yaml", "GET /v1/vat-rates/NO", "GET /v1/none"), "no such path"),
    Mutation("load-test", lambda root: edit(root, "load.yaml", "p99_ms", "p50_ms"), "no limit to how long it takes"),
    Mutation("coverage", lower_floor, "a floor that means nothing"),
    Mutation("coverage", lambda root: tested.record(root, 61.5, 40.0), "the last run was below the floor"),
    Mutation("coverage", lambda root: tested.record(root, 90.0, 86.0, 60.0), "most of the service is left out"),
]

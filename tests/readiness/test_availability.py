"""An objective of slo.yaml may promise more than the answer to the question for it, and not less."""

from pathlib import Path

import pytest
from ops.readiness.checks.availability import availability_target
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.service import Service

from tests.readiness.test_security import file
from tests.slo.specs import availability, document

NO_MANIFESTS = "deploy/ has no environment"


def service(root: Path, answer: str, objective: str, name: str = "availability") -> Service:
    file(root, ".copier-answers.yml", f"service_name: orders\n{answer}\n")
    return file(root, "slo.yaml", document(availability(name)).replace("99.9", objective))


@pytest.mark.parametrize(
    ("answer", "objective"),
    [("'99.9'", "99.9"), ("'99.90'", "99.9"), ("99.9", "99.95"), ("95", "95.0"), ("'90'", "99")],
)
def test_an_objective_as_high_as_the_answer_is_judged_by_the_manifests(
    tmp_path: Path, answer: str, objective: str
) -> None:
    with pytest.raises(CannotTell, match=NO_MANIFESTS):
        availability_target(service(tmp_path, f"availability_target: {answer}", objective))


@pytest.mark.parametrize("objective", ["99.899", "99", "0.001"])
def test_a_lower_one_fails_with_both_numbers_and_both_ways_out(tmp_path: Path, objective: str) -> None:
    with pytest.raises(Failed) as told:
        availability_target(service(tmp_path, "availability_target: '99.9'", objective))

    assert str(told.value) == (
        f"slo.yaml: the objective availability is {objective} %, below the 99.9 % of availability_target in "
        ".copier-answers.yml: raise it and run make slo, or promise less: "
        f"make update DATA=availability_target={objective}"
    )


def test_an_objective_of_another_name_is_none(tmp_path: Path) -> None:
    with pytest.raises(
        Failed, match=r"no objective named availability, and the answer availability_target promises 99"
    ):
        availability_target(service(tmp_path, "availability_target: '99'", "99.9", "uptime"))


@pytest.mark.parametrize("answer", ["", "high", ".nan", "'sNaN'", "-1", "100", "[99]", "true"])
def test_an_answer_that_says_nothing_promises_nothing(tmp_path: Path, answer: str) -> None:
    with pytest.raises(CannotTell, match=r"\.copier-answers\.yml: availability_target is .*, no percentage below 100"):
        availability_target(service(tmp_path, f"availability_target: {answer}", "99.9"))


def test_without_answers_the_row_is_red(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"\.copier-answers\.yml: No such file"):
        availability_target(file(tmp_path, "slo.yaml", document(availability())))

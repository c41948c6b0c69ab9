"""Targets of the owner's Makefile that take the place of the template's verbs."""

from pathlib import Path

import pytest
from ops.readiness import own_verbs
from ops.readiness.service import Service


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("test:\n\ttrue\n", True),
        ("test:\n\t@echo all is well\n", True),
        ("test: ; true\n", True),
        ("test:\n\t-$(BIN)/coverage run -m pytest\n", True),
        ("test:\n\tpytest || true\n", True),
        ("test:\n\tdocker compose up --detach db\n\t$(BIN)/coverage run -m pytest\n", False),
        ("test: database\n", False),
        ("test: database\n\t@echo with a database\n", False),
        ("test: COLUMNS = 200\n", False),
        ("test := no\n", False),
        ("tests:\n\ttrue\n", False),
        ("", False),
    ],
)
def test_a_verb_that_can_not_fail_is_told(tmp_path: Path, target: str, told: bool) -> None:
    (tmp_path / "Makefile").write_text(f"include ops/Makefile\n\n{target}", "utf-8")
    found = own_verbs.emptied(Service(tmp_path), ("test",))

    assert found == ("Makefile:3: takes the place of the template's `make test`, and can't fail" if told else "")

"""Scripts of pipelines, as owners write them: which `make test` is run, and whether the script fails where it does."""

import pytest
from ops.readiness.shell import commands


@pytest.mark.parametrize(
    "script",
    [
        "make test",
        "make -j4 --silent -C . install test",
        "env -u HOME CI=1 make test",
        "timeout 300 sudo -E make test",
        "make install; make check; make test",
        "make check && make test",
        "make test || exit 1",
        "make test || exit",
        "make test || { echo 'it failed'; exit 1; }",
        "make test || (echo failed; false)",
        "make test >log 2>&1",
        "set -e -o pipefail\nmake test 2>&1 | tee log",
        'if [ -n "$FULL" ]; then\n  make test # all of it\nfi',
        "(cd sub && make test)",
        "if [ -d sub ]; then (cd sub && make test); fi",
        'status=0\nmake test || status=$?\ncat report.md\nexit "$status"',
        "set +e\nmake test\nstatus=$?\nset -e\nexit $status",
        "tests() {\n  make test\n}\ntests",
        "make test JUNIT=\"$(sed -n 's/a/b/p' names)\"",
        "make test \\\n  JUNIT=out.xml",
    ],
)
def test_a_failure_that_the_script_hands_on_counts(script: str) -> None:
    assert [each.counts for each in commands(script)[0] if each.makes("test")] == [True]


@pytest.mark.parametrize(
    "script",
    [
        "make test || true",
        "make test || echo failed",
        "make test || exit 0",
        "make test || status=$?",
        "make test; true",
        "make test || true # flaky",
        "make test && echo well\necho done",
        "make test | tee log",
        "make test &",
        "! make test",
        "if make test; then echo well; fi",
        "{ make test; } || true",
        "(make test) || true",
        "if true; then make test; fi || :",
        "set +e\nmake test\nexit 0",
        "set +o errexit\nmake test\necho done",
        "tests() {\n  make test\n}\ntests || true",
        "true || make test",
        "false && make test",
        "exit 0\nmake test",
        "make -n test",
        "make -si test",
        "make --dry-run test",
        "MAKEFLAGS=-n make test",
        "make test TESTS=tests/test_routes.py",
        "echo make test",
        'echo "first; make test"',
        "true # make test",
        "cat <<END\nmake test\nEND",
        "tests() {\n  make test\n}\necho tests",
        "remake test",
        "make tests",
        "make -C test",
    ],
)
def test_what_is_not_run_or_forgiven_does_not_count(script: str) -> None:
    assert [each for each in commands(script)[0] if each.makes("test") and each.counts] == []


@pytest.mark.parametrize(
    "script", ["end() {\n  make test\n}\ntrap end EXIT\nmake run", "trap 'make test' ERR\nmake run"]
)
def test_a_trap_is_run_at_the_end(script: str) -> None:
    run, at_end = commands(script)

    assert [each.text for each in run] == ["make run"]
    assert [each.text for each in at_end] == ["make test"]


@pytest.mark.parametrize(
    ("script", "sure"),
    [
        ("make deploy && make test", True),
        ('[ -n "$URL" ] && make test', False),
        ('[ -z "$URL" ] || make test', False),
        ('if [ -n "$URL" ]; then make test; fi', False),
        ('if [ -n "$URL" ]; then make load; fi\nmake test', True),
    ],
)
def test_what_a_variable_decides_is_not_sure(script: str, sure: bool) -> None:
    assert [each.sure for each in commands(script)[0] if each.makes("test")] == [sure]

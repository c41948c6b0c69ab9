"""Mutations of the theme People and documents."""

import contextlib
import json
import re
from pathlib import Path

from ops.slo.__main__ import main as slo

from tests.readiness.mutating import Mutation, edit

COMPLEX = """

def shipping(weight: int, country: str, express: bool, fragile: bool) -> int:
    price = 0 if weight < 1 and not express else 5
    if country == "NO" or country == "SE" or country == "DK":
        price += 1 if fragile else 2
    elif country == "DE":
        price += 4
    for limit in (5, 10, 20):
        if weight > limit and express:
            price += limit
    return price
"""


def cut(root: Path, path: str, begin: str, end: str) -> None:
    """Take away what stands between two lines, which stay."""
    file = root / path
    text = file.read_text("utf-8")
    shorter = re.sub(rf"(?ms)^({re.escape(begin)}\n).*?^({re.escape(end)}\n)", r"\1\n\2", text)
    assert shorter != text, f"{path} has nothing between {begin!r} and {end!r}"
    file.write_text(shorter, "utf-8")


def complex_code(root: Path) -> None:
    file = root / "src/orders/routes.py"
    file.write_text(file.read_text("utf-8") + COMPLEX, "utf-8")


def unlisted(root: Path) -> None:
    file = root / "docs/reference/dependencies.md"
    text, count = re.subn(r"(?m)^\| fastapi \|.*\n", "", file.read_text("utf-8"))
    assert count == 1
    file.write_text(text, "utf-8")


def undescribed(root: Path) -> None:
    file = root / "docs/reference/openapi.json"
    text, count = re.subn(r'"description": "What an order would cost\."', '"description": ""', file.read_text("utf-8"))
    assert count == 1
    file.write_text(text, "utf-8")


def no_routes(root: Path) -> None:
    file = root / "docs/reference/openapi.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "paths": {}}), "utf-8")


def less_than_promised(root: Path) -> None:
    """The objective is lowered, with all that follows from it; the answer stays."""
    edit(root, "slo.yaml", "objective: 99.9\n", "objective: 90\n")
    with contextlib.chdir(root), contextlib.redirect_stdout(None):
        assert slo(["make"]) == 0


MUTATIONS = [
    Mutation(
        "docs-dev",
        lambda root: edit(root, "docs/development.md", "make test TESTS=", "make tests TESTS="),
        "a verb that there is not",
    ),
    Mutation("docs-dev", lambda root: cut(root, "docs/development.md", "## Build", "## Test"), "nothing on building"),
    Mutation("docs-user", undescribed, "a route that nobody has described"),
    Mutation(
        "docs-user",
        lambda root: cut(root, "docs/user-guide.md", "## Errors", "## What you can rely on"),
        "nothing on errors",
    ),
    Mutation("docs-ops", lambda root: cut(root, "docs/runbook.md", "### Slow", "### Memory grows"), "an empty problem"),
    Mutation(
        "docs-ops",
        lambda root: edit(root, "docs/runbook.md", "app config --check\n", "app configuration --check\n"),
        "a command that there is not",
    ),
    Mutation(
        "docs-ops", lambda root: cut(root, "docs/operations.md", "## Stopping", "## Logs"), "nothing on operating"
    ),
    Mutation("docs-user", no_routes, "no route"),
    Mutation("docs-code", complex_code, "a complex function without a docstring"),
    Mutation(
        "bus-factor",
        lambda root: edit(root, "CODEOWNERS", "\n* orders@example.org", "\n/docs/ orders@example.org"),
        "nobody for most files",
    ),
    Mutation("oss-support", unlisted, "a dependency that is not listed"),
    Mutation(
        "deprecation",
        lambda root: edit(root, "renovate.json", '  "extends"', '  "enabled": false,\n  "extends"'),
        "no updates",
    ),
    Mutation(
        "deprecation",
        lambda root: edit(root, "Dockerfile", "-slim AS base", "-slim-bullseye AS base"),
        "a base image that is kept no longer",
    ),
    Mutation(
        "availability-target",
        lambda root: edit(
            root,
            "deploy/production/kustomization.yaml",
            "{op: replace, path: /spec/minReplicas, value: 3}",
            "{op: replace, path: /spec/minReplicas, value: 2}",
        ),
        "fewer instances than the target needs",
    ),
    Mutation("availability-target", less_than_promised, "an objective below the answer"),
]

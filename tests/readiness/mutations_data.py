"""Mutations of the theme Data. A fresh service keeps nothing, so each is given a store first."""

import contextlib
import re
from pathlib import Path

from ops.readiness.checks.data import PLAN
from ops.slo.__main__ import main as slo

from tests.readiness.mutating import Mutation, edit

DRILL = "| 2026-11-20 | Database | the server is gone | 20 min | nothing | – | Kari Nordmann |\n"


def a_store(root: Path) -> None:
    """The service asks for PostgreSQL's client, and its owner has done all that this asks for."""
    edit(root, "pyproject.toml", "dependencies = [\n", 'dependencies = [\n    "psycopg>=3.2",\n')
    edit(root, "docs/reference/dependencies.md", "| fastapi |", "| psycopg | LGPL-3.0-only | stable | – |\n| fastapi |")
    commands = "```console\npg_restore --dbname orders --exit-on-error newest.dump\n```\n\nThe alert [BackupTooOld]"
    edit(root, PLAN, "The alert [BackupTooOld]", commands)
    edit(root, PLAN, "| TODO: the first drill |", f"{DRILL}| TODO: the next drill |")


def no_alert(root: Path) -> None:
    """Switched off as an owner does it, with all that follows from it."""
    edit(root, "slo.yaml", "  alerts: {}\n", "  alerts: {BackupTooOld: {disable: true}}\n")
    with contextlib.chdir(root), contextlib.redirect_stdout(None):
        assert slo(["make"]) == 0
    file = root / "docs/runbook.md"
    text = file.read_text("utf-8")
    shorter = re.sub(r"(?ms)^### BackupTooOld\n.*?(?=^###? )", "", text)
    assert shorter != text
    file.write_text(shorter, "utf-8")


def one_node(root: Path) -> None:
    (root / "deploy/common/database.yaml").write_text(
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: orders-db}\nspec: {instances: 1}\n", "utf-8"
    )


MUTATIONS = [
    Mutation("backup", no_alert, "nobody is told of a missing backup", given=a_store),
    Mutation(
        "backup-restore",
        lambda root: edit(root, PLAN, "| 2026-11-20 | Database |", "| 2024-11-20 | Database |"),
        "the last restore was two years ago",
        given=a_store,
    ),
    Mutation("replication", one_node, "a database of one node", given=a_store),
]

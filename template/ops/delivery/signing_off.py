"""The record of a sign-off: who let which image into which environment, when, and on which readiness report."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .reading import DeliveryError
from .releasing import Image


def record(
    environment: str, wanted: Image, version: str, commit: str, signers: list[dict[str, str]], report: Path, run: str
) -> dict[str, Any]:
    """The record, as JSON.

    Raises:
        DeliveryError: nobody has signed, or there is no readiness report of this commit whose gate is passed.
    """
    if not signers:
        raise DeliveryError(
            f"{environment}: nobody has approved this deployment: the environment needs required reviewers, see "
            "docs/release.md"
        )
    return {
        "environment": environment,
        "image": str(wanted),
        "digest": wanted.digest,
        "version": version,
        "commit": commit,
        "signed_by": signers,
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "run": run,
        "readiness": _report(report, environment, commit),
    }


def approvals(file: Path, environment: str) -> list[dict[str, str]]:
    """Who has approved a run for an environment, from what GitHub's API lists of its reviews.

    Raises:
        DeliveryError: the file is no such list.
    """
    listed = _loaded(file)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise DeliveryError(
            f"{file}: must be the list of a run's approvals: gh api repos/OWNER/NAME/actions/runs/ID/approvals"
        )
    return [
        {"name": str(each["user"]["login"]), "comment": str(each.get("comment") or "")}
        for each in listed
        if each.get("state") == "approved"
        and environment in _names(each)
        and isinstance(each.get("user"), dict)
        and isinstance(each["user"].get("login"), str)
    ]


def _names(approval: dict[str, Any]) -> list[str]:
    given = approval.get("environments")
    return [str(each.get("name")) for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _report(file: Path, environment: str, commit: str) -> dict[str, Any]:
    document = _loaded(file)
    gates = document.get("gates") if isinstance(document, dict) else None
    if not isinstance(gates, dict) or not gates:
        raise DeliveryError(f"{file}: is no readiness report: make readiness GATE=production JSON={file}")
    gate = gates.get(environment)
    if not isinstance(gate, dict) or gate.get("passed") is not True:
        raise DeliveryError(f"{file}: the gate {environment} is closed: make readiness GATE={environment} tells why")
    if document.get("commit") != commit:
        raise DeliveryError(f"{file}: is of commit {document.get('commit')}, not of {commit}: make it of this one")
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "gates": gates}


def _loaded(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise DeliveryError(f"{file}: can't be read: {reason}") from None

"""Security and privacy: secrets, scans, access, and whether personal data is what was said of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ops.readiness import leaks, own_verbs, pipelines, secret_settings
from ops.readiness.outcome import Failed, NotApplicable, Open
from ops.readiness.pipelines import Job
from ops.readiness.rbac import Access
from ops.readiness.registry import static
from ops.readiness.service import Service

INVENTORY: Final = "docs/reference/personal-data.md"
SHOWN: Final = 5


@dataclass(frozen=True)
class Scan:
    """What runs a scan: the template's verb, a tool at the beginning of a command, or an action."""

    what: str
    verb: str
    tools: str
    actions: str

    def by(self, job: Job) -> bool:
        """Whether a job runs it, and its failure counts."""
        pattern = re.compile(rf"(?:\S*/)?(?:{self.tools})(?=\s|$)|uses (?:{self.actions})@")
        return job.runs(self.verb) or any(each.counts and pattern.match(each.program) for each in job.commands)


CODE: Final = Scan(
    "code", "scan-code", "bandit|semgrep (?:ci|scan)|sonar-scanner", r"github/codeql-action/analyze|SonarSource/[\w-]+"
)
SECRETS: Final = Scan(
    "secrets",
    "scan-secrets",
    "gitleaks (?:detect|git|dir)|trufflehog|detect-secrets(?:-hook)?",
    "gitleaks/gitleaks-action|trufflesecurity/trufflehog",
)
DEPENDENCIES: Final = Scan(
    "dependencies",
    "scan-dependencies",
    "pip[-_]audit|osv-scanner|snyk test|trivy (?:fs|repo)",
    r"actions/dependency-review-action|pypa/gh-action-pip-audit|google/osv-scanner-action[\w/-]*|snyk/actions/python",
)
IMAGE: Final = Scan(
    "the image",
    "scan-image",
    "grype|trivy image|docker scout cves|snyk container",
    "anchore/scan-action|aquasecurity/trivy-action|docker/scout-action|snyk/actions/docker",
)


@static("secrets-repository")
def secrets_repository(service: Service) -> str:
    """No file that is committed, or would be, holds what looks like a secret."""
    found, count = leaks.found(service.root)
    if found:
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise Failed("; ".join(map(str, found[:SHOWN])) + more)
    return f"{count} files hold nothing of {len(leaks.PATTERNS) + 1} kinds of secrets"


@static("secrets")
def secrets(service: Service) -> str:
    """Settings that are secret have no value in any file that is committed, and development's is in no other place."""
    if found := list(dict.fromkeys(secret_settings.values(service))):
        raise Failed("; ".join(found[:SHOWN]))
    known = secret_settings.names(service)
    return f"{', '.join(known)} have no value in configuration, manifests, compose, image or workflows"


@static("dpia")
def dpia(service: Service) -> str:
    """What the code declares fits the answer whether personal data is processed."""
    section = service.text(INVENTORY).partition("\n## Personal data\n")[2].partition("\n## ")[0]
    declared = [line for line in section.splitlines() if line.startswith("| `")]
    processed = str(service.answers.get("personal_data")) == "yes"
    if declared and not processed:
        fields = ", ".join(re.findall(r"`([^`]+)`", line)[1] for line in declared[:SHOWN])
        raise Failed(f"the answer personal_data is no, and {INVENTORY} lists {len(declared)} fields, such as {fields}")
    if not processed:
        raise NotApplicable("the answer personal_data is no, and the code declares none")
    if not declared:
        raise Open(
            "the answer personal_data is yes, and the code declares none: Personal(…) where each field is defined, or "
            "another answer"
        )
    return f"the code declares {len(declared)} fields with personal data ({INVENTORY})"


@static("code-security")
def code_security(service: Service) -> str:
    """A change is scanned for mistakes of security and for secrets before it is merged."""
    return _scanned(service, (CODE, SECRETS), ("pull_request",))


@static("vuln-scan")
def vuln_scan(service: Service) -> str:
    """Dependencies and image are scanned before a change is merged, and on a schedule."""
    return _scanned(service, (DEPENDENCIES, IMAGE), ("pull_request", "schedule"))


def _scanned(service: Service, scans: Sequence[Scan], events: Sequence[str]) -> str:
    """Which jobs scan on each of these events, as evidence; of GitHub's pipeline if that is used, else of GitLab's."""
    platform = pipelines.platforms(service)[0]
    told = []
    for scan in scans:
        scanning = [job for job in platform.jobs if scan.by(job)]
        for event in events:
            if not any(event in job.events for job in scanning):
                there = ", ".join(dict.fromkeys(job.place for job in scanning))
                raise Failed(f"no job scans {scan.what} on {event}" + (f" ({there} does on others)" if there else ""))
        if emptied := own_verbs.emptied(service, (scan.verb,)):
            raise Failed(emptied)
        counted = dict.fromkeys(job.place for job in scanning if job.events & set(events))
        told.append(f"{scan.what} by {', '.join(counted)}")
    return "; ".join(told)


@static("access")
def access(service: Service) -> str:
    """Roles give nobody secrets or a way into pods; groups are bound to them, not everybody and not single people."""
    known = Access(service)
    if not known.roles and not known.bindings:
        raise NotApplicable("deploy/ has no roles: who may what is said elsewhere")
    if found := list(known.problems()):
        raise Failed("; ".join(found[:SHOWN]))
    if not known.bindings:
        raise Failed("no role is bound to anybody: bind them in deploy/common/access.yaml")
    groups = sorted({str(each.get("name")) for _, binding in known.bindings for each in binding.get("subjects") or ()})
    return f"{len(known.roles)} roles give no secrets and no way into pods; bound are {', '.join(groups)}"

"""What breaks one promise of the probes, the status and the smoke tests."""

from tests.readiness.mutating import Mutation, edit
from tests.readiness.mutations_platform import DEPLOYMENT
from tests.readiness.mutations_twelve_factor import OPS, ROUTES, in_routes

MUTATIONS = [
    Mutation(
        "status-token",
        lambda root: edit(
            root,
            f"{OPS}/endpoints.py",
            "        if not self._digests:\n",
            "        if not self._digests:\n            return None\n        if not self._digests:\n",
        ),
        "open where no token is set",
    ),
    Mutation(
        "status-token",
        lambda root: edit(root, f"{OPS}/endpoints.py", "hmac.compare_digest(presented, digest)", "presented == digest"),
        "the time tells how much of a token is right",
    ),
    Mutation(
        "health",
        lambda root: edit(root, f"{OPS}/endpoints.py", " and self.monitor.passes", ""),
        "ready while a critical dependency fails",
    ),
    Mutation(
        "health",
        lambda root: edit(
            root,
            DEPLOYMENT,
            "livenessProbe:\n            httpGet: {path: /livez,",
            "livenessProbe:\n            httpGet: {path: /readyz,",
        ),
        "restarted by a dependency",
    ),
    Mutation(
        "health",
        lambda root: edit(root, DEPLOYMENT, "          readinessProbe:\n", "          notReadinessProbe:\n"),
        "no readiness probe",
    ),
    Mutation(
        "drain",
        lambda root: edit(root, DEPLOYMENT, "terminationGracePeriodSeconds: 40", "terminationGracePeriodSeconds: 5"),
        "killed while it drains",
    ),
    Mutation(
        "health-third-party",
        lambda root: in_routes(root, 'from .ops import http_client\npayments = http_client("payments")'),
        "a service that is called, and not checked",
    ),
    Mutation("smoke", lambda root: edit(root, ROUTES, '"NO": 25', '"NO": 24'), "a wrong answer"),
    Mutation(
        "smoke",
        lambda root: edit(root, ".github/workflows/ops-deploy.yml", "make smoke", "make readyz"),
        "a deployment that nothing looks at",
    ),
    Mutation(
        "smoke",
        lambda root: (root / "smoke.yaml").write_text("service: orders\n", "utf-8") and None,
        "no requests",
    ),
]

"""Mutations of the theme Security and privacy. What looks like a secret is put together here: scanners read it, too."""

import re
from pathlib import Path

from tests.readiness.mutating import Mutation, delete, edit
from tests.readiness.mutations_platform import COMMON, PRODUCTION, STAGING, differs

CHECKS = ".github/workflows/ops-check.yml"
OF_A_CHANGE = '  stage: check\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "merge_request_event"\n'
ACCESS = "deploy/common/access.yaml"
TOKEN = "a-token-for-development-only"


def append(root: Path, path: str, text: str) -> None:
    file = root / path
    file.write_text(file.read_text("utf-8") + text, "utf-8")


def answered_no(root: Path) -> None:
    """Personal data is declared, and the answer says that there is none."""
    file = root / ".copier-answers.yml"
    text, count = re.subn(r"(?m)^personal_data: .*$", "personal_data: 'no'", file.read_text("utf-8"))
    assert count == 1
    file.write_text(text, "utf-8")
    row = "| `Order` | `email` | to send the receipt | P1Y | contact | contract | – | `POST /v1/quotes body` |"
    edit(root, "docs/reference/personal-data.md", "## Secrets", f"{row}\n\n## Secrets")


def with_development_s_token(root: Path, path: str) -> None:
    """An environment's settings have the token that everybody knows; that it differs is listed."""
    edit(root, path, "    literals:\n", f'    literals:\n      - APP_STATUS__TOKENS=["{TOKEN}"]\n')
    if path != COMMON:
        differs(root, "ConfigMap/*/data/APP_STATUS__TOKENS")


def with_development_s_component(root: Path) -> None:
    """Development's token is in a component of its own, which production takes, too."""
    settings = f"[{{name: orders-settings, behavior: merge, literals: ['APP_STATUS__TOKENS=[\"{TOKEN}\"]']}}]"
    (root / "deploy/dev/tokens").mkdir()
    (root / "deploy/dev/tokens/kustomization.yaml").write_text(
        f"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nconfigMapGenerator: {settings}\n", "utf-8"
    )
    edit(root, PRODUCTION, "# components:\n", "components: [../dev/tokens]\n# components:\n")
    differs(root, "ConfigMap/*/data/APP_STATUS__TOKENS")


def a_role_with_secrets(root: Path) -> None:
    append(
        root,
        ACCESS,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: orders-debug}\n"
        'rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]\n',
    )


MUTATIONS = [
    Mutation(
        "secrets-repository",
        lambda root: append(root, "README.md", "\nThe bucket's key is " + "AKIA" + "Z7Q4" * 4 + "\n"),
        "an access key",
    ),
    Mutation(
        "secrets-repository",
        lambda root: append(root, "docs/tracing.md", "\n-----BEGIN EC " + "PRIVATE KEY-----\n"),
        "a private key",
    ),
    Mutation(
        "secrets-repository",
        lambda root: append(root, "compose.yaml", "\nx-database: {POSTGRES_PASSWORD: correct-horse}\n"),
        "a password by its name",
    ),
    Mutation(
        "secrets",
        lambda root: edit(
            root,
            "deploy/common/kustomization.yaml",
            "      - APP_LOG__FORMAT=json\n",
            "      - APP_LOG__FORMAT=json\n      - APP_LOG__EMAIL__PASSWORD=correct-horse\n",
        ),
        "a password in a ConfigMap",
    ),
    Mutation(
        "secrets",
        lambda root: edit(root, "config/dev.yaml", "a-token-for-development-only", "one-that-opens-production"),
        "a token in the configuration",
    ),
    Mutation("secrets", lambda root: with_development_s_token(root, PRODUCTION), "development's token in production"),
    Mutation("secrets", lambda root: with_development_s_token(root, STAGING), "development's token in staging"),
    Mutation("secrets", lambda root: with_development_s_token(root, COMMON), "development's token in what all share"),
    Mutation("secrets", with_development_s_component, "development's component in production"),
    Mutation(
        "secrets",
        lambda root: edit(
            root, "Dockerfile", "# ENV APP_CONFIG_FILE=/app/config/production", "ENV APP_CONFIG_FILE=/app/config/dev"
        ),
        "development's configuration in the image",
    ),
    Mutation("dpia", answered_no, "personal data where there should be none"),
    Mutation(
        "code-security",
        lambda root: edit(root, CHECKS, "- run: make scan-code", "- run: make help"),
        "no scan of the code",
    ),
    Mutation(
        "code-security",
        lambda root: edit(root, CHECKS, "- run: make scan-secrets ", "- run: make help "),
        "no scan for secrets",
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(root, CHECKS, "- run: make scan-image ", "- run: make help "),
        "no scan of the image",
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(root, ".github/workflows/check.yml", '  schedule:\n    - cron: "41 3 * * 3"\n', ""),
        "no schedule",
    ),
    Mutation(
        "code-security",
        lambda root: edit(root, CHECKS, "- run: make scan-code", "- run: make scan-code || true"),
        "a scan whose failure is forgiven",
    ),
    Mutation(
        "code-security",
        lambda root: edit(root, CHECKS, "  code:\n", "  code:\n    continue-on-error: true\n"),
        "a scan that may fail",
    ),
    Mutation(
        "code-security",
        lambda root: edit(root, CHECKS, "  code:\n", "  code:\n    if: github.event_name == 'schedule'\n"),
        "a scan once a week",
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(root, CHECKS, "- run: make scan-image ", "- run: true || make scan-image "),
        "a scan that is never made",
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(
            root, CHECKS, "  dependencies:\n", "  dependencies:\n    if: github.event_name == 'pull_request'\n"
        ),
        "none without a change",
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(
            root, ".github/workflows/check.yml", '  schedule:\n    - cron: "41 3 * * 3"\n', "  schedule: []\n"
        ),
        "an empty schedule",
    ),
    Mutation(
        "vuln-scan",
        lambda root: append(root, "Makefile", "\nscan-dependencies:\n\ttrue\n"),
        "a verb of the owner's that can't fail",
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(root, ".gitlab-ci.yml", "- make scan-dependencies", "- make scan-dependencies || true"),
        "GitLab's may fail",
        given=lambda root: delete(root, ".github/workflows"),
    ),
    Mutation(
        "vuln-scan",
        lambda root: edit(root, ".gitlab-ci.yml", OF_A_CHANGE, OF_A_CHANGE.partition("    - if")[0]),
        "GitLab scans no image of a change",
        given=lambda root: delete(root, ".github/workflows"),
    ),
    Mutation("access", a_role_with_secrets, "a role that reads secrets"),
    Mutation(
        "access",
        lambda root: edit(root, ACCESS, "orders-operators", "system:authenticated"),
        "everybody operates",
    ),
]

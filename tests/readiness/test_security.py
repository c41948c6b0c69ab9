"""What the checks of security find, and what they leave alone. What looks like a secret is put together here."""

import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from ops.delivery import reading
from ops.delivery.objects import Environment
from ops.readiness import known_secrets, leaks, owners, pipelines, rbac, secret_settings
from ops.readiness.checks import security
from ops.readiness.outcome import Failed, NotApplicable, Open
from ops.readiness.service import Live, Service
from ops.smoke.runner import within

SECRETS = {
    "a private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    "an access key of AWS": "AKIA" + "Z7Q4" * 4,
    "a session key of AWS": "ASIA" + "Z7Q4" * 4,
    "a token of GitHub": "ghp_" + "aZ09" * 9,
    "a token of GitLab": "glpat-" + "aZ09" * 5,
    "a token of Slack": "xoxb-" + "1234567890ab",
    "a webhook of Slack": "hooks.slack.com" + "/services/T0AA/B0BB/" + "aZ09" * 6,
    "a key of Google": "AIza" + "a" * 35,
    "a key of Stripe": "sk_live_" + "aZ09" * 4,
    "a key of Azure": "AccountKey=" + "aZ09" * 20 + "==",
    "a token of PyPI": "pypi-AgE" + "aZ09" * 12,
    "a token of npm": "npm_" + "aZ09" * 9,
    "a key of OpenAI or Anthropic": "sk-ant-" + "aZ09" * 10,
    "a JSON web token": "eyJ" + "aZ09" * 4 + ".eyJ" + "aZ09" * 4 + "." + "aZ09" * 6,
    "a password in an address": "postgresql://orders:" + "h0rse-battery@db.internal:5432/orders",
}
HARMLESS = [
    "postgresql://user:password@db:5432/orders",
    "postgresql://orders:orders@localhost/orders",
    "redis://:$PASSWORD@cache",
    "https://example.org:8080/a@b",
    "http://orders:{password}@host",
    "mailto:team@example.org",
    "-----BEGIN PUBLIC KEY-----",
    "AKIA and the rest",
    "sk-learn is a library",
    "ghp_short",
    "amqp://guest:***@queue",
]


def file(root: Path, path: str, text: str) -> Service:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, "utf-8")
    return Service(root)


def test_every_kind_of_secret_has_an_example() -> None:
    assert SECRETS.keys() == {kind for kind, _, _ in leaks.PATTERNS}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_by_its_line_and_never_shown(tmp_path: Path, kind: str) -> None:
    service = file(tmp_path, "docs/notes.md", f"# Notes\n\nUse `{SECRETS[kind]}` for it.\n")
    with pytest.raises(Failed) as told:
        security.secrets_repository(service)

    assert str(told.value) == f"docs/notes.md:3: {kind}"


NAMED = [
    ("values.yaml", "db:\n  password: hunter-22\n"),
    ("values.yaml", "db:\n  dbPassword: 'hunter-22' # the old one\n"),
    ("deploy/app.yaml", "env:\n  - {name: DB_PASSWORD, value: hunter-22}\n"),
    ("deploy/app.yaml", "- name: API_KEY\n  value: hunter-22\n"),
    ("settings.json", '{\n"client_secret": "hunter-22"}'),
    ("tool.toml", '\napi-key = "hunter-22"\n'),
    (".env.production", "A=1\nexport MAIL_PWD=hunter-22"),
    ("Dockerfile", "FROM x\nENV DB_PASSPHRASE=hunter-22\n"),
    ("ci.yml", "\nDEPLOY_TOKEN: " + "aZ09" * 5),
    (".env.staging", "\nDB_PASSWORD=S3cr$et9word\n"),
    ("values.yaml", '\npassword: "@dm1nS3cret99"\n'),
    ("src/orders/db.py", "\nDB_PASSWORD = 'hunter-22'\n"),
    ("src/orders/db.py", '\nconnect(host="db", password="hunter-22")\n'),
]
UNNAMED = [
    "token: ${{ github.token }}",
    "id-token: write # signs",
    "token: short",
    "secret: orders-secrets",
    "secretKey: ORDERS_TOKEN_2026_OF_ALL",
    "password: # comes from a file",
    "password: *shared",
    "password: changeme",
    "POSTGRES_PASSWORD: postgres",
    "password: !vault abcdefgh",
    "password: /run/secrets/database",
    "password: user-${SUFFIX}",
    "password_file: /run/secrets/password",
    "APP_LOG__EMAIL__PASSWORD: hunter-22",
    "monkey: hunter-22",
]


@pytest.mark.parametrize(("path", "text"), NAMED, ids=[f"{path}-{number}" for number, (path, _) in enumerate(NAMED)])
def test_a_value_is_found_by_what_it_is_named(tmp_path: Path, path: str, text: str) -> None:
    service = file(tmp_path, path, text)
    with pytest.raises(Failed) as told:
        security.secrets_repository(service)

    assert str(told.value) == f"{path}:2: {leaks.NAMED}"


@pytest.mark.parametrize("text", ["-" * 100_000, "{" + "\n" * 100_000, ",a" * 50_000, "password: ${" + "a{" * 50_000])
def test_a_hostile_file_is_read_in_a_time_by_its_length(tmp_path: Path, text: str) -> None:
    """By its square it would take minutes: ten seconds leave room for any machine."""
    service = file(tmp_path, "values.yaml", text)

    assert "hold nothing" in within(10, lambda: security.secrets_repository(service))


def test_names_without_a_value_are_left_alone(tmp_path: Path) -> None:
    service = file(tmp_path, "values.yaml", "\n".join(UNNAMED))
    file(tmp_path, "config/dev.yaml", "log: {email: {password: hunter-22}}")  # the row `secrets` tells that
    file(
        tmp_path, "src/orders/db.py", "password: SecretStr\nconnect(password=settings.password)\nx = {'secret': read}\n"
    )
    file(tmp_path, "tests/test_db.py", "PASSWORD = 'hunter-22'\n")
    file(tmp_path, "deploy/sealed.yaml", "kind: SealedSecret\nspec: {encryptedData: {password: AgBy3i4OJSWK}}\n")
    file(tmp_path, "notes.md", "password: hunter-22 is what films say")

    assert security.secrets_repository(service).startswith("6 files hold nothing")


def test_what_only_looks_like_one_is_left_alone(tmp_path: Path) -> None:
    service = file(tmp_path, "notes.txt", "\n".join(HARMLESS))
    planted = SECRETS["a token of GitHub"]
    file(tmp_path, "src/orders/ops/planted.py", planted)
    digest = hashlib.sha256(planted.encode()).hexdigest()
    file(tmp_path, leaks.MANIFEST, json.dumps({"files": {"src/orders/ops/planted.py": digest}}))
    file(tmp_path, "uv.lock", SECRETS["a password in an address"])
    (tmp_path / "a.png").write_bytes(b"\0" + SECRETS["a token of GitHub"].encode())

    assert security.secrets_repository(service) == "2 files hold nothing of 16 kinds of secrets"


def test_a_file_of_the_templates_that_was_edited_is_read_and_so_is_utf_16(tmp_path: Path) -> None:
    service = file(tmp_path, "ops/image.env", f"KEY={SECRETS['an access key of AWS']}\n")
    file(tmp_path, leaks.MANIFEST, json.dumps({"files": {"ops/image.env": "0" * 64}}))
    (tmp_path / "notes.txt").write_bytes(SECRETS["a private key"].encode("utf-16"))
    with pytest.raises(Failed) as told:
        security.secrets_repository(service)

    assert str(told.value) == "notes.txt:1: a private key; ops/image.env:1: an access key of AWS"


REFERENCE = (
    "| `APP_HOST` | `host` | text | `x` | Host. |\n"
    "| `APP_STATUS__TOKENS` | `status.tokens` | list of secret text | `[]` | Tokens. |\n"
    "| `APP_ERRORS__DSN` | `errors.dsn` | secret text | `null` | DSN. |\n"
)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (
            "config/production.yaml",
            "status: {tokens: [abcdefghijklmnop]}",
            "config/production.yaml: status.tokens has a",
        ),
        ("deploy/a.yaml", "kind: Secret\nstringData: {APP_X: y}", "deploy/a.yaml: a Secret with its values"),
        ("deploy/a.yaml", "secretGenerator: [{name: a, literals: [a=b]}]", "deploy/a.yaml: secretGenerator has values"),
        ("deploy/a.yaml", "data: {APP_ERRORS__DSN: https://k@h/1}", "deploy/a.yaml: APP_ERRORS__DSN has a value"),
        ("deploy/a.yaml", "env: [{name: APP_ERRORS__DSN, value: k}]", "deploy/a.yaml: APP_ERRORS__DSN has a value"),
        ("deploy/a.yaml", "literals: [APP_ERRORS__DSN=k]", "deploy/a.yaml: APP_ERRORS__DSN has a value"),
        ("compose.yaml", "    environment:\n      APP_ERRORS__DSN: k\n", "compose.yaml: APP_ERRORS__DSN has a value"),
        ("Dockerfile", "ENV APP_ERRORS__DSN=k", "Dockerfile: APP_ERRORS__DSN has a value"),
        (".github/workflows/a.yml", "env:\n  APP_ERRORS__DSN: k\n", ".github/workflows/a.yml: APP_ERRORS__DSN has a"),
        (".env.example", "APP_STATUS__TOKENS='[\"abcdefghijklmnop\"]'", ".env.example: APP_STATUS__TOKENS has a value"),
    ],
)
def test_a_secret_setting_with_a_value_is_named_without_it(tmp_path: Path, path: str, text: str, told: str) -> None:
    service = file(tmp_path, "docs/configuration.md", REFERENCE)
    file(tmp_path, path, text)
    with pytest.raises(Failed) as failed:
        security.secrets(service)

    assert told in str(failed.value)
    assert "abcdefghijklmnop" not in str(failed.value)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("config/dev.yaml", "status: {tokens: [a-token-for-development-only]}"),
        ("config/dev.yaml", "status: {tokens: ['sha256:" + "0" * 64 + "']}"),
        ("config/empty.yaml", ""),
        ("deploy/a.yaml", "env: [{name: APP_ERRORS__DSN, valueFrom: {secretKeyRef: {name: a, key: b}}}]"),
        ("deploy/a.yaml", "kind: Secret\nmetadata: {name: a}"),
        ("deploy/a.yaml", "data: {APP_HOST: example.org}"),
        ("compose.yaml", "    environment:\n      APP_ERRORS__DSN: ${DSN}\n      APP_STATUS__TOKENS: '[]'\n"),
        (".github/workflows/a.yml", "env:\n  APP_ERRORS__DSN: ${{ secrets.DSN }}\n"),
        (".env.example", "#APP_ERRORS__DSN=\nAPP_STATUS__TOKENS=\n"),
    ],
)
def test_a_reference_a_hash_and_development_s_token_are_no_secrets(tmp_path: Path, path: str, text: str) -> None:
    service = file(tmp_path, "docs/configuration.md", REFERENCE)
    file(tmp_path, path, text)

    assert list(secret_settings.values(service)) == []


TOKEN = known_secrets.DEVELOPMENT
HASHED = f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"
OTHER = "sha256:" + "ab" * 32
KNOWN = "a secret of development's: everybody knows it; give each environment its own"


def given(root: Path, path: str, text: str) -> list[str]:
    """What is said of a file beside a development's configuration that has a token, and another one's hash."""
    file(root, "docs/configuration.md", REFERENCE)
    file(root, "config/dev.yaml", f"status: {{tokens: [{TOKEN}, '{OTHER}']}}\n")
    service = file(root, path, text)
    service.once("environments", dict)
    return list(secret_settings.values(service))


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("deploy/production/kustomization.yaml", f"\nliterals: ['APP_STATUS__TOKENS=[\"{TOKEN}\"]']\n", 2),
        ("deploy/staging/settings.env", f'A=b\nAPP_STATUS__TOKENS=["{TOKEN}"]\n', 2),
        ("deploy/common/patch.yaml", f"value: {TOKEN}\n", 1),
        ("deploy/nais/app.yaml", f"- name: MY_OWN_NAME\n  value: {HASHED.upper()}\n", 2),
        ("deploy/production/kustomization.yaml", f"literals: ['APP_STATUS__TOKENS=[\"{OTHER}\"]']\n", 1),
        ("config/production.yaml", f"status:\n  tokens:\n  - {TOKEN}\n", 3),
        ("config/staging.json", f'{{"status": {{"tokens": ["{HASHED}"]}}}}', 1),
        ("ops/kubernetes/base/deployment.yaml", f"value: {TOKEN}\n", 1),
        ("Dockerfile", f"FROM a\nENV APP_STATUS__TOKENS='[\"{TOKEN}\"]'\n", 2),
    ],
)
def test_development_s_secret_elsewhere_is_told_by_its_line_and_never_shown(
    tmp_path: Path, path: str, text: str, line: int
) -> None:
    told = given(tmp_path, path, text)

    assert told == [f"{path}:{line}: {KNOWN}"]
    assert not [each for each in told if TOKEN in each or "sha256" in each]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Dockerfile", "COPY config/ config/\nENV APP_CONFIG_FILE=/app/config/dev.yaml\n"),
        ("Dockerfile", 'COPY config/dev.yaml config/\nCMD ["serve", "--config", "config/dev.yaml"]\n'),
        ("deploy/production/patch.yaml", "- name: APP_CONFIG_FILE\n  value: /app/config/dev.yaml\n"),
    ],
)
def test_whoever_takes_development_s_configuration_takes_its_token(tmp_path: Path, path: str, text: str) -> None:
    [told] = given(tmp_path, path, text)

    assert told.startswith(f"{path}:2: config/dev.yaml, which holds a secret of development's: ")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("deploy/dev/kustomization.yaml", f"literals: ['APP_STATUS__TOKENS=[\"{TOKEN}\"]']\n"),
        ("config/local.yaml", f"status: {{tokens: [{TOKEN}]}}\n"),
        ("config/empty.yaml", ""),
        ("compose.yaml", f"APP_STATUS__TOKENS: '[\"{TOKEN}\"]'\n"),
        ("README.md", f"curl -H 'Authorization: Bearer {TOKEN}'\n"),
        ("deploy/production/kustomization.yaml", f"# not {TOKEN}\na: 1 # nor config/dev.yaml\n"),
        ("deploy/production/kustomization.yaml", "images: [{digest: 'sha256:" + "cd" * 32 + "'}]\n"),
        ("deploy/production/a.bin", "\0\1"),
    ],
)
def test_developers_may_use_what_is_theirs(tmp_path: Path, path: str, text: str) -> None:
    assert given(tmp_path, path, text) == []


def test_what_live_checks_start_the_service_with_is_a_developer_s(tmp_path: Path) -> None:
    file(tmp_path, "docs/configuration.md", REFERENCE)
    file(tmp_path, "config/checks.yaml", f"status: {{tokens: [{TOKEN}]}}\n")

    assert list(secret_settings.values(Service(tmp_path, Live("config/checks.yaml")))) == []


@pytest.mark.parametrize(
    "made",
    [
        {"kind": "ConfigMap", "data": {"APP_STATUS__TOKENS": f'["{TOKEN}"]'}},
        {"kind": "Secret", "data": {"tokens": b64encode(TOKEN.encode()).decode(), "odd": "%", "none": None}},
    ],
)
def test_what_production_takes_from_development_s_folder_is_told_by_where_it_stands(
    tmp_path: Path, made: dict[str, Any]
) -> None:
    file(tmp_path, "docs/configuration.md", REFERENCE)
    service = file(tmp_path, "deploy/dev/tokens.env", f'\nAPP_STATUS__TOKENS=["{TOKEN}"]\n')
    service.once("environments", lambda: {each: Environment(each, [made]) for each in ("dev", "production")})

    [told] = secret_settings.values(service)

    assert told.startswith("deploy/dev/tokens.env:2: a secret of development's, which production takes: ")


CALLER = (
    "on: {{pull_request: , schedule: [{{cron: '1 1 * * 1'}}]}}\n"
    "jobs: {{a: {{uses: ./.github/workflows/called.yml{}}}}}\n"
)
CALLED = "on: workflow_call\njobs: {{scan: {{steps: [{{run: '{}'}}]}}}}\n"


def pipeline(root: Path, command: str, rest: str = "") -> Service:
    file(root, ".github/workflows/check.yml", CALLER.format(rest))
    return file(root, ".github/workflows/called.yml", CALLED.format(command))


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("make scan-code", True),
        ("make install scan-code", True),
        ("FORCE=1 make -s scan-code", True),
        (".tools/bin/bandit -r src", True),
        ("semgrep ci", True),
        ("make scan-code-later", False),
        ("echo make scan-code", False),
        ("# make scan-code", False),
        ("pip install bandit", False),
    ],
)
def test_a_scan_is_what_runs_it(tmp_path: Path, command: str, found: bool) -> None:
    [platform] = pipelines.platforms(pipeline(tmp_path, command))
    (job,) = platform.jobs

    assert security.CODE.by(job) == found
    assert (job.place, job.events) == (".github/workflows/check.yml: a: scan", {"pull_request", "schedule"})


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("uvx pip-audit --strict", True),
        ("python -m pip_audit", True),
        ("uv run pip-audit", True),
        ("pip-audit --strict || true", False),
        ("echo pip-audit", False),
        ("uvx ruff check", False),
    ],
)
def test_a_tool_may_be_started_by_another(tmp_path: Path, command: str, found: bool) -> None:
    [platform] = pipelines.platforms(pipeline(tmp_path, command))

    assert security.DEPENDENCIES.by(platform.jobs[0]) == found


def test_a_job_that_is_off_or_may_fail_scans_nothing(tmp_path: Path) -> None:
    off = pipeline(tmp_path / "off", "make scan-code", rest=", if: false")
    steps = "steps: [{run: make scan-code, continue-on-error: true}]"
    may_fail = file(tmp_path / "may", ".github/workflows/a.yml", f"on: pull_request\njobs: {{a: {{{steps}}}}}\n")

    with pytest.raises(Failed, match="no job scans code on pull_request"):
        security.code_security(may_fail)
    with pytest.raises(Failed, match=re.escape("neither .github/workflows/ nor .gitlab-ci.yml has a job")):
        security.code_security(off)


def test_gitlab_s_pipeline_counts_where_github_s_is_not_used(tmp_path: Path) -> None:
    script = "  script:\n    - [make install]\n    - make scan-code\n    - make scan-secrets\n"
    service = file(tmp_path, ".gitlab-ci.yml", f"scan:\n{script}later:\n  when: manual\n{script}")

    told = security.code_security(service)

    assert told == "code by .gitlab-ci.yml: scan; secrets by .gitlab-ci.yml: scan"
    with pytest.raises(Failed, match="no job scans dependencies on pull_request"):
        security.vuln_scan(service)


ROLE = "kind: Role\nmetadata: {{name: r}}\nrules: [{{apiGroups: ['{}'], resources: [{}], verbs: [{}]}}]\n---\n"
BINDING = "kind: RoleBinding\nmetadata: {{name: b}}\nroleRef: {{kind: Role, name: {}}}\nsubjects: [{}]\n---\n"
GOOD = (
    ROLE.format("", "pods/log", "get").replace("name: r", "name: reader")
    + ROLE.format("apps", "deployments", "patch").replace("name: r", "name: operator")
    + BINDING.format("reader", "{kind: Group, name: developers}")
    + BINDING.format("operator", "{kind: Group, name: operators}")
)


def rendered(root: Path, text: str) -> Service:
    """A service whose production kustomize has made into these objects."""
    service = file(root, "deploy/production/kustomization.yaml", "resources: [access.yaml]\n")
    service.once("environments", lambda: {"production": Environment("production", reading.objects(text, "access"))})
    return service


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (ROLE.format("", "secrets", "list"), "Role"),
        (ROLE.format("", "pods/exec", "create"), "gives commands in pods"),
        (ROLE.format("*", "pods", "get"), "gives everything, by *"),
        (ROLE.format("", "'*'", "get"), "gives everything, by *"),
        (ROLE.format("", "users", "impersonate"), "gives the right to impersonate"),
        (BINDING.format("operator", "{kind: User, name: kari}"), "binds the person kari"),
        (BINDING.format("operator", "{kind: Group, name: 'system:authenticated'}"), "which is everybody"),
        (
            BINDING.format("operator", "{kind: Group, name: 'system:serviceaccounts:orders'}"),
            "binds system:serviceaccounts:orders, which is everybody",
        ),
        (BINDING.format("operator", ""), "binds nobody"),
        (BINDING.format("operator", "{kind: Group, name: developers}"), "nobody is bound to a role that may read"),
        (
            BINDING.format("cluster-admin", "{kind: Group, name: a}").replace("kind: Role,", "kind: ClusterRole,"),
            "secrets",
        ),
    ],
)
def test_each_right_too_many_is_told(tmp_path: Path, more: str, told: str) -> None:
    service = rendered(tmp_path, GOOD + more)
    with pytest.raises(Failed, match=r"deploy/production: ") as failed:
        security.access(service)

    assert told in str(failed.value).replace("gives secrets", "Role gives secrets")


def test_groups_that_may_what_they_need_are_told(tmp_path: Path) -> None:
    service = rendered(tmp_path, GOOD)

    assert list(rbac.Access(service).problems()) == []
    assert security.access(service) == ("2 roles give no secrets and no way into pods; bound are developers, operators")
    with pytest.raises(NotApplicable):
        security.access(Service(tmp_path / "elsewhere"))


@pytest.mark.parametrize(
    ("answer", "row", "outcome"),
    [("yes", "", Open), ("no", "", NotApplicable), ("no", "| `M` | `f` | to send |\n", Failed)],
)
def test_what_is_declared_must_fit_the_answer(tmp_path: Path, answer: str, row: str, outcome: type[Exception]) -> None:
    service = file(tmp_path, ".copier-answers.yml", f"personal_data: '{answer}'\n")
    file(tmp_path, security.INVENTORY, f"# P\n\n## Personal data\n\n{row}\n## Secrets\n\n| `M` | `s` | settings |\n")

    with pytest.raises(outcome):
        security.dpia(service)


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("* @kari @ola\n", {"kari", "ola"}),
        ("# a\n* a@example.org B@example.org # both\n", {"a", "b"}),
        ("* @kari @Kari\n", {"kari"}),
        ("* @kari kari@example.org\n", {"kari"}),
        ("[Docs][2] @kari @ola\n/docs/\n", {"kari", "ola"}),
    ],
)
def test_owners_are_counted_once_each(tmp_path: Path, text: str, people: set[str]) -> None:
    (rule,) = owners.rules(file(tmp_path, ".github/CODEOWNERS", text))

    assert rule.people == people

"""Mutations of the theme Delivery."""

import re
from datetime import date, timedelta
from pathlib import Path

from tests.readiness import filled
from tests.readiness.mutating import Mutation, delete, edit

FLOWS = ".github/workflows"
CHECK, DELIVER, RELEASE, DEPLOY = (f"{FLOWS}/{name}.yml" for name in ("ops-check", "deliver", "release", "ops-deploy"))
READINESS, PULL, TAKE_BACK = (f"{FLOWS}/{name}.yml" for name in ("ops-readiness", "check", "rollback"))
GITLAB = ".gitlab-ci.yml"
PAGE = "docs/release.md"
TODAY = date.today()  # noqa: DTZ011
IN_A_YEAR = TODAY + timedelta(365)


def resub(root: Path, path: str, pattern: str, new: str) -> None:
    """Replace what a pattern finds, once."""
    file = root / path
    text, count = re.subn(pattern, new, file.read_text("utf-8"), count=1, flags=re.DOTALL | re.MULTILINE)
    assert count == 1, f"{path} has nothing like {pattern}"
    file.write_text(text, "utf-8")


# Lines in place of `make test`: each lets a change pass that the suite does not.
UNTESTED = [
    "make test || echo failed",
    "make test || exit 0",
    "make test; true",
    "make test || true # flaky",
    "make -n test",
    "make -i test",
    "echo make test",
    "true # make test",
    "make test | tee log",
    "make test &",
    "set +e\nmake test\nexit 0",
]


def untested(line: str) -> Mutation:
    """This in place of `make test`."""
    step = "- run: |\n" + "".join(f"          {each}\n" for each in line.split("\n"))
    return Mutation("ci", lambda root: edit(root, CHECK, "- run: make test\n", step), line.replace("\n", ", "))


def signed(root: Path) -> None:
    """The page on releases is filled in, and its row signed, both for a year."""
    (root / PAGE).write_text(filled.filled_in((root / PAGE).read_text("utf-8"), TODAY), "utf-8")
    entry = f"{{by: Kari Nordmann, on: {TODAY}, evidence: {PAGE}, expires: {IN_A_YEAR}}}"
    edit(root, "readiness.yaml", "signed: {}\n", f"signed:\n  release-doc: {entry}\n")


def for_ever(path: str, what: str) -> Mutation:
    """What was signed, or reviewed, is to count until 2099."""
    return Mutation(
        "release-doc",
        lambda root: edit(root, path, f"expires: {IN_A_YEAR}", "expires: 2099-01-01"),
        what,
        signed,
        state="open",
    )


def on_gitlab(root: Path) -> None:
    """The service uses GitLab alone."""
    delete(root, FLOWS)


def own_test(root: Path) -> None:
    """The owner's Makefile has a `test` of its own, which finds nothing wrong."""
    edit(root, "Makefile", "include ops/Makefile\n", "include ops/Makefile\n\ntest:\n\t@echo all is well\n")


MUTATIONS = [
    *map(untested, UNTESTED),
    Mutation(
        "ci",
        lambda root: edit(root, CHECK, "  check:\n", "  check:\n    if: github.event_name == 'schedule'\n"),
        "a job that another event starts",
    ),
    Mutation(
        "ci",
        lambda root: edit(
            root, CHECK, "- run: make test\n", "- if: github.event_name == 'never'\n        run: make test\n"
        ),
        "a step that no event starts",
    ),
    Mutation(
        "ci",
        lambda root: edit(root, DELIVER, "    needs: check\n", "    needs: check\n    if: always()\n"),
        "delivered whatever the suite says",
    ),
    Mutation(
        "ci",
        lambda root: edit(
            root, CHECK, "- run: make test\n", "- run: make test\n        env: {TESTS: tests/test_routes.py}\n"
        ),
        "a part of the suite, by the environment",
    ),
    Mutation("ci", own_test, "a verb of the owner's that can't fail"),
    Mutation(
        "ci", lambda root: (root / FLOWS / "notes.yml").write_text("- a list\n", "utf-8"), "a workflow that is none"
    ),
    Mutation(
        "ci",
        lambda root: edit(root, GITLAB, "check:\n  stage: check\n", "check:\n  allow_failure: true\n  stage: check\n"),
        "GitLab's may fail",
        given=on_gitlab,
    ),
    Mutation(
        "cd-dev",
        lambda root: edit(root, DELIVER, "github.ref == 'refs/heads/main'", "github.ref == 'refs/heads/never'"),
        "another branch",
    ),
    Mutation(
        "cd-dev",
        lambda root: edit(root, DEPLOY, "run: make smoke-inside ", "run: echo "),
        "smoke tested only where somebody has set an address",
    ),
    Mutation(
        "release-promote",
        lambda root: edit(
            root,
            RELEASE,
            "  staging:\n",
            "  again:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: docker buildx bake --push\n\n  staging:\n",
        ),
        "another job builds",
    ),
    Mutation(
        "release-signoff",
        lambda root: resub(
            root, RELEASE, r"^    if: \S+ !cancelled\(\) && needs.staging-again.*?$", "    if: always()"
        ),
        "production whatever came before",
    ),
    Mutation(
        "release-signoff",
        lambda root: resub(
            root, RELEASE, r"^    if: \S+ !cancelled\(\) && needs.staging-again.*?$", "    if: ${{ !cancelled() }}"
        ),
        "production unless cancelled",
    ),
    Mutation(
        "release-signoff",
        lambda root: edit(root, READINESS, '          exit "$status"\n', ""),
        "a gate that never shuts",
    ),
    Mutation(
        "release-signoff",
        lambda root: edit(root, GITLAB, "readiness:\n  stage", "readiness:\n  allow_failure: true\n  stage"),
        "GitLab's gate may fail",
    ),
    Mutation(
        "rollback",
        lambda root: edit(root, DEPLOY, "run: make rollback FROM", "run: echo make rollback FROM"),
        "it only says so",
    ),
    Mutation(
        "rollback",
        lambda root: resub(root, GITLAB, r"^rollback-staging:\n.*?\n\n", ""),
        "GitLab's way back is never gone",
    ),
    Mutation(
        "branches-tags",
        lambda root: edit(root, DELIVER, '"hotfix/**"]', '"hotfix/**", "!hotfix/*"]'),
        "hotfixes are taken out again",
    ),
    Mutation(
        "ci",
        lambda root: edit(root, CHECK, "- run: make test\n", "- run: make test || true\n"),
        "a suite that may fail",
    ),
    Mutation(
        "ci",
        lambda root: edit(root, CHECK, "- run: make test\n", "- run: make test TESTS=tests/test_routes.py\n"),
        "a part of the suite",
    ),
    Mutation("ci", lambda root: edit(root, DELIVER, "    needs: check\n", ""), "delivered without waiting for it"),
    Mutation(
        "ci", lambda root: edit(root, GITLAB, "    - make check\n    - make test\n", "    - make check\n"), "GitLab's"
    ),
    Mutation(
        "cd-dev",
        lambda root: edit(root, DELIVER, "if: github.ref == 'refs/heads/main' #", "if: false #"),
        "a deployment that is off",
    ),
    Mutation(
        "cd-dev",
        lambda root: edit(root, DELIVER, 'branches: [main, "hotfix/**"]', 'branches: [releases, "hotfix/**"]'),
        "nothing on main",
    ),
    Mutation(
        "release-doc",
        lambda root: edit(root, PAGE, "make rollback ENV", "make roll-back ENV"),
        "a verb that there is not",
    ),
    Mutation(
        "release-doc",
        lambda root: resub(root, PAGE, r"(^## When a deployment fails\n).*?(?=^## )", r"\1\n"),
        "nothing on what fails",
    ),
    for_ever("readiness.yaml", "a signature for ever"),
    for_ever(PAGE, "a document that nobody will review again"),
    Mutation(
        "release-promote",
        lambda root: resub(
            root, RELEASE, r"(environment: production\n +image: )\S+ \S+ \}\}", r"\1registry/orders:latest"
        ),
        "another image in production",
    ),
    Mutation(
        "release-promote",
        lambda root: edit(root, RELEASE, '          echo "Image', '          docker build .\n          echo "Image'),
        "a second build",
    ),
    Mutation("release-signoff", lambda root: edit(root, RELEASE, "      sign-off: true\n", ""), "nobody is recorded"),
    Mutation(
        "release-signoff",
        lambda root: edit(root, RELEASE, "gate: production", "gate: staging"),
        "the readiness of another gate",
    ),
    Mutation(
        "preprod-verify",
        lambda root: edit(root, "deploy/staging/kustomization.yaml", "APP_LOG__LEVEL=INFO", "APP_LOG__LEVEL=DEBUG"),
        "staging is configured otherwise",
    ),
    Mutation(
        "release-strategy",
        lambda root: edit(root, PAGE, "This service uses: rolling update", "This service uses: blue/green"),
        "another one in the papers",
    ),
    Mutation(
        "release-bluegreen", lambda root: edit(root, DEPLOY, "run: make promote\n", "run: true\n"), "never promoted"
    ),
    Mutation(
        "release-canary",
        lambda root: edit(
            root, "ops/kubernetes/components/canary/objectives.yaml", "slo:sli_error:ratio_rate5m", "slo:error:ratio5m"
        ),
        "judged by what nobody records",
    ),
    Mutation(
        "rollback",
        lambda root: edit(root, DEPLOY, "run: make rollback FROM", "run: echo FROM"),
        "nothing taken back by itself",
    ),
    Mutation(
        "rollback",
        lambda root: edit(
            root, f"{FLOWS}/rollback.yml", "options: [production, staging, dev]", "options: [staging, dev]"
        ),
        "no way back by hand",
    ),
    Mutation(
        "versioning",
        lambda root: edit(root, "Dockerfile", 'org.opencontainers.image.revision="$COMMIT"', 'org.example.by="us"'),
        "an image without its commit",
    ),
    Mutation(
        "branches-tags",
        lambda root: edit(root, DELIVER, 'branches: [main, "hotfix/**"]', "branches: [main]"),
        "hotfixes are not built",
    ),
    Mutation(
        "branches-tags",
        lambda root: edit(root, PAGE, "git switch --create hotfix/1.4.1 v1.4.0", "git switch --create hotfix/1.4.1"),
        "a hotfix from main",
    ),
]

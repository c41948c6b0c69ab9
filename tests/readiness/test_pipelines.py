"""Pipelines as owners write them, too: what starts a job, what it waits for, where it deploys, and what counts."""

from pathlib import Path

import pytest
from ops.readiness import pipelines
from ops.readiness.checks.delivery import cd_dev, ci, release_promote, rollback
from ops.readiness.outcome import Failed
from ops.readiness.pipelines import Job, Platform
from ops.readiness.service import Service

SIMPLE = """
on: [push, pull_request]
jobs:
  all:
    steps:
      - run: |
          make install
          make check test
"""


def service(root: Path, **files: str) -> Service:
    """A service with these workflows, and a README."""
    (root / "README.md").write_text("`make check test`\n", "utf-8")
    (root / pipelines.FOLDER).mkdir(parents=True)
    for name, text in files.items():
        place = pipelines.GITLAB if name == "gitlab" else f"{pipelines.FOLDER}/{name}.yml"
        (root / place).write_text(text, "utf-8")
    return Service(root)


def only(root: Path, **files: str) -> Platform:
    (platform,) = pipelines.platforms(service(root, **files))
    return platform


def job(root: Path, text: str) -> Job:
    (found,) = only(root, own=text).jobs
    return found


def test_a_simple_workflow_of_ones_own_is_enough(tmp_path: Path) -> None:
    assert ci(service(tmp_path, own=SIMPLE)).startswith(
        ".github/workflows/own.yml: all runs `make test` on each change"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("make check test", "make check test TESTS=tests/test_routes.py"),
        ("make check test", "make check test || true"),
        ("make check test", "make check tests"),
        ("      - run: |", "      - continue-on-error: true\n        run: |"),
        ("      - run: |", "      - if: false\n        run: |"),
        ("    steps:", "    continue-on-error: true\n    steps:"),
        ("    steps:", "    if: ${{ false }}\n    steps:"),
        ("on: [push, pull_request]", "on: [push, workflow_dispatch]"),
        ("          make check test", "          # make check test"),
    ],
)
def test_a_suite_that_can_not_stop_a_change_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert old in SIMPLE

    with pytest.raises(
        Failed, match=r"job that a (pull request starts runs `make (test|check)`|push or a pull request starts)"
    ):
        ci(service(tmp_path, own=SIMPLE.replace(old, new)))


@pytest.mark.parametrize(
    ("on", "events"),
    [
        ("push", {"main", "hotfix", "tag"}),
        ("{push: {branches: [main]}}", {"main"}),
        ("{push: {branches: [trunk, 'hotfix/**']}}", {"main", "hotfix"}),
        ("{push: {branches: [releases, 'hotfix/**']}}", {"hotfix"}),
        ("{push: {branches: ['**']}}", {"main", "hotfix"}),
        ("{push: {tags: ['v[0-9]*']}}", {"tag"}),
        (
            "{push: {branches: [release/*]}, schedule: [{cron: 1 1 1 1 1}], pull_request: }",
            {"schedule", "pull_request"},
        ),
        ("{push: {branches: [main], tags: ['v*']}, workflow_dispatch: }", {"main", "tag", "manual"}),
    ],
)
def test_events_are_what_a_push_may_be_to(tmp_path: Path, on: str, events: set[str]) -> None:
    own = f"on: {on}\njobs: {{a: {{steps: [{{run: make test}}]}}}}\n"

    assert job(tmp_path, own).events == events


def test_a_called_workflow_has_the_callers_inputs_and_waits_for_what_it_waits_for(tmp_path: Path) -> None:
    caller = """
on: {push: {tags: ['v*']}}
jobs:
  image: {steps: [{run: make image-find}]}
  staging: {needs: image, uses: ./.github/workflows/deploy.yml, with: {to: staging, load: true}}
  production: {needs: [staging], uses: ./.github/workflows/deploy.yml, with: {to: production}}
"""
    called = """
on: {workflow_call: {inputs: {to: {type: string}, load: {type: boolean, default: false}}}}
jobs:
  deploy:
    environment: {name: "${{ inputs.to }}"}
    env: {IMAGE_REF: "${{ needs.image.outputs.image }}"}
    steps:
      - run: make deploy
      - {if: inputs.load && vars.URL != '', run: make load}
      - {if: failure(), run: make rollback}
"""
    image, staging, production = only(tmp_path, release=caller, deploy=called).jobs

    assert (image.name, staging.environment, production.environment) == ("image", "staging", "production")
    assert production.needs == {"image", "staging"}
    assert (staging.lines, production.lines) == (("make deploy", "make load"), ("make deploy",))
    assert [each.text for each in production.after_failure] == ["make rollback"]
    assert production.events == {"tag"}


def test_a_verb_is_a_word_of_its_own(tmp_path: Path) -> None:
    found = job(
        tmp_path,
        "on: push\njobs: {a: {steps: [{run: make -s image-name}, {run: CI=1 make lint image}, {run: remake push}]}}",
    )

    assert [found.runs(verb) for verb in ("image", "image-name", "lint", "name", "push")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_gitlabs_jobs_wait_for_the_stages_before(tmp_path: Path) -> None:
    text = """
stages: [test, ship]
.base: {before_script: [make install], variables: {ENVIRONMENT: $CI_ENVIRONMENT_NAME}}
suite:
  stage: test
  script: [make check, make test]
dev:
  extends: .base
  stage: ship
  environment: dev
  rules: [{if: '$CI_COMMIT_BRANCH == "main"'}]
  script: [[make image push, make deploy], make smoke]
back:
  stage: ship
  environment: {name: production}
  rules: [{if: $CI_COMMIT_TAG, when: manual, allow_failure: true}]
  script: [make rollback]
"""
    suite, dev, back = only(tmp_path, gitlab=text).jobs

    assert suite.events == {"pull_request", "schedule", "main", "hotfix", "tag"}
    assert (dev.events, dev.needs, dev.environment) == ({"main"}, {"suite"}, "dev")
    assert dev.lines == ("make install", "make image push", "make deploy", "make smoke")
    assert (back.events, back.choices) == ({"manual"}, ("production",))


def test_what_is_built_and_deployed_in_one_job_needs_no_other(tmp_path: Path) -> None:
    text = """
on: {push: {branches: [main]}, pull_request: }
jobs:
  suite: {steps: [{run: make check test}]}
  dev: {needs: suite, environment: dev, steps: [{run: make image push}, {run: make deploy}, {run: make smoke}]}
"""
    assert "dev deploys what a push to main has built" in cd_dev(service(tmp_path, own=text))


def test_without_any_pipeline_nothing_is_delivered(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="has a job that a push or a pull request starts"):
        ci(service(tmp_path, ops="on: schedule\njobs: {a: {steps: [{run: make update}]}}"))


@pytest.mark.parametrize(
    ("check", "told"), [(release_promote, "deploys to staging"), (rollback, "deploys to production")]
)
def test_a_pipeline_without_a_release_is_told(tmp_path: Path, check: object, told: str) -> None:
    with pytest.raises(Failed, match=told):
        check(service(tmp_path, own=SIMPLE))  # type: ignore[operator]


def test_a_workflow_that_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"own\.yml:2: is no YAML"):
        ci(service(tmp_path, own="on: push\njobs: ]"))

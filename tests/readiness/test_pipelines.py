"""Pipelines as owners write them, too: what starts a job, what it waits for, where it deploys, and what counts."""

import json
from pathlib import Path

import pytest
from ops.readiness import pipelines
from ops.readiness.checks import parity
from ops.readiness.checks.delivery import RELEASE, branches_tags, cd_dev, ci, release_promote, rollback
from ops.readiness.outcome import CannotTell, Failed
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
        ("{push: {tags: ['v[0-9]+.[0-9]+.[0-9]+']}}", {"tag"}),
        ("{push: {tags: ['**', '!v*']}, workflow_dispatch: }", {"manual"}),
        ("{push: {branches-ignore: ['hotfix/**']}}", {"main"}),
        ("{push: {tags-ignore: ['v*']}, workflow_dispatch: {inputs: [a]}}", {"manual"}),
        ("{push: {branches: [main], paths: ['docs/**']}, workflow_dispatch: }", {"manual"}),
        ("{push: {paths: ['src/**']}}", {"main", "hotfix", "tag"}),
        ("{pull_request: {paths-ignore: ['docs/**', '*.md']}}", {"pull_request"}),
        ("{pull_request: {branches: [main], types: [opened, synchronize, reopened]}}", {"pull_request"}),
        ("{pull_request: {branches: [release]}, workflow_dispatch: }", {"manual"}),
        ("{pull_request: {paths: ['docs/**']}, workflow_dispatch: }", {"manual"}),
        ("{pull_request: {types: [closed]}, workflow_dispatch: }", {"manual"}),
        ("{schedule: [], workflow_dispatch: }", {"manual"}),
    ],
)
def test_events_are_what_a_push_may_be_to(tmp_path: Path, on: str, events: set[str]) -> None:
    own = f"on: {on}\njobs: {{a: {{steps: [{{run: make test}}]}}}}\n"
    started = service(tmp_path, own=own, other="on: push\njobs: {b: {steps: [{run: make lint}]}}\n")
    [platform] = pipelines.platforms(started)

    assert {event for each in platform.jobs if each.name == "a" for event in each.events} == events


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
    assert (dev.events, dev.needs, dev.environment) == ({"main", "schedule"}, {"suite"}, "dev")
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


@pytest.mark.parametrize(
    ("condition", "needs"),
    [
        ("github.ref == 'refs/heads/main'", {"suite", "scan"}),
        ("always()", set()),
        ("${{ !cancelled() }}", set()),
        ("always() && needs.suite.result == 'success'", {"suite"}),
        ("always() && (needs.suite.result == 'success' || needs.scan.result == 'success')", set()),
        ("${{ !cancelled() && !failure() }}", {"suite", "scan"}),
        ("always() && !contains(needs.*.result, 'failure')", {"suite", "scan"}),
    ],
)
def test_a_job_that_is_run_whatever_happens_needs_what_it_asks_for(
    tmp_path: Path, condition: str, needs: set[str]
) -> None:
    text = f"""
on: {{push: {{branches: [main]}}}}
jobs:
  suite: {{steps: [{{run: make test}}]}}
  scan: {{steps: [{{run: make scan-code}}]}}
  dev: {{needs: [suite, scan], if: "{condition}", steps: [{{run: make deploy}}]}}
"""
    *_, dev = only(tmp_path, own=text).jobs

    assert (dev.needs, dev.waits) == (needs, {"suite", "scan"})


def test_a_step_that_one_event_is_for_counts_for_that_alone(tmp_path: Path) -> None:
    text = """
on: [push, pull_request]
jobs: {a: {steps: [{run: make check}, {if: github.event_name == 'pull_request', run: make test}]}}
"""
    jobs = only(tmp_path, own=text).jobs

    assert {each.lines: each.events for each in jobs} == {
        ("make check",): {"main", "hotfix", "tag"},
        ("make check", "make test"): {"pull_request"},
    }


@pytest.mark.parametrize(
    "text",
    [
        "on: {push: , workflow_dispatch: {inputs: [a]}}\njobs: {a: {steps: [{run: make test}]}}",
        "on: push\njobs: {a: {steps: [{run: make test, env: abc}]}}",
        "on: push\njobs: {a: {env: '${{ fromJSON(vars.E) }}', steps: [{run: make test}]}}",
        "on: push\njobs: {a: {continue-on-error: '${{ false }}', steps: [{run: make test}]}}",
        "on: push\njobs: {a: {steps: [{run: make test, continue-on-error: false}]}}",
    ],
)
def test_odd_and_needless_keys_are_passed_over(tmp_path: Path, text: str) -> None:
    assert job(tmp_path, text).runs("test")


@pytest.mark.parametrize("odd", ["5", "{a: 1}", "[[a]]", "true"])
def test_odd_values_are_none_and_stop_no_report(tmp_path: Path, odd: str) -> None:
    github = f"""
on:
  {{push: {{branches: {odd}}}, pull_request: {{types: {odd}}}, schedule: {odd},
  workflow_dispatch: {{inputs: {{a: {{options: {odd}}}}}}}}}
jobs: {{a: {{needs: {odd}, env: {odd}, steps: [{{run: make test, env: {odd}}}]}}, b: {{steps: {odd}}}, c: {odd}}}
"""
    gitlab = f"stages: {odd}\na: {{extends: {odd}, needs: {odd}, rules: {odd}, variables: {odd}, script: make test}}\n"
    files = {"own": SIMPLE, "github": github, "listed": f"on: {odd}\njobs: {odd}\n", "gitlab": gitlab}

    assert pipelines.platforms(service(tmp_path, **files))[0].name == "GitHub"


def test_a_matrix_by_an_expression_is_not_known(tmp_path: Path) -> None:
    text = """
on: push
jobs:
  a:
    strategy: {matrix: "${{ fromJSON(vars.MATRIX) }}"}
    steps: [{uses: actions/setup-python@v6, with: {python-version: "${{ matrix.python }}"}}, {run: make test}]
"""
    given = service(tmp_path, own=text)
    (tmp_path / "Dockerfile").write_text("FROM python:3.13-slim\n", "utf-8")

    with pytest.raises(CannotTell, match="no workflow that runs the tests"):
        parity.parity(given)


RELEASED = """
on: {push: {tags: ["v[0-9]+.[0-9]+.[0-9]+"]}}
jobs:
  image: {steps: [{run: make release-check}, {run: make image-find}]}
  staging: {needs: image, environment: staging, steps: [{run: make deploy}, {run: make smoke}]}
  production: {needs: staging, environment: production, steps: [{run: make deploy}]}
"""


def test_another_workflow_may_build_an_image_that_is_no_release(tmp_path: Path) -> None:
    lint = "on: push\njobs: {lint: {steps: [{run: docker build -t lint .}]}}\n"

    assert "finds the image of the commit" in release_promote(service(tmp_path, release=RELEASED, lint=lint))


@pytest.mark.parametrize("line", ["docker build .", "docker buildx bake --push", "make image || true"])
def test_a_release_builds_nothing(tmp_path: Path, line: str) -> None:
    more = f"  more: {{steps: [{{run: {line}}}]}}\n"

    with pytest.raises(Failed, match=r"release\.yml: more builds an image for a release"):
        release_promote(service(tmp_path, release=RELEASED + more))


@pytest.mark.parametrize("command", ["git checkout -b hotfix/1.4.1 tags/v1.4.0", "git switch -c hotfix/1.4.1 v1.4.0"])
def test_a_hotfix_may_branch_off_in_any_of_gits_ways(tmp_path: Path, command: str) -> None:
    built = "on: {push: {branches: ['hotfix/**']}}\njobs: {a: {steps: [{run: make image push}]}}\n"
    given = service(tmp_path, release=RELEASED, deliver=built)
    (tmp_path / "docs").mkdir()
    page = f"# Release\n\n## Hotfix\n\nFrom the tag that runs, and nothing else with it:\n\n```sh\n{command}\n```\n"
    (tmp_path / RELEASE).write_text(page, "utf-8")

    assert "builds hotfix/…" in branches_tags(given)


def test_a_workflow_that_nothing_reads_is_told_by_one_row(tmp_path: Path) -> None:
    given = service(tmp_path, own=SIMPLE, notes="- a\n- list\n")
    (tmp_path / pipelines.FOLDER / "gone.yml").symlink_to(tmp_path / "nowhere.yml")

    assert [platform.name for platform in pipelines.platforms(given)] == ["GitHub"]
    with pytest.raises(Failed, match=r"gone\.yml: No such file"):
        ci(given)


def test_a_called_workflow_may_call_another(tmp_path: Path) -> None:
    files = {
        "a": "on: pull_request\njobs: {a: {uses: ./.github/workflows/b.yml, with: {all: true}}}\n",
        "b": "on: {workflow_call: {inputs: {all: {type: boolean}}}}\n"
        "jobs: {b: {uses: ./.github/workflows/c.yml, with: {all: '${{ inputs.all }}'}}}\n",
        "c": "on: {workflow_call: {inputs: {all: {type: boolean}}}}\n"
        "jobs: {c: {if: inputs.all, steps: [{run: make test}]}, d: {if: '!inputs.all', steps: [{run: make lint}]}}\n",
    }
    (found,) = only(tmp_path, **files).jobs

    assert (found.place, found.lines) == (".github/workflows/a.yml: a: b: c", ("make test",))


def test_gitlabs_references_and_its_header_are_read(tmp_path: Path) -> None:
    text = """
spec: {inputs: {name: {default: a}}}
---
.shared: {script: [make install, make check]}
suite: {script: [!reference [.shared, script], make test]}
"""
    (suite,) = only(tmp_path, gitlab=text).jobs

    assert suite.lines == ("make install", "make check", "make test")


@pytest.mark.parametrize(
    ("more", "events"),
    [
        ("allow_failure: true", set()),
        ("when: manual", {"manual"}),
        ("when: manual, allow_failure: false", {"pull_request", "schedule", "main", "hotfix", "tag"}),
        ("when: never", set()),
        ("rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"'}]", {"schedule"}),
        (
            "rules: [{if: $CI_COMMIT_TAG, allow_failure: true}, {when: on_success}]",
            {"pull_request", "schedule", "main", "hotfix"},
        ),
        ("rules: [{if: $CI_COMMIT_TAG, when: manual}]", {"tag"}),
        (
            "rules: [{if: $SKIPPED, when: never}, {if: $CI_COMMIT_TAG, when: never}, {when: on_success}]",
            {"pull_request", "schedule", "main", "hotfix"},
        ),
    ],
)
def test_gitlabs_job_is_started_by_what_its_rules_say(tmp_path: Path, more: str, events: set[str]) -> None:
    text = f"suite: {{script: [make lint]}}\nasked: {{script: [make test], {more}}}\n"
    _, asked = only(tmp_path, gitlab=text).jobs

    assert asked.events == events


def test_gitlabs_trap_is_no_way_back_that_is_gone(tmp_path: Path) -> None:
    script = "end() {\n  make rollback\n}\ntrap end EXIT\nmake deploy"
    (found,) = only(tmp_path, gitlab=f"dev: {{script: [{json.dumps(script)}]}}\n").jobs

    assert not found.runs("rollback")
    assert [each.text for each in found.after_failure] == ["make rollback"]

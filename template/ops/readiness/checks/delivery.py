"""What happens to a commit: checked, built once, tried in one environment after the other, taken back if it fails."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from ops.delivery import differences, reading
from ops.readiness import manifests, own_verbs, pipelines
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.pages import Page
from ops.readiness.pipelines import Job, Platform
from ops.readiness.registry import static
from ops.readiness.service import Service

RELEASE: Final = "docs/release.md"
_README: Final = re.compile(r"\bmake\b[^\n`]*\btest\b")
_BUILDS: Final = re.compile(
    r"\b(docker|podman|buildah)\b[^\n]*\b(build|bake)\b|\b(buildctl|kaniko|pack build)\b|\b(build-push|bake)-action"
)
_WORKFLOW: Final = re.compile(r"`(?:\.github/workflows/)?(\.?[\w-]+\.yml)`")


@static("ci")
def ci(service: Service) -> str:
    """Every change runs the whole suite before it is merged and before it is delivered, by the README's own command."""
    if not _README.search(service.text("README.md")):
        raise Failed("README.md does not tell `make test`: nobody knows what the pipeline runs")
    if unread := pipelines.unread(service):
        raise Failed(f"{unread[0]}: what it should start does not start")
    if emptied := own_verbs.emptied(service, ("test", "check")):
        raise Failed(emptied)
    return _everywhere(service, _ci)


def _ci(platform: Platform) -> str:
    tests = [job for job in platform.on("pull_request") if job.runs("test")]
    if not tests:
        raise Failed("no job that a pull request starts runs `make test`, whole and so that its failure counts")
    if not any(job.runs("check") for job in platform.on("pull_request")):
        raise Failed("no job that a pull request starts runs `make check`")
    for event in ("main", "hotfix"):
        tested = {job.name for job in platform.on(event) if job.runs("test")}
        for job in platform.on(event):
            if (job.runs("push") or job.runs("deploy")) and not tested & (job.needs | {job.name}):
                raise Failed(f"{job.place} delivers without waiting for a job that runs `make test`")
    return f"{tests[0].place} runs `make test` on each change, and nothing is delivered before it has passed"


@static("cd-dev")
def cd_dev(service: Service) -> str:
    """A push to main is all that it takes for a commit to run in development."""
    return _everywhere(service, _cd_dev)


def _cd_dev(platform: Platform) -> str:
    builders = {job.name for job in platform.on("main") if job.runs("image") and job.runs("push")}
    if not builders:
        raise Failed("no job that a push to main starts builds and pushes the image (`make image`, `make push`)")
    for job in _deploying(platform, "main"):
        if job.environment == "dev" and (job.needs | {job.name}) & builders:
            if not _tried(job):
                raise Failed(f"{job.place} does not smoke test what it has deployed (`make smoke-inside`)")
            return f"{job.place} deploys what a push to main has built, and smoke tests it"
    raise Failed("no job that a push to main starts deploys to the environment dev what it has built (`make deploy`)")


@static("release-doc")
def release_doc(service: Service) -> str:
    """The process is written, by verbs, workflows and environments that there are."""
    page = Page(service, RELEASE)
    for anchor in ("release", "when-a-deployment-fails", "roll-back-by-hand", "hotfix"):
        page.says(anchor)
    if unknown := list(page.unknown_commands()):
        raise Failed("; ".join(unknown))
    text = service.text(RELEASE)
    platforms = pipelines.platforms(service)
    if lost := list(_lost(service, {platform.name for platform in platforms}, text)):
        raise Failed(f"{RELEASE} tells of {', '.join(lost)}, which is not there")
    used = {job.environment for platform in platforms for job in _deploying(platform)}
    if silent := sorted(each for each in used if not re.search(rf"\b{re.escape(each)}\b", text)):
        raise Failed(f"{RELEASE} does not tell of the environment {', '.join(silent)}, to which a pipeline deploys")
    count = sum(1 for _ in page.commands())
    return f"{RELEASE}: release, failure, roll-back and hotfix are written; its {count} lines of commands exist"


def _lost(service: Service, platforms: set[str], text: str) -> Iterator[str]:
    """Workflows that a text names and that are not there; those of a platform that is not used are no matter."""
    for name in dict.fromkeys(_WORKFLOW.findall(text)):
        platform, path = ("GitLab", name) if name == pipelines.GITLAB else ("GitHub", f"{pipelines.FOLDER}/{name}")
        if platform in platforms and not (service.root / path).is_file():
            yield name


@static("release-promote")
def release_promote(service: Service) -> str:
    """What was tried in staging goes to production, by the same digest; nothing is built on the way.

    That production waits for what has succeeded, not only ended, says `release-signoff`.
    """
    return _everywhere(service, _release_promote)


def _release_promote(platform: Platform) -> str:
    staging, production = (_one(platform, name) for name in ("staging", "production"))
    for job in platform.on("tag"):
        releases = job.file == production.file  # another workflow may build what is no release
        if releases and any(each.makes("image") or _BUILDS.search(each.text) for each in job.commands):
            raise Failed(f"{job.place} builds an image for a release: release the one that was tried, by its digest")
    if staging.name not in production.waits:
        raise Failed(f"{production.place} does not wait for {staging.name}")
    images = [job.given.get("IMAGE_REF", "") for job in (staging, production)]
    if images[0] != images[1]:
        raise Failed(f"staging gets the image {images[0]!r}, and production {images[1]!r}")
    found = [job for job in platform.on("tag") if job.runs("image-find") and job.name in production.waits]
    if not found:
        raise Failed(f"no job before {production.place} finds the image that was built (`make image-find`)")
    return (
        f"{found[0].place} finds the image of the commit, and {staging.name} and {production.name} deploy that digest"
    )


@static("release-signoff")
def release_signoff(service: Service) -> str:
    """Production waits for staging's tests, for the readiness gate, and for a person who is recorded."""
    return _everywhere(service, _release_signoff)


def _release_signoff(platform: Platform) -> str:
    production = _one(platform, "production")
    # Where development's is not sure to be tried either, `cd-dev` says so.
    sure = all(_tried(job) for job in _deploying(platform, "main"))
    tried = [job for job in _deploying(platform, "tag") if job.environment == "staging" and _tried(job, sure)]
    if not any(job.name in production.needs for job in tried):
        raise Failed(f"{production.place} waits for no job that smoke tests the release on staging")
    gates = [job for job in platform.on("tag") if job.runs("readiness") and job.name in production.needs]
    if not any(_asks_for_production(job) for job in gates):
        raise Failed(f"{production.place} does not wait for the production gate (`make readiness GATE=production`)")
    if not production.signed_off:
        raise Failed(f"{production.place} is in no environment, or not manual: nobody has to let it start")
    if not 0 <= production.first("sign-off") < production.first("deploy"):
        raise Failed(f"{production.place} does not record who has signed off before it deploys (`make sign-off`)")
    return f"{production.place} waits for {tried[0].name}, {gates[0].name} and a person, who is recorded"


def _asks_for_production(job: Job) -> bool:
    return any(re.search(r"GATE=[\"']?production\b", line) for line in job.lines) or (
        "production" in (job.given.get("GATE"), job.given.get("gate"))
    )


@static("preprod-verify")
def preprod_verify(service: Service) -> str:
    """Staging is what production is, but for what is listed with a reason."""
    staging, production = (manifests.environment(service, name) for name in (manifests.STAGING, manifests.PRODUCTION))
    try:
        allowed = differences.listed(service.root / "deploy/differences.yaml")
    except reading.DeliveryError as error:
        raise CannotTell(str(error)) from None
    if found := list(differences.problems(staging, production, allowed)):
        raise Failed("; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else ""))
    return f"production differs from staging in nothing but the {len(allowed)} things listed in deploy/differences.yaml"


@static("rollback")
def rollback(service: Service) -> str:
    """A deployment that fails is taken back by itself, any other by hand in one step, and the way back is gone."""
    return _everywhere(service, _rollback)


def _rollback(platform: Platform) -> str:
    production = _one(platform, "production")
    if not any(each.makes("rollback") for each in production.after_failure):
        raise Failed(f"{production.place} does not take back what fails (`make rollback` in a step for failures)")
    by_hand = [
        job for job in platform.on("manual") if job.runs("rollback") and "production" in (*job.choices, job.environment)
    ]
    if not by_hand:
        raise Failed("no job that somebody can start by hand takes production back (`make rollback`)")
    gone = [job for job in platform.jobs if job.runs("rollback") and job.environment == "staging"]
    if not gone:
        raise Failed("no job takes staging back: a way that is never gone is not there when it is needed")
    return (
        f"{production.place} takes back what fails, {by_hand[0].place} what somebody says; {gone[0].place} exercises it"
    )


@static("branches-tags")
def branches_tags(service: Service) -> str:
    """A tag releases, if it is the version of a commit that was built; a hotfix branches off from one."""
    page = Page(service, RELEASE)
    page.says("hotfix")
    start = page.section("hotfix")
    end = page.read.until(start, start.level)
    commands = [line for number, line in page.commands() if start.after <= number <= end]
    if not any(
        re.search(r"git (switch|checkout|branch)\b.*\bhotfix/\S+ +(refs/)?(tags/)?v\d", line) for line in commands
    ):
        raise Failed(f"{RELEASE}:{start.first + 1}: no command makes a branch hotfix/… from a release's tag")
    return _everywhere(service, _branches_tags)


def _branches_tags(platform: Platform) -> str:
    released = [job for job in platform.on("tag") if job.environment == "production"]
    if not released:
        raise Failed("a tag v1.4.1 starts no release")
    asked = [job for job in platform.on("tag") if _checks_tag(job)]
    if not any(job.name in released[0].waits for job in asked):
        raise Failed(f"{released[0].place} is not told whether the tag is this version (`make release-check`)")
    built = [job for job in platform.on("hotfix") if job.runs("image") and job.runs("push")]
    if not built:
        raise Failed("a push to a branch hotfix/… builds no image, so a tag on it has nothing to release")
    return (
        f"a tag starts {released[0].place}, after {asked[0].place} has looked at it; {built[0].place} builds hotfix/…"
    )


def _checks_tag(job: Job) -> bool:
    return job.runs("release-check") or any("ops.delivery release-check" in line for line in job.lines)


def _everywhere(service: Service, look: Callable[[Platform], str]) -> str:
    """What a check tells of each platform; it must hold on all that the service has."""
    told = []
    for platform in pipelines.platforms(service):
        try:
            told.append(look(platform))
        except Failed as failed:
            other = pipelines.FOLDER if platform.name == "GitHub" else pipelines.GITLAB
            raise Failed(f"{other}: {failed}; if you don't use {platform.name}, delete its files") from None
    return "; ".join(told)


def _deploying(platform: Platform, event: str | None = None) -> Iterator[Job]:
    for job in platform.jobs if event is None else platform.on(event):
        if job.runs("deploy") and job.environment:
            yield job


def _one(platform: Platform, environment: str) -> Job:
    """The first job by which a release reaches an environment.

    Raises:
        Failed: there is none.
    """
    found = next((job for job in _deploying(platform, "tag") if job.environment == environment), None)
    if found is None:
        raise Failed(f"no job that a release's tag starts deploys to {environment} (`make deploy`)")
    return found


def _tried(job: Job, sure: bool = True) -> bool:
    """Whether what it deploys is smoke tested, and that (if sure) whatever variables somebody has set."""
    return max(job.first("smoke-inside", sure), job.first("smoke", sure)) > job.first("deploy")

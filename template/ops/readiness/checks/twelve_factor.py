"""The twelve factors (https://12factor.net), as far as the repository alone tells them."""

import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from sys import stdlib_module_names
from typing import Any, Final

from ops.readiness import dockerfile, sources
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import static
from ops.readiness.service import Service

# Clients that are given an address, by the last part of their names.
_CLIENTS: Final = frozenset(
    ["http_client", "Client", "AsyncClient", "ClientSession", "Session", "create_engine", "create_async_engine",
     "from_url", "create_pool", "connect", "MongoClient", "AsyncMongoClient", "Redis", "get", "post", "put", "patch",
     "delete", "request", "urlopen", "AIOKafkaProducer", "AIOKafkaConsumer"]
)  # fmt: skip
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]*)://[^/\s{]+").match
_INSTALLERS: Final = re.compile(r"\b(uv|pip3?|poetry|apt(-get)?|apk|git|make|npm|hatch)\b").search
_LOG_FILES: Final = re.compile(r"(^|\.)((Timed)?RotatingFileHandler|FileHandler|WatchedFileHandler)$").search


@static("twelve-factor-codebase")
def codebase(service: Service) -> str:
    """Everything that the service is built from is in one repository, none of it ignored."""
    files = [file.relative_to(service.root).as_posix() for file in _sources(service)]
    _git(service, "rev-parse", "--git-dir", wrong="is in no git repository: git init, and commit it")
    ignored = _git(service, "check-ignore", "--no-index", "--stdin", given="\n".join(files))
    if ignored:
        raise Failed(f"git ignores what the service is built from: {', '.join(sorted(ignored)[:5])}")
    return f"{len(files)} files of one package, {service.package}, in one git repository; git ignores none of them"


@static("twelve-factor-dependencies")
def dependencies(service: Service) -> str:
    """Whatever the code imports is declared, and locked."""
    declared = _declared(service)
    provided = packages_distributions()
    missing = []
    for module in sources.own(service):
        for each in module.imports():
            if each.optional or each.package in stdlib_module_names or each.package in (service.package, "ops"):
                continue
            by = {_plain(name) for name in provided.get(each.package, [each.package])}
            if not by & declared:
                missing.append(f"{each.place} imports {each.package} (of {', '.join(sorted(by))})")
    if missing:
        raise Failed(f"not declared in pyproject.toml for the running service: {'; '.join(missing[:5])}")
    locked = {_plain(each["name"]) for each in _toml(service, "uv.lock").get("package", [])}
    if unlocked := sorted(declared - locked):
        raise Failed(f"uv.lock does not know {', '.join(unlocked)}: it is of other dependencies")
    return f"all imports are declared; {len(declared)} dependencies, locked with what they need to {len(locked)}"


@static("twelve-factor-config")
def config(service: Service) -> str:
    """The code reads its configuration in one way alone, that which `app config` tells of."""
    found = [
        f"{module.place(node)} reads {name}"
        for module in sources.own(service)
        for name, node in module.uses()
        if name in ("os.environ", "os.getenv", "os.getenvb", "os.environb") or name.startswith("dotenv.load")
    ]
    if found:
        raise Failed(f"past the settings: {'; '.join(found[:5])}: make it a field of Settings")
    return f"{len(sources.own(service))} modules, none of which reads the environment past the settings"


@static("twelve-factor-backing-services")
def backing_services(service: Service) -> str:
    """No address of another service stands in the code."""
    found = []
    for module in sources.own(service):
        for name, call in module.calls():
            given = [*call.args, *(each.value for each in call.keywords)]
            places = [text for each in given for text in sources.texts(each) if _ADDRESS(text)]
            if places and name.rpartition(".")[2] in _CLIENTS:
                found.append(
                    f"{module.place(call)} gives {name} the address {places[0].partition('@')[2] or places[0]}"
                )
    if found:
        raise Failed(f"{'; '.join(found[:5])}: make it a setting, so that another can be attached")
    return "no call of a client has an address in the code: what is attached is a setting"


@static("twelve-factor-build-release-run")
def build_release_run(service: Service) -> str:
    """What runs was built before, is named by its commit, and installs nothing when it starts."""
    stages = dockerfile.stages(service.text("Dockerfile"))
    last = stages[-1]
    if len(stages) < 2 or not last.copies_from():
        raise Failed("Dockerfile: what runs is built in the stage that runs: build it in a stage of its own")
    command = " ".join(last.command())
    if found := _INSTALLERS(command):
        raise Failed(f"Dockerfile: it starts with {command!r}, which runs {found[0]}: install when it is built")
    if not command:
        raise Failed("Dockerfile: neither ENTRYPOINT nor CMD says what runs")
    if unnamed := [name for name in ("APP_BUILD__COMMIT", "APP_BUILD__TIME") if not last.sets(name)]:
        raise Failed(f"Dockerfile: {', '.join(unnamed)} is not set: nobody can tell which release runs")
    return f"{len(stages)} stages; the last one copies what was built, knows its commit, and starts {command!r}"


@static("twelve-factor-logs")
def logs(service: Service) -> str:
    """The code writes no log file: the stream is the platform's to route."""
    found = []
    for module in sources.own(service):
        for name, call in module.calls():
            named = {each.arg for each in call.keywords}
            opened = name in ("open", "pathlib.Path") and any(t.endswith(".log") for t in sources.texts(call))
            if _LOG_FILES(name) or opened or (name == "logging.basicConfig" and "filename" in named):
                found.append(f"{module.place(call)} calls {name}")
    if found:
        raise Failed(f"a log file of its own: {'; '.join(found[:5])}: log, and leave the rest to the platform")
    return f"{len(sources.own(service))} modules, none of which opens a log file or keeps one by a handler"


def _sources(service: Service) -> list[Any]:
    package = service.root / "src" / service.package
    code = [file for file in sorted(package.rglob("*")) if file.is_file() and "__pycache__" not in file.parts]
    named = [service.root / name for name in ("pyproject.toml", "Dockerfile", "uv.lock")]
    return [*code, *(file for file in named if file.is_file())]


def _git(service: Service, *arguments: str, given: str = "", wrong: str = "") -> list[str]:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=service.root, input=given, capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotTell(f"git can't be asked: {error}") from None
    if wrong and done.returncode:
        raise CannotTell(f"this folder {wrong}")
    return done.stdout.splitlines()


def _declared(service: Service) -> set[str]:
    document = _toml(service, "pyproject.toml")
    groups = document.get("dependency-groups", {})
    wanted = [*document.get("project", {}).get("dependencies", []), *groups.get("ops", [])]
    names = [re.match(r"[A-Za-z0-9._-]+", each) for each in wanted if isinstance(each, str)]
    return {_plain(found[0]) for found in names if found}


def _toml(service: Service, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(service.text(path))
    except tomllib.TOMLDecodeError as error:
        raise Failed(f"{path}: is no TOML: {error}") from None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

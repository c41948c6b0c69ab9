"""People and documents: who knows what, and whether what is written leads anywhere."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from ops.documents import lifetimes
from ops.readiness import complexity, owners
from ops.readiness.outcome import CannotTell, Failed, Open
from ops.readiness.pages import Page
from ops.readiness.registry import static
from ops.readiness.service import Service

SHOWN: Final = 5
WAYS: Final = 8  # through a function; more need a docstring
PROBLEMS: Final = 3
DEPENDENCIES: Final = "docs/reference/dependencies.md"
OPENAPI: Final = "docs/reference/openapi.json"
METHODS: Final = ("get", "put", "post", "delete", "patch", "options", "head", "trace")


@static("docs-dev")
def docs_dev(service: Service) -> str:
    """The page for developers says how to set up, build, test and change, by commands that exist."""
    page = Page(service, "docs/development.md")
    for anchor in ("set-up", "build", "test", "change"):
        page.says(anchor)
    _sound(page)
    count = sum(1 for _ in page.commands())
    if not count:
        raise Failed(f"{page.path} has no command")
    return f"{page.path}: set up, build, test and change are written; its {count} lines of commands exist"


@static("docs-user")
def docs_user(service: Service) -> str:
    """The page for users tells of access, reference and support, and every route is described."""
    page = Page(service, "docs/user-guide.md")
    for anchor in ("get-access", "reference", "errors", "support"):
        page.says(anchor)
    _sound(page)
    if "reference/openapi.json" not in service.text(page.path) and "reference/routes.md" not in service.text(page.path):
        raise Failed(f"{page.path} does not link to the reference: docs/reference/routes.md")
    routes = dict(_routes(service))
    if not routes:
        raise Failed(f"{OPENAPI} has no route: make docs, or say that the service has no API as not applicable")
    if silent := [route for route, about in routes.items() if not about]:
        raise Failed(f"{', '.join(silent[:SHOWN])}: not described; give the function a docstring, then make docs")
    listed = service.text("docs/reference/routes.md")
    if missing := [route for route in routes if f"`{route.partition(' ')[2]}`" not in listed]:
        raise Failed(f"docs/reference/routes.md does not list {', '.join(missing[:SHOWN])}: make docs")
    return f"{page.path}: access, reference, errors and support are written; {len(routes)} routes are described"


def _routes(service: Service) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(service.text(OPENAPI))
        paths: dict[str, dict[str, Any]] = document["paths"]
    except (ValueError, KeyError, TypeError):
        raise Failed(f"{OPENAPI} is no OpenAPI document: make docs") from None
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in METHODS if isinstance(item, dict) else ():
            if isinstance(operation := item.get(method), dict):
                yield f"{method.upper()} {path}", str(operation.get("description") or "")


@static("docs-ops")
def docs_ops(service: Service) -> str:
    """The runbook has common problems with what to do, and commands that exist; operating is explained."""
    book, operations = Page(service, "docs/runbook.md"), Page(service, "docs/operations.md")
    problems = book.below("common-problems")
    if len(problems) < PROBLEMS:
        raise Failed(f"{book.path} has {len(problems)} common problems: write what went wrong, and what helped")
    for each in problems:
        book.says(each.anchor)
    book.says("commands")
    sections = [each for each in operations.read.headings if each.level > 1]
    if not sections:
        raise Failed(f"{operations.path} says nothing: it has no section")
    for each in sections:
        operations.says(each.anchor)
    _sound(book)
    _sound(operations)
    return f"{book.path}: {len(problems)} common problems, and commands that exist; {operations.path}"


def _sound(page: Page) -> None:
    if found := [*page.unknown_commands(), *page.dead_links()]:
        raise Failed("; ".join(found[:SHOWN]))


@static("docs-code")
def docs_code(service: Service) -> str:
    """Each of the owner's functions that is complex has a docstring."""
    known = list(_functions(service))
    silent = [f"{path}:{each.line}: {each.name}" for path, each in known if each.ways > WAYS and not each.documented]
    if silent:
        raise Failed(f"{'; '.join(silent[:SHOWN])}: more than {WAYS} ways lead through it, and no docstring says why")
    if not known:
        return "the service has no functions of its own"
    path, most = max(known, key=lambda each: each[1].ways)
    return f"of {len(known)} functions none that is complex is without a docstring; most ways: {most.ways}, in {path}"


def _functions(service: Service) -> Iterator[tuple[str, complexity.Measured]]:
    for file in sorted((service.root / "src" / service.package).rglob("*.py")):
        if "ops" in file.relative_to(service.root).parts:
            continue
        path = file.relative_to(service.root).as_posix()
        try:
            found = complexity.functions(service.text(path))
        except SyntaxError as error:
            raise Failed(f"{path}:{error.lineno}: is no Python") from None
        yield from ((path, each) for each in found)


@static("bus-factor")
def bus_factor(service: Service) -> str:
    """Every file has two people or a team who are asked to review it."""
    rules = owners.rules(service)
    if not any(each.pattern in ("*", "/", "/**", "**") and each.owners for each in rules):
        raise Failed(f"{rules[0].path if rules else 'CODEOWNERS'}: no line for all files: begin with `* @one @other`")
    alone = [str(each) for each in rules if len(each.people) < 2 and not each.team]
    if alone:
        raise Open(f"{'; '.join(alone[:SHOWN])}: one person or none; name two, or a team of two or more")
    return "; ".join(f"{each.pattern}: {', '.join(each.owners)}" for each in rules[:SHOWN])


@static("oss-support")
def oss_support(service: Service) -> str:
    """Every dependency is listed with its licence, none is given up, and it is said how they are supported."""
    listed = dict(_listed(service.text(DEPENDENCIES)))
    asked = _dependencies(service)
    if missing := [name for name in asked if name not in listed]:
        raise Failed(f"{DEPENDENCIES} does not list {', '.join(missing[:SHOWN])}: make docs")
    if unclear := [name for name in listed if not listed[name][0] or "not installed" in listed[name][0]]:
        raise Failed(f"{DEPENDENCIES}: no licence is known of {', '.join(unclear[:SHOWN])}: make docs, or look and ask")
    if given_up := [name for name, (_, status) in listed.items() if "not maintained" in status]:
        raise Failed(f"{', '.join(given_up[:SHOWN])}: not maintained any more, says the project itself: replace it")
    Page(service, "docs/support.md").says("open-source-parts")
    licences = sorted({licence for licence, _ in listed.values()})
    return (
        f"{len(listed)} dependencies under {len(licences)} licences ({', '.join(licences)}); docs/support.md says who"
    )


def _listed(text: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name, licence and state of each dependency in the list."""
    for name, licence, state in re.findall(r"(?m)^\| ([a-z0-9][a-z0-9\-]*) \| ([^|]*) \| ([^|]*) \|", text):
        if name != "dependency":
            yield name, (licence.strip(" –"), state)


def _dependencies(service: Service) -> list[str]:
    """Names of what the service itself asks for when it runs."""
    try:
        project = tomllib.loads(service.text("pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise CannotTell(f"pyproject.toml is no TOML: {error}") from None
    asked = [*project.get("project", {}).get("dependencies", []), *project.get("dependency-groups", {}).get("ops", [])]
    found = (re.match(r"([\w.\-]+)[^;]*(.*)", each) for each in asked if isinstance(each, str))
    linux = (each for each in found if each and not re.search(r"sys_platform\s*==\s*['\"]win", each[2]))
    return list(dict.fromkeys(re.sub(r"[-_.]+", "-", each[1]).lower() for each in linux))


@static("deprecation")
def deprecation(service: Service) -> str:
    """Bots propose new versions of dependencies and template, and Python and the base image get security fixes."""
    bots = [_renovate(service), _template(service)]
    return "; ".join([*bots, *_ends(service)])


def _renovate(service: Service) -> str:
    places = ("renovate.json", ".github/renovate.json", ".gitlab/renovate.json", ".renovaterc", ".renovaterc.json")
    path = next((each for each in places if (service.root / each).is_file()), None)
    if path is None:
        return _dependabot(service)
    try:
        given = json.loads(service.text(path))
    except ValueError:
        raise Failed(f"{path} is no JSON") from None
    if not isinstance(given, dict) or given.get("enabled") is False:
        raise Failed(f"{path} switches all updates off")
    managers = given.get("enabledManagers")
    if managers is not None and "pep621" not in managers:
        raise Failed(f"{path}: enabledManagers leaves out pep621, so nobody proposes new versions of dependencies")
    if not given.get("extends"):
        raise Failed(f"{path} extends nothing: begin with config:recommended")
    return f"{path}: new versions of dependencies are proposed"


def _dependabot(service: Service) -> str:
    path = ".github/dependabot.yml"
    if not (service.root / path).is_file():
        raise Failed(
            "nobody proposes new versions of dependencies: there is neither renovate.json nor Dependabot's file"
        )
    systems = [each.get("package-ecosystem") for each in service.mapping(path).get("updates") or ()]
    if not {"pip", "uv"} & set(systems):
        raise Failed(f"{path} leaves Python's dependencies out")
    return f"{path}: new versions of dependencies are proposed"


def _template(service: Service) -> str:
    """The template's own versions come by its workflow, or by Renovate's manager for Copier."""
    path = ".github/workflows/ops-update.yml"
    if not (service.root / path).is_file():
        return "the template's are brought by Renovate, or by hand with make update"
    document: dict[Any, Any] = service.mapping(path)
    given = document.get("on", document.get(True)) or {}
    if not (isinstance(given, dict) and given.get("schedule")):
        raise Failed(f"{path} runs on no schedule: the template's new versions are proposed by nobody")
    return f"{path}: the template's are proposed each week"


def _ends(service: Service) -> Iterator[str]:
    base = re.search(
        r"(?m)^FROM\s+(?:--\S+\s+)*\S*?python:(\d+\.\d+)\S*?(?:-(bullseye|bookworm|trixie))?(?:@\S+)?(?:\s|$)",
        service.text("Dockerfile"),
    )
    python = base[1] if base else str(service.answers.get("python_version"))
    yield _kept(f"Python {python}", lifetimes.ENDS.get(python))
    if base and base[2]:
        yield _kept(f"Debian {base[2]}", lifetimes.DEBIAN[base[2]])


def _kept(what: str, end: date | None) -> str:
    if end is None:
        raise CannotTell(
            f"{what} is in no table here: {lifetimes.SOURCE}; an update of the template brings newer tables"
        )
    if end <= date.today():  # noqa: DTZ011 - the day where people are
        raise Failed(f"{what} has had no security fixes since {end}: move on")
    return f"{what} gets security fixes until {end}"

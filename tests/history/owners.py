"""What owners do to a service in a year: ordinary work where the design invites it, and edits that break its rule.

Every piece of work leaves the service passing its own checks; which ones a service has is drawn by its number.
"""

import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.history.versions import RUFF
from tests.locks import lock
from tests.services import clean_environment


@dataclass(frozen=True)
class Broken:
    """An edit of a file of the template's: `token` is a text that only this edit has; none for a deletion."""

    kind: str
    path: str
    token: str


@dataclass
class Owner:
    """A service and the person who works on it."""

    root: Path
    package: str
    number: int
    random: random.Random
    done: list[str] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        """The service's package."""
        return self.root / "src" / self.package

    def read(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def append(self, path: str, text: str) -> None:
        self.write(path, self.read(path) + text)

    def edit(self, path: str, pattern: str, new: str) -> None:
        """Replace the first place that fits; it is an error if none does."""
        text = self.read(path)
        changed = re.sub(pattern, lambda found: found.expand(new), text, count=1, flags=re.MULTILINE)
        assert changed != text, f"{path} has no {pattern!r} any more: give the owners another edit there"
        self.write(path, changed)

    def break_(self, kind: str, path: str, token: str) -> None:
        """Note an edit that breaks the rule."""
        self.broken.append(Broken(kind, path, token))


# ---- ordinary work, in the order in which it is done

STOCK = '''\
"""What is in stock."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["stock"])


@router.get("/stock/{article}")
async def get_stock(article: int) -> dict[str, int]:
    """How many there are."""
    return {"article": article, "count": 12}
'''
STOCK_TEST = '''\
"""The stock is told."""

from fastapi.testclient import TestClient


def test_the_stock_of_an_article_is_told(client: TestClient) -> None:
    assert client.get("/v1/stock/7").json() == {"article": 7, "count": 12}
'''
GREETINGS = '''\
"""Greetings, in the language of the caller."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["greetings"])


@router.get("/greetings/{name}")
async def greet(name: str) -> dict[str, str]:
    """Say hello."""
    return {"greeting": f"Hello, {name}"}
'''
GREETINGS_TEST = '''\
"""Greetings greet."""

from fastapi.testclient import TestClient


def test_a_greeting_names_the_caller(client: TestClient) -> None:
    assert client.get("/v1/greetings/Ada").json() == {"greeting": "Hello, Ada"}
'''
TENANT = '''\
"""Which tenant a request is for."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Tenant:
    """Tells the tenant in every answer."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self.app = app
        self.name = name.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-tenant", self.name)]
            await send(message)

        await self.app(scope, receive, named)
'''
CONFTEST = '''\
"""What the tests share."""

import pytest


@pytest.fixture
def article() -> int:
    """A number that is in the catalogue."""
    return 7
'''
TOOL = '''\
"""Fill a database for development."""

import logging


def main() -> int:
    """Nothing to fill yet."""
    logging.getLogger(__name__).info("seeded")
    return 0
'''


def routes_added(owner: Owner) -> None:
    owner.write(f"src/{owner.package}/stock.py", STOCK)
    app = f"src/{owner.package}/app.py"
    owner.edit(
        app,
        r"^from \.settings import Settings\n",
        "from .settings import Settings\nfrom .stock import router as stock\n",
    )
    owner.edit(
        app, r"^    app\.include_router\(router\)\n", "    app.include_router(router)\n    app.include_router(stock)\n"
    )
    owner.write("tests/test_stock.py", STOCK_TEST)


def examples_replaced(owner: Owner) -> None:
    owner.write(f"src/{owner.package}/routes.py", GREETINGS)
    (owner.root / "tests" / "test_routes.py").unlink()
    owner.write("tests/test_greetings.py", GREETINGS_TEST)


LIBRARIES = (
    "idna>=3.4",
    "truststore>=0.9",
    "annotated-types>=0.6",
    "anyio>=4.2",
    "click>=8.1",
    "typing-extensions>=4.8",
)


def dependencies_added(owner: Owner) -> None:
    wanted = sorted(owner.random.sample(LIBRARIES, 3))
    lines = "".join(f'    "{each}",\n' for each in wanted)
    owner.edit("pyproject.toml", r"^(dependencies = \[\n(?: +#.*\n)*)", rf"\1{lines}")


def development_dependency_added(owner: Owner) -> None:
    owner.edit("pyproject.toml", r"^(dev = \[\n(?: +#.*\n)*)", r'\1    "iniconfig>=2",\n')


def dependencies_bumped(owner: Owner) -> None:
    """By a bot, in the owner's place."""
    if "dependencies_added" not in owner.done:
        dependencies_added(owner)
    newer = {
        "idna>=3.4": "idna>=3.10",
        "truststore>=0.9": "truststore>=0.10",
        "annotated-types>=0.6": "annotated-types>=0.7",
    }
    newer |= {
        "anyio>=4.2": "anyio>=4.9",
        "click>=8.1": "click>=8.2",
        "typing-extensions>=4.8": "typing-extensions>=4.14",
    }
    owned, start, rest = owner.read("pyproject.toml").partition("[project.scripts]")
    for old, new in newer.items():
        owned = owned.replace(f'"{old}"', f'"{new}"')
    owner.write("pyproject.toml", owned + start + rest)


def version_bumped(owner: Owner) -> None:
    owner.edit("pyproject.toml", r'^version = ".*"$', f'version = "1.{owner.random.randrange(40)}.2"')


def settings_extended(owner: Owner) -> None:
    owner.append(
        f"src/{owner.package}/settings.py",
        '    page_size: int = Field(50, ge=1, le=500, description="Entries on a page.")\n'
        '    warehouse: str = Field("north", description="Where goods are sent from.")\n',
    )


def environments_added(owner: Owner) -> None:
    owner.write("config/production.yaml", "workers: 2\nlog:\n  level: WARNING\n")
    owner.write(
        "config/staging.yaml", "# As production, but it talks.\nlog:\n  format: json\n  levels:\n    access: DEBUG\n"
    )
    owner.edit("config/dev.yaml", r"^host: .*$", "host: 127.0.0.1\nport: 8080")


def dockerfile_extended(owner: Owner) -> None:
    for mark in owner.random.sample(("gcc", "libpq5", "config"), 2):
        if mark == "config":
            owner.edit("Dockerfile", r"^# (COPY config/ .*)$", r"\1")
            owner.append(".dockerignore", "!config\n")
        else:
            owner.edit("Dockerfile", rf"^# (RUN .*{mark}.*)$", r"\1")


def image_pinned(owner: Owner) -> None:
    """By a bot, which adds the digest."""
    digest = "".join(owner.random.choices("0123456789abcdef", k=64))
    owner.edit("Dockerfile", r"^(FROM python:\S+)", rf"\1@sha256:{digest}")


def workflow_extended(owner: Owner) -> None:
    owner.append(
        ".github/workflows/check.yml",
        "  spelling:\n    runs-on: ubuntu-24.04\n    permissions:\n      contents: read\n"
        "    steps:\n      - run: echo spelling\n",
    )
    if owner.random.random() < 0.5:
        owner.edit(
            ".github/workflows/check.yml",
            r"^(    uses: \./\.github/workflows/ops-check\.yml.*\n)",
            '\\1    with:\n      python-version: "3.12"\n',
        )


def middleware_added(owner: Owner) -> None:
    owner.write(f"src/{owner.package}/tenant.py", TENANT)
    app = f"src/{owner.package}/app.py"
    owner.edit(
        app, r"^from \.settings import Settings\n", "from .settings import Settings\nfrom .tenant import Tenant\n"
    )
    owner.edit(app, r"^    return app\n", '    app.add_middleware(Tenant, name="north")\n    return app\n')


def check_added(owner: Owner) -> None:
    app = f"src/{owner.package}/app.py"
    owner.edit(app, r"^(    checks: list\[Check\]) = \[\].*$", r'\1 = [Check("warehouse", ping, critical=False)]')
    ping = 'async def ping() -> None:\n    """The warehouse answers."""\n\n\n@asynccontextmanager\n'
    owner.edit(app, r"^@asynccontextmanager\n", ping)


def codeowners_added(owner: Owner) -> None:
    owner.append("CODEOWNERS", "/docs/ @organisation/writers\n/config/ @organisation/operators\n")


def ignored_more(owner: Owner) -> None:
    owner.append(".gitignore", "*.sqlite\n/reports/\n.idea/\n")


def targets_added(owner: Owner) -> None:
    owner.append("Makefile", "\nseed: install ## Fill the database\n\t$(BIN)/python -m tools.seed\n\n.PHONY: seed\n")
    owner.write("tools/seed.py", TOOL)
    owner.write("tools/__init__.py", '"""Tools of development."""\n')


def runbook_written(owner: Owner) -> None:
    owner.write(
        "docs/runbook.md", "# Runbook\n\n## The queue grows\n\n1. Look at `dependency_up`.\n2. Call the warehouse.\n"
    )
    if owner.random.random() < 0.5:  # where a later version of the template has a file, too
        owner.write("docs/on-call.md", "# Who is called\n\nThe warehouse, by day and by night.\n")
    owner.append("docs/operations.md", "\n## The warehouse\n\nIt is closed at night: `page_size` may be raised then.\n")


def readme_written(owner: Owner) -> None:
    owner.edit("README.md", r"\A# .*\n", "# Orders of the north\n\nIts people call it the *till*.\n")
    owner.append("README.md", "\n## Who uses it\n\nThe shop and the warehouse.\n")


def fixtures_shared(owner: Owner) -> None:
    owner.write("tests/conftest.py", CONFTEST)


def rules_tightened(owner: Owner) -> None:
    owner.edit(
        "pyproject.toml", r"^(extend = \"ops/ruff\.toml\".*\n)", r'\1lint.extend-select = ["COM818", "FIX004"]\n'
    )


def coverage_raised(owner: Owner) -> None:
    owner.edit("pyproject.toml", r"^fail_under = \d+$", "fail_under = 86")


def bots_told(owner: Owner) -> None:
    owner.edit("renovate.json", r"^(  \"lockFileMaintenance\": \{)$", r'  "timezone": "Europe/Oslo",\n\1')
    owner.append(
        ".pre-commit-config.yaml",
        "      - id: notes\n        name: notes\n        entry: git --version\n        language: system\n"
        "        pass_filenames: false\n",
    )


def seeds_deleted(owner: Owner) -> None:
    for path in owner.random.sample(("AGENTS.md", "CONTRIBUTING.md", ".editorconfig", ".pre-commit-config.yaml"), 2):
        (owner.root / path).unlink()


def module_renamed(owner: Owner) -> None:
    (owner.source / "routes.py").rename(owner.source / "api.py")
    owner.edit(f"src/{owner.package}/app.py", r"^from \.routes import", "from .api import")


def formatted_differently(owner: Owner) -> None:
    length = owner.random.choice((79, 88, 100))
    options = f'line-length = {length}\nformat.quote-style = "single"\nlint.extend-ignore = ["E501"]\n'
    owner.edit("pyproject.toml", r"^(extend = \"ops/ruff\.toml\".*\n)", rf"\1{options}")


def locked(owner: Owner) -> None:
    """`uv.lock` is committed; the last work, since it follows from the rest."""
    lock(owner.root, {name: value for name, value in clean_environment().items() if name != "UV_FROZEN"})


CHANGES = (
    {"latency_target_ms": "200"},
    {"availability_target": "99.95", "owner_email": "till@example.org"},
    {"description": 'Prices "all" orders: 50 % in kroner'},
    {"python_version": "3.12"},
    {"personal_data": "no", "image_registry": "registry.example.org/shop"},
    {"owner_team": "Team Till", "criticality": "high"},
)


def answers_changed(owner: Owner) -> None:
    """With the update, by `--data`."""
    owner.answers = dict(CHANGES[owner.number % len(CHANGES)])


WORK: dict[Callable[[Owner], None], float] = {  # how many of ten owners do it
    routes_added: 9.5,
    examples_replaced: 4.5,
    dependencies_added: 9,
    development_dependency_added: 3,
    dependencies_bumped: 5,
    version_bumped: 4,
    settings_extended: 9,
    environments_added: 8,
    dockerfile_extended: 5,
    image_pinned: 4,
    workflow_extended: 5,
    middleware_added: 4,
    check_added: 3,
    codeowners_added: 5,
    ignored_more: 5,
    targets_added: 4.5,
    runbook_written: 4.5,
    readme_written: 7,
    fixtures_shared: 4,
    rules_tightened: 3,
    coverage_raised: 2,
    bots_told: 3,
    seeds_deleted: 3,
    module_renamed: 3,
    formatted_differently: 3,
    answers_changed: 3.5,
    locked: 5,
}


# ---- edits that break the rule: each leaves a text that is found nowhere else


def ops_module_edited(owner: Owner) -> None:
    """A module's constant or function, in one that the template later renames, changes, or leaves alone."""
    token = _token(owner)
    name = owner.random.choice(("context", "layers", "edge", "slots", "lifecycle", "problems"))
    path = f"src/{owner.package}/ops/{name}.py"
    owner.append(path, f"\nSHOP = {token!r}\n")
    owner.break_("ops_module_edited", path, token)


def ops_module_changed_inside(owner: Owner) -> None:
    """A line that the template changes later, too."""
    token = _token(owner)
    if owner.random.random() < 0.5:
        path = f"src/{owner.package}/ops/edge.py"
        owner.edit(path, r"^(CLIENT_CLOSED: Final = 499).*$", rf"\1  # {token}")
    else:
        path = f"src/{owner.package}/ops/slots.py"
        owner.edit(path, r'^"""A place', f'"""A {token} place')
    owner.break_("ops_module_changed_inside", path, token)


def verb_edited(owner: Owner) -> None:
    token = _token(owner)
    if owner.random.random() < 0.5:
        owner.edit("ops/Makefile", r"^run: (.*)$", rf"run: install \1 ({token})")
    else:
        owner.append("ops/Makefile", f"\nship: ## Ship it\n\t@echo {token}\n")
    owner.break_("verb_edited", "ops/Makefile", token)


def dependency_in_the_templates_group(owner: Owner) -> None:
    name = owner.random.choice(("anyio", "markupsafe", "zipp"))  # the template adds one of these itself
    requirement = f"{name}>={ {'anyio': '4.1', 'markupsafe': '2.1', 'zipp': '3.1'}[name] }"
    owner.edit("pyproject.toml", r"^ops = \[\n", f'ops = [\n    "{requirement}",\n')
    owner.break_("dependency_in_the_templates_group", "pyproject.toml", requirement)


def templates_pin_bumped(owner: Owner) -> None:
    """By a bot that was not told to leave it alone."""
    old, new = owner.random.choice(
        (
            (r"structlog>=[\d.]+", "structlog>=26.1.0"),
            (r"pydantic~=[\d.]+", "pydantic~=2.14.0"),
            (r"orjson~=[\d.]+", "orjson~=3.13.0"),
        )
    )
    owner.edit("pyproject.toml", f'^    "{old}"', f'    "{new}"')
    owner.break_("templates_pin_bumped", "pyproject.toml", new)


def templates_pin_removed(owner: Owner) -> None:
    owner.edit("pyproject.toml", r'^    "watchfiles[^\n]*\n', "")
    owner.break_("templates_pin_removed", "pyproject.toml", "")


def dockerfile_block_edited(owner: Owner) -> None:
    token = _token(owner)
    seconds = owner.random.randrange(31, 59)
    edits = (
        (r"^(HEALTHCHECK --interval)=10s", rf"\1={seconds}s", f"--interval={seconds}s"),
        (r"^(EXPOSE 8000)$", rf"\1\nENV SHOP={token}", token),
        (r"^(    PYTHONDONTWRITEBYTECODE=1)$", rf"\1 \\\n    SHOP={token}", token),
    )
    pattern, new, kept = owner.random.choice(edits)
    owner.edit("Dockerfile", pattern, new)
    owner.break_("dockerfile_block_edited", "Dockerfile", kept)


def ignored_inside_the_block(owner: Owner) -> None:
    token = _token(owner)
    after = owner.random.choice((r"dist/", r"\.venv/", r"\.env"))
    owner.edit(".gitignore", rf"^({after})$", rf"\1\n{token}/")
    owner.break_("ignored_inside_the_block", ".gitignore", token)


def templates_workflow_edited(owner: Owner) -> None:
    token = _token(owner)
    path = ".github/workflows/ops-check.yml"
    if owner.random.random() < 0.5:
        owner.edit(path, r"^(      - run: make check)$", rf"      - run: echo {token}\n\1")
    else:
        owner.edit(path, r"^(    timeout-minutes: 20)$", rf"    timeout-minutes: 40 # {token}")
    owner.break_("templates_workflow_edited", path, token)


def own_module_in_ops(owner: Owner) -> None:
    """Also under a name that the template takes later."""
    token = _token(owner)
    folder, name = owner.random.choice(
        (
            (f"src/{owner.package}/ops", "shop.py"),
            (f"src/{owner.package}/ops", "clock.py"),
            ("tests/ops", "test_shop.py"),
            ("ops", "notes.py"),
        )
    )
    owner.write(f"{folder}/{name}", f'"""The shop\'s."""\n\nSHOP = "{token}"\n')
    owner.break_("own_module_in_ops", f"{folder}/{name}", token)


def ops_file_deleted(owner: Owner) -> None:
    path = owner.random.choice(
        ("tests/ops/test_slots.py", "tests/ops/test_merging.py", "tests/ops/test_context.py", "tests/ops/test_cli.py")
    )
    (owner.root / path).unlink()
    owner.break_("ops_file_deleted", path, "")


def ops_test_edited(owner: Owner) -> None:
    """In one that the template later changes, or drops."""
    token = _token(owner)
    path = owner.random.choice(("tests/ops/test_merging.py", "tests/ops/test_edge.py", "tests/ops/test_health.py"))
    owner.append(path, f'\n\ndef test_the_shop() -> None:\n    assert "{token}"\n')
    owner.break_("ops_test_edited", path, token)


def rules_edited(owner: Owner) -> None:
    token = _token(owner)
    edits = ((r'^(.*"FA",.*)$', rf"\1  # {token}"), (r"^(max-complexity = 12)$", rf"\1  # {token}"))
    owner.edit("ops/ruff.toml", *owner.random.choice(edits))
    owner.break_("rules_edited", "ops/ruff.toml", token)


BREAKS: tuple[Callable[[Owner], None], ...] = (
    ops_module_edited,
    ops_module_edited,  # the most dangerous: in half of these modules the update deletes the file under the edit
    ops_module_edited,
    ops_module_changed_inside,
    verb_edited,
    dependency_in_the_templates_group,
    templates_pin_bumped,
    templates_pin_removed,
    dockerfile_block_edited,
    ignored_inside_the_block,
    templates_workflow_edited,
    own_module_in_ops,
    ops_file_deleted,
    ops_test_edited,
    rules_edited,
)


def _token(owner: Owner) -> str:
    return f"shop-{owner.random.randrange(10**9):09}"


def drawn(number: int) -> list[Callable[[Owner], None]]:
    """The ordinary work that the owner of this number does."""
    chance = random.Random(f"work {number}")
    return [piece for piece, of_ten in WORK.items() if chance.random() * 10 < of_ten]


def work(root: Path, package: str, number: int, *, breaking: bool) -> Owner:
    """A year of work on the service below `root`; the same for the same number, but for what is broken.

    With `breaking`, one piece in five is replaced by an edit that breaks the rule.
    """
    owner = Owner(root, package, number, random.Random(f"choices {number}"))
    fate = random.Random(f"fate {number}")
    wrongs = fate.sample(BREAKS, len(BREAKS))
    for piece in drawn(number):
        if breaking and fate.random() < 0.2:
            wrongs.pop()(owner)
        else:
            piece(owner)
            owner.done.append(piece.__name__)
    _format(owner)
    return owner


def _format(owner: Owner) -> None:
    """`make format`, which every owner types."""
    for command in (["check", "--quiet", "--fix", "."], ["format", "--quiet", "."]):
        subprocess.run([RUFF, *command], cwd=owner.root, check=False, capture_output=True)

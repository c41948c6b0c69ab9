"""What the twelve factors' checks read in an owner's code, Dockerfile and pipelines: cases beside the mutations."""

from pathlib import Path

import pytest
from ops.readiness import dockerfile, objectives, sources
from ops.readiness.checks import contract, parity, twelve_factor
from ops.readiness.outcome import CannotTell, Failed
from ops.readiness.registry import Look
from ops.readiness.service import Service

PYPROJECT = '[project]\nname = "shop"\ndependencies = ["httpx2>=2"]\n\n[dependency-groups]\nops = ["fastapi~=0.165"]\n'
LOCK = '[[package]]\nname = "httpx2"\n\n[[package]]\nname = "fastapi"\n\n[[package]]\nname = "anyio"\n'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The smallest repository whose code can be looked at."""
    (tmp_path / "src/shop/ops").mkdir(parents=True)
    (tmp_path / "src/stock").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, "utf-8")
    (tmp_path / "uv.lock").write_text(LOCK, "utf-8")
    return tmp_path


def told(root: Path, look: Look, code: str) -> str:
    """What a check says of this code; `pass` if nothing is wrong."""
    (root / "src/shop/routes.py").write_text(code, "utf-8")
    try:
        look(Service(root))
    except Failed as failed:
        return str(failed)
    return "pass"


@pytest.mark.parametrize(
    "code",
    [
        "import httpx2, os, json",
        "from fastapi import APIRouter",
        "from .ops import http_client",
        "from shop import settings",
        "from stock import items",
        "try:\n    import uvloop\nexcept ImportError:\n    uvloop = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from anyio import Event",
    ],
)
def test_what_is_declared_or_may_be_missing_is_no_fault(shop: Path, code: str) -> None:
    assert told(shop, twelve_factor.dependencies, code) == "pass"


def test_an_import_of_what_is_not_declared_is_told_with_its_line(shop: Path) -> None:
    assert told(shop, twelve_factor.dependencies, "import json\nimport anyio.abc") == (
        "not declared in pyproject.toml for the running service: src/shop/routes.py:2 imports anyio (of anyio)"
    )


def test_a_lock_of_other_dependencies_is_told(shop: Path) -> None:
    (shop / "uv.lock").write_text('[[package]]\nname = "fastapi"\n', "utf-8")

    assert told(shop, twelve_factor.dependencies, "") == ("uv.lock does not know httpx2: it is of other dependencies")


@pytest.mark.parametrize(
    "code",
    [
        "import os\nHOST = os.environ['HOST']",
        "import os\nHOST = os.getenv('HOST')",
        "from os import environ\nHOST = environ.get('HOST')",
        "from os import getenv as read\nHOST = read('HOST')",
        "import os as system\nHOST = system.environ.get('HOST')",
        "from dotenv import load_dotenv\nload_dotenv()",
    ],
)
def test_the_environment_read_past_the_settings_is_told(shop: Path, code: str) -> None:
    assert told(shop, twelve_factor.config, code).startswith("past the settings: src/shop/routes.py:")


def test_other_uses_of_os_are_no_fault(shop: Path) -> None:
    assert told(shop, twelve_factor.config, "import os\nPID = os.getpid()\nENVIRON = {'environ': 1}") == "pass"


@pytest.mark.parametrize(
    "code",
    [
        'import httpx2\nclient = httpx2.AsyncClient(base_url="https://rates.internal")',
        'from .ops import http_client\nclient = http_client("rates", base_url="http://rates:8080")',
        'from sqlalchemy import create_engine\nengine = create_engine("postgresql+psycopg://db.internal/orders")',
        'import redis\ncache = redis.Redis.from_url("redis://cache:6379/0")',
        'import httpx2\nanswer = httpx2.get(f"https://rates.internal/{1}")',
    ],
)
def test_an_address_that_a_client_is_given_in_the_code_is_told(shop: Path, code: str) -> None:
    assert "the address" in told(shop, twelve_factor.backing_services, code)


def test_a_password_in_such_an_address_is_not_shown(shop: Path) -> None:
    code = 'import asyncpg\npool = asyncpg.create_pool("postgresql://app:s3cret@db.internal/orders")'

    assert told(shop, twelve_factor.backing_services, code) == (
        "src/shop/routes.py:2 gives asyncpg.create_pool the address db.internal/orders: make it a setting, so that "
        "another can be attached"
    )


@pytest.mark.parametrize(
    "code",
    [
        'PROBLEM = "https://example.org/problems/sold-out"',
        'from .ops import http_client\nclient = http_client("rates", settings.rates_url)',
        'rates = {}\nrate = rates.get("NO")',
    ],
)
def test_addresses_that_nobody_connects_to_are_no_fault(shop: Path, code: str) -> None:
    assert told(shop, twelve_factor.backing_services, code) == "pass"


@pytest.mark.parametrize(
    "code",
    [
        "from logging.handlers import RotatingFileHandler\nHANDLER = RotatingFileHandler('a.log')",
        "import logging\nlogging.basicConfig(filename='shop.txt')",
        "FILE = open('shop.log', 'a')",
        "from pathlib import Path\nFILE = Path('/var/log/shop.log')",
    ],
)
def test_a_log_file_is_told(shop: Path, code: str) -> None:
    assert told(shop, twelve_factor.logs, code).startswith("a log file of its own: src/shop/routes.py:2"[:-1])


def test_code_that_is_no_python_is_told_with_its_line_and_fails_no_row(shop: Path) -> None:
    (shop / "src/shop/routes.py").write_text("import json\ndef broken(:\n", "utf-8")

    with pytest.raises(CannotTell, match=r"src/shop/routes\.py:2: is no Python"):
        sources.own(Service(shop))


def test_the_templates_own_folder_is_not_the_owners_code(shop: Path) -> None:
    (shop / "src/shop/ops/cli.py").write_text("import os\nos.environ", "utf-8")

    assert told(shop, twelve_factor.config, "") == "pass"


BUILT = "FROM python:3.12-slim AS base\nFROM base AS builder\nRUN make\nFROM base\nCOPY --from=builder /app /app\n"
NAMED = "ENV APP_BUILD__COMMIT=$COMMIT \\\n    # a comment\n    APP_BUILD__TIME=$TIME\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f'{BUILT}{NAMED}ENTRYPOINT ["app"]\nCMD ["serve"]\n', "pass"),
        (f'FROM python:3.12\n{NAMED}CMD ["app", "serve"]\n', "is built in the stage that runs"),
        (f"{BUILT}{NAMED}CMD uv run app serve\n", "which runs uv"),
        (f'{BUILT}{NAMED}ENTRYPOINT ["/bin/sh", "-c", "pip install . && app serve"]\n', "which runs pip"),
        (f"{BUILT}{NAMED}", "neither ENTRYPOINT nor CMD"),
        (f'{BUILT}CMD ["app", "serve"]\n', "APP_BUILD__COMMIT, APP_BUILD__TIME is not set"),
        ("# nothing\n", "there is no FROM in it"),
    ],
)
def test_what_runs_was_built_before(shop: Path, text: str, wrong: str) -> None:
    (shop / "Dockerfile").write_text(text, "utf-8")

    assert wrong in told(shop, twelve_factor.build_release_run, "")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (BUILT, "3.12"),
        ("FROM --platform=linux/amd64 docker.io/library/python:3.11.9-slim@sha256:ab AS base\nFROM base\n", "3.11"),
        ("FROM gcr.io/distroless/python3\n", ""),
        ("FROM python:latest\n", ""),
        ("ARG PYTHON=3.13\nFROM python:${PYTHON}-slim\n", "3.13"),
        ("FROM ghcr.io/astral-sh/uv:python3.13-bookworm-slim\n", "3.13"),
        ("FROM registry.access.redhat.com/ubi9/python-312\n", "3.12"),
    ],
)
def test_the_version_of_python_is_that_of_the_image_at_the_bottom(text: str, version: str) -> None:
    assert dockerfile.python(text) == version


def test_a_python_that_the_image_does_not_tell_is_compared_with_nothing(shop: Path) -> None:
    (shop / "Dockerfile").write_text("FROM python:latest\n", "utf-8")
    step = "{uses: actions/setup-python@v6, with: {python-version: '3.13'}}"
    (shop / ".github/workflows").mkdir(parents=True)
    (shop / ".github/workflows/a.yml").write_text(f"jobs: {{a: {{steps: [{step}, {{run: make test}}]}}}}\n", "utf-8")

    with pytest.raises(CannotTell, match="no version of Python"):
        parity.parity(Service(shop))


@pytest.mark.parametrize(
    ("workflow", "wrong"),
    [
        ("with: {python-version: '3.12'}", "pass"),
        ("with: {python-version: '3.11'}", "the image has Python 3.12, and .github/workflows/check.yml tests on 3.11"),
        ("with: {python-version: '${{ matrix.python }}'}", "pass"),
    ],
)
def test_the_tests_run_on_the_python_of_the_image(shop: Path, workflow: str, wrong: str) -> None:
    (shop / "Dockerfile").write_text(BUILT, "utf-8")
    (shop / ".github/workflows").mkdir(parents=True)
    (shop / ".github/workflows/check.yml").write_text(
        "on: push\njobs:\n  check:\n    strategy: {matrix: {python: ['3.11', 3.12]}}\n    steps:\n"
        f"      - uses: actions/setup-python@v6\n        {workflow}\n      - run: make test\n",
        "utf-8",
    )

    assert told(shop, parity.parity, "") == wrong


def test_environments_that_run_other_images_are_told(shop: Path) -> None:
    (shop / "Dockerfile").write_text(BUILT, "utf-8")
    for name, image in {"staging": "registry/shop", "production": "registry/shop-production"}.items():
        (shop / "deploy" / name).mkdir(parents=True)
        (shop / "deploy" / name / "kustomization.yaml").write_text(
            f"images: [{{name: service, newName: {image}}}]\n", "utf-8"
        )

    assert told(shop, parity.parity, "") == (
        "environments run different images: production: registry/shop-production, staging: registry/shop"
    )


@pytest.mark.parametrize(
    "text",
    ["spec: {sessionAffinity: ClientIP}", "hostNetwork: true", "ports:\n  - containerPort: 80\n    hostPort: 80"],
)
def test_what_ties_instances_down_is_told(shop: Path, text: str) -> None:
    (shop / "deploy/production").mkdir(parents=True)
    (shop / "deploy/production/patch.yaml").write_text(f"# hostPort: 1\n{text}\n", "utf-8")

    assert len(contract.pinned(Service(shop))) == 1


def test_a_comment_ties_nothing_down(shop: Path) -> None:
    (shop / "deploy").mkdir()
    (shop / "deploy/patch.yaml").write_text("a: 1\n# sessionAffinity: ClientIP\n#  hostPort: 80\n", "utf-8")

    assert contract.pinned(Service(shop)) == []


def test_metrics_of_an_expression_are_found_wherever_they_stand() -> None:
    expression = 'sum(rate(a_total{job="x"}[5m])) / ignoring (b) max_over_time((time() - c) [1h:1m]) or {__name__="d"}'

    assert objectives.metrics_of(expression) == {"a_total", "c", "d"}


def test_an_expression_that_is_no_promql_is_told() -> None:
    with pytest.raises(Failed, match="no PromQL"):
        objectives.metrics_of("sum(rate(")

"""What breaks one of the twelve factors, a way of configuration, or the service's start and end."""

from pathlib import Path

from tests.readiness.mutating import Mutation, edit

APP, ROUTES, OPS = "src/orders/app.py", "src/orders/routes.py", "src/orders/ops"
_MADE = "    app.include_router(router)\n"
_LOGGER = "log = structlog.get_logger(__name__)\n"


def in_create_app(root: Path, line: str) -> None:
    """Let the application do this when it is made."""
    edit(root, APP, _MADE, f"    {line}\n{_MADE}")


def in_routes(root: Path, lines: str) -> None:
    """Add these lines to the owner's routes."""
    edit(root, ROUTES, _LOGGER, f"{_LOGGER}{lines}\n")


MUTATIONS = [
    Mutation(
        "twelve-factor",
        lambda root: in_create_app(root, '__import__("pathlib").Path("config/dev.yaml").read_text("utf-8")'),
        "a file by a relative path",
    ),
    Mutation(
        "twelve-factor-codebase",
        lambda root: edit(root, ".gitignore", "# Yours from here on.", "# Yours from here on.\nsrc/orders/settings.py"),
        "a source that git ignores",
    ),
    Mutation("twelve-factor-dependencies", lambda root: in_routes(root, "import anyio"), "a package not declared"),
    Mutation(
        "twelve-factor-dependencies",
        lambda root: edit(root, "pyproject.toml", '    "structlog>=26.1",\n', ""),
        "a package no longer declared",
    ),
    Mutation(
        "twelve-factor-config",
        lambda root: in_routes(root, 'import os\nRATES = os.environ.get("RATES", "")'),
        "a variable read in passing",
    ),
    Mutation(
        "twelve-factor-backing-services",
        lambda root: in_routes(
            root, 'from .ops import http_client\nrates = http_client("rates", "https://rates.internal:8443")'
        ),
        "an address in the code",
    ),
    Mutation(
        "twelve-factor-build-release-run",
        lambda root: edit(root, "Dockerfile", 'CMD ["serve"]', 'CMD ["sh", "-c", "uv sync && exec app serve"]'),
        "it installs when it starts",
    ),
    Mutation(
        "twelve-factor-processes",
        lambda root: in_create_app(root, '__import__("pathlib").Path("state.json").write_text("{}", "utf-8")'),
        "state on the disk",
    ),
    Mutation(
        "twelve-factor-port-binding",
        lambda root: edit(root, f"{OPS}/configuration.py", '"PORT" in environ', '"HTTP_PORT" in environ'),
        "PORT is not read",
    ),
    Mutation(
        "twelve-factor-concurrency",
        lambda root: edit(
            root, "ops/kubernetes/base/service.yaml", "ClusterIP\n", "ClusterIP\n  sessionAffinity: ClientIP\n"
        ),
        "clients tied to instances",
    ),
    Mutation(
        "twelve-factor-disposability",
        lambda root: edit(root, APP, "    yield\n", '    yield\n    await __import__("asyncio").sleep(60)\n'),
        "it hangs when it stops",
    ),
    Mutation(
        "twelve-factor-dev-prod-parity",
        lambda root: edit(root, ".github/workflows/ops-check.yml", 'default: "3.13"', 'default: "3.12"'),
        "another Python in the tests",
    ),
    Mutation(
        "twelve-factor-logs",
        lambda root: in_routes(
            root, 'import logging\nlogging.getLogger().addHandler(logging.FileHandler("orders.log", delay=True))'
        ),
        "a log file",
    ),
    Mutation(
        "twelve-factor-admin-processes",
        lambda root: edit(
            root, f"{OPS}/cli.py", "return 0 if status == 200 else 1", "return 0 if status == 204 else 1"
        ),
        "app health tells the wrong thing",
    ),
    Mutation(
        "config-env",
        lambda root: edit(
            root,
            f"{OPS}/configuration.py",
            "        _from_environment(cls, environ, problems),\n",
            "        _from_environment(cls, environ, problems),\n        _from_yaml(cls, file, file_from, problems),\n",
        ),
        "the file wins over the environment",
    ),
    Mutation(
        "config-file",
        lambda root: edit(
            root,
            f"{OPS}/configuration.py",
            "                if value is not _NOTHING:",
            '                if value is not _NOTHING and name != "request_header_bytes":',
        ),
        "a key of the file is ignored",
    ),
    Mutation(
        "config-defaults",
        lambda root: edit(
            root, f"{OPS}/settings.py", 'level: Level = Field(default="INFO"', 'level: Level = Field(default="DEBUG"'
        ),
        "development's log level by default",
    ),
    Mutation(
        "config-invalid",
        lambda root: edit(root, f"{OPS}/configuration.py", "{dotted} = {text}: ", "{dotted}: "),
        "a mistake told without its value",
    ),
    Mutation(
        "workers",
        lambda root: edit(root, f"{OPS}/workers.py", '"workers": self.settings.workers', '"workers": 4'),
        "the number of workers is not the configured one",
        alone=True,  # with more workers than are asked for, one that is not replaced is not missed
    ),
    Mutation(
        "drain",
        lambda root: edit(
            root,
            f"{OPS}/edge.py",
            "if len(edge.active) >= edge.limits.concurrent_requests:",
            "if LIFECYCLE.draining or len(edge.active) >= edge.limits.concurrent_requests:",
        ),
        "requests are refused while it drains",
    ),
    Mutation(
        "resume",
        lambda root: edit(
            root,
            f"{OPS}/workers.py",
            "    def reap_workers(self) -> None:",
            "    def manage_workers(self) -> None:\n"
            "        if self.worker_age < self.num_workers:\n"
            "            super().manage_workers()\n\n"
            "    def reap_workers(self) -> None:",
        ),
        "a dead worker is not replaced",
    ),
]

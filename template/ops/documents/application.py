"""The service's application, made as `app serve` makes it, and asked what it offers and what it declares."""

import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from .reading import DocumentsError, package

# The owner's file with what has no default; AGENTS.md asks for that.
CONFIG: Final = "config/dev.yaml"
NO_SECRETS: Final = Path(__file__).parent  # a folder without secret files: those of this machine change no document


@dataclass(frozen=True)
class Application:
    """What an application tells of itself: its OpenAPI document, and the inventory of `app personal-data`."""

    openapi: dict[str, Any]
    inventory: list[dict[str, Any]]


def of(root: Path) -> Application:
    """Make the application and ask it.

    Raises:
        DocumentsError: it can't be made; the message tells why.
    """
    name = package(root)
    with _importable(root), redirect_stdout(sys.stderr):
        try:
            settings = _settings(root, name)
            app = import_module(f"{name}.app").create_app(settings)
            personal = import_module(f"{name}.ops.personal")
            return Application(app.openapi(), personal.inventory(app, settings))
        except DocumentsError:
            raise
        except Exception as error:  # noqa: BLE001 - anything may be wrong with the owner's code
            reason = " ".join(str(error).split())[:300]
            raise DocumentsError(
                f"src/{name}/app.py: the application can't be made, and the documents tell of it: "
                f"{type(error).__name__}: {reason}"
            ) from None


def _settings(root: Path, name: str) -> Any:
    """The settings for development: no variable of this machine changes a document."""
    configuration = import_module(f"{name}.ops.configuration")
    cls = import_module(f"{name}.settings").Settings
    flags = {"config": str(root / CONFIG)} if (root / CONFIG).is_file() else {}
    try:
        return configuration.load(cls, {"APP_SECRETS_DIR": str(NO_SECRETS)}, flags).settings
    except configuration.ConfigurationError as error:
        raise DocumentsError(f"{CONFIG}: the settings are refused: {'; '.join(map(str, error.problems))}") from None


@contextmanager
def _importable(root: Path) -> Generator[None]:
    """The service's own package is found first, wherever another of its name is installed."""
    sys.path.insert(0, str(root / "src"))
    try:
        yield
    finally:
        sys.path.remove(str(root / "src"))

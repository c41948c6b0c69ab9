"""What an instance is told: the same by variables and by a file, so that which of the two wins matters to one row."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .outcome import CannotTell
from .service import Service


def environment(
    service: Service, file: Path, settings: Mapping[str, Any], in_file: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Variables that say all of this, and name a file that is written and says the same, or what is given for it.

    Raises:
        CannotTell: the owner's file of configuration, to which this is added, can't be read.
    """
    merged = _merged(_own_file(service), settings if in_file is None else in_file)
    file.write_text(yaml.safe_dump(merged), "utf-8")
    return {**service.live.env, "APP_CONFIG_FILE": str(file), **dict(_variables(settings))}


def effective(text: str) -> dict[str, tuple[str, str]]:
    """Each setting's value and origin, from the three columns of `app config`.

    A value in JSON may hold spaces, but not two of them in a row.
    """
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        value, _, origin = rest.strip().rpartition("  ")
        if name and origin:
            found[name] = value.strip(), origin.strip()
    return found


def _own_file(service: Service) -> dict[str, Any]:
    """What the owner's file of configuration says."""
    file = service.root / service.live.config
    try:
        own = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise CannotTell(f"{service.live.config}, with which checks start the service, is no YAML") from None
    return own if isinstance(own, dict) else {}


def _merged(own: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(own)
    for key, value in ours.items():
        inner = own.get(key)
        merged[key] = _merged(inner if isinstance(inner, dict) else {}, value) if isinstance(value, dict) else value
    return merged


def _variables(settings: Mapping[str, Any], prefix: str = "APP_") -> Iterator[tuple[str, str]]:
    """Environment variables that say the same; sections are opened, but for the levels, whose names are loggers'."""
    for name, value in settings.items():
        if isinstance(value, dict) and name != "levels":
            yield from _variables(value, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", value if isinstance(value, str) else json.dumps(value)

"""Run-time operations of the service: configuration, logs, metrics, health, serving.

This folder is the template's: `copier update` renews it, so edit nothing here. What a service may rely on is
what this module exports; it only grows within a major version of the template.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .health import Check as Check
    from .outgoing import http_client as http_client
    from .personal import Personal as Personal
    from .redaction import keep_key as keep_key
    from .redaction import redact_key as redact_key
    from .redaction import redact_pattern as redact_pattern
    from .service import create_service as create_service
    from .settings import OpsSettings as OpsSettings
    from .settings import Section as Section

# Imported when first used: `app health` and `app version` stay quick, and metrics are made only after
# `app serve` has decided where several workers keep them.
_HOME = {
    "Check": "health",
    "OpsSettings": "settings",
    "Personal": "personal",
    "Section": "settings",
    "create_service": "service",
    "http_client": "outgoing",
    "keep_key": "redaction",
    "redact_key": "redaction",
    "redact_pattern": "redaction",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value

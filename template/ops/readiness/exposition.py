"""What `/metrics` tells, parsed by Prometheus' own library."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .outcome import Failed


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample."""

    name: str
    labels: dict[str, str]
    value: float


def families(text: str, *, openmetrics: bool = False) -> list[Any]:
    """The metrics of an exposition.

    Raises:
        Failed: it can't be parsed.
    """
    try:
        parser: Any = import_module(f"prometheus_client.{'openmetrics.' if openmetrics else ''}parser")
        return list(parser.text_string_to_metric_families(text))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        form = "OpenMetrics" if openmetrics else "Prometheus text"
        raise Failed(f"/metrics is no {form}: {' '.join(str(error).split())[:200]}") from None


def samples(text: str, name: str | None = None) -> list[Sample]:
    """All samples, or those of one name."""
    found = (each for family in families(text) for each in family.samples)
    return [Sample(each.name, dict(each.labels), each.value) for each in found if name in (None, each.name)]

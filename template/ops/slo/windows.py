"""Windows and burn rates of alerts on error budgets.

The parameters are those of the SRE workbook, chapter "Alerting on SLOs", table 5-6, as shares of the budget of the
whole window, so that other windows than 30 days scale: https://sre.google/workbook/alerting-on-slos/
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

HOURS: Final = {"5m": 5 / 60, "30m": 0.5, "1h": 1, "2h": 2, "6h": 6, "1d": 24, "3d": 72}
# Prometheus writes 28 days as 4w, and Sloth names its records so.
DAYS: Final = {"28d": ("4w", 28), "30d": ("30d", 30)}
_HIGHEST_RATIO: Final = Decimal("0.9")


@dataclass(frozen=True)
class Burn:
    """One pair of windows.

    Attributes:
        severity: `page` or `ticket`.
        long, short: windows as Prometheus writes durations. The long one says that it matters, the short one that it
            still goes on.
        budget: share of the window's error budget that is spent when the long window has burnt that fast (0 to 1).
        factor: how many times as fast as the budget allows.
    """

    severity: str
    long: str
    short: str
    budget: Decimal
    factor: Decimal

    def threshold(self, error_budget: Decimal) -> Decimal:
        """Ratio of errors (0 to 1) above which this fires; at most 0.9, or a low objective could never fire."""
        return min(self.factor * error_budget, _HIGHEST_RATIO)


def burns(window: str) -> list[Burn]:
    """The four pairs, fastest first, for a window of `28d` or `30d`.

    factor = budget share × hours of the window / hours of the long window: 14.4, 6, 3 and 1 for 30 days.
    """
    hours = DAYS[window][1] * 24
    pairs = (
        ("page", "1h", "5m", "0.02"),
        ("page", "6h", "30m", "0.05"),
        ("ticket", "1d", "2h", "0.10"),
        ("ticket", "3d", "6h", "0.10"),
    )
    return [
        Burn(severity, long, short, Decimal(share), Decimal(share) * hours / Decimal(HOURS[long]))
        for severity, long, short, share in pairs
    ]


def number(value: Decimal) -> str:
    """A decimal as PromQL reads it: at most 15 digits, no exponent, no trailing zeros."""
    text = f"{+value:.15f}".rstrip("0").rstrip(".")
    return text or "0"

"""How late the event loop is: the time that code which blocks it takes from every request."""

import asyncio
from time import perf_counter

from prometheus_client import Histogram

_INTERVAL_SECONDS = 0.5

LAG = Histogram(
    "event_loop_lag_seconds",
    "How much later than asked for the event loop called, twice a second in every worker.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)


async def watch_lag() -> None:
    """Measure until cancelled."""
    while True:
        began = perf_counter()
        await asyncio.sleep(_INTERVAL_SECONDS)
        LAG.observe(max(0.0, perf_counter() - began - _INTERVAL_SECONDS))

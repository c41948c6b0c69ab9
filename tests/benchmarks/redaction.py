"""What redaction costs: microseconds for a text and for an event, in this process.

    python tests/benchmarks/redaction.py [FOLDER]

FOLDER is a rendered service with its environment; `.in-place` by default. Texts are different each time, so that none
is known from before, except in the line that says so.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 7


def microseconds(run: Callable[[Any], object], given: list[Any]) -> float:
    """The median round's time for one call, over different arguments."""
    times = []
    for _ in range(ROUNDS):
        began = perf_counter()
        for each in given:
            run(each)
        times.append((perf_counter() - began) / len(given) * 1e6)
    return median(times)


def event(number: int, **fields: Any) -> dict[str, Any]:
    """What the pipeline gives to its processors, with five short fields of the caller's."""
    own = {"timestamp": datetime.now(UTC), "level": "info", "event": "quote made", "logger": "orders.routes"}
    own |= {"service": "orders", "version": "1.2.3", "request_id": f"{number:032x}", "trace_id": f"{number:032x}"}
    own |= {"span_id": f"{number:016x}", "country": "NO", "lines": number, "total": 12.5, "state": f"s-{number}"}
    return own | {"tenant": "acme"} | fields


def trace(number: int) -> str:
    """A traceback of 20 frames."""
    frame = '  File "/srv/app/.venv/lib/python3.11/site-packages/starlette/routing.py", line {}, in app\n    {}\n'
    lines = ["await self.middleware_stack(scope, receive, send)", "response = await func(request, key=value)"]
    frames = "".join(frame.format(number + place, lines[place % 2]) for place in range(20))
    return f"Traceback (most recent call last):\n{frames}ValueError: no rate for country {number}\n"


def document(number: int, size: int) -> str:
    """A JSON text."""
    row = '{{"id": {0}, "sku": "A-{0}", "price": "12.50", "at": "2026-01-31T12:00:00Z", "note": "as it is"}}'
    rows: list[str] = []
    while sum(map(len, rows)) < size:
        rows.append(row.format(number + len(rows)))
    return f"[{', '.join(rows)}]"[:size]


def measure() -> None:
    """Print one line a case."""
    sys.path.insert(0, "src")
    (package,) = (found.parents[1].name for found in Path("src").glob("*/ops/redaction.py"))
    module = __import__(f"{package}.ops.redaction", fromlist=["Redactor"])
    redactor = module.Redactor()
    count = range(2_000)
    plain = [f"request no {number} for tenant acme in zone north was handled" for number in count]
    timed = [f"connected to 10.0.0.5:5432 after {number} tries, state=ok, all well" for number in count]
    cases: list[tuple[str, Callable[[Any], object], list[Any]]] = [
        ("ordinary text, 60 characters", redactor._text, plain),
        ("ordinary text with : and =, 60 characters", redactor._text, timed),
        ("ordinary text that is known", redactor.text, ["quote made"] * 2_000),
        ("ordinary event, five short fields", redactor.event, [event(number) for number in count]),
        ("event with a text of 60 characters", redactor.event, [event(n, text=plain[n]) for n in count]),
        ("event with a traceback of 20 frames", redactor.event, [event(n, stack=trace(n)) for n in range(200)]),
        ("text with an e-mail address", redactor._text, [f"mail to ola.{n}@example.com bounced" for n in count]),
        ("JSON text of 10 kB", redactor._text, [document(n, 10_000) for n in range(50)]),
        ("32 kB of names with secrets", redactor._text, [f"password=a{n} " * (32_000 // 13) for n in range(1, 6)]),
        ("32 kB of e-mail addresses", redactor._text, [f"o{n}@x.no, " * (32_000 // 10) for n in range(5)]),
        ("32 kB of digits", redactor._text, [f"4111 1111 1111 111{n} " * (32_000 // 20) for n in range(5)]),
        ("32 kB of separators", redactor._text, [f"{n}" + "a=" * 16_000 for n in range(5)]),
    ]
    for name, run, given in cases:
        redactor._forget()
        print(f"{name:<44} {microseconds(run, given):>10.1f} µs")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        measure()
    else:
        folder = Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / ".in-place"
        command = [str(folder / ".venv/bin/python"), str(Path(__file__).resolve()), "--here"]
        raise SystemExit(subprocess.run(command, cwd=folder, env={**os.environ}, check=False).returncode)

"""Until when versions of Python get security fixes."""

import sys
from datetime import date
from typing import Final

SOURCE: Final = "https://devguide.python.org/versions/"
# The last day of the month that the source names.
ENDS: Final = {
    "3.11": date(2027, 10, 31),
    "3.12": date(2028, 10, 31),
    "3.13": date(2029, 10, 31),
    "3.14": date(2030, 10, 31),
}
# Of the base image's releases of Debian, until the end of long-term support: https://wiki.debian.org/LTS
DEBIAN: Final = {"bullseye": date(2026, 8, 31), "bookworm": date(2028, 6, 30), "trixie": date(2030, 6, 30)}


def running() -> str:
    """The version that this runs on, such as 3.13."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def sentence(python: str) -> str:
    """Until when the image's Python is kept, as a paragraph."""
    end = ENDS.get(python)
    until = f"gets security fixes until {end:%B %Y}" if end else "is in no table here: look how long it is kept"
    return f"Python {python}, which the image has, {until}\n(<{SOURCE}>). Another is the answer `python_version`.\n"

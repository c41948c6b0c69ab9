"""The console script `app`, and `python -m` with this package's name."""

import sys

from .ops.cli import main


def run() -> None:
    """Run a command; the modules are named, not imported, so that `app health` need not load the whole service."""
    sys.exit(main(f"{__package__}.app:create_app", f"{__package__}.settings:Settings"))


if __name__ == "__main__":
    run()

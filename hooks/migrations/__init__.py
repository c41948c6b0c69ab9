"""One module a version that needs one: `v1_2_0.py` with `def migrate(root: Path) -> list[str]`.

A migration changes the service below `root` and returns notes for its owner, one a line of the report. It may be run
again:
what is done stays done. It touches an owner's file only as far as it must, and says so in a note. A service that was
born at that version or
later never runs it.
"""

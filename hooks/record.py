"""`.ops.json`: the version that a service was born with, and what has been done to it since."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

RECORD = ".ops.json"


@dataclass
class Record:
    """Committed with the service. The hooks change all but `accepted`, which is the owner's.

    `born`: the template's version at birth. `migrations`: versions whose migration has been run. `seeds`: the
    owner's files that were
    ever delivered. `accepted`: edits of the template's files that the owner stands by, path to reason.
    """

    born: str = "unknown"
    migrations: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "Record":
        """Read it; without one, a service counts as never migrated.

        Raises:
            ValueError: it is not what these scripts write, with the remedy.
        """
        file = root / RECORD
        if not file.is_file():
            return cls()
        try:
            document = json.loads(file.read_text("utf-8"))
            record = cls(**document)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{RECORD} can't be read ({error}): take it back from git's history") from error
        if not (
            isinstance(record.born, str)
            and all(isinstance(each, list) for each in (record.migrations, record.seeds))
            and isinstance(record.accepted, dict)
        ):
            raise ValueError(f"{RECORD} holds a value of the wrong type: take it back from git's history")
        return record

    def write(self, root: Path) -> None:
        """Write it in one step."""
        new = root / f"{RECORD}.new"
        new.write_text(json.dumps(vars(self), indent=2, ensure_ascii=False) + "\n", "utf-8")
        os.replace(new, root / RECORD)

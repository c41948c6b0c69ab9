"""What a check works with: the service, as one check sees it."""

from dataclasses import dataclass, field
from pathlib import Path

from .address import Address
from .client import Answer, Client
from .masking import Masks
from .plan import Plan
from .trust import Trust


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line.

    Attributes:
        version, commit: of what was deployed; None to compare with nothing.
        token: for the status route.
        published: the address is the gateway's.
        seconds: that one check may take.
    """

    version: str | None = None
    commit: str | None = None
    token: str | None = field(default=None, repr=False)
    published: bool = False
    seconds: float = 10.0
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all checks of a run share. `seen` holds every answer so far."""

    address: Address
    wanted: Wanted
    plan: Plan
    masks: Masks
    trust: Trust
    seen: list[Answer] = field(default_factory=list)

    def target(self, seconds: float) -> "Target":
        """The service for one check, which has so many seconds."""
        client = Client(self.address, self.trust, self.masks, seconds, self.seen)
        return Target(self.wanted, self.plan, self.trust, client, self.seen)


@dataclass(frozen=True, slots=True)
class Target:
    """The service as one check sees it; `client` asks it, within the check's time."""

    wanted: Wanted
    plan: Plan
    trust: Trust
    client: Client
    seen: list[Answer]

    def get(self, path: str, **headers: str) -> Answer:
        """GET; underscores in the headers' names are dashes."""
        return self.client.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

"""What is counted of each kind of fault."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """How often one kind of fault was tried and survived, and what was lost."""

    kind: str
    tried: int = 0
    survived: int = 0
    lost: int = 0
    """Bytes of finished files that were gone or changed afterwards."""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    """What did not survive, one line each."""

    def count(self, *faults: str, lost: int = 0) -> None:
        """Count one try, which survived if nothing is wrong."""
        self.tried += 1
        self.survived += not faults and not lost
        self.lost += lost
        self.faults += faults

    @property
    def passed(self) -> bool:
        """Whether everything survived."""
        return self.survived == self.tried and not self.lost and not self.faults

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add what is done within to the seconds."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - start


def table(outcomes: list[Outcome]) -> str:
    """All outcomes, a line each below their heads."""
    rows = [("kind", "tried", "survived", "bytes lost", "seconds")]
    rows += [
        (o.kind, str(o.tried), str(o.survived), str(o.lost), f"{o.seconds:.0f}") for o in outcomes
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )

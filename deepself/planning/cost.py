"""What one job takes, and what a cluster is asked for so that it has enough."""

from dataclasses import dataclass
from math import ceil

MB = 2**20

SPARE = 1.3
"""By how much more memory is asked for than was estimated."""

LEAST_MB = 1000

SLOW = 3.0
"""By how much more time is asked for than was estimated: nodes differ, and so do their loads."""

LEAST_MINUTES = 10

DAY = 24 * 60
"""Minutes that are asked for at most: few clusters allow more, and a training goes on from its
checkpoint."""


@dataclass(frozen=True)
class Cost:
    """What one job takes.

    Attributes
    ----------
    seconds
        By the clock.
    memory
        Bytes at its peak.
    disk
        Bytes of what it leaves.
    cores
        That it uses.
    measured
        Whether seconds and memory are those of jobs that have ended, not estimates.
    """

    seconds: float
    memory: float = 0.0
    disk: float = 0.0
    cores: int = 1
    measured: bool = False

    @property
    def mem_mb(self) -> int:
        """Memory to ask for at the first attempt."""
        return max(LEAST_MB, ceil(SPARE * self.memory / MB))

    @property
    def minutes(self) -> int:
        """Time to ask for at the first attempt."""
        return min(DAY, max(LEAST_MINUTES, ceil(SLOW * self.seconds / 60)))

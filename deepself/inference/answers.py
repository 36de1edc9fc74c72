"""What a bundle is asked, and what it answers."""

from dataclasses import dataclass, field

from deepself.dataset.readers import ReadError
from deepself.errors import UserError
from deepself.inference.pieces import Window

NO_ANSWER = "the networks give values that are not finite"

UNREADABLE = (ReadError, UserError, ValueError, OSError)
"""What is said of one recording, and keeps no other from being answered for."""


@dataclass(frozen=True)
class Prediction:
    """What a bundle says of a recording, or of a window of one.

    Attributes
    ----------
    label
        The most probable class.
    probabilities
        Of all classes, in the bundle's order; their sum is 1.
    unsure
        Whether the label's probability is below the threshold that was asked for.
    start, end
        Of the window, in seconds; None where it is the recording.
    notes
        How the recording differs from those that were learnt from.
    """

    label: str
    probabilities: dict[str, float]
    unsure: bool = False
    start: float | None = None
    end: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def probability(self) -> float:
        """Of the label."""
        return self.probabilities[self.label]


@dataclass(frozen=True)
class Asked:
    """How a bundle shall answer.

    Attributes
    ----------
    fold
        The fold whose parts answer; None for all.
    calibrated
        Whether probabilities are brought to what they were worth on dev.
    unsure
        Probability of the label below which an answer counts as unsure.
    window
        Which windows answer by themselves; None for recordings as a whole.
    sample_rate
        Of arrays, and of sensors' files that name none, in Hz.
    """

    fold: str | None = None
    calibrated: bool = False
    unsure: float | None = None
    window: Window | None = None
    sample_rate: float | None = None


@dataclass(frozen=True)
class Answer:
    """What came of one of several recordings: predictions, or why there are none."""

    name: str
    predictions: list[Prediction] = field(default_factory=list)
    problem: str = ""

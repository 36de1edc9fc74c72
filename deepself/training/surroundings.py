"""What a training is told besides its data and settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deepself.training.augment import Augmenter, Crops
from deepself.training.checkpoints import Checkpoints, Generators
from deepself.training.progress import Progress
from deepself.training.signals import Signals

Watch = Callable[[Sequence[tuple]], str | None]
"""Given the history after each epoch: why to stop now, or None."""


@dataclass
class Surroundings:
    """What a training is told besides its data and settings.

    Attributes
    ----------
    generators
        Where random numbers come from.
    progress
        Who is told how it goes.
    augmenter, crops
        Random changes of training items; parts that are predicted.
    checkpoints
        Where to go on after being killed; None: nowhere.
    signals
        What the cluster says.
    watch
        Asked after each epoch whether to go on.
    """

    generators: Generators
    progress: Progress
    augmenter: Augmenter | None = None
    crops: Crops = field(default_factory=lambda: Crops(None, 1, ()))
    checkpoints: Checkpoints | None = None
    signals: Signals = field(default_factory=Signals)
    watch: Watch | None = None

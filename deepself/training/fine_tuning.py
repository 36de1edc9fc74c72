"""Which weights are trained when: all, the head, or stage after stage."""

from torch import nn

from deepself.networks.base import Network
from deepself.networks.stages import stages
from deepself.study.training import FineTuning


class Thawing:
    """What of a network is trained in each epoch.

    A frozen stage keeps its weights and the statistics of its batch normalisations, and its
    dropout is off: it is the function that it was trained to be.

    Parameters
    ----------
    network
        The network.
    settings
        How its pretrained weights are trained on; None trains all.

    Notes
    -----
    `gradual` and learning rates that fall from layer to layer are ULMFiT's (J. Howard, S. Ruder,
    "Universal Language Model Fine-tuning for Text Classification", ACL 2018); `head_first` is
    linear probing before fine-tuning (A. Kumar et al., "Fine-Tuning can Distort Pretrained
    Features and Underperform Out-of-Distribution", ICLR 2022).
    """

    def __init__(self, network: Network, settings: FineTuning | None):
        self._network, self._settings = network, settings or FineTuning()
        # One stage is what a network is that trains as a whole: no need to know its parts.
        whole = settings is None or settings == FineTuning()
        self._stages = [] if whole else stages(network)

    def groups(self, lr: float) -> list[dict]:
        """Parameters for an optimiser, with each stage's learning rate."""
        if not self._stages:
            return [{"params": list(self._network.parameters()), "lr": lr}]
        depths = range(len(self._stages) - 1, -1, -1)
        return [
            {"params": stage.parameters, "lr": lr * self._settings.lr_decay**depth}
            for stage, depth in zip(self._stages, depths, strict=True)
            if stage.parameters
        ]

    def start(self, epoch: int) -> None:
        """Freeze and thaw for an epoch, counted from 1, and put the network into training mode."""
        frozen = len(self._stages) - self.trained_stages(epoch)
        self._network.train(frozen == 0)
        for place, stage in enumerate(self._stages):
            for parameter in stage.parameters:
                parameter.requires_grad_(place >= frozen)
            for module in stage.modules:
                module.train(place >= frozen)  # a frozen stage's dropout is off, too
        if self._settings.batch_norm == "frozen":
            for module in self._network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def trained_stages(self, epoch: int) -> int:
        """How many stages, from the classifier down, are trained in an epoch."""
        every, count = self._settings.epochs, len(self._stages)
        match self._settings.train:
            case "head":
                return 1
            case "head_first":
                return 1 if epoch <= every else count
            case "gradual":
                return min(count, 1 + (epoch - 1) // every)
        return count

"""What a trained network says of a partition."""

import numpy as np
import torch
from torch import Tensor, nn

from deepself.networks.base import Network
from deepself.training.augment import Crops
from deepself.training.partitions import Partition
from deepself.training.precision import Precision


@torch.no_grad()
def predict(
    network: nn.Module, partition: Partition, batch_size: int, crops: Crops, precision: Precision
) -> Tensor:
    """Logits (rows, classes) of a network in evaluation mode, on its device.

    Of several parts of an item, the probabilities are averaged, and the logarithm is given.
    """
    network.eval()
    return _logits(network, partition, batch_size, crops, precision)


@torch.no_grad()
def embeddings(
    network: Network, partition: Partition, batch_size: int, crops: Crops, precision: Precision
) -> Tensor:
    """Embeddings (rows, embedding_size) by a network in evaluation mode, on its device.

    Of several parts of an item, the mean.
    """
    network.eval()
    found = []
    for batch in partition.in_order(batch_size):
        parts = map(precision.laid_out, crops.parts(batch))
        with precision():
            found.append(torch.stack([network.embed(*one.arguments) for one in parts]).mean(0))
    return torch.cat(found).float()


@torch.no_grad()
def predict_by_batch_statistics(
    network: nn.Module, partition: Partition, batch_size: int, crops: Crops, precision: Precision
) -> Tensor | None:
    """Logits with each batch's own statistics in batch normalisations; None if there are none.

    The running statistics stay as they are.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return None
    network.eval()
    kept = {key: value.clone() for key, value in network.state_dict().items()}
    for norm in norms:
        norm.train()
    try:
        return _logits(network, partition, batch_size, crops, precision)
    except ValueError:  # a last batch of a single value
        return None
    finally:
        network.load_state_dict(kept)
        network.eval()


def _logits(
    network: nn.Module, partition: Partition, batch_size: int, crops: Crops, precision: Precision
) -> Tensor:
    found = []
    for batch in partition.in_order(batch_size):
        parts = crops.parts(batch)
        with precision():
            logits = [network(*part.arguments).float() for part in map(precision.laid_out, parts)]
        if len(logits) == 1:
            found.append(logits[0])
        else:
            shares = torch.stack([one.double().softmax(1) for one in logits]).mean(0)
            found.append(shares.log().float())
    return torch.cat(found)


def to_numpy(values: Tensor) -> np.ndarray:
    """A tensor of any device as an array."""
    return values.detach().cpu().numpy()

"""Convolutional layers: their sizes, poolings, groups and read-outs."""

import pytest
import torch
from torch import nn

from deepself.networks import build
from deepself.networks.pooling import pooling
from deepself.networks.readout import Attention
from deepself.networks.rnn import as_sequence, per_step


@pytest.mark.parametrize("padding", ["same", 0, [2, 1]])
@pytest.mark.parametrize("kernel", [1, 4, 7, [5, 2]])
@pytest.mark.parametrize("stride", [1, 2, [3, 1]])
@pytest.mark.parametrize("dilation", [1, 3, [2, 1]])
def test_sizes_are_those_that_torch_leaves(padding, kernel, stride, dilation):
    choices = {"padding": padding, "stride": stride, "dilation": dilation, "pool": [2, 1]}
    for samples in (160, 161):
        shape = (2, samples)
        network = build("cnn1d", shape, 2, channels=(4, 5), kernel_size=kernel, **choices)
        maps, _ = network.stack(torch.rand(3, *shape))
        assert maps.shape[1:] == (5, *network.stack.out_sizes)


@pytest.mark.parametrize("name", ["cnn2d", "cnn3d"])
@pytest.mark.parametrize("pool_type", ["max", "average"])
def test_sizes_an_axis(name, pool_type):
    choices = {
        "kernel_size": [[5, 2, 3], [1, 4, 2], 3],
        "stride": [1, [2, 1, 1], 1],
        "padding": [[2, 1, 0], 1, 2],
        "dilation": [[1, 3, 2], 1, [2, 1, 1]],
        "pool": [[1, 2, 2], [2, 1, 1], 1],
        "groups": [1, 2, 4],
    }
    axes = int(name[3])
    cut = {
        key: [entry[:axes] if isinstance(entry, list) else entry for entry in value]
        for key, value in choices.items()
    }
    for shape in ((3, 21, 22, 23), (1, 20, 19, 24)):
        network = build(name, shape[: axes + 1], 2, channels=[4, 8, 12], pool_type=pool_type, **cut)
        maps, _ = network.stack(torch.rand(2, *shape[: axes + 1]))
        assert maps.shape[1:] == (12, *network.stack.out_sizes)


@pytest.mark.parametrize("dilation", [1, 2, 5])
@pytest.mark.parametrize("kernel", [2, 3, 6])
def test_same_padding_keeps_the_length_on_each_axis_without_a_stride(kernel, dilation):
    settings = {"kernel_size": kernel, "dilation": dilation, "pool": 1, "channels": [3]}
    assert build("cnn1d", (1, 10), 2, **settings).stack.out_sizes == (10,)
    settings["stride"] = [[1, 2]]
    assert build("cnn2d", (1, 10, 10), 2, **settings).stack.out_sizes[0] == 10
    settings["stride"] = [[1, 2, 1]]
    assert build("cnn3d", (1, 9, 10, 8), 2, **settings).stack.out_sizes[::2] == (9, 8)


@pytest.mark.parametrize("size", [(1, 2, 3), (2, 1, 1), (3, 2, 2), (1, 1, 4)])
def test_pooling_of_films_is_torchs(size):
    film = torch.randn(2, 3, 7, 8, 9, dtype=torch.double, requires_grad=True)
    for ours, theirs in (("max", nn.MaxPool3d(size)), ("average", nn.AvgPool3d(size))):
        found, expected = pooling(ours, size)(film), theirs(film)
        torch.testing.assert_close(found, expected)
        weights = torch.randn_like(found)
        gradients = [torch.autograd.grad((out * weights).sum(), film) for out in (found, expected)]
        torch.testing.assert_close(*gradients)


def test_a_pool_of_one_is_none():
    assert [pooling("max", size) for size in ((1,), (1, 1), (1, 1, 1))] == [None] * 3


def test_groups_part_the_channels():
    network = build("cnn1d", (4, 60), 2, channels=[8, 12], groups=[4, 2], normalisation="none")
    assert [block.convolution.weight.shape[1] for block in network.stack.blocks] == [1, 4]
    x = torch.randn(1, 4, 60)
    other = x.clone()
    other[:, 0] += 1
    with torch.no_grad():
        first = network.stack.blocks[0].convolution
        assert ((first(x) - first(other)).abs().amax((0, 2)) > 0).tolist() == [True] * 2 + [
            False
        ] * 6


@pytest.mark.parametrize("normalisation", ["batch", "instance", "group", "layer", "none"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "silu", "hardswish"])
def test_layers_of_all_kinds_train(normalisation, activation):
    for shape in ((1, 32), (1, 16, 16), (1, 9, 9, 9)):
        network = build(
            f"cnn{len(shape) - 1}d",
            shape,
            2,
            channels=[8, 8],
            normalisation=normalisation,
            activation=activation,
        )
        network(torch.randn(2, *shape)).sum().backward()
        assert all(p.grad.isfinite().all() for p in network.parameters())
    dense = "batch" if normalisation in ("instance", "group") else normalisation
    for name in ("relu", "tanh", "sigmoid"):
        network = build("dense", (5,), 2, hidden=[6, 4], activation=name, normalisation=dense)
        network(torch.randn(3, 5)).sum().backward()


@pytest.mark.parametrize("hidden", [(), (9, 5)])
@pytest.mark.parametrize("readout", ["mean", "max", "attention", "flatten"])
@pytest.mark.parametrize("shape", [(1, 48), (1, 16, 24), (1, 8, 16, 24)])
def test_readouts(readout, hidden, shape):
    name = f"cnn{len(shape) - 1}d"
    network = build(name, shape, 2, readout=readout, hidden=hidden)
    left = 1
    for size in shape[1:]:
        left *= size // 8
    size = hidden[-1] if hidden else 64 * left if readout == "flatten" else 64
    assert network.embedding_size == size == network.embed(torch.rand(3, *shape)).shape[1]


def test_flatten_says_that_it_is_tied_to_its_shape():
    network = build("cnn2d", (1, 16, 24), 2, readout="flatten")
    with pytest.raises(ValueError, match=r"tied to the input's shape.*\(2, 3\), not \(2, 6\)"):
        network(torch.rand(2, 1, 16, 48))


def test_attention_is_a_mean_weighted_by_scores():
    torch.manual_seed(0)
    attention = Attention(4)
    vectors = torch.randn(2, 7, 4)
    nn.init.zeros_(attention.score.weight)
    torch.testing.assert_close(attention(vectors), vectors.mean(1))
    valid = torch.arange(7) < torch.tensor([[3], [7]])
    torch.testing.assert_close(attention(vectors, valid)[0], vectors[0, :3].mean(0))
    attention.score.weight.data[:] = torch.tensor([50.0, 0, 0, 0])
    highest = vectors[1, vectors[1, :, 0].argmax()]
    torch.testing.assert_close(attention(vectors)[1], highest, atol=0.2, rtol=0.2)


@pytest.mark.parametrize(
    ("shape", "steps", "features"),
    [((3, 20), 20, 3), ((3, 5, 20), 20, 15), ((3, 20, 4, 5), 20, 60)],
)
def test_a_step_of_a_sequence_holds_one_moment(shape, steps, features):
    assert per_step(shape[0], shape[1:]) == (steps, features)
    axis = 1 if len(shape) == 4 else len(shape) - 1
    moments = torch.arange(20.0).view([-1 if i == axis else 1 for i in range(len(shape))])
    sequence = as_sequence(moments.expand(2, *shape))
    assert sequence.shape == (2, steps, features)
    assert torch.equal(sequence, torch.arange(20.0).view(1, -1, 1).expand_as(sequence))


def test_a_front_over_films_keeps_their_frames():
    settings = {"pool": [[1, 2, 2], [2, 2, 2], [1, 2, 2]], "cell": "gru"}
    network = build("cnn_rnn", (3, 12, 16, 24), 2, **settings)
    maps, lengths = network.front(torch.rand(2, 3, 12, 16, 24), torch.tensor([12, 7]))
    assert maps.shape == (2, 64, 6, 2, 3)
    assert lengths.tolist() == [6, 3]
    assert network.back.layers.input_size == 64 * 2 * 3


def test_dropout_acts_on_the_readout_and_dense_layers_alone():
    network = build("cnn1d", (1, 64), 2, dropout=0.5, hidden=[16, 8], readout="mean")
    names = [name for name, m in network.named_modules() if isinstance(m, nn.Dropout)]
    assert names == ["dropout", "body.2", "body.5"]

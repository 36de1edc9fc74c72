"""The PANNs, against the published keys and sizes, and a computation of their own."""

import pytest
import torch
from torch.nn import functional

from deepself.networks import build
from deepself.networks.panns import FRONT_END

CHANNELS = (64, 128, 256, 512, 1024, 2048)
# Blocks, convolutions a block, kernel; parameters as published, in millions.
PUBLISHED = {"cnn6": (4, 1, 5, 4.84), "cnn10": (4, 2, 3, 5.22), "cnn14": (6, 2, 3, 80.75)}
CLASSES = 527
# The front end: 513 bins of a transform of 1024 points, into 64 filters.
EXTRACTORS = {
    "spectrogram_extractor.stft.conv_real.weight": (513, 1, 1024),
    "spectrogram_extractor.stft.conv_imag.weight": (513, 1, 1024),
    "logmel_extractor.melW": (513, 64),
}


def published_shapes(name, classes=CLASSES):
    """Shape of every published key, without the front end."""
    blocks, convolutions, kernel, _ = PUBLISHED[name]

    def norm(prefix, size):
        vectors = {f"{prefix}.{k}": (size,) for k in ("weight", "bias")}
        statistics = {f"{prefix}.running_{k}": (size,) for k in ("mean", "var")}
        return {**vectors, **statistics, f"{prefix}.num_batches_tracked": ()}

    shapes = norm("bn0", 64)
    width = 1
    for block, channels in enumerate(CHANNELS[:blocks], start=1):
        for layer in range(1, convolutions + 1):
            prefix = f"conv_block{block}."
            shapes[f"{prefix}conv{layer}.weight"] = (channels, width, kernel, kernel)
            shapes |= norm(f"{prefix}bn{layer}", channels)
            width = channels
    for layer, size in (("fc1", width), ("fc_audioset", classes)):
        shapes |= {f"{layer}.weight": (size, width), f"{layer}.bias": (size,)}
    return shapes


def published_file(name, classes=CLASSES, seed=0):
    """A file as published, its weights drawn so that all layers matter."""
    generator = torch.Generator().manual_seed(seed)
    weights = {key: torch.zeros(shape) for key, shape in EXTRACTORS.items()}
    for key, shape in published_shapes(name, classes).items():
        layer, kind = key.split(".")[-2:]
        if kind == "running_var" or (layer.startswith("bn") and kind == "weight"):
            weights[key] = 0.5 + torch.rand(shape, generator=generator)
        elif kind == "num_batches_tracked":
            weights[key] = torch.tensor(100)
        else:
            scale = (2 / torch.Size(shape[1:]).numel()) ** 0.5 if len(shape) > 1 else 0.1
            weights[key] = scale * torch.randn(shape, generator=generator)
    return {"iteration": 600000, "model": weights, "sampler": {"pointers": [1, 2]}}


def published_logits(name, weights, x):
    """Compute the logits of ``(batch, 1, frames, 64)``, step by step as published."""
    blocks, convolutions, kernel, _ = PUBLISHED[name]

    def normalise(x, prefix):
        mean, var, weight, bias = (
            weights[f"{prefix}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, eps=1e-5)

    x = normalise(x.transpose(1, 3), "bn0").transpose(1, 3)
    for block in range(1, blocks + 1):
        for layer in range(1, convolutions + 1):
            prefix = f"conv_block{block}"
            x = functional.conv2d(x, weights[f"{prefix}.conv{layer}.weight"], padding=kernel // 2)
            x = normalise(x, f"{prefix}.bn{layer}").clamp(min=0)
        x = functional.avg_pool2d(x, 1 if block == 6 else 2)
    x = x.mean(3)
    x = x.max(2).values + x.mean(2)
    x = functional.linear(x, weights["fc1.weight"], weights["fc1.bias"]).clamp(min=0)
    return functional.linear(x, weights["fc_audioset.weight"], weights["fc_audioset.bias"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_layout_is_published(name):
    with torch.device("meta"):
        network = build(name, (1, 64, 100), CLASSES)
    ours = {
        key.replace("classifier.", "fc_audioset."): tuple(value.shape)
        for key, value in network.state_dict().items()
    }
    assert ours == published_shapes(name)
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert abs(counted / 1e6 - PUBLISHED[name][3]) < 0.01
    assert network.embedding_size == (2048 if name == "cnn14" else 512)


@pytest.mark.parametrize("name", PUBLISHED)
def test_loads_a_published_file_and_gives_its_logits(name):
    file = published_file(name, classes=5)
    network = build(name, (1, 64, 64), 5).eval()
    assert network.load_pretrained(file) == []
    x = torch.randn(2, 1, 64, 64)  # square: nothing but the values tells the axes apart
    with torch.no_grad():
        expected = published_logits(name, file["model"], x.transpose(2, 3))
        other = published_logits(name, file["model"], x)
        ours = network(x)
        assert torch.equal(network.classifier(network.embed(x)), ours)
        assert torch.equal(network(x, torch.tensor([64, 30])), ours)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-3)
    assert (ours - other).abs().max() > 0.01


def test_only_the_last_layer_differs_with_other_classes():
    network = build("cnn6", (1, 64, 16), 3)
    fresh = network.classifier.weight.clone()
    weights = published_file("cnn6")["model"]
    assert network.load_pretrained(weights) == ["fc_audioset.weight", "fc_audioset.bias"]
    assert torch.equal(network.classifier.weight, fresh)
    assert torch.equal(network.fc1.weight, weights["fc1.weight"])


def test_no_more_than_the_front_end_is_left_out():
    assert set(FRONT_END) == set(EXTRACTORS)
    weights = published_file("cnn6")["model"]
    weights["logmel_extractor.other"] = weights["att_block.att.weight"] = torch.zeros(1)
    with pytest.raises(ValueError) as error:
        build("cnn6", (1, 64, 16), 3).load_pretrained(weights)
    message = "these weights do not fit cnn6: surplus logmel_extractor.other, att_block.att.weight"
    assert str(error.value) == message
    with pytest.raises(ValueError, match="do not fit cnn10: missing conv_block1.conv2.weight"):
        build("cnn10", (1, 64, 16), 3).load_pretrained(published_file("cnn6"))


@pytest.mark.parametrize(("name", "least"), [("cnn6", 16), ("cnn10", 16), ("cnn14", 32)])
def test_refuses_too_few_frames(name, least):
    with torch.device("meta"):
        network = build(name, (1, 64, least), 3)
        assert network(torch.zeros(2, 1, 64, least)).shape == (2, 3)
    with pytest.raises(ValueError, match=f"^{name} needs at least {least} frames, not {least - 1}"):
        build(name, (1, 64, least - 1), 3)


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"^cnn14 takes one channel of 64 bins.*\(1, 128, 99\)"):
        build("cnn14", (1, 128, 99), 3)
    with pytest.raises(ValueError, match="^cnn6 takes images"):
        build("cnn6", (64, 99), 3)


def test_dropout_is_as_published():
    network = build("cnn6", (1, 64, 16), 3, dropout=0.3)
    rates = [module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)]
    assert sorted(rates) == [0.2] * 4 + [0.3]
    x = torch.rand(4, 1, 64, 16)
    assert not torch.equal(network(x), network(x))

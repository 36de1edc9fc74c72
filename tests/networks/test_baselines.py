"""Piczak's network, SoundNet, and End2You's: sizes, weights, true lengths, refusals."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from deepself.networks import build

END2YOU = ("emo16", "emo18", "zhao19")
SMALL = {"hidden_size": 6, "dropout": 0.0}


def ready(name, shape, **settings):
    """Build a network in evaluation mode whose normalisations have seen data."""
    torch.manual_seed(0)
    network = build(name, shape, 3, **settings)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        network(torch.randn(6, *shape))
    return network.eval()


def together_and_alone(network, shape, lengths, beyond=5.0):
    """Logits of items in one padded batch, and of each alone."""
    items = [torch.randn(*shape[:-1], length) for length in lengths]
    padded = [functional.pad(x, (0, shape[-1] - x.shape[-1]), value=beyond) for x in items]
    with torch.no_grad():
        together = network(torch.stack(padded), torch.tensor(lengths))
        return together, torch.cat([network(item[None]) for item in items])


# Piczak


@pytest.mark.parametrize(("frames", "steps"), [(41, 3), (101, 10), (20, 1)])
def test_piczak_has_the_published_sizes(frames, steps):
    network = build("piczak", (2, 60, frames), 10, hidden=7)
    shapes = [tuple(p.shape) for p in network.parameters() if p.dim() > 1]
    kernels = [(80, 2, 57, 6), (80, 80, 1, 3)]
    assert shapes == [*kernels, (7, 80 * steps), (7, 7), (10, 7)]


def test_piczak_computes_what_was_published():
    network = ready("piczak", (2, 60, 41), hidden=9)
    first, second, h0, h1, out = (m for m in network.modules() if hasattr(m, "weight"))
    x = torch.randn(2, 2, 60, 41)
    y = functional.max_pool2d(functional.conv2d(x, first.weight, first.bias).relu(), (4, 3), (1, 3))
    y = functional.max_pool2d(
        functional.conv2d(y, second.weight, second.bias).relu(), (1, 3), (1, 3)
    )
    assert y.shape == (2, 80, 1, 3)
    expected = out(h1(h0(y.flatten(1)).relu()).relu())
    torch.testing.assert_close(network(x), expected, atol=1e-5, rtol=1e-4)


def test_piczak_defaults_are_published():
    with torch.device("meta"):
        network = build("piczak", (2, 60, 41), 10)
    assert network.embedding_size == 5000
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5] * 3


def test_piczak_does_not_see_what_lies_beyond_the_length():
    network = ready("piczak", (1, 20, 60), hidden=8)
    x, lengths = torch.randn(2, 1, 20, 60), torch.tensor([60, 31])
    other = x.clone()
    other[1, :, :, 31:] = 9
    with torch.no_grad():
        assert torch.equal(network(x, lengths), network(other, lengths))


@pytest.mark.parametrize("shape", [(1, 3, 50), (1, 60, 19)])
def test_piczak_refuses_what_is_too_small(shape):
    _, bins, frames = shape
    message = f"^piczak needs at least 4 bins and 20 frames, not {bins} and {frames}$"
    with pytest.raises(ValueError, match=message):
        build("piczak", shape, 3)
    assert build("piczak", (3, 4, 20), 3, hidden=5)(torch.rand(2, 3, 4, 20)).shape == (2, 3)


# SoundNet

# Channels, kernel and pool of each layer, from the published definitions.
SOUNDNETS = {
    "soundnet5": [(32, 64, 8), (64, 32, 8), (128, 16, 8), (256, 8, 1)],
    "soundnet8": [
        (16, 64, 8),
        (32, 32, 8),
        (64, 16, 1),
        (128, 8, 1),
        (256, 4, 4),
        (512, 4, 1),
        (1024, 4, 1),
    ],
}
LEAST = {"soundnet5": 3550, "soundnet8": 4574}


def published_soundnet(name, seed=1):
    """Weights in the layout of the usual conversions, the two last layers included."""
    generator = torch.Generator().manual_seed(seed)
    weights, width = {}, 1
    for number, (channels, kernel, _) in enumerate(SOUNDNETS[name], start=1):
        shape, norm = (channels, width, kernel, 1), f"batchnorm{number}"
        scale = (2 / width / kernel) ** 0.5
        weights[f"conv{number}.weight"] = scale * torch.randn(shape, generator=generator)
        weights[f"conv{number}.bias"] = torch.randn(channels, generator=generator)
        for key, low in (("weight", 0.5), ("bias", 0), ("running_mean", 0), ("running_var", 0.5)):
            weights[f"{norm}.{key}"] = low + torch.rand(channels, generator=generator)
        weights[f"{norm}.num_batches_tracked"] = torch.tensor(1)
        width = channels
    last = len(SOUNDNETS[name]) + 1
    for labels, classes in (("objs", 1000), ("scns", 401)):
        weights[f"conv{last}_{labels}.weight"] = torch.zeros(classes, width, 8, 1)
        weights[f"conv{last}_{labels}.bias"] = torch.zeros(classes)
    return weights


@pytest.mark.parametrize("name", SOUNDNETS)
def test_soundnet_loads_published_weights_and_gives_their_maps(name):
    weights = published_soundnet(name)
    network = build(name, (1, 6000), 3).eval()
    fresh = network.classifier.weight.clone()
    assert network.load_pretrained(weights) == ["classifier.weight", "classifier.bias"]
    assert torch.equal(network.classifier.weight, fresh)
    waves = 0.1 * torch.randn(2, 1, 6000)
    maps = 256 * waves.unsqueeze(-1)  # published waves lie between -256 and 256
    for number, (_, kernel, pool) in enumerate(SOUNDNETS[name], start=1):
        layer = {key.split(".")[1]: weights[key] for key in weights if f"batchnorm{number}." in key}
        kernel_weights = weights[f"conv{number}.weight"], weights[f"conv{number}.bias"]
        maps = functional.conv2d(maps, *kernel_weights, stride=(2, 1), padding=(kernel // 2, 0))
        layer.pop("num_batches_tracked")
        maps = functional.batch_norm(maps, **layer).relu()
        maps = functional.max_pool2d(maps, (pool, 1)) if pool > 1 else maps
    with torch.no_grad():
        embedding = network.embed(waves)
    assert embedding.shape[1] == network.embedding_size == SOUNDNETS[name][-1][0]
    torch.testing.assert_close(embedding, maps.mean((2, 3)), atol=1e-4, rtol=1e-3)


def test_soundnet_leaves_out_no_more_than_the_published_classifiers():
    weights = published_soundnet("soundnet8")
    weights["conv9.weight"] = weights.pop("conv7.bias")
    with pytest.raises(ValueError) as error:
        build("soundnet8", (1, 5000), 3).load_pretrained(weights)
    message = "these weights do not fit soundnet8: missing conv7.bias; surplus conv9.weight"
    assert str(error.value) == message
    with pytest.raises(ValueError, match="do not fit soundnet5"):
        build("soundnet5", (1, 5000), 3).load_pretrained(published_soundnet("soundnet8"))


def test_soundnet_loads_what_it_has_saved():
    source, target = build("soundnet5", (1, 4000), 3), build("soundnet5", (1, 4000), 3)
    assert target.load_pretrained(source.state_dict()) == []
    assert torch.equal(target.classifier.weight, source.classifier.weight)
    other = build("soundnet5", (1, 4000), 4)
    assert other.load_pretrained(source.state_dict()) == ["classifier.weight", "classifier.bias"]


@pytest.mark.parametrize("name", SOUNDNETS)
def test_soundnet_needs_a_step_of_its_last_layer(name):
    least = LEAST[name]
    assert build(name, (1, least), 3)(torch.randn(2, 1, least)).shape == (2, 3)
    with pytest.raises(ValueError, match=f"^{name} needs at least {least:,} samples, not "):
        build(name, (1, least - 1), 3)
    with pytest.raises(RuntimeError):  # torch itself finds no step to pool
        build(name, (1, least), 3)(torch.randn(2, 1, least - 1))


def test_soundnet_averages_channels():
    network = ready("soundnet5", (2, 4000))
    x = torch.randn(2, 2, 4000)
    with torch.no_grad():
        mono = x.mean(1, keepdim=True).expand(-1, 2, -1)
        torch.testing.assert_close(network(x), network(mono))


@pytest.mark.parametrize("name", SOUNDNETS)
def test_soundnet_respects_lengths(name):
    network = ready(name, (2, 20000))
    together, alone = together_and_alone(network, (2, 20000), [20000, 12345, 4800])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


# End2You


@pytest.mark.parametrize(
    ("name", "samples", "features"),
    [("emo16", 640, 1280), ("emo18", 640, 256), ("zhao19", 256, 128)],
)
def test_end2you_steps(name, samples, features):
    network = build(name, (1, 5 * samples + 7), 3, **SMALL)
    seen = []
    network.back.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    network(torch.randn(2, 1, 5 * samples + 7))
    assert seen == [(2, 5, features)]
    with pytest.raises(ValueError, match=f"^{name} needs at least {samples} samples, one step"):
        build(name, (1, samples - 1), 3)
    assert build(name, (1, samples), 3, **SMALL)(torch.randn(2, 1, samples)).shape == (2, 3)


def test_emo16_pools_channels_and_takes_40_ms_as_a_step():
    network = ready("emo16", (1, 1280), **SMALL)
    first, second = (m for m in network.front.modules() if isinstance(m, nn.Conv1d))
    assert (first.kernel_size, second.kernel_size) == ((20,), (40,))
    x = torch.randn(1, 1, 1280)
    y = functional.max_pool1d(
        functional.conv1d(functional.pad(x, (9, 10)), first.weight, first.bias).relu(), 2
    )
    y = functional.conv1d(
        functional.pad(y, (19, 20)), second.weight, second.bias
    ).relu()  # (1, 40, 640)
    y = torch.stack([group.amax(1) for group in y.split(10, dim=1)], dim=1)  # (1, 4, 640)
    steps = torch.stack([y[..., :320].flatten(1), y[..., 320:].flatten(1)], dim=1)
    with torch.no_grad():
        expected = network.classifier(network.back(steps))
        torch.testing.assert_close(network(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("readout", ["last", "mean", "attention"])
@pytest.mark.parametrize("name", END2YOU)
def test_end2you_respects_lengths(name, readout):
    network = ready(name, (2, 3300), readout=readout, bidirectional=True, **SMALL)
    together, alone = together_and_alone(network, (2, 3300), [3300, 1999, 700])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    with torch.no_grad():  # an item shorter than a step still counts as one
        assert network(torch.randn(1, 2, 3300), torch.tensor([5])).isfinite().all()


@pytest.mark.parametrize("name", [*END2YOU, *SOUNDNETS])
def test_waves_may_be_longer_at_forward_time(name):
    network = build(name, (1, 5000), 3)
    assert network(torch.randn(2, 1, 9999)).shape == (2, 3)


@pytest.mark.parametrize("name", END2YOU)
def test_end2you_takes_the_settings_of_its_back(name):
    network = build(name, (1, 1300), 3, hidden_size=5, num_layers=3, bidirectional=True)
    assert network.embedding_size == 10
    assert network.back.layers.num_layers == 3 and network.back.layers.dropout == 0.5
    defaults = build(name, (1, 1300), 3)
    assert (defaults.embedding_size, defaults.back.layers.num_layers) == (256, 2)
    with pytest.raises(ValueError, match="readout"):
        build(name, (1, 1300), 3, readout="max")


@pytest.mark.parametrize("name", [*END2YOU, *SOUNDNETS])
def test_images_are_refused(name):
    with pytest.raises(ValueError, match=rf"^{name} takes signals \(channels, samples\)"):
        build(name, (1, 64, 100), 3)
    with pytest.raises(ValueError, match="^piczak takes images"):
        build("piczak", (1, 6400), 3)


@pytest.mark.parametrize(("name", "epochs"), [("emo16", 20), ("emo18", 20), ("soundnet8", 14)])
def test_learns_the_pitch_of_a_tone(name, epochs):
    torch.manual_seed(0)
    samples = LEAST.get(name, 1280)
    settings = {} if name in LEAST else {"hidden_size": 16, "num_layers": 1, "dropout": 0.0}
    network = build(name, (1, samples), 3, **settings)
    labels = torch.arange(24) % 3
    cycles = torch.tensor([0.02, 0.07, 0.2])[labels, None] * torch.arange(samples)
    phase = torch.rand(24, 1)
    x = torch.sin(6.2832 * (cycles + phase))[:, None] + 0.1 * torch.randn(24, 1, samples)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        optimiser.zero_grad()
        functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        network(x)
        assert (network.eval()(x).argmax(1) == labels).all()

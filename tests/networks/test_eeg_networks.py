"""braindecode's networks as ours: the same logits, sizes, and what is refused."""

import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from braindecode import models
from torch import nn

from deepself.networks import build, eeg

THEIRS = {
    "eegnet": getattr(models, "EEGNet", None) or models.EEGNetv4,
    "deep4": models.Deep4Net,
    "shallow_fbcsp": models.ShallowFBCSPNet,
}
LEAST = {"eegnet": 27, "deep4": 441, "shallow_fbcsp": 99}
MAPS = {"eegnet": 16, "deep4": 200, "shallow_fbcsp": 40}  # of the last layer
DROPOUT = {"eegnet": 0.25, "deep4": 0.5, "shallow_fbcsp": 0.5}


def theirs(name, channels, samples, classes, seed=0):
    """braindecode's own network, without its softmax."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = THEIRS[name](
            n_chans=channels, n_outputs=classes, n_times=samples, final_conv_length="auto"
        )
    layers = [m for n, m in network.final_layer.named_children() if "softmax" not in n]
    network.final_layer = nn.Sequential(*layers)
    return network


@pytest.mark.parametrize("name", LEAST)
def test_logits_are_braindecodes(name):
    torch.manual_seed(0)
    ours = build(name, (3, 500), 4)
    assert ours.training and ours.body.training
    x = torch.randn(2, 3, 500)
    with torch.no_grad():
        expected = theirs(name, 3, 500, 4).eval()(x)
        torch.testing.assert_close(ours.eval()(x), expected, atol=1e-5, rtol=1e-4)
        embedding = ours.embed(x)
    assert embedding.shape == (2, ours.embedding_size)


@pytest.mark.parametrize("name", ["deep4", "shallow_fbcsp"])
def test_a_single_channel_is_as_one_of_two(name):
    ours, two = build(name, (1, 500), 3).eval(), theirs(name, 2, 500, 3).eval()
    weights = {key.removeprefix("body."): value for key, value in ours.state_dict().items()}
    spatial = weights["conv_time_spat.conv_spat.weight"]
    assert spatial.shape[-1] == 1
    padded = torch.cat([spatial, torch.zeros_like(spatial)], dim=-1)
    weights["conv_time_spat.conv_spat.weight"] = padded  # deaf to the second channel
    head = next(m for m in two.final_layer.modules() if isinstance(m, nn.Conv2d))
    last = {k.partition(".")[2]: weights.pop(k) for k in list(weights) if "classifier" in k}
    head.load_state_dict({"weight": last["weight"].view_as(head.weight), "bias": last["bias"]})
    missing, unexpected = two.load_state_dict(weights, strict=False)
    assert unexpected == [] and all("final_layer" in key for key in missing)
    x = torch.randn(2, 1, 500)
    with torch.no_grad():
        expected = two(torch.cat([x, torch.randn(2, 1, 500)], dim=1))
        torch.testing.assert_close(ours(x), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", LEAST)
def test_refuses_less_than_one_step(name, channels):
    least = LEAST[name]
    network = build(name, (channels, least), 3)
    assert network(torch.randn(2, channels, least)).shape == (2, 3)
    assert network.embedding_size == MAPS[name], "one step, so no shorter signal has any"
    message = f"^{name} needs at least {least} samples, not {least - 1}"
    with pytest.raises(ValueError, match=message):
        build(name, (channels, least - 1), 3)


def test_refuses_images():
    with pytest.raises(ValueError, match="^deep4 takes signals"):
        build("deep4", (1, 64, 500), 3)


@pytest.mark.parametrize("name", LEAST)
def test_dropout_is_the_publications_unless_given(name):
    def rates(**settings):
        network = build(name, (2, 500), 3, **settings)
        return {m.p for m in network.modules() if isinstance(m, nn.Dropout)}

    assert rates() == {DROPOUT[name]}
    assert rates(dropout=0.125) == {0.125}


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "braindecode.models", None)
    with pytest.raises(ValueError) as error:
        build("eegnet", (1, 100), 2)
    assert str(error.value) == 'eegnet needs braindecode: pip install "deepself[braindecode]"'


@pytest.mark.parametrize(
    "error",
    [ModuleNotFoundError("No module named 'torchaudio'", name="torchaudio"), OSError("a\nb")],
)
def test_says_why_braindecode_does_not_load(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(eeg, "import_module", fail)
    with pytest.raises(ValueError) as caught:
        build("deep4", (1, 500), 2)
    reason = str(error).partition("\n")[0]
    assert str(caught.value) == f"deep4: the installed braindecode does not load: {reason}"


def test_takes_the_newest_name(monkeypatch):
    found = SimpleNamespace(EEGNet=THEIRS["eegnet"], EEGNetv4=None)
    monkeypatch.setattr(eeg, "import_module", lambda name: found)
    assert build("eegnet", (1, 100), 2).embedding_size == 48
    monkeypatch.setattr(eeg, "import_module", lambda name: SimpleNamespace())
    with pytest.raises(ValueError, match="^deep4: this braindecode has no Deep4Net$"):
        build("deep4", (1, 500), 2)


def test_a_linear_last_layer_is_taken_as_it_is():
    layer = nn.Linear(4, 2)
    assert eeg._as_linear(eeg._last_layer(nn.Sequential(nn.Flatten(), layer))) is layer

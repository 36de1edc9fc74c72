"""Embeddings: what a layer of a pretrained network gives, pooled, each recording by itself."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from deepself.dataset.folds import split_study
from deepself.dataset.inventory import take_inventory
from deepself.errors import UserError
from deepself.features import derive
from deepself.features.extract import extract
from deepself.features.layers import Layer
from deepself.networks import build
from deepself.store.features import FeatureFile
from deepself.study import Layout, load
from tests.tiny import make_study

SEEN = "features.seen={kind: rendered, of: log_mel, height: 64, width: 64}"
AUDIO_MEL = "features.seen={kind: audioset_mel, modality: audio}"


@pytest.fixture
def embed(tmp_path, monkeypatch):
    """Make the embedding of the tiny study's pictures; items by recording."""
    monkeypatch.chdir(tmp_path)
    file = make_study(tmp_path)
    layout = Layout("tiny", tmp_path / "results")

    def embed(network, **settings):
        chosen = {"network": network, "weights": "own.pt", **settings}
        inside = ", ".join(f"{key}: {value}" for key, value in chosen.items())
        deep = f"features.deep={{kind: embedding, of: seen, {inside}}}"
        study = load(file, [SEEN, deep])
        take_inventory(study, layout, 1)
        split_study(study, layout)
        for name in ("log_mel", "seen"):
            extract(study, layout, name, 1)
        with FeatureFile(extract(study, layout, "deep", 2)) as made:
            return dict(zip(made.ids, made.read(made.ids), strict=True))

    return embed


def saved(type, shape=(1, 64, 64), classes=5, **settings):
    """A network whose weights lie in a file."""
    torch.manual_seed(0)
    network = build(type, shape, classes, **settings).eval()
    for part in network.modules():  # else the first maps of a network drawn at random die out
        if isinstance(part, nn.BatchNorm2d):
            part.running_var.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), "own.pt")
    return network


def pictures(tmp_path):
    """The pictures that the embeddings are made of, by recording."""
    (path,) = (tmp_path / "results/features").glob("rendered-*.h5")
    with FeatureFile(path) as file:
        return dict(zip(file.ids, file.read(file.ids), strict=True))


def by_hand(network, part, tmp_path, name):
    seen = []
    part.register_forward_hook(lambda _m, _i, given: seen.append(given.detach().clone()))
    with torch.inference_mode():
        network(torch.from_numpy(pictures(tmp_path)[name])[None])
    return seen[-1]


def test_without_a_layer_it_is_what_the_classifier_reads(embed, tmp_path):
    network = saved("resnet18")
    found = embed("resnet18")["low-1"]
    with torch.inference_mode():
        expected = network.embed(torch.from_numpy(pictures(tmp_path)["low-1"])[None])
    assert found.shape == (512,)
    np.testing.assert_allclose(found, expected[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("layer", ["layer3", "backbone.layer3", "layer2.0.bn1"])
def test_a_layers_maps_are_pooled_over_all_positions(embed, tmp_path, layer, pool):
    network = saved("resnet18")
    found = embed("resnet18", layer=layer, pool=pool)["high-2"]
    part = network.backbone.get_submodule(layer.removeprefix("backbone."))
    maps = by_hand(network, part, tmp_path, "high-2")[0].flatten(1)
    expected = maps.mean(1) if pool == "mean" else maps.amax(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_sequence_of_tokens_is_pooled_over_the_tokens(embed, tmp_path):
    network = saved("timm/vit_tiny_patch16_224")
    found = embed("timm/vit_tiny_patch16_224", weights="./own.pt", layer="blocks.3")["noise-0"]
    tokens = by_hand(network, network.backbone.blocks[3], tmp_path, "noise-0")
    assert tokens.shape == (1, 17, 192)
    np.testing.assert_allclose(found, tokens[0].mean(0), rtol=1e-4, atol=1e-5)


def test_a_layer_without_positions_is_taken_as_it_is(embed, tmp_path):
    network = saved("mobilenet_v3_small")
    found = embed("mobilenet_v3_small", layer="classifier.1", pool="max")["low-0"]
    hidden = by_hand(network, network.backbone.classifier[1], tmp_path, "low-0")
    np.testing.assert_allclose(found, hidden[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["features.0.1", "classifier.0"])
def test_activations_in_place_do_not_change_what_a_layer_gave(embed, tmp_path, layer):
    network = saved("mobilenet_v3_small")
    found = embed("mobilenet_v3_small", layer=layer)["low-0"]
    given = by_hand(network, network.backbone.get_submodule(layer), tmp_path, "low-0")[0]
    assert (given < 0).any()  # which the activation behind it changes
    expected = given.flatten(1).mean(1) if given.ndim > 1 else given
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_layers_and_pools_are_features_of_their_own(embed, tmp_path):
    saved("resnet18")
    for settings in ({}, {"layer": "layer2"}, {"layer": "layer2", "pool": "max"}):
        embed("resnet18", **settings)
    assert len(list((tmp_path / "results/features").glob("embedding-*.h5"))) == 3


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("layr3", r"features\.deep\.layer: no layer 'layr3', did you mean layer3"),
        ("other", r"no layer 'other'; its parts are backbone, conv1, bn1"),
        ("classifier", r"classifier is the layer of the classes, which has learnt nothing"),
    ],
)
def test_a_layer_that_cannot_be_taken_is_refused(embed, layer, said):
    saved("resnet18")
    with pytest.raises(UserError, match=said):
        embed("resnet18", layer=layer)


def test_weights_that_do_not_fit_are_refused(embed):
    saved("resnet34")
    with pytest.raises(UserError, match=r"^own\.pt: these weights do not fit resnet18"):
        embed("resnet18")


def test_a_network_that_cannot_be_built_is_refused(embed):
    with pytest.raises(UserError, match=r"^features\.deep: timm .* has no weights .*nothing_yet"):
        embed("timm/vit_tiny_patch16_224", weights="nothing_yet", layer="blocks.3")


@pytest.mark.parametrize(("pictures_first", "mean"), [(True, 0.485), (False, None)])
def test_weights_of_pictures_normalise_as_their_publisher_did(
    embed, monkeypatch, pictures_first, mean
):
    seen = []

    def start(network, state):
        seen.append(network)
        network.load_state_dict(state)

    network = saved("resnet18", classes=2)
    monkeypatch.setattr(derive, "start_from", start)
    monkeypatch.setattr(derive, "is_imagenet", lambda *_: pictures_first)
    embed("resnet18")
    found = seen[0].mean
    assert network.mean is None and (found is None) == (mean is None)
    assert mean is None or found.flatten()[0].item() == pytest.approx(mean)


def test_timms_statistics_are_those_of_the_tag(embed, tmp_path, monkeypatch):
    from safetensors.torch import save_file

    seen = []
    network = saved("timm/vit_tiny_patch16_224", (1, 64, 64))
    file = tmp_path / "results/weights/timm-vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors"
    file.parent.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, file)
    started = derive.start_from
    monkeypatch.setattr(derive, "start_from", lambda n, s: (seen.append(n), started(n, s)))
    found = embed("timm/vit_tiny_patch16_224", weights="augreg_in21k_ft_in1k", layer="blocks.2")
    assert found["low-1"].shape == (192,)
    assert seen[0].mean.flatten().tolist() == [0.5, 0.5, 0.5]


class Turned(nn.Module):
    """A network of sequences, as recurrent ones are, with a part that is never passed."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(2, 6, 3)
        self.norm = nn.BatchNorm1d(6)
        self.relu = nn.ReLU(inplace=True)
        self.rnn = nn.GRU(6, 4, batch_first=True)
        self.dropout = nn.Dropout()
        self.unused = nn.Linear(4, 4)
        self.merging = nn.Flatten(0, 1)
        self.classifier = nn.Linear(4, 3)

    def forward(self, x):
        steps, _ = self.rnn(self.relu(self.norm(self.convolution(x))).transpose(1, 2))
        self.merging(steps)
        return self.classifier(self.dropout(steps[:, -1]))


@pytest.mark.parametrize(("name", "size"), [("convolution", 6), ("relu", 6), ("rnn", 4)])
def test_steps_of_signals_are_pooled_too(name, size):
    items = torch.randn(5, 2, 20)
    with torch.inference_mode():
        assert Layer(Turned().eval(), name, "mean", 3)(items).shape == (5, size)


@pytest.mark.parametrize(
    ("name", "said"),
    [("unused", "is not passed"), ("merging", "gives no activations of each item")],
)
def test_a_layer_that_gives_nothing_of_each_item_is_refused(name, said):
    with torch.inference_mode(), pytest.raises(ValueError, match=f"layer {name} {said}"):
        Layer(Turned().eval(), name, "mean", 3)(torch.randn(5, 2, 20))


@pytest.mark.parametrize(
    ("network", "layer", "size"),
    [
        ("convnext_tiny", "features.1.0.block.4", 384),  # inside a block channels come last
        ("convnext_tiny", "features.1.0", 96),
        ("convnext_tiny", "avgpool", 768),
        ("timm/swin_tiny_patch4_window7_224", "layers.1", 192),  # all maps have channels last
        ("timm/swin_tiny_patch4_window7_224", "patch_embed.proj", 96),
        ("vit_b_32", "encoder.layers.encoder_layer_1.self_attention", 768),
    ],
)
def test_channels_are_found_where_they_are(network, layer, size):
    built = build(network, (3, 64, 64), 2).eval()
    with torch.inference_mode():
        assert Layer(built, layer, "mean", 2)(torch.rand(2, 3, 64, 64)).shape == (2, size)


def test_threads_do_not_take_each_others_activations():
    layer = Layer(Turned().eval(), "rnn", "max", 3)
    batches = [torch.randn(1 + i % 3, 2, 30) for i in range(60)]

    def run(items):
        with torch.inference_mode():
            return layer(items)

    alone = [run(items) for items in batches]
    with ThreadPoolExecutor(8) as pool:
        for expected, found in zip(alone, pool.map(run, batches), strict=True):
            torch.testing.assert_close(found, expected)

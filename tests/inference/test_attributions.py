"""Attributions of networks of every family: exact where all is known, whole, in their place."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from deepself.errors import UserError
from deepself.inference.explaining import METHODS, Effort
from deepself.inference.explaining.asking import Given, Logits, gradients
from deepself.inference.explaining.attributing import attribute
from deepself.inference.explaining.maps import last_maps, spread
from deepself.inference.explaining.patches import patches
from deepself.inference.running import Items, LoadedRun
from deepself.inference.spec import RunSpec
from deepself.networks import build
from deepself.study.training import Training
from deepself.training.augment import Crops
from deepself.training.network import make_network


def run_of(tmp_path, network, shapes, kind, normalise="channel", **training):
    """A network with weights drawn at random, as a bundle would load it."""

    settings = Training.model_validate(training)
    inputs = {
        branch: {"feature": branch or "f", "kind": kind, "normalise": normalise, "shape": shape}
        for branch, shape in shapes.items()
    }
    spec = RunSpec.model_validate(
        {
            "model": "m",
            "fold": "1",
            "seed": 0,
            "weights": "w",
            "network": network,
            "training": training,
            "inputs": inputs,
        }
    )
    crops = Crops.of(settings, [kind] * len(shapes))
    torch.manual_seed(0)
    sizes = {branch: crops.shape(shape, kind) for branch, shape in shapes.items()}
    built = make_network(spec.network, sizes, 3, dict.fromkeys(shapes))
    arrays = {f"network.{k}": v.numpy() for k, v in built.state_dict().items()}
    if normalise == "channel":
        for branch, shape in shapes.items():
            ones = np.ones((shape[0], *(1,) * (len(shape) - 1)), dtype=np.float32)
            prefix = f"normaliser.{branch}." if branch else "normaliser."
            arrays |= {f"{prefix}mean": 0 * ones, f"{prefix}deviation": ones}
    save_file({k: v.copy() for k, v in arrays.items()}, tmp_path / "w")
    return LoadedRun("m", spec, tmp_path / "w", 3, "cpu")


FAMILIES = {
    "dense": ({"type": "dense", "hidden": [4]}, (2, 6, 5), "log_mel", None),
    "cnn1d": ({"type": "cnn1d", "channels": [4]}, (2, 60), "waveform", (60,)),
    "cnn2d": ({"type": "cnn2d", "channels": [4, 4]}, (1, 12, 20), "log_mel", (6, 10)),
    "cnn3d": ({"type": "cnn3d", "channels": [4]}, (3, 6, 10, 12), "film", (6, 10, 12)),
    "rnn": ({"type": "rnn", "hidden_size": 4, "cell": "lstm"}, (1, 6, 10), "log_mel", None),
    "cnn_rnn": (
        {"type": "cnn_rnn", "channels": [4], "hidden_size": 4, "readout": "attention"},
        (1, 12, 20),
        "log_mel",
        (12, 20),
    ),
    "attention": (
        {"type": "cnn2d", "channels": [4], "readout": "attention"},
        (1, 12, 20),
        "log_mel",
        (12, 20),
    ),
    "resnet18": ({"type": "resnet18"}, (3, 64, 96), "picture", (2, 3)),
    "efficientnet_lite0": ({"type": "efficientnet_lite0"}, (1, 64, 64), "picture", (2, 2)),
    "mn04_as": ({"type": "mn04_as"}, (1, 128, 64), "audioset_mel", (4, 2)),
    "cnn6": ({"type": "cnn6"}, (1, 64, 48), "panns_mel", (3, 4)),
    "piczak": ({"type": "piczak", "hidden": 8}, (1, 20, 41), "log_mel", (1, 10)),
    "soundnet5": ({"type": "soundnet5"}, (2, 16000), "waveform", (3, 1)),
    "emo18": ({"type": "emo18", "hidden_size": 4}, (1, 1400), "waveform", (17,)),
    "eegnet": ({"type": "eegnet"}, (3, 128), "waveform", (1, 4)),
    "deep4": ({"type": "deep4"}, (2, 600), "waveform", (2, 1)),
    "shallow_fbcsp": ({"type": "shallow_fbcsp"}, (2, 200), "waveform", None),
}
"""Network, shape, kind, and the positions of its last maps (None: not looked at, or none)."""

WITHOUT_MAPS = ("dense", "rnn")


def items_of(shape, rows=2, lengths=None):
    values = np.random.default_rng(1).standard_normal((rows, *shape)).astype(np.float32)
    return Items(values, lengths)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_explained_by_every_method_that_it_allows(family, tmp_path):
    network, shape, kind, positions = FAMILIES[family]
    if family in ("eegnet", "deep4", "shallow_fbcsp"):
        pytest.importorskip("braindecode")
    run = run_of(tmp_path, network, {"": shape}, kind)
    items = [items_of(shape)]
    for method in METHODS:
        if method == "grad_cam" and family in WITHOUT_MAPS:
            with pytest.raises(UserError, match="no convolutional maps .*integrated_gradients or"):
                attribute(run, items, 1, method, [True])
            continue
        found = attribute(run, items, 1, method, [True], Effort(16, 512, 24))
        (values,) = found.values
        assert values.shape == (2, *shape)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert np.abs(values).max() > 0
        if method == "integrated_gradients":
            missed = np.abs(found.totals - found.differences).max()
            assert missed <= 0.05 * max(np.abs(found.differences).max(), 0.1)
            np.testing.assert_allclose(found.totals, values.reshape(2, -1).sum(1), atol=1e-3)
        if method == "grad_cam" and positions is not None:
            assert found.about == f"maps of {' × '.join(map(str, positions))} positions"


def test_transformers_have_no_last_convolutional_maps():
    network = build("vit_b_32", (3, 64, 64), 3).eval()
    assert last_maps(network, lambda: network(torch.zeros(1, 3, 64, 64)), (64, 64)) is None


def test_frames_first_are_turned_back():
    """A PANN's maps have frames before bins: a late sound must not look like a high one."""
    maps = torch.zeros(1, 1, 4, 2)
    maps[..., 3, :] = 1  # the last frames, all bins
    found = spread(maps, build("cnn6", (1, 64, 80), 3), (1, 64, 80))
    assert found.shape == (1, 1, 64, 80)
    assert found[0, 0, :, 75:].min() == 1
    assert found[0, 0, :, :40].max() == 0
    own = spread(maps, build("cnn2d", (2, 8, 4), 3, channels=[2]), (2, 8, 4))
    assert own[0, 0, 7].min() == own[0, 1, 7].min() == 1
    assert own[0, 0, 0].max() == 0


def test_crops_and_their_places(tmp_path):
    """What no crop contains has no evidence; a single crop is the middle."""
    crop = {"augmentation": [{"type": "random_crop", "size": 0.5}], "crops": 1}
    network = {"type": "cnn2d", "channels": [4]}
    run = run_of(tmp_path, network, {"": (1, 16, 24)}, "log_mel", **crop)
    for method in METHODS:
        found = attribute(run, [items_of((1, 16, 24))], 0, method, [True], Effort(16, 64, 200))
        inside_crop = np.zeros(24, dtype=bool)
        inside_crop[6:18] = True
        (values,) = found.values
        outside = values[..., ~inside_crop]
        if method == "occlusion":  # parts that are hidden reach over the crop's edges
            outside = values[..., [0, 1, 2, 21, 22, 23]]
        assert not outside.any()
        assert np.abs(values[..., inside_crop]).max() > 0


def test_several_crops_are_averaged(tmp_path):
    crop = {"augmentation": [{"type": "random_crop", "size": 0.5}], "crops": 3}
    network = {"type": "dense", "hidden": []}
    run = run_of(tmp_path, network, {"": (1, 4, 8)}, "log_mel", **crop)
    items = items_of((1, 4, 8))
    found = attribute(run, [items], 0, "integrated_gradients", [True])
    weights = run.network.classifier.weight[0].detach().numpy().reshape(4, 4)
    wanted = np.zeros((4, 8), dtype=np.float32)
    for start in (0, 2, 4):
        wanted[:, start : start + 4] += weights / 3
    np.testing.assert_allclose(found.values[0][:, 0], items.values[:, 0] * wanted, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_lies_beyond_true_lengths(method, tmp_path):
    network = {"type": "cnn_rnn", "channels": [4], "hidden_size": 4}
    run = run_of(tmp_path, network, {"": (1, 8, 20)}, "log_mel")
    items = items_of((1, 8, 20), lengths=np.array([12, 20]))
    items.values[0, ..., 12:] = 0
    (values,) = attribute(run, [items], 2, method, [True], Effort(8, 32, 24)).values
    assert not values[0, ..., 12:].any()
    assert values[1, ..., 12:].any()


@pytest.mark.parametrize("method", METHODS)
def test_branches_are_explained_at_once(method, tmp_path):
    branch = {"network": {"type": "cnn2d", "channels": [4]}}
    network = {
        "type": "branches",
        "size": 4,
        "branches": {n: {"feature": n, **branch} for n in ("a", "b")},
    }
    shapes = {"a": (1, 8, 20), "b": (1, 12, 16)}
    run = run_of(tmp_path, network, shapes, "log_mel")
    items = [items_of(shapes["a"], lengths=np.array([20, 15])), items_of(shapes["b"])]
    found = attribute(run, items, 1, method, [True, True], Effort(32, 128, 48))
    assert [values.shape[1:] for values in found.values] == list(shapes.values())
    assert all(np.abs(values).max() > 0 for values in found.values)
    if method == "integrated_gradients":
        np.testing.assert_allclose(found.totals, found.differences, atol=0.02)


def test_a_linear_network_is_explained_exactly(tmp_path):
    """Of a linear network all is known: weight times value, or its sum over a hidden part."""
    run = run_of(tmp_path, {"type": "dense", "hidden": []}, {"": (3, 40)}, "waveform")
    items = items_of((3, 40))
    exact = run.network.classifier.weight[1].detach().numpy().reshape(3, 40) * items.values
    found = attribute(run, [items], 1, "integrated_gradients", [True])
    np.testing.assert_allclose(found.values[0], exact, atol=1e-5)
    hidden = attribute(run, [items], 1, "occlusion", [True], Effort(passes=240))
    np.testing.assert_allclose(
        hidden.values[0][..., 0], exact[..., :2].sum(-1), atol=1e-5
    )  # the first place is hidden once, with its neighbour
    together = attribute(run, [items], 1, "occlusion", [False], Effort(passes=240)).values[0]
    assert np.ptp(together, axis=1).max() == 0
    vector = run_of(tmp_path, {"type": "dense", "hidden": []}, {"": (40,)}, "embedding")
    single = attribute(vector, [items_of((40,))], 1, "occlusion", [False], Effort(passes=80))
    own = items_of((40,)).values
    weights = vector.network.classifier.weight[1].detach().numpy()
    np.testing.assert_allclose(single.values[0], weights * own, atol=1e-5)
    assert single.baselines == ["the mean of the training recordings"]


SMALL = {"rnn": {"hidden_size": 4}, "cnn2d": {"channels": [2]}}


def test_recurrent_layers_have_gradients_on_a_gpu(tmp_path):
    """cuDNN's have none in evaluation mode, so that it is left aside for as long as they take."""
    for network, shape, wanted in (("rnn", (1, 6, 10), False), ("cnn2d", (1, 6, 10), True)):
        run = run_of(tmp_path, {"type": network, **SMALL[network]}, {"": shape}, "log_mel")
        run.device = "cuda"
        before = torch.backends.cudnn.enabled
        with gradients(run):
            assert torch.backends.cudnn.enabled == (before and wanted)
        assert torch.backends.cudnn.enabled == before


def test_more_steps_are_taken_where_the_sum_is_not_right(tmp_path):
    network = {"type": "dense", "hidden": [8], "activation": "tanh"}
    run = run_of(tmp_path, network, {"": (1, 16, 16)}, "log_mel")
    items = items_of((1, 16, 16))
    items.values[:] *= 5
    few = attribute(run, [items], 0, "integrated_gradients", [True], Effort(2, 2))
    many = attribute(run, [items], 0, "integrated_gradients", [True], Effort(2, 256))
    error = [np.abs(one.totals - one.differences).max() for one in (few, many)]
    assert few.steps == 2 < many.steps
    assert error[1] < 0.02 * np.abs(many.differences).max() < error[0]


@pytest.mark.parametrize(
    ("kind", "shape", "words"),
    [
        ("picture", (3, 4, 4), "0, which is black"),
        ("waveform", (1, 9), "0, which is silence"),
        ("embedding", (9,), "0"),
    ],
)
def test_what_is_not_normalised_is_compared_with_nothing(kind, shape, words, tmp_path):
    run = run_of(tmp_path, {"type": "dense", "hidden": []}, {"": shape}, kind, normalise="none")
    found = attribute(run, [items_of(shape)], 0, "integrated_gradients", [True])
    assert found.baselines == [words]
    item = run_of(tmp_path, {"type": "dense"}, {"": (2, 9)}, "waveform", normalise="item")
    found = attribute(item, [items_of((2, 9))], 0, "occlusion", [True])
    assert found.baselines == ["the mean of the item itself"]


def test_decibels_that_are_not_normalised_are_compared_with_the_quietest(tmp_path):
    run = run_of(tmp_path, {"type": "cnn6"}, {"": (1, 64, 32)}, "panns_mel", normalise="none")
    items = items_of((1, 64, 32))
    items.values[:] = 5 * items.values - 40
    found = attribute(run, [items], 0, "integrated_gradients", [True], Effort(8, 8))
    assert found.baselines == ["the lowest value of the item itself"]
    given = Given([torch.from_numpy(items.values)], [None])
    low = given.items[0].flatten(1).amin(1).view(-1, 1, 1, 1).expand_as(given.items[0])
    logits = Logits(run)
    with torch.no_grad():
        wanted = (logits(given.items[0], None) - logits(low, None))[:, 0].numpy()
    np.testing.assert_allclose(found.differences, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("sort", "shape", "passes", "apart"),
    [
        ("wave", (1, 16000), 256, True),
        ("wave", (4, 900), 256, True),
        ("wave", (64, 900), 256, True),
        ("spectrum", (1, 40, 400), 256, True),
        ("spectrum", (3, 128, 1000), 60, True),
        ("spectrum", (1, 3, 2), 256, False),
        ("picture", (3, 224, 224), 256, False),
        ("picture", (1, 8, 300), 100, False),
        ("film", (3, 16, 64, 64), 256, False),
        ("vector", (512,), 256, False),
        ("vector", (5,), 256, False),
    ],
)
def test_parts_fit_the_item_and_the_passes(sort, shape, passes, apart):
    window, stride = patches(sort, shape, passes, apart)
    assert len(window) == len(stride) == len(shape)
    for step, size, whole in zip(stride, window, shape, strict=True):
        assert 1 <= step <= size <= whole
    places = [-(-(w - s) // d) + 1 for w, s, d in zip(shape, window, stride, strict=True)]
    assert min(passes, 64, np.prod(shape)) / 4 <= np.prod(places) <= passes
    if sort == "picture":
        assert window[1] == window[2] or min(shape[1:]) == min(window[1:])

"""What networks refuse, in one line that says what would do."""

import pytest

from deepself.networks import build

REFUSALS = [
    # type, input shape, settings, words of the message
    ("cnn1", (1, 99), {}, ["'cnn1'", "did you mean 'cnn1d'"]),
    ("transformer", (1, 99), {}, ["unknown network type", "resnet18"]),
    ("cnn1d", (1, 99), {"chanels": [3]}, ["no setting 'chanels'", "did you mean 'channels'"]),
    ("cnn1d", (1, 8, 99), {}, ["cnn1d takes signals (channels, samples)", "(1, 8, 99)"]),
    ("cnn2d", (1, 99), {}, ["cnn2d takes images", "(1, 99)"]),
    ("cnn3d", (3, 64, 64), {}, ["cnn3d takes films (channels, frames", "(3, 64, 64)"]),
    ("rnn", (99,), {}, ["rnn takes signals", "or images", "or films", "(99,)"]),
    ("cnn_rnn", (99,), {}, ["cnn_rnn takes signals", "(99,)"]),
    ("resnet18", (3, 99), {}, ["resnet18 takes images", "(3, 99)"]),
    ("mn04_as", (128, 500), {}, ["mn04_as takes images", "(128, 500)"]),
    ("mn04_as", (1, 64, 500), {}, ["(1, 128, frames)", "(1, 64, 500)"]),
    ("mn04_as", (1, 128, 500), {"width": 0}, ["no setting 'width'"]),
    ("dense", (2, 3, 4, 5, 6), {}, ["dense takes vectors"]),
    ("dense", (0,), {}, ["axis without elements"]),
    ("dense", (5,), {"activation": "rely"}, ["activation", "did you mean 'relu'"]),
    ("dense", (5,), {"normalisation": "instance"}, ["normalisation", "batch, layer, none"]),
    ("dense", (5,), {"normalisation": "layer", "hidden": [4, 1]}, ["hidden layer 2", "at least 2"]),
    ("dense", (5,), {"hidden": [0]}, ["hidden", "at least 1"]),
    ("dense", (5,), {"dropout": 2.0}, ["dropout"]),
    ("cnn1d", (1, 7), {}, ["layer 3", "1 samples", "pool of 2", "at most 1 fits"]),
    ("cnn1d", (1, 3), {"kernel_size": 5, "padding": 0}, ["layer 1", "3 samples", "kernel of 5"]),
    ("cnn1d", (1, 20), {"kernel_size": 9, "padding": 0}, ["layer 2", "6 samples", "at most 6"]),
    ("cnn2d", (1, 4, 99), {"pool": [1, 1, 5]}, ["layer 3", "4 bins", "pool of 5", "at most 4"]),
    ("cnn2d", (1, 99, 4), {"pool": [[3, 1], 1, [1, 9]]}, ["layer 3", "4 frames", "at most 4"]),
    ("cnn1d", (1, 99), {"kernel_size": [3, 3]}, ["kernel_size has 2 entries for 3 layers"]),
    ("cnn1d", (1, 99), {"pool": [[2, 2], 1, 1]}, ["pool of layer 1", "one number"]),
    ("cnn2d", (1, 99, 9), {"pool": [[2, 2, 2], 1, 1]}, ["pool of layer 1", "[bins, frames]"]),
    ("cnn3d", (1, 9, 9, 9), {"pool": [2, [2, 2], 1]}, ["layer 2", "[frames, height, width]"]),
    ("cnn3d", (1, 4, 99, 99), {}, ["layer 3", "1 frames", "pool of 2", "at most 1 fits"]),
    ("cnn3d", (1, 9, 3, 99), {"padding": 0, "kernel_size": 5}, ["3 pixels of height", "kernel"]),
    ("cnn3d", (1, 9, 9, 7), {"pool": [1, 1, [1, 1, 8]]}, ["layer 3", "7 pixels of width"]),
    (
        "cnn1d",
        (1, 20),
        {"padding": 0, "dilation": [1, 5, 1]},
        ["layer 2", "9 samples", "kernel of 3 with a dilation of 5, which covers 11", "at most 9"],
    ),
    ("cnn1d", (1, 99), {"dilation": 0}, ["dilation of layer 1", "at least 1"]),
    ("cnn1d", (1, 99), {"groups": 4}, ["layer 1: 4 groups", "1 input and 16", ": 1 alone fits"]),
    (
        "cnn1d",
        (6, 99),
        {"groups": [3, 2, 5], "channels": [6, 8, 12]},
        ["layer 3: 5 groups", "8 input and 12 output channels: 1, 2, 4 fit"],
    ),
    ("cnn1d", (6, 99), {"groups": [3, 2]}, ["groups has 2 entries for 3 layers"]),
    ("cnn2d", (1, 99, 99), {"groups": [[1, 1], 2, 2]}, ["groups of layer 1", "one number"]),
    ("cnn1d", (1, 99), {"pool_type": "avg"}, ["pool_type", "max, average"]),
    ("cnn1d", (1, 99), {"pool_type": "mean", "pool": 1}, ["pool_type", "max, average"]),
    ("cnn1d", (1, 4), {"normalisation": "instance"}, ["layer 3", "instance", "one value"]),
    ("cnn1d", (1, 1), {"normalisation": "layer", "channels": [1]}, ["layer 1", "batch, none"]),
    ("cnn1d", (1, 99), {"stride": 0}, ["stride of layer 1", "at least 1"]),
    ("cnn1d", (1, 99), {"stride": 1.5}, ["stride of layer 1", "1.5"]),
    ("cnn1d", (1, 99), {"padding": -1}, ["padding of layer 1", "at least 0"]),
    ("cnn1d", (1, 99), {"padding": "valid"}, ["padding", "same"]),
    ("cnn1d", (1, 99), {"channels": []}, ["channels is empty"]),
    ("cnn1d", (1, 99), {"channels": [4, 0]}, ["channels of layer 2"]),
    ("cnn1d", (1, 99), {"normalisation": "grup"}, ["did you mean 'group'"]),
    ("cnn1d", (1, 99), {"readout": "men"}, ["did you mean 'mean'"]),
    ("rnn", (1, 16000), {}, ["16,000 raw samples", "hopelessly slow", "set frame"]),
    ("rnn", (1, 99), {"frame": 100}, ["frame of 100", "99 samples"]),
    ("rnn", (1, 99), {"frame": 0}, ["frame", "at least 1"]),
    ("rnn", (1, 20, 99), {"frame": 4}, ["frame is for signals", "this image"]),
    ("rnn", (1, 20, 9, 9), {"frame": 4}, ["frame is for signals", "this film"]),
    ("rnn", (1, 99), {"cell": "grue"}, ["did you mean 'gru'"]),
    ("rnn", (1, 99), {"readout": "max"}, ["readout", "last, mean, attention"]),
    ("cnn_rnn", (1, 16000), {}, ["2,000 steps", "raise pool or stride"]),
    ("cnn_rnn", (1, 4, 99), {"pool": 3}, ["layer 2", "1 bins", "pool of 3"]),
]


@pytest.mark.parametrize(("name", "shape", "settings", "words"), REFUSALS)
def test_refuses(name, shape, settings, words):
    with pytest.raises(ValueError) as error:
        build(name, shape, 2, **settings)
    message = str(error.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("classes", [0, 1])
def test_refuses_less_than_two_classes(classes):
    with pytest.raises(ValueError, match="at least two classes"):
        build("dense", (5,), classes)

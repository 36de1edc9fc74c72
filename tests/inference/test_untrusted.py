"""What others send: it is refused before memory or time is spent on it."""

import io
import zipfile
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import scipy.io
import soundfile
from torch import nn

from deepself.dataset.readers import ReadError
from deepself.errors import UserError
from deepself.inference import unpacking
from deepself.inference.bounds import _require_no_circle
from deepself.inference.fitting import fitting_weights
from deepself.networks import build
from deepself.store.files import atomic_path
from deepself.study.dataset import AudioModality, SensorModality
from tests.dataset.encoding import encoded

AUDIO = AudioModality(kind="audio", sample_rate=16000)
SENSOR = SensorModality(kind="sensor", sample_rate=100)
CODED = {
    "a.m4a": ("ipod", "aac", "fltp"),
    "a.mka": ("matroska", "aac", "fltp"),
    "a.caf": ("caf", "alac", "s16p"),  # libsndfile knows the form, and not this code in it
}


def packed(name):
    """Silence of 10,000 samples, in a file of a kind."""
    file, silence = io.BytesIO(), np.zeros(10000, dtype=np.float32)
    match name:
        case "a.flac" | "a.mp3":
            soundfile.write(file, silence, 16000, format=name[2:].upper())
        case "a.m4a" | "a.mka" | "a.caf":
            file.write(encoded(silence[None], *CODED[name], 16000))
        case "a.npz":
            np.savez_compressed(file, x=silence)
        case "a.mat":
            scipy.io.savemat(file, {"x": silence}, do_compression=True)
        case "a.h5":
            with h5py.File(file, "w") as own:
                own.create_dataset("x", data=silence, compression="gzip")
    return file.getvalue()


SOUNDS = ["a.flac", "a.mp3", *CODED]


@pytest.mark.parametrize("name", [*SOUNDS, "a.npz", "a.mat", "a.h5"])
def test_content_that_would_fill_the_memory_is_refused_unread(name, monkeypatch):
    modality, content = AUDIO if name in SOUNDS else SENSOR, packed(name)
    unpacking.require_room(modality, name, content)
    monkeypatch.setattr(unpacking, "ITEM", 9000)
    coded = name == "a.mp3" or name in CODED  # in whole frames, after what coding needs first
    said = r"holds 1[0-2],\d\d\d numbers" if coded else r"holds 10,\d\d\d numbers"
    with pytest.raises(ReadError, match=f"{said} once it is unpacked"):
        unpacking.require_room(modality, name, content)


@pytest.mark.parametrize("content", [b"", b"fLaC", b"RIFF" + bytes(40), b"\x89HDF\r\n", b"PK"])
def test_what_is_damaged_is_left_to_its_reader(content):
    for modality, name in ((AUDIO, "a.wav"), (SENSOR, "a.npz"), (SENSOR, "a.mat")):
        unpacking.require_room(modality, name, content)


def test_an_archive_is_counted_whole_by_the_shapes_of_its_arrays(monkeypatch):
    file = io.BytesIO()
    np.savez_compressed(file, **{name: np.zeros(1000) for name in "abc"})
    monkeypatch.setattr(unpacking, "ITEM", 2999)
    with pytest.raises(ReadError, match="holds 3,000 numbers"):
        unpacking.require_room(SENSOR, "a.npz", file.getvalue())


def test_an_array_that_says_it_is_huge_is_refused(monkeypatch):
    array, file = io.BytesIO(), io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1 << 40)}
    np.lib.format.write_array_header_1_0(array, header)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", array.getvalue())
    with pytest.raises(ReadError, match="holds 1,208,925,819,614,629,174,706,176 numbers"):
        unpacking.require_room(SENSOR, "a.npz", file.getvalue())


@pytest.fixture
def weights(tmp_path):
    """Of a network, without its layer of classes."""
    from safetensors.torch import save

    network = build("dense", (1, 40), 2, hidden=[8, 8])
    state = {n: v for n, v in network.state_dict().items() if v.shape[:1] != (2,)}
    with atomic_path(tmp_path / "w.safetensors") as path:
        path.write_bytes(save(state))
    return tmp_path / "w.safetensors"


def test_a_network_that_its_weights_do_not_fill_is_never_built(weights):
    def dense(hidden):
        def make(shape):
            network = build("dense", shape, 2, hidden=hidden)
            assert all(p.is_meta for p in network.parameters()), "memory was taken for it"
            return network

        fitting_weights({"hidden": hidden}, (1, 40), weights, make)

    dense([8, 8])
    with pytest.raises(UserError, match=r"w.safetensors: hidden.0 60000 is larger than any"):
        dense([60000, 60000])
    with pytest.raises(UserError, match=r"w.safetensors: not the weights of this network"):
        dense([256] * 300)


def test_a_layer_of_many_classes_may_lack(weights):
    def make(shape):
        network = build("dense", shape, 2, hidden=[8, 8])
        network.extra = nn.Linear(8, 1000)
        return network

    fitting_weights({}, (1, 40), weights, make)


def test_features_of_features_are_followed_once_each():
    """Forty floors of two that each read both below: 2 to the 40th ways."""
    below = {f"{side}{n}": [f"a{n - 1}", f"b{n - 1}"] for n in range(1, 40) for side in "ab"}
    spec = SimpleNamespace(sources=lambda name: below.get(name, []))
    _require_no_circle(spec, "a39")
    below["a0"] = ["a39"]
    with pytest.raises(ValueError, match="features.a39.of: it is made from itself"):
        _require_no_circle(spec, "a39")

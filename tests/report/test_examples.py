"""One item of each kind of feature is drawn for what it is."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from deepself.report.drawing import PITCH_CLASSES, film_frames
from deepself.report.examples import BUDGET, examples
from deepself.report.specification import specification_text
from deepself.store.feature_writer import Batch, FeatureWriter, Header


@pytest.fixture
def draw(tmp_path):
    """Write items of two recordings, `a` and `b`, and draw the second."""

    def run(kind, items, counts=(1, 1), starts=None, lengths=None, settings=None, **axes):
        feature = {"kind": kind, **(settings or {})}
        specification = {"slice": {"feature": feature}, "recordings": "0" * 64}
        header = Header(["a", "b"], ["x", "y"], specification, {}, **axes)
        path = tmp_path / "feature.h5"
        with FeatureWriter(path, header) as file:
            file.append(Batch(np.asarray(items, np.float32), list(counts), starts, lengths))
        found = examples("f", kind, str(path), [("b", "x"), ("missing", "y")], features=1)
        (example,) = found.items
        assert example.item == "b"
        return found, example

    return run


def values(figure):
    """What a heat map shows."""
    z = figure["data"][0]["z"]
    shape = [int(n) for n in z["shape"].split(",")]
    return np.frombuffer(base64.b64decode(z["bdata"]), "<f4").reshape(shape)


def pixels(example):
    data = example.picture.removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_long_and_many_channelled_features_are_thinned(draw):
    rng = np.random.default_rng(0)
    found, example = draw("waveform", rng.normal(size=(2, 14, 100_003)), frame_rate=250.0)
    assert found.note == "The first 4 of 14 channels."
    assert all(len(trace["y"]) < 1200 for trace in example.figure["data"])


def test_large_spectra_are_averaged(draw):
    rng = np.random.default_rng(0)
    hertz = np.linspace(0, 4000, 513)
    found, example = draw("spectrogram", rng.normal(size=(2, 2, 513, 1501)), frequencies=hertz)
    assert found.note == "The first of 2 channels."
    assert values(example.figure).size <= BUDGET


@pytest.mark.parametrize(
    ("kind", "rows", "hertz", "title"),
    [
        ("log_mel", 8, np.arange(1.0, 9), "Hz"),
        ("mfcc", 20, None, "coefficient"),
        ("chroma", 12, None, "pitch class"),
        ("chroma", 24, None, "pitch class"),
    ],
)
def test_rows_are_called_what_they_are(draw, kind, rows, hertz, title):
    items = np.arange(2.0 * rows * 5).reshape(2, 1, rows, 5)
    _, example = draw(kind, items, frequencies=hertz, frame_rate=10.0)
    layout, (trace,) = example.figure["layout"], example.figure["data"]
    assert layout["yaxis"]["title"]["text"] == title
    assert layout["xaxis"]["title"]["text"] == "seconds"
    assert ("Hz" in trace["hovertemplate"]) == (hertz is not None)
    if rows == 12:
        assert trace["y"] == list(PITCH_CLASSES)
    np.testing.assert_array_equal(values(example.figure), items[1, 0])


@pytest.mark.parametrize(
    ("channels", "order", "said"),
    [
        (1, 0, ""),
        (2, 1, "The first of 2 channels; the other is its difference in time."),
        (3, 2, "the others are its first and second difference in time."),
        (6, 2, "The first of 6 channels, two thirds of them differences in time."),
    ],
)
def test_differences_in_time_are_named(draw, channels, order, said):
    found, _ = draw("mfcc", np.ones((2, channels, 4, 9)), settings={"deltas": order})
    assert said in found.note
    assert bool(found.note) == bool(said)


def test_the_first_window_is_drawn_and_said_so(draw):
    items = np.arange(5.0)[:, None, None, None] * np.ones((1, 3, 4))
    starts = np.array([0.0, 0.5, 0.0, 0.5, 1.0])
    _, example = draw("log_mel", items, counts=(2, 3), starts=starts)
    assert example.note == "window from 0 s, the first of 3"
    assert (values(example.figure) == 2).all()


def test_what_fills_an_item_up_is_not_drawn(draw):
    lengths = np.array([100, 40])
    _, example = draw("waveform", np.ones((2, 1, 100)), lengths=lengths, frame_rate=10.0)
    assert example.figure["data"][0]["x"][-1] == 3.9
    assert example.note == "true length: 40 of 100 samples"


def test_spectra_and_films_are_cropped_along_time(draw):
    _, example = draw("log_mel", np.ones((2, 1, 3, 50)), lengths=np.array([50, 7]))
    assert values(example.figure).shape == (3, 7)
    _, example = draw("log_mel", np.ones((2, 1, 3, 50)), lengths=np.array([7, 50]))
    assert example.note == ""


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["picture", "rendered"])
def test_pictures_are_pictures(draw, kind, channels):
    items = np.random.default_rng(0).uniform(size=(2, channels, 24, 32))
    found, example = draw(kind, items)
    expected = (items[1].astype(np.float32) * 255).round().transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels(example).reshape(24, 32, channels), expected)
    assert example.figure is None and found.note == ""
    assert found.axes == ("channels", "height", "width")


@pytest.mark.parametrize(
    ("length", "shown"), [(11, [0, 2, 4, 6, 8, 10]), (4, [0, 1, 2, 3]), (1, [0])]
)
def test_frames_of_a_film_stand_side_by_side(draw, length, shown):
    film = np.arange(11.0)[:, None, None] / 10 * np.ones((2, 3, 1, 20, 30))
    found, example = draw("film", film, lengths=np.array([11, length]), frame_rate=5.0)
    assert film_frames(length) == shown
    drawn = pixels(example)
    assert drawn.shape == (20, 34 * len(shown) - 4, 3)
    assert (drawn[0, 10::34, 0] == [round(25.5 * frame) for frame in shown]).all()
    assert f"{len(shown)} of {length} frames, at 0" in example.note
    assert found.wide
    assert found.axes == ("channels", "frames", "height", "width")


def test_an_embedding_is_a_line(draw):
    found, example = draw("embedding", np.arange(20.0).reshape(2, 10))
    assert example.figure["data"][0]["y"] == list(range(10, 20))
    assert found.axes == ("dimensions",)


def test_the_specification_says_what_was_chosen():
    source = {"version": 2, "feature": {"kind": "log_mel", "modality": None, "deltas": 0}}
    source["modality"] = {"channels": [0, "Fp1"], "duration": None, "sample_rate": 173.61}
    embedding = {"kind": "embedding", "network": "resnet18", "of": None, "weights": "f" * 64}
    specification = {
        "slice": {"version": 2, "feature": embedding, "of": source},
        "recordings": "0123456789abcdef",
        "samples": 4097,
    }
    assert specification_text(specification).splitlines() == [
        "feature:",
        "  kind: embedding",
        "  network: resnet18",
        f"  weights: {'f' * 12}",
        "of:",
        "  feature:",
        "    kind: log_mel",
        "    deltas: 0",
        "  modality:",
        "    channels: [0, Fp1]",
        "    sample_rate: 173.61",
        "samples: 4097",
        "recordings: 0123456789ab",
        "version of extract: 2",
    ]

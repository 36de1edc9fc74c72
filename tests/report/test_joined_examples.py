"""A joined feature is drawn part by part, each to its own scale."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from deepself.report.examples import examples
from deepself.report.specification import specification_text
from deepself.store.feature_writer import Batch, FeatureWriter, Header


@pytest.fixture
def draw(tmp_path):
    """Write items of one recording of a joined feature, and draw them."""

    def run(kind, items, parts, along="channels", lengths=None, **axes):
        slices = [
            {"feature": {"kind": part, "of": None}, "modality": {"kind": modality}}
            for part, modality, _ in parts
        ]
        specification = {
            "slice": {"feature": {"kind": kind, "along": along}, "of": slices},
            "recordings": "0" * 64,
            "parts": [size for *_, size in parts],
        }
        path = tmp_path / "feature.h5"
        with FeatureWriter(path, Header(["a"], ["x"], specification, {}, **axes)) as file:
            file.append(Batch(np.asarray(items, np.float32)[None], [1], None, lengths))
        found = examples("f", kind, str(path), [("a", "x")], features=1)
        (example,) = found.items
        return found, example

    return run


def shown(trace):
    shape = [int(n) for n in trace["z"]["shape"].split(",")]
    return np.frombuffer(base64.b64decode(trace["z"]["bdata"]), "<f4").reshape(shape)


def pixels(example):
    data = example.picture.removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_rows_of_each_part_have_their_own_axes_and_colours(draw):
    item = np.concatenate([np.full((2, 16, 5), -80.0), np.ones((2, 12, 5))], axis=1)
    parts = [("log_mel", "audio", 16), ("chroma", "audio", 12)]
    found, example = draw("joined_spectra", item, parts, "bins", frame_rate=10.0)
    assert found.note == (
        "Joined rows: 16 of log_mel of audio, 12 of chroma of audio; the first channel of each "
        "is shown."
    )
    data, layout = example.figure["data"], example.figure["layout"]
    assert [shown(trace).shape for trace in data] == [(16, 5), (12, 5)]
    assert [trace["yaxis"] for trace in data] == ["y", "y2"]
    assert layout["yaxis2"]["title"]["text"] == "pitch class"
    assert layout["xaxis2"]["title"]["text"] == "seconds"
    assert not layout["xaxis"]["title"]["text"] and not layout["xaxis"]["showticklabels"]
    low, high = layout["yaxis2"]["domain"], layout["yaxis"]["domain"]
    assert 0 < low[0] < low[1] < high[0] < high[1] < 1
    assert [note["text"] for note in layout["annotations"]] == [
        "log_mel of audio",
        "chroma of audio",
    ]


def test_of_each_parts_channels_the_first_is_drawn(draw):
    item = np.arange(3.0)[:, None, None] * np.ones((3, 4, 9))
    parts = [("log_mel", "sensor", 2), ("log_mel", "audio", 1)]
    found, example = draw("joined_spectra", item, parts, lengths=np.array([7]))
    assert [shown(trace).mean() for trace in example.figure["data"]] == [0, 2]
    assert {shown(trace).shape for trace in example.figure["data"]} == {(4, 7)}
    assert "channels: 2 of log_mel of sensor, 1 of log_mel of audio; the first" in found.note


def test_waves_have_each_their_own_scale(draw):
    item = np.stack([np.sin(np.arange(50)), 1000 * np.cos(np.arange(50))])
    parts = [("waveform", "audio", 1), ("waveform", "sensor", 1)]
    found, example = draw("joined_waveforms", item, parts, frame_rate=50.0)
    quiet, loud = (np.abs(trace["y"]).max() for trace in example.figure["data"])
    assert (quiet, loud) == pytest.approx((1, 1000), rel=1e-2)
    assert not found.note.endswith("is shown.")


def test_pictures_stand_side_by_side_in_their_colours(draw):
    item = np.stack([np.zeros((8, 6)), np.ones((8, 6)), np.zeros((8, 6)), np.full((8, 6), 0.6)])
    parts = [("picture", "image", 3), ("rendered", "", 1)]
    found, example = draw("joined_pictures", item, parts)
    drawn = pixels(example)
    assert drawn.shape == (8, 6 + 4 + 6, 3)
    assert drawn[0, 0].tolist() == [0, 255, 0] and drawn[0, -1].tolist() == [153] * 3
    assert found.note == "Joined channels: 3 of picture of image, 1 of rendered."


def test_pictures_that_are_one_picture_are_drawn_as_it(draw):
    item = np.concatenate([np.zeros((1, 8, 6)), np.ones((1, 8, 6))], axis=2)
    parts = [("picture", "image", 6), ("picture", "image", 6)]
    _, example = draw("joined_pictures", item, parts, "width")
    assert pixels(example).shape[:2] == (8, 12)


def test_films_are_strips_below_one_another(draw):
    item = np.linspace(0, 1, 2 * 3 * 8 * 6).reshape(2, 3, 8, 6)
    parts = [("film", "video", 1), ("film", "video", 1)]
    found, example = draw("joined_films", item, parts, frame_rate=3.0)
    assert found.wide and found.axes == ("channels", "frames", "height", "width")
    assert pixels(example).shape == (8 + 4 + 8, 3 * 6 + 2 * 4, 3)


def test_vectors_are_one_line(draw):
    parts = [("embedding", "", 7), ("waveform", "audio", 5)]
    found, example = draw("joined_vectors", np.arange(12.0), parts, "values")
    assert example.figure["data"][0]["y"] == list(range(12))
    assert found.note == "Joined dimensions: 7 of embedding, 5 of waveform of audio."


def test_the_specification_lists_what_is_joined(draw):
    parts = [("embedding", "", 7), ("waveform", "audio", 5)]
    found, _ = draw("joined_vectors", np.arange(12.0), parts, "values")
    lines = found.specification.splitlines()
    first, second = lines.index("of (1):"), lines.index("of (2):")
    assert lines[first + 1 : first + 3] == ["  feature:", "    kind: embedding"]
    assert "    kind: waveform" in lines[second:]
    assert specification_text({"slice": {"feature": {"kind": "waveform"}}, "recordings": "0"})

"""Bundles as programs: what they compute, what they are given, and their files."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deepself.cli import main
from deepself.errors import UserError
from deepself.fusion.rules import majority_vote
from deepself.inference.answers import Asked
from deepself.inference.bundle import Bundle
from deepself.inference.program import Program, writing
from deepself.inference.program.examples import Examples
from deepself.networks.registry import NETWORKS
from deepself.study.features import AnyFeature
from deepself.study.fusions import METHODS
from deepself.training.classifiers.run import FAMILIES
from tests.inference import program_drafts as drafts
from tests.inference.program_bundles import write_bundle

ROWS = 4
CLOSE = 1e-5
ROUNDED = 1e-4  # where a feature is kept in 16 bits: what is nearly halfway goes either way


class Prepared:
    """A bundle, and recordings with all of its features."""

    def __init__(self, folder, draft):
        self.folder = write_bundle(folder / "bundle", draft)
        self.bundle = Bundle(self.folder, "cpu")
        whole = Program(self.bundle, fold=self.bundle.spec.folds[0])
        random = np.random.default_rng(3)
        examples = Examples(self.bundle, whole)
        self.recordings = [examples._recordings(random, odd % 2 == 1) for odd in range(ROWS)]
        names = list(self.bundle.spec.features)
        self.features = [self.bundle.chain.make(names, one) for one in self.recordings]

    def given(self, program):
        """The program's inputs of these recordings."""
        return tuple(torch.from_numpy(np.stack(self._given(one))) for one in program.inputs)

    def _given(self, one):
        if one.kind == "recording":
            return [recordings[one.of].values for recordings in self.recordings]
        made = [features[one.of] for features in self.features]
        if one.kind == "lengths":
            return [batch.lengths[0] for batch in made]
        return [batch.items if one.windowed else batch.items[0] for batch in made]

    def wanted(self, fold, calibrated=False):
        asked = Asked(fold, calibrated)
        return self.bundle.of_features(self.features, asked)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tiny tensors stay on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Prepared(tmp_path_factory.mktemp("small"), drafts.SMALL)


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    return Prepared(tmp_path_factory.mktemp("loud"), drafts.LOUD)


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    return Prepared(tmp_path_factory.mktemp("masked"), drafts.MASKED)


@pytest.fixture(scope="module")
def free(tmp_path_factory):
    return Prepared(tmp_path_factory.mktemp("free"), drafts.FREE)


def require_same(prepared, fold, **options):
    program = Program(prepared.bundle, fold=fold, **options)
    found, label = program(*prepared.given(program))
    wanted = prepared.wanted(fold, options.get("calibrated", False))
    assert found.dtype == torch.float32
    assert found.shape == (ROWS, 3)
    close = ROUNDED if {"log_mel", "trace_too"} & set(program.made) else CLOSE
    assert np.abs(found.numpy() - wanted).max() < close
    np.testing.assert_array_equal(label, wanted.argmax(1))
    return program


@pytest.mark.parametrize("fold", [*drafts.SMALL.models, *drafts.SMALL.fusions])
def test_a_program_says_what_the_bundle_says(small, fold):
    require_same(small, fold)


@pytest.mark.parametrize("fold", drafts.LOUD.models)
def test_front_ends_of_published_networks_are_the_same(loud, fold):
    assert [one.name for one in require_same(loud, fold).inputs] == ["audio"]


@pytest.mark.parametrize("fold", ["log_mel_cnn", "svm", "borda", "geometric_mean"])
def test_calibrated_probabilities_are_the_same(small, fold):
    plain, calibrated = small.wanted(fold), small.wanted(fold, calibrated=True)
    # Some of what is drawn is nearly even, some nearly sure: of both the logarithm changes.
    assert np.abs(np.log(plain) - np.log(calibrated)).max() > 0.05
    require_same(small, fold, calibrated=True)


def test_all_folds_answer_together(small):
    program = require_same(small, None)
    assert len(program.runs) == len(drafts.SMALL.models)


def test_every_kind_of_feature_network_classifier_and_fusion_is_tried():
    every = [drafts.SMALL, drafts.LOUD]
    kinds = {spec["kind"] for draft in every for spec in draft.features.values()}
    classes = {
        one.model_fields["kind"].annotation.__args__[0] for one in AnyFeature.__args__[0].__args__
    }
    assert classes <= kinds
    models = [model for draft in every for model in draft.models.values()]
    networks = {model["network"]["type"] for model in models if "network" in model}
    targets = {NETWORKS[name].target for name in networks - {"branches"}}
    assert targets == {entry.target for entry in NETWORKS.values()}
    assert {m["classifier"]["type"] for m in models if "classifier" in m} == set(FAMILIES)
    assert {record["method"] for _, record in drafts.FUSIONS.values()} == set(METHODS)


def test_ties_are_settled_before_probabilities_are_rounded(small):
    """Votes that are equal differ by less than float32 can tell."""
    from deepself.inference.program.fusing import combining
    from deepself.inference.spec import Part

    given = np.array([[[0.2, 0.41, 0.39]], [[0.2, 0.39, 0.4100001]]])
    part = Part(
        fold="1",
        seed=0,
        candidates={"a": "a", "b": "b"},
        fusion={"method": "majority_vote"},
        temperature=1.0,
    )
    found = combining(part, drafts.CLASSES, calibrated=False)(torch.from_numpy(given))
    wanted = majority_vote(given)
    assert wanted.argmax() == 2
    assert found.argmax() == 2
    assert found.float()[0, 1] == found.float()[0, 2]


def test_a_recording_is_predicted_as_by_the_bundle(small):
    program = Program(small.bundle, fold="log_mel_cnn")
    wave = small.recordings[1]["audio"].values
    (one,) = program.inputs
    found, _ = program(torch.from_numpy(wave[None]))
    sources = {name: own.values for name, own in small.recordings[1].items()}
    sources["sensor"] = sources["sensor"][::-1]  # the study swaps its channels
    wanted = Asked("log_mel_cnn")
    answers = [next(iter(Bundle(small.folder, "cpu").stream([("x", _as_given(sources))], wanted)))]
    assert one.described()["shape"] == ["batch", 1, 500]
    assert not answers[0].problem
    probabilities = list(answers[0].predictions[0].probabilities.values())
    np.testing.assert_allclose(found[0].numpy(), probabilities, atol=CLOSE)


def _as_given(sources):
    from deepself.inference.opening import Given

    rates = {"audio": 2000.0, "sensor": 200.0}
    return {name: Given(values, rates.get(name)) for name, values in sources.items()}


@pytest.mark.parametrize(
    ("fold", "inputs"),
    [
        ("log_mel_cnn", {"audio": (1, 500)}),
        ("film_cnn", {"film": (1, 8, 8, 8)}),
        ("shade_cnn", {"picture": (3, 12, 12)}),
        ("filtered_piczak", {"filtered": (1, 16, 32)}),
        ("filtered_cnn", {"filtered_trace": (4, 2, 20)}),
        ("viridis_cnn", {"viridis": (3, 16, 16)}),
        ("seen_cnn", {"wavelets": (1, 8, 32)}),
        ("mixed_dense", {"audio": (1, 500), "sensor": (2, 50)}),
    ],
)
def test_what_cannot_be_expressed_is_an_input(small, fold, inputs):
    found = Program(small.bundle, fold=fold).inputs
    assert {one.name: one.shape for one in found} == inputs
    outside = [one for one in found if one.kind == "items"]
    assert all(one.reason in one.to_do and one.of in drafts.OUTSIDE for one in outside)
    assert bool(outside) == bool(set(inputs) & drafts.OUTSIDE)


@pytest.mark.parametrize("fold", ["short_cnn", "svm", "mixed_dense", "film_cnn", "cross_attention"])
def test_features_are_left_out_on_purpose(small, fold):
    program = require_same(small, fold, outside=True)
    assert {one.kind for one in program.inputs} == {"items"}
    assert all("--features outside" in one.to_do for one in program.inputs)


def test_a_feature_called_like_its_modality_is_told_apart(small):
    (one,) = Program(small.bundle, fold="film_cnn", outside=True).inputs
    assert one.name == "film_items"


def test_waveforms_from_outside_say_their_rate(small):
    (one,) = Program(small.bundle, fold="filtered_cnn").inputs
    assert one.described()["sample_rate"] == 200.0
    assert one.to_do.startswith("items of the feature filtered_trace at 200 Hz")
    assert one.to_do.endswith("all windows of a recording (outside for its filter)")


@pytest.mark.parametrize("fold", ["cnn", "item", "shown"])
def test_true_lengths_are_respected(masked, fold):
    program = require_same(masked, fold)
    lengths = [one for one in program.inputs if one.kind == "lengths"]
    assert [one.name for one in lengths] == ([] if fold == "shown" else ["log_mel_lengths"])


def test_recurrent_networks_over_true_lengths_are_refused(masked):
    with pytest.raises(UserError, match="gru is recurrent over true lengths"):
        Program(masked.bundle, fold="gru")


@pytest.mark.parametrize("fold", ["cnn", "shown"])
def test_windows_of_recordings_of_any_length_are_averaged(free, fold):
    (one,) = require_same(free, fold).inputs
    assert one.described()["shape"] == ["batch", "windows", 1, 16, 7]


def test_a_fold_that_is_not_there_is_refused(small):
    with pytest.raises(UserError, match="no fold 'none'"):
        Program(small.bundle, fold="none")


def convert(prepared, path, to, *options):
    return main(["convert", str(prepared.folder), "--to", to, "--output", str(path), *options])


class Onnx:
    """An ONNX file, read by what knows nothing of this package."""

    def __init__(self, path: Path):
        import onnxruntime

        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.metadata = self._session.get_modelmeta().custom_metadata_map
        self.inputs = {one.name: one.shape for one in self._session.get_inputs()}

    def __call__(self, inputs, rows):
        given = {name: one[:rows].numpy() for name, one in zip(self.inputs, inputs, strict=True)}
        return self._session.run(["probabilities", "label"], given)


ONNX = [
    ("small", "chroma_lstm"),
    ("small", "short_both"),
    ("small", "forest"),
    ("small", "neighbours"),
    ("small", "pair"),
    ("masked", "cnn"),
    ("free", "shown"),
    ("loud", "mobilenet"),
]


@pytest.mark.parametrize(("which", "fold"), ONNX)
def test_onnx_says_what_the_bundle_says(which, fold, request, tmp_path):
    pytest.importorskip("onnxruntime")
    prepared = request.getfixturevalue(which)
    path = tmp_path / "a.onnx"
    assert convert(prepared, path, "onnx", "--fold", fold) == 0
    assert [one.name for one in tmp_path.iterdir()] == ["a.onnx"]
    read, program = Onnx(path), Program(prepared.bundle, fold=fold)
    inputs, wanted = prepared.given(program), prepared.wanted(fold)
    for rows in (1, ROWS):
        found, label = read(inputs, rows)
        assert found.dtype == np.float32
        assert np.abs(found - wanted[:rows]).max() < CLOSE
        np.testing.assert_array_equal(label, wanted[:rows].argmax(1))
    rates = {one.name: one.sample_rate for one in program.inputs if one.sample_rate}
    assert json.loads(read.metadata["sample_rates"]) == rates
    assert json.loads(read.metadata["classes"]) == drafts.CLASSES
    assert read.metadata["bundle"] == "bundle"
    described = json.loads(read.metadata["inputs"])
    assert {one["name"]: one["shape"] for one in described} == read.inputs
    assert set(json.loads(read.metadata["features"])) == set(prepared.bundle.spec.features)


def test_a_program_of_torch_is_read_without_this_package(small, tmp_path, capsys):
    path = tmp_path / "a.pt2"
    assert convert(small, path, "torch", "--fold", "regression", "--calibrated") == 0
    printed = capsys.readouterr().out
    assert "takes picture (batch, 3, 12, 12): pictures of this size" in printed
    extra = {writing.METADATA: ""}
    module = torch.export.load(path, extra_files=extra).module()
    program = Program(small.bundle, fold="regression")
    wanted = small.wanted("regression", calibrated=True)
    found, label = module(*small.given(program))
    assert np.abs(found.numpy() - wanted).max() < CLOSE
    np.testing.assert_array_equal(label, wanted.argmax(1))
    said = json.loads(extra[writing.METADATA])
    assert said["classes"] == drafts.CLASSES
    assert said["sample_rates"] == {}
    assert said["calibrated"] is True


def test_a_file_that_says_something_else_is_not_left(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(writing, "CLOSE", -1.0)
    assert convert(small, tmp_path / "a.pt2", "torch", "--fold", "trace_dense") == 1
    assert "not written: its probabilities differ" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_differs_from_its_bundle_is_refused(small, tmp_path, monkeypatch, capsys):
    """As it would if a feature's definition had changed, and the program's had not."""
    from deepself.inference.program import fronts

    monkeypatch.setattr(fronts, "_Logarithm", torch.nn.Identity)
    assert convert(small, tmp_path / "a.pt2", "torch", "--fold", "narrow_cnn") == 1
    assert "differ from the bundle's" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_program_may_be_more_exact_than_its_bundle(free, tmp_path, monkeypatch):
    """A network trained in 16 bits predicts in them, and its program in 32."""
    monkeypatch.setattr(writing, "SAME", 0.0)
    assert convert(free, tmp_path / "whole.pt2", "torch", "--fold", "cnn") == 1
    assert convert(free, tmp_path / "half.pt2", "torch", "--fold", "half") == 0
    program = Program(free.bundle, fold="half")
    found, _ = program(*free.given(program))
    assert 1e-5 < np.abs(found.numpy() - free.wanted("half")).max() < 0.05


def test_without_onnx_one_line_says_what_to_install(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert convert(small, tmp_path / "a.onnx", "onnx", "--fold", "trace_dense") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('pip install "deepself[onnx]"')


@pytest.mark.parametrize(("to", "name"), [("onnx", "a.pt2"), ("torch", "a.onnx")])
def test_the_suffix_says_the_form(small, tmp_path, to, name, capsys):
    assert convert(small, tmp_path / name, to, "--fold", "trace_dense") == 1
    assert "must end in" in capsys.readouterr().err

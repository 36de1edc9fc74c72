"""Explanations point at what the classes differ in, add up, and say what they cannot do."""

import numpy as np
import pytest
import soundfile

import deepself
from deepself.cli import main
from deepself.inference.explaining import (
    METHODS,
    Completeness,
    Effort,
    explain,
    explain_features,
    read,
)
from tests.inference.evident import CHANNEL, END, HERTZ, MODELS, START, write_evident
from tests.studying import finished_once

THERE = ("0", "4", "8", "12")
"""Recordings of class `there`."""


@pytest.fixture(scope="session")
def evident(tmp_path_factory):
    return finished_once(tmp_path_factory, "evident", write_evident)


@pytest.fixture(scope="session")
def bundles(evident):
    made = {}

    def bundle(kind, name):
        if name not in made:
            made[name] = deepself.load(evident.export(kind, name), device="cpu")
        return made[name]

    return bundle


def source(evident, bundle, name):
    (files,) = evident.files([name])
    return {modality: files[modality] for modality in bundle.spec.modalities}


def true_region(one, row=0):
    """Where the classes differ, of the shape of an item."""
    region = np.zeros(one.values.shape[1:], dtype=bool)
    if one.feature == "picture":
        region[:, 7:14, 1:8] = True  # with a pixel around it
    elif one.feature == "trace":
        region[CHANNEL] = True
    else:
        seconds = one.seconds + (0 if one.starts is None else one.starts[row])
        rows = np.abs(one.frequencies - HERTZ) < 300
        frames = (seconds > START - 0.06) & (seconds < END + 0.06)
        region[:, rows[:, None] & frames] = True
    return region


def share_within(one, row=0):
    sizes, region = np.abs(one.values[row]), true_region(one, row)
    return sizes[region].sum() / sizes.sum()


SEEN = [
    ("mel_cnn", "integrated_gradients"),
    ("mel_cnn", "occlusion"),
    ("mel_svm", "occlusion"),
    ("trace_cnn", "integrated_gradients"),
    ("trace_cnn", "occlusion"),
    ("picture_cnn", "integrated_gradients"),
    ("picture_cnn", "occlusion"),
]


@pytest.mark.parametrize(("model", "method"), SEEN)
def test_evidence_lies_where_the_classes_differ(evident, bundles, model, method):
    bundle = bundles("model", model)
    for name in THERE:
        found = explain(bundle, source(evident, bundle, name), method=method, target="there")
        (one,) = found.members[0].inputs
        assert one.values.shape == one.items.shape
        assert share_within(one) > 0.6
        assert one.values[0][true_region(one)].sum() > 0


@pytest.mark.parametrize("model", ["mel_cnn", "picture_cnn"])
def test_grad_cam_is_denser_where_the_classes_differ(evident, bundles, model):
    bundle = bundles("model", model)
    for name in THERE:
        found = explain(bundle, source(evident, bundle, name), method="grad_cam", target="there")
        (one,) = found.members[0].inputs
        assert share_within(one) > 1.5 * true_region(one).mean()


def test_each_window_has_a_row_of_its_own(evident, bundles):
    bundle = bundles("model", "windows")
    found = explain(bundle, source(evident, bundle, "0"), target="there", method="occlusion")
    (one,) = found.members[0].inputs
    assert one.starts.tolist() == [0, 0.25, 0.5, 0.75]
    assert one.values.shape == one.items.shape == (4, 1, 24, 13)
    assert share_within(one, 2) > 0.6
    assert one.values[2].sum() == max(row.sum() for row in one.values)
    assert found.members[0].about == "hides 6 rows × 4 frames at a time"


def test_a_class_and_its_only_alternative_have_opposite_evidence(evident, bundles):
    bundle = bundles("model", "mel_svm")
    given = source(evident, bundle, "0")
    one, other = (explain(bundle, given, target=t).members[0] for t in ("there", "not"))
    np.testing.assert_allclose(one.inputs[0].values, -other.inputs[0].values, atol=1e-6)
    assert one.method == "occlusion"
    assert one.quantity == "probability"
    assert one.probability + other.probability == pytest.approx(1)


def test_the_label_is_what_the_bundle_predicts(evident, bundles):
    for kind, name in (("model", "windows"), *(("fusion", n) for n in ("weighted", "stacked"))):
        bundle = bundles(kind, name)
        given = source(evident, bundle, "3")
        for fold in (None, "2"):
            found = explain(bundle, given, fold=fold, effort=Effort(4, 4, 12))
            said = bundle.predict(given, fold=fold)
            assert found.label == found.target == said.label
            assert found.probabilities == pytest.approx(said.probabilities)


def test_all_folds_are_the_mean_of_each(evident, bundles):
    bundle = bundles("model", "mel_cnn")
    recorded = read(bundle, source(evident, bundle, "0"))
    each = [explain_features(bundle, recorded, target="there", fold=f) for f in evident.folds]
    whole = explain_features(bundle, recorded, target="there")
    mean = np.mean([one.members[0].inputs[0].values for one in each], axis=0)
    np.testing.assert_allclose(whole.members[0].inputs[0].values, mean, atol=1e-5)
    assert len(whole.members[0].runs) == len(each) == 3
    assert np.abs(each[0].members[0].inputs[0].values - mean).max() > 1e-3
    assert whole.members[0].completeness.error < 0.02


def test_a_logit_that_does_not_change_has_no_share_that_is_missed():
    found = Completeness(np.array([[0.02, 0.1], [3, 0]]), np.array([[0, 0], [2, 1.0]]), 8)
    assert found.error == pytest.approx(1)  # 0.1 of 0.1, and 1 of 2
    assert Completeness(np.zeros((1, 2)), np.zeros((1, 2)), 8).error == 0


@pytest.mark.parametrize("name", ["mean", "weighted"])
def test_shares_of_a_mean_add_up(evident, bundles, name):
    bundle = bundles("fusion", name)
    found = explain(bundle, source(evident, bundle, "0"), effort=Effort(4, 4, 12))
    assert "add up" in found.rule
    assert sum(one.share for one in found.members) == pytest.approx(found.probability)
    if name == "mean":
        for one in found.members:
            assert one.share == pytest.approx(one.probability / 3)
    assert [one.share for one in found.members] == sorted(
        (one.share for one in found.members), reverse=True
    )


@pytest.mark.parametrize("name", ["geometric", "stacked"])
def test_other_shares_are_what_is_lost_without_a_member(evident, bundles, name):
    bundle = bundles("fusion", name)
    found = explain(bundle, source(evident, bundle, "0"), fold="1", effort=Effort(4, 4, 12))
    assert "falls without the member" in found.rule
    assert ("the mean of the others in its place" in found.rule) == (name == "stacked")
    if name == "geometric":
        (part,) = [part for part in bundle.spec.parts if part.fold == "1"]
        recorded = read(bundle, source(evident, bundle, "0"))
        said = bundle.of_runs([recorded.batches], part.candidates.values())
        target = bundle.classes.index(found.target)
        for member in found.members:
            others = [said[run] for name, run in part.candidates.items() if name != member.name]
            pooled = np.prod(others, axis=0) ** (1 / len(others))
            left = (pooled / pooled.sum())[0, target]
            assert member.share == pytest.approx(found.probability - left)


def test_numbers_are_written_whole(evident, bundles, tmp_path, capsys):
    folder = str(bundles("fusion", "mean").folder)
    files = [f"{m}={p}" for m, p in source(evident, bundles("fusion", "mean"), "0").items()]
    output = tmp_path / "new/numbers.npz"
    assert main(["explain", folder, *files, "--fold", "1", "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "mel_svm: occlusion of the probability" in said
    assert "mel_cnn: integrated_gradients of the logit, 64 steps" in said
    assert "share:" in said
    with np.load(output) as found:
        assert found["mel_cnn/log_mel/attributions"].shape == (1, 1, 24, 51)
        assert found["trace_cnn/trace/seconds"].tolist() == (np.arange(100) / 100).tolist()
        assert len(found["mel_cnn/log_mel/frequencies"]) == 24
        assert sorted(found["members"]) == ["mel_cnn", "mel_svm", "trace_cnn"]
        assert found["probabilities"].sum() == pytest.approx(1)
        totals, differences = found["mel_cnn/totals"], found["mel_cnn/differences"]
        np.testing.assert_allclose(totals, differences, rtol=0.05, atol=0.05)


def refused(capsys, *arguments):
    assert main(["explain", *map(str, arguments)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_bad_input_gets_one_line(evident, bundles, tmp_path, capsys):
    bundle = bundles("model", "mel_svm")
    sound = source(evident, bundle, "0")["audio"]
    line = refused(capsys, bundle.folder, tmp_path / "no.wav")
    assert line.endswith("no.wav: no such file")
    line = refused(capsys, bundle.folder, sound, "--target", "thare")
    assert "target: the bundle knows no class 'thare', did you mean there?" in line
    line = refused(capsys, bundle.folder, sound, "--fold", "9")
    assert "fold: the bundle has no fold '9'; it has 1, 2, 3" in line
    line = refused(capsys, bundle.folder, sound, "--method", "grad_cam")
    assert "mel_svm is a classifier (linear_svm), which has no gradients; use occlusion" in line
    line = refused(capsys, bundle.folder, sound, "--output", tmp_path / "x.pdf")
    assert "name it *.html, *.png, *.npz" in line
    line = refused(capsys, bundle.folder, sound, "--output", tmp_path / "x.png", "--device", "cuda")
    assert "GPU" in line
    line = refused(capsys, bundle.folder, sound, sound)
    assert "one recording at a time" in line
    line = refused(capsys, bundles("fusion", "mean").folder, sound)
    assert "give audio=FILE sensor=FILE" in line
    line = refused(capsys, bundles("fusion", "mean").folder, f"audio={sound}")
    assert "no sensor; the model reads audio, sensor" in line
    line = refused(capsys, tmp_path, sound)
    assert "no bundle" in line


def test_what_differs_from_the_study_is_noted(bundles, tmp_path):
    bundle = bundles("model", "mel_cnn")
    sound = np.random.default_rng(0).standard_normal(11025).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", 0.1 * sound, 11025)
    found = explain(bundle, tmp_path / "a.wav", effort=Effort(4, 4))
    assert found.notes == bundle.predict(tmp_path / "a.wav").notes
    assert any("recorded at 11025 Hz" in note for note in found.notes)


def test_the_verb_offers_what_there_is():
    from deepself.cli import explain as verb

    assert verb.METHODS == METHODS
    assert set(MODELS) >= {model for model, _ in SEEN}

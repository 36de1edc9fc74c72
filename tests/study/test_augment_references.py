"""An augmentation that does not suit what a model reads is one clear line that names its key."""

import pytest

from deepself.errors import UserError
from deepself.study import load
from tests.tiny import write_study

PICTURES = {
    "dataset.modalities.picture={kind: image, height: 8, width: 6}",
    "features.shade={kind: picture, modality: picture}",
}
SHADE = "models.cnn={feature: shade, network: {type: cnn2d, channels: [4]}, "
VECTOR = [
    *PICTURES,
    "features.vector={kind: embedding, of: shade, network: resnet18, weights: imagenet1k_v1}",
]
BRANCHED = (
    "models.cnn={network: {type: branches, branches: {a: {feature: log_mel, network: "
    "{type: cnn2d, channels: [4]}}, b: {feature: trace, network: {type: dense}}}}, "
    "training: {augmentation: [%s]}}"
)


def problem(tmp_path, *changes):
    with pytest.raises(UserError) as error:
        load(write_study(tmp_path), list(changes))
    return str(error.value)


@pytest.mark.parametrize(
    ("model", "augmentation", "message"),
    [
        ("dense", "frequency_mask", "frequency_mask is for spectra; trace is of kind waveform"),
        ("cnn", "gain", "gain is for waves; log_mel is of kind log_mel"),
        ("cnn", "flip", "flip is for pictures, films; log_mel is of kind log_mel"),
        ("dense", "rand_augment", "rand_augment is for pictures; trace is of kind waveform"),
    ],
)
def test_augmentation_of_another_sort(tmp_path, model, augmentation, message):
    given = f"models.{model}.training.augmentation=[{{type: mix_up}}, {{type: {augmentation}}}]"
    found = problem(tmp_path, given)
    assert f"models.{model}.training.augmentation.1: {message}" in found
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("augmentation", ["time_shift", "random_crop", "cut_mix", "noise"])
def test_embeddings_are_only_mixed_up(tmp_path, augmentation):
    changes = [*VECTOR, "models.dense.feature=vector"]
    load(write_study(tmp_path), [*changes, "models.dense.training.augmentation=[{type: mix_up}]"])
    given = f"models.dense.training.augmentation=[{{type: {augmentation}}}]"
    found = problem(tmp_path, *changes, given)
    assert f"models.dense.training.augmentation.0: {augmentation} is for" in found
    assert "vector is of kind embedding" in found


def test_rand_augment_needs_statistics_that_can_be_undone(tmp_path):
    training = "training: {augmentation: [{type: rand_augment}]}}"
    for allowed in ("channel", "none"):
        load(write_study(tmp_path), [*PICTURES, f"{SHADE}normalise: {allowed}, {training}"])
    found = problem(tmp_path, *PICTURES, f"{SHADE}normalise: item, {training}")
    assert "models.cnn.training.augmentation.0: rand_augment cannot undo normalise: item" in found
    assert "choose channel or none" in found


@pytest.mark.parametrize("augmentation", ["cut_mix", "random_crop"])
def test_branches_are_not_cut(tmp_path, augmentation):
    found = problem(tmp_path, BRANCHED % f"{{type: {augmentation}}}")
    assert (
        f"models.cnn.training.augmentation.0: {augmentation} is for networks of one feature"
        in found
    )


def test_branches_take_what_suits_one_of_them(tmp_path):
    load(write_study(tmp_path), [BRANCHED % "{type: gain}, {type: mix_up}, {type: frequency_mask}"])
    found = problem(tmp_path, BRANCHED % "{type: affine}")
    assert "affine is for pictures; log_mel is of kind log_mel and trace is of kind wavef" in found


def test_an_unknown_feature_is_all_that_is_said(tmp_path):
    found = problem(
        tmp_path, "models.cnn.feature=none", "models.cnn.training.augmentation=[{type: gain}]"
    )
    assert len(found.splitlines()) == 1
    assert "unknown feature" in found


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ("{type: random_crop}, {type: random_crop}", "two random_crop"),
        ("{type: gain, decibels: [6, -6]}", "lower value first"),
        ("{type: time_mask, size: 1}", "less than 1"),
        ("{type: mix_up, alpha: 0}", "greater than 0"),
        ("{type: random_crop, probability: 0.5}", "probability"),
        ("{type: time_warp}", "time_warp"),
    ],
)
def test_settings_out_of_range(tmp_path, augmentation, message):
    assert message in problem(tmp_path, f"models.cnn.training.augmentation=[{augmentation}]")

"""A feature's name and a job's slice change with what shapes them, and with nothing else."""

import pytest

from deepself.store.files import write_json
from deepself.study import Layout, load
from deepself.study.identity import feature_file, feature_slice, model_slice
from tests.tiny import write_study


@pytest.fixture
def place(tmp_path):
    layout = Layout("tiny", tmp_path / "results")
    digests = {"audio": {"digest": "a" * 64}, "sensor": {"digest": "b" * 64}}
    write_json(layout.dataset, {"classes": [], "folds": [], "items": 0, "modalities": digests})
    return write_study(tmp_path), layout


def name_of(place, *overrides):
    study = load(place[0], overrides)
    return feature_file(study, place[1], "log_mel").name


@pytest.mark.parametrize(
    "override",
    ["features.log_mel.n_mels=17", "dataset.modalities.audio.sample_rate=1900"],
)
def test_what_shapes_a_feature_renames_its_file(place, override):
    assert name_of(place, override) != name_of(place)


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "features.wave.filter.low=60",
        "models.cnn.training.lr=0.5",
        "splits.folds=4",
        "features.log_mel.fmin=0",  # its default
        "dataset.modalities.sensor.sample_rate=300",
    ],
)
def test_what_does_not_shape_a_feature_keeps_its_file(place, override):
    assert name_of(place, override) == name_of(place)


def test_recordings_rename_the_files_of_their_modality_alone(place):
    study = load(place[0])
    before = {name: feature_file(study, place[1], name) for name in study.features}
    digests = {"audio": {"digest": "c" * 64}, "sensor": {"digest": "b" * 64}}
    write_json(place[1].dataset, {"modalities": digests, "classes": []})
    after = {name: feature_file(study, place[1], name) for name in study.features}
    assert {name for name in before if before[name] != after[name]} == {"wave", "log_mel"}


def test_feature_is_known_by_content_not_by_its_name_in_the_study(place):
    study = load(place[0])
    renamed = load(place[0], ["features.mel={kind: log_mel, modality: audio, n_fft: 128, "
                              "hop_length: 64, n_mels: 16}"])  # fmt: skip
    assert feature_slice(study, "log_mel") == feature_slice(renamed, "mel")


def test_weights_count_by_content(place, tmp_path):
    weights = tmp_path / "w.pth"
    override = f"models.cnn.network={{type: resnet18, weights: {weights}}}"
    weights.write_bytes(b"one")
    first = model_slice(load(place[0], [override]), "cnn")
    weights.write_bytes(b"three")
    assert model_slice(load(place[0], [override]), "cnn") != first

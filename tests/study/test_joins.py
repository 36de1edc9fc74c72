"""A joined feature is known by what it is made of, in order, and by the recordings of all."""

import pytest

from deepself.graph import Graph
from deepself.store.files import write_json
from deepself.study import Layout, load
from deepself.study.identity import feature_file, feature_slice
from deepself.study.joined_references import has_lengths, window_of
from tests.tiny import make_study, write_study

BOTH = "features.both={kind: joined_vectors, of: [log_mel, trace]}"


@pytest.fixture
def place(tmp_path):
    layout = Layout("tiny", tmp_path / "results")
    file = write_study(tmp_path, dataset__modalities__third={"kind": "sensor", "sample_rate": 9})
    described(layout)
    return file, layout


def described(layout, **digests):
    found = {"audio": "a" * 64, "sensor": "b" * 64, "third": "c" * 64, **digests}
    modalities = {name: {"digest": digest} for name, digest in found.items()}
    write_json(layout.dataset, {"classes": [], "folds": [], "items": 0, "modalities": modalities})


def name_of(place, *overrides, feature="both"):
    return feature_file(load(place[0], [BOTH, *overrides]), place[1], feature).name


@pytest.mark.parametrize(
    "override",
    [
        "features.log_mel.n_mels=17",
        "dataset.modalities.sensor.sample_rate=190",
        "features.trace.filter={low: 2}",
        "features.both.of=[trace, log_mel]",
        "features.both.of=[log_mel, trace, wave]",
        "features.both.dtype=float16",
    ],
)
def test_what_shapes_it_renames_its_file(place, override):
    assert name_of(place, override) != name_of(place)


@pytest.mark.parametrize(
    "override", ["features.wave.filter.low=60", "dataset.modalities.third.sample_rate=8"]
)
def test_what_does_not_shape_it_keeps_its_file(place, override):
    assert name_of(place, override) == name_of(place)


def test_names_of_features_do_not_shape_it(place):
    mel = "{kind: log_mel, modality: audio, n_fft: 128, hop_length: 64, n_mels: 16}"
    renamed = [f"features.mel={mel}", "features.both.of=[mel, trace]"]
    assert name_of(place, *renamed) == name_of(place)
    again = [*renamed, "features.again={kind: joined_vectors, of: [log_mel, trace]}"]
    assert name_of(place, *again, feature="again") == name_of(place)


def test_how_it_is_joined_shapes_it(place):
    spectra = "features.both={kind: joined_spectra, of: [log_mel, mel], along: %s}"
    mel = "features.mel={kind: log_mel, modality: audio, n_mels: 16}"
    names = {name_of(place, mel, spectra % along) for along in ("channels", "bins")}
    assert len(names) == 2


@pytest.mark.parametrize(("modality", "renames"), [("audio", 1), ("sensor", 1), ("third", 0)])
def test_recordings_of_all_its_modalities_rename_its_file(place, modality, renames):
    before = name_of(place)
    described(place[1], **{modality: "d" * 64})
    after = name_of(place)
    assert (before != after) == bool(renames)
    assert before.rsplit("-", 1)[0] == after.rsplit("-", 1)[0]


def test_what_is_made_of_it_is_known_by_all_of_it(place):
    shown = [
        "features.mel={kind: log_mel, modality: audio, n_mels: 16}",
        "features.both={kind: joined_spectra, of: [log_mel, mel]}",
        "features.shown={kind: rendered, of: both}",
    ]
    study = load(place[0], shown)
    assert len(feature_slice(study, "shown")["of"]["of"]) == 2
    changed = [*shown, "features.mel.n_fft=512"]
    assert name_of(place, *changed, feature="shown") != name_of(place, *shown, feature="shown")


def test_modalities_are_named_once_in_order(place):
    study = load(
        place[0],
        [
            "features.inner={kind: joined_vectors, of: [trace, log_mel]}",
            "features.both={kind: joined_vectors, of: [inner, wave]}",
            "models.svm.feature=both",
        ],
    )
    assert study.modalities_of("both") == ["sensor", "audio"]
    assert study.modality_of_model("svm") == "sensor+audio"


def test_the_workflow_makes_it_from_all_its_sources(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_study(
        tmp_path, features__both={"kind": "joined_vectors", "of": ["log_mel", "trace"]}
    )
    from deepself.study.load import read_yaml

    graph = Graph(read_yaml(file), [file])
    write_json(
        graph.layout.dataset,
        {"items": 1, "modalities": {"audio": {"digest": "a"}, "sensor": {"digest": "b"}}},
    )
    sources = [feature_file(graph.study, graph.layout, name) for name in ("log_mel", "trace")]
    both = feature_file(graph.study, graph.layout, "both")
    assert graph.feature_inputs(str(both)) == sources


def test_windows_and_true_lengths_are_those_of_the_sources(place):
    masked = "dataset.modalities.audio.duration={seconds: longest, shorter: mask}"
    tall = "features.tall={kind: joined_spectra, of: [log_mel, mel], along: bins}"
    mel = "features.mel={kind: log_mel, modality: audio, n_fft: 128}"
    study = load(place[0], [masked, mel, tall, "features.shown={kind: rendered, of: tall}"])
    assert has_lengths(study, "tall") and not has_lengths(study, "shown")
    assert window_of(study, "shown") is None
    cut = [f"features.{name}.window={{seconds: 0.2}}" for name in ("log_mel", "mel")]
    study = load(place[0], [masked, mel, tall, *cut, "features.shown={kind: rendered, of: tall}"])
    assert window_of(study, "shown").seconds == 0.2
    assert not has_lengths(study, "tall")

"""A mistake in a study is one clear line that names its key."""

import pytest

from deepself.errors import UserError
from deepself.study import load
from tests.tiny import STUDY, write_study

MISTAKES = [
    ("models.cnn.trainig={}", "models.cnn.trainig: unknown key, did you mean training?"),
    ("modles={}", "modles: unknown key, did you mean models?"),
    (
        "models.cnn.network.chanels=[3]",
        "models.cnn.network.chanels: unknown key, did you mean chan",
    ),
    (
        "models.cnn.network.type=cnn4d",
        "models.cnn.network.type: unknown type 'cnn4d', did you mean",
    ),
    ("features.wave.kind=sound", "features.wave.kind: unknown kind 'sound'; known: waveform"),
    ("features.wave.filter.hihg=9", "features.wave.filter.hihg: unknown key, did you mean high?"),
    ("features.wave.filter.high=1000", "features.wave.filter.high: 1000 Hz must lie below 1000 Hz"),
    ("features.wave.filter.low=950", "features.wave.filter: low (950 Hz) must lie below high"),
    ("features.log_mel.fmax=1200", "features.log_mel.fmax: 1200 Hz must lie below 1000 Hz"),
    ("features.wave.modality=audoi", "features.wave.modality: unknown modality 'audoi', did you"),
    ("features.trace.kind=picture", "features.trace.kind: picture cannot be made from sensor"),
    (
        "models.cnn.feature=logmel",
        "models.cnn.feature: unknown feature 'logmel', did you mean log_",
    ),
    ("models.cnn.feature=wave", "models.cnn.feature: cnn2d reads features of kind"),
    ("models.cnn.training.lr=fast", "models.cnn.training.lr: input should be a valid number"),
    ("models.cnn.training.epochs=0", "models.cnn.training.epochs: input should be greater than 0"),
    ("models.cnn.network=null", "models.cnn: give either network or classifier"),
    ("models.svm.training={lr: 1}", "models.svm: training belongs to networks"),
    (
        "models.dense.normalise=bin",
        "models.dense.normalise: trace has no bins: it is of kind waveform",
    ),
    (
        "fusions.all.members=[cnm, svm]",
        "fusions.all.members.0: unknown model 'cnm', did you mean c",
    ),
    ("fusions.all.members=[cnn]", "fusions.all.members: a fusion needs at least two models"),
    ("fusions.cnn={}", "fusions.cnn: a model has this name too"),
    ("splits.folds=2", "splits: dev: next_fold needs at least 3 folds"),
    ("splits.method=grouped", "dataset.group: splits.method is grouped"),
    ("dataset.group=group", "splits.method: stratified would spread groups"),
    (
        "dataset.modalities.audio.kind=mp3",
        "dataset.modalities.audio.kind: unknown kind 'mp3'; known",
    ),
    (
        "models.a b={feature: trace, network: {type: dense}}",
        "models.a b: use letters, digits, _ and - only",
    ),
    ("seeds=3", "seeds: input should be a valid list"),
    ("name=../up", "name: use letters, digits"),
    ("name=features", "name: results/features/ is shared by all studies"),
    ("seeds=[0, 0]", "seeds: 0 stands there twice"),
    ("dataset.classes=[a, a]", "dataset.classes: 'a' stands there twice"),
    ("splits.seed=4294967296", "splits.seed: input should be less than"),
    ("dataset.modalities.audio.duration={seconds: .inf}", "dataset.modalities.audio.duration.sec"),
    ("fusions.all.members.x.y=1", "--set fusions.all.members.x.y=1: cannot be set there"),
    ("fusions.all.members.7=1", "--set fusions.all.members.7=1: cannot be set there"),
    ("dataset.root", "--set dataset.root: write key.path=value"),
    ("name.x=1", "--set name.x=1: name is a value"),
]
SCALOGRAM = "features.trace={kind: scalogram, modality: sensor, "
RENDERED = "features.shown={kind: rendered, of: "
MISTAKES += [
    (
        "dataset.modalities.sensor.channels=Fp1",
        "dataset.modalities.sensor.channels: input should be 'mix', 'average' or 'keep', or a "
        "valid list, not 'Fp1'",
    ),
    ("dataset.modalities.sensor.channels=[]", "dataset.modalities.sensor.channels: name at least"),
    (
        "dataset.modalities.sensor.channels=[-1]",
        "dataset.modalities.sensor.channels.0: input should be greater than or equal to 0, not -1",
    ),
    (
        "dataset.modalities.audio.duration={seconds: long}",
        "dataset.modalities.audio.duration.seconds: input should be a valid number, ",
    ),
    (
        SCALOGRAM + "frequencies: 5}",
        "features.trace.frequencies: input should be a mapping of keys to values, or a valid list",
    ),
    (SCALOGRAM + "frequencies: {low: 5}}", "features.trace.frequencies.high: missing; add it"),
    (SCALOGRAM + "frequencies: [5, 2]}", "features.trace: frequencies must ascend, each once"),
    (SCALOGRAM + "frequencies: [5, 200]}", "features.trace.frequencies.1: 200 Hz must lie below"),
    (
        SCALOGRAM + "wavelet: mor, frequencies: [5]}",
        "features.trace.wavelet: unknown wavelet 'mor', did you mean morl?",
    ),
    (
        SCALOGRAM + "wavelet: cmor, frequencies: [5]}",
        "features.trace.wavelet: unknown wavelet 'cmor', did you mean cmor1.5-1.0?",
    ),
    (
        "features.wave.window={secs: 4}",
        "features.wave.window.secs: unknown key, did you mean seconds?",
    ),
    ("features.wave.window=4", "features.wave.window: input should be a mapping of keys to val"),
    ("features.wave.window={seconds: 4, overlap: 1}", "features.wave.window.overlap: input sho"),
    ("features.wave.filter={notch: [5000]}", "features.wave.filter.notch.0: 5000 Hz must lie be"),
    ("features.wave.filter={stop: true, low: 5}", "features.wave.filter: stop needs both low an"),
    ("features.wave.filter={}", "features.wave.filter: give low, high or both, or notch, in Hz"),
    (
        "features.log_mel.window={seconds: 0.001}",
        "features.log_mel: log_mel needs at least 128 samples, and 0.001 s at 2000 Hz are 2",
    ),
    (RENDERED + "wave}", "features.shown.of: wave is of kind waveform, which is no spectral im"),
    (RENDERED + "nix}", "features.shown.of: unknown feature 'nix'; known: wave, log_mel, trace"),
    (
        RENDERED + "log_mel, colormap: virdis}",
        "features.shown.colormap: unknown colour map 'virdis', did you mean viridis?",
    ),
    (RENDERED + "log_mel, range: [0, -1]}", "features.shown: range: the darkest value must lie"),
    ("features.trace={kind: film, modality: sensor}", "features.trace.kind: film cannot be made"),
    (
        "features.log_mel={kind: audioset_mel, modality: audio}",
        "features.log_mel.modality: audioset_mel needs a sample_rate of 32000, audio has 2000",
    ),
    (
        "features.trace={kind: panns_mel, modality: sensor}",
        "features.trace.modality: panns_mel needs a sample_rate of 32000, sensor has 200",
    ),
]


@pytest.fixture
def study_file(tmp_path):
    return write_study(tmp_path)


@pytest.mark.parametrize(("override", "message"), MISTAKES, ids=[m for m, _ in MISTAKES])
def test_mistake_names_its_key(study_file, override, message):
    with pytest.raises(UserError) as error:
        load(study_file, [override])
    assert str(error.value).removeprefix(f"{study_file}: ").startswith(message)
    assert "\n" not in str(error.value)


def test_tiny_study_is_valid(study_file):
    study = load(study_file)
    assert list(study.models) == list(STUDY["models"])
    assert study.models["cnn"].training.lr == 0.01


def test_override_replaces_one_value(study_file):
    study = load(study_file, ["models.cnn.training.lr=2e-1", "seeds=[1, 2]"])
    assert study.models["cnn"].training.lr == 0.2
    assert study.seeds == [1, 2]
    assert study.models["cnn"].training.epochs == 3


def test_pretrained_network_must_get_its_own_front_end(study_file):
    network = "{type: mn04_as, weights: audioset}"
    with pytest.raises(UserError, match=r"mn04_as reads features of kind audioset_mel"):
        load(study_file, [f"models.cnn.network={network}"])
    feature = "{kind: audioset_mel, modality: audio}"
    with pytest.raises(UserError, match=r"audioset_mel needs a sample_rate of 32000, audio has 20"):
        load(study_file, [f"features.log_mel={feature}"])


def test_weights_are_a_published_name_or_a_file(study_file, tmp_path):
    missing = f"models.cnn.network={{type: resnet18, weights: {tmp_path}/none.pth}}"
    with pytest.raises(UserError, match="neither published nor a file that exists"):
        load(study_file, [missing])
    weights = tmp_path / "mine.pth"
    weights.write_bytes(b"x")
    load(study_file, [f"models.cnn.network={{type: resnet18, weights: {weights}}}"])


def test_all_mistakes_are_listed_at_once(study_file):
    with pytest.raises(UserError) as error:
        load(study_file, ["modles={}", "models.cnn.training.lr=x"])
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "study.yaml:2: key 'name' stands here and in line 1"),
        ("name: [a\n", "study.yaml:2: not valid YAML"),
        ("- a\n", "a study is a mapping"),
        ("? [a]\n: 1\n", "study.yaml:1: not valid YAML: found unhashable key"),
        ("name: 2024-13-45\n", "study.yaml: not valid YAML: month must be"),
        ("name: \xff\n", "name: use letters"),
    ],
)
def test_broken_file_names_its_line(tmp_path, text, message):
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        load(file)


def test_merge_keys_are_read(tmp_path):
    file = write_study(tmp_path)
    text = file.read_text() + "tracking: &t {uri: 'sqlite:///a.db'}\n"
    file.write_text(text)
    assert load(file, ["tracking={<<: {uri: b}, experiment: c}"]).tracking.uri == "b"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")

"""New recordings, labelled by a bundle: files, bytes and arrays from Python."""

import numpy as np
import pytest
import soundfile
from PIL import Image

import deepself
from deepself.errors import UserError
from deepself.inference.answers import Asked
from tests.inference.tones import tone
from tests.studying import probabilities
from tests.tiny import RATE


def test_array_bytes_and_file_are_the_same_recording(sound, tmp_path):
    bundle = deepself.load(sound)
    signal = tone()
    soundfile.write(tmp_path / "new.wav", signal.T, RATE, subtype="FLOAT")
    of_file = bundle.predict(tmp_path / "new.wav")
    of_bytes = bundle.predict((tmp_path / "new.wav").read_bytes())
    of_array = bundle.predict(signal, sample_rate=RATE)
    of_flat = bundle.predict(signal[0], sample_rate=RATE)
    assert of_file == of_bytes == of_array == of_flat
    assert of_file.label == max(of_file.probabilities, key=of_file.probabilities.get)
    assert sum(of_file.probabilities.values()) == pytest.approx(1)
    assert of_file.probability == of_file.probabilities[of_file.label]


def test_whole_numbers_are_sound_as_in_a_file(sound, tmp_path):
    bundle = deepself.load(sound)
    numbers = (tone() * 20000).astype(np.int16)
    soundfile.write(tmp_path / "new.wav", numbers.T, RATE)
    assert bundle.predict(numbers, RATE) == bundle.predict(tmp_path / "new.wav")


@pytest.mark.parametrize("rate", [1000, 8000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_other_rates_channels_and_formats(sound, tmp_path, rate, channels, suffix):
    path = tmp_path / f"new.{suffix}"
    if (suffix, rate) == ("ogg", 1000):
        rate = 8000  # the format knows no lower one
    soundfile.write(path, tone(0.25, rate, channels).T, rate)
    found = deepself.load(sound).predict(path)
    assert found.notes == (f"recorded at {rate} Hz, learnt from 2000 Hz",)


def test_another_length_is_noted_where_it_is_cut(sound):
    bundle = deepself.load(sound)
    long = bundle.predict(tone(1.0), RATE)
    assert long.notes == ("lasts 1 s, of which the first 0.25 s count",)
    assert long.probabilities == bundle.predict(tone(1.0)[:, : RATE // 4], RATE).probabilities
    assert bundle.predict(tone(0.15), RATE).notes == ("lasts 0.15 s, learnt from 0.175 s or more",)


def test_a_recording_of_the_study_is_known(many, sound):
    bundle = deepself.load(sound)
    (wanted,) = many.files(["noise-3"])
    note = "one of the recordings that it has learnt from"
    assert bundle.predict(wanted["audio"]).notes == (note,)
    fold = next(
        f for f in many.folds if "noise-3" in many.test_predictions("model", "shade", f).ids
    )
    assert bundle.predict(wanted["audio"], fold=fold).notes == ()
    other = next(f for f in many.folds if f != fold)
    assert bundle.predict(wanted["audio"], fold=other).notes == (note,)


def test_pictures_of_any_kind(picture, tmp_path):
    bundle = deepself.load(picture)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "new.png")
    of_file = bundle.predict(tmp_path / "new.png")
    assert bundle.predict(pixels) == of_file
    assert bundle.predict((tmp_path / "new.png").read_bytes()) == of_file
    floats = pixels.transpose(2, 0, 1).astype(np.float32) / 255
    assert bundle.predict(floats) == of_file
    grey = bundle.predict(np.full((9, 9), 0.5))
    assert grey == bundle.predict(np.full((3, 9, 9), 0.5))


def test_sensors_of_another_rate_are_resampled(trace, tmp_path):
    bundle = deepself.load(trace)
    values = np.random.default_rng(0).standard_normal((40, 2))
    np.savetxt(tmp_path / "new.csv", values, delimiter=",")
    as_learnt = bundle.predict(tmp_path / "new.csv")
    assert as_learnt.notes == ()
    np.testing.assert_allclose(
        list(bundle.predict(values.T, 200).probabilities.values()),
        list(as_learnt.probabilities.values()),
        atol=1e-6,
    )
    slow = bundle.predict(tmp_path / "new.csv", sample_rate=100)
    assert slow.notes == (
        "recorded at 100 Hz, learnt from 200 Hz",
        "lasts 0.4 s, of which the first 0.2 s count",
    )
    assert slow.probabilities != as_learnt.probabilities


@pytest.mark.parametrize(
    ("source", "rate", "said"),
    [
        (np.zeros(400), RATE, "never changes"),
        (np.full(400, np.nan), RATE, "not finite"),
        (np.zeros((2, 3, 4)), RATE, "a signal is"),
        (tone(), None, "sample_rate: say how many samples a second"),
        (tone(), -1.0, "sample_rate must be more than 0"),
        (tone().T, RATE, "more channels than samples"),
        (np.array(["a"]), RATE, "give numbers"),
        (b"", RATE, "is empty"),
        (b"no sound", RATE, "cannot be decoded as audio"),
        ("missing.wav", None, "missing.wav: no such file"),
        (3, None, "is no path, bytes or array but int"),
        ({"sound": "a.wav"}, None, "unknown modality 'sound'; known: audio"),
        (np.zeros((1, 0)), RATE, "holds no samples"),
        (tone(0.01), RATE, "features.log_mel"),
    ],
)
def test_what_cannot_be_predicted_is_said(sound, source, rate, said):
    with pytest.raises(UserError) as raised:
        deepself.load(sound).predict(source, rate)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_sensors_of_other_channels_are_refused(many, tmp_path):
    bundle = deepself.load(many.export("model", "trace_dense", "--seed", "0"))
    with pytest.raises(UserError, match="has no channel 1"):
        bundle.predict(np.random.default_rng(0).standard_normal((1, 40)), 200)


def test_several_modalities_are_given_by_name(many, fused):
    bundle = deepself.load(fused)
    (files,) = many.files(["high-0"])
    found = bundle.predict(files)
    assert set(found.probabilities) == {"high", "low", "noise"}
    with pytest.raises(UserError, match=r"reads 3 modalities \(audio, sensor, picture\)"):
        bundle.predict(files["audio"])
    with pytest.raises(UserError, match="no picture"):
        bundle.predict({"audio": files["audio"], "sensor": files["sensor"]})


def test_calibrated_probabilities_keep_the_label_of_one_part(sound):
    bundle = deepself.load(sound)
    raw = bundle.predict(tone(), RATE, fold="1")
    calibrated = bundle.predict(tone(), RATE, fold="1", calibrated=True)
    assert raw.label == calibrated.label
    assert raw.probability != calibrated.probability
    (part,) = [one for one in bundle.spec.parts if one.fold == "1"]
    powers = {name: p ** (1 / part.temperature) for name, p in raw.probabilities.items()}
    for name, value in powers.items():
        assert calibrated.probabilities[name] == pytest.approx(value / sum(powers.values()))


def test_below_a_threshold_an_answer_is_unsure(sound):
    bundle = deepself.load(sound)
    sure = bundle.predict(tone(), RATE, unsure=0.0)
    assert not sure.unsure
    assert bundle.predict(tone(), RATE, unsure=sure.probability + 1e-9).unsure
    with pytest.raises(UserError, match="unsure: a probability from 0 to 1, not 2"):
        bundle.predict(tone(), RATE, unsure=2)


def test_windows_answer_as_recordings_of_their_own(windowed, tmp_path):
    bundle = deepself.load(windowed)
    signal = np.concatenate([tone(0.3), tone(0.33, hertz=100)], axis=1)
    soundfile.write(tmp_path / "long.wav", signal.T, RATE, subtype="FLOAT")
    found = bundle.predict_windows(tmp_path / "long.wav", seconds=0.25)
    assert [(one.start, one.end) for one in found] == [(0, 0.25), (0.25, 0.5), (0.38, 0.63)]
    assert found == bundle.predict_windows(signal, RATE, seconds=0.25)
    alone = bundle.predict(signal[:, 500:1000], RATE)
    assert found[1].probabilities == pytest.approx(alone.probabilities, abs=1e-6)
    close = bundle.predict_windows(signal, RATE, seconds=0.25, hop=0.125)
    assert [one.start for one in close] == [0, 0.125, 0.25, 0.375, 0.38]
    (short,) = bundle.predict_windows(signal[:, :300], RATE, seconds=0.25)
    assert (short.start, short.end) == (0, 0.15)


def test_windows_are_the_models_own_if_nothing_is_said(sound, picture):
    found = deepself.load(sound).predict_windows(tone(0.5), RATE)
    assert [one.end for one in found] == [0.25, 0.5]
    with pytest.raises(UserError, match="say how many seconds"):
        deepself.load(picture).predict_windows(np.zeros((8, 8)))
    with pytest.raises(UserError, match="picture is a modality of kind image"):
        deepself.load(picture).predict_windows(np.zeros((8, 8)), seconds=1)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(UserError, match="must be more than 0"):
            deepself.load(sound).predict_windows(tone(), RATE, seconds=wrong)


def test_a_long_sound_file_is_read_window_by_window(windowed, tmp_path, monkeypatch):
    path = tmp_path / "long.flac"
    soundfile.write(path, tone(60.0).T, RATE)
    most = []
    whole = soundfile.SoundFile.read

    def counting(self, frames=-1, *arguments, **settings):
        most.append(frames)
        return whole(self, frames, *arguments, **settings)

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    found = deepself.load(windowed).predict_windows(path, seconds=0.25)
    assert len(found) == 240
    assert set(most) == {500}


def test_memory_holds_a_few_recordings_at_a_time(sound):
    bundle = deepself.load(sound)
    asked_for = []

    def endless():
        for number in range(10_000):
            asked_for.append(number)
            yield str(number), tone()

    answers = bundle.stream(endless(), Asked(sample_rate=float(RATE)))
    first = next(answers)
    assert first.name == "0"
    assert len(asked_for) < 64
    answers.close()


def test_one_bad_recording_among_many_leaves_the_others(sound, tmp_path):
    bundle = deepself.load(sound)
    items = [("good", tone()), ("bad", np.zeros(500)), ("also", tone(hertz=100))]
    answers = list(bundle.stream(items, Asked(sample_rate=float(RATE))))
    assert [bool(one.problem) for one in answers] == [False, True, False]
    alone = probabilities(bundle.stream(items[2:], Asked(sample_rate=float(RATE))))
    assert list(answers[2].predictions[0].probabilities.values()) == pytest.approx(alone[0])

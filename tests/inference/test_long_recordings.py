"""Windows of long recordings: what is odd about one part is no reason to lose the others."""

import shutil

import numpy as np
import pytest
import soundfile

import deepself
from deepself.dataset.readers import ReadError
from deepself.errors import UserError
from deepself.inference.learnt import NOTE
from deepself.inference.opening import Opener
from deepself.inference.pieces import Window, pieces
from deepself.inference.spec import Known
from deepself.study.dataset import AudioModality
from tests.inference.tones import tone
from tests.tiny import RATE

SECONDS = 0.25


@pytest.fixture(scope="module")
def bundle(sound):
    return deepself.load(sound, device="cpu")


def test_silence_is_a_window_like_any_other(bundle, tmp_path):
    signal = tone(2.0)[0]
    signal[RATE // 2 : RATE] = 0
    soundfile.write(tmp_path / "long.wav", signal, RATE)
    found = bundle.predict_windows(tmp_path / "long.wav", seconds=SECONDS)
    assert [one.start for one in found] == pytest.approx(np.arange(8) * SECONDS)
    assert all(np.isfinite(one.probability) for one in found)
    same = bundle.predict_windows(signal, RATE, seconds=SECONDS)
    assert [one.label for one in same] == [one.label for one in found]
    assert [one.notes for one in found if one.notes] == [("never changes",)] * 2


def test_a_rest_of_less_than_a_hundredth_gets_no_window(bundle):
    for seconds, windows in ((2.002, 8), (2.02, 9), (SECONDS + 0.002, 1)):
        assert len(bundle.predict_windows(tone(seconds)[0], RATE, seconds=SECONDS)) == windows


@pytest.mark.parametrize("suffix", ["wav", "ogg", "aiff"])
def test_what_is_cut_off_is_refused(bundle, tmp_path, suffix):
    whole, cut = (tmp_path / f"{name}.{suffix}" for name in ("whole", "cut"))
    soundfile.write(whole, tone(2.0)[0], RATE)
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    assert len(bundle.predict_windows(whole, seconds=SECONDS)) == 8
    with pytest.raises(UserError, match="is cut off: it ends before its last sample"):
        bundle.predict_windows(cut, seconds=SECONDS)


def test_windows_of_what_was_learnt_from_say_so(many, bundle, tmp_path):
    (files,) = many.files(["low-0"])
    shutil.copy(files["audio"], tmp_path / "known.wav")
    for known, given in ((True, tmp_path / "known.wav"), (False, tone()[0])):
        for window in bundle.predict_windows(given, RATE, seconds=SECONDS):
            assert window.notes.count(NOTE) == known


def test_a_study_of_short_recordings_takes_windows_of_long_ones(tmp_path):
    modality = AudioModality.model_validate(
        {
            "kind": "audio",
            "sample_rate": RATE,
            "channels": "keep",
            "duration": {"seconds": SECONDS, "longer": "error", "shorter": "error"},
        }
    )
    opener = Opener(modality, Known(channels=1, samples=500, seconds=(SECONDS, SECONDS)))
    soundfile.write(tmp_path / "long.wav", tone(2.0)[0], RATE)
    with pytest.raises(ReadError, match="lasts 2 s, longer than the model's 0.25 s"):
        opener.open(tmp_path / "long.wav")
    both = tone(2.0, channels=2)
    for source in (tmp_path / "long.wav", both):
        cut = pieces({"": opener}, {"": modality}, {"": source}, RATE, Window(SECONDS, SECONDS))
        found = list(cut)
        assert len(found) == 8
        mixed = ("mean of 2 channels",) if source is both else ()
        assert all(piece.notes == mixed for piece in found)

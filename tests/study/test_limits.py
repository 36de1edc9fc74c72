"""What a study asks of recordings is what the signal room asks of signals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepself.signal import least_samples
from deepself.study import load
from deepself.study.features import Filter
from deepself.study.limits import filter_samples, least_seconds, needs_one_length
from tests.tiny import RATE, write_study

BANDS = [{"low": 5.0}, {"high": 5.0}, {"low": 5.0, "high": 9.0}, {}]


@given(
    st.sampled_from(BANDS),
    st.booleans(),
    st.integers(1, 12),
    st.booleans(),
    st.lists(st.floats(1, 9), max_size=4),
)
def test_filters_ask_for_what_they_need(band, stop, order, zero_phase, notch):
    if not band and not notch:
        assert filter_samples(None) == 1
        return
    stop = stop and len(band) == 2
    spec = Filter(**band, stop=stop, order=order, zero_phase=zero_phase, notch=notch)
    needed = least_samples(
        low=spec.low,
        high=spec.high,
        stop=stop,
        order=order,
        zero_phase=zero_phase,
        notches=len(notch),
    )
    assert filter_samples(spec) == needed


@pytest.mark.parametrize(
    ("overrides", "samples"),
    [
        ([], 128),
        (["features.log_mel.deltas=1"], 512),
        (["features.log_mel.window={seconds: 0.1}"], 200),
        (["features.log_mel.window={seconds: 0.1, rest: zero}"], 1),
        (["dataset.modalities.audio.duration={seconds: 1}"], 1),
        (["dataset.modalities.audio.duration={seconds: 1, shorter: mask}"], 128),
        (["dataset.modalities.audio.duration={seconds: 1, shorter: error}"], 128),
        (["features.log_mel.filter={low: 5, high: 9, order: 30}"], 184),
    ],
)
def test_shortest_recording_of_a_feature(tmp_path, overrides, samples):
    study = load(write_study(tmp_path), overrides)
    assert least_seconds(study, "audio")["log_mel"] * RATE == pytest.approx(samples)


def test_one_length_is_needed_unless_all_features_cut_windows(tmp_path):
    file = write_study(tmp_path)
    windows = [f"features.{name}.window={{seconds: 0.1}}" for name in ("wave", "log_mel")]
    assert needs_one_length(load(file), "audio")
    assert needs_one_length(load(file, windows[:1]), "audio")
    assert not needs_one_length(load(file, windows), "audio")
    assert not needs_one_length(
        load(file, ["dataset.modalities.audio.duration={seconds: 1}"]), "audio"
    )

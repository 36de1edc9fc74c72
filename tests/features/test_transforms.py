"""Each kind of feature: every setting counts, lengths are foretold, axes belong to the rows."""

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from deepself import signal
from deepself.features.transforms import Axes, axes, filtered, frames, transform
from deepself.study.features import AnyFeature, Filter, SignalFeature, Waveform
from deepself.study.limits import transform_samples

RATE = 8000.0
FOURIER = {"n_fft": 200, "hop_length": 90}
MEL = {**FOURIER, "n_mels": 6}
KINDS = {
    "waveform": {},
    "spectrogram": FOURIER,
    "log_mel": MEL,
    "mfcc": {**MEL, "n_mfcc": 4},
    "chroma": FOURIER,
    "zero_crossing_rate": {"frame_length": 150, "hop_length": 90},
    "scalogram": {"frequencies": [200.0, 500.0, 1000.0]},
    "audioset_mel": {},
    "panns_mel": {},
}
CHANGES = {
    "waveform": {},
    "spectrogram": {"n_fft": 202, "hop_length": 80, "win_length": 150, "scale": "power"},
    "log_mel": {
        **{"n_fft": 202, "hop_length": 80, "win_length": 150, "n_mels": 7, "log": "ln"},
        **{"fmin": 100.0, "fmax": 3000.0, "mel": "htk", "deltas": 1},
    },
    "mfcc": {
        **{"n_fft": 202, "hop_length": 80, "win_length": 150, "n_mels": 7, "n_mfcc": 5},
        **{"fmin": 100.0, "fmax": 3000.0, "mel": "kaldi", "deltas": 2},
    },
    "chroma": {"n_fft": 202, "hop_length": 80, "win_length": 150, "n_chroma": 24},
    "zero_crossing_rate": {"frame_length": 151, "hop_length": 80},
    "scalogram": {
        "wavelet": "cmor1.5-1.0",
        "frequencies": {"low": 200.0, "high": 1000.0, "count": 3, "spacing": "linear"},
        "hop_length": 3,
        "scale": "magnitude",
    },
    "audioset_mel": {},
    "panns_mel": {},
}
NOT_THE_TRANSFORMS = {"kind", "modality", "filter", "window", "shards", "dtype", "compression"}


def make(kind, **options):
    return TypeAdapter(AnyFeature).validate_python({"kind": kind, "modality": "any"} | options)


@st.composite
def specs(draw):
    """Draw a feature of any kind, of any settings that a signal of 8 kHz allows."""
    kind = draw(st.sampled_from(list(KINDS)))
    options = dict(KINDS[kind])
    if "frame_length" in options:
        options["frame_length"] = draw(st.integers(1, 300))
        options["hop_length"] = draw(st.integers(1, 200))
    elif "hop_length" in options:
        n_fft = draw(st.integers(100, 300))
        options |= {"n_fft": n_fft, "hop_length": draw(st.integers(1, 200))}
        options["win_length"] = draw(st.none() | st.integers(20, n_fft))
    if "n_mels" in options:
        options["mel"] = draw(st.sampled_from(["slaney", "htk", "kaldi"]))
        options["deltas"] = draw(st.integers(0, 2))
    if kind == "scalogram":
        options["hop_length"] = draw(st.integers(1, 50))
        options["wavelet"] = draw(st.sampled_from(["morl", "cmor1.5-1.0"]))
    return make(kind, **options)


def test_all_kinds_are_tested():
    kinds = {cls.model_fields["kind"].annotation for cls in leaves(SignalFeature)}
    assert {kind.__args__[0] for kind in kinds} == set(KINDS)
    for kind, changes in CHANGES.items():
        assert set(changes) == set(type(make(kind, **KINDS[kind])).model_fields) - (
            NOT_THE_TRANSFORMS
        )


def leaves(cls):
    below = cls.__subclasses__()
    return [leaf for sub in below for leaf in leaves(sub)] if below else [cls]


@pytest.mark.parametrize(("kind", "field"), [(k, f) for k in CHANGES for f in CHANGES[k]])
def test_every_setting_reaches_the_transform(kind, field):
    batch = torch.randn(2, 3, 2000)
    before = transform(make(kind, **KINDS[kind]), batch, RATE)
    after = transform(make(kind, **(KINDS[kind] | {field: CHANGES[kind][field]})), batch, RATE)
    assert before.shape != after.shape or not torch.allclose(before, after)


def test_kinds_equal_the_functions_of_their_names():
    batch = torch.randn(2, 3, 2000, dtype=torch.float64)
    band = {"n_fft": 200, "hop_length": 90, "n_mels": 6}
    expected = {
        "waveform": batch.float(),
        "spectrogram": signal.spectrogram(batch, **FOURIER),
        "log_mel": signal.log_mel(batch, RATE, **band),
        "mfcc": signal.mfcc(batch, RATE, n_mfcc=4, **band),
        "chroma": signal.chroma(batch, RATE, **FOURIER),
        "zero_crossing_rate": signal.zero_crossing_rate(batch, frame_length=150, hop_length=90),
        "scalogram": signal.scalogram(batch, RATE, frequencies=[200.0, 500.0, 1000.0], scale="db"),
        "audioset_mel": signal.audioset_mel(batch),
        "panns_mel": signal.panns_mel(batch),
    }
    for kind, image in expected.items():
        found = transform(make(kind, **KINDS[kind]), batch, RATE)
        assert found.dtype == torch.float32
        assert found.equal(image), kind


def test_differences_follow_the_channels():
    batch = torch.randn(2, 3, 2000)
    for kind in ("log_mel", "mfcc"):
        plain = transform(make(kind, **KINDS[kind]), batch, RATE)
        found = transform(make(kind, **KINDS[kind], deltas=2), batch, RATE)
        assert found.equal(signal.deltas(plain, 2))
        assert found.shape[1] == 9


@settings(deadline=None, max_examples=25)
@given(specs(), st.integers(0, 3000))
def test_frames_and_least_samples_are_foretold(spec, further):
    least = transform_samples(spec)
    samples = least + further
    batch = torch.randn(1, 2, samples)
    assert transform(spec, batch, RATE).shape[-1] == frames(spec, samples)
    assert transform(spec, batch[..., :least], RATE).shape[-1] == frames(spec, least)
    if spec.kind != "waveform":  # without samples it is one still
        with pytest.raises(ValueError, match=r"has \d+ (samples|frames)"):
            transform(spec, batch[..., : least - 1], RATE)


@settings(deadline=None, max_examples=25)
@given(specs(), st.integers(0, 2000), st.integers(1, 2000), st.integers(0, 2**32 - 1))
def test_first_frames_of_a_filled_recording_are_those_of_the_recording(
    spec, further, missing, seed
):
    """For kinds whose edges are zeros anyway, and where no floor depends on the peak."""
    change = {"spectrogram": {"scale": "magnitude"}, "scalogram": {"scale": "magnitude"}}
    change |= {"log_mel": {"log": "ln", "deltas": 0}, "waveform": {}}
    if spec.kind not in change:
        return
    spec = spec.model_copy(update=change[spec.kind])
    samples = transform_samples(spec) + further
    rng = np.random.default_rng(seed)
    batch = torch.from_numpy(rng.standard_normal((1, 2, samples)).astype(np.float32))
    whole = transform(spec, batch, RATE)
    filled = transform(spec, torch.nn.functional.pad(batch, (0, missing)), RATE)
    assert filled.shape[-1] >= whole.shape[-1] == frames(spec, samples)
    error = (filled[..., : whole.shape[-1]] - whole).abs().max()
    assert error <= (1e-3 if spec.kind == "log_mel" else 1e-4) * whole.abs().max()


@settings(deadline=None, max_examples=25)
@given(specs(), st.integers(1, 3000), st.integers(1, 3000))
def test_frames_grow_with_samples_from_one(spec, fewer, more):
    fewer, more = sorted((fewer, more))
    assert 1 <= frames(spec, fewer) <= frames(spec, more)
    assert frames(spec, 0) == 0


@settings(deadline=None, max_examples=20)
@given(specs())
def test_axes_belong_to_the_rows(spec):
    found = axes(spec, RATE)
    image = transform(spec, torch.randn(1, 2, 3000), RATE)
    if spec.kind in ("waveform", "mfcc", "chroma", "zero_crossing_rate"):
        assert found.frequencies is None
    else:
        assert found.frequencies.shape == (image.shape[2],)
        assert (np.diff(found.frequencies) > 0).all()
    # Over many samples, entries a second come close to the frame rate.
    assert frames(spec, 1_000_000) / 1_000_000 * RATE == pytest.approx(found.frame_rate, rel=1e-3)


def test_axes_follow_the_settings():
    assert axes(make("waveform"), 250.0) == Axes(None, 250.0)
    log_mel = make("log_mel", n_mels=5, fmin=50, fmax=1000, mel="htk", hop_length=80)
    np.testing.assert_allclose(
        axes(log_mel, RATE).frequencies, signal.mel_frequencies(5, 50.0, 1000.0, "htk")
    )
    assert axes(log_mel, RATE).frame_rate == 100
    listed = make("scalogram", frequencies=[1.0, 5.0, 9.0], hop_length=4)
    assert axes(listed, 100.0).frequencies.tolist() == [1, 5, 9]
    assert axes(listed, 100.0).frame_rate == 25
    ranged = make(
        "scalogram", frequencies={"low": 1.0, "high": 9.0, "count": 3, "spacing": "linear"}
    )
    assert axes(ranged, 100.0).frequencies.tolist() == [1, 5, 9]


@pytest.mark.parametrize("zero_phase", [True, False])
def test_band_is_filtered_before_the_notches(zero_phase):
    values = np.random.default_rng().standard_normal((2, 900))
    spec = Filter(low=5, high=40, stop=True, order=2, notch=[50, 100], notch_q=20)
    spec = spec.model_copy(update={"zero_phase": zero_phase})
    band = scipy.signal.butter(2, (5, 40), "bandstop", fs=250.0, output="sos")
    cuts = [np.hstack(scipy.signal.iirnotch(f, 20, fs=250.0)) for f in (50, 100)]
    run = scipy.signal.sosfiltfilt if zero_phase else scipy.signal.sosfilt
    expected = run(cuts, run(band, values))
    found = filtered(spec, values, 250.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_notches_alone_and_no_filter():
    values = np.random.default_rng().standard_normal((2, 900)).astype(np.float32)
    np.testing.assert_array_equal(filtered(None, values, 250.0), values)
    assert filtered(None, values.astype(float), 250.0).dtype == np.float32
    cut = signal.notch(torch.from_numpy(values), 250.0, frequencies=[50.0])
    np.testing.assert_array_equal(filtered(Filter(notch=[50]), values, 250.0), cut.numpy())
    with pytest.raises(ValueError, match="has 9 samples; .* needs at least 10"):
        filtered(Filter(notch=[50]), values[:, :9], 250.0)


def test_the_transform_does_not_filter():
    spec = Waveform(kind="waveform", modality="any", filter=Filter(low=5))
    batch = torch.randn(1, 2, 300)
    assert transform(spec, batch, 100.0).equal(batch)

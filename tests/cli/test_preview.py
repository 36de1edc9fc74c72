"""`deepself preview`: a few recordings' features, and what all will take."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from deepself.cli import main
from deepself.networks import build
from deepself.report.drawing import png
from deepself.store.features import FeatureFile
from tests.tiny import RATE, make_study

PICTURE = "features.seen={kind: rendered, of: log_mel, height: 32, width: 32, colormap: viridis}"
PUBLISHED = "features.deep={kind: embedding, of: seen, network: resnet18, weights: imagenet}"
OWN = "features.deep={kind: embedding, of: seen, network: resnet18, weights: own.pt}"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_study(tmp_path)


@pytest.fixture
def see(study, capsys):
    """Preview and return what was printed, the errors, and the status."""

    def run(*overrides, options=()):
        settings = [text for override in overrides for text in ("--set", override)]
        status = main(["preview", str(study), *settings, *options])
        printed = capsys.readouterr()
        return printed.out, printed.err, status

    return run


def files():
    return sorted(str(p) for p in Path("results").rglob("*") if p.is_file())


def row(out, feature):
    return re.split(r" {2,}", next(line for line in out.splitlines() if line.startswith(feature)))


def page():
    return Path("results/tiny/preview.html").read_text()


def test_each_feature_is_made_and_nothing_else_is_written(see):
    out, _, status = see(PICTURE)
    assert status == 0
    assert files() == ["results/tiny/preview.html"]
    # 18 recordings of 500 samples, of 16 mel bands by 8 frames, and of 3 planes of 32 by 32.
    assert row(out, "wave")[1:3] == ["1 × 500", "36 kB"]
    assert row(out, "log_mel")[1:3] == ["1 × 16 × 8", "9.22 kB"]
    assert row(out, "seen")[1:3] == ["3 × 32 × 32", "221 kB"]
    assert "estimates from 3 of 18 recordings, made on this machine by one thread" in out
    assert out.endswith("\nresults/tiny/preview.html\n")
    for name in ("high-0", "low-0", "noise-0"):  # the first of each class
        assert f"<span>{name}</span>" in page()
    assert "noise-1" not in page()
    assert "n_mels: 16" in page()


def test_it_draws_what_extract_makes(see, study):
    see(PICTURE)
    drawn = page()
    settings = ["--set", PICTURE]
    for verb in ("check", "split"):
        assert main([verb, str(study), *settings]) == 0
    for name in ("log_mel", "seen"):
        assert main(["extract", str(study), *settings, "--feature", name]) == 0
    (path,) = Path("results/features").glob("rendered-*.h5")
    with FeatureFile(path) as file:
        for picture in file.read(["high-0", "low-0", "noise-0"]):
            assert png(picture) in drawn


def test_results_are_left_as_they_are(see, study):
    for verb in ("check", "split"):
        assert main([verb, str(study)]) == 0
    before = {name: Path(name).read_bytes() for name in files()}
    see()
    after = {name: Path(name).read_bytes() for name in files()}
    del after["results/tiny/preview.html"]
    assert after == before


def test_more_recordings_and_a_named_page(see):
    out, _, _ = see(options=["--recordings", "4", "--output", "a/page.html"])
    assert out.endswith("\na/page.html\n")
    text = Path("a/page.html").read_text()
    assert "<span>high-1</span>" in text and "<span>low-1</span>" not in text
    assert files() == []
    out, _, _ = see(options=["--recordings", "100"])
    assert "from 18 of 18 recordings" in out


def test_features_that_lack_weights_are_named_and_the_others_shown(see):
    out, _, status = see(PICTURE, PUBLISHED)
    assert status == 0
    path = "results/weights/resnet18-f37072fd.pth"
    hint = f"needs weights: run deepself fetch resnet18-f37072fd.pth --output {path}"
    assert f"deep: {hint}" in out
    assert hint in page()
    assert row(out, "seen")[1] == "3 × 32 × 32"


def test_embeddings_are_made_where_there_are_weights(see):
    torch.manual_seed(0)
    torch.save(build("resnet18", (3, 32, 32), classes=2).state_dict(), "own.pt")
    out, _, status = see(PICTURE, OWN)
    assert status == 0
    assert row(out, "deep")[1:3] == ["512", "36.9 kB"]
    assert "network: resnet18" in page()


def test_windows_count(see):
    out, _, _ = see("features.log_mel.window={seconds: 0.1}", "features.log_mel.compression=lzf")
    assert row(out, "log_mel")[1:3] == ["2 windows of 1 × 16 × 4", "9.22 kB"]
    assert "Sizes of log_mel are those before compression." in out
    assert "window from 0 s, the first of 2" in page()


def test_shards_do_not_matter(see):
    out, _, status = see("features.log_mel.shards=20")
    assert status == 0
    assert row(out, "log_mel")[1] == "1 × 16 × 8"


def test_a_recording_that_cannot_be_read_is_named_with_its_row(see):
    Path("recordings/files/low-0.wav").write_bytes(b"no sound")
    _, err, status = see()
    assert status == 1
    # The header is row 1, six recordings of the class high follow.
    assert err.startswith("deepself preview: row 8 (low-0): recordings/files/low-0.wav: ")
    assert "1 problem in 6 recordings" in err
    assert files() == []


def test_where_the_study_skips_it_the_others_are_shown(see):
    Path("recordings/files/low-0.wav").write_bytes(b"no sound")
    out, _, status = see("dataset.on_error=skip")
    assert status == 0
    assert "left out: row 8 (low-0): recordings/files/low-0.wav: " in out
    assert "from 2 of 18 recordings" in out
    assert "Left out: row 8 (low-0)" in page()


def test_a_feature_that_cannot_be_made_is_named_and_the_others_shown(see):
    large = 1e6 * np.random.default_rng(0).standard_normal((40, 2))
    np.savetxt("recordings/files/low-0.csv", large, delimiter=",")
    # A spectrogram that has no room in float16, and a picture of it.
    loud = "{kind: spectrogram, modality: sensor, n_fft: 8, scale: power, dtype: float16}"
    out, err, status = see(f"features.loud={loud}", "features.seen={kind: rendered, of: loud}")
    assert status == 1
    assert err.startswith("deepself preview: features.loud: values above 65504 do not fit")
    assert "float32" in err and err.count("\n") == 1
    assert row(out, "wave")[1] == "1 × 500"
    assert "loud: cannot be made\nseen: needs features.loud\n" in out
    assert "values above 65504" in page()


def test_the_longest_is_that_of_the_few(see):
    tone = np.sin(np.arange(RATE)).astype(np.float32)
    soundfile.write("recordings/files/noise-5.wav", tone, RATE)
    out, _, _ = see("dataset.modalities.audio.duration={seconds: longest}")
    said = "dataset.modalities.audio.duration is that of the longest recording: here the longest"
    assert f"{said} of these 3, 0.25 s" in out
    assert row(out, "wave")[1] == "1 × 500"

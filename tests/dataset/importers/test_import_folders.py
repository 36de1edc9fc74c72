"""A folder a class becomes a manifest and a study that passes check."""

import numpy as np
import pytest

from deepself.store.files import read_table
from deepself.study import load
from tests.dataset.importers.public_forms import write_png, write_wav


def sounds(folder, per_class=6, **how):
    for label in ("dog", "rain"):
        for number in range(per_class):
            write_wav(folder / label / f"{label}{number}.wav", seed=number, **how)
    return folder


def test_sounds_in_folders_are_imported_and_pass_check(run, tmp_path):
    folder = sounds(tmp_path / "my sounds", seconds=0.5, rate=16000)
    (folder / "dog" / "notes.md").write_text("barks")
    (folder / "readme.txt").write_text("in no folder")
    status, out, _ = run("import", "folders", "my sounds")
    assert status == 0
    assert "left out, as they are not audio files: 1 .md (dog/notes.md)" in out
    rows = read_table(folder / "manifest.csv")
    assert len(rows) == 12
    assert rows[0] == {"id": "dog0", "audio": "dog/dog0.wav", "label": "dog"}
    study = load("config/my_sounds.yaml")
    assert study.dataset.root == "my sounds"
    assert study.dataset.modalities["audio"].sample_rate == 16000
    assert study.dataset.modalities["audio"].duration is None
    assert study.splits.method == "stratified" and study.splits.folds == 5
    assert len(study.models) >= 2 and study.fusions
    assert run("check", "config/my_sounds.yaml")[0] == 0


def test_lengths_and_rates_that_differ_are_said(run, tmp_path):
    folder = sounds(tmp_path / "s", per_class=4, seconds=1.25, rate=8000)
    write_wav(folder / "dog/long.wav", seconds=3, rate=22050)
    run("import", "folders", "s")
    text = (tmp_path / "config/s.yaml").read_text()
    assert "sample_rate: 8000 # of 2 rates the most common" in text
    assert "9 of 9 files looked at: 1.25 to 3 s, median 1.25 s" in text
    assert load("config/s.yaml").dataset.modalities["audio"].duration.seconds == 1.2
    assert load("config/s.yaml").splits.folds == 4  # rain has four
    assert run("check", "config/s.yaml")[0] == 0


def test_equal_stems_are_told_apart_by_their_path(run, tmp_path):
    for place in ("dog/1.wav", "rain/1.wav", "rain/deep/2.wav", "rain/2.flac.wav", "dog/2.wav"):
        write_wav(tmp_path / "s" / place)
    run("import", "folders", "s")
    ids = [row["id"] for row in read_table("s/manifest.csv")]
    assert ids == ["dog-1", "dog-2", "rain-1", "2.flac", "rain-deep-2"]


def test_pictures_take_their_usual_size_and_colour(run, tmp_path):
    for number in range(4):
        write_png(tmp_path / "p/cat" / f"{number}.png", 40, 30, "RGB", number)
        write_png(tmp_path / "p/cow" / f"{number}.png", 40, 30, "RGB", number)
    write_png(tmp_path / "p/cow/odd.png", 900, 10)
    run("import", "folders", "p", "--name", "animals")
    modality = load("config/animals.yaml").dataset.modalities["image"]
    assert (modality.height, modality.width, modality.channels) == (40, 30, "rgb")
    assert run("check", "config/animals.yaml")[0] == 0


def test_large_pictures_are_made_smaller(run, tmp_path):
    for label in "ab":
        for number in range(3):
            write_png(tmp_path / "p" / label / f"{label}{number}.png", 300, 600)
    run("import", "folders", "p")
    modality = load("config/p.yaml").dataset.modalities["image"]
    assert (modality.height, modality.width, modality.channels) == (112, 224, "grey")


def test_sensor_files_need_a_rate(run, tmp_path):
    for label in "ab":
        for number in range(3):
            path = tmp_path / "t" / label / f"{label}{number}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, np.random.default_rng(number).normal(size=(200, 2)), delimiter=",")
    status, _, error = run("import", "folders", "t")
    assert status == 1 and "give --sample-rate" in error
    assert run("import", "folders", "t", "--sample-rate", 100)[0] == 0
    study = load("config/t.yaml")
    assert study.dataset.modalities["sensor"].sample_rate == 100
    assert study.splits.folds == 3
    assert run("check", "config/t.yaml")[0] == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_edf_says_its_rate_and_a_header_stands_for_its_record(run, tmp_path):
    import wfdb
    from pyedflib import highlevel as edf

    for label in "ab":
        (tmp_path / "e" / label).mkdir(parents=True)
        (tmp_path / "w" / label).mkdir(parents=True)
        for number in range(3):
            name, noise = f"{label}{number}", np.random.default_rng(number).normal(size=(1, 400))
            edf.write_edf_quick(str(tmp_path / "e" / label / f"{name}.edf"), noise, 200)
            wfdb.wrsamp(
                name,
                fs=200,
                units=["mV"],
                sig_name=["x"],
                p_signal=noise.T,
                write_dir=str(tmp_path / "w" / label),
                fmt=["16"],
            )
    for folder in "ew":
        assert run("import", "folders", folder)[0] == 0
        assert load(f"config/{folder}.yaml").dataset.modalities["sensor"].sample_rate == 200
        assert len(read_table(f"{folder}/manifest.csv")) == 6
        assert run("check", f"config/{folder}.yaml")[0] == 0


def test_train_and_test_folders_are_partitions(run, tmp_path):
    for part in ("train", "test"):
        for label in ("cat", "cow"):
            for number in range(10):
                write_png(tmp_path / "p" / part / label / f"{number}.png", seed=number)
    status, out, _ = run("import", "folders", "p")
    assert status == 0 and "no dev partition: 4 items of train" in out
    rows = read_table("p/manifest.csv")
    assert sum(row["partition"] == "dev" for row in rows) == 4
    assert {row["label"] for row in rows} == {"cat", "cow"}
    assert load("config/p.yaml").splits.method == "partition"
    assert run("check", "config/p.yaml")[0] == 0


def test_nothing_is_replaced_but_by_force(run, tmp_path):
    sounds(tmp_path / "s")
    run("import", "folders", "s")
    study = tmp_path / "config/s.yaml"
    study.write_text("mine")
    status, _, error = run("import", "folders", "s")
    assert status == 1
    assert "s/manifest.csv and config/s.yaml are there already; --force" in error
    assert study.read_text() == "mine"
    assert run("import", "folders", "s", "--force")[0] == 0
    load(study)


def test_elsewhere_the_paths_lead_back(run, tmp_path):
    sounds(tmp_path / "s")
    assert run("import", "folders", "s", "--to", "data/s", "--study", "mine.yaml")[0] == 0
    assert read_table("data/s/manifest.csv")[0]["audio"] == "../../s/dog/dog0.wav"
    assert run("check", "mine.yaml")[0] == 0


def test_films_are_imported(run, tmp_path):
    import av

    for label in "ab":
        for number in range(3):
            path = tmp_path / "f" / label / f"{label}{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with av.open(str(path), "w") as film:
                stream = film.add_stream("mpeg4", rate=10)
                stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
                for _ in range(10):
                    frame = av.VideoFrame.from_ndarray(
                        np.zeros((16, 32, 3), np.uint8), format="rgb24"
                    )
                    film.mux(stream.encode(frame))
                film.mux(stream.encode())
    assert run("import", "folders", "f")[0] == 0
    modality = load("config/f.yaml").dataset.modalities["video"]
    assert (modality.height, modality.width, modality.frame_rate) == (16, 32, 5)
    for verb in ("check", "split"):
        assert run(verb, "config/f.yaml")[0] == 0
    study = load("config/f.yaml")
    model = next(iter(study.models))
    assert run("extract", "config/f.yaml", "--feature", study.models[model].feature)[0] == 0
    short = ["--set", f"models.{model}.training.epochs=1"]
    assert run("train", "config/f.yaml", "--model", model, "--fold", "1", *short)[0] == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: None, "no such folder"),
        (lambda f: f.mkdir(), "no files in folders"),
        (lambda f: write_wav(f / "a/1.wav"), "one class only (a)"),
        (lambda f: (f / "a").mkdir(parents=True) or (f / "a/1.xyz").touch(), "no recordings"),
        (
            lambda f: write_wav(f / "a/1.wav") or write_png(f / "b/1.png"),
            "as many audio as image files; give --modality",
        ),
        (
            lambda f: [(f / c).mkdir(parents=True) or (f / c / "1.wav").touch() for c in "ab"],
            "none of 2 files looked at can be read",
        ),
        (
            lambda f: [write_wav(f / p / "a/1.wav") for p in ("train", "val")],
            "nothing is in partition test",
        ),
    ],
)
def test_what_cannot_be_imported_is_one_line(run, tmp_path, make, message):
    make(tmp_path / "s")
    status, _, error = run("import", "folders", "s")
    assert status == 1 and message in error
    assert not (tmp_path / "s/manifest.csv").exists()
    assert not (tmp_path / "config").exists()


def test_a_name_that_no_study_can_have_is_refused(run, tmp_path):
    sounds(tmp_path / "s")
    status, _, error = run("import", "folders", "s", "--name", "my/study")
    assert status == 1 and "--name my/study" in error

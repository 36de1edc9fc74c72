"""Faults: clear lines before any training, nothing computed is lost, kills change no number."""

import os
import re
import signal
import time

import pytest
import soundfile

from tests.sharing import copied
from tests.tiny import RATE, TOGETHER, write_study
from tests.workflow.conftest import REPOSITORY, Workflow, featured_study


def clear_line(output, message):
    """The one line that says what is wrong, without a traceback."""
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if message in line]
    assert lines, output
    return lines[0]


def trained(workflow):
    return list(workflow.folder.glob("results/tiny/runs/*/*/*/run.json"))


def manifest(workflow):
    return workflow.folder / "recordings/manifest.csv"


def corrupt_wav(workflow):
    (workflow.folder / "recordings/files/low-1.wav").write_bytes(b"no sound")


def missing_file(workflow):
    (workflow.folder / "recordings/files/low-1.wav").unlink()


def duplicate_id(workflow):
    text = manifest(workflow).read_text()
    manifest(workflow).write_text(text.replace("low-1,", "low-0,", 1))


def unknown_label(workflow):
    text = manifest(workflow).read_text()
    manifest(workflow).write_text(text.replace(",low,2,", ",odd,2,"))
    write_study(workflow.folder, splits={"method": "given"})


def small_class(workflow):
    text = manifest(workflow).read_text().splitlines()
    kept = [line for line in text if not line.startswith(("low-2", "low-3", "low-4", "low-5"))]
    manifest(workflow).write_text("\n".join(kept) + "\n")


def band_edge(workflow):
    write_study(workflow.folder, features__wave__filter={"low": 50, "high": RATE})


def network_that_does_not_fit(workflow):
    write_study(workflow.folder, models__cnn__network={"type": "cnn2d", "channels": [2] * 9})


def misspelt_key(workflow):
    write_study(workflow.folder, models__cnn__trainig={})


FAULTS = [
    (corrupt_wav, "row 9 (low-1): recordings/files/low-1.wav: cannot be decoded as audio"),
    (missing_file, "row 9 (low-1): recordings/files/low-1.wav: no such file"),
    (duplicate_id, "row 9: id 'low-0' stands in row 8 too"),
    (unknown_label, "fold 2: label 'odd' is unknown to its training partition"),
    (small_class, "class 'low' has 2 items, fewer than 3 folds"),
    (band_edge, "features.wave.filter.high: 2000 Hz must lie below 1000 Hz"),
    (network_that_does_not_fit, "models.cnn (feature log_mel (1, 16, 8)): network: layer 4:"),
    (misspelt_key, "models.cnn.trainig: unknown key, did you mean training?"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS, ids=[f.__name__ for f, _ in FAULTS])
def test_fault_is_one_clear_line_before_any_training(workflow, fault, message):
    fault(workflow)
    status, output = workflow.run()
    assert status != 0
    clear_line(output, message)
    assert not trained(workflow)


def test_fault_loses_nothing_and_its_mending_goes_on(whole_copy):
    workflow = whole_copy
    before = {path: path.stat().st_mtime_ns for path in trained(workflow)}
    features = set(workflow.folder.glob("results/features/*.h5"))
    assert len(before) == 9
    wav = workflow.folder / "recordings/files/low-1.wav"
    content, times = wav.read_bytes(), wav.stat()
    corrupt_wav(workflow)
    assert workflow.run()[0] != 0
    assert {path: path.stat().st_mtime_ns for path in trained(workflow)} == before
    assert set(workflow.folder.glob("results/features/*.h5")) == features
    wav.write_bytes(content)
    os.utime(wav, ns=(times.st_atime_ns, times.st_mtime_ns))
    status, output = workflow.run()
    assert status == 0, output
    assert "rule extract" not in output


def test_model_that_fails_leaves_the_others_their_runs_and_no_table(featured):
    workflow = featured
    write_study(workflow.folder, models__cnn__training={"epochs": 3, "lr": 1e30}, **TOGETHER)
    status, output = workflow.run()
    assert status != 0
    clear_line(output, "models.cnn (feature log_mel (1, 16, 8)): epoch ")
    assert {path.parts[-4] for path in trained(workflow)} == {"svm", "dense"}
    assert not (workflow.results / "scores.csv").exists()


@pytest.fixture
def featured(tmp_path):
    """The tiny study when its features are made."""
    return Workflow(copied(featured_study(tmp_path), tmp_path / "study"))


@pytest.fixture
def undisturbed(whole):
    return (whole.results / "scores.csv").read_bytes()


def kill_all(process):
    """SIGKILL Snakemake and all its jobs, as a crash of the machine would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(process, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


STAGES = {
    "extract": "results/features/.*.lock",
    "train": "results/tiny/logs/train/cnn/*.log",
    "fuse": "results/tiny/fusions/*/*/*/*",
}


def test_killed_at_three_stages_ends_in_the_same_bytes(workflow, undisturbed):
    workflow.own = True
    for pattern in STAGES.values():
        process = workflow.start("score", start_new_session=True)
        wait_for(process, lambda p=pattern: list(workflow.folder.glob(p)))
        kill_all(process)
        assert workflow.run("--unlock")[0] == 0
    status, output = workflow.run("score")
    assert status == 0, output
    assert (workflow.results / "scores.csv").read_bytes() == undisturbed


def test_number_of_cores_changes_no_score(featured, undisturbed):
    workflow = featured
    status, output = workflow.run("--cores", "1", "score")
    assert status == 0, output
    assert (workflow.results / "scores.csv").read_bytes() == undisturbed


def test_sound_of_another_rate_is_resampled_and_the_study_runs(workflow):
    for wav in workflow.folder.glob("recordings/files/high-*.wav"):
        signal_, _ = soundfile.read(wav)
        soundfile.write(wav, signal_.repeat(2), 2 * RATE)
    status, output = workflow.run("split")
    assert status == 0, output
    assert re.search("recordings are fine", (workflow.results / "logs/check.log").read_text())


def test_snakefile_has_no_path_of_its_own_machine():
    for file in [REPOSITORY / "Snakefile", *REPOSITORY.glob("workflow/**/*.smk")]:
        assert str(REPOSITORY) not in file.read_text()

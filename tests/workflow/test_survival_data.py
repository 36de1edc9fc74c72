"""Recordings that vanish while the study runs; names with spaces and umlauts."""

import shutil

from tests.reliability import record
from tests.tiny import make_recordings, write_study
from tests.workflow.conftest import Workflow
from tests.workflow.survival import (
    CHANGES,
    clear_line,
    counted,
    ended_alike,
    finished,
    jobs,
    make,
    runs,
    wait_for,
)


def test_recording_that_is_gone_before_it_is_needed(tmp_path):
    study = make(tmp_path)
    assert study.run("split")[0] == 0
    sound = tmp_path / "recordings/files/low-1.wav"
    process = study.start("score")
    wait_for(process, lambda: list(tmp_path.glob(".snakemake/locks/*")))  # it has seen all files
    shutil.move(sound, tmp_path / "low-1.wav")
    output, _ = process.communicate()
    assert process.returncode != 0
    message = clear_line(output, r"low-1\.wav: no such file")
    before = finished(study)
    shutil.move(tmp_path / "low-1.wav", sound)
    status, again = study.run("score")
    assert status == 0, again
    assert before.items() <= finished(study).items()
    assert ended_alike(study)
    record(
        "a recording is removed before its feature is made",
        f"`{message}`",
        f"nothing: the {len(before)} features and runs without it were made and kept",
        f"once it was back, the same command made {counted(jobs(again))}; the same scores",
    )


def test_recording_that_is_gone_after_its_features_are_made(tmp_path):
    study = make(tmp_path)
    process = study.start("score")
    wait_for(process, lambda: runs(study) >= 1 and len(finished(study)) - runs(study) == 2)
    sound = tmp_path / "recordings/files/low-1.wav"
    shutil.move(sound, tmp_path / "low-1.wav")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert ended_alike(study)
    before = finished(study)
    status, again = study.run("score")
    assert status != 0
    message = clear_line(again, r"low-1\.wav: no such file")
    assert finished(study) == before
    shutil.move(tmp_path / "low-1.wav", sound)
    status, again = study.run("score")
    assert status == 0, again
    assert finished(study) == before
    record(
        "a recording is removed after its features are made",
        "nothing: the study ended, with the same scores",
        "nothing",
        f"says `{message}`; once it was back: {counted(jobs(again))}, and no run was repeated",
    )


def renamed(folder):
    """The study with spaces and umlauts wherever it has a name of its own."""
    place = folder / "Größe der Füße"
    manifest = make_recordings(place / "meine Töne" / "Füße (neu)", per_class=24)
    text = manifest.read_text()
    for path in sorted(manifest.parent.glob("files/*")):
        name = path.name.replace("low-", "tief & schön ").replace("-", " ")
        path.rename(path.with_name(name))
        text = text.replace(f"files/{path.name}", f"files/{name}")
    manifest.write_text(text)
    write_study(place, **{**CHANGES, "dataset__root": "meine Töne/Füße (neu)"})
    return Workflow(place)


def test_names_with_spaces_and_umlauts(tmp_path):
    study = renamed(tmp_path)
    status, output = study.run()
    assert status == 0, output
    assert ended_alike(study)
    page = (study.results / "report.html").read_text()
    assert "tiny" in page and (study.results / "tracking.json").exists()
    assert study.planned() == {}
    record(
        "spaces, umlauts, `&` and brackets in folders and recordings' names",
        f"the study ended with its report after {counted(jobs(output))}",
        "nothing",
        "had nothing to do; the same scores as without them",
    )

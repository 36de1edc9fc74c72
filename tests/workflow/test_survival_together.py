"""Two Snakemakes at once, on one study or on two that share a feature."""

from tests.reliability import record
from tests.tiny import write_study
from tests.workflow.conftest import Workflow
from tests.workflow.survival import (
    CHANGES,
    begin,
    clear_line,
    ended_alike,
    finished,
    jobs,
    make,
    runs,
    to_do,
    wait_for,
)

LOCKED = "Directory cannot be locked"


def test_second_start_while_the_first_runs(tmp_path):
    study = make(tmp_path)
    first = study.start("score")
    wait_for(first, lambda: runs(study) >= 1)
    before = finished(study)
    status, output = study.run("score")
    assert status != 0
    message = clear_line(output, LOCKED)
    assert first.poll() is None
    said, _ = first.communicate()
    assert first.returncode == 0, said
    assert before.items() <= finished(study).items()
    assert ended_alike(study)
    assert to_do(study) == {}
    record(
        "the same study is started a second time while it runs",
        f"the second ends: `{message}`; the first goes on",
        "nothing",
        "had nothing to do; the same scores",
    )


def test_two_starts_in_the_same_second(tmp_path):
    study = begin(tmp_path)
    both = [study.start("score") for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    ended = [process.returncode for process in both]
    assert 0 in ended, said
    locked = [text for text, status in zip(said, ended, strict=True) if status != 0]
    message = clear_line(locked[0], LOCKED) if locked else "both ended well"
    assert ended_alike(study)
    assert to_do(study) == {}
    record(
        "the same study is started twice in the same second",
        f"one ends: `{message}`; the other goes on",
        "nothing",
        "had nothing to do; the same scores",
    )


class Other(Workflow):
    """Another study in the same folder."""

    def command(self, *arguments):
        return [*super().command(*arguments)[:-1], "other.yaml"]


def test_two_studies_that_share_a_feature_at_once(tmp_path):
    begin(tmp_path, name="other")
    (tmp_path / "study.yaml").rename(tmp_path / "other.yaml")
    write_study(tmp_path, **CHANGES)
    study, other = Workflow(tmp_path), Other(tmp_path)
    both = [study.start("score"), other.start("score")]
    said = [process.communicate()[0] for process in both]
    for one, process, text in zip((study, other), both, said, strict=True):
        if process.returncode != 0:
            clear_line(text, LOCKED)
            status, text = one.run("score")
            assert status == 0, text
    tables = [tmp_path / f"results/{name}/scores.csv" for name in ("tiny", "other")]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert ended_alike(study)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/features/*.h5")}
    assert len(made) == 2
    locked = sum(process.returncode != 0 for process in both)
    how = f"{locked} of them ended: `{LOCKED}`, and was started again" if locked else "both ended"
    assert to_do(study) == to_do(other) == {}
    record(
        "two studies that share their features, at once in one folder",
        f"{how}; {len(made)} features were made for {sum(jobs(t)['extract'] for t in said)} jobs",
        "nothing",
        "had nothing to do; the same scores in both",
    )

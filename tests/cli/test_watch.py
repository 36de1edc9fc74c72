"""`watch`: what each run of a study is doing, as its signs of life say."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from deepself.cli import main, watch
from deepself.store.files import write_json
from deepself.study import Layout, load
from deepself.training import watching
from deepself.training.progress import FILE
from tests.importing import imported
from tests.tiny import write_study


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of which nothing but the folds is there: two models, two folds, two seeds."""
    monkeypatch.chdir(tmp_path)
    file = write_study(tmp_path, seeds=[0, 1], models__svm=None)
    write_json(Layout("tiny").dataset, {"folds": ["1", "2"]})
    return str(file)


def leave(model="cnn", fold="1", seed=0, **changes):
    """Leave a sign of life of a run."""
    sign = {
        "label": "", "epochs": 20, "host": socket.gethostname(), "pid": os.getpid(), "epoch": 11,
        "share": 0.5, "loss": 0.51234, "dev_uar": 0.7, "best": 0.75, "items_per_second": 1234.5,
        "seconds_left": 75.2, "written": time.time(), "state": "running",
    }  # fmt: skip
    folder = Layout("tiny").run(model, fold, seed)
    write_json(folder / FILE, sign | changes)
    return folder


def finish(model="cnn", fold="1", seed=0, **changes):
    folder = leave(model, fold, seed, state="finished", **changes)
    write_json(folder / "run.json", {})
    return folder


def look(study):
    return watching.look(load(study), Layout("tiny"))


def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_table(study, capsys):
    finish("cnn", "1", 0)
    leave("cnn", "2", 1)
    leave("dense", "1", 0, loss=None, dev_uar=None, best=None, seconds_left=None, host="node7")
    assert main(["watch", study, "--once"]) == 0
    host = socket.gethostname()
    found = capsys.readouterr().out.splitlines()
    assert found[0] == "1 of 8 runs finished, 2 running, 5 not begun"
    assert [re.split("  +", line.strip()) for line in found[1:]] == [
        ["model", "fold", "seed", "epoch", "loss", "dev UAR", "best", "items/s", "left", "host"],
        ["cnn", "2", "1", "11/20", "█████░░░░░", "0.5123", "70.0%", "75.0%", "1,234", "1:15", host],
        ["dense", "1", "0", "11/20", "█████░░░░░", "–", "–", "–", "1,234", "–", "node7"],
    ]


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, ""),
        ({"silent": 3600}, r"silent 3\d\d\d s"),
        ({"host": "elsewhere", "silent": 3600}, r"silent 3\d\d\d s"),
        ({"state": "failed"}, "failed"),
        ({"state": "stopped"}, "stopped"),
        ({"pid": None}, "gone"),
        ({"pid": None, "host": "elsewhere"}, ""),  # its processes are not ours to see
    ],
)
def test_runs_in_trouble_are_marked(study, changes, mark):
    if "pid" in changes:
        changes = changes | {"pid": dead_process()}
    silent = changes.get("silent", 0)  # seconds before this test, not before it was collected
    others = {name: value for name, value in changes.items() if name != "silent"}
    leave(**others, written=time.time() - silent)
    view = look(study)
    (seen,) = view.runs
    assert re.fullmatch(mark, seen.trouble)
    lines = watch.table(view)
    assert ("1 in trouble" in lines[0]) == bool(mark)
    assert lines[2].endswith(seen.trouble)


def test_result_ends_a_run_even_if_its_last_sign_was_lost(study):
    folder = leave(state="failed", written=time.time() - 5)
    write_json(folder / "run.json", {})
    assert (look(study).finished, look(study).runs) == (1, [])


def test_run_that_is_made_again_is_running(study):
    folder = finish()
    os.utime(folder / "run.json", (1e9, 1e9))
    leave()
    view = look(study)
    assert (view.finished, len(view.runs)) == (0, 1)


def test_run_that_has_trained_and_still_writes_is_running(study):
    leave(state="finished", seconds_left=None)
    assert len(look(study).runs) == 1


def test_run_whose_result_was_taken_away_waits(study):
    leave(state="finished", pid=dead_process())
    assert (look(study).finished, look(study).runs) == (0, [])


def test_classifier_without_signs_counts_when_it_is_finished(study):
    write_json(Layout("tiny").run("dense", "2", 1) / "run.json", {})
    assert look(study).finished == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"epochs": 3}', "null"])
def test_sign_that_cannot_be_read_is_none(study, text):
    (leave() / FILE).write_text(text)
    assert look(study).runs == []


def test_before_the_split_there_is_nothing_to_see(study, capsys):
    Layout("tiny").dataset.unlink()
    assert main(["watch", study]) == 0
    assert "run split" in capsys.readouterr().out


def test_lines_are_cut_to_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr(watch.shutil, "get_terminal_size", lambda: (20, 6))
    assert watch._draw([f"{i} and a long line that is cut" for i in range(20)], 3) == 5
    drawn = capsys.readouterr().out
    assert drawn.startswith("\x1b[3A\r\x1b[J0 and a long line t\n")
    assert drawn.splitlines()[-1] == "… and 16 more"


def on_terminal(study, until):
    """Run `watch` on a terminal of its own; call `until` with all that it has drawn."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "deepself", "watch", study]
    environment = {**os.environ, "COLUMNS": "120", "LINES": "30"}
    child = subprocess.Popen(
        command,
        stdout=its,
        stderr=its,
        env=environment,
        # What a shell starts in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(its)
    text, end = "", time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    text += os.read(ours, 65536).decode()
                except OSError:  # it has closed its terminal
                    break
            until(text, child)
        return child.wait(10), text
    finally:
        child.kill()
        os.close(ours)


def finish_all():
    for model in ("cnn", "dense"):
        for fold in ("1", "2"):
            for seed in (0, 1):
                finish(model, fold, seed)


def test_it_is_live_until_all_are_finished(study):
    leave()

    def until(text, _):
        if "1 running" in text:
            finish_all()

    status, text = on_terminal(study, until)
    assert status == 0
    assert "8 of 8 runs finished" in text
    assert "\x1b[3A\r\x1b[J" in text  # drawn over the table of before


def test_ctrl_c_ends_watching(study):
    leave()
    sent = []

    def until(text, child):
        if "1 running" in text and not sent:
            sent.append(child.send_signal(2))

    status, text = on_terminal(study, until)
    assert status == 0
    assert "Traceback" not in text


def test_watching_imports_no_torch(study):
    code = f"from deepself.cli import main\nmain(['watch', {study!r}, '--once'])"
    assert not imported(code, ("torch", "numpy", "h5py", "tqdm"))

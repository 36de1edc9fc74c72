"""A search finds what was planted, says the same again, and never looks at test."""

import math
import shutil
from collections import Counter
from statistics import median

import h5py
import numpy as np
import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.store.files import read_json, read_table, write_json, write_table
from deepself.study import Layout, load
from deepself.study.identity import digest, trial_slice
from deepself.study.ranges import Choice, LogUniform, Uniform
from deepself.study.search import Search
from deepself.study.trials import trial_file
from deepself.training.choosing import choose
from deepself.training.proposals import Earlier, propose
from deepself.training.trial import is_behind, prepare_trial
from tests.tiny import make_study

SPACE = {
    "kind": Choice(choice=["a", "b", ["c"]]),
    "lr": LogUniform(log_uniform=(1e-6, 1.0)),
    "width": Uniform(uniform=(1, 64)),
}


def planted(values):
    """Best, and 1, at kind ["c"], lr 1e-3, width 48."""
    away = abs(math.log10(values["lr"]) + 3) / 3 + abs(values["width"] - 48) / 48
    return 1 - 0.25 * (values["kind"] != ["c"]) - 0.25 * away


def best_of(method, trials, seed=0):
    search = Search(method=method, trials=trials)
    found = []
    for trial in range(trials):
        earlier = found[: search.earlier(trial).stop]
        values = propose(search, SPACE, seed, trial, earlier)
        found.append(Earlier(values, planted(values)))
    return max(found, key=lambda one: one.uar)


def test_planted_optimum_is_found_by_tpe():
    best = best_of("tpe", 80)
    assert best.values["kind"] == ["c"]
    assert 1e-4 < best.values["lr"] < 1e-2
    assert best.uar > 0.9


def test_planted_optimum_is_found_at_random():
    best = best_of("random", 300)
    assert best.values["kind"] == ["c"]
    assert best.uar > 0.9


def test_tpe_learns_from_what_it_saw():
    gains = [best_of("tpe", 40, s).uar - best_of("random", 40, s).uar for s in range(7)]
    assert median(gains) > 0


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_proposal_depends_on_nothing_but_what_it_is_given(method):
    search = Search(method=method, trials=20, parallel=4)
    earlier = [
        Earlier({"kind": "a", "lr": 10 ** (-n / 3), "width": n + 1}, n / 20) for n in range(16)
    ]
    proposed = {n: propose(search, SPACE, 3, n, earlier) for n in (19, 16, 18, 17)}
    for trial, values in proposed.items():
        np.random.seed(trial)  # as a program may do beside
        assert propose(search, SPACE, 3, trial, earlier) == values
    assert len({values["lr"] for values in proposed.values()}) == 4
    others = [propose(search, SPACE, 4, n, earlier)["lr"] for n in range(16, 20)]
    assert not set(others) & {values["lr"] for values in proposed.values()}


def test_failed_and_pruned_trials_are_avoided():
    space = {"x": Uniform(uniform=(0.0, 1.0))}
    search = Search(method="tpe", trials=64, parallel=4)
    for bad in ({}, {"uar": 0.9, "pruned": 2}):
        earlier = [
            Earlier({"x": (n + 0.5) / 32}, **(bad if n < 16 else {"uar": 0.5})) for n in range(32)
        ]
        proposed = [propose(search, space, seed, 32, earlier)["x"] for seed in range(20)]
        assert sum(x > 0.5 for x in proposed) >= 15


def test_grid_has_each_combination_once_and_begins_in_no_corner():
    space = {"a": Choice(choice=[1, 2, 3]), "b": Choice(choice=["x", "y"])}
    grid = [propose(Search(method="grid"), space, 0, n) for n in range(6)]
    every = [{"a": a, "b": b} for a in (1, 2, 3) for b in ("x", "y")]
    assert sorted(map(str, grid)) == sorted(map(str, every))
    assert grid != every
    limited = Search(method="grid", trials=2)
    assert [propose(limited, space, 0, n) for n in range(2)] == grid[:2]


def test_draws_follow_their_ranges():
    space = {
        "log": LogUniform(log_uniform=(1e-4, 1.0)),
        "whole": Uniform(uniform=(1, 3)),
        "powers": LogUniform(log_uniform=(1, 100)),
    }
    search = Search(method="random", trials=3000)
    drawn = [propose(search, space, 0, n) for n in range(3000)]
    logs = np.log10([one["log"] for one in drawn])
    np.testing.assert_allclose(np.histogram(logs, 4, (-4, 0))[0] / 3000, 0.25, atol=0.03)
    counts = Counter(one["whole"] for one in drawn)
    assert set(counts) == {1, 2, 3} and min(counts.values()) > 900
    assert {type(one["powers"]) for one in drawn} == {int}
    below = np.mean([one["powers"] <= 10 for one in drawn])
    expected = math.log(10.5 / 0.5) / math.log(100.5 / 0.5)
    assert below == pytest.approx(expected, abs=0.03)


OTHERS = [([0.2, 0.3], False), ([0.3, 0.4], False), ([0.5, 0.4], False), ([0.6, 0.7], False)]


@pytest.mark.parametrize(
    ("own", "earlier", "epochs", "behind"),
    [
        ([0.39], OTHERS, 4, True),  # the median of 0.2, 0.3, 0.5, 0.6 is 0.4
        ([0.4], OTHERS, 4, False),
        ([0.44, 0.1], OTHERS, 8, True),  # of 0.3, 0.4, 0.5, 0.7 it is 0.45
        ([0.46, 0.1], OTHERS, 8, False),  # its best counts, not its last
        ([0.1], OTHERS, 5, False),  # the first quarter
        ([0.1], OTHERS[:3], 4, False),  # too few
        ([0.1, 0.1], [*OTHERS[:3], ([0.9], True)], 4, False),  # pruned before: three are left
        ([0.1, 0.1], [*OTHERS[:3], ([0.9], False)], 4, True),  # ended by itself
    ],
)
def test_median_rule(own, earlier, epochs, behind):
    assert is_behind(own, earlier, epochs) == behind


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """The tiny study with its features; tests work on copies."""
    folder = tmp_path_factory.mktemp("search")
    file = make_study(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for verb in ("check", "split"):
            assert main([verb, str(file)]) == 0
        assert main(["extract", str(file), "--feature", "trace"]) == 0
    return folder


@pytest.fixture
def study(extracted, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    shutil.copytree(extracted, folder)
    monkeypatch.chdir(folder)
    return "study.yaml"


GRID = ["models.dense.search={method: grid}", "models.dense.training.lr={choice: [1.0e-7, 0.02]}"]


def verb(name, study, overrides, *options):
    sets = [word for one in overrides for word in ("--set", one)]
    return main([name, study, *sets, "--model", "dense", *options])


def search(study, overrides, trials, folds=("1",)):
    for trial in range(trials):
        for fold in folds:
            assert verb("trial", study, overrides, "--fold", fold, "--trial", str(trial)) == 0


def found(fold, trial):
    record = read_json(trial_file(Layout("tiny"), "dense", fold, trial))
    return {k: v for k, v in record.items() if k != "seconds"}


def test_only_learning_rate_that_learns_is_chosen_and_trained_with(study):
    search(study, GRID, 2)
    assert verb("choose", study, GRID, "--fold", "1") == 0
    chosen = read_json("results/tiny/searches/dense/fold-1.json")
    assert chosen["values"] == {"training.lr": 0.02}
    assert [trial["state"] for trial in chosen["trials"]] == ["complete", "complete"]
    assert verb("train", study, GRID, "--fold", "1") == 0
    record = read_json("results/tiny/runs/dense/fold-1/seed-0/run.json")
    assert record["specification"]["training"]["lr"] == 0.02
    assert record["scores"]["dev"]["uar"] == chosen["dev"]["uar"]  # of the same seed
    history = read_table("results/tiny/runs/dense/fold-1/seed-0/history.csv")
    tried = found("1", chosen["trial"])["history"]
    assert [float(row["dev_loss"]) for row in history] == [row[2] for row in tried]


def test_training_before_choosing_says_what_is_missing(study, capsys):
    assert verb("train", study, GRID, "--fold", "1") == 1
    assert "searches/dense/fold-1.json: not found; run trial" in capsys.readouterr().err


def test_trial_that_cannot_be_trained_is_a_result(study):
    rates = "models.dense.training.lr={choice: [1.0e+30, 0.02]}"
    search(study, [GRID[0], rates], 2)
    states = {found("1", n)["values"]["training.lr"]: found("1", n) for n in range(2)}
    assert states[1e30]["state"] == "failed"
    assert "loss is" in states[1e30]["reason"]
    assert states[1e30]["dev"] is None
    assert verb("choose", study, [GRID[0], rates], "--fold", "1") == 0


def test_search_without_a_trial_that_works_says_why(study, capsys):
    rates = "models.dense.training.lr={choice: [1.0e+30, 2.0e+30]}"
    search(study, [GRID[0], rates], 2)
    assert verb("choose", study, [GRID[0], rates], "--fold", "1") == 1
    error = capsys.readouterr().err
    assert "models.dense.search: none of 2 trials could be trained to its end on fold 1" in error
    assert "loss is" in error


TPE = [
    "models.dense.search={method: tpe, trials: 12, parallel: 2, prune: true}",
    "models.dense.training.lr={log_uniform: [1.0e-7, 0.1]}",
    "models.dense.training.epochs=6",
]


def test_hopeless_trials_are_pruned_and_cannot_win(study):
    search(study, TPE, 12)
    trials = [found("1", n) for n in range(12)]
    pruned = [trial for trial in trials if trial["state"] == "pruned"]
    assert pruned
    for trial in pruned:
        assert 2 <= trial["pruned"] == len(trial["history"]) < 6
        before = [t["history"] for t in trials[: trial["trial"] // 2 * 2]]
        at = trial["pruned"]
        bests = [max(row[1] for row in h[:at]) for h in before if len(h) >= at]
        assert max(row[1] for row in trial["history"]) < median(bests)
    assert verb("choose", study, TPE, "--fold", "1") == 0
    chosen = read_json("results/tiny/searches/dense/fold-1.json")
    assert trials[chosen["trial"]]["state"] == "complete"
    assert chosen["dev"]["uar"] == max(t["dev"]["uar"] for t in trials)


def test_trials_of_a_round_run_in_any_order(study):
    search(study, TPE, 4)
    first = [found("1", n) for n in range(4)]
    for number in (3, 2):
        trial_file(Layout("tiny"), "dense", "1", number).unlink()
        assert verb("trial", study, TPE, "--fold", "1", "--trial", str(number)) == 0
    assert [found("1", n) for n in range(4)] == first


def test_trials_of_other_ranges_are_refused(study, capsys):
    search(study, TPE, 2)
    other = [*TPE, "models.dense.training.lr.log_uniform.1=0.2"]
    assert verb("trial", study, other, "--fold", "1", "--trial", "2") == 1
    assert "trial.json: is of other ranges or settings; run trial" in capsys.readouterr().err


def test_trial_waits_for_earlier_rounds(study):
    layout, typed = Layout("tiny"), load(study, TPE)
    with pytest.raises(UserError, match=r"trial-0/trial\.json: not found; run trial"):
        prepare_trial(typed, layout, "dense", "1", 2)
    assert verb("trial", study, TPE, "--fold", "1", "--trial", "12") == 1


@pytest.mark.parametrize("partition", ["test", "dev"])
def test_items_and_labels_of_test_change_no_trial_and_no_choice(study, partition):
    layout = Layout("tiny")
    four = [*TPE, "models.dense.search.trials=4"]

    def whole():
        search(study, four, 4)
        assert verb("choose", study, four, "--fold", "1") == 0
        chosen = read_json("results/tiny/searches/dense/fold-1.json")
        return [found("1", n) for n in range(4)], chosen["trial"], chosen["values"], chosen["dev"]

    before = whole()
    spoil(layout, "1", partition)
    shutil.rmtree(layout.folder / "trials")
    assert (whole() == before) == (partition == "test")  # dev is looked at


def spoil(layout, fold, partition):
    """Give a partition's items other labels, and of test nothing that can be computed with."""
    rows = read_table(layout.folds)
    own = [row for row in rows if row[f"fold-{fold}"] == partition]
    labels = [row["label"] for row in own]
    for row, label in zip(own, labels[2:] + labels[:2], strict=True):
        row["label"] = label
    write_table(layout.folds, list(rows[0]), [list(row.values()) for row in rows])
    [file] = layout.results.glob("features/*.h5")
    spoilt = {row["id"] for row in own if partition == "test"}
    with h5py.File(file, "a") as store:
        for place, name in enumerate(store["ids"].asstr()[:]):
            if name in spoilt:
                store["items"][place] = np.nan


def write_trials(layout, trials, of):
    """Trials as pairs of UAR and loss, or a state, by number and fold."""
    for number, by_fold in enumerate(trials):
        for fold, what in by_fold.items():
            dev = dict(zip(("uar", "loss"), what, strict=True)) if isinstance(what, tuple) else None
            record = {
                "trial": number,
                "fold": fold,
                "values": {"training.lr": 10.0**-number},
                "state": what if dev is None else "complete",
                "reason": "too big" if what == "failed" else None,
                "dev": dev,
                "pruned": 1 if what == "pruned" else None,
                "seconds": 1.0,
                "history": [],
                "of": of,
            }
            write_json(trial_file(layout, "dense", fold, number), record)


def chosen_of(study, trials, choose_by="nested"):
    method = f"{{method: random, trials: {len(trials)}, choose: {choose_by}}}"
    typed = load(study, [f"models.dense.search={method}", TPE[1]])
    write_trials(Layout("tiny"), trials, digest(trial_slice(typed, "dense")))
    return choose(typed, Layout("tiny"), "dense", "1")["trial"]


def test_ties_go_to_the_lower_loss_then_to_the_earlier(study):
    trials = [{"1": (0.5, 0.1)}, {"1": (0.8, 0.4)}, {"1": (0.8, 0.3)}, {"1": (0.8, 0.3)}]
    assert chosen_of(study, trials) == 2


def test_one_choice_for_all_folds_is_by_the_mean_of_what_was_whole_on_each(study):
    trials = [
        {"1": (1.0, 0.1), "2": (0.1, 0.1), "3": (0.1, 0.1)},
        {"1": (0.5, 0.5), "2": (0.6, 0.5), "3": (0.7, 0.5)},
        {"1": (0.9, 0.1), "2": (0.9, 0.1), "3": "pruned"},
        {"1": (0.9, 0.1), "2": "failed", "3": (0.9, 0.1)},
    ]
    assert chosen_of(study, trials, "once") == 1
    found = read_json("results/tiny/searches/dense/all.json")
    assert found["dev"] == {"uar": pytest.approx(0.6), "loss": pytest.approx(0.5)}
    assert found["folds"] == ["1", "2", "3"]
    assert len(found["trials"]) == 12


def test_choice_names_the_trial_that_is_missing(study):
    with pytest.raises(UserError, match=r"trial-0/trial\.json: not found"):
        choose(load(study, GRID), Layout("tiny"), "dense", "1")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("trial", ["--fold", "9", "--trial", "0"], "--fold: the study has no fold '9'"),
        ("trial", ["--fold", "1", "--trial", "2"], "--trial: 2 is none of 2, counted from 0"),
        ("choose", [], "--fold: say which (models.dense.search.choose: nested)"),
    ],
)
def test_verbs_refuse_what_is_not_there(study, capsys, name, options, message):
    assert verb(name, study, GRID, *options) == 1
    assert message in capsys.readouterr().err

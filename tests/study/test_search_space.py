"""Ranges stand where values do; what is wrong with one names the place where it stands."""

import json

import jsonschema
import pytest
import yaml

from deepself.cli.schema import schema_text
from deepself.errors import UserError
from deepself.store.files import write_json
from deepself.study import Layout, Study, load
from deepself.study.identity import model_slice, trial_slice
from deepself.study.ranges import Choice, LogUniform, Uniform
from deepself.study.trials import earlier_files, round_before, with_choice
from tests.tiny import write_study

SEARCH = "models.cnn.search={method: tpe, trials: 8}"
LR = "models.cnn.training.lr={log_uniform: [1e-4, 1.0e-1]}"
CHANNELS = "models.cnn.network.channels={choice: [[4], [8, 8]]}"


@pytest.fixture
def study_file(tmp_path):
    return write_study(tmp_path)


@pytest.fixture
def layout(tmp_path):
    """A study that is split."""
    layout = Layout("tiny", tmp_path / "results")
    digests = {"audio": {"digest": "a" * 64}, "sensor": {"digest": "b" * 64}}
    dataset = {"classes": [], "folds": ["1", "2", "3"], "items": 0, "modalities": digests}
    write_json(layout.dataset, dataset)
    return layout


def test_ranges_are_kept_beside_their_first_values(study_file):
    drop = "models.cnn.network.dropout={uniform: [0, 0.5]}"
    model = load(study_file, [SEARCH, LR, CHANNELS, drop]).models["cnn"]
    assert model.space == {
        "network.channels": Choice(choice=[[4], [8, 8]]),
        "network.dropout": Uniform(uniform=(0, 0.5)),
        "training.lr": LogUniform(log_uniform=(1e-4, 1e-1)),
    }
    assert (model.network.channels, model.network.dropout) == ([4], 0)
    assert model.training.lr == 1e-4
    assert model.trials == 8


def test_integers_stay_integers_where_both_ends_are(study_file):
    whole = "models.cnn.training.batch_size={uniform: [4, 8]}"
    assert load(study_file, [SEARCH, whole]).models["cnn"].space["training.batch_size"].whole
    broken = "models.cnn.training.batch_size={uniform: [4.0, 8.0]}"
    with pytest.raises(UserError, match=r"batch_size.uniform: input should be a valid integer"):
        load(study_file, [SEARCH, broken])


def test_grid_counts_its_combinations(study_file):
    grid = "models.cnn.search={method: grid}"
    batch = "models.cnn.training.batch_size={choice: [2, 4, 8]}"
    assert load(study_file, [grid, CHANNELS, batch]).models["cnn"].trials == 6
    limited = "models.cnn.search={method: grid, trials: 4}"
    assert load(study_file, [limited, CHANNELS, batch]).models["cnn"].trials == 4


def test_values_take_the_places_of_ranges(study_file):
    mix = "models.cnn.training.augmentation=[{type: mix_up, alpha: {uniform: [0.1, 0.4]}}]"
    schedule = "models.cnn.training.schedule={choice: [{type: constant}, {type: step, every: 2}]}"
    model = load(study_file, [SEARCH, mix, schedule]).models["cnn"]
    found = {
        "training.augmentation.0.alpha": 0.3,
        "training.schedule": {"type": "step", "every": 2},
    }
    fixed = model.fixed(found)
    assert fixed.training.augmentation[0].alpha == 0.3
    assert fixed.training.schedule.every == 2
    assert fixed.search is None and not fixed.space
    assert fixed.training.epochs == 3  # what is no range stays


def test_the_whole_study_can_be_written_and_read_again(study_file, tmp_path):
    study = load(study_file, [SEARCH, LR, CHANNELS])
    raw = study.model_dump(mode="json", exclude_unset=True)
    assert raw["models"]["cnn"]["training"]["lr"] == {"log_uniform": [1e-4, 1e-1]}
    again = Study.model_validate(yaml.safe_load(yaml.safe_dump(raw)))
    assert again.model_dump() == study.model_dump()
    assert again.models["cnn"] == study.models["cnn"]


OF_CNN = [
    ("search.trials=8", "search: no range stands below network or training"),
    ("training.lr={uniform: [2, 1]}", "training.lr: uniform: give the lower value first"),
    ("training.lr={uniform: [-1, 1]}", "training.lr.uniform.0: input should be greater than 0"),
    ("network.dropout={uniform: [0, 1]}", "network.dropout.uniform.1: input should be less than 1"),
    ("training.lr={log_uniform: [0, 1]}", "training.lr: log_uniform: values must lie above 0"),
    ("training.lr={choice: [1]}", "training.lr.choice: give at least 2"),
    ("training.lr={choice: [1, 1]}", "training.lr.choice: 1 stands there twice"),
    (
        "training.lr={loguniform: [1, 2]}",
        "training.lr: unknown range 'loguniform', did you mean log_uniform?",
    ),
    (
        "training.weigth_decay={uniform: [0.0, 1.0]}",
        "training.weigth_decay: unknown key, did you mean weight_decay?",
    ),
    (
        "network.channels={choice: [[4], [8, 0]]}",
        "network.channels.choice.1.1: input should be greater than 0, not 0",
    ),
    (
        "training.schedule={choice: [{type: cosine}, {type: step, evry: 3}]}",
        "training.schedule.choice.1.evry: unknown key, did you mean every?",
    ),
    (
        "training.schedule={choice: [{type: stp}, {type: cosine}]}",
        "training.schedule.choice.0.type: unknown type 'stp', did you mean step?",
    ),
    (
        "training.options.eps={choice: [{uniform: [0, 1]}, 2]}",
        "training.options.eps.choice: a range cannot hold another",
    ),
    ("training={choice: [{}, {lr: 1}]}", "training: ranges stand below it"),
    ("network.type={choice: [cnn1d, rnn]}", "network.type: type cannot be searched"),
    (
        "training={micro_batch: 4, batch_size: {choice: [8, 2]}}",
        "training: micro_batch (4) is more than batch_size (2)",
    ),
]
INITIALISED = (
    "models.both={network: {type: branches, branches: {a: {feature: log_mel, initialise: cnn, "
    "network: {type: cnn2d, channels: [4]}}, b: {feature: trace, network: {type: dense}}}}}"
)
MISTAKES = [([SEARCH, f"models.cnn.{of}"], f"models.cnn.{said}") for of, said in OF_CNN]
MISTAKES += [
    ([LR], "models.cnn.training.lr: is a range: give one value, or add search"),
    (
        ["models.svm.classifier.complexity={choice: [1, 2]}"],
        "models.svm.classifier.complexity: a classifier chooses on dev by itself: list values",
    ),
    ([LR, "models.cnn.search={method: grid}"], "models.cnn.training.lr: a grid needs choice"),
    ([LR, "models.cnn.search={method: random}"], "models.cnn.search: trials is missing: say how"),
    (
        [LR, SEARCH, "models.cnn.search.prun=true"],
        "models.cnn.search.prun: unknown key, did you mean prune?",
    ),
    ([LR, SEARCH, "models.cnn.folds=together"], "models.cnn: search needs folds: apart"),
    (
        [LR, SEARCH, "models.cnn.trainig={}"],
        "models.cnn.trainig: unknown key, did you mean training?",
    ),
    (
        ["models.dense.search={method: grid}", "models.dense.normalise={choice: [none, bin]}"],
        "models.dense.normalise: trace has no bins: it is of kind waveform",
    ),
    ([LR, SEARCH, INITIALISED], "models.both.network.branches.a.initialise: cnn is searched"),
]


@pytest.mark.parametrize(("overrides", "message"), MISTAKES, ids=[m for _, m in MISTAKES])
def test_mistake_in_a_search_names_its_key(study_file, overrides, message):
    with pytest.raises(UserError) as error:
        load(study_file, overrides)
    assert str(error.value).removeprefix(f"{study_file}: ").startswith(message)
    assert "\n" not in str(error.value)


def test_each_value_that_is_wrong_is_named_once(study_file):
    with pytest.raises(UserError) as error:
        load(study_file, [SEARCH, "models.cnn.network.channels={choice: [[4], [0], [-1]]}"])
    assert len(str(error.value).splitlines()) == 2


def test_editors_accept_ranges_where_a_model_may_have_them(study_file):
    schema = json.loads(schema_text())
    study = load(study_file, [SEARCH, LR, CHANNELS]).model_dump(mode="json", exclude_unset=True)
    study["models"]["cnn"]["normalise"] = {"choice": ["channel", "bin"]}
    study["models"]["cnn"]["training"]["augmentation"] = [
        {"type": "mix_up", "alpha": {"uniform": [0.1, 0.4]}}
    ]
    jsonschema.validate(study, schema)
    for place in ("folds", "feature"):
        broken = json.loads(json.dumps(study))
        broken["models"]["cnn"][place] = {"choice": ["a", "b"]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def slices(study_file, *overrides):
    study = load(study_file, [SEARCH, LR, CHANNELS, *overrides])
    return model_slice(study, "cnn"), trial_slice(study, "cnn")


def test_ranges_and_search_are_part_of_what_a_run_depends_on(study_file):
    run, trial = slices(study_file)
    for change in (
        "models.cnn.training.lr.log_uniform.1=1.0",
        "models.cnn.network.channels.choice.1=[9]",
        "models.cnn.search.method=random",
        "models.cnn.search.prune=true",
        "models.cnn.training.epochs=9",
    ):
        changed = slices(study_file, change)
        assert changed[0] != run and changed[1] != trial, change


def test_more_trials_leave_those_that_there_are(study_file):
    run, trial = slices(study_file)
    more = slices(study_file, "models.cnn.search.trials=9")
    assert more[1] == trial and more[0] != run
    assert slices(study_file, "seeds=[0, 1]")[1] == trial
    assert slices(study_file, "seeds=[1]")[1] != trial


def test_random_trials_need_no_others_and_do_not_depend_on_how_they_are_judged(study_file, layout):
    random = "models.cnn.search.method=random"
    first = slices(study_file, random)[1]
    assert slices(study_file, random, "models.cnn.search.choose=once")[1] == first
    assert slices(study_file, random, "models.cnn.search.parallel=2")[1] == first
    assert earlier_files(load(study_file, [SEARCH, LR, random]), layout, "cnn", "1", 7) == []


def test_a_trial_waits_for_the_round_before_and_looks_at_all_earlier_ones(study_file, layout):
    study = load(study_file, [SEARCH, LR, "models.cnn.search.parallel=2"])
    assert round_before(study, layout, "cnn", "2", 1) == []
    waits = [layout.trial("cnn", "2", n) / "trial.json" for n in (2, 3)]
    assert round_before(study, layout, "cnn", "2", 5) == waits
    assert len(earlier_files(study, layout, "cnn", "2", 5)) == 4
    once = load(study_file, [SEARCH, LR, "models.cnn.search.choose=once"])
    assert len(earlier_files(once, layout, "cnn", "2", 4)) == 4 * 3  # of all folds


def test_model_without_a_search_is_what_it_was(study_file, layout):
    study = load(study_file)
    assert not {"search", "space"} & model_slice(study, "cnn").keys()
    assert with_choice(study, layout, "cnn", "1") is study


def test_choice_of_other_ranges_is_refused(study_file, layout):
    study = load(study_file, [SEARCH, LR])
    with pytest.raises(UserError, match=r"fold-1\.json: not found; run trial"):
        with_choice(study, layout, "cnn", "1")
    write_json(layout.choice("cnn", "fold-1"), {"values": {"training.momentum": 0.1}})
    with pytest.raises(UserError, match="is of other ranges"):
        with_choice(study, layout, "cnn", "1")
    write_json(layout.choice("cnn", "fold-1"), {"values": {"training.lr": 0.02}})
    assert with_choice(study, layout, "cnn", "1").models["cnn"].training.lr == 0.02

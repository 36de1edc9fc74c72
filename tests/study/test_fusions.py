"""Fusions as a study writes them: forms of methods and members, and mistakes in one line."""

import json

import jsonschema
import pytest
import yaml

from deepself.cli.schema import schema_text
from deepself.errors import UserError
from deepself.study import load
from deepself.study.fusions import METHODS, Best
from deepself.study.identity import fusion_slice
from deepself.study.references import members
from tests.tiny import write_study

WEIGHTED = "fusions.all.method={type: weighted_mean, weights: "
SNAPSHOTS = "models.cnn.training={epochs: 4, schedule: {type: cosine, cycles: 2}, snapshots: true}"


@pytest.fixture
def file(tmp_path):
    return write_study(tmp_path)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_a_name_or_an_object(file, name):
    short = load(file, [f"fusions.all.method={name}"])
    long = load(file, [f"fusions.all.method={{type: {name}}}"])
    assert short == long
    assert str(short.fusions["all"].method) == name
    assert fusion_slice(short, "all", ["cnn"]) == fusion_slice(long, "all", ["cnn"])


def test_the_mean_of_all_models_is_the_default(file):
    fusion = load(file, ["fusions.all={}"]).fusions["all"]
    assert str(fusion.method) == "mean"
    assert (fusion.members, fusion.temperatures, fusion.over) == (["*"], False, [])


def test_the_best_are_chosen_from_those_that_match(file):
    study = load(file, ["fusions.all.members={best: 2, of: ['[cs]*', dense], per: modality}"])
    chosen = study.fusions["all"].members
    assert chosen == Best(best=2, of=["[cs]*", "dense"], per="modality")
    assert members(study, chosen) == ["svm", "cnn", "dense"]
    assert load(file, ["fusions.all.members={best: 1}"]).fusions["all"].members.of == ["*"]


def test_seeds_under_which_results_lie(file):
    study = load(file, ["seeds=[5, 4]", "fusions.all.over=[seeds]"])
    assert study.fusions["all"].placed(study.seeds) == [5]
    assert study.fusions["best"].placed(study.seeds) == [5, 4]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method=maen", "all.method.type: unknown type 'maen', did you mean mean?"),
        ("method={type: vote}", "all.method.type: unknown type 'vote'"),
        ("method={rounds: 3}", "all.method.type: missing; add it"),
        ("method={type: greedy, ronds: 3}", "method.ronds: unknown key, did you mean rounds?"),
        ("method={type: greedy, rounds: 0}", "method.rounds: input should be greater than 0"),
        ("method={type: stacking, complexity: []}", "method.complexity: give at least 1"),
        ("method={type: weighted_mean, weights: learned}", "weights: input should be 'learnt'"),
        ("method={type: weighted_mean, weights: {cnn: 0}}", "weights: all weights are 0; give one"),
        (
            "method={type: weighted_mean, weights: {cnn: -1}}",
            "weights.cnn: input should be great",
        ),
        ("method={type: weighted_mean, weights: {cnm: 1}}", "cnm: is no member, did you mean cnn?"),
        ("method={type: weighted_mean, weights: {cnn: 1}}", "no weight for svm, dense; 0 leaves"),
        ("method={type: weighted_mean, weights: [1, 2, 3]}", "a list of weights needs members nam"),
        (
            "={members: [cnn, svm], method: {type: weighted_mean, weights: [1]}}",
            "fusions.all: 1 weights for 2 members",
        ),
        ("members={bset: 3}", "all.members.bset: unknown key, did you mean best?"),
        ("members={best: 0}", "all.members.best: input should be greater than 0"),
        ("members={best: 4}", "all.members.best: 4 of 3; lower it"),
        (
            "members={best: 1, of: [cnm]}",
            "all.members.of.0: unknown model 'cnm', did you mean",
        ),
        ("members={best: 1, of: [cnn]}", "all.members: a fusion needs at least two models"),
        ("members=[]", "all.members: give at least 1"),
        ("={members: [cnn], over: [seeds]}", "at least two models, or one and several seeds"),
        ("choose=all", "all.choose: unknown key; known: members, method"),
        ("over=[seed]", "all.over.0: input should be 'seeds', 'folds' or 'snapshots'"),
        ("over=[seeds, seeds]", "all.over: 'seeds' stands there twice"),
        ("over=[folds]", "all.over: folds: other folds' runs have trained on this fold's test"),
        ("over=[snapshots]", "all.over: snapshots: cnn keeps none; set models.cnn.training.snap"),
        ("over=[snapshots]", "all.over: snapshots: svm is a classifier, which keeps none"),
        ("temperatures=3", "all.temperatures: input should be a valid boolean"),
    ],
)
def test_a_mistake_names_its_key(file, override, message):
    dot = "" if override.startswith("=") else "."
    with pytest.raises(UserError) as caught:
        load(file, [f"fusions.all{dot}{override}"])
    assert message in str(caught.value)
    assert all(line.startswith(f"{file}: fusions.all") for line in str(caught.value).splitlines())


def test_snapshots_of_a_network_that_keeps_them(file):
    fusion = "fusions.all={members: [cnn], over: [snapshots]}"
    assert load(file, [SNAPSHOTS, fusion]).fusions["all"].over == ["snapshots"]


def test_what_shapes_a_fusion_changes_its_slice(file):
    def slice_(*overrides):
        study = load(file, ["seeds=[0, 1]", *overrides])
        return fusion_slice(study, "all", members(study, study.fusions["all"].members))

    changes = [
        [],
        ["fusions.all.method=borda"],
        [WEIGHTED + "{cnn: 1, svm: 1, dense: 1}}"],
        [WEIGHTED + "{cnn: 1, svm: 1, dense: 2}}"],
        ["fusions.all.members={best: 1}"],
        ["fusions.all.members={best: 2}"],
        ["fusions.all.members={best: 2, per: modality}"],
        ["fusions.all.members=[cnn, svm]"],
        ["fusions.all.temperatures=true"],
        ["fusions.all.over=[seeds]"],
        ["fusions.all.over=[seeds]", "seeds=[1, 0]"],
    ]
    slices = [json.dumps(slice_(*change)) for change in changes]
    assert len(set(slices)) == len(slices)
    assert slice_() == slice_("seeds=[0, 1, 2]")  # its inputs say of which seed it is
    assert slice_() == slice_("fusions.all.members=[cnn, svm, dense]")


@pytest.mark.parametrize(
    "text",
    [
        "{members: ['*'], method: mean}",
        "{members: {best: 3, per: modality}, method: {type: greedy, rounds: 5}, over: [seeds]}",
        "{method: {type: weighted_mean, weights: learnt}, temperatures: true}",
        "{method: {type: weighted_mean, weights: {a: 1}}, over: [snapshots, folds]}",
    ],
)
def test_the_schema_knows_these_forms(file, text):
    content = yaml.safe_load(file.read_text())
    schema = json.loads(schema_text())
    content["fusions"]["all"] = yaml.safe_load(text)
    jsonschema.validate(content, schema)
    content["fusions"]["all"]["method"] = "maen"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)

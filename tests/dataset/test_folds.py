"""Partitions: everyone is tested once, classes are spread evenly, groups stay together."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.dataset.folds import assign, split_study
from deepself.dataset.inventory import take_inventory
from deepself.dataset.manifest import Item
from deepself.errors import UserError
from deepself.store.files import read_json, read_table
from deepself.study import Layout, load
from deepself.study.dataset import Splits
from tests.tiny import make_study


def items_of(labels, groups=None, **columns):
    return [
        Item(
            row=i + 2,
            id=f"i{i}",
            label=str(label),
            group=str(groups[i]) if groups else "",
            paths={},
            columns={name: str(values[i]) for name, values in columns.items()},
        )
        for i, label in enumerate(labels)
    ]


@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(5, 12), min_size=2, max_size=4),
    dev=st.sampled_from([{"method": "next_fold"}, {"method": "holdout", "fraction": 0.25}]),
    seed=st.integers(0, 5),
)
def test_stratified_folds(counts, dev, seed):
    items = items_of([label for label, count in enumerate(counts) for _ in range(count)])
    folds = assign(Splits(folds=5, dev=dev, seed=seed), items)
    tested = Counter(i for p in folds.values() for i, part in p.items() if part == "test")
    assert tested == Counter(item.id for item in items)  # each once
    for partitions in folds.values():
        for label, count in enumerate(counts):
            in_test = sum(partitions[i.id] == "test" for i in items if i.label == str(label))
            assert abs(in_test - count / 5) < 1
        assert set(partitions.values()) == {"train", "dev", "test"}


@settings(deadline=None, max_examples=25)
@given(groups=st.lists(st.integers(0, 19), min_size=60, max_size=90), seed=st.integers(0, 5))
def test_groups_stay_together(groups, seed):
    groups = [*range(20), *groups]  # each group occurs
    items = items_of([g % 2 for g in groups], groups)
    for dev in ({"method": "next_fold"}, {"method": "holdout", "fraction": 0.2}):
        splits = Splits(method="grouped", folds=5, dev=dev, seed=seed)
        for partitions in assign(splits, items).values():
            places = {}
            for item in items:
                places.setdefault(item.group, set()).add(partitions[item.id])
            assert all(len(parts) == 1 for parts in places.values())


def test_same_seed_same_folds():
    items = items_of([0, 1] * 20)
    assert assign(Splits(seed=3), items) == assign(Splits(seed=3), items)
    assert assign(Splits(seed=3), items) != assign(Splits(seed=4), items)


def test_given_folds_are_honoured_and_dev_is_the_next():
    items = items_of([0, 1] * 6, fold=[1, 1, 2, 2, 10, 10] * 2)
    folds = assign(Splits(method="given"), items)
    assert list(folds) == ["1", "2", "10"]  # by number, not as text
    for item in items:
        following = {"1": "2", "2": "10", "10": "1"}
        for test, partitions in folds.items():
            expected = {test: "test", following[test]: "dev"}.get(item.columns["fold"], "train")
            assert partitions[item.id] == expected


def test_partition_column():
    items = items_of([0, 1, 0, 1, 0, 1], partition=["train"] * 2 + ["dev"] * 2 + ["test"] * 2)
    folds = assign(Splits(method="partition"), items)
    assert list(folds["1"].values()) == ["train"] * 2 + ["dev"] * 2 + ["test"] * 2
    items[0].columns["partition"] = "training"
    with pytest.raises(UserError, match=r"row 2 \(i0\): partition is 'training'; it must be train"):
        assign(Splits(method="partition"), items)


@pytest.mark.parametrize("groups", [False, True])
def test_a_fixed_test_partition_with_folds_of_the_rest(groups):
    labels = [i % 2 for i in range(60)]
    part = ["test" if i < 20 else ("dev" if i < 30 else "train") for i in range(60)]
    names = [f"g{i // 4}" for i in range(60)] if groups else None
    items = items_of(labels, names, partition=part)
    folds = assign(Splits(method="fixed_test", folds=4), items)
    assert list(folds) == ["1", "2", "3", "4"]
    tested = {f"i{i}" for i in range(20)}
    in_dev = Counter()
    for partitions in folds.values():
        assert {i for i, p in partitions.items() if p == "test"} == tested
        dev = [item for item in items if partitions[item.id] == "dev"]
        assert 8 <= len(dev) <= 12
        assert Counter(item.label for item in dev)["0"] == len(dev) / 2
        in_dev.update(item.id for item in dev)
        if groups:
            assert all(
                len({partitions[item.id] for item in items if item.group == g}) == 1
                for g in set(names)
            )
    assert in_dev == Counter(item.id for item in items if item.id not in tested)


def test_a_fixed_test_partition_draws_its_own_dev():
    with pytest.raises(ValueError, match="fixed_test: dev is each part of the rest in turn"):
        Splits(method="fixed_test", dev={"method": "holdout"})


def test_too_few_items_of_a_class():
    with pytest.raises(UserError, match="class '1' has 4 items, fewer than 5 folds"):
        assign(Splits(folds=5), items_of([0] * 9 + [1] * 4))
    few_groups = items_of([0] * 9 + [1] * 9, [*range(9), *[9, 10, 11] * 3])
    with pytest.raises(UserError, match="class '1' has 3 groups, fewer than 5 folds"):
        assign(Splits(method="grouped", folds=5), few_groups)


def test_missing_split_column():
    with pytest.raises(UserError, match="the manifest has no column 'fold'"):
        assign(Splits(method="given"), items_of([0, 1], other=[1, 2]))


@pytest.fixture
def split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_study(tmp_path)

    def run(edit=lambda text: text, **changes):
        manifest = tmp_path / "recordings/manifest.csv"
        manifest.write_text(edit(manifest.read_text()))
        study = load(make_study_file(tmp_path, **changes))
        layout = Layout(study.name, tmp_path / "results")
        take_inventory(study, layout, 1)
        return split_study(study, layout), layout

    return run


def make_study_file(tmp_path, **changes):
    from tests.tiny import write_study

    return write_study(tmp_path, **changes)


def test_dataset_file_holds_classes_folds_and_digests(split):
    found, layout = split()
    assert read_json(layout.dataset) == found
    assert found["classes"] == ["high", "low", "noise"]
    assert found["folds"] == ["1", "2", "3"]
    assert len(found["modalities"]["audio"]["digest"]) == 64
    assert "dev" in layout.folds.read_text().splitlines()[1]


def test_group_that_spans_folds_is_a_leak(split):
    given = {"splits": {"method": "given"}, "dataset__group": "group"}
    split(**given)
    with pytest.raises(UserError, match=r"group 'low1' spans partitions \(row .* in dev, row"):
        split(lambda text: text.replace(",low,2,low2", ",low,2,low1", 1), **given)


def test_label_that_only_one_fold_knows(split):
    with pytest.raises(
        UserError, match=r"fold 1: label 'odd' is unknown to its training partition"
    ):
        split(lambda text: text.replace(",low,1,", ",odd,1,"), splits={"method": "given"})


@pytest.mark.parametrize("dev", [{"method": "holdout", "fraction": 0.3}, {}])
def test_given_fold_that_lost_all_its_recordings(split, tmp_path, dev):
    root = tmp_path / "recordings"
    for row in read_table(root / "manifest.csv"):
        if row["fold"] == "3":
            (root / row["audio"]).write_bytes(b"no sound")
    with pytest.raises(UserError, match=r"fold 3: all its recordings were skipped \(.*says why"):
        split(splits={"method": "given", **({"dev": dev} if dev else {})}, dataset__on_error="skip")


@pytest.mark.parametrize("name", ["fold 1", "a/b", "1; ls", ".hidden", "ä"])
def test_fold_names_are_words(name):
    with pytest.raises(UserError, match=r"row 2 \(i0\): fold is .*; name folds by letters"):
        assign(Splits(method="given"), items_of([0, 1, 0], fold=[name, 2, 3]))


def test_equal_numbers_keep_their_order():
    items = items_of([0, 1] * 6, fold=["001", "1", "01"] * 4)
    assert list(assign(Splits(method="given"), items)) == ["001", "01", "1"]


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6, 0.9])
def test_held_out_groups_come_near_the_fraction(fraction):
    items = items_of([i % 2 for i in range(120)], [i // 4 for i in range(120)])
    dev = {"method": "holdout", "fraction": fraction}
    for partitions in assign(Splits(method="grouped", dev=dev), items).values():
        rest = sum(p != "test" for p in partitions.values())
        held = sum(p == "dev" for p in partitions.values())
        assert abs(held / rest - fraction) < 0.07


def test_one_class_is_nothing_to_tell_apart(split):
    def one(text):
        return text.replace(",low,", ",high,").replace(",noise,", ",high,")

    with pytest.raises(UserError, match="one class only"):
        split(one)

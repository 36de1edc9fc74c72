"""The map of the items: what runs make of them, placed in the plane, and switched in a browser."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file

from deepself.cli import main
from deepself.errors import UserError
from deepself.report.map import COLOURS, SYMBOLS, items_map
from deepself.report.page import TEMPLATES
from deepself.report.placing import COLUMNS, about, make_map
from deepself.report.render import render
from deepself.store.features import FeatureFile
from deepself.store.files import read_json, read_table, write_json, write_table
from deepself.store.predictions import read_predictions
from deepself.study import Layout, load
from deepself.study.identity import feature_file
from deepself.training.hidden import hidden
from deepself.training.job import Run, job_of
from tests.report.browsing import Visit
from tests.synthetic import HOSTILE, Plan, build, finish
from tests.tiny import make_study

SETTINGS = {"epochs": 2, "batch_size": 8, "lr": 0.01}
WINDOWED = {"kind": "waveform", "modality": "audio", "window": {"seconds": 0.1, "overlap": 0.5}}
CNN1D = {"type": "cnn1d", "channels": [4], "kernel_size": 8, "stride": 4}
MEL = {"feature": "log_mel", "network": {"type": "cnn2d", "channels": [4]}}
TRACE = {"feature": "trace", "network": {"type": "dense", "hidden": [8]}}
BOTH = {"type": "branches", "size": 8, "branches": {"mel": MEL, "trace": TRACE}}
CHANGES = {
    "fusions": {},
    "models__cut": {"feature": "cut", "network": CNN1D, "training": SETTINGS},
    "models__both": {"network": BOTH, "training": SETTINGS},
    "models__cropped": {
        **MEL,
        "training": {
            **SETTINGS,
            "precision": "bf16",
            "crops": 3,
            "augmentation": [{"type": "random_crop", "size": 0.7}],
        },
    },
    "features__cut": WINDOWED,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The tiny study with all its runs, in whose folder the tests then are."""
    folder = tmp_path_factory.mktemp("map")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        file = str(make_study(folder, **CHANGES))
        study, layout = load(file), Layout("tiny")
        for verb in ("check", "split"):
            assert main([verb, file]) == 0
        for feature in study.features:
            assert main(["extract", file, "--feature", feature]) == 0
        for model in study.models:
            assert main(["train", file, "--model", model, "--all", "--device", "cpu"]) == 0
        yield study, layout


def of_run(trained, model, ids=None):
    study, layout = trained
    job = job_of(study, layout, Run(model, "1", 0))
    every = {row["id"] for row in read_table(layout.folds)}
    return job, hidden(job, every if ids is None else ids, "cpu")


@pytest.mark.parametrize("model", ["cnn", "dense", "both", "cut"])
def test_the_last_layer_makes_predictions_of_what_is_found(trained, model):
    """By the mean of logits: softmax of it is the windows' geometric mean, up to its sum."""
    job, vectors = of_run(trained, model)
    weights = load_file(job.folder / "weights.safetensors")
    test = read_predictions(job.folder / "predictions.csv").part("test")
    for item in dict.fromkeys(test.ids):
        logits = np.log(test.probabilities[test.ids == item]).mean(axis=0)
        found = weights["network.classifier.weight"] @ vectors[item]
        found = found + weights["network.classifier.bias"]
        np.testing.assert_allclose(found - found.mean(), logits - logits.mean(), atol=2e-5)
    assert (test.starts is not None) == (model == "cut")


def test_items_and_their_vectors_are_those_asked_for(trained):
    _, every = of_run(trained, "both")
    assert len(every) == 18
    some = ["low-2", "high-0"]
    _, few = of_run(trained, "both", set(some))
    assert set(few) == set(some)
    for item in some:
        np.testing.assert_allclose(few[item], every[item], atol=1e-6)


def test_crops_are_averaged_in_the_runs_own_precision(trained):
    job, vectors = of_run(trained, "cropped")
    weights = load_file(job.folder / "weights.safetensors")
    test = read_predictions(job.folder / "predictions.csv").part("test")
    found = np.stack([vectors[item] for item in test.ids])
    logits = found @ weights["network.classifier.weight"].T + weights["network.classifier.bias"]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, test.probabilities, atol=0.02)


def test_a_classifier_is_asked_what_it_reads(trained):
    study, layout = trained
    _, vectors = of_run(trained, "svm")
    with FeatureFile(feature_file(study, layout, "log_mel")) as file:
        train = [row["id"] for row in read_table(layout.folds) if row["fold-1"] == "train"]
        known, items = file.read(train), file.read(list(vectors))
    assert study.normalisation(study.models["svm"]) == "channel"
    expected = (items - known.mean()) / known.std()
    found = np.stack(list(vectors.values()))
    np.testing.assert_allclose(found, expected.reshape(len(found), -1), atol=1e-4)


def placed(trained, device="cpu"):
    study, layout = trained
    path = make_map(study, layout, device)
    return read_table(path), read_json(about(layout)), path.read_bytes()


def test_the_map_is_of_the_best_network_on_dev_and_the_same_each_time(trained):
    study, layout = trained
    assert main(["map", "study.yaml", "--device", "cpu"]) == 0
    rows, said, content = layout.map.read_bytes(), read_json(about(layout)), None
    again, same, content = placed(trained)
    assert (content, same) == (rows, said)
    dev = {
        name: np.mean(
            [
                read_json(layout.run(name, fold, 0) / "run.json")["scores"]["dev"]["uar"]
                for fold in ("1", "2", "3")
            ]
        )
        for name in study.models
        if name != "svm"
    }
    assert said["dev_uar"] == pytest.approx(max(dev.values()))
    assert said["model"] == max(dev, key=dev.get)
    assert (said["fold"], said["seed"], said["items"], said["of"]) == ("1", 0, 18, 18)
    assert (said["perplexity"], said["classifier"]) == (pytest.approx(17 / 3), False)
    folds = {row["id"]: row for row in read_table(layout.folds)}
    assert [row["id"] for row in again] == list(folds)
    for row in again:
        own = folds[row["id"]]
        assert (row["label"], row["partition"]) == (own["label"], own["fold-1"])
        assert own[f"fold-{row['fold']}"] == "test"
        assert np.isfinite([float(row[k]) for k in ("pca_x", "pca_y", "tsne_x", "tsne_y")]).all()


@pytest.mark.parametrize("name", ["dense", "cut", "both"])
def test_dev_alone_chooses(trained, name):
    study, layout = trained
    records = {
        layout.run(model, fold, 0) / "run.json": (model, fold)
        for model in study.models
        for fold in ("1", "2", "3")
    }
    kept = {path: path.read_bytes() for path in records}
    try:
        for path, (model, _) in records.items():
            record = read_json(path)
            record["scores"]["dev"]["uar"] = 0.9 if model == name else 0.5
            record["scores"]["test"]["uar"] = 0.1 if model == name else 0.9
            if model == "svm":
                record["scores"]["dev"]["uar"] = 1.0  # no network
            write_json(path, record)
        _, said, _ = placed(trained)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert (said["model"], said["dev_uar"]) == (name, pytest.approx(0.9))
    assert said["windows"] == (name == "cut")
    assert said["features"] == {"dense": ["trace"], "cut": ["cut"]}.get(name, ["log_mel", "trace"])


def test_a_study_of_classifiers_is_mapped_by_what_they_read(trained):
    study, layout = trained
    only = study.model_copy(update={"models": {"svm": study.models["svm"]}})
    rows, said, _ = placed((only, layout))
    assert (said["model"], said["classifier"], said["size"]) == ("svm", True, 16 * 8)
    assert len(rows) == 18


def test_a_run_that_cannot_be_rebuilt_is_refused_in_a_line(trained):
    study, layout = trained
    one = study.model_copy(update={"models": {"cnn": study.models["cnn"]}})
    folder = layout.run("cnn", "1", 0)
    weights = folder / "weights.safetensors"
    kept = weights.read_bytes()
    try:
        weights.unlink()
        with pytest.raises(UserError, match=r"weights\.safetensors: not found; run train again"):
            make_map(one, layout, "cpu")
        other = layout.run("dense", "1", 0) / "weights.safetensors"
        weights.write_bytes(other.read_bytes())
        with pytest.raises(UserError, match="not the weights of this network; run train again"):
            make_map(one, layout, "cpu")
    finally:
        weights.write_bytes(kept)
    wider = load("study.yaml", ["models.cnn.network.channels=[6]"])
    wider = wider.model_copy(update={"models": {"cnn": wider.models["cnn"]}})
    with pytest.raises(UserError, match="is of the study as it was before; run train again"):
        make_map(wider, layout, "cpu")
    record = folder / "run.json"
    record.rename(folder / "kept")
    try:
        with pytest.raises(UserError, match=r"run\.json: not found; run train"):
            make_map(one, layout, "cpu")
    finally:
        (folder / "kept").rename(record)


def draw_map(tree, groups=None, fold=True):
    """Write a map of a made-up study, which has no weights."""
    random = np.random.default_rng(0)
    rows = []
    for number, row in enumerate(read_table(tree.layout.folds)):
        group = row["group"] if groups is None else f"g{number % groups}"
        tested = next(f[5:] for f, part in row.items() if part == "test") if fold else ""
        four = random.normal(0, 1, 4).tolist()
        rows.append([row["id"], row["label"], group, row["fold-1"], tested, *four])
    write_table(tree.layout.map, COLUMNS, rows)
    said = {
        "model": "log_mel_cnn",
        "type": "cnn2d",
        "classifier": False,
        "features": ["log_mel"],
        "fold": "1",
        "seed": 0,
        "dev_uar": 0.75,
        "windows": True,
        "size": 64,
        "items": len(rows),
        "of": 2 * len(rows),
        "shares": [0.5, 0.25],
        "perplexity": 15.0,
    }
    write_json(about(tree.layout), said)
    return rows


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=HOSTILE, groups=True, hostile_ids=True, models=2)
    return finish(build(tmp_path_factory.mktemp("drawn"), plan))


LEGEND = "[data-figure=map] .legendtext"
POINTS = "[data-figure=map] .scatterlayer path.point"


def legend(page):
    return page.eval_on_selector_all(LEGEND, "all => all.map((e) => e.textContent)")


def test_the_map_is_switched_by_keyboard(tree, browser):
    rows = draw_map(tree)
    path = render(tree.study, tree.layout, command="x")
    visit = Visit(browser, path, viewport={"width": 390, "height": 800})
    visit.see_all()
    page = visit.page
    assert len(page.query_selector_all(POINTS)) == len(rows)
    assert legend(page) == list(HOSTILE)
    figure = page.locator("[data-figure=map]")
    assert figure.get_attribute("aria-label") == "Items placed by t-SNE, coloured by class."
    place, colouring = (page.get_by_role("combobox", name=n) for n in ("Placed by", "Coloured by"))
    before = page.eval_on_selector(POINTS, "e => e.getAttribute('transform')")
    place.focus()
    page.keyboard.press("p")
    visit.wait_until("document.querySelector('[data-figure=map]').ariaLabel.includes('PCA')")
    assert page.eval_on_selector(POINTS, "e => e.getAttribute('transform')") != before
    assert "principal component 1 (50 % of the variance)" in figure.text_content()
    names = ["class", "fold that tests it", "group", "partition in fold 1"]
    assert colouring.locator("option").all_inner_texts() == names
    colouring.focus()
    expected = {
        "fold": ["1", "2", "3"],
        "group": sorted({row[2] for row in rows}),
        "partition": ["train", "dev", "test"],
    }
    for name, values in expected.items():
        page.keyboard.press("ArrowDown")
        assert colouring.input_value() == name
        assert legend(page) == values
        assert len(page.query_selector_all(POINTS)) == len(rows)
    text = page.inner_text("section[aria-labelledby=map]")
    assert "48 of 96 items, drawn at random from each class, each placed by the 64 values" in text
    assert "the last layer of log_mel_cnn reads in the run of fold 1, seed 0" in text
    assert "the best mean UAR on dev (0.750); test had no say" in text
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.query_selector_all("img[src=x]") == []
    assert [url for url in visit.requests[1:] if not url.startswith("data:")] == []
    assert visit.problems == []
    page.close()


def test_pointing_at_an_item_tells_what_it_is(tree, browser):
    rows = draw_map(tree)
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    visit.page.locator("[data-figure=map]").scroll_into_view_if_needed()
    place = visit.page.locator(POINTS).first.bounding_box()
    visit.page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    visit.page.wait_for_selector("[data-figure=map] .hovertext", timeout=10_000)
    item = next(row for row in rows if row[1] == HOSTILE[0])
    hover = visit.page.locator("[data-figure=map] .hoverlayer").text_content()
    for value in (item[0], item[1], item[2], item[3], f"fold that tests it: {item[4]}"):
        assert value in hover
    assert visit.problems == []
    visit.page.close()


def test_many_groups_have_no_legend(tree, browser):
    draw_map(tree, groups=30)
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    visit.see_all()
    visit.page.locator("select[name=colouring]").select_option("group")
    visit.wait_until(f"!document.querySelector('{LEGEND}')")
    text = visit.page.inner_text("section[aria-labelledby=map]")
    assert "There are 30 values of group, too many for a legend" in text
    assert "repeat" not in text
    assert visit.problems == []
    visit.page.close()


def test_groups_and_folds_that_are_not_there(tmp_path):
    tree = build(tmp_path, Plan(items=96))
    draw_map(tree, fold=False)
    figures = {}
    found = items_map(tree.layout, figures)
    assert list(found.colourings) == ["label", "fold", "partition"]
    assert figures["map"]["points"]["colourings"]["fold"]["values"] == ["none"]
    draw_map(tree, groups=90)
    assert items_map(tree.layout, figures).repeated == {"group": 90}
    group = figures["map"]["points"]["colourings"]["group"]
    cues = list(zip(group["colours"], group["symbols"], strict=True))
    assert len(set(cues)) == len(COLOURS) * len(SYMBOLS) == 70
    assert json.loads(json.dumps(figures)) == figures


def test_a_study_without_a_map_has_no_section(tmp_path, browser):
    tree = finish(build(tmp_path, Plan(models=1)))
    assert items_map(tree.layout, {}) is None
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    assert visit.page.query_selector("#map") is None
    assert visit.page.query_selector("a[href='#map']") is None
    assert visit.problems == []
    visit.page.close()


def luminance(colour):
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_colours_stand_out_from_the_light_and_the_dark_page():
    style = (TEMPLATES / "report.css").read_text()
    grounds = re.findall(r"--ground: (#\w{6})", style)
    for number, ground in enumerate(grounds):
        found = [re.findall(rf"--{name[1:]}: (#\w{{6}})", style)[number] for name in COLOURS]
        assert len(set(found)) == len(COLOURS)
        for colour in found:
            low, high = sorted((luminance(colour), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5
    assert len(grounds) == 2

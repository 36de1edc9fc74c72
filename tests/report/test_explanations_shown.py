"""Explanations as pages, as pictures and in the report: right, whole, and never in the way."""

import base64
import re

import numpy as np
import pytest
from PIL import Image

from deepself.cli import main
from deepself.inference.explaining import Attribution
from deepself.report import evidence, explanations
from deepself.report.evidence import limit, looks, overlay, strongest
from deepself.report.explanations import chosen, explained
from deepself.report.page import score
from deepself.report.ranking import ranking
from deepself.report.render import render
from deepself.store.predictions import Predictions
from deepself.study import load
from deepself.study.identity import feature_file
from tests.inference.evident import write_evident
from tests.report.browsing import Visit
from tests.studying import finished_once, inside


@pytest.fixture(scope="module")
def evident(tmp_path_factory):
    def write(folder):
        write_evident(folder, ["picture_cnn", "windows", "mel_svm"], per_class=12)
        text = (folder / "study.yaml").read_text()
        fusion = "{both: {members: [picture_cnn, windows]}}"
        (folder / "study.yaml").write_text(text.replace("fusions: {}", f"fusions: {fusion}"))

    return finished_once(tmp_path_factory, "evident-report", write)


@pytest.fixture(scope="module")
def report(evident):
    with inside(evident.folder):
        return render(evident.study, evident.layout, command="x")


def visit(browser, path, width):
    seen = Visit(browser, path, viewport={"width": width, "height": 900})
    seen.see_all()
    assert seen.problems == []
    assert [url for url in seen.requests[1:] if not url.startswith("data:")] == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") == width
    return seen


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_shows_what_the_best_model_looks_at(evident, report, browser, width):
    seen = visit(browser, report, width)
    section = seen.page.locator("section[aria-labelledby=evidence]")
    best = max((r for r in ranking(evident.study, evident.layout) if r.kind == "model"), key=dev)
    assert f"as the model {best.name} takes them" in section.inner_text()
    items = section.locator(".explained")
    assert items.count() == 4
    fold = evident.folds[0]
    test = evident.test_predictions("model", best.name, fold)
    for place in range(4):
        text = items.nth(place).inner_text()
        found = re.search(r"^(\w+) (?:recognised|taken for (\w+)) \((.*)\), (\S+)", text)
        row = test.ids.tolist().index(found[4])
        assert test.labels[row] == found[1]
        assert test.classes[test.probabilities[row].argmax()] == (found[2] or found[1])
        assert score(test.probabilities[row].max()) == found[3]
    pictures = items.first.locator("img")
    assert pictures.count() == 2 or items.first.locator("[data-figure]").count() == 1
    assert seen.page.locator('nav a[href="#evidence"]').count() == 1
    seen.page.close()


def dev(ranked):
    return ranked.dev


def test_the_section_is_small_and_the_same_each_time(evident, report):
    ranked = ranking(evident.study, evident.layout)
    first, second = {}, {}
    with inside(evident.folder):
        one = explained(evident.study, evident.layout, ranked, first)
        assert one == explained(evident.study, evident.layout, ranked, second)
    assert first == second
    assert one.why == ""
    assert len(str(first)) + len(str(one)) < 400_000
    assert list(evident.folder.rglob("bundle.json")) == []  # what was exported is gone


def test_windows_are_shown_by_the_strongest(evident):
    """The model over windows, as if it were the best."""
    ranked = [r for r in ranking(evident.study, evident.layout) if r.name == "windows"]
    drawn = {}
    with inside(evident.folder):
        found = explained(evident.study, evident.layout, ranked, drawn)
    assert found.method == "integrated gradients"
    assert "in 24 steps" in found.said
    assert len(drawn) == len(found.items) == 4
    for item in found.items:
        ((key, shown),) = item.looks
        assert re.fullmatch(r"window from 0(\.\d+)? s, [1-4] of 4", shown.note)
        below = drawn[key]["data"][1]
        values = np.frombuffer(base64.b64decode(below["z"]["bdata"]), np.int8)
        assert below["z"]["shape"] == "24, 13"
        assert values.max() == 100 or values.min() == -100
        assert (below["zmin"], below["zmax"]) == (-100, 100)
        assert below["dx"] == pytest.approx(0.02)
    there = [one for one in found.items if one.taken_for == "there"]
    assert there
    assert all("from 0.5 s" in one.looks[0][1].note for one in there)


def left_out(evident, ranked, **changes):
    with inside(evident.folder):
        found = explained(changes.get("study", evident.study), evident.layout, ranked, {})
    assert found.items == []
    return found.why


def test_what_lacks_is_said_in_a_line(evident, report, tmp_path, monkeypatch):
    ranked = ranking(evident.study, evident.layout)
    best = max((r for r in ranked if r.kind == "model"), key=dev).name
    run = evident.layout.run(best, evident.folds[0], 0)
    with inside(evident.folder):
        feature = feature_file(evident.study, evident.layout, evident.study.models[best].feature)
    weights = run / "weights.safetensors"
    for path, words in ((weights, "is not there"), (evident.folder / feature, "")):
        moved = path.rename(path.with_name("moved"))
        try:
            assert words in left_out(evident, ranked)
        finally:
            moved.rename(path)
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    try:
        assert "weights cannot be read" in left_out(evident, ranked)
    finally:
        weights.write_bytes(content)
    monkeypatch.setattr(explanations, "WORK", 10)
    assert "would take too long here" in left_out(evident, ranked)


def test_models_of_vectors_have_no_places(evident):
    study = load(
        evident.folder / "study.yaml",
        ["features.log_mel={kind: embedding, of: picture, network: resnet18, weights: imagenet}"],
    )
    ranked = [r for r in ranking(evident.study, evident.layout) if r.name == "mel_svm"]
    with inside(evident.folder):
        assert explained(study, evident.layout, ranked, {}) is None


def test_what_may_be_computed_is_counted_not_timed(evident, monkeypatch):
    ranked = ranking(evident.study, evident.layout)
    counts = []
    for work in (1e5, 1e6, 3e6, 1e8):
        monkeypatch.setattr(explanations, "WORK", work)
        with inside(evident.folder):
            counts.append(len(explained(evident.study, evident.layout, ranked, {}).items))
    assert counts[0] == 0
    assert counts[-1] == 4
    assert counts == sorted(counts)


def predictions(rows):
    """Rows of an id, a label, and the probability of class `b` of `a` and `b`."""
    ids, labels, of_b = zip(*rows, strict=True)
    values = np.array([[1 - p, p] for p in of_b])
    return Predictions(
        np.array(["test"] * len(ids)), np.array(ids), np.array(labels), ("a", "b"), values, None
    )


def test_the_surest_are_chosen_of_each_class_and_of_mistakes():
    rows = [("1", "a", 0.1), ("2", "a", 0.05), ("3", "b", 0.8), ("4", "b", 0.6), ("5", "a", 0.2)]
    assert [one.id for one in chosen(predictions(rows))] == ["2", "3", "1", "5"]
    rows += [("6", "a", 0.9), ("7", "b", 0.3), ("8", "b", 0.4)]
    found = chosen(predictions(rows))
    assert [one.id for one in found] == ["2", "3", "6", "7"]
    assert [one.wrong for one in found] == [False, False, True, True]
    assert found[2].taken_for == "b"
    assert chosen(predictions(list(reversed(rows)))) == found
    assert [one.id for one in chosen(predictions([("x", "a", 0.9)]))] == ["x"]


@pytest.fixture(scope="module")
def bundle(evident):
    return evident.export("fusion", "both")


def explain(evident, bundle, output, *options):
    sources = [
        f"{modality}={path}"
        for modality, path in evident.files(["0"])[0].items()
        if modality != "sensor"
    ]
    assert main(["explain", str(bundle), *sources, "--output", str(output), *options]) == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_an_explanation(evident, bundle, tmp_path, browser, width):
    explain(evident, bundle, tmp_path / "page.html", "--target", "not")
    seen = visit(browser, tmp_path / "page.html", width)
    text = seen.page.inner_text("body")
    assert "takes it for there" in text
    assert "Below is what speaks for not" in text
    assert seen.page.locator("article").count() == 2
    assert seen.page.locator("article [data-figure]").count() == 3  # windows
    assert seen.page.locator("article img").count() == 2
    assert "window from 0.5 s, 3 of 4" in text
    shares = seen.page.locator("section[aria-labelledby=shares] tbody tr").all_inner_texts()
    assert len(shares) == 2
    said = re.search(r"The fusion gives not the probability ([\d.]+)\.", text)[1]
    assert sum(float(row.split()[-1]) for row in shares) == pytest.approx(float(said), abs=0.0021)
    seen.page.close()


def test_names_are_shown_as_they_are(evident, bundle, tmp_path, browser):
    """A recording's name is no markup."""
    source = evident.files(["0"])[0]
    wild = tmp_path / "<img src=x onerror=alert(1)>.png"
    wild.write_bytes(source["picture"].read_bytes())
    sources = [f"audio={source['audio']}", f"picture={wild}"]
    page = tmp_path / "page.html"
    assert main(["explain", str(bundle), *sources, "--output", str(page)]) == 0
    seen = visit(browser, page, 1280)
    assert "<img src=x onerror=alert(1)>.png" in seen.page.inner_text("h1")
    assert seen.page.query_selector_all("img[src=x]") == []
    seen.page.close()


def test_a_picture_of_an_explanation(evident, bundle, tmp_path):
    explain(evident, bundle, tmp_path / "a.png", "--method", "grad_cam")
    explain(evident, bundle, tmp_path / "b.png", "--method", "grad_cam")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=int)
    assert min(pixels.shape[:2]) > 500
    orange = (np.abs(pixels - evidence.FOR).sum(axis=2) < 60).sum()
    blue = (np.abs(pixels - evidence.AGAINST).sum(axis=2) < 60).sum()
    assert orange > 200
    assert blue > 200


def made(sort, kind, values, **more):
    items = np.zeros_like(values)
    return Attribution("", "f", kind, sort, items, values, "occlusion", **more)


def test_a_wave_has_a_row_of_colours_for_each_channel():
    values = np.zeros((1, 3, 100), dtype=np.float32)
    values[0, 1, 50:60] = 2
    values[0, 2, 10:20] = -1
    one = made("wave", "waveform", values, seconds=np.arange(100) / 50)
    (shown,) = looks(one, [0], "x")
    below = shown.figure["data"][-1]
    colours = np.frombuffer(base64.b64decode(below["z"]["bdata"]), np.int8).reshape(3, 100)
    assert (colours[1, 50:60] == 100).all()
    assert (colours[2, 10:20] == -50).all()
    assert np.count_nonzero(colours) == 20
    assert shown.note == "67 % in channel 2, 33 % in channel 3, 0 % in channel 1"
    assert below["y0"] == below["dy"] == 1
    assert shown.figure["layout"]["xaxis2"]["range"] == [0, 2]


def test_windows_share_a_scale():
    values = np.ones((2, 1, 4, 30), dtype=np.float32)
    values[1] = -0.25
    one = made("spectrum", "log_mel", values, starts=np.array([0, 3.0]))
    shown = looks(one, [0, 1], "x")
    colours = [
        np.frombuffer(base64.b64decode(s.figure["data"][1]["z"]["bdata"]), np.int8) for s in shown
    ]
    assert [set(own.tolist()) for own in colours] == [{100}, {-25}]
    assert [s.note for s in shown] == ["window from 0 s, 1 of 2", "window from 3 s, 2 of 2"]


def test_only_the_true_length_is_drawn():
    values = np.ones((2, 1, 4, 30), dtype=np.float32)
    one = made(
        "spectrum", "log_mel", values, lengths=np.array([12, 30]), seconds=np.arange(30) / 10
    )
    shapes = [shown.figure["data"][1]["z"]["shape"] for shown in looks(one, [0, 1], "x")]
    assert shapes == ["4, 12", "4, 30"]


def test_colours_of_pictures_part_at_0():
    picture = np.full((3, 2, 3), 0.5)
    places = np.array([[1.0, 0, -1], [0.5, 0, 0]])
    found = overlay(picture, places)
    np.testing.assert_allclose(found[:, 0, 0] * 255, evidence.FOR)
    np.testing.assert_allclose(found[:, 0, 2] * 255, evidence.AGAINST)
    assert np.ptp(found[:, 1, 1]) == 0  # grey
    assert found[2, 0, 0] < found[2, 1, 0] < found[2, 1, 1]


def test_full_colour_leaves_out_the_strongest_few():
    values = np.zeros(1000)
    values[:400] = 1
    values[0] = 1000
    assert limit(values) == 1
    assert limit(np.zeros(5)) == 1
    assert limit(np.array([0.0] * 999 + [3.0])) == 3


def test_the_strongest_windows_stand_in_the_order_of_time():
    values = np.zeros((5, 1, 4), dtype=np.float32)
    values[:, 0, 0] = [1, -5, 0, 4, 2]
    assert strongest(made("wave", "waveform", values), 3) == [1, 3, 4]

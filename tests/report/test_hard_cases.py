"""Reports of studies that are large, lack something, or went wrong; and readers of all kinds."""

import re

import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.evaluation.partial import complete_part
from deepself.report.paper import export as exporting
from deepself.report.paper import figures
from deepself.report.render import render
from deepself.store.files import read_table, write_table
from deepself.store.predictions import Predictions, read_predictions, write_predictions
from tests.report.browsing import DRAWN, Visit
from tests.synthetic import HOSTILE, Plan, build, finish

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """All that a page of two seeds, groups and windows shows, with hostile names."""
    plan = Plan(classes=HOSTILE, seeds=(0, 7), groups=True, windows=True, hostile_ids=True)
    tree = finish(build(tmp_path_factory.mktemp("hostile"), plan))
    return render(tree.study, tree.layout, command="x")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Two hundred models."""
    plan = Plan(models=200, items=60, epochs=60, folds=3, fusions=True)
    tree = finish(build(tmp_path_factory.mktemp("many"), plan))
    render(tree.study, tree.layout, command="x")
    return tree


def quiet(visit):
    own = visit.requests[0]
    assert own.startswith("file://")
    assert [url for url in visit.requests[1:] if not url.startswith("data:")] == []
    assert visit.problems == []


def test_two_hundred_models_are_one_page(many, browser):
    assert many.layout.report.stat().st_size < 15e6
    visit = Visit(browser, many.layout.report, viewport={"width": 1280, "height": 900})
    page = visit.page
    assert page.locator("#ranking-table tbody tr").count() == 202
    assert page.locator("section[aria-labelledby=learning] article").count() == 20
    visit.see_all()
    quiet(visit)
    page.close()


def test_a_word_filters_the_ranking(many, browser):
    visit = Visit(browser, many.layout.report, viewport={"width": 1280, "height": 900})
    page = visit.page
    page.fill("[data-filters=ranking-table]", "WAVE_cnn_1")
    shown = page.locator("#ranking-table tbody tr:not([hidden])")
    expected = {name for name in many.study.models if name.startswith("wave_cnn_1")}
    assert shown.count() == len(expected)
    assert page.inner_text("#filtered") == f"{len(expected)} of 202 rows"
    page.click("#ranking-table th button:has-text('system')")
    assert shown.count() == len(expected)  # sorting brings none back
    page.fill("[data-filters=ranking-table]", "")
    assert shown.count() == 202
    assert page.inner_text("#filtered") == ""
    quiet(visit)
    page.close()


def failed(folder):
    """A study of which one run was not made, and so neither were the fusions of its model."""
    tree = finish(build(folder))
    (tree.layout.run("wave_cnn", "2", 0) / "predictions.csv").unlink()
    for path in (*tree.layout.score_tables, tree.layout.report):
        path.unlink(missing_ok=True)
    return tree


def test_a_failed_fold_leaves_a_report_of_the_rest(tmp_path, browser, monkeypatch, capsys):
    tree = failed(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exporting, "CURVES", 1)  # figures are drawn, few of each kind
    confusion = figures.confusion
    monkeypatch.setattr(figures, "confusion", lambda of, *rest: confusion(of[:1], *rest))
    assert main(["score", str(tree.path)]) == 1
    assert "model wave_cnn, fold 2, seed 0" in capsys.readouterr().err
    assert main(["partial", str(tree.path)]) == 0
    line = capsys.readouterr().out
    assert line.startswith("results/made_up/partial/report.html: without model wave_cnn, fusion")
    # What stands beside a whole study is of the whole study, or is not there.
    assert not any(path.exists() for path in (*tree.layout.score_tables, tree.layout.report))
    visit = Visit(browser, tmp_path / "results/made_up/partial/report.html")
    visit.see_all()
    quiet(visit)
    text = visit.page.inner_text("header")
    assert "Partial report. 3 systems of 6 are left out" in text
    assert "model wave_cnn: 1 run failed or not made, fold 2, seed 0; see" in text
    assert "fusion all: a member is left out" in text
    names = visit.page.eval_on_selector_all(
        "#ranking-table tbody th > :first-child", "all => all.map((e) => e.innerText)"
    )
    assert sorted(names) == ["deep_svm", "log_mel_cnn", "picture_cnn"]
    visit.page.close()


def test_a_fusion_that_failed_leaves_its_models(tmp_path):
    tree = finish(build(tmp_path))
    (tree.layout.fusion("all", "1", 0) / "predictions.csv").unlink()
    study, layout, incomplete = complete_part(tree.study, tree.layout)
    assert [(one.name, len(one.missing)) for one in incomplete] == [("all", 1)]
    assert list(study.models) == list(tree.study.models)
    assert list(study.fusions) == ["best_of_each"]
    assert layout.report.parent.name == "partial"


def test_no_whole_model_has_no_report(tmp_path):
    tree = finish(build(tmp_path, Plan(models=2)))
    for model in tree.study.models:
        (tree.layout.run(model, "1", 0) / "predictions.csv").unlink()
    with pytest.raises(UserError, match="no model has all its runs; run the study again"):
        complete_part(tree.study, tree.layout)


def test_a_fold_without_a_class_has_a_report(tmp_path, browser):
    from deepself.evaluation.scores import score_study

    tree = finish(build(tmp_path, Plan(classes=HOSTILE)))
    rows = read_table(tree.layout.folds)
    for row in rows:
        if (row["label"], row["fold-2"]) == (HOSTILE[0], "test"):
            row["fold-2"] = "train"
    write_table(tree.layout.folds, list(rows[0]), [list(row.values()) for row in rows])
    for name in [*tree.study.models, *tree.study.fusions]:
        place = tree.layout.fusion if name in tree.study.fusions else tree.layout.run
        path = place(name, "2", 0) / "predictions.csv"
        p = read_predictions(path)
        keep = (p.partition != "test") | (p.labels != HOSTILE[0])
        part = (p.partition, p.ids, p.labels)
        few = Predictions(*(c[keep] for c in part), p.classes, p.probabilities[keep])
        write_predictions(path, few)
    score_study(tree.study, tree.layout)
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    visit.see_all()
    quiet(visit)
    assert "1 in fold 2" in visit.page.inner_text("section[aria-labelledby=classes]")
    visit.page.close()


# Colours are of the scheme and room is of the width, so each is checked once.
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_an_accessibility_checker_finds_nothing_serious(hostile, browser, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    visit = Visit(browser, hostile, viewport={"width": width, "height": 900}, color_scheme=scheme)
    visit.see_all()
    visit.page.evaluate("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    found = axe.Axe().run(visit.page).response["violations"]
    serious = [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in SERIOUS
    ]
    assert serious == []
    visit.page.close()


def test_paper_holds_what_the_screen_does(tmp_path, browser):
    """Printed to PDF: all pages, in light, with every figure."""
    tree = finish(build(tmp_path, Plan(seeds=(0, 7))))
    path = render(tree.study, tree.layout, command="x")
    visit = Visit(browser, path, color_scheme="dark")
    visit.page.emulate_media(media="print")
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    visit.wait_until(DRAWN)
    colour = visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert re.findall(r"\d+", colour)[:3] == ["255", "255", "255"]
    pdf = visit.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 5
    assert not visit.page.is_visible("nav")
    assert visit.problems == []
    visit.page.close()


def test_every_control_is_reached_by_keyboard(tmp_path, browser):
    tree = finish(build(tmp_path, Plan(models=12)))
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    wanted = visit.page.evaluate(
        "[...document.querySelectorAll('a[href], button, select, input, summary, [tabindex]')]"
        ".filter((e) => e.checkVisibility() && e.tabIndex >= 0).length"
    )
    reached = visit.page.evaluate("[]")
    for _ in range(wanted + 5):
        visit.page.keyboard.press("Tab")
        place = visit.page.evaluate(
            "(() => { const e = document.activeElement; e.dataset.seen = ''; return e.tagName })()"
        )
        reached.append(place)
    assert {"A", "BUTTON", "SELECT", "INPUT", "SUMMARY"} <= set(reached)
    seen = visit.page.locator("[data-seen]").count()
    assert seen >= wanted
    visit.page.close()

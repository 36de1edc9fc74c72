"""What the report says of pairs, ranks, fusions, classes and confidence."""

import json
import re

import numpy as np
import pytest

from deepself.evaluation.comparisons import comparisons
from deepself.report.comparing import QUANTITIES, SHOWN, by_pair, critical_difference, mean_ranks
from deepself.report.gains import gains
from deepself.report.ranking import ranking
from deepself.report.render import render
from deepself.store.files import read_table, write_table
from tests.report.browsing import Visit
from tests.synthetic import HOSTILE, Plan, build, finish


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=HOSTILE, seeds=(0, 7), folds=5, items=90, windows=True)
    tree = finish(build(tmp_path_factory.mktemp("compared"), plan))
    render(tree.study, tree.layout, command="x")
    return tree


@pytest.fixture(scope="module")
def visit(browser, tree):
    visit = Visit(browser, tree.layout.report, viewport={"width": 1280, "height": 900})
    yield visit
    visit.page.close()


def figures_of(tree):
    html = tree.layout.report.read_text()
    text = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html)[1]
    return json.loads(text)


def test_the_matrix_has_each_pair_twice_with_the_sign_turned(tree):
    figure = figures_of(tree)["pairs"]
    assert set(figure["variants"]) == set(QUANTITIES)
    (trace,) = figure["variants"]["difference"]
    names = trace["x"]
    assert names == trace["y"] == [r.name for r in ranking(tree.study, tree.layout)]
    table = np.array(trace["z"], float)
    assert np.isnan(table.diagonal()).all()
    off = ~np.eye(len(names), dtype=bool)
    assert table[off] == pytest.approx(-table.T[off])
    pairs = by_pair(comparisons(tree.layout))
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            if i != j:
                pair = pairs[frozenset((first, second))].seen_from(first)
                assert table[i, j] == pytest.approx(pair.difference, rel=1e-3)
                if i < j:
                    assert pair.difference >= 0  # the better one is above


def test_the_control_changes_what_the_matrix_shows(visit):
    visit.see_all()
    page = visit.page
    title = "[data-figure=pairs] .cbtitle"
    assert page.text_content(title) == "difference of UAR"
    page.select_option("form[data-variants=pairs] select", "q")
    visit.wait_until(f"document.querySelector('{title}').textContent === 'Q statistic'")
    label = page.get_attribute("[data-figure=pairs]", "aria-label")
    assert label.startswith("Q statistic")
    page.focus("form[data-variants=pairs] select")
    page.keyboard.press("Home")
    visit.wait_until(f"document.querySelector('{title}').textContent === 'difference of UAR'")
    assert visit.problems == []


def test_pairs_are_listed_seen_from_the_better_one(visit, tree):
    ranked = [r.name for r in ranking(tree.study, tree.layout)]
    page = visit.page
    page.click("text=Pairs, in numbers")
    rows = page.eval_on_selector_all(
        "section[aria-labelledby=comparison] tbody tr",
        "all => all.map((e) => [...e.cells].map((c) => c.innerText))",
    )
    assert len(rows) == 6 * 5 // 2
    assert [row[:2] for row in rows[:5]] == [[ranked[0], other] for other in ranked[1:]]
    found = by_pair(comparisons(tree.layout))
    for first, second, difference, *_, apart in rows:
        pair = found[frozenset((first, second))].seen_from(first)
        assert difference.replace("\N{MINUS SIGN}", "-") == f"{pair.difference:z.3f}"
        assert apart == ("yes" if pair.apart else "no")


def test_ranks_are_of_the_folds_means(tree):
    ranked = ranking(tree.study, tree.layout)
    found = mean_ranks(ranked)
    scores = read_table(tree.layout.scores)
    best = 0
    for fold in "12345":
        own = {
            r.name: np.mean(
                [
                    float(row["uar"])
                    for row in scores
                    if (row["name"], row["fold"], row["partition"], row["level"])
                    == (r.name, fold, "test", "recording")
                ]
            )
            for r in ranked
        }
        better = sum(value > own[ranked[0].name] + 1e-12 for value in own.values())
        equal = sum(abs(value - own[ranked[0].name]) < 1e-12 for value in own.values())
        best += better + (equal + 1) / 2
    assert found.means[0] == pytest.approx(best / 5)
    figure = critical_difference(ranked, found)
    marks = figure["data"][-1]
    assert marks["x"] == sorted(found.means.tolist())
    bars = figure["data"][1:-1]
    for bar, clique in zip(bars, found.cliques, strict=True):
        low, high = found.means[clique].min(), found.means[clique].max()
        assert bar["x"] == pytest.approx([low, high])
        assert high - low <= found.critical


def test_one_fold_has_no_ranks(tmp_path):
    tree = build(tmp_path, Plan(folds=3, models=2))
    dataset = tree.layout.dataset
    dataset.write_text(dataset.read_text().replace('"1",\n    "2",\n    "3"', '"1"'))
    finish(tree)
    page = render(tree.study, tree.layout, command="x").read_text()
    assert 'id="comparison"' in page
    assert 'id="ranks"' not in page


def test_a_gain_is_over_the_best_member_on_dev(tree):
    ranked = {r.name: r for r in ranking(tree.study, tree.layout)}
    models = [r for r in ranked.values() if r.kind == "model"]
    best = max(models, key=lambda r: r.dev)
    found = gains(tree.study, list(ranked.values()), comparisons(tree.layout), {})
    assert {gain.name for gain in found} == {"all", "best_of_each"}
    for gain in found:
        assert gain.best == best.name
        own = ranked[gain.name].test.mean - best.test.mean
        assert gain.pair.difference == pytest.approx(own)
        assert gain.pair.low <= own <= gain.pair.high
        assert 0 < gain.disagreement < 1


def test_without_fusions_there_is_no_such_section(tmp_path):
    tree = finish(build(tmp_path, Plan(fusions=False)))
    page = render(tree.study, tree.layout, command="x").read_text()
    assert 'aria-labelledby="fusion"' not in page
    assert 'href="#fusion"' not in page
    assert 'aria-labelledby="comparison"' in page


def test_reliability_of_each_system_can_be_chosen(visit, tree):
    figure = figures_of(tree)["reliability"]
    rows = [r for r in read_table(tree.layout.reliability) if r["partition"] == "test"]
    for name, (trace,) in figure["variants"].items():
        own = [row for row in rows if row["name"] == name]
        assert sum(trace["customdata"]) == 90 * 2
        assert trace["y"] == pytest.approx([float(row["accuracy"]) for row in own], abs=1e-3)
    options = visit.page.eval_on_selector_all(
        "form[data-variants=reliability] option", "all => all.map((e) => e.value)"
    )
    assert options == [r.name for r in ranking(tree.study, tree.layout)]
    assert set(options) == set(figure["variants"])


def test_recalls_are_those_of_the_class_summary(tree):
    (trace,) = figures_of(tree)["recalls"]["data"]
    found = {
        (row["name"], row["label"]): row
        for row in read_table(tree.layout.class_summary)
        if (row["partition"], row["level"], row["score"]) == ("test", "recording", "recall")
    }
    for name, values in zip(trace["y"], trace["z"], strict=True):
        expected = [float(found[name, label]["mean"]) for label in HOSTILE]
        assert values == pytest.approx(expected, rel=1e-3)


def test_classes_without_test_items_are_said(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1)))
    rows = read_table(tree.layout.scores)
    for row in rows:
        row["absent"] = "2" if row["fold"] == "3" and row["partition"] == "test" else "0"
    write_table(tree.layout.scores, list(rows[0]), [list(row.values()) for row in rows])
    page = render(tree.study, tree.layout, command="x").read_text()
    assert "have no recall there: 2 in fold 3." in page


def test_groups_and_durations_are_described(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1, groups=True)))
    page = render(tree.study, tree.layout, command="x").read_text()
    assert "The smallest has 6 items, the median one 6, the largest 6." in page
    figure = figures_of(tree)["durations"]
    assert sum(figure["data"][0]["y"]) == 48
    tree = finish(build(tmp_path / "alone", Plan(models=1)))
    assert 'id="groups"' not in render(tree.study, tree.layout, command="x").read_text()


def test_more_systems_than_a_matrix_holds(tmp_path):
    tree = finish(build(tmp_path, Plan(models=SHOWN + 3, fusions=False, items=24)))
    page = render(tree.study, tree.layout, command="x").read_text()
    assert f"the best {SHOWN} of {SHOWN + 3} are shown" in page
    (trace,) = figures_of(tree)["pairs"]["data"]
    assert len(trace["x"]) == SHOWN

"""The report's section about search: what was chosen, what was tried, and what mattered."""

import copy
import math
import random
import re

import pytest
import yaml

from deepself.report.render import render
from deepself.report.searches import FEWEST, _short, importance, text
from deepself.store.files import read_json, write_json
from deepself.study import load
from deepself.study.trials import choice_files
from tests.report.browsing import Visit
from tests.synthetic import Plan, Tree, build, finish


def made_up(folder, choose="nested", trials=12):
    """A tree whose first model is searched: the learning rate alone matters."""
    tree = finish(build(folder, Plan(models=2)))
    raw = yaml.safe_load(tree.path.read_text())
    model = raw["models"]["picture_cnn"] = copy.deepcopy(raw["models"]["picture_cnn"])
    model["network"]["dropout"] = {"uniform": [0.0, 0.5]}
    model["training"]["lr"] = {"log_uniform": [1e-5, 1e-1]}
    model["training"]["label_smoothing"] = {"choice": [0.0, 0.1]}
    model["search"] = {"method": "random", "trials": trials, "choose": choose}
    tree.path.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    study = load(tree.path)
    draw = random.Random(0)
    for file in choice_files(study, tree.layout)["picture_cnn"]:
        folds = ["1", "2", "3"] if choose == "once" else [file.stem.removeprefix("fold-")]
        found = [trial(number, fold, draw) for fold in folds for number in range(trials)]
        found[1] |= {"state": "pruned", "pruned": 2, "epochs": 2}
        found[2] |= {"state": "failed", "dev": None, "reason": "the loss is nan & <b>more</b>"}
        whole = [one for one in found if one["state"] == "complete"]
        best = max(whole, key=lambda one: one["dev"]["uar"])
        write_json(file, {**best, "folds": folds, "choose": choose, "trials": found})
    return Tree(tree.path, study, tree.layout)


def trial(number, fold, draw):
    lr = 10 ** draw.uniform(-5, -1)
    uar = 0.9 - 0.1 * abs(math.log10(lr) + 3) + 0.05 * int(fold)
    return {
        "trial": number,
        "fold": fold,
        "values": {
            "network.dropout": draw.uniform(0, 0.5),
            "training.lr": lr,
            "training.label_smoothing": draw.choice([0.0, 0.1]),
        },
        "state": "complete",
        "reason": None,
        "dev": {"epoch": 3, "uar": uar, "loss": 1 - uar},
        "pruned": None,
        "epochs": 8,
        "seconds": 1.5,
    }


@pytest.fixture(scope="module", params=["nested", "once"])
def tree(request, tmp_path_factory):
    return made_up(tmp_path_factory.mktemp(request.param), request.param)


def test_section_shows_choices_trials_and_figures(tree, browser):
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    for details in visit.page.query_selector_all("#search ~ * details, details"):
        details.evaluate("(e) => { e.open = true }")
    visit.see_all()
    section = visit.page.inner_text("section[aria-labelledby=search]")
    once = tree.study.models["picture_cnn"].search.choose == "once"
    assert ("optimistic" in section) == once
    assert "failed: the loss is nan & <b>more</b>" in section
    assert section.count("pruned") >= (2 if once else 4)
    assert "36 trials of 54.0 s in all" in section
    rows = visit.page.query_selector_all("section[aria-labelledby=search] table.sortable tbody tr")
    assert len(rows) == 36
    drawn = visit.page.query_selector_all("section[aria-labelledby=search] .main-svg")
    assert len({d.evaluate("(e) => e.closest('[data-figure]').dataset.figure") for d in drawn}) == 4
    assert visit.problems == []
    visit.page.close()


def test_same_searches_give_the_same_page(tree):
    first = render(tree.study, tree.layout, command="x").read_bytes()
    assert render(tree.study, tree.layout, command="x").read_bytes() == first


def test_what_was_planted_is_important(tree):
    files = choice_files(tree.study, tree.layout)["picture_cnn"]
    trials = [one for file in files for one in read_json(file)["trials"]]
    shares = importance(tree.study.models["picture_cnn"], trials)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["training.lr"] > 0.8


def test_importance_of_few_or_equal_trials_is_not_shown(tmp_path):
    tree = made_up(tmp_path)
    model = tree.study.models["picture_cnn"]
    draw = random.Random(1)
    few = [trial(n, "1", draw) for n in range(FEWEST - 1)]
    assert importance(model, few) == {}
    equal = [{**trial(n, "1", draw), "dev": {"uar": 0.5, "loss": 1}} for n in range(FEWEST)]
    assert importance(model, equal) == {}


def test_report_without_a_search_has_no_such_section(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1)))
    page = render(tree.study, tree.layout, command="x").read_text()
    assert re.search(r'id="search"|href="#search"', page) is None


def test_names_are_as_short_as_they_can_be():
    paths = ["network.a.dropout", "network.b.dropout", "training.lr"]
    assert _short(paths) == ["a.dropout", "b.dropout", "lr"]
    assert text([1, {"type": "cosine"}]) == '[1, {"type": "cosine"}]'

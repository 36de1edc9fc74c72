"""Figures for a paper: there, the same bytes each time, and with all that they should show."""

import os
import re
import shutil
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from deepself.report.comparing import mean_ranks
from deepself.report.paper import export as exporting
from deepself.report.paper import figures
from deepself.report.paper.canvas import LONGEST, short
from deepself.report.paper.export import draw_figures, export
from deepself.report.paper.figures import _ticks
from deepself.report.ranking import ranking
from deepself.study import Layout
from tests.synthetic import HOSTILE, Plan, build, finish

WILD = (*HOSTILE, "$x_1$", "a name that is far too long to stand beside a figure of a paper")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=WILD, seeds=(0, 7), folds=3, items=90)
    tree = finish(build(tmp_path_factory.mktemp("drawn"), plan))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_figures(tree.study, tree.layout, ranking(tree.study, tree.layout))
    return tree


def texts(path):
    """All texts of an SVG, comments left out."""
    root = ElementTree.parse(path).getroot()
    return ["".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text")]


def test_every_figure_is_there_as_svg_and_as_pdf(tree):
    ranked = ranking(tree.study, tree.layout)
    networks = [r.name for r in ranked if r.kind == "model" and r.name != "deep_svm"]
    expected = {"forest", "critical_difference", "comparisons", "reliability", "recalls"}
    expected |= {f"confusion-{r.name}" for r in ranked[:5]}
    expected |= {f"curves-{name}" for name in networks}
    files = {path.name for path in tree.layout.figures.iterdir()}
    assert files == {name + suffix for name in expected for suffix in (".svg", ".pdf")}


def test_pdfs_are_pdfs_whose_fonts_are_inside(tree):
    for path in tree.layout.figures.glob("*.pdf"):
        content = path.read_bytes()
        assert content.startswith(b"%PDF")
        assert b"/FontFile2" in content
        assert b"/Type3" not in content


def test_widths_are_those_of_columns(tree):
    for name, width in (("forest", 89), ("critical_difference", 183), ("curves-wave_cnn", 183)):
        head = (tree.layout.figures / f"{name}.svg").read_text()[:2000]
        points = float(re.search(r'width="([\d.]+)pt"', head)[1])
        assert points / 72 * 25.4 == pytest.approx(width, abs=0.5)


def test_names_are_texts_and_not_formulas(tree):
    said = texts(tree.layout.figures / "recalls.svg")
    assert HOSTILE[0] in said
    assert "$x_1$" in said
    assert short(WILD[-1]) in said
    assert WILD[-1] not in said
    names = {r.name for r in ranking(tree.study, tree.layout)}
    assert names <= set(texts(tree.layout.figures / "forest.svg"))


def test_the_critical_difference_names_each_system_with_its_rank(tree):
    said = " ".join(texts(tree.layout.figures / "critical_difference.svg"))
    for r in ranking(tree.study, tree.layout):
        assert re.search(rf"\b{r.name} \(\d\.\d\d\)", said)
    assert "critical difference" in said


def test_counts_stand_in_the_confusion(tree):
    best = ranking(tree.study, tree.layout)[0].name
    said = texts(tree.layout.figures / f"confusion-{best}.svg")
    counts = [int(text) for text in said if text.isdecimal()]
    assert sum(counts) == 90 * 2


def test_the_same_study_gives_the_same_bytes_whatever_the_user_has_set(tree, tmp_path, monkeypatch):
    import matplotlib as mpl

    # Drawn again is one figure of each kind: others of a kind differ in their numbers alone.
    confusion = figures.confusion
    monkeypatch.setattr(figures, "confusion", lambda of, *rest: confusion(of[:1], *rest))
    monkeypatch.setattr(exporting, "CURVES", 1)
    results = shutil.ignore_patterns("features", "figures")
    shutil.copytree(tree.layout.results, tmp_path / "results", ignore=results)
    layout = Layout(tree.study.name, tmp_path / "results")
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "lines.marker": "x"}):
        draw_figures(tree.study, layout, ranking(tree.study, layout))
        assert mpl.rcParams["font.size"] == 20
    again = {p.name: p.read_bytes() for p in layout.figures.iterdir()}
    kinds = {path.name.partition("-")[0] + path.suffix for path in tree.layout.figures.iterdir()}
    assert len(again) == len(kinds) == 14
    assert [n for n in again if again[n] != (tree.layout.figures / n).read_bytes()] == []


def test_letters_that_the_font_lacks_are_no_reason_to_write_anything(tmp_path, monkeypatch):
    tree = finish(build(tmp_path, Plan(classes=WILD, models=1)))
    monkeypatch.chdir(tree.path.parent)
    command = [sys.executable, "-m", "deepself", "report", str(tree.path)]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("last", [1.5, 2.0, 6.3, 14.9, 15.1, 37.0, 70.2, 201.0, 5000.0])
def test_an_axis_of_ranks_has_room_for_its_numbers(last):
    ticks = _ticks(last)
    assert ticks[0] == 1
    assert ticks[-1] <= last
    assert len(ticks) <= 15
    assert last > 14 or ticks == [*range(1, int(last) + 1)]


def test_many_classes_are_drawn_without_names_and_numbers(tmp_path):
    plan = Plan(classes=tuple(f"c{i}" for i in range(70)), items=210, models=1)
    tree = finish(build(tmp_path, plan))
    export(tree.study, tree.layout)
    said = texts(tree.layout.figures / "confusion-picture_cnn.svg")
    assert "predicted" in said
    assert not {"c3", "3"} & {*said}
    assert not (tree.layout.figures / "recalls.svg").exists()


def test_of_many_systems_the_best_are_drawn(tmp_path):
    tree = finish(build(tmp_path, Plan(items=30, models=70, fusions=False)))
    ranked = ranking(tree.study, tree.layout)
    figures.critical_difference(ranked, mean_ranks(ranked), tree.layout.figures)
    figures.forest(ranked, 1 / 3, tree.layout.figures)
    ranks = texts(tree.layout.figures / "critical_difference.svg")
    assert any("best 20 of 70" in text for text in ranks)
    assert sum("(" in text for text in ranks) == 20
    assert any("(best 60 of 70)" in text for text in texts(tree.layout.figures / "forest.svg"))


def test_a_study_of_one_model_and_fold(tmp_path):
    tree = build(tmp_path, Plan(folds=3, models=1))
    dataset = tree.layout.dataset
    dataset.write_text(dataset.read_text().replace('"1",\n    "2",\n    "3"', '"1"'))
    export(tree.study, finish(tree).layout)
    files = {path.stem for path in tree.layout.figures.iterdir()}
    assert {"forest", "recalls", "reliability"} <= files
    assert not files & {"critical_difference", "comparisons"}


def test_short_names_stay_as_they_are():
    assert short("a\n b\x07") == "a b"
    assert len(short("x" * 99)) == LONGEST
    assert len({short(f"{'x' * 99}_{number}") for number in range(20)}) == 20

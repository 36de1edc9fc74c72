"""Figures for a paper: there, the same bytes each time, and with all that they should show."""

import re
import warnings
import xml.etree.ElementTree as ElementTree

import pytest

from deepself.report.paper.canvas import LONGEST, short
from deepself.report.paper.export import export
from deepself.report.ranking import ranking
from tests.synthetic import HOSTILE, Plan, build, finish

WILD = (*HOSTILE, "$x_1$", "a name that is far too long to stand beside a figure of a paper")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=WILD, seeds=(0, 7), folds=3, items=90)
    tree = finish(build(tmp_path_factory.mktemp("drawn"), plan))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(tree.study, tree.layout)
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


def test_the_same_study_gives_the_same_bytes(tree):
    before = {p.name: p.read_bytes() for p in tree.layout.figures.iterdir()}
    export(tree.study, tree.layout)
    after = {p.name: p.read_bytes() for p in tree.layout.figures.iterdir()}
    assert [name for name in before if before[name] != after[name]] == []


def test_many_classes_and_systems_are_drawn_without_numbers(tmp_path):
    plan = Plan(classes=tuple(f"c{i}" for i in range(70)), items=210, models=70, fusions=False)
    tree = finish(build(tmp_path, plan))
    export(tree.study, tree.layout)
    best = ranking(tree.study, tree.layout)[0].name
    said = texts(tree.layout.figures / f"confusion-{best}.svg")
    assert "c3" not in said
    assert not (tree.layout.figures / "recalls.svg").exists()
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
    assert short("a\n b") == "a b"
    assert len(short("x" * 99)) == LONGEST

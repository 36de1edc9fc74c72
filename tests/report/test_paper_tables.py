"""Tables for a paper: the study's numbers, in forms that others read."""

import csv
import re
import shutil
import subprocess

import pytest

from deepself.cli import main
from deepself.report.page import score
from deepself.report.paper.export import export, write_tables
from deepself.report.paper.writing import Table, as_latex, as_markdown, tex
from deepself.report.ranking import indistinct, ranking
from deepself.store.files import read_table
from tests.synthetic import HOSTILE, Plan, build, finish

WILD = (*HOSTILE, r"50 % of $x_1$ {a} #2 ^~\ | `b` *c*")
NAMES = {"ranking", "folds", "classes", "comparisons", "fusions", "cost", "data"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=WILD, seeds=(0, 7), folds=4, items=96)
    tree = finish(build(tmp_path_factory.mktemp("paper"), plan))
    write_tables(tree.study, tree.layout, ranking(tree.study, tree.layout))
    return tree


def read(tree, name):
    return read_table(tree.layout.tables / f"{name}.csv")


def test_each_table_stands_there_in_three_forms(tree):
    files = {path.name for path in tree.layout.tables.iterdir()}
    assert files == {name + suffix for name in NAMES for suffix in (".csv", ".md", ".tex")}


def test_the_ranking_has_every_digit_of_the_summary(tree):
    summary = {
        (row["name"], row["kind"], row["partition"], row["score"]): row
        for row in read_table(tree.layout.summary)
    }
    rows = read(tree, "ranking")
    ranked = ranking(tree.study, tree.layout)
    assert [row["system"] for row in rows] == [*(r.name for r in ranked), "majority", "random"]
    for row in rows:
        own = summary[row["system"], row["kind"], "test", "uar"]
        assert [row[k] for k in ("uar", "uar_sd", "uar_low", "uar_high")] == [
            own[k] for k in ("mean", "sd", "low", "high")
        ]
        assert row["f1_macro"] == summary[row["system"], row["kind"], "test", "f1_macro"]["mean"]
    assert rows[0]["p_bootstrap_holm"] == ""


def cells_of(line):
    return [c.strip() for c in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def test_markdown_has_as_many_cells_as_columns(tree):
    for name in NAMES:
        caption, _, header, rule, *rows = (
            (tree.layout.tables / f"{name}.md").read_text().splitlines()
        )
        assert caption.endswith(".")
        counts = {len(cells_of(line)) for line in (header, rule, *rows)}
        assert len(counts) == 1, name
        assert "<script>" not in "".join(rows)


def test_markdown_marks_the_best_and_its_equals(tree):
    lines = (tree.layout.tables / "ranking.md").read_text().splitlines()[4:]
    ranked = ranking(tree.study, tree.layout)
    assert cells_of(lines[0])[0] == f"**{ranked[0].name}**"
    equal = {r.name for r in indistinct(ranked)}
    for line, r in zip(lines[1:], ranked[1:], strict=False):
        assert cells_of(line)[0] == r.name + (r"\*" if r.name in equal else "")
        assert cells_of(line)[2].startswith(score(r.test.mean))


def body_of(text):
    return text[text.index(r"\midrule") : text.index(r"\bottomrule")]


def test_latex_is_balanced_and_escaped(tree):
    for name in NAMES:
        text = (tree.layout.tables / f"{name}.tex").read_text()
        plain = re.sub(r"\\[{}]", "", text)
        assert plain.count("{") == plain.count("}")
        columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
        for line in text.splitlines():
            if line.endswith(r" \\"):
                assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
                assert not re.search(r"(?<!\\)[%#_]", line), line
        assert rf"\label{{tab:made_up-{name}}}" in text


def test_signs_of_latex_are_only_letters():
    assert tex(r"a_b & 5 % $x$ #1 {c} ~^\ <d>") == (
        r"a\_b \& 5 \% \$x\$ \#1 \{c\} \textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}d\textgreater{}"
    )
    assert tex("one\ntwo\x07") == "one two"
    assert tex("a---b – c") == "a-{}-{}-b -- c"
    assert tex("−0.01 ± 0.2") == r"$-$0.01 $\pm$ 0.2"


@pytest.mark.parametrize("start", ["[2]", "*", r"\[a]"])
def test_no_row_is_read_as_the_end_of_the_row_before(start):
    # After its line break LaTeX looks for a star and for a length in brackets.
    table = Table("t", "c.", ["a"], [["x"], [f"{start} y"]], 1, [], [])
    rows = body_of(as_latex(table, "l")).splitlines()[1:]
    assert not rows[1].startswith(("[", "*"))
    assert rows[1].endswith(r" y \\")


def test_markdown_is_one_line_a_row_without_formulas():
    table = Table("t", "c.", ["a"], [["x\r\n$y_1$ ~~z~~"]], 1, [], [])
    assert as_markdown(table).splitlines()[4] == r"| x \$y_1\$ \~\~z\~\~ |"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles(tree, tmp_path):
    tables = "\n".join(
        # pdflatex has no letters of other scripts without further packages
        path.read_text().encode("ascii", "ignore").decode()
        for path in sorted(tree.layout.tables.glob("*.tex"))
    )
    head = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{tables}\n\\end{{document}}\n")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


def test_pairs_and_gains_are_those_of_the_study(tree):
    pairs = {frozenset((r["first"], r["second"])): r for r in read_table(tree.layout.comparisons)}
    rows = read(tree, "comparisons")
    assert len(rows) == len(pairs) == 15
    for row in rows:
        own = pairs[frozenset((row["first"], row["second"]))]
        assert abs(float(row["difference"])) == pytest.approx(abs(float(own["difference"])))
        assert float(row["difference"]) >= 0
        assert row["p_t_holm"] == own["p_t_holm"]
    gains = {row["fusion"]: row for row in read(tree, "fusions")}
    assert set(gains) == {"all", "best_of_each"}
    for name, row in gains.items():
        own = pairs[frozenset((name, row["best_member"]))]
        assert abs(float(row["gain"])) == pytest.approx(abs(float(own["difference"])))


def test_items_are_counted_in_each_fold(tree):
    rows = read(tree, "data")
    assert len(rows) == 4 * 4
    assert {sum(int(row[p]) for p in ("train", "dev", "test")) for row in rows} == {24}


def test_of_many_systems_only_pairs_with_the_best_are_listed(tmp_path):
    tree = finish(build(tmp_path, Plan(models=41, items=24, fusions=False)))
    ranked = ranking(tree.study, tree.layout)
    write_tables(tree.study, tree.layout, ranked)
    best = ranked[0].name
    rows = read(tree, "comparisons")
    assert len(rows) == 40
    assert {row["first"] for row in rows} == {best}
    assert not (tree.layout.tables / "fusions.csv").exists()
    assert "820 pairs" in (tree.layout.tables / "comparisons.md").read_text()
    assert len({row["system"] for row in read(tree, "classes")}) == 41
    caption, _, header, *_ = (tree.layout.tables / "classes.md").read_text().splitlines()
    assert caption.endswith("The best 10 of 41 systems.")
    assert len(cells_of(header)) == 1 + 10


def test_one_model_has_tables_without_pairs(tmp_path, monkeypatch, capsys):
    tree = finish(build(tmp_path, Plan(models=1)))
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(tree.path)]) == 0
    assert "results/made_up/tables, results/made_up/figures: 15 and" in capsys.readouterr().out
    assert not (tree.layout.tables / "comparisons.csv").exists()
    assert read(tree, "ranking")[0]["p_bootstrap_holm"] == ""


def test_a_class_that_a_fold_lacks_has_the_recall_of_the_others(tmp_path):
    tree = finish(build(tmp_path, Plan(classes=("a", "b", "c", "d", "e"), items=12, models=1)))
    export(tree.study, tree.layout)
    assert any(row["absent"] == "3" for row in read_table(tree.layout.scores))
    assert all(0 <= float(row["recall"]) <= 1 for row in read(tree, "classes"))


def test_a_comma_and_a_quote_survive(tree):
    with open(tree.layout.tables / "classes.csv", newline="", encoding="utf-8") as file:
        labels = {row["class"] for row in csv.DictReader(file)}
    assert labels == set(WILD)


def test_what_was_left_by_an_earlier_report_goes_and_nothing_else(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1)))
    stale = tree.layout.figures / "confusion-former.svg"
    mine = [tree.layout.figures / "mine.svg", tree.layout.tables / "ranking-2.tex"]
    mine += [tree.layout.tables / ".snakemake_timestamp", tree.layout.folder / "forest.svg"]
    for path in (stale, *mine):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    tables, figures = export(tree.study, tree.layout)
    assert not stale.exists()
    assert [path.read_text() for path in mine] == ["x"] * 4
    assert not {*tables, *figures} & {*mine}


def test_markdown_and_latex_of_one_table_say_the_same():
    table = Table("t", "c.", ["a", "b"], [["x", "1"], ["y", "2"]], 1, [], [], frozenset({0}))
    assert as_markdown(table).splitlines()[2:] == [
        "| a | b |",
        "| --- | ---: |",
        "| **x** | **1** |",
        "| y | 2 |",
    ]
    assert r"\textbf{x} & \textbf{1} \\" in as_latex(table, "l")

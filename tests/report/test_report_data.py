"""What the report says of recordings left out, of equal files, and of windows."""

import re

import pytest

from deepself.report.ranking import ranking
from deepself.report.render import render
from deepself.report.tables import digests_of
from deepself.store.files import read_json, read_table, write_table
from tests.report.browsing import Visit
from tests.synthetic import Plan, build, finish

HOSTILE = ("<img src=x>/a.wav", "<script>alert(3)</script> is no number")


def page(tree):
    return render(tree.study, tree.layout, command="x").read_text()


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def section(html, name):
    start = html.index(f'<section aria-labelledby="{name}">')
    return html[start : html.index("</section>", start)]


def change(path, **columns):
    """Set columns of a table's rows; a function gets the row."""
    rows = read_table(path)
    for row in rows:
        row.update({name: f(row) for name, f in columns.items()})
    write_table(path, list(rows[0]), [list(row.values()) for row in rows])


def test_recordings_left_out_are_listed_as_text(tmp_path):
    data = section(page(finish(build(tmp_path, Plan(models=1, skipped=(HOSTILE,))))), "data")
    assert "1 item left out: 1 recording could not be used" in data
    assert "&lt;script&gt;alert(3)&lt;/script&gt; is no number" in data
    assert "<script>" not in data
    assert "&lt;img src=x&gt;/a.wav" in data
    assert "<details>" not in data


def test_a_long_list_is_folded_and_ends(tmp_path):
    many = tuple((f"{i}.wav", "is empty") for i in range(230))
    data = section(page(finish(build(tmp_path, Plan(models=1, skipped=many)))), "data")
    assert "230 items left out: 230 recordings could not be used" in data
    assert data.count("is empty") == 200
    assert "and 30 more: skipped.csv" in data
    assert "<details>" in data


def test_where_nothing_is_left_out_nothing_is_said(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1)))
    change(tree.layout.inventory, sha256=lambda row: row["id"])
    data = section(page(tree), "data")
    assert "left out" not in data
    assert "equal to another" not in data


@pytest.mark.parametrize("leaks", [True, False])
def test_equal_files_are_counted(tmp_path, leaks):
    tree = finish(build(tmp_path, Plan(models=1)))
    twins = ("item-000", "item-003" if leaks else "item-009")
    change(tree.layout.inventory, sha256=lambda row: "z" if row["id"] in twins else row["id"])
    data = text_of(section(page(tree), "data"))
    # Each item has a file of two modalities.
    assert "4 files are equal to another (2 contents)" in data
    assert ("2 of these lie in two partitions of a fold, which is a leak" in data) == leaks


def test_windows_have_their_column_and_recordings_the_rest(tmp_path, browser):
    tree = finish(build(tmp_path, Plan(windows=True, models=4)))
    levels = [row["level"] for row in read_table(tree.layout.scores)]
    assert {"recording", "window"} == set(levels)
    ranked = {r.name: r for r in ranking(tree.study, tree.layout)}
    windows = ("test", "window", "uar")
    (row,) = [
        row
        for row in read_table(tree.layout.summary)
        if (row["partition"], row["level"], row["score"]) == windows
    ]
    assert row["name"] == "log_mel_cnn"
    assert ranked["log_mel_cnn"].scores[windows].mean == float(row["mean"])
    assert windows not in ranked["picture_cnn"].scores
    for r in ranked.values():
        assert all(len(fold.seeds) == 1 for fold in r.folds["test"])
        assert r.test.mean == pytest.approx(sum(f.mean for f in r.folds["test"]) / 3)
    page(tree)
    visit = Visit(browser, tree.layout.report, viewport={"width": 1280, "height": 900})
    visit.see_all()
    assert visit.problems == []
    row = visit.page.inner_text("#ranking-table tr:has([href='#confusion-of-log_mel_cnn'])")
    assert f"{ranked['log_mel_cnn'].scores[windows].mean:.3f}" in row
    assert "UAR of windows" in visit.page.inner_text("#ranking-table thead")
    inner, outer = visit.page.eval_on_selector(
        ".scroll:has(#ranking-table)", "(e) => [e.scrollWidth, e.clientWidth]"
    )
    assert inner <= outer
    assert "window from 0 s, the first of 3" in visit.page.inner_text("main")
    visit.page.close()


def test_without_windows_there_is_no_column(tmp_path):
    assert "of windows" not in page(finish(build(tmp_path, Plan(models=1))))


def test_feature_files_have_both_digests(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1)))
    (file,) = {row["features"][0]["file"] for row in records(tree)}
    made, recordings = digests_of(file)
    table = section(page(tree), "provenance")
    assert f"<code>{made}</code></td><td><code>{recordings}</code>" in table
    assert recordings == "a" * 12
    assert digests_of("results/features/log_mel.h5") == ("–", "–")


def records(tree):
    return [read_json(path) for path in tree.layout.folder.glob("runs/*/*/*/run.json")]

"""The page over several studies in a browser: there, sortable, silent."""

import pytest

from deepself.evaluation.across import Scored, across
from deepself.report.compare import write_comparison
from deepself.store.files import read_table, write_table
from tests.report.browsing import Visit
from tests.synthetic import HOSTILE, Plan, build, finish


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two studies of hostile names, whose dev items differ."""
    folder = tmp_path_factory.mktemp("compared")
    plan = {"classes": HOSTILE, "hostile_ids": True, "groups": True, "windows": True}
    first = finish(build(folder, Plan(seeds=(0, 7), **plan), 0, "first"))
    second = build(folder, Plan(models=2, **plan), 1, "second")
    rows = read_table(second.layout.folds)
    moved = next(row for row in rows if row["fold-1"] == "dev")
    moved["fold-1"] = "train"
    write_table(second.layout.folds, list(rows[0]), [list(row.values()) for row in rows])
    for path in second.layout.folder.glob("runs/*/fold-1/*/predictions.csv"):
        kept = [row for row in read_table(path) if row["id"] != moved["id"]]
        write_table(path, list(kept[0]), [list(row.values()) for row in kept])
    finish(second)
    found = across([Scored(str(t.path), t.study, t.layout) for t in (first, second)])
    path = folder / "page.html"
    return path, found, write_comparison(found, path)


@pytest.fixture(scope="module")
def visit(browser, page):
    visit = Visit(browser, page[0], viewport={"width": 1280, "height": 900})
    yield visit
    visit.page.close()


def cells(page, column):
    return page.eval_on_selector_all(
        f"#ranking-table tbody tr > :nth-child({column})", "all => all.map((e) => e.innerText)"
    )


def test_every_figure_is_drawn_without_a_complaint_or_a_request(visit):
    visit.see_all()
    assert visit.problems == []
    assert [url for url in visit.requests[1:] if not url.startswith("data:")] == []


def test_all_systems_are_ranked_with_their_study(visit, page):
    _, _, ranked = page
    names = [f"{s}/{n}" for n, s in zip(cells(visit.page, 1), cells(visit.page, 2), strict=True)]
    assert names == [r.name for r in ranked]
    uars = [float(text) for text in cells(visit.page, 4)]
    assert uars == sorted(uars, reverse=True)
    visit.page.locator("#ranking-table th", has_text="study").locator("button").click()
    assert cells(visit.page, 2) == ["first"] * 6 + ["second"] * 4


def test_the_first_sentence_names_the_best_and_its_equals(visit, page):
    _, found, (best, *others) = page
    lead = visit.page.inner_text(".lead")
    assert f"The {best.kind} {best.name} has the best mean test UAR of 10 models and" in lead
    assert f"{best.test.mean:.3f}, 95\N{NO-BREAK SPACE}% interval {best.test.low:.3f}" in lead
    equal = [r for r in others if not r.lead.apart]
    assert f"corrected for {len(found.pairs)} pairs" in lead
    if 0 < len(equal) <= 5:
        assert all(r.name in lead for r in equal)


def test_hostile_names_are_text(visit):
    said = visit.page.inner_text(".warning >> nth=0")
    assert "Compared on test only." in said
    assert "chooses on other items than in" in said
    assert "<img src=x onerror=alert(2)>-0" in said
    assert visit.page.query_selector_all("img[src=x]") == []


def test_a_phone_scrolls_tables_and_never_the_page(browser, page):
    visit = Visit(browser, page[0], viewport={"width": 390, "height": 800}, color_scheme="dark")
    visit.see_all()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    assert visit.problems == []
    visit.page.close()

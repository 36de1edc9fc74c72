"""The report in a browser: there, sortable, silent, and not taken in by hostile names."""

import re
import shutil

import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.report.ranking import indistinct, ranking
from deepself.report.render import render
from deepself.store.files import read_table, write_table
from deepself.study import load
from tests.report.browsing import DRAWN, Visit
from tests.synthetic import HOSTILE, Plan, build, finish

COMMAND = "snakemake --cores 2 && echo '<b>done</b>'"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=HOSTILE, seeds=(0, 7), groups=True, hostile_ids=True)
    tree = finish(build(tmp_path_factory.mktemp("report"), plan))
    render(tree.study, tree.layout, command=COMMAND)
    return tree


@pytest.fixture(scope="module")
def visit(browser, tree):
    visit = Visit(browser, tree.layout.report, viewport={"width": 1280, "height": 900})
    yield visit
    visit.page.close()


def cells(page, column):
    """Texts of a column; of the first, the names alone."""
    return page.eval_on_selector_all(
        f"#ranking-table tbody tr:not([hidden]) > :nth-child({column})",
        "all => all.map((e) => (e.firstElementChild ?? e).innerText)",
    )


def column_of(page, title):
    titles = page.eval_on_selector_all(
        "#ranking-table thead th", "all => all.map((e) => e.innerText)"
    )
    (place,) = [i for i, text in enumerate(titles, 1) if re.sub(r"\s*[↑↓↕]", "", text) == title]
    return place


def test_one_file_of_sensible_size(tree):
    assert tree.layout.report.stat().st_size < 15e6


def test_every_figure_is_drawn_without_a_complaint_or_a_request(visit):
    visit.see_all()
    assert visit.problems == []
    own = visit.requests[0]
    assert own.startswith("file://")
    assert [url for url in visit.requests[1:] if not url.startswith("data:")] == []


def test_hostile_names_are_text(visit):
    text = visit.page.inner_text("main")
    for label in HOSTILE:
        assert label in text
    assert "<img src=x onerror=alert(2)>-000" in text
    assert COMMAND in text
    assert visit.page.query_selector_all("img[src=x]") == []
    assert "dialog" not in visit.problems


def test_the_table_ranks_by_test_uar(visit, tree):
    names, uars = cells(visit.page, 1), [float(text) for text in cells(visit.page, 3)]
    assert sorted(names) == sorted([*tree.study.models, *tree.study.fusions])
    assert uars == sorted(uars, reverse=True)
    assert names == [r.name for r in ranking(tree.study, tree.layout)]


def test_a_header_sorts_by_mouse_and_keyboard(visit):
    page = visit.page
    before = cells(page, 1)
    header = page.locator("#ranking-table th", has_text="dev UAR")
    button = header.locator("button")
    button.click()
    dev = column_of(page, "dev UAR")
    falling = [float(text) for text in cells(page, dev)]
    assert falling == sorted(falling, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    button.focus()
    page.keyboard.press("Enter")
    assert cells(page, dev) == [f"{value:.3f}" for value in falling[::-1]]
    assert header.get_attribute("aria-sort") == "ascending"
    name = page.locator("#ranking-table th", has_text="system").first
    name.locator("button").click()
    assert cells(page, 1) == sorted(before)
    assert page.locator("#ranking-table th[aria-sort=descending]").count() == 0


def test_the_first_sentence_names_the_best_and_its_equals(visit, tree):
    ranked = ranking(tree.study, tree.layout)
    lead = visit.page.inner_text(".lead")
    best = ranked[0]
    assert f"{best.name} has the best mean test UAR" in lead
    assert (
        f"{best.test.mean:.3f}, 95\N{NO-BREAK SPACE}% interval "
        f"{best.test.low:.3f} to {best.test.high:.3f}" in lead
    )
    told, dev = lead.split("Without a look at test")[0], max(ranked, key=lambda r: r.dev)
    for other in ranked[1:]:
        equal = other.lead.p_bootstrap_holm >= 0.05
        assert equal == (other in indistinct(ranked))
        assert equal == (re.search(rf"\b{other.name}\b", told) is not None)
    assert (f"dev would have chosen {dev.name}" in lead) == (dev is not best)


def test_confusion_matrices_hold_every_test_item(visit, tree):
    counts = visit.page.eval_on_selector_all(
        ".confusion td", "all => all.map((e) => parseInt(e.innerText))"
    )
    assert sum(counts) == 48 * 2 * 6  # each item is tested once a seed, by six systems


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_tables_and_never_the_page(browser, tree, scheme):
    visit = Visit(
        browser, tree.layout.report, viewport={"width": 390, "height": 800}, color_scheme=scheme
    )
    visit.see_all()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 390
    colour = visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", colour)[:3])) > 384) == (scheme == "light")
    assert visit.problems == []
    visit.page.close()


def test_paper_has_all_figures(browser, tree):
    visit = Visit(browser, tree.layout.report)
    visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    visit.wait_until(DRAWN)
    assert visit.page.query_selector("details:not([open])") is None
    visit.page.close()


def test_the_same_results_give_the_same_bytes(tree):
    before = tree.layout.report.read_bytes()
    render(tree.study, tree.layout, command=COMMAND)
    assert tree.layout.report.read_bytes() == before


def test_many_classes_and_a_lost_cache(tmp_path, browser):
    plan = Plan(classes=tuple(f"<i>{i}</i>" for i in range(24)), items=144, models=2)
    tree = finish(build(tmp_path, plan))
    shutil.rmtree(tree.layout.results / "features")
    path = render(tree.study, tree.layout, command="x")
    visit = Visit(browser, path)
    visit.see_all()
    assert visit.page.query_selector(".confusion") is None
    figure = visit.page.locator("[data-figure=confusion-all]")
    assert "<i>3</i>" in figure.inner_text()
    assert "No examples" in visit.page.inner_text("main")
    assert visit.problems == []
    visit.page.close()


def lead_of(tree, **changes):
    """First sentences and ranking, after changes of the summary's test UARs by name."""
    change(
        tree.layout.summary,
        lambda row: (
            changes.get(row["name"], {})
            if (row["partition"], row["score"]) == ("test", "uar")
            else {}
        ),
    )
    page = render(tree.study, tree.layout, command="x").read_text()
    above = page[page.index('<p class="lead">') : page.index('<section aria-labelledby="folds">')]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", above).replace("&nbsp;", " "))


def change(path, changes):
    """Change a table; a function gives what each row shall have."""
    rows = read_table(path)
    for row in rows:
        row.update(changes(row))
    write_table(path, list(rows[0]), [list(row.values()) for row in rows])


CHANCE = "no model is shown to tell the classes apart"


def test_chance_is_called_chance(tmp_path):
    names = ["picture_cnn", "log_mel_cnn", "wave_cnn", "deep_svm"]
    tree = finish(build(tmp_path, Plan(skill=dict.fromkeys(names, 0.0))))
    assert f"nor does any other: {CHANCE}" in lead_of(tree)


def test_one_model_is_compared_with_none(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1, skill={"picture_cnn": 0.0})))
    text = lead_of(tree)
    assert f"does not lie above chance (0.333): {CHANCE}." in text
    for word in ("any other", "difference", "flattered", "corrected"):
        assert word not in text


def test_no_model_is_none_of_all(tmp_path):
    """The best may be unsure where the second is sure: then a model is shown to tell them apart."""
    tree = finish(build(tmp_path, Plan(models=2)))
    best, second = ranking(tree.study, tree.layout)[:2]
    text = lead_of(tree, **{best.name: {"low": 0.2}, second.name: {"low": 0.5}})
    assert CHANCE not in text
    assert f"does not lie above chance (0.333), while that of {second.name}" in text


WIDTH = "An interval without width means that no test item was misclassified"


def test_no_error_is_said_where_there_was_none_and_only_there(tmp_path):
    tree = finish(build(tmp_path, Plan(models=2)))
    best = ranking(tree.study, tree.layout)[0]
    flat = {"low": best.test.mean, "high": best.test.mean}
    assert WIDTH not in lead_of(tree, **{best.name: flat})
    tree = finish(build(tmp_path / "right", Plan(models=2, skill={"log_mel_cnn": 50.0})))
    assert WIDTH in lead_of(tree)


def test_what_the_best_cannot_be_told_from(tmp_path):
    """The corrected probability decides, though the intervals overlap or do not."""
    tree = finish(build(tmp_path, Plan(models=2)))
    best, *others = ranking(tree.study, tree.layout)
    wide = {"low": best.test.low, "high": best.test.high}
    change(tree.layout.comparisons, lambda _: {"p_bootstrap_holm": 0.049, "apart": "yes"})
    text = lead_of(tree, **{r.name: wide for r in others})
    assert "It can be told from all others (p &lt; 0.05, corrected for 6 pairs)" in text
    one = others[0].name
    pair = {best.name, one}
    change(
        tree.layout.comparisons,
        lambda row: {"apart": "no"} if {row["first"], row["second"]} == pair else {},
    )
    text = lead_of(tree, **{one: {"low": 0, "high": 0.1}})
    equal = f"It cannot be told from the {others[0].kind} {one}"
    assert f"{equal} (p ≥ 0.05, corrected for 6 pairs)" in text
    change(tree.layout.comparisons, lambda _: {"apart": "no"})
    assert f"from {others[0].name}, {others[1].name} and {others[2].name} (p ≥" in lead_of(tree)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(models=1), "bootstrap over items within each test fold (2000 resamples)"),
        (
            Plan(models=1, groups=True),
            "bootstrap over groups over the whole study, since a fold holds fewer than 5 groups",
        ),
    ],
)
def test_the_note_says_how_was_resampled(tmp_path, plan, said):
    assert said in lead_of(finish(build(tmp_path, plan)))


@pytest.mark.parametrize("classes", [7, 10, 20])
def test_wide_matrices_stand_alone_and_whole(tmp_path, browser, classes):
    names = tuple(f"class_of_long_name_{i}" for i in range(classes))
    tree = finish(build(tmp_path, Plan(classes=names, items=6 * classes, models=2)))
    path = render(tree.study, tree.layout, command="x")
    for width in (1280, 390):
        visit = Visit(browser, path, viewport={"width": width, "height": 900})
        boxes = visit.page.eval_on_selector_all(
            ".matrix",
            "all => all.map((e) => [e.getBoundingClientRect().x, e.firstElementChild.clientWidth,"
            " e.firstElementChild.scrollWidth])",
        )
        assert len({x for x, _, _ in boxes}) == 1
        assert all((inner <= outer) == (width == 1280) for _, outer, inner in boxes)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        visit.page.close()


@pytest.mark.parametrize("classes", [2, 6])
def test_small_matrices_are_whole(tmp_path, browser, classes):
    names = tuple(f"class_of_long_name_{i}" for i in range(classes))
    tree = finish(build(tmp_path, Plan(classes=names, items=6 * classes, models=2)))
    visit = Visit(browser, render(tree.study, tree.layout, command="x"))
    assert visit.page.eval_on_selector_all(
        ".matrix .scroll", "all => all.every((e) => e.scrollWidth <= e.clientWidth)"
    )
    visit.page.close()


def test_the_ranking_fits_a_common_screen(tmp_path, browser):
    tree = finish(build(tmp_path, Plan(models=2, folds=5)))
    path = render(tree.study, tree.layout, command="x")
    visit = Visit(browser, path, viewport={"width": 1280, "height": 900})
    inner, outer = visit.page.eval_on_selector(
        ".scroll:has(#ranking-table)", "(e) => [e.scrollWidth, e.clientWidth]"
    )
    assert inner <= outer
    visit.page.close()


def test_the_study_that_is_shown_is_the_study(visit, tree, tmp_path):
    (tmp_path / "study.yaml").write_text(visit.page.text_content("#study"), encoding="utf-8")
    assert load(tmp_path / "study.yaml") == tree.study
    assert "saved as study.yaml" in visit.page.inner_text(".provenance")


@pytest.mark.parametrize("overrides", [[], ["--set", "seeds=[0]"]])
def test_the_command_to_repeat_names_a_study(tmp_path, monkeypatch, overrides):
    tree = finish(build(tmp_path, Plan(models=1)))
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "results/made_up/studies/0123.yaml"
    copy.parent.mkdir()
    shutil.copy(tree.path, copy)
    assert main(["report", "results/made_up/studies/0123.yaml", *overrides]) == 0
    named = "study.yaml" if overrides else "results/made_up/studies/0123.yaml"
    page = tree.layout.report.read_text()
    assert f"<code>snakemake --cores all --configfile {named}</code>" in page


def test_a_missing_run_stops_the_report(tmp_path):
    tree = finish(build(tmp_path, Plan(models=2)))
    tree.layout.report.unlink(missing_ok=True)
    (tree.layout.run("picture_cnn", "3", 0) / "predictions.csv").unlink()
    with pytest.raises(UserError, match="picture_cnn, fold 3, seed 0"):
        render(tree.study, tree.layout, command="x")
    assert not tree.layout.report.exists()


def test_scores_of_another_study_are_refused(tmp_path):
    tree = finish(build(tmp_path, Plan(models=2)))
    text = tree.layout.summary.read_text()
    tree.layout.summary.write_text(text.replace("log_mel_cnn", "former_cnn"))
    with pytest.raises(UserError, match="run score again"):
        render(tree.study, tree.layout, command="x")


def test_a_summary_of_an_older_version_is_refused(tmp_path):
    tree = finish(build(tmp_path, Plan(models=2)))
    text = tree.layout.summary.read_text()
    tree.layout.summary.write_text(text.replace(",score,", ",something,"))
    with pytest.raises(UserError, match="run score again"):
        render(tree.study, tree.layout, command="x")


def test_verb_names_the_file(tmp_path, monkeypatch, capsys):
    tree = finish(build(tmp_path, Plan(models=1)))
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(tree.path), "--command", "make again"]) == 0
    assert capsys.readouterr().out.startswith("results/made_up/report.html: ")
    assert "make again" in tree.layout.report.read_text()

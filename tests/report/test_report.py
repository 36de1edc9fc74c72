"""The report in a browser: there, sortable, silent, and not taken in by hostile names."""

import re
import shutil

import numpy as np
import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.report.ranking import overlapping, ranking
from deepself.report.render import render
from tests.synthetic import HOSTILE, Plan, build, finish

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
COMMAND = "snakemake --cores 2 && echo '<b>done</b>'"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=HOSTILE, seeds=(0, 7), groups=True, hostile_ids=True)
    tree = finish(build(tmp_path_factory.mktemp("report"), plan))
    render(tree.study, tree.layout, command=COMMAND)
    return tree


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine: the report is not driven")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A page that keeps what went wrong on it."""

    def __init__(self, browser, path, **settings):
        self.page = browser.new_page(**settings)
        self.problems, self.requests = [], []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type != "log" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def see_all(self):
        """Scroll to each figure, as all are drawn only when they are looked at."""
        for place in self.page.query_selector_all("[data-figure]"):
            place.scroll_into_view_if_needed()
        self.page.wait_for_function(
            "[...document.querySelectorAll('[data-figure]')]"
            ".every((e) => e.querySelector('.main-svg'))"
        )


@pytest.fixture(scope="module")
def visit(browser, tree):
    visit = Visit(browser, tree.layout.report, viewport={"width": 1280, "height": 900})
    yield visit
    visit.page.close()


def cells(page, column):
    return page.eval_on_selector_all(
        f"#ranking-table tbody tr > :nth-child({column})", "all => all.map((e) => e.innerText)"
    )


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
    falling = [float(text) for text in cells(page, 6)]
    assert falling == sorted(falling, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    button.focus()
    page.keyboard.press("Enter")
    assert cells(page, 6) == [f"{value:.3f}" for value in falling[::-1]]
    assert header.get_attribute("aria-sort") == "ascending"
    name = page.locator("#ranking-table th", has_text="name").first
    name.locator("button").click()
    assert cells(page, 1) == sorted(before)
    assert page.locator("#ranking-table th[aria-sort=descending]").count() == 0


def test_the_first_sentence_names_the_best_and_its_equals(visit, tree):
    ranked = ranking(tree.study, tree.layout)
    lead = visit.page.inner_text(".lead")
    best = ranked[0]
    assert f"{best.name} has the best mean test UAR" in lead
    assert (
        f"{best.uar:.3f}, 95\N{NO-BREAK SPACE}% interval {best.low:.3f} to {best.high:.3f}" in lead
    )
    for other in ranked[1:]:
        overlaps = other.high >= best.low
        assert overlaps == (other in overlapping(ranked))
        assert overlaps == (re.search(rf"\b{other.name}\b", lead) is not None)


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
    visit.page.wait_for_function(
        "[...document.querySelectorAll('[data-figure]')].every((e) => e.querySelector('.main-svg'))"
    )
    assert visit.page.query_selector("details:not([open])") is None
    visit.page.close()


def test_the_same_results_give_the_same_bytes(tree):
    before = tree.layout.report.read_bytes()
    render(tree.study, tree.layout, command=COMMAND)
    assert tree.layout.report.read_bytes() == before


def test_many_classes_and_a_lost_cache(tmp_path, browser):
    plan = Plan(classes=tuple(f"<i>{i}</i>" for i in range(15)), items=90, models=2)
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


def test_chance_is_called_chance(tmp_path):
    names = ["picture_cnn", "log_mel_cnn", "wave_cnn", "deep_svm"]
    tree = finish(build(tmp_path, Plan(skill=dict.fromkeys(names, 0.0))))
    page = render(tree.study, tree.layout, command="x").read_text()
    assert "no model is shown to tell the classes apart" in page


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


def test_verb_names_the_file(tmp_path, monkeypatch, capsys):
    tree = finish(build(tmp_path, Plan(models=2)))
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(tree.path), "--command", "make again"]) == 0
    assert capsys.readouterr().out.startswith("results/made_up/report.html: ")
    assert "make again" in tree.layout.report.read_text()


def test_examples_of_long_and_many_channelled_features(tmp_path):
    from deepself.report.examples import BUDGET, examples
    from deepself.store.features import FeatureWriter

    rng = np.random.default_rng(0)
    for kind, shape, rate, hertz in (
        ("waveform", (14, 100_003), 250.0, None),
        ("spectrogram", (2, 513, 1501), 43.0, np.linspace(0, 4000, 513)),
    ):
        path = tmp_path / f"{kind}.h5"
        with FeatureWriter(path, ["a", "b"], {}, {}, frequencies=hertz, frame_rate=rate) as file:
            file.append(rng.normal(size=(2, *shape)).astype(np.float32))
        found = examples("f", kind, str(path), [("b", "x"), ("missing", "y")], features=1)
        assert [e.item for e in found.items] == ["b"]
        assert "channels" in found.note
        (example,) = found.items
        for trace in example.figure["data"]:
            values = trace.get("y") if kind == "waveform" else trace["z"]["bdata"]
            assert len(values) < (1200 if kind == "waveform" else 6 * BUDGET)

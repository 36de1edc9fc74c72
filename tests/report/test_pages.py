"""The pages of `inspect` and `preview` in a browser: silent, whole, and not taken in by names."""

from pathlib import Path

import pytest

from deepself.cli import main
from deepself.study.identity import feature_file
from tests.report.browsing import Visit
from tests.synthetic import Plan, build
from tests.tiny import make_study


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(models=1, hostile_ids=True, windows=True)
    return build(tmp_path_factory.mktemp("inspect"), plan)


def look(browser, path):
    """Visit a page on a laptop and on a telephone; return its text."""
    for width in (390, 1280):
        visit = Visit(browser, path, viewport={"width": width, "height": 800})
        visit.see_all()
        assert visit.problems == []
        assert [url for url in visit.requests[1:] if not url.startswith("data:")] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        assert visit.page.query_selector_all("img[src=x]") == []
        text = visit.page.inner_text("body")
        visit.page.close()
    return text


@pytest.mark.parametrize("name", ["picture", "wave", "log_mel", "deep"])
def test_the_page_of_a_feature_file(tree, browser, tmp_path, name):
    path, page = feature_file(tree.study, tree.layout, name), tmp_path / "page.html"
    assert main(["inspect", str(path), "--output", str(page)]) == 0
    text = look(browser, page)
    assert path.name in text
    assert "<img src=x onerror=alert(2)>-000" in text
    assert f"kind: {tree.study.features[name].kind}" in text


def test_the_page_of_a_preview(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = make_study(tmp_path)
    seen = "features.seen={kind: rendered, of: log_mel}"
    assert main(["preview", str(study), "--set", seen]) == 0
    text = look(browser, Path("results/tiny/preview.html"))
    assert "4 features of 3 recordings. For all 18, they take about" in text
    assert "rendered, 1 × 224 × 224 (channels × height × width)" in text


def test_the_same_file_gives_the_same_page(tree, tmp_path):
    path = str(feature_file(tree.study, tree.layout, "log_mel"))
    for page in ("a.html", "b.html"):
        assert main(["inspect", path, "--output", str(tmp_path / page)]) == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()

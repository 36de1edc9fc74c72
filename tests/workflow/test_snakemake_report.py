"""`snakemake --report`: what Snakemake's own report holds of a study, without a network."""

import json
import re
import shutil
from zipfile import ZipFile

import pytest

from deepself.study import Layout
from tests.tiny import make_study
from tests.workflow.conftest import REPOSITORY, Workflow

TABLES = [path.stem for path in Layout("tiny").score_tables]

FIGURES = [
    *("forest", "critical_difference", "comparisons", "reliability", "recalls"),
    *("confusion-dense", "confusion-svm", "curves-dense"),
]

OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
"""A proxy that answers nobody."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study with a search, run once."""
    folder = tmp_path_factory.mktemp("reported")
    make_study(
        folder,
        models__cnn=None,
        fusions=None,
        models__dense__training__lr={"log_uniform": [1e-4, 0.1]},
        models__dense__search={"method": "random", "trials": 2, "choose": "nested"},
    )
    workflow = Workflow(folder)
    status, output = workflow.run()
    assert status == 0, output
    return workflow


@pytest.fixture(scope="module")
def zipped(finished):
    """The report as an archive: its page, and the content of its files by name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OFFLINE.items():
            patch.setenv(name, value)
        status, output = finished.run("--report", "study.zip")
    assert status == 0, output
    with ZipFile(finished.folder / "study.zip") as archive:
        page = archive.read("study/report.html").decode()
        held = {n.split("/")[-1]: archive.read(n) for n in archive.namelist() if "/data/" in n}
    return page, held


def variable(page, name):
    """A value that the report's page holds for its script."""
    start = re.search(rf'<script id="{name}">\s*var \w+ = ', page)
    return json.JSONDecoder().raw_decode(page, start.end())[0]


def test_results_have_categories_labels_and_captions(zipped):
    page, _ = zipped
    results, categories = variable(page, "results"), variable(page, "categories")
    assert set(categories) == {"Data", "Figures", "Report", "Scores", "Search"}
    assert list(categories["Search"]) == ["dense"]
    found = {path.removeprefix("results/tiny/"): one for path, one in results.items()}
    assert {p: one["labels"] for p, one in found.items()} == {
        "report.html": {"page": "report"},
        "inventory.csv": {"table": "recordings"},
        "skipped.csv": {"table": "left out"},
        "folds.csv": {"table": "folds"},
        **{f"{name}.csv": {"table": name.replace("_", " ")} for name in TABLES},
        **{
            f"searches/dense/fold-{fold}.json": {"chosen for": f"fold-{fold}"}
            for fold in ("1", "2", "3")
        },
        **{f"figures/{name}.svg": {"figure": name} for name in FIGURES},
    }
    for path, one in found.items():
        assert "<p>" in one["caption"], path
        assert "system-message" not in one["caption"], path
    assert "The report of study" in found["report.html"]["caption"]


def test_files_are_those_of_the_study(zipped, finished):
    _, held = zipped
    for name in ("report.html", "folds.csv", *(f"{name}.csv" for name in TABLES)):
        assert held[name] == (finished.results / name).read_bytes()


def test_the_description_is_of_the_study_and_leads_to_its_results(zipped):
    description = variable(zipped[0], "workflow-desc")
    assert "system-message" not in description
    text = re.sub(r"<[^>]*>", "", description)
    assert "Study tiny" in text
    assert "Which of 2 models classifies the recordings of recordings best" in " ".join(
        text.split()
    )
    for category in ("Report", "Scores", "Figures", "Search", "Data"):
        assert f"javascript:app.showCategory('{category}')" in description


def test_one_page_holds_the_same(finished, zipped):
    status, output = finished.run("--report", "study.html")
    assert status == 0, output
    page = (finished.folder / "study.html").read_text()
    assert set(variable(page, "results")) == set(variable(zipped[0], "results"))


def test_a_report_of_some_results_has_no_broken_link(finished):
    status, output = finished.run("results/tiny/folds.csv", "--report", "folds.zip")
    assert status == 0, output
    with ZipFile(finished.folder / "folds.zip") as archive:
        page = archive.read("folds/report.html").decode()
    assert set(variable(page, "categories")) == {"Data"}
    assert "system-message" not in variable(page, "workflow-desc")


def test_a_report_leaves_nothing_to_be_done(finished, zipped):
    assert finished.planned() == {}


def test_a_password_is_not_shown(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    copied = Workflow(tmp_path / "copy")
    with open(copied.folder / "study.yaml", "a") as file:
        file.write("tracking: {uri: 'postgresql://me:hidden@host/mlflow'}\n")
    status, output = copied.run("--report", "study.zip")
    assert status == 0, output
    with ZipFile(copied.folder / "study.zip") as archive:
        page = archive.read("study/report.html").decode()
    assert "me:***@host" in page
    assert ":hidden@" not in page


def test_large_tables_stay_out(finished, tmp_path):
    """They lie beside it; a page that holds them could not be opened."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    copied = Workflow(tmp_path / "copy")
    with open(copied.results / "confusion.csv", "ab") as file:
        file.write(b"\n" * 20_000_001)
    status, output = copied.run("--report", "small.zip")
    assert status == 0, output
    with ZipFile(copied.folder / "small.zip") as archive:
        names = {name.split("/")[-1] for name in archive.namelist()}
    assert "summary.csv" in names
    assert "confusion.csv" not in names


def test_each_table_of_scores_has_a_caption():
    for name in TABLES:
        assert (REPOSITORY / f"workflow/report/{name}.rst").is_file(), name

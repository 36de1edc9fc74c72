"""One browser for all tests of pages, and made-up studies that are scored quickly."""

import functools
import shutil

import pytest

from deepself.evaluation import protocol
from deepself.evaluation.resampling import Resamples

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine: pages are not driven")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    """An eighth of the resamples: reports show intervals, other tests ask whether they are right.

    Of each module, as its other fixtures are: tests of other folders keep them all.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "Resamples", functools.partial(Resamples, count=250))
        yield

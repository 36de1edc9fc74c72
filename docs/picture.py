"""Take the README's picture of a report: python docs/picture.py REPORT PICTURE (needs Chromium)."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main(report: str, picture: str) -> None:
    """Open a report in headless Chromium and save its first screen."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=QUIET
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 960})
        page.goto(Path(report).resolve().as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        page.screenshot(path=picture)
        chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A page in a browser, and what went wrong on it."""

import time

DRAWN = "[...document.querySelectorAll('[data-figure]')].every((e) => e.querySelector('.main-svg'))"
"""Whether every figure is drawn."""


class Visit:
    """A page that keeps what went wrong on it."""

    def __init__(self, browser, path, **settings):
        self.page = browser.new_page(**settings)
        self.problems, self.requests = [], []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type != "log" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append("dialog"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.resolve().as_uri())

    def see_all(self):
        """Scroll to each figure, as all are drawn only when they are looked at."""
        for place in self.page.query_selector_all("[data-figure]"):
            place.scroll_into_view_if_needed()
        self.wait_until(DRAWN)

    def wait_until(self, expression, seconds=60):
        """Wait until an expression is true: the page's own policy forbids to poll inside it."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            self.page.wait_for_timeout(50)

"""The built documentation, in Chromium, from a server of our own.

Build it, then run by name; ``$SKTSGAN_SITE`` names the folder if it is another::

    sphinx-build -W -n docs docs/_build && python -m pytest -m site

Photographs of the pages, at two widths, are left in ``photographs`` beside the pages.
"""

import os
import shutil
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest

pytestmark = pytest.mark.site

SITE = Path(os.environ.get("SKTSGAN_SITE", "docs/_build")).absolute()
PAGES = {
    "landing": "index.html",
    "guide": "user_guide.html",
    "gallery": "auto_examples/plot_01_quickstart.html",
    "api": "generated/sktsgan.StaGANSampler.html",
}

# Elements of the text that stick out of it, or whose own text sticks out of them.
WIDER = """() => {
    const edge = document.querySelector("article").getBoundingClientRect().right + 1;
    return [...document.querySelectorAll("article :is(p, dt, dd, li, h1, h2, img)")]
        .filter(element => !element.closest(".pst-scrollable-table-container, pre"))
        .filter(element => !element.querySelector(".pst-scrollable-table-container, pre"))
        .filter(element => element.getBoundingClientRect().right > edge
                           || element.scrollWidth > element.clientWidth + 1 && element.clientWidth)
        .map(element => element.outerHTML.slice(0, 80));
}"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files and say nothing."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    if not (SITE / "index.html").exists():
        pytest.fail(f"There is no site in {SITE}; build it first.")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=SITE))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as p:
        # no sandbox, as root in a container has none
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """Open a page that remembers what went wrong in it."""
    page = browser.new_page()
    page.wrong = []
    page.on("console", lambda message: page.wrong.append(message.text)
            if message.type == "error" else None)  # fmt: skip
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("response", lambda response: page.wrong.append(f"{response.status} {response.url}")
            if response.status >= 400 and response.url.startswith(address) else None)  # fmt: skip
    # what is elsewhere is not the site's, and may be out of reach
    page.route(lambda url: not url.startswith(address), lambda route: route.abort())
    yield page
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_pages_show(page, address, name, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address + PAGES[name], wait_until="load")
    folder = SITE.parent / "photographs"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
    assert page.wrong == []
    assert page.locator("h1").count() == 1
    # nothing but tables and code, which scroll by themselves, is wider than the window
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER) == []
    for picture in page.locator("article img").all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")


def test_search_finds(page, address):
    page.goto(address + "search.html?q=MMDScorer", wait_until="load")
    results = page.locator("#search-results li a")
    results.first.wait_for(timeout=20_000)
    found = [link.get_attribute("href") for link in results.all()]
    assert any("sktsgan.MMDScorer.html" in target for target in found), found
    assert page.wrong == []


class Links(HTMLParser):
    """Collect the targets of links and pictures in a page, and its anchors."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = set(), {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        for key in ("href", "src"):
            if attributes.get(key):
                self.targets.add(attributes[key])


def test_no_link_inside_is_broken():
    files = [path for path in SITE.rglob("*.html") if "_static" not in path.parts]  # the theme's
    pages = {path: Links(path.read_text("utf-8")) for path in files}
    assert len(pages) > 30
    broken = []
    for path, links in pages.items():
        for target in links.targets:
            address, anchor = urldefrag(urljoin(path.as_uri(), target))
            if not address.startswith("file:"):
                continue
            file = Path(unquote(address.removeprefix("file://").split("?")[0]))
            found = file.is_file()
            if found and file in pages and anchor and not anchor.startswith(":~:"):
                found = unquote(anchor) in pages[file].anchors
            if not found:
                broken.append(f"{path.relative_to(SITE)} -> {target}")
    assert broken == []

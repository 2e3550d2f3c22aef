"""The built book in a real browser: nothing from outside, no error, equations set, nothing wider than the screen.

Builds the book first. Needs Chromium and playwright; skips with the reason where one is absent.
"""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from built_book import PAGES, ROOT, TOC, html_folder

playwright_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ABSENT = [name for name in PAGES if not any((ROOT / "book").glob(f"{name}.*"))]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(bool(ABSENT), reason=f"pages not executed, see test_book.py: {', '.join(ABSENT)}"),
]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files without a line a request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Address of the book on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(html_folder())))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """One Chromium for all tests."""
    with playwright_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Visit:
    """One page, loaded and settled, with everything that it asked for and complained about."""

    def __init__(self, browser, address: str) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        # a player that is left alone may cancel its request
        self.page.on("requestfailed", lambda it: self._note(it.resource_type != "media", f"failed: {it.url}"))
        self.page.on("response", lambda answer: self._note(answer.status >= 400, f"{answer.status} {answer.url}"))
        self.page.on("console", lambda line: self._note(line.type == "error", line.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.goto(address, wait_until="load")
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("() => window.MathJax?.startup?.promise")  # equations are set when it resolves

    def look(self, *, width: int = 1280, dark: bool = False) -> None:
        """Change the window and the reader's preference."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        theme = "dark" if dark else "light"
        self.page.wait_for_function(f"() => document.documentElement.dataset.theme === '{theme}'")

    def _note(self, bad: bool, text: str) -> None:
        if bad:
            self.problems.append(text)

    def overflow(self) -> dict:
        """Pixels by which the document is wider than the window, and the elements that cause it."""
        return self.page.evaluate(
            """() => {
              const width = document.documentElement.clientWidth;
              const scrolls = e => { for (let p = e.parentElement; p; p = p.parentElement)
                if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)
                    && p !== document.body && p !== document.documentElement) return true; return false; };
              const wide = [...document.querySelectorAll("article *")]
                .filter(e => e.getBoundingClientRect().right > width + 1 && !scrolls(e))
                .map(e => e.tagName + "." + e.className);
              return {by: document.documentElement.scrollWidth - width, wide: wide.slice(0, 5)};
            }"""
        )


@pytest.fixture(scope="module")
def visit(browser, site):
    """Open a page of the book: visit("pages/idea")."""
    opened: list[Visit] = []

    def open_page(name: str) -> Visit:
        opened.append(Visit(browser, f"{site}/{name}.html"))
        return opened[-1]

    yield open_page
    for one in opened:
        one.page.close()


@pytest.fixture(scope="module", params=PAGES)
def seen(request, visit) -> Visit:
    """Every page in turn, loaded once for all tests."""
    return visit(request.param)


def test_page_loads_without_a_word_from_outside(seen, site):
    assert not seen.problems
    outside = [url for url in seen.requests if not url.startswith((site, "data:", "blob:"))]
    assert not outside
    assert seen.page.locator("article h1").count() == 1
    formulas = seen.page.locator("article .math").count()
    assert seen.page.locator("article mjx-container").count() >= formulas
    assert seen.page.locator("article mjx-merror").count() == 0
    broken = seen.page.evaluate("() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert not broken


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_wider_than_a_phone(seen, dark):
    seen.look(width=390, dark=dark)
    assert seen.overflow() == {"by": 0, "wide": []}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_background(seen, dark):
    seen.look(dark=dark)
    assert seen.overflow()["by"] == 0
    # WCAG contrast between each text in the article and the nearest background that is not transparent
    poor = seen.page.evaluate(
        """() => {
          const parse = c => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
          const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const light = c => { const [r, g, b] = parse(c).map(v => linear(v / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
            const v = parse(c); if (v.length < 4 || v[3] > 0.5) return c; } return "rgb(0, 0, 0)"; };
          const texts = "article :is(p, li, td, th, h1, h2, h3, figcaption, dt, summary, .synthetic, .real, a)";
          return [...document.querySelectorAll(texts)]
            .filter(e => e.innerText.trim() && e.getClientRects().length).map(e => {
              const [a, b] = [light(getComputedStyle(e).color), light(back(e))];
              const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
              return [ratio, e.tagName, e.className, e.innerText.slice(0, 40)];
            }).filter(found => found[0] < 4.5).slice(0, 5);
        }"""
    )
    assert not poor


def test_first_address_leads_to_the_introduction(visit):
    seen = visit("index")
    seen.page.wait_for_url(f"**/{TOC['root']}.html")
    assert not seen.problems


def test_search_finds_a_word_of_the_glossary(visit):
    seen = visit("search")
    seen.page.goto(seen.page.url + "?q=silhouette")
    seen.page.wait_for_selector("#search-results li a")
    assert not seen.problems


def test_world_page_plays_a_sound(visit):
    seen = visit("pages/world")
    players = seen.page.locator("audio")
    assert players.count() > 0
    assert not [url for url in seen.requests if url.endswith(".mp3")]  # nothing is loaded before a click
    first = players.first
    first.scroll_into_view_if_needed()
    box = first.bounding_box()
    first.click(position={"x": 20, "y": box["height"] / 2})  # the play button stands at the left end
    seen.page.wait_for_function("() => document.querySelector('audio').currentTime > 0", timeout=10_000)
    assert first.evaluate("e => e.error") is None
    assert not seen.problems


def test_hidden_solution_unfolds(visit):
    seen = visit("pages/idea")
    solution = seen.page.locator("details.hide").first
    assert solution.get_attribute("open") is None
    solution.locator("summary").first.click()
    assert solution.get_attribute("open") is not None

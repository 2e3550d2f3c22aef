"""The built book in a real browser: nothing from outside, no error, equations set, nothing wider than the screen.

Builds the book first. Needs Chromium and playwright; skips with the reason where one is absent.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from built_book import PAGES, ROOT, TOC, html_folder
from chromium import CHROMIUM, FLAGS, needs_chromium
from pypdf import PdfReader

from clapleak import pages
from clapleak.pdf import served

playwright_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")

AXE = "4.14.1"
ABSENT = [name for name in PAGES if not any((ROOT / "book").glob(f"{name}.*"))]
pytestmark = [
    needs_chromium,
    pytest.mark.skipif(bool(ABSENT), reason=f"pages not executed, see test_book.py: {', '.join(ABSENT)}"),
]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Address of the book on this machine."""
    with served(html_folder()) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """One Chromium for all tests."""
    with playwright_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """Source of axe-core, which npm fetches once into an ignored folder."""
    folder = ROOT / ".cache" / f"axe-core-{AXE}"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no axe-core: apt-get install npm, which fetches it")
        command = [npm, "install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", f"axe-core@{AXE}"]
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            pytest.skip(f"no axe-core: npm could not fetch it: {done.stderr.strip()[-200:]}")
    return script.read_text(encoding="utf-8")


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


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 390)], ids=["light", "dark", "phone"])
def test_axe_finds_no_serious_fault(seen, axe, dark, width):
    seen.look(width=width, dark=dark)
    seen.page.wait_for_timeout(500)  # the theme looks a little later which boxes scroll now
    assert faults(seen.page, axe) == []


def test_axe_would_find_a_fault(visit, axe):
    seen = visit("references")
    spoil = "document.querySelector('article').insertAdjacentHTML('beforeend', '<img src=\"../_static/logo.svg\">')"
    seen.page.evaluate(spoil)
    assert [name for name, _ in faults(seen.page, axe)] == ["image-alt"]


def faults(page, axe: str) -> list:
    """Serious and critical faults that axe-core finds, with the first elements that have them."""
    page.evaluate(axe)
    return page.evaluate(
        """async () => (await axe.run({resultTypes: ["violations"]})).violations
          .filter(fault => ["serious", "critical"].includes(fault.impact))
          .map(fault => [fault.id, fault.nodes.slice(0, 3).map(node => node.html.slice(0, 120))])"""
    )


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


@pytest.fixture
def explorer(visit) -> Visit:
    """The explorer's page, with its maps drawn."""
    seen = visit("pages/explorer")
    seen.page.locator("#explorer .ring").first.wait_for(state="attached")
    yield seen
    assert not seen.problems


def rings(page) -> list:
    """Clip that each map rings, and whether the ring is drawn at that clip's own dot."""
    return page.evaluate(
        """() => {
          const world = JSON.parse(document.getElementById("explorer-data").textContent)
            .find(w => w.title === document.querySelector("#explorer select").selectedOptions[0].text);
          return [...document.querySelectorAll("#explorer .ring.lit")].map((ring, map) => {
            const clip = world.clips.indexOf(ring.dataset.clip), flat = world.setups[map].E_a;
            const there = ring.cx.baseVal.value === flat[2 * clip] && ring.cy.baseVal.value === flat[2 * clip + 1];
            return [ring.dataset.clip, there && getComputedStyle(ring).display !== "none"];
          });
        }"""
    )


def test_explorer_loads_no_sound_before_a_click(explorer):
    drawn = explorer.page.evaluate("performance.getEntriesByName('explorer-drawn')[0].startTime")
    print(f"explorer: drawn after {drawn / 1000:.2f} s")  # depends on what else the machine does
    assert not [url for url in explorer.requests if url.endswith(".mp3")]
    assert explorer.page.locator("#explorer-still").is_hidden()  # the picture is for paper and for no script


def test_click_in_one_map_rings_the_clip_in_all_six_and_plays_it(explorer):
    maps = explorer.page.locator(".explorer-maps svg")
    assert maps.count() == 6
    dot = maps.nth(2).locator("g circle").nth(100)
    dot.scroll_into_view_if_needed()
    dot.click(force=True)  # a neighbour may lie on top; then that one is meant
    found = rings(explorer.page)
    assert len(found) == 6 and len({clip for clip, _ in found}) == 1 and all(there for _, there in found)
    name = found[0][0].split("/")[1]
    assert explorer.page.locator(".explorer-name").inner_text().startswith(name)
    assert explorer.page.locator("#explorer .answers").filter(has_text=re.compile(r"\d\.\d\d")).count() == 6
    explorer.page.wait_for_function("document.querySelector('#explorer audio').currentTime > 0", timeout=10_000)
    audio = explorer.page.locator("#explorer audio")
    assert audio.evaluate("e => e.error") is None
    assert pages.media_name(found[0][0]) == audio.evaluate("e => e.src").rsplit("/", 1)[1]


def test_pointing_shows_a_clip_and_lets_go_of_it(explorer):
    svg = explorer.page.locator(".explorer-maps svg").first
    svg.locator("g circle").first.hover(force=True)
    assert len(rings(explorer.page)) == 6
    explorer.page.mouse.move(2, 2)
    assert rings(explorer.page) == []


def test_keys_walk_through_a_map_and_play(explorer):
    svg = explorer.page.locator(".explorer-maps svg").nth(4)
    svg.focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        before = rings(explorer.page)
        explorer.page.keyboard.press(key)
        after = rings(explorer.page)
        assert len(after) == 6 and after != before
    explorer.page.keyboard.press("Enter")
    explorer.page.wait_for_function("document.querySelector('#explorer audio').currentTime > 0", timeout=10_000)
    assert svg.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    explorer.page.keyboard.press("Escape")
    assert rings(explorer.page) == []


def test_a_class_is_singled_out_by_name_and_by_search(explorer):
    page = explorer.page
    page.get_by_label("Single out a class").select_option(label="dog")
    data = page.evaluate("JSON.parse(document.getElementById('explorer-data').textContent)[0]")
    expected = sum(data["classes"][label] == "dog" for label in data["labels"])
    lit = [page.locator(".explorer-maps svg").nth(i).locator("circle.on").count() for i in range(6)]
    assert lit == [expected] * 6
    colours = page.evaluate(
        """() => ["circle.on", "g circle:not(.on)"].map(which =>
          [...new Set([...document.querySelectorAll(".explorer-maps " + which)].map(e => getComputedStyle(e).fill))])"""
    )
    assert [len(found) for found in colours] == [1, 1] and colours[0] != colours[1]
    page.get_by_label("Search classes and clips").fill("wood kn")
    assert page.locator("#explorer text.on").text_content() == "door wood knock"
    page.get_by_label("Search classes and clips").fill("xyz")
    assert "xyz" in page.locator(".explorer-found").inner_text()
    page.get_by_label("Search classes and clips").fill("<img src=x onerror=alert(1)>")
    assert page.locator("#explorer img").count() == 0


def test_real_sounds_have_names_and_no_player(explorer):
    page = explorer.page
    select = page.get_by_label("Sounds")
    real = [name for name in select.locator("option").all_inner_texts() if name.startswith("real")]
    if not real:
        pytest.skip("the explorer's page was executed without real results")
    select.select_option(label=real[0])
    page.locator(".explorer-maps svg").first.locator("g circle").first.click(force=True)
    found = rings(page)
    assert len(found) == 6 and found[0][0].startswith("esc50/")
    assert f"Freesound {found[0][0].split('-')[1]}" in page.locator(".explorer-name").inner_text()
    assert page.get_by_role("button", name="Play").is_hidden()
    assert not [url for url in explorer.requests if url.endswith(".mp3")]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_explorer_in_use_fits_a_phone_and_stands_out(explorer, dark):
    explorer.look(width=390, dark=dark)
    explorer.page.get_by_label("Single out a class").select_option(index=5)
    explorer.page.locator(".explorer-maps svg").nth(3).locator("circle.on").first.click(force=True)
    assert explorer.overflow() == {"by": 0, "wide": []}
    found = explorer.page.evaluate(
        """() => {
          const light = e => getComputedStyle(e).color.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 765;
          const texts = "#explorer :is(select, input, button, .answers, .explorer-name)";
          return [...document.querySelectorAll(texts)].map(light);
        }"""
    )
    assert all(value > 0.6 for value in found) if dark else all(value < 0.4 for value in found)
    widths = explorer.page.evaluate("[...document.querySelectorAll('.explorer-maps svg')].map(e => e.clientWidth)")
    assert min(widths) > 300  # one column


def test_hidden_solution_unfolds(visit):
    seen = visit("pages/idea")
    solution = seen.page.locator("details.hide").first
    assert solution.get_attribute("open") is None
    solution.locator("summary").first.click()
    assert solution.get_attribute("open") is not None


def test_the_cheat_sheet_fits_one_sheet(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/cheatsheet.html")
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 5")
    assert len(PdfReader(io.BytesIO(page.pdf(format="A4"))).pages) == 1
    page.close()

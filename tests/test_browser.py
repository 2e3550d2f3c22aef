"""The built book in a real browser: nothing from outside, no error, equations set, nothing wider than the screen."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from browsing import CHROMIUM, EXECUTED, PAGES, ROOT, html_folder, needs_chromium, served
from pypdf import PdfReader

from clapleak.book import site

playwright_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")

AXE = "4.14.1"
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = e => { for (let p = e.parentElement; p; p = p.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)
        && p !== document.body && p !== document.documentElement) return true; return false; };
  const wide = [...document.querySelectorAll("article *")]
    .filter(e => e.getBoundingClientRect().right > width + 1 && !scrolls(e)).map(e => e.tagName + "." + e.className);
  return [document.documentElement.scrollWidth - width, wide.slice(0, 5)]; }"""
FAULTS = """async () => (await axe.run({resultTypes: ["violations"]})).violations
  .filter(fault => ["serious", "critical"].includes(fault.impact))
  .map(fault => [fault.id, fault.nodes.slice(0, 3).map(node => node.html.slice(0, 120))])"""
RINGS = """() => {
  const data = JSON.parse(document.getElementById("explorer-data").textContent)
    .find(set => set.title === document.querySelector("#explorer select").selectedOptions[0].text);
  return [...document.querySelectorAll("#explorer .ring.lit")].map((ring, map) => {
    const clip = data.clips.indexOf(ring.dataset.clip), flat = data.setups[map].E_a;
    const there = ring.cx.baseVal.value === flat[2 * clip] && ring.cy.baseVal.value === flat[2 * clip + 1];
    return there ? ring.dataset.clip : "elsewhere"; }); }"""
PLAYS = "() => [...document.querySelectorAll('audio')].some(audio => audio.currentTime > 0)"
pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def axe() -> str:
    """Source of axe-core, which npm fetches once into an ignored folder."""
    folder = ROOT / ".cache" / f"axe-core-{AXE}"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        if shutil.which("npm") is None:
            pytest.skip("no axe-core: apt-get install npm, which fetches it")
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--prefix", folder, "--no-save", "--no-audit", "--no-fund"]
        subprocess.run(["npm", "install", *options, f"axe-core@{AXE}"], check=True, timeout=120)
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright_api.sync_playwright() as playwright, served(html_folder()) as address:
        running = playwright.chromium.launch(executable_path=CHROMIUM)
        yield running, address
        running.close()


@pytest.fixture
def visit(browser) -> Iterator:
    """Opens a page of the book; at the end it must have asked for nothing from outside and complained about nothing."""
    problems: list[str] = []
    running, address = browser
    page = running.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")

    def note(bad: bool, text: str) -> None:
        problems.extend([text] * bad)

    page.on("request", lambda it: note(not it.url.startswith((address, "data:", "blob:")), f"outside: {it.url}"))
    # a player that is left alone, or a page that is left, cancels its requests
    page.on("requestfailed", lambda it: note(it.failure != "net::ERR_ABORTED", f"{it.failure}: {it.url}"))
    page.on("response", lambda answer: note(answer.status >= 400, f"{answer.status} {answer.url}"))
    page.on("console", lambda line: note(line.type == "error", line.text))
    page.on("pageerror", lambda error: note(True, str(error)))

    def opened(name: str):
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        page.evaluate("() => window.MathJax?.startup?.promise")  # equations are set when it resolves
        return page

    yield opened
    page.close()
    assert not problems


def look(page, width: int, dark: bool) -> None:
    """Change the window and the reader's preference."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.wait_for_function(f"() => document.documentElement.dataset.theme === '{'dark' if dark else 'light'}'")
    page.wait_for_timeout(500)  # the theme looks a little later which boxes scroll now


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_fits_every_screen_and_has_no_serious_fault(name, visit, axe):
    page = visit(name)
    assert page.locator("article h1").count() == 1
    assert page.locator("article mjx-container").count() >= page.locator("article .math").count()
    assert page.locator("article mjx-merror").count() == 0
    assert not page.evaluate("() => [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    page.evaluate(axe)  # it measures contrast as well
    for width, dark in ((1280, False), (1280, True), (390, True), (390, False)):
        look(page, width, dark)
        assert page.evaluate(OVERFLOW) == [0, []], (width, dark)
        assert page.evaluate(FAULTS) == [], (width, dark)


def test_first_address_search_and_hidden_solutions_work(visit):
    visit("index").wait_for_url(f"**/{PAGES[0]}.html")
    page = visit("search")
    page.goto(page.url + "?q=silhouette")
    page.wait_for_selector("#search-results li a")
    solution = visit("pages/idea").locator("details.hide").first
    assert solution.get_attribute("open") is None
    solution.locator("summary").first.click()
    assert solution.get_attribute("open") is not None


def test_a_sound_plays_and_none_is_loaded_before_a_click(visit):
    asked, page = [], visit("pages/sounds")
    page.on("request", lambda it: asked.append(it.url))
    page.reload(wait_until="networkidle")
    assert page.locator("audio").count() > 0 and not [url for url in asked if url.endswith(".mp3")]
    box = page.locator("audio").first
    box.scroll_into_view_if_needed()
    box.click(position={"x": 20, "y": box.bounding_box()["height"] / 2})  # the play button stands at the left end
    page.wait_for_function(PLAYS, timeout=10_000)


@pytest.fixture
def explorer(visit):
    """The explorer's page, with its maps drawn."""
    page = visit("pages/explorer")
    page.locator("#explorer .ring").first.wait_for(state="attached")
    assert page.locator("#explorer-still").is_hidden()  # the picture is for paper and for no script
    return page


def test_explorer_rings_a_clip_in_all_maps_and_plays_it_by_mouse_and_by_keys(explorer):
    maps = explorer.locator(".explorer-maps svg")
    maps.nth(2).locator("g circle").nth(100).click(force=True)  # a neighbour may lie on top; then that one is meant
    (clip,) = set(rings := explorer.evaluate(RINGS))
    assert len(rings) == 6 and clip != "elsewhere"
    assert explorer.locator(".explorer-name").inner_text().startswith(clip.split("/")[1])
    assert explorer.locator("#explorer .answers").filter(has_text=re.compile(r"\d\.\d\d")).count() == 6
    explorer.wait_for_function(PLAYS, timeout=10_000)
    assert explorer.locator("#explorer audio").evaluate("e => e.src").endswith(site.media_name(clip))
    maps.nth(4).focus()
    for key in ("ArrowLeft", "ArrowUp"):
        before = explorer.evaluate(RINGS)
        explorer.keyboard.press(key)
        assert len(after := explorer.evaluate(RINGS)) == 6 and after != before and "elsewhere" not in after
    explorer.keyboard.press("Enter")
    assert explorer.locator("#explorer audio").evaluate("e => e.error") is None
    explorer.keyboard.press("Escape")
    assert explorer.evaluate(RINGS) == []


def test_explorer_singles_out_a_class_and_treats_words_as_words(explorer, axe):
    explorer.get_by_label("Single out a class").select_option(label="dog")
    data = explorer.evaluate("JSON.parse(document.getElementById('explorer-data').textContent)")
    expected = sum(data[0]["classes"][label] == "dog" for label in data[0]["labels"])
    maps = explorer.locator(".explorer-maps svg")
    assert [maps.nth(i).locator("circle.on").count() for i in range(6)] == [expected] * 6
    explorer.get_by_label("Search classes and clips").fill("<img src=x onerror=alert(1)>")
    assert explorer.locator("#explorer img").count() == 0
    for title in (one["title"] for one in data if not one["synthetic"]):
        explorer.get_by_label("Sounds").select_option(label=title)
        maps.first.locator("g circle").first.click(force=True)
        (clip,) = set(explorer.evaluate(RINGS))
        assert f"Freesound {clip.split('-')[1]}" in explorer.locator(".explorer-name").inner_text()
        assert explorer.get_by_role("button", name="Play").is_hidden()
    explorer.evaluate(axe)
    look(explorer, 390, dark=True)
    assert explorer.evaluate(OVERFLOW) == [0, []] and explorer.evaluate(FAULTS) == []


def test_labels_that_the_paper_points_at_are_named_apart_and_others_when_pointed_at(explorer):
    def named():
        return explorer.locator(".explorer-text text.lit")

    assert {"airplane", "wind", "cow", "sheep", "clock tick"} <= set(named().all_text_contents())
    boxes = [name.bounding_box() for name in named().all()]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            assert beside or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    assert "dog" not in named().all_text_contents()
    data = explorer.evaluate("JSON.parse(document.getElementById('explorer-data').textContent)")
    dog = data[0]["classes"].index("dog")
    explorer.locator(".explorer-text circle").nth(dog).hover(force=True)
    assert "dog" in named().all_text_contents()


@pytest.mark.parametrize("name", ["controls", "networks", "table3_topology"])
def test_a_slider_shows_other_numbers_when_it_is_moved_by_key(name, visit):
    page = visit(f"pages/{name}")
    sliders = page.locator(".slider")
    assert sliders.count() == (2 if name == "networks" else 1)
    for slider in sliders.all():
        frames, knob = slider.locator("[data-name]"), slider.locator("input")

        def said(slider=slider):
            return slider.locator("output").inner_text(), slider.locator("[data-name]:visible").all_inner_texts()

        first = said()
        last = frames.count() - 1
        knob.focus()
        page.keyboard.press("ArrowRight" if int(knob.input_value()) < last else "ArrowLeft")
        second = said()
        page.keyboard.press("End")
        third = said()
        assert len({first[0], second[0], third[0]}) == 3 and len(third[1]) == 1
        assert first[1] != second[1] != third[1]
        assert third[0] == frames.nth(last).get_attribute("data-name") == knob.get_attribute("aria-valuetext")
        panels = slider.locator(f'.stage [data-at="{last}"]').count()
        assert slider.locator(".stage i:visible").count() == panels


def test_sliders_weigh_little():
    shown = "".join((html_folder() / "pages" / f"{name}.html").read_text(encoding="utf-8") for name in EXECUTED)
    sizes = [len(part) for part in re.findall(r'<div class="slider">.*?</div></div>\n', shown, re.S)]
    assert len(sizes) == 4 and sum(sizes) < 1_000_000


def test_the_cheat_sheet_fits_one_sheet(visit):
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "1cm")  # of a browser
    assert len(PdfReader(io.BytesIO(visit("cheatsheet").pdf(format="A4", margin=margin))).pages) == 1


def test_slides_turn_by_key_fill_the_window_and_end(visit):
    page = visit("pages/slides")
    titles = page.locator("article h2").all_text_contents()
    page.locator(".slide-start").click()
    seen = []
    for _ in titles:
        page.keyboard.press("ArrowRight")
        (title,) = page.locator("article h2:visible").all_text_contents()
        seen.append(title)
        assert page.evaluate("() => document.querySelector('section.on').getBoundingClientRect().height") >= 899
        assert page.evaluate(OVERFLOW) == [0, []]
    assert seen == titles and page.locator("article h1").is_hidden()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert page.locator("article h1").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".slide-start").is_visible() and page.locator("article h2").last.is_visible()

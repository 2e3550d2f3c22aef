"""The live page: what a trained network answers, controls with and without a kernel, the microphone, JupyterLab."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import ipywidgets as widgets
import jupytext
import numpy as np
import pytest
import soundfile
import torch
from built_book import ROOT
from chromium import CHROMIUM, FLAGS, needs_chromium, served
from fake_results import make_run, write_project

from clapleak import checkpoints, foley, pretrain, results, runs
from clapleak.audio import fit, log_mel, standardise
from clapleak.book import live
from clapleak.config import ClapleakError, load_profile
from clapleak.models import Clap
from clapleak.models.text import load_text_encoder
from clapleak.setups import Setup

JUPYTER = Path(sys.executable).with_name("jupyter-lab")
MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # Chromium's own beeps


def sound(clip: str, rate: int) -> live.Sound:
    """A synthetic sound as if the reader had brought it."""
    return live.Sound(foley.synthesise(clip, sample_rate=rate, duration=1.0), rate, clip)


@pytest.fixture
def trained(tmp_path, monkeypatch) -> results.Run:
    """A user's run of the smoke profile, with the weights that gave its embeddings."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    profile = load_profile("smoke")
    torch.manual_seed(0)
    model = Clap(pretrain.new_backbone(profile, 0, 5), load_text_encoder(profile.text_encoder), profile).eval()
    run = make_run(results.own_folder("smoke"), Setup("clean", "clean"), number=3)
    settings, clouds = profile.audio, dict(run.embeddings)
    with torch.no_grad():
        waves = [torch.from_numpy(sound(str(clip), settings.sample_rate).wave) for clip in clouds["clips"]]
        samples = round(settings.segment * settings.sample_rate)
        log_mels = torch.cat([log_mel(standardise(fit(wave, samples))[None], settings) for wave in waves])
        clouds["E_a"] = model.audio_projection(model.audio(log_mels[:, None])).numpy()
        prompts = [profile.data.prompt.format(name) for name in clouds["classes"]]
        clouds["E_t"] = model.text_projection(model.text(prompts)).numpy()
    run = results.write_run(run.path, run.metrics, run.history, clouds)
    checkpoints.save_weights(runs.weights(run), model.learnt_state(), run.history, run.metrics["ids"]["training"])
    return run


def test_a_test_clip_brought_as_a_sound_of_the_reader_is_heard_as_in_the_test(trained):
    listener = live.Listener(trained)
    rate, clips = listener.profile.audio.sample_rate, [str(clip) for clip in trained.embeddings["clips"]]
    for number, clip in enumerate(clips):
        label = listener.classes[int(trained.embeddings["labels"][number])]
        np.testing.assert_allclose(listener.hear(sound(clip, rate)), listener.clip(label, number % 4), atol=1e-3)
    assert listener.hear(sound(clips[0], rate)) @ listener.hear(sound(clips[0], 3 * rate)) > 0.9
    with pytest.raises(ClapleakError, match="beep: shorter than"):
        listener.hear(live.Sound(np.zeros(100, np.float32), 16000, "beep"))


def test_labels_are_read_from_the_results_and_by_the_network_alike(trained):
    listener = live.Listener(trained)
    stored = listener.read(listener.classes)
    assert "model" not in vars(listener)
    asked = listener.read([*listener.classes, "somebody whispers"])
    np.testing.assert_allclose(asked[:-1], stored, atol=1e-3)
    assert np.linalg.norm(asked[-1]) == pytest.approx(1, abs=1e-5) and asked[-1] @ asked[0] < 0.999


def test_the_user_s_own_run_answers_once_its_weights_are_there_and_else_the_command_is_named(trained, tmp_path):
    published = make_run(tmp_path / "results" / "smoke", Setup("clean", "clean"), number=3)
    listener = live.Listener(published)
    assert listener.run.path == trained.path
    runs.weights(trained).unlink()
    assert listener.run.path == published.path
    listener.read(listener.classes)  # needs none
    with pytest.raises(ClapleakError, match="clapleak train --profile smoke --setup clean-clean"):
        listener.read(["somebody whispers"])


def test_controls_call_with_their_values_and_a_page_shows_the_first(monkeypatch):
    seen = []

    def draw(a, b):
        seen.append((a, b))
        if a == 2:
            raise ClapleakError("no such thing")
        return a + b

    a, b = widgets.IntSlider(1), widgets.IntSlider(10)
    box = live.interact(draw, a=a, elsewhere={"b": b})
    assert [type(child).__name__ for child in box.children] == ["IntSlider", "Output"]
    a.value = 2
    b.value = 20
    assert seen == [(1, 10), (2, 10), (2, 20)]
    monkeypatch.setenv("CLAPLEAK_PAGE", "1")
    a.value = 5
    assert live.interact(draw, a=a, elsewhere={"b": b}) == 25


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_samples_from_the_browser_become_a_sound(kind):
    field = live.SoundInput()
    assert field.value is None
    wave = np.linspace(-1, 1, 7, dtype=np.float32)
    field.set_state({"name": "horn.wav", "samples": kind(wave.tobytes()), "rate": 48000})
    assert (field.value.name, field.value.rate) == ("horn.wav", 48000)
    np.testing.assert_array_equal(field.value.wave, wave)
    with pytest.raises(Exception, match="a memory view"):
        field.samples = "no bytes"


# The rest needs a browser

HARNESS = """<!doctype html><title>t</title><div id=here></div><script type=module>
import widget from "/sound_input.js";
const state = { seconds: 1 };
window.sent = [];
const model = { get: (name) => state[name], set: (name, value) => { state[name] = value; }, save_changes: () => {
  const samples = new Float32Array(state.samples.buffer);
  window.sent.push({ name: state.name, rate: state.rate, length: samples.length, peak: Math.max(...samples) });
} };
widget.render({ model, el: document.getElementById("here") });
</script>"""


@pytest.fixture
def field(tmp_path, request):
    """The widget alone on a page, in a Chromium with the flags of the test."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    (tmp_path / "index.html").write_text(HARNESS)
    shutil.copy(Path(live.__file__).with_name("sound_input.js"), tmp_path)
    with served(tmp_path) as site, api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + getattr(request, "param", []))
        page = browser.new_page()
        page.goto(site)
        yield page
        browser.close()


@needs_chromium
@pytest.mark.parametrize("field", [MICROPHONE], indirect=True)
def test_a_recording_arrives_at_its_length(field):
    field.get_by_role("button", name="Record 1 s").click()
    field.wait_for_function("window.sent.length == 1")
    (found,) = field.evaluate("window.sent")
    assert found["peak"] > 0.01 and found["length"] / found["rate"] == pytest.approx(1, abs=0.1)
    assert field.locator("audio").is_visible()


@needs_chromium
@pytest.mark.parametrize("field", [["--deny-permission-prompts"]], indirect=True)
def test_a_file_is_mixed_to_mono_and_cut_and_what_fails_is_named(field, tmp_path):
    stereo = np.stack([np.full(96000, 0.5), np.full(96000, 0.1)], axis=1)
    soundfile.write(tmp_path / "two.wav", stereo, 48000, subtype="FLOAT")
    field.locator("input[type=file]").set_input_files(tmp_path / "two.wav")
    field.wait_for_function("window.sent.length == 1")
    (found,) = field.evaluate("window.sent")
    assert found["name"] == "two.wav" and found["length"] == found["rate"]
    assert found["peak"] == pytest.approx(0.3, abs=0.02)  # the browser may resample
    (tmp_path / "notes.wav").write_text("not audio")
    field.locator("input[type=file]").set_input_files(tmp_path / "notes.wav")
    field.get_by_text("notes.wav: this browser cannot decode it").wait_for()
    field.get_by_role("button", name="Record").click()
    field.get_by_text(re.compile("your recording: .*use a file")).wait_for()
    assert len(field.evaluate("window.sent")) == 1 and field.get_by_role("button", name="Record").is_enabled()


@needs_chromium
@pytest.mark.skipif(not JUPYTER.is_file(), reason="no JupyterLab: pip install 'clapleak[book]'")
def test_the_page_is_live_in_jupyterlab(tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    write_project(tmp_path)
    notebook = jupytext.read(ROOT / "notebooks" / "live.py")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, tmp_path / "live.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        site = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [JUPYTER, "--no-browser", "--allow-root", "--expose-app-in-browser", "--ServerApp.token="]
    command += [f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=", "--ServerApp.ip=127.0.0.1"]
    command += [f"--port={site.rpartition(':')[2]}"]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server,
        api.sync_playwright() as playwright,
    ):
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + MICROPHONE)
            wait_for(f"{site}/api")
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.set_default_timeout(90000)
            use_every_control(page, f"{site}/doc/tree/live.ipynb")
        finally:
            server.terminate()


def wait_for(address: str) -> None:
    """Until a server answers."""
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(address)


def use_every_control(page, address: str) -> None:
    """Run the page and see each part answer."""
    page.goto(address)
    page.locator(".jp-Notebook").wait_for()
    page.wait_for_function("window.jupyterapp.commands.hasCommand('notebook:run-all-cells')")
    page.get_by_text("| Idle").wait_for()
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    picture = ".jupyter-widgets .jp-OutputArea-output img"
    page.wait_for_function(f"document.querySelectorAll('{picture}').length == 4")

    def redrawn(part: int, act) -> None:
        before = page.locator(picture).nth(part).get_attribute("src")
        act()
        page.wait_for_function(
            "([selector, part, before]) => { const all = document.querySelectorAll(selector);"
            " return all.length == 4 && all[part].src != before; }", arg=[picture, part, before],
        )  # fmt: skip

    redrawn(0, lambda: page.locator("select[multiple]").select_option(["cat", "rain", "clapping"]))
    redrawn(1, lambda: page.locator(".widget-dropdown select").nth(0).select_option("rain"))
    redrawn(2, lambda: page.get_by_label("a class counts as its own neighbour").click())
    redrawn(3, lambda: page.locator(".noUi-handle").last.press("ArrowRight"))
    page.get_by_role("button", name="Record").click()
    page.get_by_text("your recording: its first").wait_for()
    page.get_by_role("button", name="my sound").click()
    page.locator(".jupyter-widgets .jp-OutputArea-output").get_by_text("clapleak train --profile mini").wait_for()

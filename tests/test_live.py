"""The live page: what a trained network answers, controls with and without a kernel, the microphone, JupyterLab."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
import soundfile
import torch
from built_book import ROOT
from chromium import CHROMIUM, FLAGS, needs_chromium
from fake_results import make_run, write_project

from clapleak import live, pretrain, results
from clapleak.audio import fit, log_mel, standardise
from clapleak.cli import main
from clapleak.config import ClapleakError, load_profile
from clapleak.datasets import foley
from clapleak.models import Clap
from clapleak.models.text import load_text_encoder
from clapleak.pdf import served

JUPYTER = Path(sys.executable).with_name("jupyter-lab")
MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # Chromium's own beeps


@pytest.fixture
def trained(tmp_path, monkeypatch) -> results.Run:
    """A run of the smoke profile in a folder of its own, with the weights that gave its embeddings."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.setattr(live, "find_root", lambda: tmp_path)
    profile = load_profile("smoke")
    torch.manual_seed(0)
    model = Clap(pretrain.new_backbone(profile, 0, 5), load_text_encoder(profile.text_encoder), profile).eval()
    run = make_run("smoke", "clean", "clean", root=tmp_path, number=3)
    clips = [str(clip) for clip in run.embeddings["clips"]]
    settings = profile.audio
    with torch.no_grad():
        waves = [torch.from_numpy(sound(clip, settings.sample_rate).wave) for clip in clips]
        samples = round(settings.segment * settings.sample_rate)
        log_mels = torch.cat([log_mel(standardise(fit(wave, samples))[None], settings) for wave in waves])
        E_a = model.audio_projection(model.audio(log_mels[:, None])).numpy()
        prompts = [profile.data.prompt.format(name) for name in run.embeddings["classes"]]
        E_t = model.text_projection(model.text(prompts)).numpy()
    run = replace(run, embeddings={**run.embeddings, "E_a": E_a, "E_t": E_t})
    results.write_run(run)
    path = live.weights(run)
    path.parent.mkdir(parents=True)
    torch.save(model.learnt_state(), path)
    return results.read_run(run.path)


def sound(clip: str, rate: int) -> live.Sound:
    """A sound of the embedded world as if the reader had brought it."""
    return live.Sound(foley.synthesise(clip, sample_rate=rate, duration=1.0), rate, clip)


def test_a_test_clip_brought_as_a_sound_of_the_reader_is_heard_as_in_the_test(trained):
    listener = live.Listener(trained)
    for number, clip in enumerate(trained.embeddings["clips"]):
        heard = listener.hear(sound(str(clip), listener.profile.audio.sample_rate))
        label = listener.classes[int(trained.embeddings["labels"][number])]
        np.testing.assert_allclose(heard, listener.clip(label, number % 4), atol=1e-3)  # kept in 16 bits


def test_a_sound_of_another_rate_is_converted(trained):
    listener = live.Listener(trained)
    rate, clip = listener.profile.audio.sample_rate, str(trained.embeddings["clips"][0])
    same, other = (listener.hear(sound(clip, r)) for r in (rate, 3 * rate))
    assert same @ other > 0.9


def test_labels_are_read_from_the_results_and_by_the_network_alike(trained):
    listener = live.Listener(trained)
    stored = listener.read(listener.classes)
    assert "model" not in vars(listener)
    asked = listener.read([*listener.classes, "somebody whispers"])
    np.testing.assert_allclose(asked[:-1], stored, atol=1e-3)
    assert np.linalg.norm(asked[-1]) == pytest.approx(1, abs=1e-5)
    assert asked[-1] @ asked[0] < 0.999


def test_a_sound_that_is_too_short_is_refused(trained):
    with pytest.raises(ClapleakError, match="beep: shorter than"):
        live.Listener(trained).hear(live.Sound(np.zeros(100, np.float32), 16000, "beep"))


def test_absent_weights_name_the_remedy(trained):
    live.weights(trained).unlink()
    listener = live.Listener(trained)
    listener.read(listener.classes)  # needs none
    with pytest.raises(ClapleakError, match=r"model\.pt: not on this machine; train clean-clean"):
        listener.read(["somebody whispers"])


@pytest.mark.parametrize("change", ["numbers", "shape", "name"])
def test_weights_that_gave_other_results_are_refused(trained, change):
    state = torch.load(live.weights(trained), weights_only=True)
    first = "text_projection.linear1.weight"
    if change == "numbers":
        state[first] = -state[first]
    elif change == "shape":
        state[first] = state[first][:, :-1]
    else:
        state["another"] = state.pop(first)
    torch.save(state, live.weights(trained))
    with pytest.raises(ClapleakError, match=r"not the weights that gave .*clean-clean"):
        live.load_trained(trained)


@pytest.fixture
def button(trained, monkeypatch):
    """Gives the button's box; what it starts restores the good weights, or fails with the words it is given."""
    good, asked = live.weights(trained).read_bytes(), []
    (trained.path.parents[3] / "good.pt").write_bytes(good)

    def make(fails: str = "") -> tuple[widgets.VBox, list]:
        def command(*arguments):
            asked.append((*arguments, live.weights(trained).is_file()))
            code = f"import shutil; print('epoch 1'); shutil.copy('good.pt', {str(live.weights(trained))!r})"
            return [sys.executable, "-c", f"raise SystemExit({fails!r})" if fails else code]

        monkeypatch.setattr(live, "train_command", command)
        choice = widgets.Dropdown(options=["clean-clean"])
        return live.train_button("smoke", 0, choice, choice), asked

    return make


@pytest.mark.parametrize("before", ["absent", "of other results", "good"])
def test_training_on_the_spot_leaves_the_weights_of_the_results(trained, button, before):
    if before == "absent":
        live.weights(trained).unlink()
    elif before == "of other results":
        torch.save({"audio.fc_audioset.bias": torch.zeros(5)}, live.weights(trained))
    box, asked = button()
    box.children[0].click()
    assert asked == [("smoke", "clean-clean", 0, before == "good")]
    assert "ready" in box.children[1].outputs[0]["text"] and not box.children[0].disabled
    live.load_trained(trained)


def test_a_training_that_fails_shows_its_last_words(trained, button):
    box, _ = button("the disk is full")
    box.children[0].click()
    assert box.children[1].outputs[0]["text"] == "clean-clean was not trained: the disk is full\n"
    assert not box.children[0].disabled


def test_the_button_calls_the_command_line(capsys):
    arguments = live.train_command("mini", "clean-clean", 1)[3:]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0 and "--setup" in capsys.readouterr().out


def test_controls_call_with_their_values_and_a_page_shows_the_first(monkeypatch):
    seen = []

    def draw(a, b):
        seen.append((a, b))
        if a == 2:
            raise ClapleakError("no such thing")
        return a + b

    a, b = widgets.IntSlider(1), widgets.IntSlider(10)
    box = live.interact(draw, widgets.Label("above"), a=a, elsewhere={"b": b})
    assert [type(child).__name__ for child in box.children] == ["Label", "IntSlider", "Output"]
    a.value = 2
    b.value = 20
    assert seen == [(1, 10), (2, 10), (2, 20)]
    monkeypatch.setenv("CLAPLEAK_PAGE", "1")
    a.value, seen[:] = 5, []
    assert live.interact(draw, a=a, elsewhere={"b": b}) == 25


def test_samples_from_the_browser_become_a_sound():
    field = live.SoundInput()
    assert field.value is None
    wave = np.linspace(-1, 1, 7, dtype=np.float32)
    field.set_state({"name": "horn.wav", "samples": memoryview(wave.tobytes()), "rate": 48000})
    assert (field.value.name, field.value.rate) == ("horn.wav", 48000)
    np.testing.assert_array_equal(field.value.wave, wave)


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
    assert found["name"] == "your recording" and found["peak"] > 0.01
    assert found["length"] / found["rate"] == pytest.approx(1, abs=0.1)
    assert field.locator("audio").is_visible()


@needs_chromium
def test_a_file_is_mixed_to_mono_and_cut(field, tmp_path):
    stereo = np.stack([np.full(96000, 0.5), np.full(96000, 0.1)], axis=1)
    soundfile.write(tmp_path / "two.wav", stereo, 48000, subtype="FLOAT")
    field.locator("input[type=file]").set_input_files(tmp_path / "two.wav")
    field.wait_for_function("window.sent.length == 1")
    (found,) = field.evaluate("window.sent")
    assert found["name"] == "two.wav" and found["length"] == found["rate"]
    assert found["peak"] == pytest.approx(0.3, abs=0.02)  # the browser may resample


@needs_chromium
def test_what_is_no_sound_is_named(field, tmp_path):
    (tmp_path / "notes.wav").write_text("not audio")
    field.locator("input[type=file]").set_input_files(tmp_path / "notes.wav")
    field.get_by_text("notes.wav: this browser cannot decode it").wait_for()
    assert field.evaluate("window.sent") == [] and field.get_by_role("button", name="Record").is_enabled()


@needs_chromium
@pytest.mark.parametrize("field", [["--deny-permission-prompts"]], indirect=True)
def test_without_a_microphone_the_remedy_is_named(field):
    field.get_by_role("button", name="Record").click()
    field.get_by_text(re.compile("your recording: .*use a file")).wait_for()


@needs_chromium
@pytest.mark.skipif(not JUPYTER.is_file(), reason="no JupyterLab: pip install 'clapleak[book]'")
def test_the_page_is_live_in_jupyterlab(tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    write_project(tmp_path, real=False)
    shutil.copy(ROOT / "book" / "pages" / "live.ipynb", tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [JUPYTER, "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ServerApp.token=", f"--port={port}"]
    command += [f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=", "--ServerApp.ip=127.0.0.1"]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server,
        api.sync_playwright() as playwright,
    ):
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + MICROPHONE)
            wait_for(f"http://127.0.0.1:{port}/api")
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.set_default_timeout(90000)
            use_every_control(page, f"http://127.0.0.1:{port}/doc/tree/live.ipynb")
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
    shown = page.locator(".jupyter-widgets .jp-OutputArea-output")
    shown.get_by_text("not on this machine; train dirty-dirty with the button").wait_for()

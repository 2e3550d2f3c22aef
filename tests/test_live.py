"""The live page: what a trained network answers, controls with and without a kernel, the microphone, JupyterLab."""

import re
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest
import requests
import soundfile
from browsing import CHROMIUM, ROOT, needs_chromium, served
from helpers import files
from requests.adapters import HTTPAdapter, Retry

from clapleak import foley, results, runs
from clapleak.book import live
from clapleak.config import ClapleakError, load_profile
from clapleak.setups import Setup

RUN = Path("smoke") / "clean-clean" / "seed0"
JUPYTER = Path(sys.executable).with_name("jupyter-lab")
MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # Chromium's own beeps


@pytest.mark.slow
def test_a_test_clip_brought_as_a_sound_of_the_reader_is_heard_as_in_the_test(finished):
    run = results.read_run(finished / "build" / "results" / RUN)
    listener, settings = live.Listener(run), load_profile("smoke").audio
    heard, rate = [], settings.sample_rate
    for number, clip in enumerate(map(str, run.embeddings["clips"])):
        wave = foley.synthesise(clip, sample_rate=rate, duration=settings.segment)
        heard.append(listener.hear(live.Sound(wave, rate, clip)))
        assert listener.clip(clip.split("/")[1], number % 6) @ heard[-1] > 0.999  # 16 bits there, 32 here
    cosines = np.stack(heard) @ run.embeddings["E_a"].astype(float).T
    assert (cosines.argmax(1) == np.arange(24)).mean() > 0.5  # one in 24 by chance
    assert listener.hear(live.Sound(np.repeat(wave, 3), 3 * rate, clip)) @ heard[-1] > 0.99
    with pytest.raises(ClapleakError, match="beep: shorter than"):
        listener.hear(live.Sound(np.zeros(100, np.float32), 16000, "beep"))


@pytest.mark.slow
def test_the_user_s_own_run_answers_once_its_weights_are_there_and_else_the_command_is_named(finished):
    own = finished / "build" / "results" / RUN
    published = shutil.copytree(own, finished / "results" / RUN)
    (finished / "reference").mkdir()
    shutil.copy(ROOT / "reference" / "weights.csv", finished / "reference")
    listener = live.Listener(results.read_run(published))
    assert listener.run.path == own
    stored = listener.read(listener.classes)
    asked = listener.read([*listener.classes, "somebody whispers"])
    np.testing.assert_allclose(asked[:-1], stored, atol=1e-2)  # read by the network as in the results
    assert np.linalg.norm(asked[-1]) == pytest.approx(1, abs=1e-5) and asked[-1] @ asked[0] < 0.9999
    runs.weights(listener.run).unlink()
    listener = live.Listener(results.read_run(published))
    assert listener.run.path == published
    listener.read(listener.classes)  # needs none
    with pytest.raises(ClapleakError, match="clapleak train --profile smoke --setup clean-clean"):
        listener.read(["somebody whispers"])


@pytest.mark.slow
def test_published_weights_answer_where_none_are_on_this_machine_and_only_as_they_were_published(finished, monkeypatch):
    """Packed by the script of the release, and served from this machine."""
    shutil.copytree(finished / "build" / "results", finished / "results")
    script = runpy.run_path(str(ROOT / "workflow" / "weights.py"), {"__name__": "weights"})
    monkeypatch.setitem(script["main"].__globals__, "PROFILE", "smoke")
    monkeypatch.setitem(script["main"].__globals__, "SETUPS", [Setup("clean", "clean")])
    run = results.read_run(finished / "results" / RUN)
    asked = live.Listener(run).read(["somebody whispers"])
    with served(finished / "build" / "artefact") as address:
        monkeypatch.setattr(sys, "argv", ["weights.py", address])
        script["main"]()
        shutil.rmtree(finished / "build" / "smoke")  # as on a machine that never trained
        assert len(files(finished / "build" / "artefact")) == 2
        place = finished / "build" / "artefact" / "smoke_clean-clean_seed0.safetensors"
        content = place.read_bytes()
        place.write_bytes(content[:-1] + b"x")
        with pytest.raises(ClapleakError, match="SHA-256 of smoke_clean-clean_seed0.safetensors is .*nothing is kept"):
            live.Listener(run).read(["somebody whispers"])
        place.write_bytes(content)
        np.testing.assert_array_equal(live.Listener(run).read(["somebody whispers"]), asked)
        assert not list((finished / "build" / "weights").glob(".*"))
    np.testing.assert_array_equal(live.Listener(run).read(["somebody whispers"]), asked)  # is not fetched again
    shutil.rmtree(finished / "build" / "weights")
    with pytest.raises(ClapleakError, match="is there a network"):
        live.Listener(run).read(["somebody whispers"])
    monkeypatch.setattr(sys, "argv", ["weights.py"])
    metrics = finished / "results" / RUN / "metrics.json"
    metrics.write_text(metrics.read_text().replace('"accuracy": 0.', '"accuracy": 0.1', 1))
    with pytest.raises(ClapleakError, match="accuracy differs"):  # these weights gave other numbers
        script["main"]()


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
def browse(tmp_path):
    """Opens a Chromium with some flags."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with api.sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=CHROMIUM, args=flags)


@pytest.mark.slow
@needs_chromium
def test_recordings_and_files_arrive_as_mono_at_their_length_and_what_fails_is_named(tmp_path, browse):
    (tmp_path / "index.html").write_text(HARNESS)
    shutil.copy(Path(live.__file__).with_name("sound_input.js"), tmp_path)
    stereo = np.stack([np.full(96000, 0.5), np.full(96000, 0.1)], axis=1)
    soundfile.write(tmp_path / "two.wav", stereo, 48000, subtype="FLOAT")
    (tmp_path / "notes.wav").write_text("not audio")
    with served(tmp_path) as site:
        field = browse(*MICROPHONE).new_page()
        field.goto(site)
        field.get_by_role("button", name="Record 1 s").click()
        field.wait_for_function("window.sent.length == 1")
        field.locator("input[type=file]").set_input_files(tmp_path / "two.wav")
        field.wait_for_function("window.sent.length == 2")
        recording, file = field.evaluate("window.sent")
        assert recording["peak"] > 0.01 and recording["length"] / recording["rate"] == pytest.approx(1, abs=0.1)
        assert file["name"] == "two.wav" and file["length"] == file["rate"]  # cut
        assert file["peak"] == pytest.approx(0.3, abs=0.02)  # the browser may resample
        field.locator("input[type=file]").set_input_files(tmp_path / "notes.wav")
        field.get_by_text("notes.wav: this browser cannot decode it").wait_for()
        deaf = browse("--deny-permission-prompts").new_page()
        deaf.goto(site)
        deaf.get_by_role("button", name="Record").click()
        deaf.get_by_text(re.compile("your recording: .*use a file")).wait_for()
        assert deaf.get_by_role("button", name="Record").is_enabled()


@pytest.mark.slow
@needs_chromium
@pytest.mark.skipif(not JUPYTER.is_file(), reason="no JupyterLab: pip install 'clapleak[book]'")
def test_every_control_of_the_page_is_live_in_jupyterlab(published, tmp_path, browse):
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    notebook = jupytext.read(ROOT / "notebooks" / "live.py")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, tmp_path / "live.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [JUPYTER, "--no-browser", "--allow-root", "--expose-app-in-browser", "--LabApp.news_url="]
    command += [
        f"--ServerApp.{option}" for option in (f"root_dir={tmp_path}", "ip=127.0.0.1", f"port={port}", "token=")
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            with requests.Session() as session:  # until the server answers
                session.mount("http://", HTTPAdapter(max_retries=Retry(120, backoff_factor=0.5, backoff_max=0.5)))
                session.get(f"http://127.0.0.1:{port}/api", timeout=5)
            page = browse(*MICROPHONE).new_page(viewport={"width": 1200, "height": 900})
            page.set_default_timeout(90000)
            use_every_control(page, f"http://127.0.0.1:{port}/doc/tree/live.ipynb")
        finally:
            server.terminate()


def use_every_control(page, address: str) -> None:
    """Run the page and see each part answer."""
    page.goto(address)
    page.locator(".jp-Notebook").wait_for()
    page.wait_for_function("window.jupyterapp.commands.hasCommand('notebook:run-all-cells')")
    page.get_by_text("| Idle").wait_for()
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    picture = ".jupyter-widgets .jp-OutputArea-output img"
    page.wait_for_function(f"document.querySelectorAll('{picture}').length == 4")
    for part, act in enumerate([
        lambda: page.locator("select[multiple]").select_option(["cat", "rain", "clapping"]),
        lambda: page.locator(".widget-dropdown select").nth(0).select_option("rain"),
        lambda: page.get_by_label("a class counts as its own neighbour").click(),
        lambda: page.locator(".noUi-handle").last.press("ArrowRight"),
    ]):  # fmt: skip
        before = page.locator(picture).nth(part).get_attribute("src")
        act()
        drawn = "([all, part, before]) => (i => i.length == 4 && i[part].src != before)(document.querySelectorAll(all))"
        page.wait_for_function(drawn, arg=[picture, part, before])
    page.get_by_role("button", name="Record").click()
    page.get_by_text("your recording: its first").wait_for()
    page.get_by_role("button", name="my sound").click()
    page.locator(".jupyter-widgets .jp-OutputArea-output").get_by_text("clapleak train --profile mini").wait_for()

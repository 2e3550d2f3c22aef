"""Live pages: a trained setup that answers, and controls that fall back to a picture in the book."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import numpy as np
import torch
import traitlets
from IPython.display import display
from ipywidgets.widgets.trait_types import CByteMemoryView

from clapleak import results
from clapleak.audio import SHORTEST, fit, log_mel, standardise
from clapleak.compute import pick_device
from clapleak.config import ClapleakError, find_root, load_profile
from clapleak.models import Clap, Cnn14
from clapleak.models.text import load_text_encoder
from clapleak.results import Run
from clapleak.torchaudio_guard import import_torchaudio


@dataclass(frozen=True)
class Sound:
    """A recording of the reader: mono samples (n,) in [-1, 1], hertz, and a name to show."""

    wave: np.ndarray
    rate: int
    name: str


class Listener:
    """One trained setup that hears sounds and reads prompts.

    Labels and test clips come from its results. Its weights, in `build/`, are loaded only when a prompt or a sound is
    not among those; ClapleakError where they are absent.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.profile = run, load_profile(run.profile)
        self.classes = [str(name) for name in run.embeddings["classes"]]

    @cached_property
    def model(self) -> Clap:
        """The trained network, evaluated."""
        self.run = results.read_run(self.run.path)  # training on the spot writes new ones
        return load_trained(self.run)

    def clip(self, label: str, number: int) -> np.ndarray:
        """E_a, (D,), of the `number`-th test clip of a class."""
        rows = np.flatnonzero(self.run.embeddings["labels"] == self.classes.index(label))
        return self.run.embeddings["E_a"][rows[number % len(rows)]].astype(np.float32)

    @torch.no_grad()
    def hear(self, sound: Sound) -> np.ndarray:
        """E_a, (D,), of the first segment of a sound. ClapleakError for one that is too short."""
        settings, device = self.profile.audio, self.model.logit_scale.device
        if len(sound.wave) < SHORTEST * sound.rate:
            raise ClapleakError(f"{sound.name}: shorter than {SHORTEST} s")
        mono = import_torchaudio().functional.resample(torch.from_numpy(sound.wave), sound.rate, settings.sample_rate)
        segment = standardise(fit(mono, round(settings.segment * settings.sample_rate)))
        x_a = self.model.audio(log_mel(segment[None], settings)[:, None].to(device))
        return self.model.audio_projection(x_a)[0].cpu().numpy()

    @torch.no_grad()
    def read(self, prompts: list[str]) -> np.ndarray:
        """E_t, (P, D). A label alone gets the prompt of the profile, as in the test; any other text is taken as is."""
        if set(prompts) <= set(self.classes):
            return self.run.embeddings["E_t"][[self.classes.index(p) for p in prompts]].astype(np.float32)
        texts = [self.profile.data.prompt.format(p) if p in self.classes else p for p in prompts]
        return self.model.text_projection(self.model.text(texts)).cpu().numpy()


def weights(run: Run) -> Path:
    """The file that training leaves beside its results; it does not travel with them."""
    return find_root() / "build" / run.profile / run.slug / results.run_name(run.seed, run.group) / "model.pt"


def load_trained(run: Run) -> Clap:
    """The network that gave the results of a run.

    Raises
    ------
    ClapleakError
        Its weights are not on this machine, or those that are gave other results.
    """
    profile, path = load_profile(run.profile), weights(run)
    if not path.is_file():
        raise ClapleakError(f"{path}: not on this machine; train {run.slug} with the button or with `clapleak train`")
    state = torch.load(path, map_location="cpu", weights_only=True)
    backbone = Cnn14(profile.audio.mel_bins, len(state["audio.fc_audioset.bias"]), profile.audio_encoder)
    model = Clap(backbone, load_text_encoder(profile.text_encoder), profile)
    if {k: v.shape for k, v in model.learnt_state().items()} == {k: v.shape for k, v in state.items()}:
        model.load_state_dict(state, strict=False)
        model.to(pick_device(profile.compute)).eval()
        prompts = [profile.data.prompt.format(name) for name in run.embeddings["classes"]]
        with torch.no_grad():
            E_t = model.text_projection(model.text(prompts)).cpu().numpy()
        if (E_t * run.embeddings["E_t"]).sum(1).min() > 0.99:  # results are kept in 16 bits
            return model
    raise ClapleakError(f"{path}: not the weights that gave {run.path}; delete that file and train {run.slug} again")


class SoundInput(anywidget.AnyWidget, widgets.ValueWidget):
    """Records a sound or takes a file; the browser decodes it. `value` is a Sound, or None before the first."""

    _esm = Path(__file__).with_name("sound_input.js")
    samples = CByteMemoryView(b"").tag(sync=True)  # float32, mono; bytes arrive as a view of the message
    rate = traitlets.Int(1).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    seconds = traitlets.Float(2.5).tag(sync=True)  # length of a recording; of a file the same is kept
    value = traitlets.Any(None, allow_none=True)

    @traitlets.observe("samples")
    def _arrived(self, change: dict[str, Any]) -> None:
        self.value = Sound(np.frombuffer(change["new"], np.float32).copy(), self.rate, self.name)


def interact(
    draw: Callable[..., Any],
    *above: widgets.Widget,
    elsewhere: dict[str, widgets.ValueWidget] | None = None,
    **controls: widgets.ValueWidget,
) -> Any:
    """Controls, and below them what `draw` gives for their values, again each time that one changes.

    A page of the book has no kernel: it shows what `draw` gives at the start. `above` the controls may stand more
    widgets; what is `elsewhere` on the page has a say but is not shown again.
    """
    everything = controls | (elsewhere or {})
    if os.environ.get("CLAPLEAK_PAGE"):
        return draw(**{name: control.value for name, control in everything.items()})

    def show(**values: Any) -> None:
        try:
            display(draw(**values))
        except ClapleakError as error:
            print(error)

    return widgets.VBox([*above, *controls.values(), widgets.interactive_output(show, everything)])


def train_button(profile: str, seed: int, *choices: widgets.Dropdown) -> widgets.VBox:
    """A button that trains the setups chosen at that moment, where that is not done yet, and the last line of each.

    `clapleak train` runs as a process of its own: JupyterLab calls buttons in threads, where signals cannot be caught.
    """
    button = widgets.Button(description="Train these setups here", layout={"width": "16em"})
    lines = widgets.Output()

    def show(line: str) -> None:
        lines.outputs = ({"output_type": "stream", "name": "stdout", "text": line},)

    def clicked(_: widgets.Button) -> None:
        button.disabled = True
        for slug in dict.fromkeys(choice.value for choice in choices):
            run = results.read_run(results.run_folder(profile, slug, seed, None, find_root()))
            try:
                load_trained(run)
            except ClapleakError:  # absent, or of an earlier training than the results, which came from elsewhere
                weights(run).unlink(missing_ok=True)
            with subprocess.Popen(
                train_command(profile, slug, seed), cwd=find_root(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True,
            ) as process:  # fmt: skip
                line = ""
                for line in process.stdout or ():
                    show(line)
            if process.returncode:
                show(f"{slug} was not trained: {line}")
                break
        else:
            show("ready: change a prompt or the sound")
        button.disabled = False

    button.on_click(clicked)
    return widgets.VBox([button, lines])


def train_command(profile: str, slug: str, seed: int) -> list[str]:
    """Arguments of the process that trains one setup."""
    return [sys.executable, "-m", "clapleak", "train", "--profile", profile, "--setup", slug, "--seed", str(seed)]

"""Live pages: a trained setup that answers, and controls that fall back to a picture in the book."""

import os
from collections import namedtuple
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import numpy as np
import torch
import traitlets
from IPython.display import display

from clapleak import results
from clapleak.audio import SHORTEST, import_torchaudio, segment_log_mel
from clapleak.config import ClapleakError, load_profile
from clapleak.fetch.networks import fetch_trained
from clapleak.models import Clap
from clapleak.results import Run
from clapleak.runs import load_trained, weights

# a recording of the reader: mono samples (n,) in [-1, 1], hertz, and a name to show
Sound = namedtuple("Sound", "wave rate name")


class Listener:
    """One trained setup that hears sounds and reads prompts.

    Labels and test clips come from its results. Its weights, in `build/`, are loaded only when a prompt or a sound is
    not among those: those of the user's own run, or else the published ones; ClapleakError where there are none.
    """

    def __init__(self, run: Run) -> None:
        self.shown, self.profile = run, load_profile(run.profile)
        self.classes = run.embeddings["classes"].tolist()

    @property
    def run(self) -> Run:
        """The run that answers: the user's own one, once its weights are on this machine."""
        own = results.own_folder(self.shown.profile) / self.shown.slug / self.shown.path.name
        return results.read_run(own) if own.is_dir() and weights(self.shown).is_file() else self.shown

    @cached_property
    def model(self) -> Clap:
        """The trained network, evaluated."""
        return load_trained(self.run, None if weights(self.run).is_file() else fetch_trained(self.run))

    def clip(self, label: str, number: int) -> np.ndarray:
        """E_a, (D,), of the `number`-th test clip of a class."""
        embeddings = self.run.embeddings
        rows = np.flatnonzero(embeddings["labels"] == self.classes.index(label))
        return embeddings["E_a"][rows[number % len(rows)]].astype(np.float32)

    @torch.no_grad()
    def hear(self, sound: Sound) -> np.ndarray:
        """E_a, (D,), of the first segment of a sound. ClapleakError for one that is too short."""
        settings, device = self.profile.audio, self.model.logit_scale.device
        if len(sound.wave) < SHORTEST * sound.rate:
            raise ClapleakError(f"{sound.name}: shorter than {SHORTEST} s")
        mono = import_torchaudio().functional.resample(torch.from_numpy(sound.wave), sound.rate, settings.sample_rate)
        x_a = self.model.audio(segment_log_mel(mono, settings)[None, None].to(device))
        return self.model.audio_projection(x_a)[0].cpu().numpy()

    @torch.no_grad()
    def read(self, prompts: list[str]) -> np.ndarray:
        """E_t, (P, D). A label alone gets the prompt of the profile, as in the test; any other text is taken as is."""
        if set(prompts) <= set(self.classes):
            return self.run.embeddings["E_t"][[self.classes.index(p) for p in prompts]].astype(np.float32)
        texts = [self.profile.data.prompt.format(p) if p in self.classes else p for p in prompts]
        return self.model.text_projection(self.model.text(texts)).cpu().numpy()


class SoundInput(anywidget.AnyWidget, widgets.ValueWidget):
    """Records a sound or takes a file; the browser decodes it. `value` is a Sound, or None before the first."""

    _esm = Path(__file__).with_name("sound_input.js")
    samples = traitlets.CBytes(b"").tag(sync=True)
    rate = traitlets.Int(1).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    seconds = traitlets.Float(2.5).tag(sync=True)  # length of a recording; of a file the same is kept
    value = traitlets.Any(None, allow_none=True)

    @traitlets.observe("samples")
    def _arrived(self, change: dict[str, Any]) -> None:
        self.value = Sound(np.frombuffer(change["new"], np.float32).copy(), self.rate, self.name)


def interact(
    draw: Callable, *, elsewhere: dict[str, widgets.ValueWidget] | None = None, **controls: widgets.ValueWidget
) -> Any:
    """Controls, and below them what `draw` gives for their values, again each time that one changes.

    A page of the book has no kernel: it shows what `draw` gives at the start. What is `elsewhere` on the page has a
    say but is not shown again.
    """
    everything = controls | (elsewhere or {})
    if os.environ.get("CLAPLEAK_PAGE"):
        return draw(**{name: control.value for name, control in everything.items()})

    def show(**values: Any) -> None:
        try:
            display(draw(**values))
        except ClapleakError as error:
            print(error)

    return widgets.VBox([*controls.values(), widgets.interactive_output(show, everything)])

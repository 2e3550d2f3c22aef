"""Profiles and setups: every number of a run, validated before anything starts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class ClapleakError(ValueError):
    """A mistake of the user's: one line that names the file or key and the remedy."""

    def _render_traceback_(self) -> list[str]:
        """What a live notebook shows, in place of the stack: IPython asks for it."""
        return [f"clapleak: {self}"]


@dataclass(frozen=True)
class Setup:
    """One experiment: what pre-training saw and what cross-modal training saw (section 2.2).

    Beside the paper's "dirty" and "clean", `training` may be "matched" (as many pairs as clean, drawn from all) or
    "leak25", "leak50", "leak75" (clean, with that percentage of the leaking pairs put back).
    """

    pretraining: str
    training: str

    @property
    def slug(self) -> str:
        """Name in folders, pages and legends: pre-training first, training second."""
        return f"{self.pretraining}-{self.training}"

    @property
    def figure(self) -> str:
        """Panel of the paper's Figure 2, "2a" to "2f"."""
        return "2" + "abcdef"[SETUPS.index(self)]

    @classmethod
    def parse(cls, slug: str) -> Setup:
        """Setup of a slug such as "dirty-clean"; ClapleakError for any other word."""
        known = {setup.slug: setup for setup in (*SETUPS, *CONTROLS)}
        if slug not in known:
            raise ClapleakError(f"unknown setup '{slug}': use one of {', '.join(known)}")
        return known[slug]


PRETRAININGS = ("dirty", "clean", "none")
TRAININGS = ("dirty", "clean")
SETUPS = tuple(Setup(p, t) for t in TRAININGS for p in PRETRAININGS)  # the paper's order, Figure 2a-f
LEAKED = {"clean": 0.0, "leak25": 0.25, "leak50": 0.5, "leak75": 0.75, "dirty": 1.0}  # share of leaking pairs kept
MATCHED = tuple(Setup(p, "matched") for p in PRETRAININGS)
DOSES = tuple(Setup("clean", t) for t in LEAKED)  # the first and the last are among the six
CONTROLS = (*MATCHED, *DOSES[1:-1])  # not in paper


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Foley(_Section):
    """Size of the embedded world."""

    seed: int
    pretrain_clips: int = Field(gt=0)  # clips a class
    pair_clips: int = Field(gt=0)
    test_clips: int = Field(gt=0)
    scenes: int = Field(ge=0)  # clips with two events, in each of the two training parts
    limit_classes: int | None


class ClassGroups(_Section):
    """Split of the test classes into groups, each the target of its own experiment (Xie and Virtanen, 2019)."""

    size: int = Field(gt=1)
    test_folds: list[int]
    captions_per_clip: int = Field(gt=0)


class Data(_Section):
    """Which corpora feed the two stages and the test; a name is "corpus" or "corpus:split"."""

    pretrain: list[str]
    pairs: list[str]
    test: str
    tagging_test: str | None  # labelled clips for the mean average precision of pre-training
    label_rule: Literal["word", "ontology"]  # which labels leak; captions always go by the paper's words
    prompt: str  # with {} for the label
    foley: Foley | None
    class_groups: ClassGroups | None


class Audio(_Section):
    """Front end; times in seconds, frequencies in hertz."""

    sample_rate: int = Field(gt=0)
    segment: float = Field(gt=0)
    window: int = Field(gt=0)  # samples, also the FFT length
    hop: int = Field(gt=0)  # samples
    mel_bins: int = Field(gt=0)
    f_min: float
    f_max: float
    keep_checkpoint_frontend: bool  # mel filters of PANNs' checkpoint, made for 32 kHz, at any sample rate


class SpecAugment(_Section):
    time_stripes: int
    time_width: int  # frames
    mel_stripes: int
    mel_width: int  # bins


class AudioEncoder(_Section):
    width: int = Field(gt=0)  # channels of the first block
    stem_stride: int = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)  # after each block; twice and more of it follows in the paper's head
    head_dropout: float = Field(ge=0, lt=1)
    spec_augment: SpecAugment


class TextEncoder(_Section):
    model: str  # "minilm" (verified offline weights or the hub), "tiny" (random), a hub name or a folder
    pooling: Literal["cls", "mean"]
    max_tokens: int = Field(gt=0)
    trainable_layers: int | Literal["all"]


class Projection(_Section):
    dim: int = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)


class Loss(_Section):
    logit_scale: float  # s at the start; logits are exp(s) times the cosine
    max_logit: float


class Pretrain(_Section):
    checkpoint: str | None  # PANNs' Cnn14 file, in place of dirty pre-training
    loss: Literal["bce", "softmax"]  # softmax learns faster where nearly every clip holds one event
    sampling: Literal["shuffled", "balanced"]  # balanced: every class equally often, with replacement
    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    learning_rate: float = Field(gt=0)
    mixup: float = Field(ge=0)  # alpha of the Beta distribution; 0 switches it off


class Recipe(_Section):
    """The paper's recipe, section 2.1 (a) to (j)."""

    batch_size: int = Field(gt=1)
    validation_share: float = Field(gt=0, lt=1)
    split_by: Literal["pair", "clip"]
    frozen_epochs: int = Field(ge=0)
    frozen_learning_rate: float = Field(gt=0)
    learning_rate: float = Field(gt=0)
    max_epochs: int = Field(gt=0)  # of the unfrozen phase
    stop_patience: int = Field(gt=0)  # epochs without a lower validation loss
    max_gradient: float = Field(gt=0)
    plateau_factor: float = Field(gt=0, lt=1)
    plateau_patience: int = Field(ge=0)


class Measures(_Section):
    k_max: int | None  # range of k in S; None: the square root of the number of labels
    include_self: bool
    perplexity: float = Field(gt=0)  # of t-SNE


class Compute(_Section):
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["bf16", "fp32"]
    threads: int = Field(gt=0)
    workers: int = Field(ge=0)  # processes that read batches ahead; 0: the training process itself
    compile: bool  # torch.compile of the audio backbone
    tensorboard: bool  # history also as event files below build/; needs the extra [cluster]


class Profile(_Section):
    """All numbers of one size of the reproduction; see `profiles/*.yaml` for the source of each."""

    name: str
    seeds: int = Field(gt=0)
    data: Data
    audio: Audio
    audio_encoder: AudioEncoder
    text_encoder: TextEncoder
    projection: Projection
    loss: Loss
    pretrain: Pretrain
    recipe: Recipe
    measures: Measures
    compute: Compute

    @property
    def synthetic(self) -> bool:
        """Whether every sound of the test is synthesised."""
        return self.data.test.partition(":")[0] == "foley"

    @property
    def sha256(self) -> str:
        """Fingerprint of every number, so that results and checkpoints of another profile are noticed."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()


def find_root() -> Path:
    """Nearest folder at or above the working directory that holds `profiles/`."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "profiles").is_dir():
            return folder
    raise ClapleakError(f"{Path.cwd()}: no folder here or above holds profiles/; run inside a clone of the project")


def profile_path(name: str) -> Path:
    """File of a profile: `profiles/<name>.yaml`, or the path itself where a YAML file is named."""
    return Path(name).resolve() if name.endswith((".yaml", ".yml")) else find_root() / "profiles" / f"{name}.yaml"


def load_profile(name: str) -> Profile:
    """Read a profile by its name in `profiles/` or by the path of a YAML file.

    Raises ClapleakError for an unknown name, an unknown key, a missing key, a wrong type, or a name inside that is not
    the file's (results are kept under that name, so a renamed copy must not pass for the original).
    """
    path = profile_path(name)
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ClapleakError(f"unknown profile '{name}': {path} does not exist; known: {', '.join(known) or 'none'}")
    try:
        profile = Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ClapleakError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ClapleakError(f"{path}: key '{key}': {first['msg']}; compare with profiles/mini.yaml") from error
    if profile.name != path.stem:
        raise ClapleakError(f"{path}: key 'name': is '{profile.name}' and must be the file's name, '{path.stem}'")
    return profile

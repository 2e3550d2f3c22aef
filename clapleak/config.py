"""Profiles: every number of a run, validated before anything starts."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError

from clapleak.files import ClapleakError, find_root, nearest


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Foley(_Section):
    seed: int
    pretrain_clips: PositiveInt  # clips a class
    pair_clips: PositiveInt
    test_clips: PositiveInt
    scenes: NonNegativeInt  # clips with two events, in each of the two training parts
    limit_classes: int | None


class ClassGroups(_Section):
    """Split of the test classes into groups, each the target of its own experiment (Xie and Virtanen, 2019)."""

    size: int = Field(gt=2)  # topological similarity needs three labels
    test_folds: list[int]
    captions: Literal["templates", "titles"] = "templates"  # of the label, or what the recordist wrote on Freesound
    captions_per_clip: PositiveInt
    all_classes: bool = False  # the test asks among all classes as well, so that no clip of its folds is learnt from


class Data(_Section):
    """Which corpora feed the two stages and the test; a name is "corpus" or "corpus:split"."""

    pretrain: list[str] = Field(min_length=1)
    pairs: list[str] = Field(min_length=1)
    test: str
    tagging_test: str | None  # labelled clips for the mean average precision of pre-training
    label_rule: Literal["word", "ontology"]  # which labels leak; captions always go by the paper's words
    prompt: str = Field(pattern=r"^[^{}]*\{\}[^{}]*$")  # with {} for the label
    foley: Foley | None  # size of the synthetic data set
    class_groups: ClassGroups | None

    @pydantic.field_validator("test")
    @classmethod
    def _without_split(cls, value: str) -> str:
        if value.startswith("foley:"):
            raise ValueError("the synthetic sounds have no splits; write foley")
        return value

    def prompts(self, labels: Iterable[str]) -> list[str]:
        """The text that the model reads for each label at test time."""
        return [self.prompt.format(label) for label in labels]


class Audio(_Section):
    sample_rate: PositiveInt  # hertz
    segment: PositiveFloat = Field(allow_inf_nan=False)  # seconds
    window: PositiveInt  # samples, also the FFT length
    hop: PositiveInt  # samples
    mel_bins: PositiveInt
    f_min: float  # hertz
    f_max: float
    keep_checkpoint_frontend: bool  # mel filters of PANNs' checkpoint, made for 32 kHz, at any sample rate

    @pydantic.field_validator("f_max")
    @classmethod
    def _above_f_min(cls, value: float, info: pydantic.ValidationInfo) -> float:
        if value <= info.data.get("f_min", value - 1):
            raise ValueError("must be above f_min")
        return value


class SpecAugment(_Section):
    time_stripes: int
    time_width: int  # frames
    mel_stripes: int
    mel_width: int  # bins


class AudioEncoder(_Section):
    width: PositiveInt  # channels of the first block
    blocks: PositiveInt  # each but the last halves the time and the mel axis, and the next has twice the channels
    stem_stride: PositiveInt
    dropout: float = Field(ge=0, lt=1)  # after each block; twice and more of it follows in the paper's head
    head_dropout: float = Field(ge=0, lt=1)
    spec_augment: SpecAugment


class TextEncoder(_Section):
    model: str  # "minilm" (verified offline weights or the hub), "tiny" (random), a hub name or a folder
    pooling: Literal["cls", "mean"]
    max_tokens: PositiveInt
    trainable_layers: int | Literal["all"]


class Projection(_Section):
    dim: PositiveInt
    dropout: float = Field(ge=0, lt=1)


class Loss(_Section):
    logit_scale: float  # s at the start; logits are exp(s) times the cosine
    max_logit: PositiveFloat


class Pretrain(_Section):
    checkpoint: str | None  # PANNs' Cnn14 file, in place of dirty pre-training
    loss: Literal["bce", "softmax"]  # softmax learns faster where nearly every clip holds one event
    sampling: Literal["shuffled", "balanced"]  # balanced: every class equally often, with replacement
    epochs: PositiveInt
    batch_size: int = Field(gt=1)
    learning_rate: PositiveFloat
    mixup: float = Field(ge=0)  # alpha of the Beta distribution; 0 switches it off


class Networks(_Section):
    """Networks that others trained, in place of pre-training; names as in `clapleak.models.networks`."""

    dirty: str  # saw the labels of the test classes
    clean: str  # heard as many sounds, and saw no label
    none: str  # random weights
    others: list[str]  # each under its own name
    unfrozen: bool = False  # they go on learning, section 2.1 (d), from a random excerpt of a clip at every visit

    def by_pretraining(self) -> dict[str, str]:
        """Network that stands for each pre-training, the paper's three first."""
        return {"dirty": self.dirty, "clean": self.clean, "none": self.none, **{name: name for name in self.others}}


class Recipe(_Section):
    batch_size: int = Field(gt=1)
    validation_share: float = Field(gt=0, lt=1)
    split_by: Literal["pair", "clip"]
    frozen_epochs: NonNegativeInt
    frozen_learning_rate: PositiveFloat
    learning_rate: PositiveFloat
    max_epochs: PositiveInt  # of the unfrozen phase
    stop_patience: PositiveInt  # epochs without a lower validation loss
    max_gradient: PositiveFloat
    plateau_factor: float = Field(gt=0, lt=1)
    plateau_patience: NonNegativeInt

    def held_out(self, number: int) -> int:
        """How many of some pairs or clips validate."""
        return round(self.validation_share * number)


class Measures(_Section):
    k_max: PositiveInt | None  # range of k in S; None: the square root of the number of labels
    include_self: bool
    perplexity: PositiveFloat  # of t-SNE


class Compute(_Section):
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["bf16", "fp32"]
    threads: PositiveInt
    workers: NonNegativeInt  # processes that read batches ahead; 0: the training process itself
    compile: bool  # torch.compile of the audio backbone
    tensorboard: bool  # history also as event files below build/; needs the extra [cluster]


class Profile(_Section):
    """All numbers of one size of the reproduction; see `profiles/*.yaml` for the source of each."""

    name: str
    seeds: PositiveInt
    data: Data
    audio: Audio  # the front end
    audio_encoder: AudioEncoder
    text_encoder: TextEncoder
    projection: Projection
    loss: Loss
    pretrain: Pretrain
    recipe: Recipe  # section 2.1 (a) to (j)
    measures: Measures
    compute: Compute
    networks: Networks | None = None  # then pretrain and audio_encoder are not used, and of audio the segment alone

    def network(self, pretraining: str) -> str | None:
        """The network that stands for a pre-training; None where the profile trains its own."""
        if pretraining not in (known := self.networks.by_pretraining() if self.networks else {pretraining: None}):
            raise ClapleakError(f"profile {self.name}: no network for {pretraining}; it has {', '.join(known)}")
        return known[pretraining]

    @property
    def synthetic(self) -> bool:
        """Whether every sound of the test is synthesised."""
        return self.data.test.partition(":")[0] == "foley"

    def refuse_group(self, group: int | None) -> None:
        """ClapleakError for a class group where the profile has none, and for none where it needs one."""
        if (group is None) != (self.data.class_groups is None):
            has = "class groups: say which with --group" if group is None else "no class groups: leave --group out"
            raise ClapleakError(f"profile {self.name} has {has}")


def profile_path(name: str) -> Path:
    """File of a profile: `profiles/<name>.yaml`, or the path itself where a YAML file is named."""
    return Path(name).resolve() if name.endswith((".yaml", ".yml")) else find_root() / "profiles" / f"{name}.yaml"


def load_profile(name: str) -> Profile:
    """Read a profile by its name in `profiles/` or by the path of a YAML file.

    ClapleakError for an unknown name, a key that is unknown, missing or of a wrong type, and a name inside that is not
    the file's (results are kept under that name, so a renamed copy must not pass for the original).
    """
    path = profile_path(name)
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        listed = f"{nearest(name, known)}: {path} does not exist; known: {', '.join(known) or 'none'}"
        raise ClapleakError(f"unknown profile '{name}'{listed}")
    try:
        profile = Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ClapleakError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "(top level)"
        raise ClapleakError(f"{path}: key '{key}': {first['msg']}; compare with profiles/mini.yaml") from error
    if profile.name != path.stem:
        raise ClapleakError(f"{path}: key 'name': is '{profile.name}' and must be the file's name, '{path.stem}'")
    return profile

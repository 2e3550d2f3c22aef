"""Profiles: every number of a run, validated before anything starts."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from clapleak.files import ClapleakError, absolute, find_root, nearest, placed, read_yaml

Few = Annotated[int, Field(ge=0, le=1000)]
Several = Annotated[int, Field(gt=0, le=1000)]
Many = Annotated[int, Field(gt=0, le=100_000)]
Source = Annotated[str, Field(pattern=r"^[a-z0-9_]+(:\w+)?$")]  # a corpus, or one split of it
# Where it lies from the folder of the profile, which is the context, or else from the working directory
Place = Annotated[str, Field(min_length=1), AfterValidator(lambda name, info: placed(name, info.context or Path()))]
TAKEN = "artefact book homework html live log_mel notebooks pages reproduce.lock results sounds weights x_a".split()


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Foley(_Section):
    seed: int
    pretrain_clips: Several  # clips a class
    pair_clips: Several
    test_clips: Several
    scenes: int = Field(ge=0, le=100_000)  # clips with two events, in each of the two training parts
    limit_classes: int | None = Field(ge=6)  # half of them are targets, of which topological similarity needs three


class ClassGroups(_Section):
    """Split of the test classes into groups, each the target of its own experiment (Xie and Virtanen, 2019)."""

    size: int = Field(gt=2)  # topological similarity needs three labels
    test_folds: list[Annotated[int, Field(ge=1, le=5)]] = Field(min_length=1)
    captions: Literal["templates", "titles"] = "templates"  # of the label, or what the recordist wrote on Freesound
    captions_per_clip: Several
    all_classes: bool = False  # the test asks among all classes as well, so that no clip of its folds is learnt from


class Data(_Section):
    """Which corpora feed the two stages and the test; a name is "corpus" or "corpus:split"."""

    pretrain: list[Source] = Field(min_length=1)
    pairs: list[Source] = Field(min_length=1)
    test: Source
    tagging_test: Source | None  # labelled clips for the mean average precision of pre-training
    label_rule: Literal["word", "ontology"]  # which labels leak; captions always go by the paper's words
    prompt: str = Field(pattern=r"^[^{}]*\{\}[^{}]*$")  # with {} for the label
    foley: Foley | None  # size of the synthetic data set
    class_groups: ClassGroups | None


class Audio(_Section):
    sample_rate: int = Field(ge=1000, le=200_000)  # hertz
    segment: float = Field(gt=0, le=600)  # seconds
    window: int = Field(ge=16, le=65_536)  # samples, also the FFT length
    hop: Many  # samples
    mel_bins: Several
    f_min: float = Field(ge=0)  # hertz
    f_max: float
    keep_checkpoint_frontend: bool  # mel filters of PANNs' checkpoint, made for 32 kHz, at any sample rate


class SpecAugment(_Section):
    time_stripes: Few
    time_width: Few  # frames
    mel_stripes: Few
    mel_width: Few  # bins


class AudioEncoder(_Section):
    width: int = Field(gt=0, le=512)  # channels of the first block
    blocks: int = Field(gt=0, le=8)  # each but the last halves both axes, and the next has twice the channels
    stem_stride: int = Field(gt=0, le=8)
    dropout: float = Field(ge=0, lt=1)  # after each block; twice and more of it follows in the paper's head
    head_dropout: float = Field(ge=0, lt=1)
    spec_augment: SpecAugment


class TextEncoder(_Section):
    model: Place  # "minilm" (verified weights or the hub), "tiny" (random), a hub name or a folder
    pooling: Literal["cls", "mean"]
    max_tokens: int = Field(gt=2, le=512)  # with the two that frame a text; BERT has places for 512
    trainable_layers: Few | Literal["all"]


class Projection(_Section):
    dim: Many
    dropout: float = Field(ge=0, lt=1)


class Loss(_Section):
    logit_scale: float = Field(ge=-50, le=50)  # s at the start; logits are exp(s) times the cosine
    max_logit: float = Field(gt=0)


class Pretrain(_Section):
    checkpoint: Place | None  # PANNs' Cnn14 file, in place of dirty pre-training
    loss: Literal["bce", "softmax"]  # softmax learns faster where nearly every clip holds one event
    sampling: Literal["shuffled", "balanced"]  # balanced: every class equally often, with replacement
    epochs: Many
    batch_size: int = Field(gt=1, le=100_000)
    learning_rate: float = Field(gt=0)
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
    batch_size: int = Field(gt=1, le=100_000)
    validation_share: float = Field(gt=0, lt=1)
    split_by: Literal["pair", "clip"]
    frozen_epochs: Few
    frozen_learning_rate: float = Field(gt=0)
    learning_rate: float = Field(gt=0)
    max_epochs: Many  # of the unfrozen phase
    stop_patience: Many  # epochs without a lower validation loss
    max_gradient: float = Field(gt=0)
    plateau_factor: float = Field(gt=0, lt=1)
    plateau_patience: Few

    def held_out(self, number: int) -> int:
        """How many of some pairs or clips validate."""
        return round(self.validation_share * number)


class Measures(_Section):
    k_max: Many | None  # range of k in S; None: the square root of the number of labels
    include_self: bool
    perplexity: float = Field(gt=0)  # of t-SNE


class Compute(_Section):
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["bf16", "fp32"]
    threads: Several
    workers: Few  # processes that read batches ahead; 0: the training process itself
    compile: bool  # torch.compile of the audio backbone
    tensorboard: bool  # history also as event files below build/; needs the extra [cluster]


class Profile(_Section):
    """All numbers of one size of the reproduction; see `profiles/*.yaml` for the source of each."""

    name: str = Field(pattern=r"^\w[\w .-]*$")  # of files and folders
    seeds: Several
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

    @model_validator(mode="after")
    def _fits(self) -> Self:
        data, audio, samples = self.data, self.audio, self.audio.segment * self.audio.sample_rate
        sources = (*data.pretrain, *data.pairs, data.test, data.tagging_test or "")
        smallest = min(audio.mel_bins, samples / audio.hop) / self.audio_encoder.stem_stride  # map of the first block
        faults = {
            "name: stands for something else in build/; choose another": self.name.lower() in TAKEN,
            "data.foley: give its sizes": data.foley is None and "foley" in sources,
            "data: foley has no splits; write foley": any(source.startswith("foley:") for source in sources),
            "data.class_groups: need test: esc50": data.class_groups is not None and data.test != "esc50",
            "audio.f_max: not above f_min": audio.f_max <= audio.f_min,
            "audio.f_max: above half the sample_rate": audio.f_max > audio.sample_rate / 2,
            "audio.window: shorter than hop, or longer than a segment": not audio.hop <= audio.window <= samples,
            "audio_encoder.blocks: too many for mel_bins and segment": smallest < 2 ** (self.audio_encoder.blocks - 1),
        }
        if found := [fault for fault, wrong in faults.items() if wrong]:
            raise ValueError(found[0])
        return self

    def network(self, pretraining: str) -> str | None:
        """The network that stands for a pre-training; None where the profile trains its own."""
        if pretraining not in (known := self.networks.by_pretraining() if self.networks else {pretraining: None}):
            raise ClapleakError(f"profile {self.name}: no network for {pretraining}; it has {', '.join(known)}")
        return known[pretraining]

    @property
    def synthetic(self) -> bool:
        """Whether every sound of the test is synthesised."""
        return self.data.test.partition(":")[0] == "foley"


def profile_path(name: str) -> Path:
    """File of a profile: `profiles/<name>.yaml`, or the path itself where a YAML file is named."""
    return absolute(name) if name.endswith((".yaml", ".yml")) else find_root() / "profiles" / f"{name}.yaml"


def load_profile(name: str) -> Profile:
    """Read a profile by its name in `profiles/` or by the path of a YAML file; ClapleakError for what is wrong in it.

    The name inside must be the file's: results are kept under it, and a renamed copy must not pass for the original.
    """
    path = profile_path(name)
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.yaml")) or ["none"]
        raise ClapleakError(f"unknown profile '{name}'{nearest(name, known)}: no {path}; known: {', '.join(known)}")
    try:
        profile = Profile.model_validate(read_yaml(path), context=path.parent)
    except ValidationError as error:
        first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")  # before what it should be
        place, message = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            keys = {key for section in _Section.__subclasses__() for key in section.model_fields}
            message = f"unknown{nearest(str(first['loc'][-1]), keys)}"
        key, fault = (place or "(top level)", message) if place or ": " not in message else message.split(": ", 1)
        raise ClapleakError(f"{path}: key '{key}': {fault}; compare with profiles/mini.yaml") from error
    if profile.name != path.stem:
        raise ClapleakError(f"{path}: key 'name': is '{profile.name}' and must be the file's name, '{path.stem}'")
    return profile

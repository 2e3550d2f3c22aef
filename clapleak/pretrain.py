"""Supervised tagging: the audio network before it meets a caption (section 2.2; PANNs, Kong et al., 2020)."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import MultiLabelBinarizer
from torch import Tensor

from clapleak import embed
from clapleak.clipstore import ClipStore
from clapleak.config import Profile
from clapleak.corpora import Corpus
from clapleak.experiment import Experiment
from clapleak.identity import stable_seed
from clapleak.loop import Data, Phase, Training, kept_or_trained
from clapleak.models import AudioEncoder, Cnn14, KeptEncoder, load_panns
from clapleak.models.networks import load_network
from clapleak.parallel import autocast, pick_device
from clapleak.run_folder import HISTORY


def new_backbone(profile: Profile, seed: int, classes: int = 1) -> Cnn14:
    """A random CNN14, the paper's pre-training "none"."""
    torch.manual_seed(stable_seed("backbone", seed))
    return Cnn14(profile.audio.mel_bins, classes, profile.audio_encoder)


def vocabulary(pretrain: Corpus) -> list[str]:
    """Names of the outputs of the tagging head: every label of the clips to learn from, sorted."""
    return sorted({label for labels in pretrain.table["labels"] for label in labels})


def pretrained(
    profile: Profile, pretraining: str, experiment: Experiment, folder: Path, backbone_id: str, *, seed: int
) -> tuple[AudioEncoder, pd.DataFrame]:
    """The audio network of a setup and its history: random, made by others, or trained on labels.

    Weights of that id are kept in the folder, see `loop.kept_or_trained`; setups with one pre-training share them.
    """
    if experiment.store.network is not None:
        if profile.networks.unfrozen:
            return load_network(profile.network(pretraining)), pd.DataFrame(columns=HISTORY)
        return KeptEncoder(experiment.store.batch(np.arange(1)).shape[1]), pd.DataFrame(columns=HISTORY)
    if pretraining == "none":
        return new_backbone(profile, seed), pd.DataFrame(columns=HISTORY)
    if pretraining == "dirty" and profile.pretrain.checkpoint is not None:
        return load_panns(Path(profile.pretrain.checkpoint), profile), pd.DataFrame(columns=HISTORY)
    backbone = new_backbone(profile, seed, len(vocabulary(experiment.pretrain))).to(pick_device(profile.compute))
    name = f"pre-training {pretraining}, {folder.name}"
    start = partial(TagTraining, backbone, experiment.pretrain, experiment.store, profile, seed, name)
    history = kept_or_trained(backbone, folder, backbone_id, start)
    return backbone.to(memory_format=torch.contiguous_format), history  # as it is when it was read from disk


class TagTraining(Training):
    """Train a backbone, with one output for each name in `vocabulary(corpus)`, to name the events of clips."""

    def __init__(
        self, backbone: Cnn14, corpus: Corpus, store: ClipStore, profile: Profile, seed: int, name: str
    ) -> None:
        settings, clips = profile.pretrain, corpus.clips()
        backbone.to(memory_format=torch.channels_last)
        phases, ids = {"pretrain": settings.epochs}, clips["clip"].to_numpy()
        super().__init__(backbone, ids, phases, settings.batch_size, seed, profile.compute, name)
        self.settings, self.store, self.store_rows = settings, store, store.index(ids)
        self.tags = tags(clips["labels"], vocabulary(corpus))

    def begin(self, phase: str) -> Phase:
        parameters, rate = list(self.model.parameters()), self.settings.learning_rate
        optimizer = torch.optim.Adam(parameters, rate, fused=True)
        steps = self.settings.epochs * -(-len(self.clips) // self.batch_size)
        return Phase(phase, parameters, optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps))

    def batches(self, draw: np.random.Generator) -> list[np.ndarray]:
        order = balanced(self.tags, draw) if self.settings.sampling == "balanced" else draw.permutation(len(self.clips))
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def read(self, batch: np.ndarray, segments: torch.Generator | None) -> Data:
        return self.store.batch(self.store_rows[batch], segments), torch.from_numpy(self.tags[batch].toarray())

    def loss(self, batch: np.ndarray, data: Data) -> Tensor:
        log_mel, presence = data
        log_mel, presence = mixed(log_mel, presence, self.settings.mixup)
        with autocast(self.device, self.compute):
            logits = self.model.tag(self.model(log_mel))
        return tagging_loss(logits.float(), presence, self.settings.loss)


def tags(labels: pd.Series, vocabulary: list[str]) -> csr_matrix:
    """Labels of clips as 0 and 1, (clips, classes), kept sparse: the full table of AudioSet would take 4 GB."""
    return MultiLabelBinarizer(classes=vocabulary, sparse_output=True).fit_transform(labels).astype(np.float32)


def balanced(presence: csr_matrix, draw: np.random.Generator) -> np.ndarray:
    """As many clips as there are, with replacement, every class equally often (PANNs' balanced sampling)."""
    by_class = presence.tocsc()
    counts = np.diff(by_class.indptr)
    present = np.flatnonzero(counts)
    chosen = present[draw.integers(len(present), size=by_class.shape[0])]
    return by_class.indices[by_class.indptr[chosen] + draw.integers(counts[chosen])]


def mixed(x: Tensor, y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mixup of log-mel, (B, 1, T, M), and of presence, (B, classes), as PANNs: shares from Beta(alpha, alpha)."""
    if alpha == 0:
        return x, y
    share = torch.distributions.Beta(alpha, alpha).sample((len(x),)).to(x.device)
    return torch.lerp(x.flip(0), x, share[:, None, None, None]), torch.lerp(y.flip(0), y, share[:, None])


def tagging_loss(logits: Tensor, presence: Tensor, loss: str) -> Tensor:
    """Loss, (scalar), of logits and presence (0 to 1), both (B, classes).

    "bce" is PANNs' binary cross-entropy of every class; "softmax" the cross-entropy of one choice, with the presence
    of several events shared out evenly.
    """
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, presence)
    return F.cross_entropy(logits, presence / presence.sum(1, keepdim=True))


@torch.no_grad()
def mean_average_precision(backbone: Cnn14, experiment: Experiment, profile: Profile) -> float:
    """PANNs' measure of tagging: average precision on `tagging_test`, mean over the classes that occur there."""
    clips, names = experiment.tagging_test.clips(), vocabulary(experiment.pretrain)
    known = set(names)  # clean pre-training has no name for the classes that were removed
    truth = tags(clips["labels"].map(known.intersection), names).toarray()
    x_a = embed.audio_embeddings(backbone, experiment.store, experiment.store.index(clips["clip"]), profile)
    present = truth.any(0)
    return float(average_precision_score(truth[:, present], backbone.tag(x_a).cpu().numpy()[:, present]))

"""The trained model on the test set: four clouds of embeddings, their measures, and t-SNE maps."""

from dataclasses import asdict

import numpy as np
import torch
from sklearn.manifold import TSNE

from clapleak import metrics
from clapleak.clipstore import ClipStore
from clapleak.config import Measures, Profile
from clapleak.corpora import Corpus
from clapleak.experiment import Experiment
from clapleak.identity import stable_seed
from clapleak.models import AudioEncoder, Clap, TextEncoder
from clapleak.parallel import autocast, pick_device

_BATCH = 64


@torch.no_grad()
def audio_embeddings(audio: AudioEncoder, store: ClipStore, rows: np.ndarray, profile: Profile) -> torch.Tensor:
    """x_a, (N, dim) float32, of rows of the store; deterministic: no dropout, no masks, first segment."""
    device = pick_device(profile.compute)
    audio.eval()
    parts = []
    for start in range(0, len(rows), _BATCH):
        batch = store.batch(rows[start : start + _BATCH]).to(device)  # log-mel of long recordings in full precision
        with autocast(device, profile.compute):
            parts.append(audio(batch).float())
    return torch.cat(parts)


@torch.no_grad()
def test_clouds(model: Clap, experiment: Experiment, profile: Profile) -> dict[str, np.ndarray]:
    """x_a (N, Da), E_a (N, D), x_t (C, Dt), E_t (C, D); labels, clips and recordings (N,); classes (C,)."""
    model.eval()
    clouds = backbone_clouds(model.audio, model.text, experiment, profile)
    for modality, projection in {"a": model.audio_projection, "t": model.text_projection}.items():
        x = torch.from_numpy(clouds[f"x_{modality}"]).to(model.logit_scale.device)
        clouds[f"E_{modality}"] = projection(x).cpu().numpy()
    return clouds


@torch.no_grad()
def backbone_clouds(
    audio: AudioEncoder, text: TextEncoder, experiment: Experiment, profile: Profile
) -> dict[str, np.ndarray]:
    """The same before cross-modal training: x_a and x_t alone (the paper's Figure 4)."""
    test, classes = experiment.test.table, [*experiment.targets, *experiment.others]
    text.eval()
    clouds = {"targets": np.array(len(experiment.targets))} if experiment.others else {}  # the first classes
    return clouds | {
        "recordings": test["recording"].to_numpy(dtype=str),
        "x_a": audio_embeddings(audio, experiment.store, experiment.store.index(test["clip"]), profile).cpu().numpy(),
        "x_t": text([profile.data.prompt.format(name) for name in classes]).cpu().numpy(),
        "labels": test["text"].map(classes.index).to_numpy().astype(np.int16),
        "clips": test["clip"].to_numpy(dtype=str),
        "classes": np.array(classes, dtype=str),
    }


def measure(clouds: dict[str, np.ndarray], measures: Measures) -> dict:
    """Accuracy, silhouettes and topological similarities of Tables 1 to 3, of the target classes alone.

    Where the test has further classes, "all_classes" holds the same of all of them, and what becomes of the clips of
    the targets ("unseen") and of the others ("seen") when every class is an answer: generalised zero-shot.
    """
    labels, targets = clouds["labels"].astype(int), int(clouds.get("targets", len(clouds["E_t"])))
    own = labels < targets
    alone = {name: clouds[name][own] for name in ("x_a", "E_a", "labels", "recordings")}
    numbers = _measured(alone | {name: clouds[name][:targets] for name in ("x_t", "E_t")}, measures)
    if not own.all():
        E_a, E_t = clouds["E_a"], clouds["E_t"]
        unseen, seen = (metrics.zero_shot_accuracy(E_a[part], E_t, labels[part]) for part in (own, ~own))
        harmonic = 2 * unseen * seen / (unseen + seen) if unseen + seen else 0.0
        numbers["all_classes"] = _measured(clouds, measures) | {"unseen": unseen, "seen": seen, "harmonic": harmonic}
    return numbers


def _measured(clouds: dict[str, np.ndarray], measures: Measures) -> dict:
    labels, recordings, topology = clouds["labels"].astype(int), clouds["recordings"], {}
    means = {space: metrics.class_means(clouds[space], labels) for space in ("x_a", "E_a")}
    points = {**means, "x_t": clouds["x_t"], "E_t": clouds["E_t"]}  # one for each class
    for p, q in (("x_a", "E_a"), ("x_t", "E_t"), ("E_a", "E_t")):
        options = {"k_max": measures.k_max, "include_self": measures.include_self}
        similarity = metrics.topological_similarity(points[p], points[q], **options)
        topology[f"{p}-{q}"] = {name: np.asarray(value).tolist() for name, value in asdict(similarity).items()}
    return {
        "chance": 1 / len(clouds["E_t"]),
        "accuracy": metrics.zero_shot_accuracy(clouds["E_a"], clouds["E_t"], labels),
        "silhouette": {space: metrics.silhouette(clouds[space], labels) for space in means},
        "centroid_accuracy": {s: metrics.centroid_accuracy(clouds[s], labels, recordings) for s in means},
        "topology": topology,
    }


def linear_probes(experiment: Experiment, corpus: Corpus) -> dict[str, float]:
    """What x_a knows about all classes of a test: accuracy of linear classifiers on its test clips.

    They learn from the clips outside the test whose recordings it does not hold: from x_a whole, and from its first
    principal components, so that networks of other sizes compare.
    """
    table, test, store = corpus.table, experiment.test.table, experiment.store
    known = table["clip"].isin(store.rows.keys()) & ~table["recording"].isin(test["recording"])
    parts = [(store.batch(store.index(part["clip"])).numpy(), part["text"]) for part in (table[known], test)]
    return {str(dims or "all"): metrics.probe_accuracy(*parts[0], *parts[1], dims) for dims in (None, 128)}


def tsne(cloud: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """t-SNE with cosine distances, (n, D) -> (n, 2); deterministic for a seed."""
    fitting = min(perplexity, (len(cloud) - 1) / 3)  # a few labels cannot have many neighbours
    unit = torch.nn.functional.normalize(torch.from_numpy(cloud.astype(np.float32)), dim=-1).numpy()
    if np.ptp(unit, axis=0).max() < 1e-6:  # all in one place: scikit-learn would crash
        return np.zeros((len(unit), 2), np.float32)
    flat = TSNE(perplexity=fitting, init="pca", random_state=stable_seed("tsne", seed) % 2**31, n_jobs=1)
    return flat.fit_transform(unit)  # Euclidean distance between unit vectors orders pairs as cosine does

"""The trained model on the test set: four clouds of embeddings, their measures, and t-SNE maps."""

from dataclasses import asdict

import numpy as np
import torch
from sklearn.manifold import TSNE

from clapleak import metrics
from clapleak.clipstore import ClipStore
from clapleak.config import Measures, Profile
from clapleak.experiment import Experiment
from clapleak.identity import stable_seed
from clapleak.models import Clap, Cnn14, TextEncoder
from clapleak.parallel import autocast

_BATCH = 64


@torch.no_grad()
def audio_embeddings(audio: Cnn14, store: ClipStore, rows: np.ndarray, profile: Profile) -> torch.Tensor:
    """x_a, (N, dim) float32, of rows of the store; deterministic: no dropout, no masks, first segment."""
    device = next(audio.parameters()).device
    audio.eval()
    parts = []
    for start in range(0, len(rows), _BATCH):
        with autocast(device, profile.compute):
            parts.append(audio(store.batch(rows[start : start + _BATCH]).to(device)).float())
    return torch.cat(parts)


@torch.no_grad()
def test_clouds(model: Clap, experiment: Experiment, profile: Profile) -> dict[str, np.ndarray]:
    """x_a (N, Da), E_a (N, D), x_t (C, Dt), E_t (C, D) and labels (N,), clips (N,), classes (C,)."""
    model.eval()
    clouds = backbone_clouds(model.audio, model.text, experiment, profile)
    for modality, projection in {"a": model.audio_projection, "t": model.text_projection}.items():
        x = torch.from_numpy(clouds[f"x_{modality}"]).to(model.logit_scale.device)
        clouds[f"E_{modality}"] = projection(x).cpu().numpy()
    return clouds


@torch.no_grad()
def backbone_clouds(audio: Cnn14, text: TextEncoder, experiment: Experiment, profile: Profile) -> dict[str, np.ndarray]:
    """The same before cross-modal training: x_a and x_t alone (the paper's Figure 4)."""
    test, targets = experiment.test.table, experiment.targets
    text.eval()
    return {
        "x_a": audio_embeddings(audio, experiment.store, experiment.store.index(test["clip"]), profile).cpu().numpy(),
        "x_t": text(profile.data.prompts(targets)).cpu().numpy(),
        "labels": test["text"].map(targets.index).to_numpy().astype(np.int16),
        "clips": test["clip"].to_numpy(dtype=str),
        "classes": np.array(targets, dtype=str),
    }


def measure(clouds: dict[str, np.ndarray], measures: Measures) -> dict:
    """Accuracy, silhouettes and topological similarities of Tables 1 to 3."""
    labels, topology = clouds["labels"].astype(int), {}
    means = {space: metrics.class_means(clouds[space], labels) for space in ("x_a", "E_a")}
    points = {**means, "x_t": clouds["x_t"], "E_t": clouds["E_t"]}  # one for each class
    for p, q in (("x_a", "E_a"), ("x_t", "E_t"), ("E_a", "E_t")):
        similarity = metrics.topological_similarity(
            points[p], points[q], k_max=measures.k_max, include_self=measures.include_self
        )
        topology[f"{p}-{q}"] = {name: np.asarray(value).tolist() for name, value in asdict(similarity).items()}
    return {
        "chance": 1 / len(clouds["classes"]),
        "accuracy": metrics.zero_shot_accuracy(clouds["E_a"], clouds["E_t"], labels),
        "silhouette": {space: metrics.silhouette(clouds[space], labels) for space in means},
        "centroid_accuracy": {space: metrics.centroid_accuracy(clouds[space], labels) for space in means},
        "topology": topology,
    }


def tsne(cloud: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """t-SNE with cosine distances, (n, D) -> (n, 2); deterministic for a seed."""
    fitting = min(perplexity, (len(cloud) - 1) / 3)  # a few labels cannot have many neighbours
    unit = torch.nn.functional.normalize(torch.from_numpy(cloud.astype(np.float32)), dim=-1).numpy()
    flat = TSNE(perplexity=fitting, init="pca", random_state=stable_seed("tsne", seed) % 2**31, n_jobs=1)
    return flat.fit_transform(unit)  # Euclidean distance between unit vectors orders pairs as cosine does

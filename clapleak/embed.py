"""The trained model on the test set: x_a, E_a of the clips and x_t, E_t of the labels; measures; t-SNE maps."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from sklearn.manifold import TSNE
from torch import nn

from clapleak import metrics
from clapleak.audio import ClipStore
from clapleak.compute import autocast, stable_seed
from clapleak.config import Measures, Profile
from clapleak.models import Clap, Cnn14, TextEncoder
from clapleak.task import Task

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


def test_clouds(model: Clap, task: Task, profile: Profile) -> dict[str, np.ndarray]:
    """x_a (N, Da), E_a (N, D), x_t (C, Dt), E_t (C, D) and labels (N,), clips (N,), classes (C,)."""
    clouds = backbone_clouds(model.audio, model.text, task, profile)
    model.eval()
    with torch.no_grad():
        device = model.logit_scale.device
        for source, target, projection in (
            ("x_a", "E_a", model.audio_projection),
            ("x_t", "E_t", model.text_projection),
        ):
            clouds[target] = projection(torch.from_numpy(clouds[source]).to(device)).cpu().numpy()
    return clouds


def backbone_clouds(audio: Cnn14, text: TextEncoder, task: Task, profile: Profile) -> dict[str, np.ndarray]:
    """The same before cross-modal training: x_a and x_t alone (the paper's Figure 4)."""
    rows = np.array([task.store.rows[clip] for clip in task.test.table["clip"]])
    x_a = audio_embeddings(audio, task.store, rows, profile).cpu().numpy()
    text.eval()
    with torch.no_grad():
        x_t = text([profile.data.prompt.format(target) for target in task.targets]).cpu().numpy()
    labels = task.test.table["text"].map(task.targets.index).to_numpy()
    return {
        "x_a": x_a,
        "x_t": x_t,
        "labels": labels.astype(np.int16),
        "clips": task.test.table["clip"].to_numpy(dtype=str),
        "classes": np.array(task.targets, dtype=str),
    }


def measure(clouds: dict[str, np.ndarray], measures: Measures) -> dict:
    """Accuracy, silhouettes and topological similarities of Tables 1 to 3."""
    labels = clouds["labels"].astype(int)
    means = {space: metrics.class_means(clouds[space], labels) for space in ("x_a", "E_a")}
    pairs = {
        "x_a-E_a": (means["x_a"], means["E_a"]),
        "x_t-E_t": (clouds["x_t"], clouds["E_t"]),
        "E_a-E_t": (means["E_a"], clouds["E_t"]),
    }
    topology = {
        name: metrics.topological_similarity(p, q, k_max=measures.k_max, include_self=measures.include_self)
        for name, (p, q) in pairs.items()
    }
    return {
        "chance": 1 / len(clouds["classes"]),
        "accuracy": metrics.zero_shot_accuracy(clouds["E_a"], clouds["E_t"], labels),
        "silhouette": {space: metrics.silhouette(clouds[space], labels) for space in ("x_a", "E_a")},
        "topology": {
            name: {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(found).items()}
            for name, found in topology.items()
        },
    }


def tsne(cloud: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """t-SNE with cosine distances, (n, D) -> (n, 2); deterministic for a seed."""
    fitting = min(perplexity, (len(cloud) - 1) / 3)  # a few labels cannot have many neighbours
    unit = nn.functional.normalize(torch.from_numpy(cloud.astype(np.float32)), dim=-1).numpy()
    found = TSNE(perplexity=fitting, init="pca", random_state=stable_seed("tsne", seed) % 2**31, n_jobs=1)
    return found.fit_transform(unit)  # Euclidean distance between unit vectors orders pairs as cosine does

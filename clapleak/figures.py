"""One function a figure of the paper; each takes arrays or tables and returns a matplotlib Figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import linregress

from clapleak import metrics
from clapleak.audio import log_mel, standardise
from clapleak.config import SETUPS, load_profile
from clapleak.datasets import foley
from clapleak.results import Run

SLUGS = [setup.slug for setup in SETUPS]
# Okabe and Ito's palette, safe for colour-blind readers; a setup has the same colour in every figure
COLOURS = dict(zip(SLUGS, ("#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#56B4E9"), strict=True))
GREY = "#666666"
# classes by colour and shape: 10 x 5 combinations for the fifty labels of ESC-50
_SHAPES = "osD^v"


def _new(width: float, height: float, **options) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = np.atleast_1d(figure.subplots(**options))
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=10)
    return figure, axes


def headline(ours: pd.DataFrame, paper: pd.DataFrame, *, title: str) -> Figure:
    """Accuracy of the six setups: our runs as dots with their mean, the paper's value as a diamond.

    `ours` is `results.table(...)`, `paper` is `results.paper()`.
    """
    figure, (ax,) = _new(7, 3.8)
    printed = paper[paper["row"] == "accuracy"].set_index("column")["value"]
    for x, slug in enumerate(SLUGS):
        runs = ours.loc[ours["setup"] == slug, "accuracy"]
        ax.bar(x, runs.mean(), 0.62, color=COLOURS[slug], alpha=0.85)
        ax.scatter(
            x + np.linspace(-0.16, 0.16, len(runs)), runs, 18, "white", edgecolors="black", linewidths=0.8, zorder=3
        )
        ax.scatter(x + 0.42, printed[slug], 46, "black", marker="D", zorder=4)
    ax.scatter([], [], 46, "black", marker="D", label="paper")
    ax.scatter([], [], 18, "white", edgecolors="black", label="ours, one run")
    ax.bar(0, 0, color=GREY, label="ours, mean")
    ax.axhline(ours["chance"].mean(), color=GREY, linestyle="--", linewidth=1, label="guessing")
    ax.set_xticks(range(len(SLUGS)), [slug.replace("-", "\n") for slug in SLUGS])
    ax.set_ylim(0, 1)
    ax.set_ylabel("zero-shot accuracy", fontsize=11)
    ax.set_title(title, fontsize=12)
    figure.legend(loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    return figure


def history(run: Run) -> Figure:
    """Training and validation loss over the epochs of both phases; a line marks where the backbones are released."""
    figure, (ax,) = _new(7, 3)
    epochs = np.arange(1, len(run.history) + 1)
    colour = COLOURS.get(run.slug, GREY)
    ax.plot(epochs, run.history["train_loss"], "o--", color=GREY, label="training")
    ax.plot(epochs, run.history["val_loss"], "o-", color=colour, label="validation")
    frozen = int((run.history["phase"] == "frozen").sum())
    ax.axvline(frozen + 0.5, color="black", linewidth=0.8)
    ax.annotate(
        "backbones learn from here", (frozen + 0.6, 0.97), xycoords=("data", "axes fraction"), fontsize=10, va="top"
    )
    ax.set_xlabel("epoch", fontsize=11)
    ax.set_ylabel("contrastive loss", fontsize=11)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize=10, frameon=False)
    return figure


def confusion(labels: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> Figure:
    """Share of each class's clips (rows) by the label that the model gives them (columns)."""
    size = 7.5 if len(classes) > 20 else 5.5
    figure, (ax,) = _new(size, size)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (labels, answers), 1)
    image = ax.imshow(counts / counts.sum(1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    small = 6.5 if len(classes) > 20 else 9
    ax.set_xticks(range(len(classes)), classes, rotation=90, fontsize=small)
    ax.set_yticks(range(len(classes)), classes, fontsize=small)
    ax.set_xlabel("answer", fontsize=11)
    ax.set_ylabel("class", fontsize=11)
    figure.colorbar(image, ax=ax, shrink=0.5, label="share of the class's clips")
    return figure


def _style(number: int) -> dict:
    return {"color": colormaps["tab10"](number % 10), "marker": _SHAPES[number // 10 % len(_SHAPES)]}


def _spread_labels(ax: Axes, points: np.ndarray, names: Sequence[str], size: float) -> None:
    """Write names at points and push them apart along y until none covers another."""
    low, high = ax.get_ylim()
    left, right = ax.get_xlim()
    box = ax.get_position()
    width_in, height_in = ax.figure.get_size_inches() * (box.width, box.height)
    line = 1.15 * size / 72 / height_in * (high - low)
    reach = {name: 0.55 * size * len(name) / 72 / width_in * (right - left) for name in names}
    placed: list[tuple[float, float, float]] = []
    for i in np.argsort(-points[:, 1]):
        x, y = points[i][0], points[i][1] + 0.7 * line  # above the point, not on it
        half = reach[names[i]] / 2
        x = min(max(x, left + half), right - half)
        while any(
            abs(y - other) < line and abs(x - centre) < half + reach_other for centre, other, reach_other in placed
        ):
            y -= line / 4
        placed.append((x, y, half))
        ax.annotate(
            names[i], points[i], (x, y), fontsize=size, ha="center", va="center",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.4},
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0},
        )  # fmt: skip


def _cloud(ax: Axes, points: np.ndarray, labels: np.ndarray, classes: Sequence[str], size: float) -> None:
    points = points.astype(float)
    for number in range(len(classes)):
        chosen = points[labels == number]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=9, alpha=0.75, linewidths=0, **_style(number))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if size:
        middles = np.array([np.median(points[labels == number], axis=0) for number in range(len(classes))])
        _spread_labels(ax, middles, classes, size)


def cloud(points: np.ndarray, labels: np.ndarray, classes: Sequence[str], *, title: str) -> Figure:
    """t-SNE of clips, (N, 2), coloured and marked by class, with each class's name at its median."""
    figure, (ax,) = _new(7.5, 6.5)
    _cloud(ax, points, labels, classes, 8 if len(classes) > 20 else 10)
    ax.set_title(title, fontsize=12)
    return figure


def six_clouds(runs: Sequence[Run]) -> Figure:
    """The paper's Figure 2: t-SNE of E_a for the six setups, panels a to f in its order."""
    figure, axes = _new(9, 6.6, nrows=2, ncols=3)
    by_slug = {run.slug: run for run in runs}
    for setup, ax in zip(SETUPS, axes.flat, strict=True):
        run = by_slug[setup.slug]
        labels, classes = run.embeddings["labels"].astype(int), [str(c) for c in run.embeddings["classes"]]
        _cloud(ax, run.map["E_a"], labels, classes, 0 if len(classes) > 20 else 7)
        score = run.metrics["silhouette"]["E_a"]
        ax.set_title(
            f"({setup.figure[1]}) {setup.slug}\nsilhouette {score:.2f}", fontsize=11, color=COLOURS[setup.slug]
        )
    return figure


def text_map(points: np.ndarray, classes: Sequence[str], *, title: str) -> Figure:
    """t-SNE of label embeddings, (C, 2), as the paper's Figures 3 and 4c."""
    figure, (ax,) = _new(7.5, 5.5)
    points = points.astype(float)
    ax.scatter(*points.T, s=16, color=COLOURS["dirty-clean"])
    ax.margins(0.12, 0.06)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    _spread_labels(ax, points, [str(c) for c in classes], 8.5)
    ax.set_title(title, fontsize=12)
    return figure


def correlation(points: dict[str, tuple[pd.Series, pd.Series]], *, x: str, y: str) -> Figure:
    """Scatter of the six setups, one panel a source.

    Parameters
    ----------
    points : dict
        Title -> two Series indexed by setup slug: what stands on x and on y.
    x, y : str
        Axis labels.
    """
    figure, axes = _new(3.1 * len(points) + 0.4, 3.5, ncols=len(points), squeeze=False)
    for ax, (title, (across, up)) in zip(axes.flat, points.items(), strict=True):
        across, up = across.loc[SLUGS], up.loc[SLUGS]
        r, p = metrics.pearson(across, up)
        others = metrics.leave_one_out(across, up)[:, 0]
        for slug in SLUGS:
            ax.scatter(across[slug], up[slug], 45, COLOURS[slug], label=slug)
        line = linregress(across, up)
        ends = np.array([across.min(), across.max()])
        ax.plot(ends, line.intercept + line.slope * ends, color=GREY, linewidth=1, zorder=0)
        ax.set_title(
            f"{title}\nr = {r:.2f}, p = {p:.3f}\nwithout one: {others.min():.2f} to {others.max():.2f}", fontsize=10
        )
        ax.set_xlabel(x, fontsize=10)
    axes.flat[0].set_ylabel(y, fontsize=10)
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=10, frameon=False)
    return figure


def overlap(clouds: dict[str, tuple[np.ndarray, np.ndarray]], *, n_permutations: int = 300) -> Figure:
    """S_k over k for pairs of clouds, with the chance line, the band of unrelated clouds, and where S is taken."""
    figure, axes = _new(9, 3.3, ncols=len(clouds), sharey=True, squeeze=False)
    for ax, (title, (p, q)) in zip(axes.flat, clouds.items(), strict=True):
        found = metrics.topological_similarity(p, q)
        k = np.arange(1, len(found.curve) + 1)
        band = metrics.permutation_band(p, q, n_permutations=n_permutations)
        ax.fill_between(k, band[0], band[2], color=GREY, alpha=0.25, label="95 % of unrelated clouds")
        ax.plot(k, found.chance, color=GREY, linestyle="--", linewidth=1, label="chance")
        ax.plot(k, found.curve, color=COLOURS["dirty-clean"], label="S_k")
        ax.scatter([found.k], [found.value], 36, COLOURS["dirty-dirty"], zorder=4, label="S, our convention")
        ax.set_title(title, fontsize=11)
        ax.set_xlabel("k", fontsize=11)
        ax.set_ylim(0, 1.02)
    axes.flat[0].set_ylabel("shared neighbours", fontsize=11)
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return figure


def spectrograms(paths: Sequence[str], titles: Sequence[str], *, seconds: float) -> Figure:
    """Log-mel spectrograms of sounds of the embedded world, as the default profile hears them; four in a row."""
    settings = load_profile("mini").audio
    rows = -(-len(paths) // 4)
    figure, axes = _new(9, 1.35 * rows, nrows=rows, ncols=4, squeeze=False)
    figure.set_dpi(72)  # noise does not compress, and a page has to load
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, path, title in zip(axes.flat, paths, titles, strict=False):
        wave = foley.synthesise(path, sample_rate=settings.sample_rate, duration=seconds)
        ax.imshow(
            log_mel(standardise(torch.from_numpy(wave)[None]), settings)[0].T,
            origin="lower",
            aspect="auto",
            cmap="magma",
        )
        ax.set_title(title, fontsize=10)
    return figure


def beside_paper(ours: pd.DataFrame, paper: pd.DataFrame, rows: dict[str, str]) -> pd.DataFrame:
    """Ours as mean ± standard deviation over runs, the paper's value and the difference, for each setup.

    `rows` maps a row of the paper's tables ("accuracy") to a column of `results.table` ("accuracy").
    """
    found = {}
    for row, column in rows.items():
        spread = ours.groupby("setup")[column].agg(["mean", "std"]).fillna(0).loc[SLUGS]
        printed = paper[paper["row"] == row].set_index("column")["value"].loc[SLUGS]
        found[row, "ours"] = [f"{mean:.2f} ± {std:.2f}" for mean, std in spread.to_numpy()]
        found[row, "paper"] = [f"{value:.2f}" for value in printed]
        found[row, "difference"] = [f"{value:+.2f}" for value in (spread["mean"] - printed).round(2) + 0.0]
    return pd.DataFrame(found, index=pd.Index(SLUGS, name="setup"))


def setup_means(ours: pd.DataFrame, column: str) -> pd.Series:
    """Mean of a column of `results.table` over all runs of each setup."""
    return ours.groupby("setup")[column].mean().loc[SLUGS]

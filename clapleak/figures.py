"""One function a figure of the paper; each takes arrays or tables and returns a matplotlib Figure."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy.stats import linregress

from clapleak import metrics, results
from clapleak.config import LEAKED, PRETRAININGS, SETUPS, TRAININGS, ClapleakError, Setup, load_profile
from clapleak.datasets import foley
from clapleak.results import Run

SLUGS = [setup.slug for setup in SETUPS]
# Okabe and Ito's palette, safe for colour-blind readers; a setup has the same colour in every figure
COLOURS = dict(zip(SLUGS, ("#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#56B4E9"), strict=True))
GREY = "#666666"
# classes by colour and shape: 10 x 5 combinations for the fifty labels of ESC-50
_SHAPES = "osD^v"
_HALO = [withStroke(linewidth=2.2, foreground="white")]
_MANY = 20  # more classes than this need another layout


def _new(width: float, height: float, **options) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = np.atleast_1d(figure.subplots(**options))
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=10)
    return figure, axes


def headline(ours: pd.DataFrame, paper: pd.DataFrame | None, *, title: str) -> Figure:
    """Accuracy of the six setups: our runs as dots with their mean, the paper's value as a diamond.

    `ours` is `results.table(...)` or has its columns setup, accuracy and chance; `paper` is `results.paper()`, or None
    where nothing in it compares.
    """
    figure, (ax,) = _new(7, 3.8)
    for x, slug in enumerate(SLUGS):
        runs = ours.loc[ours["setup"] == slug, "accuracy"]
        ax.bar(x, runs.mean(), 0.62, color=COLOURS[slug], alpha=0.85)
        ax.scatter(
            x + np.linspace(-0.16, 0.16, len(runs)), runs, 18, "white", edgecolors="black", linewidths=0.8, zorder=3
        )
    if paper is not None:
        printed = paper[paper["row"] == "accuracy"].set_index("column")["value"]
        ax.scatter(np.arange(len(SLUGS)) + 0.42, printed[SLUGS], 46, "black", marker="D", zorder=4, label="paper")
    ax.scatter([], [], 18, "white", edgecolors="black", label="ours, one run")
    ax.bar(0, 0, color=GREY, label="ours, mean")
    ax.axhline(ours["chance"].mean(), color=GREY, linestyle="--", linewidth=1, label="guessing")
    ax.set_xticks(range(len(SLUGS)), [slug.replace("-", "\n") for slug in SLUGS])
    ax.set_ylim(0, 1)
    ax.set_ylabel("zero-shot accuracy", fontsize=11)
    ax.set_title(title, fontsize=12)
    figure.legend(loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    return figure


def controls(runs: pd.DataFrame, *, title: str) -> Figure:
    """Accuracy with dirty, matched and clean training, for each pre-training; `runs` is `results.controls(...)`."""
    figure, (ax,) = _new(7, 3.8)
    looks = {"dirty": {"alpha": 0.85}, "matched": {"alpha": 0.45, "hatch": "//"}, "clean": {"alpha": 0.85}}
    for x, pretraining in enumerate(PRETRAININGS):
        for offset, (training, look) in zip((-0.29, 0, 0.29), looks.items(), strict=True):
            found = runs.loc[(runs["pretraining"] == pretraining) & (runs["training"] == training), "accuracy"]
            colour = COLOURS[f"{pretraining}-{'clean' if training == 'clean' else 'dirty'}"]
            ax.bar(x + offset, found.mean(), 0.27, color=colour, **look)
            dots = x + offset + np.linspace(-0.07, 0.07, len(found))
            ax.scatter(dots, found, 18, "white", edgecolors="black", linewidths=0.8, zorder=3)
            ax.annotate(training, (x + offset, 0), (0, -4), textcoords="offset points", ha="center", va="top", size=9)
    ax.axhline(runs["chance"].mean(), color=GREY, linestyle="--", linewidth=1, label="guessing")
    ax.set_xticks(range(len(PRETRAININGS)), [f"\npre-training {p}" for p in PRETRAININGS])
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("zero-shot accuracy", fontsize=11)
    ax.set_title(title, fontsize=12)
    ax.legend(fontsize=10, frameon=False)
    return figure


def doses(runs: pd.DataFrame, share: float | None = None) -> Figure:
    """Accuracy over the share of leaking pairs that stay in training: every run as a dot, the mean as a line.

    A `share` that was run is marked, with its mean and standard deviation as the title.
    """
    figure, (ax,) = _new(7, 3.8)
    shares = runs["training"].map(LEAKED)
    means = runs.groupby(shares)["accuracy"].mean()
    ax.plot(means.index, means, color=COLOURS["clean-dirty"], linewidth=2, label="mean")
    ax.scatter(shares, runs["accuracy"], 22, "white", edgecolors="black", linewidths=0.8, zorder=3, label="one run")
    ax.axhline(runs["chance"].mean(), color=GREY, linestyle="--", linewidth=1, label="guessing")
    ax.set_xticks(list(LEAKED.values()), [f"{dose:.0%}" for dose in LEAKED.values()])
    if share in means.index:
        found, pairs = (runs.loc[shares == share, name].astype(float) for name in ("accuracy", "pairs"))
        ax.axvline(share, color=COLOURS["clean-dirty"], alpha=0.35, linewidth=9)
        text = f"{found.mean():.2f} ± {found.std():.2f}, from {pairs.mean():.0f} pairs"
        ax.set_title(f"{share:.0%} of the leaks: accuracy {text}", fontsize=12)
    ax.set_ylim(0)
    ax.set_xlabel("share of the leaking pairs that stay", fontsize=11)
    ax.set_ylabel("zero-shot accuracy", fontsize=11)
    ax.legend(fontsize=10, frameon=False)
    return figure


def sides(worlds: dict[str, pd.DataFrame]) -> Figure:
    """Accuracy of the six setups as trained and with every label in the middle of its sounds, one panel a world.

    Each table has a row a run and the columns setup, accuracy, middle and chance.
    """
    figure, axes = _new(7, 3.9, ncols=len(worlds), sharey=True)
    square = {"marker": "s", "linewidths": 2}
    for ax, (title, runs) in zip(axes, worlds.items(), strict=True):
        means = runs.groupby("setup")[["accuracy", "middle"]].mean().reindex(SLUGS)
        for y, (slug, ends) in enumerate(means.iterrows()):
            ax.plot(ends, (y, y), color=COLOURS[slug], linewidth=5, alpha=0.45, solid_capstyle="butt")
            ax.scatter(ends["accuracy"], y, 60, COLOURS[slug], edgecolors="black", zorder=3)
            ax.scatter(ends["middle"], y, 60, "white", edgecolors=COLOURS[slug], zorder=3, **square)
        ax.axvline(runs["chance"].mean(), color=GREY, linestyle="--", linewidth=1)
        ax.set(xlim=(0, 1), xlabel="accuracy", title=title)
    axes[0].set_yticks(range(len(SLUGS)), SLUGS)
    axes[0].invert_yaxis()
    axes[0].scatter([], [], 60, GREY, edgecolors="black", label="labels where training put them")
    axes[0].scatter([], [], 60, "white", edgecolors=GREY, label="in the middle of their sounds", **square)
    axes[0].plot([], [], color=GREY, linestyle="--", linewidth=1, label="guessing")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
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
    """Share of each class's clips (rows) by the label that the model gives them (columns).

    With many classes the columns have no room for names: the answer is written beside the eight largest confusions.
    """
    many = len(classes) > _MANY
    figure, (ax,) = _new(7, 8.2 if many else 5.4)
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (labels, answers), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_yticks(range(len(classes)), classes, fontsize=9)
    ax.set_xticks([] if many else range(len(classes)), [] if many else classes, rotation=90, fontsize=9)
    ax.set_xlabel("answer" + ", in the order of the rows" * many, fontsize=11)
    ax.set_ylabel("class", fontsize=11)
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, shares)
    for flat in np.argsort(-wrong, axis=None, kind="stable")[: 8 * many]:
        row, column = divmod(int(flat), len(classes))
        if wrong[row, column]:
            side, align = (-0.8, "right") if column > len(classes) / 2 else (0.8, "left")
            ax.text(column + side, row, classes[column], fontsize=9, ha=align, va="center", path_effects=_HALO)
    figure.colorbar(image, ax=ax, location="top", shrink=0.6, aspect=40, label="share of the class's clips")
    return figure


def heat_map(lower: np.ndarray, upper: np.ndarray, names: Sequence[str], *, lines: int = 0) -> Figure:
    """Two symmetric (C, C) tables of pairs in one square, `lower` below the diagonal and `upper` above it.

    The diagonal stays empty and the scale ends at the largest value beside it. A line after every `lines` classes.
    """
    figure, (ax,) = _new(7, 8.4 if len(names) > _MANY else 5.4)
    both = np.where(np.eye(len(names)), np.nan, np.tril(lower) + np.triu(upper))
    image = ax.imshow(both, cmap="Blues", vmin=0, aspect="auto")
    ax.set_yticks(range(len(names)), names, fontsize=9)
    ax.set_xticks([])
    for edge in np.arange(lines or len(names), len(names), lines or len(names)) - 0.5:
        ax.axhline(edge, color=GREY, linewidth=0.8)
        ax.axvline(edge, color=GREY, linewidth=0.8)
    figure.colorbar(image, ax=ax, location="top", shrink=0.6, aspect=40, label="share of mixed neighbours")
    return figure


def _style(number: int) -> dict:
    return {"color": colormaps["tab10"](number % 10), "marker": _SHAPES[number // 10 % len(_SHAPES)]}


def class_colour(number: int) -> str:
    """Hexadecimal colour of a class in every map of clips; it comes again after ten classes."""
    return to_hex(_style(number)["color"])


def _write_names(ax: Axes, anchors: np.ndarray, names: Sequence[str], colours: Sequence, dots: np.ndarray) -> None:
    """Write each name by its anchor where it covers no other name and few dots; a thin line joins what is far apart.

    `anchors` (C, 2) and `dots` (N, 2) are data; the search goes on in points of the page, whose layout must be final.
    """
    size = 9
    ax.figure.draw_without_rendering()
    scale = 72 / ax.figure.dpi
    at, dots = (ax.transData.transform(points) * scale for points in (anchors, dots))
    low, high = ax.bbox.min * scale, ax.bbox.max * scale
    ways = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], axis=1)
    taken = np.empty((0, 4))  # centre and half size of the names that stand
    for i in np.argsort(-at[:, 1], kind="stable"):
        half = size * np.array([0.31 * len(names[i]), 0.62])
        steps = np.repeat([4.0, 7, 12, 18, 26, 36, 48, 64, 84], len(ways))
        centres = at[i] + np.tile(ways, (9, 1)) * (half + steps[:, None])
        centres = np.clip(centres, low + half, high - half)
        clash = (abs(centres[:, None] - taken[:, :2]) < half + taken[:, 2:]).all(2).sum(1)
        covered = (abs(centres[:, None] - dots) < half).all(2).sum(1)
        centre = centres[np.argmin(1000 * clash + 3 * covered + steps)]
        taken = np.vstack([taken, [*centre, *half]])
        far = (abs(centre - at[i]) > half + 10).any()
        ax.annotate(
            names[i], anchors[i], ax.transData.inverted().transform(centre / scale), fontsize=size, ha="center",
            va="center", color=colours[i], path_effects=_HALO,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5} if far else None,
        )  # fmt: skip


def _bare(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _cloud(ax: Axes, points: np.ndarray, labels: np.ndarray, classes: Sequence[str], *, names: bool = True) -> None:
    points, colours, middles = points.astype(float), [], []
    for number in range(len(classes)):
        chosen = points[labels == number]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=10, alpha=0.75, linewidths=0, **_style(number))
        colours.append(0.62 * np.array(_style(number)["color"][:3]))  # darker: text needs contrast
        gaps = np.linalg.norm(chosen[:, None] - chosen, axis=2).sum(1)
        middles.append(chosen[gaps.argmin()])  # medoid: a clip, so the name stands at one of its own
    if names:
        _write_names(ax, np.array(middles), classes, colours, points)


def cloud(points: np.ndarray, labels: np.ndarray, classes: Sequence[str], *, title: str) -> Figure:
    """t-SNE of clips, (N, 2), coloured and marked by class, with each class's name at its medoid."""
    figure, (ax,) = _new(7, 7 if len(classes) > _MANY else 5)
    _bare(ax)
    ax.set_title(title, fontsize=12)
    _cloud(ax, points, labels, classes)
    return figure


def six_clouds(runs: Sequence[Run]) -> Figure:
    """The paper's Figure 2: t-SNE of E_a, dirty training left (a to c), clean right; empty where a run is missing."""
    figure, axes = _new(7, 9.6, nrows=3, ncols=2)
    by_slug = {run.slug: run for run in runs}
    panels = [(by_slug.get(setup.slug), setup, ax) for setup, ax in zip(SETUPS, axes.T.flat, strict=True)]
    for run, setup, ax in panels:
        _bare(ax)
        ax.spines["top"].set(visible=True, color=COLOURS[setup.slug], linewidth=4)
        score = f"silhouette {run.metrics['silhouette']['E_a']:.2f}" if run else "no result"
        ax.set_title(f"({setup.figure[1]}) {setup.slug}, {score}", fontsize=10)
    for run, _, ax in panels:  # names last: they need the final layout
        if run:
            labels, classes = run.embeddings["labels"].astype(int), [str(c) for c in run.embeddings["classes"]]
            _cloud(ax, run.map["E_a"], labels, classes, names=len(classes) <= _MANY)
    return figure


def text_map(points: np.ndarray, classes: Sequence[str], *, title: str) -> Figure:
    """t-SNE of label embeddings, (C, 2), as the paper's Figures 3 and 4c."""
    figure, (ax,) = _new(7, 6.4 if len(classes) > _MANY else 4.5)
    points = points.astype(float)
    ax.scatter(*points.T, s=16, color=COLOURS["dirty-clean"], zorder=5)
    ax.margins(0.08, 0.06)
    _bare(ax)
    ax.set_title(title, fontsize=12)
    _write_names(ax, points, [str(c) for c in classes], ["black"] * len(classes), points)
    return figure


def over_setups(across: pd.Series, up: pd.Series) -> tuple[float, float]:
    """Pearson r and p of two Series over the six setups; NaN and NaN where a setup has no result."""
    pair = [series.reindex(SLUGS) for series in (across, up)]
    return metrics.pearson(*pair) if np.isfinite(pair).all() else (np.nan, np.nan)


def correlation_text(across: pd.Series, up: pd.Series) -> str:
    """`over_setups` for prose: "r = 0.97 (p = 0.001)", or "no results"."""
    r, p = over_setups(across, up)
    return "no results" if np.isnan(r) else f"r = {r:.2f} ({'p < 0.001' if p < 0.001 else f'p = {p:.3f}'})"


def correlation(points: dict[str, tuple[pd.Series, pd.Series]], *, x: str, y: str) -> Figure:
    """Scatter of the six setups, one panel a source.

    Parameters
    ----------
    points : dict
        Title -> two Series indexed by setup slug: what stands on x and on y. One with gaps gets no panel.
    x, y : str
        Axis labels.
    """
    points = {title: pair for title, pair in points.items() if np.isfinite(over_setups(*pair)).all()}
    figure, axes = _new(7, 3.7, ncols=len(points), squeeze=False)
    for ax, (title, (across, up)) in zip(axes.flat, points.items(), strict=True):
        across, up = across.loc[SLUGS], up.loc[SLUGS]
        others = metrics.leave_one_out(across, up)[:, 0]
        for slug in SLUGS:
            ax.scatter(across[slug], up[slug], 45, COLOURS[slug], label=slug)
        line = linregress(across, up)
        ends = np.array([across.min(), across.max()])
        ax.plot(ends, line.intercept + line.slope * ends, color=GREY, linewidth=1, zorder=0)
        ax.set_title(
            f"{title}\n{correlation_text(across, up)}\nwithout one: {others.min():.2f} to {others.max():.2f}",
            fontsize=9.5,
        )
        ax.set_xlabel(x, fontsize=10)
        ax.locator_params(nbins=5)
    axes.flat[0].set_ylabel(y, fontsize=10)
    handles, names = axes.flat[0].get_legend_handles_labels()
    rows = [0, 3, 1, 4, 2, 5]  # legends fill by column: this puts dirty training above clean training
    figure.legend(
        [handles[i] for i in rows], [names[i] for i in rows], loc="outside lower center", ncols=3, fontsize=10,
        frameon=False,
    )  # fmt: skip
    return figure


def overlap(
    clouds: dict[str, tuple[np.ndarray, np.ndarray]],
    *,
    k_max: int | None = None,
    include_self: bool = False,
    n_permutations: int = 300,
) -> Figure:
    """S_k over k for pairs of clouds, with the chance line, the band of unrelated clouds, and where S is taken.

    With a `k_max` that is given, S is the maximum up to there; a line marks it and the title gives the values.
    """
    figure, axes = _new(7, 3.3, ncols=len(clouds), sharey=True, squeeze=False)
    for ax, (title, (p, q)) in zip(axes.flat, clouds.items(), strict=True):
        found = metrics.topological_similarity(p, q, k_max=k_max, include_self=include_self)
        k = np.arange(1, len(found.curve) + 1)
        band = metrics.permutation_band(p, q, n_permutations=n_permutations, include_self=include_self)
        ax.fill_between(k, band[0], band[2], color=GREY, alpha=0.25, label="95 % of unrelated clouds")
        ax.plot(k, found.chance, color=GREY, linestyle="--", linewidth=1, label="chance")
        ax.plot(k, found.curve, color=COLOURS["dirty-clean"], label="S_k")
        label = "S, our convention" if k_max is None else "S, the maximum up to the line"
        ax.scatter([found.k], [found.value], 36, COLOURS["dirty-dirty"], zorder=4, label=label)
        if k_max is not None:
            ax.axvline(k_max, color=COLOURS["dirty-dirty"], linewidth=1)
            here = f"at k = {k_max}: S_k = {found.curve[k_max - 1]:.2f}, chance {found.chance[k_max - 1]:.2f}"
            title = f"{title}, {here}; S = {found.value:.2f} at k = {found.k}"
        ax.set_title(title, fontsize=11)
        ax.set_xlabel("k", fontsize=11)
        ax.set_ylim(0, 1.02)
    axes.flat[0].set_ylabel("shared neighbours", fontsize=11)
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return figure


def similarities(cosines: dict[str, np.ndarray], prompts: Sequence[str], *, title: str) -> Figure:
    """Cosine of one sound with every prompt, (P,), a panel a setup; the nearest prompt has the setup's colour."""
    figure, axes = _new(7, 1.3 + 0.28 * len(prompts), ncols=len(cosines), sharex=True, sharey=True, squeeze=False)
    for ax, (slug, values) in zip(axes.flat, cosines.items(), strict=True):
        places = np.arange(len(prompts))
        ax.barh(places, values, 0.7, color=[COLOURS[slug] if i == values.argmax() else "#b5b5b5" for i in places])
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set_title(slug, fontsize=11)
        ax.set_xlabel("cosine with the sound", fontsize=11)
    axes.flat[0].set_yticks(np.arange(len(prompts)), [fill(prompt, 26) for prompt in prompts])
    axes.flat[0].invert_yaxis()
    figure.suptitle(title, fontsize=12)
    return figure


def spectrograms(paths: Sequence[str], titles: Sequence[str], *, seconds: float) -> Figure:
    """Log-mel spectrograms of sounds of the embedded world, as the default profile hears them; four in a row."""
    import torch  # slow to import, and no other figure needs it

    from clapleak.audio import log_mel, standardise

    settings = load_profile("mini").audio
    rows = -(-len(paths) // 4)
    figure, axes = _new(9, 1.35 * rows, nrows=rows, ncols=4, squeeze=False)
    figure.set_dpi(72)  # noise does not compress, and a page has to load
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, path, title in zip(axes.flat, paths, titles, strict=False):
        wave = foley.synthesise(path, sample_rate=settings.sample_rate, duration=seconds)
        mel = log_mel(standardise(torch.from_numpy(wave)[None]), settings)[0].T.numpy()
        ax.imshow(mel, origin="lower", aspect="auto", cmap="magma")
        ax.set_title(title, fontsize=10)
    return figure


def table_or_note(profile: str) -> pd.DataFrame:
    """`results.table`; where a profile has no results, an empty one after a line that names the command for them."""
    try:
        return results.table(profile)
    except ClapleakError as error:
        print(error)
        measures = [f"{column}{end}" for column in results.MEASURES.values() for end in ("", "_corrected")]
        numbers = ["seed", "group", "accuracy", "chance", "epochs", "silhouette_x_a", "silhouette_E_a", *measures]
        names = ["setup", "pretraining", "training", "synthetic"]
        return pd.DataFrame({name: pd.Series(dtype=float if name in numbers else object) for name in names + numbers})


def controls_or_note(profile: str, setups: Sequence[Setup]) -> pd.DataFrame:
    """`results.controls`; where they are absent or old, an empty table and a line that names the command."""
    try:
        return results.controls(profile, setups)
    except ClapleakError as error:
        print(error)
        names = "setup pretraining training seed group accuracy chance synthetic pairs epochs"
        return pd.DataFrame(columns=names.split())


def runs_or_note(profile: str) -> list[Run]:
    """`results.read_runs`; where a profile has no results, none after a line that names the command for them."""
    try:
        return results.read_runs(profile)
    except ClapleakError as error:
        print(error)
        return []


def origin(profile: str, ours: pd.DataFrame) -> str:
    """HTML line to stand above a table: real or synthetic sounds, the profile, and how many runs a setup has."""
    if ours.empty:
        return f"<p>profile {profile}: no results</p>"
    badge = "synthetic" if ours["synthetic"].any() else "real sounds"
    counts = ours.groupby("setup").size()
    number = " to ".join(map(str, sorted({counts.min(), counts.max()})))
    return f'<p><span class="{badge.split()[0]}">{badge}</span> profile {profile}, runs a setup: {number}</p>'


def by_setup(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column of a table of runs, one row a run (group and seed) and one column a setup."""
    runs = runs.assign(group=runs["group"].astype(float).fillna(-1))
    return runs.pivot(index=["group", "seed"], columns="setup", values=column).reindex(columns=SLUGS)


def opened(values: pd.DataFrame | pd.Series) -> dict[str, list]:
    """What opening a door adds, the other one left as it is: differences of `values`, which a setup's slug selects.

    "captions" has one for each pre-training, "pre-training" one for dirty and one for clean captions.
    """
    return {
        "captions": [values[f"{p}-dirty"] - values[f"{p}-clean"] for p in PRETRAININGS],
        "pre-training": [values[f"dirty-{t}"] - values[f"clean-{t}"] for t in TRAININGS],
    }


def spread(values: pd.Series) -> str:
    """Mean ± standard deviation of runs, with two decimals; one run has no spread, and none at all is a dash."""
    mean, deviation = round(values.mean(), 2) + 0.0, values.std()  # no "-0.00"
    if np.isnan(mean):
        return "–"
    return f"{mean:.2f}" if np.isnan(deviation) else f"{mean:.2f}\u00a0±\u00a0{deviation:.2f}"  # no line breaks


def beside_paper(ours: pd.DataFrame, paper: pd.DataFrame, rows: dict[str, str]) -> pd.DataFrame:
    """Ours as mean ± standard deviation over runs, the paper's value and the difference, for each setup.

    `rows` maps a row of the paper's tables ("accuracy") to a column of `results.table` ("accuracy"). A single run has
    no spread and a setup without a run a dash.
    """
    found = {}
    for row, column in rows.items():
        printed = paper[paper["row"] == row].set_index("column")["value"].loc[SLUGS]
        found[row, "ours"] = [spread(ours.loc[ours["setup"] == slug, column]) for slug in SLUGS]
        found[row, "paper"] = [f"{value:.2f}" for value in printed]
        gaps = (setup_means(ours, column) - printed).round(2) + 0.0  # no "-0.00"
        found[row, "difference"] = ["–" if np.isnan(gap) else f"{gap:+.2f}" for gap in gaps]
    return pd.DataFrame(found, index=pd.Index(SLUGS, name="setup"))


def setup_means(ours: pd.DataFrame, column: str) -> pd.Series:
    """Mean of a column of `results.table` over all runs of each setup; NaN for a setup without a run."""
    return ours.groupby("setup")[column].mean().reindex(SLUGS)

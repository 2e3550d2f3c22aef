"""The figures of the pages, one function each: arrays or tables in, a matplotlib Figure out."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from clapleak import metrics
from clapleak.book.analysis import correlation_text
from clapleak.book.statistics import Estimate
from clapleak.book.tables import SLUGS, by_setup, with_intervals
from clapleak.config import Audio
from clapleak.results import Run
from clapleak.setups import FILTERS, SETUPS, SHARES

# Okabe and Ito's palette, safe for colour-blind readers; a setup has the same colour in every figure
COLOURS = dict(zip(SLUGS, ("#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#56B4E9"), strict=True))
GREY = "#666666"
# classes by colour and shape: 10 x 5 combinations for the fifty labels of ESC-50
_SHAPES = "osD^v"
_HALO = [withStroke(linewidth=2.2, foreground="white")]
_DOT = {"s": 20, "color": "white", "edgecolors": "black", "linewidths": 0.8, "zorder": 3}  # a single run
_CHANCE = {"color": GREY, "linestyle": "--", "linewidth": 1}
_MANY = 20  # more classes than this need another layout


def _new(width: float, height: float, *, bare: bool = False, **options) -> tuple[Figure, np.ndarray]:
    """An empty figure and its axes, an array, in inches; `bare` ones, for maps, have neither ticks nor a frame."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    axes = np.atleast_1d(figure.subplots(**options))
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        if bare:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
    return figure, axes


def _legend(figure: Figure, ax: Axes, ncols: int) -> None:
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=ncols, frameon=False)


def headline(
    runs: pd.DataFrame, marks: dict[str, pd.Series] | None = None, *, slugs: Sequence[str] = SLUGS, title: str
) -> Figure:
    """Accuracy of setups: single runs as dots, their mean as a bar, and other values as marks beside it.

    Of `runs`, a `results.table`, setup, accuracy and chance are needed. `marks` are values by setup under their name
    for the legend, such as the paper's. `slugs` are the setups from left to right; those not in the paper are hatched.
    """
    figure, (ax,) = _new(7, 3.8)
    several = runs["setup"].duplicated().any()
    for x, slug in enumerate(slugs):
        accuracy = runs.loc[runs["setup"] == slug, "accuracy"]
        look = {"alpha": 0.85} if slug in SLUGS else {"alpha": 0.45, "hatch": "//"}
        ax.bar(x, accuracy.mean(), 0.62, color=COLOURS.get(slug, COLOURS[f"{slug.partition('-')[0]}-dirty"]), **look)
        dots = accuracy if several else []
        ax.scatter(x + np.linspace(-0.16, 0.16, len(dots)), dots, **_DOT)
    for (name, values), marker in zip((marks or {}).items(), "Ds", strict=False):
        ax.scatter(np.arange(len(slugs)) + 0.42, values.reindex(slugs), 46, "black", marker=marker, label=name)
    ax.scatter([], [], **_DOT, label="one run" if several else None)
    ax.bar(0, 0, color=GREY, label="mean of runs" if several else "one run")
    ax.axhline(runs["chance"].mean(), label="guessing", **_CHANCE)
    ax.set_xticks(range(len(slugs)), [slug.replace("-", "\n") for slug in slugs])
    under = "upper word: pre-training; lower word: captions"
    ax.set(ylim=(0, 1), xlabel=under, ylabel="zero-shot accuracy", title=title)
    _legend(figure, ax, 5)
    return figure


def ladder(found: dict[str, dict[str, Estimate]], *, chance: float) -> Figure:
    """Accuracy of networks with dirty and clean captions, a line each, with intervals; see `ladder.by_captions`."""
    figure, (ax,) = _new(7, 0.8 + 0.42 * len(found))
    colours = {"dirty": COLOURS["dirty-dirty"], "clean": COLOURS["dirty-clean"]}
    for y, estimates in enumerate(found.values()):
        for name, one in estimates.items():
            label = f"captions {name}" if y == 0 else None
            gaps = [[one.value - one.low], [one.high - one.value]]
            ax.errorbar(one.value, y, xerr=gaps, fmt="o", color=colours[name], capsize=3, label=label)
    ax.axvline(chance, label="guessing", **_CHANCE)
    ax.set_yticks(range(len(found)), list(found))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="zero-shot accuracy among ten answers")
    _legend(figure, ax, 3)
    return figure


def named_points(points: pd.DataFrame, across: dict[str, str], captions: str = "clean") -> Figure:
    """Accuracy over other columns, a panel each, every point with its name; `across` has columns and labels."""
    figure, axes = _new(7, 3.4 * len(across), nrows=len(across))
    for ax, (column, label) in zip(axes, across.items(), strict=True):
        dots = points[[column, captions]].to_numpy(float)
        ax.scatter(*dots.T, 40, COLOURS[f"dirty-{captions}"], zorder=5)
        ax.margins(0.16)
        ax.set(xlabel=label, ylabel=f"accuracy, {captions} captions")
        _write_names(ax, dots, points.index, ["black"] * len(points), dots)
    return figure


def surface(means: pd.DataFrame) -> Figure:
    """Accuracy as a grid, see `degrees.surface`, with the number in every cell."""
    figure, (ax,) = _new(5.2, 4.4)
    ax.imshow(means, cmap="cividis", origin="lower")
    middle = np.nanmean(means.to_numpy())
    for (y, x), value in np.ndenumerate(means.to_numpy()):
        ax.text(x, y, f"{value:.2f}", ha="center", va="center", color="white" if value < middle else "black")
    ax.set_xticks(range(means.shape[1]), means.columns)
    ax.set_yticks(range(means.shape[0]), means.index)
    ax.set(xlabel="share of leaks in the captions", ylabel="share of leaks in the labels of pre-training")
    return figure


def shares(runs: pd.DataFrame, marked: float | None = None) -> Figure:
    """Accuracy over the share of leaking pairs that stay in training: every run as a dot, the mean as a line.

    A share that is `marked` has its mean with the interval of 95 % as the title.
    """
    figure, (ax,) = _new(7, 3.8)
    share = runs["training"].map(lambda training: FILTERS[training].share).astype(float)
    means = runs.groupby(share)["accuracy"].mean()
    ax.plot(means.index, means, color=COLOURS["clean-dirty"], linewidth=2, label="mean")
    ax.scatter(share, runs["accuracy"], **_DOT, label="one run")
    ax.axhline(runs["chance"].mean(), label="guessing", **_CHANCE)
    ticks = [FILTERS[setup.training].share for setup in SHARES]
    ax.set_xticks(ticks, [f"{tick:.0%}" for tick in ticks])
    if marked in means.index:
        chosen = runs[share == marked]
        (accuracy,) = with_intervals(by_setup(chosen, "accuracy", chosen["setup"].unique()))
        ax.axvline(marked, color=COLOURS["clean-dirty"], alpha=0.35, linewidth=9)
        ax.set_title(f"{marked:.0%} of the leaks: accuracy {accuracy}, from {chosen['pairs'].mean():.0f} pairs")
    ax.set(ylim=(0, None), xlabel="share of the leaking pairs that stay", ylabel="zero-shot accuracy")
    ax.legend(frameon=False)
    return figure


def centroids(tables: dict[str, pd.DataFrame]) -> Figure:
    """Zero-shot accuracy and accuracy with class-centroid labels of the six setups, one panel a data set.

    Each table is one of `results.table`, of which setup, accuracy, centroid_E_a and chance are needed.
    """
    figure, axes = _new(7, 3.9, ncols=len(tables), sharey=True)
    for ax, (title, runs) in zip(axes, tables.items(), strict=True):
        means = runs.groupby("setup")[["accuracy", "centroid_E_a"]].mean().reindex(SLUGS)
        colours, rows = list(COLOURS.values()), range(len(SLUGS))
        ax.hlines(rows, means["accuracy"], means["centroid_E_a"], colours, linewidth=5, alpha=0.45)
        ax.scatter(means["accuracy"], rows, 60, colours, edgecolors="black", zorder=3, label="text labels, as trained")
        square = {"marker": "s", "linewidths": 2, "edgecolors": colours, "label": "class-centroid labels"}
        ax.scatter(means["centroid_E_a"], rows, 60, "white", zorder=3, **square)
        ax.axvline(runs["chance"].mean(), label="guessing", **_CHANCE)
        # by numbers: matplotlib cannot draw names beside a panel that holds no number
        ax.set(xlim=(0, 1), xlabel="accuracy", title=title, yticks=rows, yticklabels=SLUGS)
    axes[0].invert_yaxis()
    _legend(figure, axes[0], 3)
    return figure


def history(run: Run) -> Figure:
    """Training and validation loss over the epochs of both phases; a line marks where the backbones are released."""
    figure, (ax,) = _new(7, 3)
    epochs = np.arange(1, len(run.history) + 1)
    ax.plot(epochs, run.history["train_loss"], "o--", color=GREY, label="training")
    ax.plot(epochs, run.history["val_loss"], "o-", color=COLOURS.get(run.slug, GREY), label="validation")
    frozen = int((run.history["phase"] == "frozen").sum())
    ax.axvline(frozen + 0.5, color="black", linewidth=0.8)
    ax.annotate("backbones learn from here", (frozen + 0.6, 0.97), xycoords=("data", "axes fraction"), va="top")
    ax.set(xlabel="epoch", ylabel="contrastive loss")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False)
    return figure


def _matrix(values: np.ndarray, names: Sequence[str], label: str, top: float | None = None) -> tuple[Figure, Axes]:
    """A square of values, whose rows have names and whose columns have the same order."""
    figure, (ax,) = _new(7, 8.2 if len(names) > _MANY else 5.4)
    image = ax.imshow(values, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    ax.set_yticks(range(len(names)), names, fontsize=9)
    ax.set_xticks([])
    figure.colorbar(image, ax=ax, location="top", shrink=0.6, aspect=40, label=label)
    return figure, ax


def confusion(labels: np.ndarray, answers: np.ndarray, classes: Sequence[str]) -> Figure:
    """Share of each class's clips (rows) by the label that the model gives them (columns).

    With many classes the columns have no room for names: the answer is written beside the eight largest confusions.
    """
    counts, many = np.zeros((len(classes), len(classes))), len(classes) > _MANY
    np.add.at(counts, (labels, answers), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, ax = _matrix(shares, classes, "share of the class's clips", top=1)
    if not many:
        ax.set_xticks(range(len(classes)), classes, rotation=90, fontsize=9)
    ax.set(xlabel="answer" + ", in the order of the rows" * many, ylabel="class")
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, shares)
    for flat in np.argsort(-wrong, axis=None, kind="stable")[: 8 * many]:
        row, column = divmod(int(flat), len(classes))
        if wrong[row, column]:
            side, align = (-0.8, "right") if column > len(classes) / 2 else (0.8, "left")
            ax.text(column + side, row, classes[column], fontsize=9, ha=align, va="center", path_effects=_HALO)
    return figure


def heat_map(lower: np.ndarray, upper: np.ndarray, names: Sequence[str], *, lines: int = 0) -> Figure:
    """Two symmetric (C, C) tables of pairs, one below and one above the diagonal of a square, which stays empty.

    The scale ends at the largest value; a line follows after every so many classes (0: none).
    """
    both = np.where(np.eye(len(names)), np.nan, np.tril(lower) + np.triu(upper))
    figure, ax = _matrix(both, names, "share of mixed neighbours")
    for edge in range(lines, len(names), lines) if lines else ():
        ax.axhline(edge - 0.5, color=GREY, linewidth=0.8)
        ax.axvline(edge - 0.5, color=GREY, linewidth=0.8)
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
    ax.figure.get_layout_engine().execute(ax.figure)
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


def _cloud(ax: Axes, run: Run, *, named: int | None = None) -> None:
    """Dots of a run's clips; of the classes that lie closest together, `named`, or all, have their names by them."""
    points, labels, classes = run.map[run.spaces[0]].astype(float), run.embeddings["labels"], run.embeddings["classes"]
    colours, anchors, spread = [], [], []
    for number in range(len(classes)):
        chosen = points[labels == number]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=10, alpha=0.75, linewidths=0, **_style(number))
        colours.append(0.62 * np.array(_style(number)["color"][:3]))  # darker: text needs contrast
        gaps = np.linalg.norm(chosen[:, None] - chosen, axis=2).sum(1)
        anchors.append(chosen[gaps.argmin()])  # medoid: a clip, so the name stands at one of its own
        spread.append(gaps.mean() / len(chosen))
    shown = np.argsort(spread)[:named]
    _write_names(ax, np.array(anchors)[shown], classes[shown], np.array(colours)[shown], points)


def cloud(run: Run, *, title: str) -> Figure:
    """t-SNE of E_a, or of a backbone's x_a: clips coloured and marked by class, each class named at its medoid."""
    figure, (ax,) = _new(7, 7 if len(run.embeddings["classes"]) > _MANY else 5, bare=True)
    ax.set_title(title)
    _cloud(ax, run)
    return figure


def six_clouds(runs: Sequence[Run]) -> Figure:
    """The paper's Figure 2: t-SNE of E_a, dirty training left (a to c), clean right; empty where a run is missing."""
    figure, axes = _new(7, 9.6, nrows=3, ncols=2, bare=True)
    by_slug = {run.slug: run for run in runs}
    panels = [(by_slug.get(setup.slug), setup, ax) for setup, ax in zip(SETUPS, axes.T.flat, strict=True)]
    for run, setup, ax in panels:
        ax.spines["top"].set(visible=True, color=COLOURS[setup.slug], linewidth=4)
        score = f"silhouette {run.metrics['silhouette']['E_a']:.2f}" if run else "no result"
        ax.set_title(f"({setup.figure[1]}) {setup.slug}, {score}", fontsize=10)
    for run, _, ax in panels:  # names last: they need the final layout
        if run:
            _cloud(ax, run, named=7 if len(run.embeddings["classes"]) > _MANY else None)
    return figure


def two_clouds(runs: dict[str, Run]) -> Figure:
    """x_a of backbones side by side, each under its title."""
    figure, axes = _new(4.6 * len(runs), 4.6, bare=True, ncols=len(runs))
    for ax, (title, run) in zip(axes, runs.items(), strict=True):
        ax.set_title(f"{title}\nsilhouette {run.metrics['silhouette']['x_a']:.2f}", fontsize=9.5)
    for ax, run in zip(axes, runs.values(), strict=True):  # names last, as above
        _cloud(ax, run, named=7)
    return figure


def text_map(points: np.ndarray, classes: Sequence[str], *, title: str) -> Figure:
    """t-SNE of label embeddings, (C, 2), as the paper's Figures 3 and 4c."""
    figure, (ax,) = _new(7, 6.4 if len(classes) > _MANY else 4.5, bare=True)
    points = points.astype(float)
    ax.scatter(*points.T, s=16, color=COLOURS["dirty-clean"], zorder=5)
    ax.margins(0.08, 0.06)
    ax.set_title(title)
    _write_names(ax, points, classes, ["black"] * len(classes), points)
    return figure


def correlation(points: dict[str, tuple[pd.Series, pd.Series]], *, x: str, y: str) -> Figure:
    """Scatter of the six setups, one panel a source: its title -> two Series by slug, of which none may have gaps.

    A source with gaps gets no panel; `x` and `y` are the labels of the axes.
    """
    points = {title: pair for title, pair in points.items() if correlation_text(*pair) != "no results"}
    columns = len(points) if len(points) < 4 else 2
    rows = -(-len(points) // max(columns, 1))
    figure, axes = _new(7, 0.6 + 3.1 * rows, nrows=rows, ncols=columns)
    for ax in axes.flat[len(points) :]:
        ax.remove()
    for ax, (title, (across, up)) in zip(axes.flat, points.items(), strict=False):
        across, up = across.loc[SLUGS], up.loc[SLUGS]
        others = [across.drop(slug).corr(up.drop(slug)) for slug in SLUGS]
        for slug in [SLUGS[i] for i in (0, 3, 1, 4, 2, 5)]:  # legends fill by column: dirty above clean training
            ax.scatter(across[slug], up[slug], 45, COLOURS[slug], label=slug)
        ends = np.array([across.min(), across.max()])
        ax.plot(ends, np.polyval(np.polyfit(across, up, 1), ends), color=GREY, linewidth=1, zorder=0)
        without = f"without one: {min(others):.2f} to {max(others):.2f}"
        ax.set_title(f"{title}\n{correlation_text(across, up)}\n{without}", fontsize=9.5)
        ax.set_xlabel(x)
        ax.locator_params(nbins=5)
    for ax in axes.flat[: len(points) : columns]:
        ax.set_ylabel(y)
    _legend(figure, axes.flat[0], 3)
    return figure


def overlap(
    clouds: dict[str, tuple[np.ndarray, np.ndarray]], *, k_max: int | None = None, include_self: bool = False
) -> Figure:
    """S_k over k for pairs of clouds, (n, D) and (n, D'), with chance, the band of unrelated clouds, and S.

    S is the maximum up to `k_max`, which a line marks and the title explains; by default the one of our convention.
    With `include_self` a point counts as its own neighbour, as the paper prints.
    """
    figure, axes = _new(7, 3.3, ncols=len(clouds), sharey=True)
    for ax, (title, (p, q)) in zip(axes, clouds.items(), strict=True):
        S = metrics.topological_similarity(p, q, k_max=k_max, include_self=include_self)
        k = np.arange(1, len(S.curve) + 1)
        band = metrics.permutation_band(p, q, include_self=include_self)
        ax.fill_between(k, band[0], band[2], color=GREY, alpha=0.25, label="95 % of unrelated clouds")
        ax.plot(k, S.chance, label="chance", **_CHANCE)
        ax.plot(k, S.curve, color=COLOURS["dirty-clean"], label="S_k")
        label = "S, our convention" if k_max is None else "S, the maximum up to the line"
        ax.scatter([S.k], [S.value], 36, COLOURS["dirty-dirty"], zorder=4, label=label)
        if k_max is not None:
            ax.axvline(k_max, color=COLOURS["dirty-dirty"], linewidth=1)
            here = f"at k = {k_max}: S_k = {S.curve[k_max - 1]:.2f}, chance {S.chance[k_max - 1]:.2f}"
            title = f"{title}, {here}; S = {S.value:.2f} at k = {S.k}"
        ax.set_title(title, fontsize=11)
        ax.set(xlabel="k", ylim=(0, 1.02))
    axes[0].set_ylabel("shared neighbours")
    _legend(figure, axes[0], 2)
    return figure


def similarities(cosines: dict[str, np.ndarray], prompts: Sequence[str], *, title: str) -> Figure:
    """Cosine of one sound with every prompt, (P,), a panel a setup; the nearest prompt has the setup's colour."""
    figure, axes = _new(7, 1.3 + 0.28 * len(prompts), ncols=len(cosines), sharex=True, sharey=True)
    for ax, (slug, values) in zip(axes, cosines.items(), strict=True):
        places = np.arange(len(prompts))
        ax.barh(places, values, 0.7, color=[COLOURS[slug] if i == values.argmax() else "#b5b5b5" for i in places])
        ax.axvline(0, color=GREY, linewidth=0.8)
        ax.set(title=slug, xlabel="cosine with the sound")
    axes[0].set_yticks(np.arange(len(prompts)), [fill(prompt, 26) for prompt in prompts])
    axes[0].invert_yaxis()
    figure.suptitle(title)
    return figure


def spectrograms(paths: Sequence[str], titles: Sequence[str], audio: Audio) -> Figure:
    """Log-mel spectrograms of synthetic sounds, four in a row, as a profile's front end (`audio`) sees them."""
    import torch  # slow to import, and no other figure needs it

    from clapleak import foley
    from clapleak.audio import segment_log_mel

    rows = -(-len(paths) // 4)
    figure, axes = _new(9, 1.35 * rows, nrows=rows, ncols=4)
    figure.set_dpi(72)  # noise does not compress, and a page has to load
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, path, title in zip(axes.flat, paths, titles, strict=False):
        wave = foley.synthesise(path, sample_rate=audio.sample_rate, duration=audio.segment)
        mel = segment_log_mel(torch.from_numpy(wave), audio).T.numpy()
        ax.imshow(mel, origin="lower", aspect="auto", cmap="magma")
        ax.set_title(title, fontsize=10)
    return figure


def published(models: pd.DataFrame) -> Figure:
    """Accuracy of published models over their clusters; points have a model's name and the colour of its family.

    `models` is the table of `reference/published.csv`, indexed by name. Names stand left of their points, one below the
    other; a thin line joins a name that had to move with its point.
    """
    figure, (ax,) = _new(7, 5.6)
    families, models = list(models["family"].unique()), models.sort_values("zero_shot")
    crowd = models["clustering"].sort_values().diff().gt(0.15).cumsum()  # points that share one column of names
    for _, part in models.groupby(crowd):
        places = part["zero_shot"].to_numpy(copy=True)
        for _ in range(500):
            move = np.clip(0.042 - np.diff(places), 0, None) / 2  # the height of a name
            places[:-1] -= move
            places[1:] += move
        for place, (name, row) in zip(places, part.iterrows(), strict=True):
            colour = 0.7 * np.array(colormaps["tab10"](families.index(row["family"]))[:3])
            point = row["clustering"], row["zero_shot"]
            ax.scatter(*point, 40, [colour], zorder=3)
            arrow = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 4, "relpos": (1, 0.5)}
            look = {"fontsize": 9, "ha": "right", "va": "center", "color": colour, "arrowprops": arrow}
            ax.annotate(name, point, (part["clustering"].min() - 0.03, place), **look)
    ax.set(xlim=(0, 1.02), ylim=(-0.07, 1.05), ylabel="zero-shot accuracy, ESC-50")
    ax.set_xlabel("V-measure of the clusters of the audio embedding, ESC-50")
    return figure


def overlaps(counts: pd.DataFrame, columns: dict[str, str]) -> Figure:
    """Bars by class out of all its `clips`, a panel a column of counts: `columns` are their titles by name."""
    figure, axes = _new(7, 10, ncols=len(columns), sharey=True)
    for ax, (column, title), colour in zip(axes, columns.items(), COLOURS.values(), strict=False):
        ax.barh(counts["class"], counts["clips"], color="#EEEEEE")
        ax.barh(counts["class"], counts[column], color=colour)
        ax.set(title=title, xlabel="test clips")
        ax.margins(y=0.01)
    axes[0].tick_params(axis="y", labelsize=9)
    axes[0].invert_yaxis()
    return figure

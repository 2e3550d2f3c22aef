# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which classes lie close together, counted
#
# **Question:** the paper reads from its maps that some classes overlap. Do they, when one counts in all dimensions
# instead of looking at two?

# %% tags=["remove-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from clapleak import leakage, results
from clapleak.book import analysis, figures, tables
from clapleak.book.statistics import Estimate

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
network_profile = "networks"  # real sounds, networks of others
k = 10  # neighbours of a clip that are counted
close = 0.05  # a pair counts as close when it is among this share of all pairs
shown = "clean-clean"  # setup of the heat maps
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
KEYS = ["space", "setup", "one", "other"]


def class_pairs(runs):
    """Closeness of every pair of classes in each space of each run, indexed by KEYS, group and seed."""
    parts = [pd.DataFrame(columns=[*KEYS, "group", "seed", "value"])]
    for run in runs:
        classes = run.embeddings["classes"].astype(str)
        one, other = np.triu_indices(len(classes), 1)
        names = {"setup": run.slug, "group": -1 if run.group is None else run.group, "seed": run.seed}
        names |= dict(zip(KEYS[2:], np.sort([classes[one], classes[other]], axis=0), strict=True))
        for space in sorted({"x_a", "E_a", "x_t", "E_t"} & set(run.embeddings)):
            values = analysis.closeness(run.embeddings, space, k)[one, other]
            parts.append(pd.DataFrame({**names, "space": space, "value": values}))
    return pd.concat(parts).astype({"value": float}).set_index([*KEYS, "group", "seed"])["value"]


# %% tags=["remove-input"]
def with_backbones(folder):
    """Runs whose embeddings are kept, and those of their backbones."""
    runs = tables.clouds_or_note(folder)
    backbones = [f"backbone/{pretraining}" for pretraining in ("dirty", "clean", "none")]
    return [run for run in runs + (results.read_runs(folder, backbones) if runs else []) if run.has_clouds]


names = {"real networks": network_profile, "synthetic sounds": profile}
runs = {title: with_backbones(results.folder(name, own=own)) for title, name in names.items()}
by_run = {title: class_pairs(several) for title, several in runs.items()}
pairs = {title: values.groupby(KEYS).mean().to_frame("mean") for title, values in by_run.items()}
for table in pairs.values():  # 1 is the closest pair of its space and setup
    table["rank"] = table.groupby(["space", "setup"])["mean"].rank(ascending=False)
counts = {title: np.bincount(several[0].embeddings["labels"]) for title, several in runs.items() if several}
chance = {title: sizes.mean() / (sizes.sum() - 1) for title, sizes in counts.items()}

# %% tags=["remove-input"]
seen = [
    ("4a", "x_a", "dirty", "airplane", "wind"), ("2a", "E_a", "dirty-dirty", "airplane", "wind"),
    ("2d", "E_a", "dirty-clean", "airplane", "wind"), ("4b", "x_a", "clean", "cow", "sheep"),
    ("2b", "E_a", "clean-dirty", "cow", "sheep"), ("2e", "E_a", "clean-clean", "cow", "sheep"),
    ("2d", "E_a", "dirty-clean", "crackling fire", "mouse click"),
    ("4c", "x_t", "dirty", "door wood creaks", "door wood knock"),
    ("3", "E_t", "clean-clean", "door wood creaks", "door wood knock"),
    ("4c", "x_t", "dirty", "clock alarm", "clock tick"), ("3", "E_t", "clean-clean", "clock alarm", "clock tick"),
]  # fmt: skip
claims = pd.DataFrame(seen, columns=["paper's figure", *KEYS])
sound = claims["space"].isin(["x_a", "E_a"])
here = {title: claims.join(table, on=KEYS) for title, table in pairs.items()}
limit = {title: close * len(table.groupby(["one", "other"])) for title, table in pairs.items()}
kept = {title: len({(run.group, run.seed) for run in several}) for title, several in runs.items()}

# %% tags=["remove-input"]
def verdict(title):
    """One sentence: how many of the paper's sightings are close here, in sound and in text."""
    near = here[title]["rank"] <= limit[title]
    mixed = (here[title]["mean"] > chance[title])[sound]
    pairs = here[title].loc[sound, ["one", "other"]].drop_duplicates()
    return (
        f"- **{title.capitalize()}:** among the closest {close:.0%} of all pairs are {near[sound].sum()} of the "
        f"{sound.sum()} that the paper sees in maps of sounds ({len(pairs)} different pairs) and {near[~sound].sum()} of the "
        f"{(~sound).sum()} in maps of texts. {mixed.sum()} of the {sound.sum()} lie above the chance value, the lowest of all "
        f"at {(here[title]['mean'] / chance[title])[sound].min():.2f} times it{'; one run is kept, so that none has an interval' * (kept[title] == 1)}."
    )


display(Markdown("\n".join(map(verdict, chance)) or "There are no results yet."))

# %% [markdown]
# ## How it is counted
#
# **Sounds (x_a, E_a).** Each clip has its `k` nearest other clips, by cosine in all dimensions. For two classes we take
# the share of neighbours that the clips of one have in the other, and the mean of both directions. Neighbours drawn at
# random would give $(n_i + n_j) / 2(N - 1)$ with $n_i$ and $n_j$ clips of the two classes among $N$.
#
# **Labels (x_t, E_t).** One point a class leaves no clouds to mix, so a pair has its cosine.
#
# In both, the pair's **rank** tells how many pairs are closer: 1 is the closest of all. Values are means over the runs
# whose embeddings are kept: {glue:text}`kept`. Clips of all fifty classes are counted; with real networks and clean
# captions one group of ten was left out of the training.

# %% tags=["remove-input"]
near = [(here[title]["rank"] <= limit[title]).sum() for title in chance]
glue("real_close", f"{near[0]} of {len(claims)}" if near else "None", display=False)
glue("kept", ", ".join(f"{number} of {title}" for title, number in kept.items()), display=False)

# %% [markdown]
# ## {glue:text}`real_close` of the paper's pairs are close on real sounds
#
# One line for each place where the paper points at a pair: its figure, the space, and the setup (a backbone, before any
# training with captions, has one word). Of each data set: the rank, marked with a dot where the pair is close, and the
# closeness: of sounds the share of mixed neighbours as a multiple of chance (×), of texts the cosine. Where several runs
# are kept, it has its interval of 95 % over them.

# %% tags=["hide-input"]
def ranks(column, limit=0):
    """Ranks as text, a dot where they are within the limit; a tie has half ranks, an absent pair a dash."""
    return ["–" if np.isnan(rank) else f"{rank:g}" + "\u00a0•" * (rank <= limit) for rank in column]


def closeness(title, *key):
    """Share of mixed neighbours as a multiple of chance, or the cosine of texts, with its interval over several runs."""
    values = by_run[title][by_run[title].index.droplevel(["group", "seed"]).isin([key])].to_frame()
    if key[0].endswith("t"):
        return tables.with_intervals(values)[0]
    return f"{tables.with_intervals(values / chance.get(title, np.nan))[0]} ×"


# %% tags=["hide-input"]
pair = claims["one"] + " / " + claims["other"]
place = claims["paper's figure"] + ": " + claims["space"] + " of " + claims["setup"].str.replace("-", "\u2011")  # one word
table = pd.DataFrame({"pair": pair, "the paper's figure": place})
for title, rows in here.items():
    table[f"{title}: rank"] = ranks(rows["rank"], limit[title])
    table[f"{title}: closeness"] = [closeness(title, *key) for key in claims[KEYS].itertuples(index=False)]
HTML(tables.html_table(table))

# %% [markdown]
# The same pairs in every setup, those of sounds by their rank in E_a and those of texts by their rank in E_t:

# %% tags=["hide-input"]
named = claims.assign(space=np.where(sound, "E_a", "E_t"))[["space", "one", "other"]].drop_duplicates()
for title, every in pairs.items():
    by_setup = every["rank"].unstack("setup").reindex(columns=tables.SLUGS).reindex(pd.MultiIndex.from_frame(named))
    by_setup.index = named["one"] + " / " + named["other"] + ", " + named["space"]
    display(HTML(f"<p>{title.capitalize()}</p>"), by_setup.apply(ranks, limit=limit[title]).T)

# %% [markdown]
# ## The pairs that mix most
#
# Share of mixed neighbours in E_a, for every pair that is among the first three of a setup; a dot marks where it is.

# %% tags=["hide-input"]
def top(title, every, space="E_a", count=3):
    """Pairs that are among the closest of some setup, with their closeness in all; a dot marks where they are."""
    chosen = every[every.index.get_level_values("space") == space].droplevel("space")
    best = chosen["rank"].unstack("setup").reindex(columns=tables.SLUGS) <= count
    means = chosen["mean"].unstack("setup").reindex(columns=tables.SLUGS).loc[best.any(axis=1)]
    means = means.loc[means.mean(axis=1).sort_values(ascending=False).index].rename_axis(columns=None)
    marked = means.map("{:.2f}".format) + best.loc[means.index].replace({True: "\u00a0•", False: ""})
    marked.insert(0, "pair", [" / ".join(pair) for pair in means.index])
    return HTML(f"<p>{title.capitalize()}</p>" + tables.html_table(marked))


display(*(top(title, every) for title, every in pairs.items()))

# %% [markdown]
# ## Every pair at once
#
# Dark squares off the diagonal are classes that mix. Below the diagonal stands E_a, above it the backbone's x_a: where
# both halves look alike, training with captions left the backbone's confusions as they were.

# %% tags=["hide-input"]
def matrix(title, space, slugs):
    """Closeness in one space, (C, C), mean over the runs of the setups; NaN where there is none."""
    chosen = [run for run in runs[title] if run.slug in slugs and space in run.embeddings]
    return np.mean([analysis.closeness(run.embeddings, space, k) for run in chosen], axis=0) if chosen else np.full((50, 50), np.nan)


def heat(title, order="tree"):
    """Heat map of the setup that is shown, in the order of a clustering of E_a or of ESC-50's categories."""
    classes = next((list(run.embeddings["classes"].astype(str)) for run in runs[title]), targets)
    E_a, x_a = matrix(title, "E_a", [shown]), matrix(title, "x_a", [shown.split("-")[0]])
    apart = np.nan_to_num(1 - E_a) * (1 - np.eye(len(classes)))
    tree = leaves_list(linkage(squareform(apart, checks=False), "average"))
    places = tree if order == "tree" else np.argsort([targets.index(name) for name in classes])
    return figures.heat_map(E_a[places][:, places], x_a[places][:, places], [classes[i] for i in places], lines=0 if order == "tree" else 10)


# %% tags=["hide-input"]
targets = leakage.load_labels("esc50")  # ten classes a category, in ESC-50's own order
glue("heat_networks", heat("real networks"), display=False)
glue("heat_category", heat("real networks", "category"), display=False)
glue("heat_synthetic", heat("synthetic sounds"), display=False)

# %% [markdown]
# `````{tab-set}
# ````{tab-item} Real networks
# ```{glue:figure} heat_networks
# :alt: Heat map of mixed neighbours of all pairs of classes; neighbouring rows mix most. The tables above hold the top pairs.
#
# Share of mixed neighbours, classes that mix side by side (average linkage on E_a). Lower left E_a, upper right x_a.
# ```
# ````
# ````{tab-item} By category
# ```{glue:figure} heat_category
# :alt: The same heat map with the classes in the five categories of ESC-50; lines part the categories.
#
# The same by ESC-50's categories, from top to bottom: animals, nature and water, humans, indoors, outdoors.
# ```
# ````
# ````{tab-item} Synthetic sounds
# ```{glue:figure} heat_synthetic
# :alt: Heat map of mixed neighbours of the synthetic classes; neighbouring rows mix most.
#
# The same of the synthetic sounds, in the order of their own clustering.
# ```
# ````
# `````
#
# ## Confusions {glue:text}`follow`
#
# Spearman's correlation over all pairs: whether the pairs that mix in E_a are those that mixed in the backbone before it
# met a caption, and those that are close in text. "None" is random weights; the small network's were not kept. The last
# column: whether the pairs that mix in E_a of the real networks are those that mix on synthetic sounds. Below it the
# difference of the two correlations, mean over setups, with an interval of 95 % from leaving out one class at a time.

# %% tags=["remove-input"]
wide = {title: every["mean"].unstack(["space", "setup"]) for title, every in pairs.items()}


def inherited(table):
    """Spearman's correlation over pairs of the closeness in E_a with that in other spaces, one row a setup."""
    columns, rows = table.rank().corr(), {}
    for slug in tables.SLUGS:
        column = columns.get(("E_a", slug), pd.Series(dtype=float))
        before = column.get(("x_a", slug.split("-")[0]), np.nan)
        rows[slug] = {"x_a of the backbone": before, "E_t": column.get(("E_t", slug), np.nan)}
    return pd.DataFrame(rows).T


# %% tags=["hide-input"]
links = {title: inherited(table) for title, table in wide.items()}
real, ours = (wide[title].get("E_a", pd.DataFrame()) for title in names)
agree = pd.Series({slug: real[slug].corr(ours[slug], "spearman") for slug in tables.SLUGS if slug in real and slug in ours}, dtype=float)
table = pd.concat(links, axis=1)
table["real and synthetic", "E_a"] = agree
table.map("{:.2f}".format).replace("nan", "–")

# %% tags=["remove-input"]
def lead(table):
    """How much more mixing in E_a correlates with the backbone than with the text, mean over setups, by jackknife."""
    def mean(part):
        return float(-inherited(part).dropna().diff(axis=1).iloc[:, 1].mean())

    whole, classes = mean(table), sorted(set(table.index.get_level_values("one")) | set(table.index.get_level_values("other")))
    left = [mean(table[~table.index.to_frame().eq(name).any(axis=1)]) for name in classes]  # without one class
    error = np.sqrt((len(left) - 1) * np.var(left))
    return Estimate(whole, whole - 1.96 * error, whole + 1.96 * error)


leads = {title: lead(wide[title]) for title in chance}
more = ("follow the backbone more than the text", "follow the text more than the backbone", "cannot be told to follow either more")
lines = [f"- {title.capitalize()}: they {one.words(*more)}, by {one}." for title, one in leads.items()]
display(Markdown("\n".join(lines)))

# %% tags=["remove-input"]
said = {one.words(*more) for one in leads.values()}
glue("follow", said.pop() if len(said) == 1 else "follow other things in other data", display=False)
glue("agree", float(agree.mean()), display=False)

# %% [markdown]
# ## What to notice
#
# - The paper says that confusions come from the backbone. At a correlation of 1 the pairs would stand in the same order
#   before and after the training with captions.
# - The text encoder reads real labels in both data sets. Our sounds are synthetic, so which of them are alike is a choice
#   of [the synthesiser](sounds.ipynb): the two data sets agree with a mean correlation of {glue:text}`agree:.2f`, where 1
#   is the same order of pairs and 0 no relation.
# - Two classes can touch on a map without a mixed neighbour, and mix without touching.
#
# ## Exercises
#
# **1. From the eye to the rank.** Pick two classes that touch in a panel of [Figure 2](table2_silhouette.ipynb#figure-2-of-the-paper-what-the-clusters-look-like). Guess
# their rank, then put their names into the cell.

# %% tags=["hide-cell"]
first, second = sorted(["sheep", "cow"])
for title, every in pairs.items():
    print(f"{title}, E_a: a map has two dimensions and must lay some neighbours apart.")
    display(every["rank"].unstack("setup").reindex(columns=tables.SLUGS).query("space == 'E_a' and one == @first and other == @second"))

# %% [markdown]
# **2. Words or sounds?** Of the ten pairs that mix most in E_a of clean-clean, how many share a word in their names?
# And of the ten closest in E_t?

# %% tags=["hide-cell"]
for (title, every), space in ((item, space) for item in pairs.items() for space in ("E_a", "E_t")):
    chosen = every[every.index.isin([space], level="space") & every.index.isin([shown], level="setup")]
    closest = chosen.nsmallest(10, "rank").reset_index()
    words = [set(a.split()) & set(b.split()) for a, b in zip(closest["one"], closest["other"], strict=True)]
    print(f"{title}, {space}: {sum(map(bool, words))} of {len(words)} pairs share a word")
print("A text encoder sees the words alone; an audio encoder never sees them.")

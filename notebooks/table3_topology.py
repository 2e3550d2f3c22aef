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
# # Table 3 and Figure 3: neighbourhoods in sound and in text
#
# **Question:** are the neighbours of a class the same in the audio embedding and in the text embedding?

# %% tags=["remove-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue
from scipy.stats import pearsonr

from clapleak import metrics, results
from clapleak.book import analysis, figures, site, tables
from clapleak.results import MEASURES

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
titles_profile = "networks-titles"  # the same with captions that people wrote
setup = "clean-clean"  # of the curves and of Figure 3, as in the paper
seed = 0  # of the same
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, real_folder, network_folder = (results.folder(p, own=own) for p in (profile, real_profile, network_profile))
columns, real_columns, network_columns = (tables.columns(p, own=own) for p in (profile, real_profile, network_profile))
ours, real, networks = (next(iter(c.values())) for c in (columns, real_columns, network_columns))
titled = tables.table_or_note(results.folder(titles_profile, own=own))
data_sets = {"in the paper's table": analysis.paper_runs(), "with real networks and titles": titled, "with real networks": networks}
data_sets |= {"on synthetic sounds": ours, "on real sounds with a small network": real}

# %% tags=["remove-input"]
judged = {name: analysis.judge(runs) for name, runs in data_sets.items() if len(runs)}
least = analysis.answer("E", "Sound and text share fewer neighbours than x_a and E_a, or x_t and E_t, do", judged)
follows = analysis.answer("F", "The logarithm of accuracy follows what sound and text share", judged)
corrected = {name: runs.assign(**{c: runs[f"{c}_corrected"] for c in MEASURES.values()}) for name, runs in data_sets.items() if "S_x_a_E_a_corrected" in runs}
beyond = analysis.answer("E", "And with S corrected for chance", {name: analysis.judge(runs) for name, runs in corrected.items() if len(runs)})
display(Markdown(f"{least}\n\n{beyond}\n\n{follows}"))

# %% [markdown]
# Take two clouds of $n$ points, one point a class in each. $N_k(p_i)$ is the set of the $k$ nearest points of $p_i$.
# Then $S_k$ is the mean over $i$ of $|N_k(p_i) \cap N_k(q_i)| / k$, and the paper's measure is $S = \max_k S_k$
# (section 3.2). Audio clouds consist of the mean vector of each class.

# %% tags=["remove-input"]
run = next(r for r in tables.clouds_or_note(folder) if r.slug == setup and r.seed == seed)
cloud = {name: run.embeddings[name].astype("float32") for name in ("x_a", "E_a", "x_t", "E_t")}
labels, classes = run.embeddings["labels"].astype(int), [str(c) for c in run.embeddings["classes"]]
means = {name: metrics.class_means(cloud[name], labels) for name in ("x_a", "E_a")}

# %% tags=["hide-input"] mystnb={"figure": {"name": "overlap", "caption": "S_k over all k for one clean-clean run on synthetic sounds, with the chance line, the range of unrelated clouds (permuted classes), and the point that Table 3 uses."}, "image": {"alt": "Three curves of neighbourhood overlap over k with their chance lines, which they meet at the largest k, where every set holds all other points."}}
clouds = {"x_a and E_a": (means["x_a"], means["E_a"]), "x_t and E_t": (cloud["x_t"], cloud["E_t"])}
figures.overlap({**clouds, "E_a and E_t": (means["E_a"], cloud["E_t"])})

# %% [markdown]
# ## The printed definition is always 1
#
# The paper counts a point among its own neighbours. Then $N_1(p_i) = N_1(q_i) = \{i\}$ and $S_1 = 1$, whatever the
# clouds; and $S_n = 1$, since both sets then hold everything. Two clouds of pure noise show it:

# %%
noise = np.random.default_rng(0).normal(size=(2, 50, 16))
S = metrics.neighborhood_overlap(*noise, include_self=True)
named = {"S_1": S[0], "S_2": S[1], "S_n": S[-1], "maximum": S.max()}
pd.Series(named).round(2)

# %% [markdown]
# The values printed in Table 3 are below 1, so the authors must have used another range of $k$ or left the point out;
# the paper does not say which. **Our convention:** the point itself is left out, and $k$ runs from 1 to the square root
# of the number of classes, a usual size of a neighbourhood. The chance level of $S_k$ for unrelated clouds is then
# $k / (n - 1)$, so a wide range of $k$ would reward large $k$ for nothing. A second table has each value corrected for
# chance: $(S_k - c_k) / (1 - c_k)$ with $c_k$ the chance level at the same $k$. It is 0 for unrelated clouds.

# %% [markdown]
# ## Every neighbourhood size
#
# Move the slider from the nearest class to all of them: the share of neighbours that sound (E_a) and text (E_t) have in
# common in clean-clean, beside what unrelated clouds share.

# %% tags=["remove-input"]
def each_k(name, p, q):
    """What the slider says of two clouds, a line a k: S_k, chance, and the range of 95 % of unrelated clouds."""
    S, (low, _, high) = metrics.neighborhood_overlap(p, q), metrics.permutation_band(p, q)
    words = np.select([S > high, S < low], ["more than chance gives", "less than chance gives"], "chance can give that")
    line = "<p><strong>{}: S_k = {:.2f}</strong>. Chance {:.2f}, unrelated clouds {:.2f} to {:.2f}: {}.</p>"
    return [line.format(name, *found) for found in zip(S, np.arange(1, len(S) + 1) / len(S), low, high, words, strict=True)]


# %% tags=["remove-input"]
kept = {"Real networks": tables.clouds_or_note(network_folder), "Synthetic sounds": tables.clouds_or_note(folder)}
chosen = {name: next(r.embeddings for r in runs if r.slug == "clean-clean") for name, runs in kept.items() if runs}
spaces = {name: (metrics.class_means(c["E_a"], c["labels"].astype(int)), c["E_t"]) for name, c in chosen.items()}
lines = zip(*(each_k(name, *pair) for name, pair in spaces.items()), strict=True)
frames = {f"k = {k}": "".join(said) for k, said in enumerate(lines, 1)}
alt = "Curves of neighbourhood overlap of E_a and E_t over k, with the range of unrelated clouds. The numbers stand below."
HTML(site.slider("Size of the neighbourhood", frames, 6, (figures.overlap(spaces), alt), range(1, len(frames) + 1)))

# %% [markdown]
# ## Table 3 of the paper beside ours
#
# Means with intervals of 95 %. Since the paper's convention is not known, the columns compare by their order and not by
# their height. First [networks that others trained](networks.ipynb) on real sounds, groups of ten classes:

# %% tags=["hide-input"]
rows = ["S(E_a,E_t)", "S(x_a,E_a)", "S(x_t,E_t)"]  # the main one first
display(HTML(tables.origin(network_folder, networks)))
tables.beside_paper(network_columns, rows).drop(columns="difference", level=1, errors="ignore")

# %% [markdown]
# Synthetic sounds, all fifty classes:

# %% tags=["hide-input"]
display(HTML(tables.origin(folder, ours)))
tables.beside_paper(columns, rows).drop(columns="difference", level=1, errors="ignore")

# %% [markdown]
# Real sounds and a small network:

# %% tags=["hide-input"]
display(HTML(tables.origin(real_folder, real)))
tables.beside_paper(real_columns, rows).drop(columns="difference", level=1, errors="ignore")

# %% [markdown]
# With few classes a group, chance is high and a few neighbours decide. So here are the values corrected for chance:

# %% tags=["hide-input"]
corrected = {}
for name, table in {"real networks": networks, "synthetic": ours, "small network, real": real}.items():
    for row in rows:
        corrected[name, row] = tables.intervals(table, f"{tables.ROWS[row]}_corrected")
corrected = pd.DataFrame(corrected, index=pd.Index(tables.SLUGS, name="setup"))
corrected.stack(0).swaplevel().sort_index(kind="stable", level=0, sort_remaining=False)

# %% [markdown]
# ## The correlation with accuracy
#
# The paper correlates S(E_a, E_t) with the logarithm of accuracy. The two are partly the same thing: a clip is right
# when its label is nearest, and S asks which labels are near.

# %% tags=["hide-input"] mystnb={"figure": {"name": "corr-topology", "caption": "Logarithm of accuracy over S(E_a, E_t). One point is a setup."}, "image": {"alt": "Five scatter plots of log accuracy over S(E_a, E_t) for the six setups; correlations stand in the titles."}}
points = {}
titles = ("paper", "real networks, titles", "real networks, templates", "synthetic sounds", "small network, real sounds")
for name, table in zip(titles, data_sets.values(), strict=True):
    accuracy = tables.setup_means(table, "accuracy")
    points[name] = (tables.setup_means(table, "S_E_a_E_t"), np.log(accuracy))
figures.correlation(points, x="S(E_a, E_t)", y="log accuracy")

# %% [markdown]
# ## Figure 3 of the paper: the order of the labels
#
# Do labels move to where their sounds are, or do they stay ordered by meaning? The paper shows E_t, the labels in the
# joint space, of the clean-clean setup: "door wood knock" lies by "door wood creaks", although the two sound different.

# %% tags=["remove-input"]
def unit_similarity(cloud):
    """Cosine of every pair of classes, (C, C), of one vector a class."""
    unit = metrics.unit(cloud)
    return unit @ unit.T


# %% tags=["remove-input"]
text, audio = unit_similarity(cloud["E_t"]), unit_similarity(means["E_a"])
first, second = np.triu_indices(len(classes), 1)
pairs = pd.DataFrame({"one": np.array(classes)[first], "other": np.array(classes)[second]})
pairs["cosine in E_t"], pairs["cosine in E_a"] = text[first, second], audio[first, second]
pairs["rank in E_t"], pairs["rank in E_a"] = (
    pairs[f"cosine in {name}"].rank(ascending=False).astype(int) for name in ("E_t", "E_a")
)

# %% tags=["remove-input"]
before = unit_similarity(cloud["x_t"])[first, second]
by_text, by_sound = (pearsonr(pairs["cosine in E_t"], other)[0] for other in (before, pairs["cosine in E_a"]))
keeps = "It stays closer to the order of the words" if by_text > by_sound else "It comes closer to the order of the sounds"
glue("keeps", f"{keeps}: over all pairs of labels r = {by_text:.2f} with x_t and {by_sound:.2f} with E_a", display=False)

# %% [markdown]
# {glue:text}`keeps` (one run on synthetic sounds).

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig3-networks", "caption": "Paper Figure 3 with a real network: t-SNE of the label embeddings E_t after BYOL-A and clean captions, real ESC-50. The text encoder is frozen; the projection moves the labels."}, "image": {"alt": "t-SNE map of the fifty label embeddings, each with its name, of a model trained on real sounds."}}
for other in tables.clouds_or_note(network_folder):
    if other.slug == setup and other.seed == seed:
        display(figures.text_map(other.map["E_t"], other.embeddings["classes"], title=f"E_t, {setup}, real networks"))

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig3", "caption": "Paper Figure 3 on synthetic sounds: t-SNE of the label embeddings E_t after clean pre-training and clean captions. The labels and the text encoder are real."}, "image": {"alt": "t-SNE map of the fifty label embeddings, each with its name; the nearest pairs are listed below."}}
figures.text_map(run.map["E_t"], classes, title=f"E_t, {setup}")

# %% [markdown]
# The label pairs with the highest cosine in E_t, and how their sounds rank as pairs in E_a (1 is the closest):

# %% tags=["hide-input"]
HTML(tables.html_table(pairs.nlargest(10, "cosine in E_t").drop(columns="rank in E_t")))

# %% [markdown]
# The pairs that the paper names:

# %% tags=["hide-input"]
named = [("door wood creaks", "door wood knock"), ("clock alarm", "clock tick"), ("airplane", "wind"), ("cow", "sheep")]
named += [("crackling fire", "mouse click")]
pairs.set_index(["one", "other"]).loc[named, ["rank in E_t", "rank in E_a"]]

# %% tags=["remove-input"]
glue("pairs", len(pairs), display=False)
for key, table in (("networks", networks), ("ours", ours), ("real", real)):
    smallest = table[["S_x_a_E_a", "S_x_t_E_t"]].min(axis=1) > table["S_E_a_E_t"]
    glue(f"lower_{key}", f"{int(smallest.sum())} of {len(table)}", display=False)
raw = analysis.correlation_text(tables.printed("S(E_a,E_t)"), tables.printed("accuracy"))
glue("r_raw", raw, display=False)
glue("r_log", analysis.correlation_text(*points["paper"]), display=False)

# %% [markdown]
# ## What to notice
#
# - S(E_a, E_t) is the smallest of the three in {glue:text}`lower_networks` runs with real networks, in
#   {glue:text}`lower_ours` on synthetic sounds and in {glue:text}`lower_real` on real sounds with a small network.
# - In the paper's values the logarithm matters: {glue:text}`r_log` with it (from rounded values; the paper itself states
#   a little more), {glue:text}`r_raw` without.
# - Of {glue:text}`pairs` pairs of labels, rank 1 is the closest. Pairs that share a word rank high in text; see where
#   their sounds rank. [Which classes lie close together, counted](neighbours.ipynb) does this for all six setups.
#
# ## Exercises
#
# **1. The widest range.** What does S become if $k$ may run up to $n - 1$, self left out?

# %% tags=["hide-cell"]
pair = (means["E_a"], cloud["E_t"])
wide = metrics.topological_similarity(*pair, k_max=len(cloud["E_t"]) - 1)
print(f"S = {wide.value:.2f} at k = {wide.k}: every set then holds all other points")

# %% [markdown]
# **2. What is S of noise?** Two clouds of fifty random points have nothing to do with each other. Which S do you expect
# by our convention, and which corrected value?

# %% tags=["hide-cell"]
rng = np.random.default_rng(1)
found = [metrics.topological_similarity(*rng.normal(size=(2, 50, 16))) for _ in range(200)]
print(f"S = {np.mean([f.value for f in found]):.2f}, corrected {np.mean([f.corrected for f in found]):.2f}")
print(f"Chance at the largest k that we allow is {found[0].chance[round(50**0.5) - 1]:.2f}: S is never compared with zero.")

# %% [markdown]
# **3. The power of a word.** How much closer are two labels that share a word, in text and in sound?

# %% tags=["hide-cell"]
common = [bool(set(a.split()) & set(b.split())) for a, b in zip(pairs["one"], pairs["other"], strict=True)]
share = pd.Series(common, name="share a word").map({True: "yes", False: "no"})
print("A text encoder puts like words together, whatever they sound like; where sounds gain as well, the thing is the same.")
pairs.groupby(share)[["cosine in E_t", "cosine in E_a"]].agg(["mean", "count"]).round(2)

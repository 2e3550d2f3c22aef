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
# # Figure 3: the text embedding keeps its own order
#
# **Question:** do labels move to where their sounds are, or do they stay ordered by meaning?
#
# The paper shows E_t, the labels in the joint space, of the clean-clean setup: "door wood knock" lies by "door wood
# creaks", although the two sound different.

# %% tags=["hide-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue
from scipy.stats import pearsonr

from clapleak import metrics, results
from clapleak.book import figures, tables

# %% tags=["parameters", "hide-input"]
profile = "mini"  # synthetic sounds
network_profile = "networks"  # real sounds, networks of others
setup = "clean-clean"  # as in the paper
seed = 0  # run that is shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["hide-input"]
folder = results.folder(profile, own=own)
run = next(run for run in tables.clouds_or_note(folder) if run.slug == setup and run.seed == seed)
classes = [str(c) for c in run.embeddings["classes"]]

# %% [markdown]
# ## Real networks on real sounds
#
# E_t after BYOL-A and captions without the names of ten classes. The text encoder is frozen here: what moves the labels
# is the projection.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig3-networks", "caption": "Paper Figure 3 with a real network: t-SNE of the label embeddings E_t, clean pre-training and clean captions, real ESC-50."}, "image": {"alt": "t-SNE map of the fifty label embeddings, each with its name, of a model trained on real sounds."}}
for other in tables.clouds_or_note(results.folder(network_profile, own=own)):
    if other.slug == setup and other.seed == seed:
        display(figures.text_map(other.map["E_t"], other.embeddings["classes"], title=f"E_t, {setup}, real networks"))

# %% [markdown]
# ## Synthetic sounds, a small network

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig3", "caption": "Paper Figure 3, ours: t-SNE of the label embeddings E_t after clean pre-training and clean training (synthetic sounds; the labels and the text encoder are real)."}, "image": {"alt": "t-SNE map of the fifty label embeddings, each with its name; the nearest pairs are listed below."}}
figures.text_map(run.map["E_t"], classes, title=f"E_t, {setup}")

# %% [markdown]
# ## The nearest pairs, in text and in sound
#
# Measured in all dimensions: the label pairs with the highest cosine in E_t, and how their sounds rank as pairs in E_a
# (1 is the closest of all pairs).

# %% tags=["hide-input"]
def pair_similarity(cloud):
    """Cosine of every pair of classes, (C, C), of one vector a class."""
    unit = cloud / np.linalg.norm(cloud, axis=1, keepdims=True)
    return unit @ unit.T


labels = run.embeddings["labels"].astype(int)
text = pair_similarity(run.embeddings["E_t"].astype("float32"))
audio = pair_similarity(metrics.class_means(run.embeddings["E_a"].astype("float32"), labels))
first, second = np.triu_indices(len(classes), 1)
pairs = pd.DataFrame({"one": np.array(classes)[first], "other": np.array(classes)[second]})
pairs["cosine in E_t"], pairs["cosine in E_a"] = text[first, second], audio[first, second]
pairs["rank in E_a"] = pairs["cosine in E_a"].rank(ascending=False).astype(int)
HTML(tables.html_table(pairs.nlargest(12, "cosine in E_t")))

# %% [markdown]
# The pairs that the paper names:

# %%
named = [("door wood creaks", "door wood knock"), ("clock alarm", "clock tick"), ("airplane", "wind"), ("cow", "sheep")]
named += [("crackling fire", "mouse click")]
ranked = pairs.assign(text_rank=pairs["cosine in E_t"].rank(ascending=False).astype(int)).set_index(["one", "other"])
shown = ranked.loc[named, ["text_rank", "rank in E_a"]].rename(columns={"text_rank": "rank in E_t"})
shown

# %% tags=["remove-input"]
glue("pairs", len(pairs), display=False)
r, p = pearsonr(pairs["cosine in E_t"], pairs["cosine in E_a"])
glue("agreement", float(r), display=False)

# %% [markdown]
# ## What to notice
#
# - Of {glue:text}`pairs` pairs, rank 1 is the closest. Pairs that share a word rank high in text; see where their
#   sounds rank. These are ranks of class means in one run; [what the eye claims, counted](neighbours.ipynb) ranks by
#   mixed neighbours, so its numbers differ.
# - Over all pairs the correlation of closeness in text and closeness in sound is {glue:text}`agreement:.2f`. At 1 both
#   would put the pairs in the same order.
# - The paper shows this map for ESC-50's labels. Labels and text encoder are real here as well; the training data are
#   synthetic.
#
# ## Exercises
#
# **1. Alike in sound, apart in meaning.** Name two labels that sound alike and mean different things, and look whether
# they are among the pairs with the largest gap.

# %% tags=["hide-cell"]
apart = pairs.assign(gap=pairs["cosine in E_a"] - pairs["cosine in E_t"])
HTML(tables.html_table(apart.nlargest(5, "gap")))

# %% [markdown]
# **2. The power of a word.** How much closer are two labels that share a word, in text and in sound?

# %% tags=["hide-cell"]
common = [bool(set(a.split()) & set(b.split())) for a, b in zip(pairs["one"], pairs["other"], strict=True)]
share = pd.Series(common, name="share a word").map({True: "yes", False: "no"})
pairs.groupby(share)[["cosine in E_t", "cosine in E_a"]].agg(["mean", "count"]).round(2)

# %% [markdown]
# **3. Whose order is it?** The labels in E_t come from x_t and were trained towards E_a. Which of the two does their
# order of pairs follow more?

# %% tags=["hide-cell"]
before = pair_similarity(run.embeddings["x_t"].astype("float32"))[first, second]
for name, other in (("x_t", before), ("E_a", pairs["cosine in E_a"])):
    print(f"closeness in E_t and in {name}: r = {pearsonr(pairs['cosine in E_t'], other)[0]:.2f}")

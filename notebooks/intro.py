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
# # What a leaked label is worth
#
# **Question:** a model names sounds of classes that it was "never trained on", and it is often right. Is it clever, or
# has it heard the answers before?
#
# Tavares, Ayres, Wang and Smaragdis asked this about CLAP, a model that matches sounds with sentences
# {cite:p}`tavares2024separability`. They trained it six times. The audio network was **pre-trained** on labels that
# include those of the test (*dirty*), on labels without them (*clean*), or not at all (*none*). The **training** with
# captions then used all captions (*dirty*) or only those without a word of the test labels (*clean*). Their claim:
#
# > A significant part of the measured zero-shot accuracy is inherited from the backbones. It is not learnt in the
# > space that sound and text share.
#
# This book makes the six experiments again, on any laptop. It shows every table of the paper with ours beside it, and
# makes every figure again.

# %% tags=["hide-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from clapleak import results
from clapleak.book import analysis, figures, tables

# %% tags=["parameters"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # results on real recordings, shown beside them
own = False  # show the runs of this machine (build/results) instead of the published ones

# %% [markdown]
# ## The result in one picture

# %% tags=["hide-input"] mystnb={"figure": {"name": "headline", "caption": "Zero-shot accuracy of the six setups: ours on synthetic sounds (one dot a seed) and the paper's printed values. A setup is named pre-training first, training second."}, "image": {"alt": "Zero-shot accuracy of the six setups, ours beside the paper's. The numbers stand in the table below."}}
columns, real_columns = tables.columns(profile, own=own), tables.columns(real_profile, own=own)
(name, ours), *published = columns.items()
real = next(iter(real_columns.values()))
marks = {"paper": tables.printed("accuracy")} | {n: tables.setup_means(t, "accuracy") for n, t in published}
figures.headline(ours, marks, title="What leaks are worth")

# %% [markdown]
# ## The result in one table
#
# Ours is the mean ± standard deviation over seeds, for real sounds over seeds and groups of classes. The last line is
# what guessing would give.

# %%
table = tables.beside_paper(columns, ["accuracy"])["accuracy"].add_suffix(", synthetic")
table = table.rename(columns={"paper, synthetic": "paper", "difference, synthetic": "difference"}).rename_axis(None)
for key, runs in real_columns.items():
    table[f"{key}, real sounds"] = tables.beside_paper({key: runs}, ["accuracy"])["accuracy", key]
chance = {"synthetic": ours["chance"].mean(), "real sounds": real["chance"].mean()}
guesses = [f"{chance[key.split(', ')[1]]:.2f}" if ", " in key else "" for key in table]
table.loc["guessing"] = [guess.replace("nan", "–") for guess in guesses]
origins = [tables.origin(results.folder(p, own=own), runs) for p, runs in ((profile, ours), (real_profile, real))]
display(HTML("".join(origins)), table)

# %% [markdown]
# What leaks of one kind add: accuracy with them minus accuracy without them, while the other kind is left as it is (mean
# over its states):

# %%
means = {"paper": tables.printed("accuracy")}
means |= {"ours": tables.setup_means(ours, "accuracy"), "real": tables.setup_means(real, "accuracy")}
pd.DataFrame({name: analysis.mean_gains(values) for name, values in means.items()}).round(2)

# %% tags=["remove-input"]
for name, values in means.items():
    glue(f"{name}_dirty", float(values["dirty-dirty"]), display=False)
    glue(f"{name}_clean", float(values["clean-clean"]), display=False)
    for path, gain in analysis.mean_gains(values).items():
        glue(f"{name}_{path}", gain, display=False)

# %% tags=["remove-input"]
glue("seeds", int(ours["seed"].nunique()), display=False)
glue("groups", int(real["group"].nunique()), display=False)
data = results.read_runs(results.folder(real_profile, own=own))[0].metrics["data"] if len(real) else {}
glue("real_classes", data.get("complete_classes", 0), display=False)
glue("real_missing", data.get("missing_clips", 0), display=False)
glue("real_chance", float(real["chance"].mean()), display=False)

# %% [markdown]
# <span class="synthetic">synthetic</span> Synthetic sounds, {glue:text}`seeds` seeds: with leaks in the pre-training
# labels and in the captions the model is right in {glue:text}`ours_dirty:.2f` of all cases, without either in
# {glue:text}`ours_clean:.2f` (paper: {glue:text}`paper_dirty:.2f` and {glue:text}`paper_clean:.2f`). Leaks in the
# captions add {glue:text}`ours_captions:.2f` to accuracy (paper: {glue:text}`paper_captions:.2f`), leaks in the
# pre-training labels {glue:text}`ours_pre-training:.2f` (paper: {glue:text}`paper_pre-training:.2f`).
#
# <span class="real">real sounds</span> ESC-50, {glue:text}`groups` groups of classes: {glue:text}`real_dirty:.2f` with
# both kinds of leaks and {glue:text}`real_clean:.2f` without, where guessing gives {glue:text}`real_chance:.2f`. Leaks
# in the captions add {glue:text}`real_captions:.2f`, leaks in the pre-training labels
# {glue:text}`real_pre-training:.2f`. Only {glue:text}`real_classes` of the fifty classes are tested, since our copy
# lacks {glue:text}`real_missing` clips. Without leaks this model has only the remaining classes to learn from.
#
# The paper's networks are CNN14 and BERT. Both columns of ours rest on a narrow CNN14 and on MiniLM, which a laptop can
# train; [the deviations](../deviations.md) list every difference.
#
# ```{admonition} Two kinds of sounds
# :class: note
# Results marked <span class="synthetic">synthetic</span> rest on sounds that our own synthesiser makes, so that anyone
# can run everything without a download. They show the mechanism. Results marked
# <span class="real">real sounds</span> rest on recordings of ESC-50.
# ```
#
# ## The way through this book
#
# 1. **The question.** [The loss by hand](idea.ipynb), [where leaks come in](leaks.ipynb) and
#    [the sounds that we learn from](sounds.ipynb).
# 2. **Six setups.** One page each, from [leaks in both trainings](setup_dirty-dirty.ipynb) to
#    [no leak and no pre-training](setup_none-clean.ipynb): training curves, confusions, hits and misses to listen to.
# 3. **Results.** [Table 1](table1_accuracy.ipynb), [Figure 2](fig2_tsne_audio.ipynb),
#    [Table 2](table2_silhouette.ipynb), [Figure 3](fig3_tsne_text.ipynb), [Table 3](table3_topology.ipynb) and
#    [Figure 4](fig4_backbones.ipynb) of the paper, the tables with theirs beside ours; then
#    [what reproduces, claim by claim](claims.ipynb).
# 4. **Look closer.** [Controls that the paper lacks](controls.ipynb), [which embedding a leak moves](centroids.ipynb), all six
#    maps [to touch and to hear](explorer.ipynb), [what the eye claims, counted](neighbours.ipynb), and
#    [knobs to turn yourself](live.ipynb).
# 5. **Teach.** [A lesson and a short course](../teaching.md), and a [cheat sheet](../cheatsheet.md) to print. Nearly
#    every page has exercises: predict first, then unfold the solution.
# 6. **Behind the results.** [What we did otherwise, and where the paper contradicts itself](../deviations.md), a
#    [glossary](../glossary.md), how to [run it yourself](../run.md), and [your run beside ours](yours.ipynb).
#
# ## What to notice
#
# - The order of the setups matters more than the height of a single bar: see which steps down are as large as the
#   spread, and which are larger.
# - Removing leaks also removes data. Not all of a drop is a leak; see
#   [clean also means less](../deviations.md#clean-also-means-less).
#
# ## Exercises
#
# **1. Do the two kinds of leaks add up?** Removing one kind alone costs accuracy, from dirty-dirty to dirty-clean or to
# clean-dirty. Will removing both cost the sum of the two, more, or less? Say why, then look.

# %% tags=["hide-cell"]
for name, values in means.items():
    one, other, both = values["dirty-dirty"] - values[["dirty-clean", "clean-dirty", "clean-clean"]]
    if both == both:  # a setup without a run leaves a gap
        print(f"{name}: captions {one:.2f}, pre-training {other:.2f}, together {both:.2f}, sum {one + other:.2f}")

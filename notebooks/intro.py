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
from myst_nb import glue

from clapleak import figures, results

# %% tags=["parameters"]
profile = "mini"  # results shown first; the embedded world, synthetic
real_profile = "esc50"  # results on real recordings, shown beside them

# %% [markdown]
# ## The result in one picture

# %% tags=["hide-input"] mystnb={"figure": {"name": "headline", "caption": "Zero-shot accuracy of the six setups: ours on the embedded world (synthetic sounds; one dot a seed) and the paper's printed values. A setup is named pre-training first, training second."}, "image": {"alt": "Zero-shot accuracy of the six setups, ours beside the paper's. The numbers stand in the table below."}}
ours, real = figures.table_or_note(profile), figures.table_or_note(real_profile)
paper = results.paper()
figures.headline(ours, paper, title="What leaks are worth")

# %% [markdown]
# ## The result in one table
#
# Ours is the mean ± standard deviation over seeds, for real sounds over seeds and groups of classes. The last line is
# what guessing would give.

# %%
rows = {"accuracy": "accuracy"}  # of the paper's tables: of ours
ours_table = figures.beside_paper(ours, paper, rows)["accuracy"]
real_table = figures.beside_paper(real, paper, rows)["accuracy"]
table = ours_table[["paper", "ours", "difference"]].rename_axis(None)
table = table.rename(columns={"ours": f"{profile} (synthetic)"})
table[f"{real_profile} (real sounds)"] = real_table["ours"]
chance = [f"{runs['chance'].mean():.2f}" if len(runs) else "–" for runs in (ours, real)]
table.loc["guessing"] = ["", chance[0], "", chance[1]]
table

# %% [markdown]
# A door is worth what accuracy gains when it is opened, the other one left as it is (mean over its states):

# %%
def doors(grid):
    """Mean gain by leaks in the captions, and in the labels of the pre-training."""
    captions = (grid.loc["dirty"] - grid.loc["clean"]).mean()
    labels = (grid["dirty"] - grid["clean"]).mean()
    return {"captions": captions, "labels": labels}


printed = paper[paper["row"] == "accuracy"].set_index("column")["value"]
names = printed.index.str.split("-", expand=True).set_names(["pretraining", "training"])
grids = {"paper": printed.set_axis(names).unstack("pretraining")}
for name, runs in (("ours", ours), ("real", real)):  # a setup without a run leaves a gap
    grids[name] = figures.setup_means(runs, "accuracy").set_axis(names).unstack("pretraining")

# %% tags=["remove-input"]
for name, grid in grids.items():
    glue(f"{name}_open", float(grid.loc["dirty", "dirty"]), display=False)
    glue(f"{name}_shut", float(grid.loc["clean", "clean"]), display=False)
    for door, gain in doors(grid).items():
        glue(f"{name}_{door}", float(gain), display=False)

# %% tags=["remove-input"]
glue("seeds", int(ours["seed"].nunique()), display=False)
glue("groups", int(real["group"].nunique()), display=False)
data = results.read_runs(real_profile)[0].metrics["data"] if len(real) else {}
glue("real_classes", data.get("complete_classes", 0), display=False)
glue("real_missing", data.get("missing_clips", 0), display=False)
glue("real_chance", float(real["chance"].mean()), display=False)

# %% [markdown]
# <span class="synthetic">synthetic</span> The embedded world, {glue:text}`seeds` seeds: with both doors open the model
# is right in {glue:text}`ours_open:.2f` of all cases, with both shut in {glue:text}`ours_shut:.2f` (paper:
# {glue:text}`paper_open:.2f` and {glue:text}`paper_shut:.2f`). Leaks in the captions are worth
# {glue:text}`ours_captions:.2f` (paper: {glue:text}`paper_captions:.2f`), leaks in the pre-training labels
# {glue:text}`ours_labels:.2f` (paper: {glue:text}`paper_labels:.2f`).
#
# <span class="real">real sounds</span> ESC-50, {glue:text}`groups` groups of classes: {glue:text}`real_open:.2f` with
# both doors open and {glue:text}`real_shut:.2f` with both shut, where guessing gives {glue:text}`real_chance:.2f`. Leaks
# in the captions are worth {glue:text}`real_captions:.2f`, leaks in the pre-training labels {glue:text}`real_labels:.2f`.
# Only {glue:text}`real_classes` of the fifty classes are tested, since our copy lacks {glue:text}`real_missing` clips. With
# both doors shut this model has only the remaining classes to learn from.
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
#    [the sounds that we learn from](world.ipynb).
# 2. **Six setups.** One page each, from [both doors open](setup_dirty-dirty.ipynb) to
#    [none left](setup_none-clean.ipynb): training curves, confusions, hits and misses to listen to.
# 3. **Results.** [Table 1](table1_accuracy.ipynb), [Figure 2](fig2_tsne_audio.ipynb),
#    [Table 2](table2_silhouette.ipynb), [Figure 3](fig3_tsne_text.ipynb), [Table 3](table3_topology.ipynb) and
#    [Figure 4](fig4_backbones.ipynb) of the paper, the tables with theirs beside ours; then
#    [what reproduces, claim by claim](claims.ipynb).
# 4. **Look closer.** [Controls that the paper lacks](controls.ipynb), [which side a leak moves](sides.ipynb), all six
#    maps [to touch and to hear](explorer.ipynb), [what the eye claims, counted](neighbours.ipynb), and
#    [knobs to turn yourself](live.ipynb).
# 5. **Teach.** [A lesson and a short course](../teaching.md), and a [cheat sheet](../cheatsheet.md) to print. Nearly
#    every page has exercises: predict first, then unfold the solution.
# 6. **Behind the results.** [What we did otherwise, and where the paper contradicts itself](../deviations.md), a
#    [glossary](../glossary.md), and how to [run it yourself](../run.md).
#
# ## What to notice
#
# - The order of the setups matters more than the height of a single bar: see which steps down are as large as the
#   spread, and which are larger.
# - Shutting a door also removes data. Not all of a drop is a leak; see
#   [clean also means less](../deviations.md#clean-also-means-less).
#
# ## Exercises
#
# **1. Do the doors add up?** Shutting one door alone costs accuracy, from dirty-dirty to dirty-clean or to clean-dirty.
# Will shutting both cost the sum of the two, more, or less? Say why, then look.

# %% tags=["hide-cell"]
for name, grid in grids.items():
    one, other = grid.loc["dirty", "dirty"] - grid.loc["clean", "dirty"], grid.loc["dirty", "dirty"] - grid.loc["dirty", "clean"]
    both = grid.loc["dirty", "dirty"] - grid.loc["clean", "clean"]
    if both == both:  # a setup without a run leaves a gap
        print(f"{name}: captions {one:.2f}, pre-training {other:.2f}, together {both:.2f}, sum {one + other:.2f}")

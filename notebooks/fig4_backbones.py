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
# # Figure 4: the clusters before any caption was read
#
# **Question:** which clusters exist before any caption was read, and does training with captions find new ones?

# %% tags=["remove-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown

from clapleak import metrics, results
from clapleak.book import figures, ladder, tables

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
seed = 0  # run that is shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, real_folder = results.folder(profile, own=own), results.folder(real_profile, own=own)
shown = {run.pretraining: run for run in results.read_backbones(folder) if run.seed == seed}
labels = {name: run.embeddings["labels"].astype(int) for name, run in shown.items()}
classes = [str(c) for c in shown["dirty"].embeddings["classes"]]

# %% tags=["remove-input"]
def before_and_after(folder):
    """Mean silhouette of x_a before cross-modal training, and after it with dirty and clean captions."""
    runs = results.read_backbones(folder)
    before = pd.DataFrame([{"before": r.metrics["silhouette"]["x_a"], "pretraining": r.pretraining} for r in runs])
    after = results.table(folder).groupby(["pretraining", "training"])["silhouette_x_a"].mean().unstack()
    table = before.groupby("pretraining").mean()
    return table.join(after.add_prefix("after, captions ")).reindex(["dirty", "clean"])


# %% tags=["remove-input"]
parts = {"synthetic sounds": before_and_after(folder)}
if len(tables.table_or_note(real_folder)):
    parts["small network, real sounds"] = before_and_after(real_folder)
table = pd.concat(parts, names=["sounds", "pre-training"])
change = table.round(2).sub(table["before"].round(2), axis=0).drop(columns="before").stack()
most = change.abs().idxmax()

# %% tags=["remove-input"]
before = {name: part["before"] for name, part in parts.items()}
made_by_others = tables.clouds_or_note(results.folder(network_profile, own=own), results.read_backbones)
before |= {"real networks": pd.Series({run.pretraining: run.metrics["silhouette"]["x_a"] for run in made_by_others})}
higher = [f"{b['dirty']:.2f} and {b['clean']:.2f} ({name})" for name, b in before.items() if {"dirty", "clean"} <= set(b.index)]
every = all(b["dirty"] > b["clean"] for b in before.values() if {"dirty", "clean"} <= set(b.index))
display(Markdown(
    f"**Before any caption,** the silhouette of x_a after dirty and after clean pre-training is {', '.join(higher)}: "
    f"{'every time' if every else 'not every time'} higher with the labels of the test. **Training with captions** raises it in "
    f"{(change > 0).sum()} of {len(change)} cases; the largest change is {change[most]:+.2f} ({', '.join(most).replace('after, ', '')})."
))  # fmt: skip

# %% [markdown]
# The paper shows the embeddings before cross-modal training: x_a of the audio network pre-trained on dirty labels (a)
# and on clean ones (b), and x_t of the text encoder (c).
#
# ## Real networks on real sounds
#
# x_a of YAMNet, which has seen AudioSet's labels, and of BYOL-A, which has not.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig4-networks", "caption": "Paper Figure 4 a and b with real networks: t-SNE of x_a of all fifty classes of ESC-50, YAMNet on the left, BYOL-A on the right."}, "image": {"alt": "Two t-SNE maps of real clips, by a network that saw labels and by one that saw none."}}
if made_by_others:
    display(figures.two_clouds({f"{run.pretraining}: {ladder.title(run.pretraining)}": run for run in made_by_others}))

# %% [markdown]
# ## Synthetic sounds, a small network

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig4a", "caption": "Paper Figure 4a: t-SNE of x_a, dirty pre-training, no cross-modal training (synthetic sounds)."}, "image": {"alt": "t-SNE map of the clips by the audio network that was pre-trained on all labels."}}
figures.cloud(shown["dirty"], title="(a) x_a, dirty pre-training")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig4b", "caption": "Paper Figure 4b: t-SNE of x_a, clean pre-training, no cross-modal training (synthetic sounds)."}, "image": {"alt": "t-SNE map of the clips by the audio network that never met the test labels."}}
figures.cloud(shown["clean"], title="(b) x_a, clean pre-training")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig4c", "caption": "Paper Figure 4c: t-SNE of x_t, the labels in the text encoder before any training."}, "image": {"alt": "t-SNE map of the fifty label embeddings of the text encoder, each with its name."}}
figures.text_map(shown["dirty"].map["x_t"], classes, title="(c) x_t, before training")

# %% [markdown]
# ## What training with captions adds
#
# Silhouette of x_a on the test clips, before and after, mean over all runs. "After" is the setup with the same
# pre-training.

# %% tags=["hide-input"]
table.round(2)

# %% [markdown]
# ## What to notice
#
# - Map (c) is ordered by meaning before a single sound was heard: compare it with
#   [Figure 3](table3_topology.ipynb#figure-3-of-the-paper-the-order-of-the-labels).
# - Clean pre-training was given no label of the test classes. What order map (b) has comes from other sounds.
#
# ## Exercises
#
# **1. Does the closest pair stay close?** Find two classes that lie together in (a) or (b). Predict whether they are
# still among the closest pairs in E_a, after training with clean captions.

# %% tags=["hide-cell"]
def ranks(run, space):
    """Rank of every pair of classes, (C, C), by the cosine of their means; 1 is the closest."""
    means = metrics.unit(metrics.class_means(run.embeddings[space].astype("float32"), labels["dirty"]))
    pairs = pd.DataFrame(means @ means.T, classes, classes).where(~np.tri(len(classes), dtype=bool)).stack()
    return pairs.rank(ascending=False)


# %% tags=["hide-cell"]
trained = {run.slug: run for run in tables.clouds_or_note(folder) if run.seed == seed}
for name, before in shown.items():
    after = ranks(trained[f"{name}-clean"], "E_a")
    for one, other in ranks(before, "x_a").nsmallest(3).index:
        print(f"{name} pre-training: {one} and {other}, then number {after[one, other]:.0f} in E_a")

# %% [markdown]
# **2. How much does a backbone know by itself?** Half of the test clips give a mean for each class in x_a, the other half
# go to the nearest mean. Predict how often that is right with dirty and with clean pre-training, without any text.

# %% tags=["hide-cell"]
for name, run in shown.items():
    x_a, odd = metrics.unit(run.embeddings["x_a"].astype("float32")), np.arange(len(labels[name])) % 2 == 1
    means = metrics.unit(metrics.class_means(x_a[~odd], labels[name][~odd]))
    right = (x_a[odd] @ means.T).argmax(1) == labels[name][odd]
    print(f"{name} pre-training: {right.mean():.2f} of the clips, guessing {1 / len(classes):.2f}")

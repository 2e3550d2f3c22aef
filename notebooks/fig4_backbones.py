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
from clapleak.book.statistics import estimate, of
from clapleak.setups import TRAININGS

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
unfrozen_profile = "networks-unfrozen"  # of which one learns on
seed = 0  # run that is shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, real_folder = results.folder(profile, own=own), results.folder(real_profile, own=own)
shown = {run.pretraining: run for run in results.read_backbones(folder) if run.seed == seed}
labels = {name: run.embeddings["labels"].astype(int) for name, run in shown.items()}
classes = [str(c) for c in shown["dirty"].embeddings["classes"]]

# %% tags=["remove-input"]
def before_and_after(folder):
    """Silhouette of x_a before cross-modal training, and what training with captions adds to it, by pre-training."""
    backbones = pd.DataFrame([
        {"before": r.metrics["silhouette"]["x_a"], "pretraining": r.pretraining, "group": -1.0 if r.group is None else r.group, "seed": r.seed}
        for r in results.read_backbones(folder)
    ])
    after, rows = tables.by_setup(results.table(folder), "silhouette_x_a"), {}
    for p, part in backbones.groupby("pretraining", sort=False):
        both = after.assign(before=part.set_index(["group", "seed"])["before"])
        changes = {f"change, captions {t}": estimate(both, of(f"{p}-{t}", "before")) for t in TRAININGS}
        rows[p] = {"before": estimate(both[["before"]], of("before")), **changes}
    return pd.DataFrame.from_dict(rows, orient="index").reindex(["dirty", "clean"])


# %% tags=["remove-input"]
parts = {"synthetic sounds, fifty classes": before_and_after(folder)}
if len(tables.table_or_note(real_folder)):
    parts["small network, real sounds, ten classes"] = before_and_after(real_folder)
table = pd.concat(parts, names=["sounds", "pre-training"])
changes = table.drop(columns="before").stack()
runs, unfrozen = (
    tables.table_or_note(place, ladder.present(place))
    for place in (results.folder(name, own=own) for name in (network_profile, unfrozen_profile))
)
learning = ladder.fine_tuning(runs, unfrozen)[0]["difference"]
for (slug, measure), one in learning.items():
    if measure.startswith("silhouette"):
        changes["YAMNet that learns on, real sounds, ten classes", "dirty", f"change, captions {slug.split('-')[1]}"] = one

# %% tags=["remove-input"]
before = {name: part["before"].map(lambda one: one.value) for name, part in parts.items()}
made_by_others = tables.clouds_or_note(results.folder(network_profile, own=own), results.read_backbones)
of_others = {run.pretraining: run.metrics["silhouette"]["x_a"] for run in made_by_others}
before |= {"real networks, fifty classes": pd.Series(of_others, dtype=float)}
before = {name: b for name, b in before.items() if {"dirty", "clean"} <= set(b.index)}
higher = "; ".join(f"{b['dirty']:.2f} and {b['clean']:.2f} with {name}" for name, b in before.items())
every = all(b["dirty"] > b["clean"] for b in before.values())
rises, falls = (sum(one.verdict == word for one in changes) for word in ("holds", "contradicted"))
most = changes.map(lambda one: abs(one.value)).idxmax()
display(Markdown(
    f"**Before any caption,** the silhouette of x_a after dirty and after clean pre-training is {higher}: "
    f"{'every time' if every else 'not every time'} higher with the labels of the test. **Training with captions** is shown to "
    f"raise it in {rises} of {len(changes)} cases and to lower it in {falls}; the largest change is {changes[most]:+} "
    f"({most[0]}; pre-training {most[1]}; {most[2].removeprefix('change, ')})."
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
# Silhouette of x_a on the test clips before training with captions, and how much it changes in the setups with the same
# pre-training: means with intervals of 95 % over groups and seeds.

# %% tags=["hide-input"]
changes.map("{:+}".format).unstack().assign(before=table["before"].map(str)).fillna("–")

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

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
# # Audit models whose leaks are known
#
# **Question:** which leaks does the audit find, and which can it not tell?
#
# The six setups of this book leak where we made them leak, so that every verdict can be checked. Of
# {glue:text}`known_leaky` audits of a leak that is there, {glue:text}`known_found` call it evidence,
# {glue:text}`known_missed` say that none was found, and {glue:text}`known_unknown` that it cannot be tested. Of
# {glue:text}`known_clean` audits of a model without that leak, {glue:text}`known_false` call it evidence:
# {glue:text}`known_why`.

# %% tags=["hide-input"]
# %matplotlib inline
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from myst_nb import glue
from scipy.stats import binomtest

from clapleak import leakage, results
from clapleak.audit import Clouds, audit, seen_classes
from clapleak.book.tables import clouds_or_note
from clapleak.config import find_root
from clapleak.setups import SETUPS

# %% tags=["parameters", "hide-input"]
own = False  # whether to audit your own runs in place of the published ones, where there are some
alpha = 0.01  # level of the tests


# %% tags=["hide-input"]
def runs_of(profile, slugs=tuple(setup.slug for setup in SETUPS)):
    """Runs of the first seed, whose embeddings are kept, by setup or pre-training, and by group of target classes."""
    kept = clouds_or_note(results.folder(profile, own=own), lambda base: results.read_runs(base, slugs))
    return {(run.slug, run.group): run for run in kept if run.seed == 0}


def clouds(run, before=None):
    """The clouds of a run; a network that stays as it is keeps x_a with its backbone, the run before."""
    held = {**(before.embeddings if before else {}), **run.embeddings}
    points = {name: held[name].astype(float) for name in ("x_a", "E_a")}
    classes, E_t = tuple(held["classes"].tolist()), held["E_t"].astype(float)[None]
    return Clouds(held["labels"].astype(int), classes, **points, E_t=E_t, recordings=held.get("recordings"))


# %% [markdown]
# ## Leaks in the captions: real networks on real sounds
#
# Projections on top of real networks learn from captions that are made of the labels of ESC-50. A dirty training names
# all fifty classes; a clean one names none of ten target classes. The audit gets the embeddings of the model and the
# class names of its captions. We know more: what names are worth to the target classes, from two trainings, one with
# their names and one without.

# %% tags=["hide-input"]
models = {("networks", *key): run for key, run in runs_of("networks").items()}
before = runs_of("networks", tuple(f"backbone/{pretraining}" for pretraining in ("dirty", "clean", "none")))
held = {key: clouds(run, before[run.pretraining, run.group]) for key, run in models.items()}
labels = {}
for key, run in models.items():
    targets = list(held[key].classes[: int(run.embeddings["targets"])])
    captions = pd.Series(held[key].classes)
    if run.training == "clean":  # no caption shares a word with a target class
        captions = captions[~leakage.find_leaks(captions, targets)["leaks"]]
    seen = seen_classes(held[key].classes, captions)
    labels[key] = {"named": int(seen["seen"].sum()), **audit(held[key], seen, alpha=alpha).json["verdicts"]["labels"]}


# %% tags=["hide-input"]
def known(key):
    """The audit of a setup beside what is known; a name is worth the gain of accuracy among the targets."""
    verdict, pretraining, classes = labels[key], models[key].pretraining, len(held[key].classes)
    shown = {"classes named": f"{verdict['named']} of {classes}", "audit": verdict["state"]}
    if "size" in verdict:
        share = verdict["named"] / classes
        low, high = (edge / share for edge in verdict["interval"])
        shown["a name is worth, by the audit"] = f"{verdict['size'] / share:+.2f} [{low:.2f}, {high:.2f}]"
    two = [models.get(("networks", f"{pretraining}-{which}", key[2])) for which in ("dirty", "clean")]
    if models[key].training == "clean" and all(two):
        shown["in truth"] = f"{two[0].metrics['accuracy'] - two[1].metrics['accuracy']:+.2f}"
    return shown


pd.DataFrame({key[1]: known(key) for key in models if key[2] == 0}).T.fillna("").rename_axis("setup")

# %% [markdown]
# The audit measures the worth of a name in tasks with as many answers as there are unseen classes, {glue:text}`known_task`
# here; in truth there were ten. Where all classes are named the leak is as large, but no class without it is left to
# compare with, and the audit says so:

# %% tags=["hide-input"]
print(next((verdict["sentence"] for verdict in labels.values() if verdict["state"] == "not testable"), "no such setup"))

# %% [markdown]
# ## Leaks in the pre-training need a fair reference
#
# A pre-training with the labels of the test tightens the clusters of x_a. The audit compares them with those of a
# reference model, class by class. All models below learnt from clean captions; only their pre-training differs. The leak
# is there where the audited model was pre-trained with labels of the test classes and the reference was not.

# %% tags=["hide-input"]
PAIRS = {("dirty", "clean"): True, ("dirty", "none"): True, ("clean", "none"): False, ("clean", "dirty"): False}
PROFILES = {"mini": "synthetic sounds", "esc50": "small network", "networks": "real networks"}
for profile in ("mini", "esc50"):
    held |= {(profile, *key): clouds(run) for key, run in runs_of(profile).items() if run.training == "clean"}
alone = {key: audit(found, alpha=alpha).json for key, found in held.items() if key[1].endswith("-clean")}
backbones = []
for profile, (one, other) in itertools.product(PROFILES, PAIRS):
    for group in sorted({key[2] for key in alone if key[0] == profile}, key=str):
        model, reference = ((profile, f"{which}-clean", group) for which in (one, other))
        if {model, reference} <= alone.keys():
            verdict = audit(held[model], reference=alone[reference], alpha=alpha).json["verdicts"]["backbone"]
            backbones.append((PROFILES[profile], one, other, PAIRS[one, other], verdict["state"], verdict["size"]))
columns = ["data", "audited", "reference", "leak", "audit", "silhouette of x_a, gap"]
backbones = pd.DataFrame(backbones, columns=columns)

# %% tags=["hide-input"]
table = backbones.groupby(["data", "audited", "reference", "leak"], sort=False).agg(
    audits=("audit", "size"), evidence=("audit", lambda states: (states == "evidence of a leak").sum()),
    gap=("silhouette of x_a, gap", "mean"),
)
table.reset_index().replace({"leak": {True: "yes", False: "no"}}).round(2).style.format(precision=2).hide()

# %% [markdown]
# A reference that was never pre-trained is not fair: pre-training with any labels tightens clusters, and the audit then
# calls it evidence for the clean model too, {glue:text}`known_unfair`. The verdict says "if that model is a fair
# reference", and it means that: the same pre-training without the labels in question.
#
# ## Leaks of recordings: the same sound again
#
# The folds of ESC-50 share no recording by their ids. A fingerprint asks the sounds themselves. We planted copies of
# clips and counted how many it finds; below 95 % it is not to be relied on.

# %% tags=["hide-input"] mystnb={"figure": {"name": "known-recall", "caption": "Share of planted copies of ESC-50 clips that the fingerprint finds, by what was done to the copy, with intervals of 95 %. Not in the paper."}, "image": {"alt": "Horizontal bars, one a kind of change: near one for level, mp3 and shifts, lower for strong noise, near zero for a change of speed."}}
recall = pd.read_csv(find_root() / "reference" / "fingerprints.csv").set_index("change")
share = recall["found"] / recall["copies"]
low, high = (np.array([binomtest(row.found, row.copies).proportion_ci()[i] for row in recall.itertuples()]) for i in (0, 1))
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.barh(recall.index, share, xerr=[share - low, high - share], color="#0072B2", ecolor="#222222")
ax.axvline(0.95, color="#222222", linestyle="--")
ax.set(xlabel="copies found (dashed: 95 %)", xlim=(0, 1))
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()

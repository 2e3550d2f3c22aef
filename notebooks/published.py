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
# # Published models: accuracy follows clusters, and test recordings stand in training sets
#
# **Question:** does the paper's correlation of zero-shot accuracy with clusters hold over models that others have
# published, and which recordings of the test can such models have heard before?
#
# Over {glue:text}`published_n` published models zero-shot accuracy on ESC-50 {glue:text}`published_follows` how well
# the audio embedding clusters: r = {glue:text}`published_r`, beside {glue:text}`published_paper` over the paper's six
# setups. So for published models the paper's claim, put for k-means in place of the silhouette, {glue:text}`published_claim`;
# among the {glue:text}`published_within_n` with clear clusters alone it {glue:text}`published_within_words`. {glue:text}`published_exceptions` And
# {glue:text}`published_dev_share` of the test's clips are cut from recordings of FSD50K's development part, which trains
# such models.

# %% tags=["remove-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from myst_nb import glue
from sklearn.metrics import v_measure_score

from clapleak.book import figures, tables
from clapleak.book.statistics import correlation, grouped_correlation
from clapleak.config import find_root

# %% tags=["parameters", "remove-input"]
clear = 0.8  # V-measure from which we call clusters clear
times = 2  # an accuracy below so many times guessing counts as guessing
seed = 0  # of the random clusters in exercise 2

# %% tags=["remove-input"]
models, overlaps = (pd.read_csv(find_root() / "reference" / f"{name}.csv") for name in ("published", "leak_overlaps"))
models = models.set_index(models["model"].str.split("/").str[-1].rename("name"))
chance = 1 / len(overlaps)

# %% [markdown]
# ## Accuracy over clusters

# %% tags=["hide-input"] mystnb={"figure": {"name": "published-clusters", "caption": "Zero-shot accuracy of published models on ESC-50 over how well k-means finds the fifty classes in their audio embeddings. Accuracy rises with the clusters, but one model with clear clusters answers as if it guessed. Models of one family have one colour. Not in the paper."}, "image": {"alt": "Scatter plot with a named point for each of thirteen models. Eight models with V-measures near 0.9 reach accuracies of 0.7 to 0.9; wav2clip lies in the middle; three models have both low V-measure and an accuracy near zero; Qwen2-Audio-7B has a V-measure near 0.9 and an accuracy near zero."}}
figures.published(models)

# %% [markdown]
# The numbers are those of the Massive Audio Embedding Benchmark {cite:p}`elassadi2026maeb`, which runs models of others
# under one protocol and publishes every score. We took all models that have the four scores below
# (`reference/published.csv`).
#
# - **Zero-shot**: all clips of ESC-50, fifty prompts "This is a sound of ...", the nearest prompt is the answer.
# - **Clusters**: k-means with fifty clusters. The V-measure, from 0 to 1, says how far clusters and classes agree; it is
#   the mean of ten draws of clips.
# - **Probe**: logistic regression on the audio embeddings, in five folds of clips drawn at random. Clips of one
#   recording can stand in training and test at once, so the probe flatters every model.
# - **UrbanSound8K**: zero-shot accuracy on another set of city sounds.
#
# The paper measures clusters by the silhouette, which asks how far apart classes lie. The V-measure asks only which clips
# end up together. So we test the paper's claim in kind, not its number.

# %% tags=["hide-cell"]
shown = {"zero_shot": "zero-shot", "clustering": "V-measure", "probe": "probe", "urban_zero_shot": "UrbanSound8K"}
models[["family", *shown]].rename(columns=shown).style.format(precision=3)

# %% [markdown]
# ## Does the correlation hold?

# %% tags=["hide-input"]
clusters, accuracy, probe = models["clustering"], models["zero_shot"], models["probe"]
sharp = models[clusters >= clear]
paper = correlation(tables.printed("silhouette E_a"), tables.printed("accuracy"))

# %% tags=["hide-input"]
found = {
    "paper, six setups: silhouette of E_a": (paper, len(tables.SLUGS)),
    "clusters": (correlation(clusters, accuracy), len(models)),
    "clusters, over families": (grouped_correlation(clusters, accuracy, models["family"]), len(models)),
    "clusters, where they are clear": (correlation(sharp["clustering"], sharp["zero_shot"]), len(sharp)),
    "clusters, with UrbanSound8K": (correlation(clusters, models["urban_zero_shot"]), len(models)),
    "probe": (correlation(probe, accuracy), len(models)),
    "clusters, given the probe": (correlation(clusters, accuracy, given=probe), len(models)),
    "probe, given the clusters": (correlation(probe, accuracy, given=clusters), len(models)),
}
pd.DataFrame({name: {"r": str(r), "n": n, "r above 0": r.verdict} for name, (r, n) in found.items()}).T

# %% tags=["remove-input"]
r, drawn, within = (found[f"clusters{end}"][0] for end in ("", ", over families", ", where they are clear"))
verdicts = {one.verdict for one in (r, drawn)}
claim = verdicts.pop() if len(verdicts) == 1 else "undecided"
glue("published_n", len(models), display=False)
glue("published_r", str(r), display=False)
glue("published_paper", str(paper), display=False)
glue("published_follows", r.words("follows", "runs against", "cannot be shown to follow"), display=False)
glue("published_claim", {"holds": "holds", "contradicted": "is contradicted"}.get(claim, "is undecided"), display=False)
glue("published_drawn", str(drawn), display=False)
glue("published_families", models["family"].nunique(), display=False)
glue("published_within", str(within), display=False)
glue("published_within_n", len(sharp), display=False)
glue("published_within_words", within.words("holds", "is contradicted", "is undecided"), display=False)

# %% tags=["remove-input"]
guessing = sharp.index[sharp["zero_shot"] < times * chance]
unclear = models[clusters < clear]
clever = unclear.index[unclear["zero_shot"] >= times * chance]
word = "is" if len(guessing) == 1 else "are"
enough = f"Clear clusters are not enough: of {len(sharp)} models that have them, {len(guessing)} {word} no better than guessing"
names = ", ".join(guessing)
glue("published_exceptions", f"{enough} ({names})." if names else "No model with clear clusters guesses.", display=False)
glue("published_times", times, display=False)
glue("published_without", f"{len(clever)} of {len(unclear)}", display=False)
given, knows = (found[name][0] for name in ("clusters, given the probe", "probe, given the clusters"))
glue("published_both", str(correlation(clusters, probe)), display=False)
glue("published_low", f"{given.low:.2f}", display=False)
glue("published_low_probe", f"{knows.low:.2f}", display=False)
glue("published_given", given.words("still follows", "runs against", "cannot be shown to follow"), display=False)
glue("published_knows", knows.words("still follows", "runs against", "cannot be shown to follow"), display=False)

# %% [markdown]
# Models of one family share data and recipe, so {glue:text}`published_n` models are fewer than
# {glue:text}`published_n` independent points. When the {glue:text}`published_families` families are left out in turn instead
# of single models, r = {glue:text}`published_drawn`. We say that the claim holds only if both intervals lie above zero.
#
# Much of the correlation lies between models that have clear clusters (a V-measure of at least
# {glue:text}`published_clear`) and models that have not. Among the {glue:text}`published_within_n` that have them, it
# {glue:text}`published_within_words` (r = {glue:text}`published_within`). Of the models without clear clusters
# {glue:text}`published_without` do better than guessing, that is, at least {glue:text}`published_times` times as well.
#
# What lacks in a model with clear clusters that guesses is the other half of the task: the text embedding of a name has
# to lie beside the sounds of its class. A language model that writes *about* sounds was never trained for that.
#
# Do the clusters matter, or what the embedding knows? Clusters and probe correlate with each other at
# {glue:text}`published_both`. Where the probe is equal, accuracy {glue:text}`published_given` the clusters; where the
# clusters are equal, it {glue:text}`published_knows` the probe. These intervals are wide, begin at
# {glue:text}`published_low` and {glue:text}`published_low_probe`, and take the models as independent.

# %% [markdown]
# ## Recordings of the test in training sets
#
# ESC-50 {cite:p}`piczak2015esc` is cut from recordings on Freesound, and its table names each recording. So does FSD50K
# {cite:p}`fonseca2022fsd50k`, whose development part trains MS-CLAP {cite:p}`elizalde2023clap` and the paper's models.
# WavCaps {cite:p}`mei2024wavcaps`, a large set of captions, also takes from Freesound; its authors publish a list of
# recordings that must be left out by whoever tests on ESC-50. Numbers of recordings can be compared without any sound.

# %% tags=["hide-input"] mystnb={"figure": {"name": "published-overlaps", "caption": "Test clips of ESC-50 by class, out of all its clips in grey, that are cut from a recording of FSD50K's development part (left) and from one on WavCaps' list of exclusions (right). FSD50K shares few recordings of some classes and most of others; WavCaps' list names most recordings of nearly every class."}, "image": {"alt": "Two bar charts with a row for each of the fifty classes. Left, FSD50K: from no clip of wind, frog, train, fireworks, mouse click and can opening to about three quarters of the clips of glass breaking and coughing. Right, WavCaps' list: about thirty of forty clips in nearly every class, fewest for glass breaking."}}
columns = {"fsd50k_dev": "recording in FSD50K dev", "wavcaps_list": "recording on WavCaps' list"}
figures.overlaps(overlaps.sort_values("fsd50k_dev", ascending=False, kind="stable"), columns)

# %% tags=["hide-input"]
sums = overlaps.sum(numeric_only=True)
titles = {
    "fsd50k_dev": "FSD50K, development part", "fsd50k_train": "of these, the clips meant for training",
    "wavcaps_list": "WavCaps' list of exclusions", "either": "FSD50K dev or WavCaps' list",
}  # fmt: skip

# %% tags=["hide-input"]
rows = {
    title: {
        "test clips": sums[name], "of all": f"{sums[name] / sums['clips']:.0%}",
        "classes": (overlaps[name] > 0).sum(), "in one class": f"{overlaps[name].min()} to {overlaps[name].max()}",
    }
    for name, title in titles.items()
}  # fmt: skip
pd.DataFrame(rows).T

# %% tags=["remove-input"]
most, dev = overlaps.loc[overlaps["fsd50k_dev"].idxmax()], overlaps["fsd50k_dev"]
for name in ("fsd50k_dev", "wavcaps_list", "either"):
    glue(f"published_{name.split('_')[-1]}_share", f"{sums[name] / sums['clips']:.0%}", display=False)
glue("published_most", f"{most['fsd50k_dev']} of {most['clips']} clips of \"{most['class']}\"", display=False)
glue("published_none", int((dev == 0).sum()), display=False)
glue("published_classes", len(overlaps), display=False)
glue("published_clear", f"{clear:.1f}", display=False)
glue("published_free", int(sums["clips"] - sums["either"]), display=False)
glue("published_clips", int(sums["clips"]), display=False)

# %% [markdown]
# The overlap with FSD50K is uneven: {glue:text}`published_most`, and no clip at all in {glue:text}`published_none` of
# {glue:text}`published_classes` classes. WavCaps' list covers {glue:text}`published_list_share` of the test. By
# what its authors say, these are the recordings that the two sets share: a model that was trained without them has not
# heard them there, and one that was trained on all of WavCaps has. Only {glue:text}`published_free` of {glue:text}`published_clips` clips are cut from a recording that is
# in neither. [Where leaks come in](leaks.ipynb) counts how many of FSD50K's a filter of labels would remove.
#
# A shared recording is a leak path, and not yet a leak: the training clip can be another part of the recording, and how
# much a model gains from having heard it is not measured here.
#
# ## What this means for a zero-shot number
#
# - **"Zero-shot" says that no classifier was trained on the test set's labels.** It does not say that the sounds or the
#   names were new. The benchmark marks models by lists of training sets that were filled in by hand, and for the models
#   of LAION and Microsoft that list is empty, although MS-CLAP learns from FSD50K.
# - **Ask for the recordings.** Before two accuracies are compared, their training sets should be compared with the
#   test's recordings, class by class; numbers of recordings are enough for that.
# - **Ask for the clusters beside the accuracy.** Over published models accuracy {glue:text}`published_follows` them, as
#   over the paper's setups. Such a number says how well the audio embedding was sorted before the test, by whatever
#   labels or captions did the sorting, and only then how well a text finds a class that it never met.
#
# ## Exercises
#
# **Exercise 1: predict, then run.** Leave out one model at a time. Which one changes r most, and in which direction?

# %% tags=["hide-cell"]
without = pd.Series({name: clusters.drop(name).corr(accuracy.drop(name)) for name in models.index})
name = (without - r.value).abs().idxmax()
print(f"without {name}: r = {without[name]:.2f} in place of {r.value:.2f}; all others: "
      f"{without.drop(name).min():.2f} to {without.drop(name).max():.2f}")  # fmt: skip
line = np.polyfit(clusters.drop(name), accuracy.drop(name), 1)
print(f"Why: the line through the others expects an accuracy of {np.polyval(line, clusters[name]):.2f} from its clusters, "
      f"and it has {accuracy[name]:.2f}. r squares distances from the line, so one far point weighs as much as many near ones.")  # fmt: skip

# %% [markdown]
# **Exercise 2: predict, then run.** What V-measure do fifty clusters reach that are drawn at random and know nothing?
# Is it 0?

# %% tags=["hide-cell"]
labels = np.repeat(np.arange(len(overlaps)), overlaps["clips"])
rng = np.random.default_rng(seed)
random = np.mean([v_measure_score(labels, rng.integers(len(overlaps), size=len(labels))) for _ in range(20)])
print(f"random clusters: {random:.2f}; the lowest model, {clusters.idxmin()}: {clusters.min():.2f}")
print("Why: with as many clusters as classes and few clips in each, some clips of a class share a cluster by chance, and "
      "the V-measure does not subtract that. The scale of the figure begins there and not at 0.")  # fmt: skip

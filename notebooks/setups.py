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
# # The six setups side by side
#
# **Question:** what does a model learn when leaks are taken out of its pre-training, out of its captions, or out of both?

# %% tags=["remove-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue

from clapleak import results
from clapleak.book import analysis, figures, tables
from clapleak.book.statistics import estimates
from clapleak.config import load_profile

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds, a small network
network_profile = "networks"  # real sounds, networks of others
seed = 0  # run that is shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, network_folder = results.folder(profile, own=own), results.folder(network_profile, own=own)
ours, networks = tables.table_or_note(folder), tables.table_or_note(network_folder)
runs = {run.slug: run for run in tables.clouds_or_note(folder) if run.seed == seed}
recipe = load_profile(profile).recipe
clouds = {slug: {name: run.embeddings[name].astype("float32") for name in ("E_a", "E_t")} for slug, run in runs.items()}
similarity = {slug: cloud["E_a"] @ cloud["E_t"].T for slug, cloud in clouds.items()}  # (N, C): cosine, both have unit length
truth = {slug: run.embeddings["labels"].astype(int) for slug, run in runs.items()}

# %% tags=["remove-input"]
def paths(means):
    """Mean gain of the leaks in the captions and in the pre-training, of the latter with clean captions, and how much more the first are worth."""
    gains = analysis.mean_gains(means)
    return [*gains.values(), means["dirty-clean"] - means["clean-clean"], gains["captions"] - gains["pre-training"]]


verdicts = ("the captions matter more", "pre-training matters more", "which of the two matters more is undecided")
lines = []
for title, table in {"Real networks, real sounds": networks, "Small network, synthetic sounds": ours}.items():
    captions, labels, alone, more = estimates(tables.by_setup(table, "accuracy"), paths)
    worth = f"names in the captions add {captions} to the accuracy (mean of three pre-trainings), test labels in the pre-training {labels} (mean of both captions; with clean captions alone {alone})"
    lines.append(f"- **{title}:** {worth}; {more.words(*verdicts)}.")
display(Markdown("\n".join(lines)))

# %% [markdown]
# A setup has two names: pre-training first, captions second. Pre-training *dirty* means that the audio network learnt
# labels that include those of the test; *clean*, that these were taken out; *none*, that it starts from random weights.
# Captions *dirty* means that all pairs of sounds and captions are used; *clean*, that no pair is left whose caption
# holds a word of a test label. What that means differs between data sets:
#
# | data | clean pre-training | clean captions |
# |---|---|---|
# | the paper; synthetic sounds | no label with a word of the test | no caption with such a word; [sounds of the classes may stay](degrees.ipynb) |
# | real ESC-50, small network | no clip of the target classes | no clip of them either, since every caption names its class |
# | real networks, template captions | BYOL-A: *no label at all* | the same |
# | real networks, titles | BYOL-A: *no label at all* | word-clean and truly clean, [side by side](networks.ipynb#captions-that-people-wrote) |
#
# The text encoder has read the test's words in its own pre-training everywhere, in the paper too. A clean training set is
# smaller:

# %% tags=["hide-input"]
counts = {
    "pretrain_clips": "clips in pre-training", "pretrain_removed": "removed there", "pairs": "pairs in training",
    "pairs_removed": "removed there", "test_clips": "test clips", "classes": "classes to tell apart",
}  # fmt: skip
rows = {slug: [f"{runs[slug].metrics['data'][key]:,}" for key in counts] for slug in tables.SLUGS if slug in runs}
display(HTML(tables.origin(folder, ours[ours["seed"] == seed])))
pd.DataFrame(rows, index=list(counts.values())).T.rename_axis("setup")

# %% [markdown]
# ## How each was trained
#
# The recipe of section 2.1: the projections learn alone while both backbones are frozen, then these learn as well until
# the validation loss stops falling or the profile's limit of epochs is reached.

# %% tags=["remove-input"]
def ending(run):
    """How the training of a run ended, in a sentence."""
    loss = run.history.query("phase == 'unfrozen'")["val_loss"]
    end = "at the profile's limit of epochs" if len(loss) == recipe.max_epochs else "when the validation loss stopped falling"
    falling = "still falling" if loss.idxmin() == loss.index[-1] else "no longer falling"
    nothing = f"{np.log(recipe.batch_size):.2f} means that nothing is learnt"
    return f"Training ended {end}, with the loss {falling} at {loss.min():.2f} ({nothing})."


# %% tags=["remove-input"]
def says(run):
    """What a run is right about, and how its training ended."""
    by_class = pd.Series(similarity[run.slug].argmax(1) == truth[run.slug]).groupby(truth[run.slug]).mean()
    lost, best = f"{(by_class < 0.1).sum()} of {len(by_class)}", by_class.index[by_class == by_class.max()]
    best = '" and "'.join(run.embeddings["classes"][best])
    times = f"{run.metrics['accuracy']:.0%} of the clips, {run.metrics['accuracy'] / run.metrics['chance']:.0f} times"
    known = f'best known: "{best}"; and in {lost} classes less than a tenth is right'
    return f"It is right for {times} as often as guessing; {known}. {ending(run)}"


# %% tags=["remove-input"]
for slug, run in runs.items():
    glue(f"says_{slug.replace('-', '_')}", says(run), display=False)
    glue(f"history_{slug.replace('-', '_')}", figures.history(run), display=False)

# %% [markdown]
# ::::{tab-set}
# :::{tab-item} dirty-dirty
# **Leaks in both trainings.** {glue:text}`says_dirty_dirty`
#
# ```{glue:figure} history_dirty_dirty
# :alt: Training and validation loss over the epochs of dirty-dirty.
# :name: loss-dirty-dirty
#
# Loss over the epochs, dirty-dirty. The backbones are frozen to the left of the line.
# ```
#
# [All of this run](setup_dirty-dirty.ipynb): confusions, its map with names, hits and misses to listen to.
# :::
#
# :::{tab-item} dirty-clean
# **Leaks in the pre-training.** {glue:text}`says_dirty_clean`
#
# ```{glue:figure} history_dirty_clean
# :alt: Training and validation loss over the epochs of dirty-clean.
# :name: loss-dirty-clean
#
# Loss over the epochs, dirty-clean. The backbones are frozen to the left of the line.
# ```
#
# [All of this run](setup_dirty-clean.ipynb): confusions, its map with names, hits and misses to listen to.
# :::
#
# :::{tab-item} clean-dirty
# **Leaks in the captions.** {glue:text}`says_clean_dirty`
#
# ```{glue:figure} history_clean_dirty
# :alt: Training and validation loss over the epochs of clean-dirty.
# :name: loss-clean-dirty
#
# Loss over the epochs, clean-dirty. The backbones are frozen to the left of the line.
# ```
#
# [All of this run](setup_clean-dirty.ipynb): confusions, its map with names, hits and misses to listen to.
# :::
#
# :::{tab-item} clean-clean
# **No word of the test.** {glue:text}`says_clean_clean`
#
# ```{glue:figure} history_clean_clean
# :alt: Training and validation loss over the epochs of clean-clean.
# :name: loss-clean-clean
#
# Loss over the epochs, clean-clean. The backbones are frozen to the left of the line.
# ```
#
# [All of this run](setup_clean-clean.ipynb): confusions, its map with names, hits and misses to listen to.
# :::
#
# :::{tab-item} none-dirty
# **Leaks in the captions, no pre-training.** {glue:text}`says_none_dirty`
#
# ```{glue:figure} history_none_dirty
# :alt: Training and validation loss over the epochs of none-dirty.
# :name: loss-none-dirty
#
# Loss over the epochs, none-dirty. The backbones are frozen to the left of the line.
# ```
#
# [All of this run](setup_none-dirty.ipynb): confusions, its map with names, hits and misses to listen to.
# :::
#
# :::{tab-item} none-clean
# **No word of the test, no pre-training.** {glue:text}`says_none_clean`
#
# ```{glue:figure} history_none_clean
# :alt: Training and validation loss over the epochs of none-clean.
# :name: loss-none-clean
#
# Loss over the epochs, none-clean. The backbones are frozen to the left of the line.
# ```
#
# [All of this run](setup_none-clean.ipynb): confusions, its map with names, hits and misses to listen to.
# :::
# ::::
#
# ## What they confuse

# %% tags=["hide-input"]
found = {}
for slug in [slug for slug in tables.SLUGS if slug in runs]:
    names, answers = runs[slug].embeddings["classes"], similarity[slug].argmax(1)
    wrong = [f"{names[a]} → {names[b]}" for a, b in zip(truth[slug], answers, strict=True) if a != b]
    found[slug] = [f"{pair}, {count}" for pair, count in pd.Series(wrong).value_counts().head(4).items()]
pd.DataFrame(found, index=["most", "second", "third", "fourth"]).T.rename_axis("class → answer, clips")

# %% [markdown]
# ## Exercises
#
# **1. Among the first three.** A miss can be a near miss. How much does the accuracy rise if the right label may stand
# among the three nearest, and in which setup most?

# %% tags=["hide-cell"]
found = {}
for slug, cosines in similarity.items():
    right = cosines.argsort(1)[:, ::-1] == truth[slug][:, None]
    found[slug] = [right[:, :n].any(1).mean() for n in (1, 3)]
print("Where the first three hold much more, sound and label were brought near each other, but not nearest.")
pd.DataFrame(found, index=["first", "among three"]).T.reindex(tables.SLUGS).round(2)

# %% [markdown]
# **2. Sure and wrong.** Is a model surer where it is right? Predict the mean cosine with its answer for hits and misses.

# %% tags=["hide-cell"]
found = {}
for slug, cosines in similarity.items():
    hit = cosines.argmax(1) == truth[slug]
    found[slug] = [cosines.max(1)[which].mean() for which in (hit, ~hit)]
print("Where misses are nearly as sure as hits, the cosine gives no warning that an answer is wrong.")
pd.DataFrame(found, index=["hits", "misses"]).T.reindex(tables.SLUGS).round(2)

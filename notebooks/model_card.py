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
# # Model card: the six models of the profile mini
#
# The models that this book trains on synthetic sounds, one for each setup. They exist to be compared with each other.
# All numbers come from the results that this page reads.

# %% tags=["remove-input"]
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from clapleak import results
from clapleak.book import tables
from clapleak.config import load_profile

# %% tags=["parameters", "remove-input"]
profile = "mini"  # whose six setups the card describes
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
settings, folder = load_profile(profile), results.folder(profile, own=own)
runs = tables.table_or_note(folder)
display(HTML(tables.origin(folder, runs)))

# %% [markdown]
# ## What they are
#
# Two branches that end in one space, as in the paper: an audio encoder and a text encoder, each with a projection of its
# own ([the idea](idea.ipynb)).

# %% tags=["remove-input"]
audio, front, text = settings.audio_encoder, settings.audio, settings.text_encoder
recipe, start = settings.recipe, settings.pretrain
rows = {
    "audio encoder": f"a narrow CNN14 of {audio.blocks} blocks, {audio.width} channels in the first",
    "input": f"log-mel, {front.mel_bins} bins, of {front.segment:g} s at {front.sample_rate / 1000:g} kHz",
    "text encoder": f"all-MiniLM-L6-v2 ({text.pooling} pooling); layers that learn: {text.trainable_layers}",
    "joint space": f"{settings.projection.dim} dimensions, unit length; nearest label by cosine",
    "pre-training": f"labels of the synthetic sounds, {start.epochs} epochs; for none: random weights",
    "training": f"contrastive loss, batches of {recipe.batch_size}; {recipe.frozen_epochs} epochs with frozen backbones, "
    f"then at most {recipe.max_epochs}",
    "prompt": settings.data.prompt.format("<label>"),
}  # fmt: skip
HTML(tables.html_table(pd.DataFrame(rows.items(), columns=["part", "what it is"])))

# %% [markdown]
# ## What they learnt from
#
# The [synthetic sounds](data_card.ipynb), and nothing else but the text encoder's own pre-training, whose texts hold
# words of every label. Mean of all runs:

# %% tags=["remove-input"]
every = results.read_runs(folder) if len(runs) else []
counts = pd.DataFrame([{"setup": run.slug, **run.metrics["data"]} for run in every], columns=["setup", "pretrain_clips", "pairs"])
titles = {"pretrain_clips": "clips with labels, before", "pairs": "sound-caption pairs"}
counts.groupby("setup").mean().reindex(tables.SLUGS).rename(columns=titles).rename_axis(None).round(0).astype("Int64")

# %% [markdown]
# ## How well they do
#
# On unseen synthetic clips of the fifty test classes, with intervals of 95 % over seeds. The last column is the accuracy
# with [class-centroid labels](centroids.ipynb): what the clusters allow when each label lies amid its own sounds.

# %% tags=["remove-input"]
columns = {"accuracy": "accuracy", "silhouette_x_a": "silhouette x_a", "silhouette_E_a": "silhouette E_a"}
columns |= {"centroid_E_a": "class-centroid labels"}
found = {title: tables.intervals(runs, column) for column, title in columns.items()}
display(pd.DataFrame(found, tables.SLUGS))

# %% tags=["remove-input"]
clouds = {run.slug: run for run in every if run.has_clouds}
if "clean-clean" in clouds:
    kept = clouds["clean-clean"].embeddings
    right = (kept["E_a"].astype(float) @ kept["E_t"].astype(float).T).argmax(axis=1) == kept["labels"]
    by_class = pd.Series(right).groupby(kept["labels"].astype(int)).mean()
    lost = (by_class < 2 * runs["chance"].mean()).sum()
    display(Markdown(
        f"A mean hides much: the shown run of clean-clean names between {by_class.min():.0%} and {by_class.max():.0%} of "
        f"the clips of a class rightly, and for {lost} of {len(by_class)} classes fewer than twice as many as guessing."
    ))  # fmt: skip

# %% [markdown]
# ## Use
#
# - **For:** teaching, exercises, tests of methods that look for leaks, and comparisons of the six setups with each other.
# - **Not for:** naming or finding real sounds, watching over people or machines, or any decision. They have heard no
#   recording.
# - **Not as a yardstick:** an accuracy here says nothing about a model of the field. For real sounds see
#   [the networks of others](networks.ipynb).
# - **"Clean" is the paper's word rule.** It is no warranty that a class is new: [three degrees of clean](degrees.ipynb).
#
# ## What they cost, and how to get them
#
# Anyone can make the weights: `make book`, or one setup with `clapleak train --setup clean-clean`. They are left in
# `build/`, and `clapleak.runs.load_trained` opens them. For the weights behind the runs of seed 0, `reference/weights.csv`
# has the size, the SHA-256 and, once somebody publishes them, the address.

# %% tags=["remove-input"]
if every:
    seconds = pd.Series([run.history["seconds"].sum() for run in every])
    made = pd.DataFrame([run.metrics["provenance"] for run in every]).drop_duplicates()
    versions = "; ".join(", ".join(f"{key} {value}" for key, value in row.items()) for _, row in made.iterrows())
    display(Markdown(
        f"Training with captions took {np.median(seconds):.0f} s a run (median of {len(every)}, pre-training not counted). "
        f"Made with: {versions}."
    ))  # fmt: skip

# %% [markdown]
# ## Licence
#
# Code and results: MIT. The text encoder starts from all-MiniLM-L6-v2, which its authors give under the Apache
# licence {cite:p}`reimers2019sentence,wang2020minilm`. Cite the paper {cite:p}`tavares2024separability` for the design.

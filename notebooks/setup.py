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
# # One setup
#
# **Question:** what does a model learn from one choice of pre-training and training? What the two words mean, and how the
# choices compare, stands in [the six setups side by side](setups.ipynb).

# %% tags=["hide-input"]
# %matplotlib inline
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display
from myst_nb import glue

from clapleak import results, runs
from clapleak.book import figures, site, tables
from clapleak.config import load_profile
from clapleak.files import say
from clapleak.setups import Setup

# %% tags=["parameters", "hide-input"]
profile = "mini"  # name of a profile in profiles/
pretraining = "dirty"  # dirty, clean or none
training = "dirty"  # dirty or clean
seed = 0  # of weights, batches and the validation split
group = -1  # class group, for profiles that split the classes; -1: none
data_root = ""  # folder of the real data; empty: CLAPLEAK_DATA
allow_missing = False  # train without the clips that cannot be decoded
train = False  # train again even where a finished run exists
own = False  # show the runs of this machine, not the published ones

# %% tags=["title", "remove-cell"]
setup = Setup.parse(f"{pretraining}-{training}")
question = f"what does the model learn when pre-training is *{pretraining}* and training is *{training}*?"
panel = f"This is panel {setup.figure} of the paper's Figure 2." if setup.figure else "This setup is not in the paper."
Markdown(f"# Setup {setup.slug}\n\n**Question:** {question}\n\n{panel}")

# %% [markdown]
# ## Training
#
# This page reads a finished run. It trains where there is none, and where the measures of a run are published without its
# embeddings, as those of all but the first seed; a line says so before. A training that was interrupted goes on where it
# stopped.

# %% tags=["remove-input"]
name, where = load_profile(profile).name, f"{setup.slug}/{results.run_name(seed, None if group < 0 else group)}"
found, mine = results.folder(name, own=own) / where, results.own_folder(name) / where
if not (train or any((place / "embeddings.npz").is_file() for place in (found, mine))):
    measured = (found / "metrics.json").is_file()
    why = "published without embeddings: trained again" if measured else "no finished run: trained"
    say(f"{name}, {where}: {why} on this machine, for mini about a minute")

# %% tags=["hide-input"]
run = runs.obtain(
    load_profile(profile),
    setup,
    seed=seed,
    group=None if group < 0 else group,
    own=own,
    train=train,
    data_root=data_root or None,
    allow_missing=allow_missing,
)

# %% tags=["hide-input"]
names = {
    "classes": "classes to tell apart", "test_clips": "test clips", "pairs": "audio-text pairs in training",
    "pairs_removed": "pairs removed by the filter", "pretrain_clips": "clips in pre-training",
    "pretrain_removed": "clips removed from pre-training", "missing_clips": "test corpus: clips missing",
}  # fmt: skip
counts = {text: run.metrics["data"][key] for key, text in names.items()}
this = pd.DataFrame({"setup": [run.slug], "synthetic": [run.metrics["synthetic"]]})
display(HTML(tables.origin(run.path.parents[1], this)))
pd.DataFrame({"number": counts})

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Loss over the epochs. The backbones are frozen to the left of the line."}, "image": {"alt": "Training and validation loss over the epochs of this setup."}}
figures.history(run)

# %% [markdown]
# ## Result
#
# Accuracy, silhouette and topological similarity of this run beside the paper's printed values. One run has no spread;
# the [result pages](table1_accuracy.ipynb) have it.

# %% tags=["hide-input"]
m = run.metrics
ours = {"accuracy": m["accuracy"]} | {f"silhouette {k}": v for k, v in m["silhouette"].items()}
ours |= {f"S({pair.replace('-', ',')})": found["value"] for pair, found in m["topology"].items()}
table = pd.DataFrame({"this run": ours})
table["paper"] = [tables.printed(row).get(run.slug, np.nan) for row in table.index]  # it has six setups
difference = tables.difference(table["this run"].round(2) - table["paper"])  # of the values as shown
table.map("{:.2f}".format).replace("nan", "–").assign(difference=difference)

# %% [markdown]
# ## What it confuses

# %% tags=["hide-input"]
clouds = {name: value.astype("float32") for name, value in run.embeddings.items() if value.dtype.kind == "f"}
labels, classes = run.embeddings["labels"].astype(int), [str(c) for c in run.embeddings["classes"]]
similarity = clouds["E_a"] @ clouds["E_t"].T  # (N, C): cosine, both have unit length
answers = similarity.argmax(1)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Confusion of the classes: rows are true classes, columns the model's answers."}, "image": {"alt": "Confusion matrix of this setup; the most frequent confusions are listed below it."}}
figures.confusion(labels, answers, classes)

# %% tags=["hide-input"]
wrong = labels != answers
pairs = pd.DataFrame({"class": [classes[i] for i in labels[wrong]], "answer": [classes[i] for i in answers[wrong]]})
HTML(tables.html_table(pairs.value_counts().head(8).rename("clips").reset_index()))

# %% [markdown]
# ## Where the clips lie
#
# E_a, flattened by t-SNE. Distances on such a map are not to be trusted; that clips of one class lie together is.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "t-SNE of the audio embeddings E_a of the test clips: ours, as the panels of the paper's Figure 2."}, "image": {"alt": "t-SNE map of the audio embeddings of the test clips, coloured by class."}}
figures.cloud(run, title=f"E_a, {run.slug}")

# %% [markdown]
# ## Hits and misses
#
# What the model is most sure of, rightly and wrongly: the clips with the highest similarity to their answer, one a
# class. Listen to a miss before you read which answer was given.

# %% tags=["hide-input"]
def sound(clip):
    """A control to play a synthesised clip; of a recording, the name of its file."""
    title = f"{clip['class']}, answered {clip['answer']}"
    return site.player(str(clip["clip"]), title=title) if run.metrics["synthetic"] else escape(str(clip["clip"]))


clips = pd.DataFrame({"": pd.Series(wrong).map({False: "hit", True: "miss"}), "clip": run.embeddings["clips"]})
clips["class"], clips["answer"] = [classes[i] for i in labels], [classes[i] for i in answers]
clips["similarity"] = similarity.max(1)
surest = clips.sort_values("similarity", ascending=False, kind="stable").drop_duplicates(["", "class"])
shown = surest.groupby("").head(4).sort_values("", kind="stable")
shown["sound"] = shown.apply(sound, axis=1)
HTML(tables.html_table(shown[["sound", "", "similarity", "class", "answer"]], markup=["sound"]))

# %% [markdown]
# ## What to notice

# %% tags=["remove-input"]
by_class = pd.Series(~wrong).groupby(labels).mean()
change = round(m["silhouette"]["E_a"], 2) - round(m["silhouette"]["x_a"], 2)  # as shown above
glue("right", f"{m['accuracy'] / m['chance']:.1f}", display=False)
glue("best", '" and "'.join(classes[i] for i in by_class.index[by_class == by_class.max()]), display=False)
glue("none", int((by_class == 0).sum()), display=False)
glue("change", "lower than" if change < 0 else "higher than" if change > 0 else "as high as", display=False)
glue("lost", int((by_class < 0.1).sum()), display=False)

# %% tags=["remove-input"]
recipe, last = load_profile(profile).recipe, run.history.query("phase == 'unfrozen'")["val_loss"]
glue("end", "the limit of epochs" if len(last) == recipe.max_epochs else "the validation loss", display=False)
glue("falling", "was still falling" if last.idxmin() == last.index[-1] else "had not fallen in the last epoch", display=False)
glue("loss", float(last.min()), display=False)
glue("nothing", float(np.log(recipe.batch_size)), display=False)

# %% [markdown]
# - The model is right {glue:text}`right` times as often as guessing.
# - Accuracy is not spread evenly. Best known: "{glue:text}`best`"; {glue:text}`lost` classes have fewer than a tenth of their clips
#   right, {glue:text}`none` none at all.
# - Training was ended by {glue:text}`end`, when the validation loss {glue:text}`falling`. Its lowest value is
#   {glue:text}`loss:.2f`, where {glue:text}`nothing:.2f` means that nothing is learnt. What a
#   [longer training](controls.ipynb#or-too-short-a-training) changes is a control of its own.
# - The silhouette of E_a is {glue:text}`change` that of x_a: compare
#   [Table 2](table2_silhouette.ipynb), where the paper discusses what projection does to clusters.
# - [The six setups side by side](setups.ipynb) compare this run with the others, and
#   [real networks](networks.ipynb) with real sounds.

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
# # Table 1: accuracy with and without leaks
#
# **Question:** how much zero-shot accuracy is left when the model has not met the answers?

# %% tags=["remove-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue

from clapleak import results
from clapleak.book import analysis, figures, tables
from clapleak.book.statistics import estimate
from clapleak.config import load_profile

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
titles_profile = "networks-titles"  # the same with captions that people wrote
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, real_folder, network_folder = (results.folder(p, own=own) for p in (profile, real_profile, network_profile))
columns, real_columns, network_columns = (tables.columns(p, own=own) for p in (profile, real_profile, network_profile))
ours, real, networks = (next(iter(c.values())) for c in (columns, real_columns, network_columns))
titled = tables.table_or_note(results.folder(titles_profile, own=own))
printed = tables.printed("accuracy")
data_sets = {"in the paper's table": analysis.paper_runs(), "with real networks and titles": titled, "with real networks": networks}
data_sets |= {"on synthetic sounds": ours, "on real sounds with a small network": real}

# %% tags=["remove-input"]
def share_lost(means):
    """Share of what dirty-dirty has above guessing that clean-clean lacks."""
    return (means["dirty-dirty"] - means["clean-clean"]) / means["dirty-dirty"]


above = {name: tables.by_setup(runs, "accuracy") - runs["chance"].mean() for name, runs in data_sets.items() if len(runs)}
lost = {name: estimate(accuracy, share_lost) for name, accuracy in above.items()}
shares = ", ".join(f"{share} {name}" for name, share in lost.items())

# %% tags=["remove-input"]
judged = {name: analysis.judge(runs) for name, runs in data_sets.items() if len(runs)}
falls = analysis.answer("A", "Accuracy falls whenever leaks, and then pre-training itself, are taken away", judged)
decides = analysis.answer("I", "Pre-training is worth more than names in the captions", judged)
display(Markdown(f"**When leaks are removed from both trainings,** of the accuracy above guessing this share is lost: {shares}. Each data set has its own answers and its own *clean*, so that these shares are not one quantity.\n\n{falls}\n\n{decides}"))

# %% [markdown]
# A clip counts as right when its own label has the highest cosine similarity with it, among all labels (section 3).

# %% [markdown]
# ## Real networks on real sounds
#
# [Audio encoders that others trained](networks.ipynb), tested on all classes of ESC-50: *dirty* is YAMNet, *clean* is
# BYOL-A, *none* has random weights. Captions are made from labels by templates. Dirty ones name the class of every clip,
# so that these classes are learnt as by a classifier; clean ones leave out every clip of ten classes at a time, and ten
# answers are the fair question then. The paper offers fifty, of which its clean captions named none.

# %% tags=["hide-input"]
display(HTML(tables.origin(network_folder, networks)))
tables.real_table(networks, tables.clouds_or_note(network_folder))

# %% tags=["hide-input"] mystnb={"figure": {"name": "table1-networks", "caption": "Paper Table 1 as a picture: accuracy of the six setups with real networks on real ESC-50, ten answers. The paper's values rest on fifty answers and are shown for their order."}, "image": {"alt": "Bars of zero-shot accuracy of the six setups with real networks, single runs as dots, the paper's values as diamonds. The numbers stand in the table above."}}
figures.headline(networks, {"paper": printed}, title="Zero-shot accuracy, real networks on real sounds")

# %% [markdown]
# With the titles that recordists gave their sounds as captions, and the paper's word rule as the filter, among ten
# answers:

# %% tags=["hide-input"]
display(HTML(tables.origin(results.folder(titles_profile, own=own), titled)))
by_captions = {"titles, word rule": titled, "templates, no clip of the class": networks}
by_captions = {name: tables.intervals(runs, "accuracy") for name, runs in by_captions.items()}
pd.DataFrame({**by_captions, "paper": printed.map("{:.2f}".format)}, index=pd.Index(tables.SLUGS, name="setup"))

# %% [markdown]
# ## Synthetic sounds
#
# A small network that a laptop trains from nothing. Means with intervals of 95 % over seeds.

# %% tags=["hide-input"]
display(HTML(tables.origin(folder, ours)))
tables.beside_paper(columns, ["accuracy"])

# %% tags=["hide-input"] mystnb={"figure": {"name": "table1-figure", "caption": "Paper Table 1 as a picture: accuracy of the six setups on the synthetic sounds and the paper's values."}, "image": {"alt": "Bars of zero-shot accuracy for the six setups with the paper's values as diamonds. The numbers stand in the table above."}}
figures.headline(ours, {"paper": printed}, title="Zero-shot accuracy, synthetic sounds")

# %% [markdown]
# ## Real sounds, a small network
#
# The same small network on ESC-50 split by class: means with intervals of 95 % over groups and seeds. There are fewer
# answers to choose from than in the paper, so that guessing is right more often, and only the order of the setups
# compares.

# %% tags=["hide-input"]
display(HTML(tables.origin(real_folder, real)))
tables.beside_paper(real_columns, ["accuracy"])

# %% tags=["hide-input"]
counts = {
    "complete_classes": "classes with all their clips, the only targets", "classes": "targets a group",
    "test_clips": "test clips a group", "missing_clips": "clips of the full ESC-50 that this copy lacks",
}  # fmt: skip
if len(real):
    data = pd.Series(results.read_runs(real_folder)[0].metrics["data"])
    display(data[list(counts)].rename(counts).to_frame("number"))

# %% tags=["hide-input"] mystnb={"figure": {"name": "table1-real", "caption": "The same on real ESC-50, split by class. The dashed line is guessing; the paper's values rest on fifty classes and are shown for their order."}, "image": {"alt": "Bars of zero-shot accuracy of the six setups on real ESC-50 with single runs as dots."}}
figures.headline(real, {"paper": printed}, title="Zero-shot accuracy, real ESC-50 split by class")

# %% [markdown]
# ## How much data stands behind each setup
#
# Clean is also less: pairs and pre-training clips that are left, seed and group by seed and group the same.


# %% tags=["hide-input"]
def amounts(folder):
    """Mean number of training pairs and of pre-training clips of each setup."""
    runs = results.read_runs(folder)
    data = pd.DataFrame([{"setup": run.slug, **run.metrics["data"]} for run in runs])
    return data.groupby("setup")[["pairs", "pretrain_clips"]].mean().reindex(tables.SLUGS).round(0).astype("Int64")


data_sets = {"synthetic sounds": (folder, ours), "small network, real sounds": (real_folder, real)}
pd.concat({title: amounts(place) for title, (place, runs) in data_sets.items() if len(runs)}, axis=1)

# %% [markdown]
# ## Does the order hold in every run?
#
# Each line compares setups that differ in one thing alone, run by run (same seed, same group).


# %% tags=["hide-input"]
def compare(table, better, worse):
    """Runs in which the first setup is more accurate than the second."""
    both = tables.by_setup(table, "accuracy")[[better, worse]].dropna()
    return f"{(both[better] > both[worse]).sum()} of {len(both)}"


# %% tags=["hide-input"]
steps = [(f"{p}-dirty", f"{p}-clean") for p in ("dirty", "clean", "none")]
steps += [(f"{p}-{t}", f"none-{t}") for t in ("dirty", "clean") for p in ("dirty", "clean")]
steps += [(f"dirty-{t}", f"clean-{t}") for t in ("dirty", "clean")]
order = pd.DataFrame({"more accurate than": [f"{a} > {b}" for a, b in steps]})
by_data = {"real networks, titles": titled, "real networks, templates": networks}
by_data |= {"synthetic sounds": ours, "small network, real sounds": real}
for name, runs in by_data.items():
    order[name] = [compare(runs, *step) for step in steps]
order

# %% tags=["remove-input"]
ends = [runs["epochs"] == load_profile(place.name).recipe.max_epochs for place, runs in data_sets.values()]
glue("ended", sum(int(ended.sum()) for ended in ends), display=False)
glue("all_runs", sum(map(len, ends)), display=False)

# %% tags=["remove-input"]
worst = ours[ours["setup"] == "none-clean"]  # no leak and no pre-training
glue("floor", float((worst["accuracy"] / worst["chance"]).mean()), display=False)
means = tables.setup_means(ours, "accuracy")

# %% [markdown]
# ## What to notice
#
# - On synthetic sounds, even with no pre-training and clean captions, the model is right {glue:text}`floor:.1f` times as
#   often as guessing, although no caption named the classes. Clips of them may stand in training all the same:
#   [three degrees of clean](degrees.ipynb).
# - {glue:text}`ended` of {glue:text}`all_runs` runs of both data sets ended at the profile's limit of epochs and not by the
#   validation loss. [A longer training](controls.ipynb#or-too-short-a-training) lifts some bars more than others.
# - A clean corpus is also a smaller one, so not all of a drop is a leak:
#   [clean also means less](../deviations.md#clean-also-means-less).
#
# ## Exercises
#
# **1. Which leak path?** Predict which step costs more accuracy, removing the leaks from the captions (dirty-dirty to
# dirty-clean) or from the pre-training labels (dirty-dirty to clean-dirty): in the paper, and here.

# %% tags=["hide-cell"]
both = {"synthetic sounds": ours, "small network, real sounds": real, "real networks, ten answers": networks}
both = pd.DataFrame({"paper": printed, **{name: tables.setup_means(runs, "accuracy") for name, runs in both.items()}})
(both.loc["dirty-dirty"] - both.loc[["dirty-clean", "clean-dirty"]]).round(2)

# %% [markdown]
# **2. One seed alone.** With a single seed, would all six setups stand in the order of their means? Predict in how many
# of the seeds they do.

# %% tags=["hide-cell"]
order = list(means.sort_values(ascending=False).index)
wide = ours.pivot(index="seed", columns="setup", values="accuracy")[order]
same = (wide.diff(axis=1).iloc[:, 1:] < 0).all(axis=1)
print(f"{same.sum()} of {len(same)} seeds give {' > '.join(order)}")

# %% [markdown]
# **3. Two sources of chance.** Other test clips would have given another accuracy, and so did other seeds. Predict
# which of the two changes the numbers more. An accuracy $p$ over $n$ clips has a standard error of $\sqrt{p(1-p)/n}$.

# %% tags=["hide-cell"]
clips = results.read_runs(folder)[0].metrics["data"]["test_clips"]
errors = pd.DataFrame({"by drawing test clips": (means * (1 - means) / clips) ** 0.5})
errors["over seeds"] = ours.groupby("setup")["accuracy"].std()
more = (errors["over seeds"] > errors["by drawing test clips"]).sum()
print(f"Seeds change {more} of {len(errors)} setups more than the choice of test clips would.")
errors.round(3)

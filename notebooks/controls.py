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
# # Leakage, or just less data?
#
# **Question:** clean training data are fewer. How much of the drop in accuracy is the missing leak?

# %% tags=["remove-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue

from clapleak import results
from clapleak.book import analysis, figures, site, tables
from clapleak.book.statistics import estimate, of
from clapleak.setups import FILTERS, MATCHED, PRETRAININGS, SETUPS, SHARES

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds
long_profile = "mini-long"  # synthetic sounds, trained to the end
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, real_folder, long_folder = (results.folder(name, own=own) for name in (profile, real_profile, long_profile))
ours, real = (tables.table_or_note(place, [*SETUPS, *MATCHED]) for place in (folder, real_folder))

# %% tags=["remove-input"]
def costs(runs):
    """One sentence: what the missing leaks and the missing pairs cost, means over pre-trainings, and which costs more."""
    parts = analysis.accuracy_drop(runs).groupby(["group", "seed"])[["leakage", "less data"]].mean()
    leak, less = (estimate(parts, of(name)) for name in parts)
    word = estimate(parts, of("leakage", "less data")).words(
        "so the leaks count more", "so the pairs count more", "which counts more is undecided"
    )
    return f"the missing leaks cost {leak} of accuracy and the missing pairs {less}", word


# %% tags=["remove-input"]
both = {"Real ESC-50, a small network": real, "Synthetic sounds": ours}
cost = {name: costs(runs) if len(runs) else ("", "no results") for name, runs in both.items()}
lines = [f"- **{name}:** {says}, {word}." for name, (says, word) in cost.items() if says]
for key, (_, word) in zip(("count_real", "count_ours"), cost.values(), strict=True):
    glue(key, word.removeprefix("so "), display=False)
display(Markdown("\n".join(lines) or "There are no results of these controls yet."))

# %% [markdown]
# ## The control
#
# The paper's filter takes leaks and data away together. So here is a control that it lacks, *matched*: from all pairs
# as many are drawn at random as clean training keeps. It is as small as the clean set, but leaks and harmless pairs
# have shrunk alike, so most leaks are still there. From dirty to matched data are lost, and a few leaks; from matched
# to clean the other leaks become harmless pairs. So what is called leakage here is a low estimate.
#
# It was not run with [the large networks](networks.ipynb).


# %% tags=["remove-input"]
def drops(runs):
    """Accuracy of the three trainings, and the two parts of the drop: means with intervals over groups and seeds."""
    parts = analysis.accuracy_drop(runs)
    rows = {p: tables.with_intervals(parts.loc[p]) for p in PRETRAININGS}
    columns = ["dirty", "matched", "clean", "less data (dirty - matched)", "leakage (matched - clean)"]
    table = pd.DataFrame(rows, index=columns).T.rename_axis("pre-training")
    return table[[*columns[:2:-1], *columns[:3]]]  # first what it is about


# %% [markdown]
# ## Real sounds: {glue:text}`count_real`
#
# ESC-50 split by class, a small network. Pairs are captions made from labels, so the filter finds every leak. Means with
# intervals of 95 %, here and below.

# %% tags=["hide-input"]
if len(real):
    display(HTML(tables.origin(real_folder, real)), drops(real))

# %% tags=["hide-input"] mystnb={"figure": {"name": "controls-real", "caption": "Accuracy with all pairs (dirty), with fewer pairs that still leak (matched) and with equally few that do not leak (clean): real ESC-50, split by class. Not in the paper."}, "image": {"alt": "Bars of accuracy for dirty, matched and clean training, grouped by pre-training, on real ESC-50. The numbers stand in the table above."}}
trainings = [f"{p}-{t}" for p in PRETRAININGS for t in ("dirty", "matched", "clean")]
figures.headline(real, slugs=trainings, title="Three trainings, real ESC-50 split by class")

# %% [markdown]
# ## Synthetic sounds: {glue:text}`count_ours`

# %% tags=["hide-input"]
if len(ours):
    display(HTML(tables.origin(folder, ours)), drops(ours))

# %% tags=["hide-input"] mystnb={"figure": {"name": "controls-mini", "caption": "The same on synthetic sounds. Not in the paper."}, "image": {"alt": "Bars of accuracy for dirty, matched and clean training, grouped by pre-training, on synthetic sounds. The numbers stand in the table above."}}
figures.headline(ours, slugs=trainings, title="Three trainings, synthetic sounds")

# %% tags=["remove-input"]
lost = ours.groupby("training")["pairs"].mean().reindex(["dirty", "clean"]).astype(float)
glue("lost", f"{1 - lost['clean'] / lost['dirty']:.0%}" if len(ours) else "(no results)", display=False)

# %% tags=["remove-input"]
glue("floor", float(real.loc[real["training"] == "clean", "accuracy"].astype(float).mean()) if len(real) else 0.0, display=False)
glue("guess", float(real["chance"].astype(float).mean()) if len(real) else 0.0, display=False)

# %% [markdown]
# ## Accuracy {glue:text}`rises`
#
# With clean pre-training, some of the leaking pairs are put back, drawn at random. Training grows with them, so the
# curve has both causes in it; the control above says how much of it is leakage.

# %% tags=["hide-input"]
shares = tables.table_or_note(folder, SHARES)
slugs, put_back = [setup.slug for setup in SHARES], [FILTERS[setup.training].share for setup in SHARES]
accuracy = tables.by_setup(shares, "accuracy", slugs)
table = pd.DataFrame({"share of the leaks": [f"{share:.0%}" for share in put_back]}, index=slugs)
table["pairs"] = tables.setup_means(shares, "pairs", slugs).map("{:.0f}".format)
table["accuracy"] = tables.with_intervals(accuracy)
gains = {slug: estimate(accuracy, of(slug, "clean-clean")) for slug in slugs}
table["beside none"] = [f"{gain:+}".replace(", ", ",\u00a0") for gain in gains.values()]
display(HTML(tables.origin(folder, shares)), table.set_index("share of the leaks"))
steps = [estimate(accuracy, of(more, less)).low > 0 for less, more in zip(slugs, slugs[1:], strict=False)]
rises = "rises with the share of the leaks" if gains["clean-dirty"].low > 0 else "is not shown to rise with the leaks"
glue("rises", "rises with every further share of the leaks" if all(steps) else rises, display=False)
glue("steps", f"{sum(steps)} of {len(steps)}", display=False)

# %% [markdown]
# Of the steps from one share to the next, {glue:text}`steps` are shown to raise accuracy by themselves. The shares between
# none and all have fewer seeds than the two ends; a difference is taken over the seeds that both sides have, so that it
# need not be that of the printed means.
#
# Move the slider to put leaks back. Dots are single runs, the line is their mean. Not in the paper.

# %% tags=["hide-input"]
def frame(slug):
    """What the slider says at one share."""
    row, word = table.loc[slug], gains[slug].words("more", "less", "undecided")
    beside = f"Beside training without leaks: {row['beside none']}, {word}." if slug != slugs[0] else "No pair leaks."
    return f"<p><strong>Accuracy {row['accuracy']}</strong> from {row['pairs']} pairs. {beside}</p>"


if len(shares):
    alt = "A curve of accuracy over the share of leaking pairs, from none to all. The numbers stand in the table above."
    frames = dict(zip(table["share of the leaks"], map(frame, slugs), strict=True))
    display(HTML(site.slider("Share of the leaks put back", frames, 2, (figures.shares(shares), alt), put_back)))

# %% [markdown]
# ## Or too short a training?
#
# Nearly every run of `mini` and `esc50` ends at its profile's limit of epochs, and a setup that learns slowly may suffer
# most from that. So here is a second control: the profile `mini-long` is `mini` with time. A run ends when its
# validation loss has not fallen for so long that a lower learning rate was tried as well.

# %% tags=["remove-input"]
long = tables.table_or_note(long_folder)
paired = ours.merge(long, on=["setup", "seed"], suffixes=("", "_long"))
paired["gain"] = paired["accuracy_long"] - paired["accuracy"]


def longer():
    """Accuracy after the short and the long training, what time adds, and epochs of the long one, a line a setup."""
    columns = {"accuracy": profile, "accuracy_long": long_profile, "gain": "gain"}
    table = pd.DataFrame({new: tables.intervals(paired, old) for old, new in columns.items()}, index=tables.SLUGS)
    return table.assign(epochs=tables.setup_means(paired, "epochs_long").map("{:.0f}".format))


# %% tags=["remove-input"]
if len(paired):
    display(HTML(tables.origin(long_folder, long)), longer())

# %% tags=["remove-input"] mystnb={"figure": {"name": "controls-long", "caption": "Accuracy of the six setups when training ends by the validation loss: synthetic sounds, profile mini-long. Not in the paper."}, "image": {"alt": "Bars of zero-shot accuracy of the six setups after the long training. The numbers stand in the table above."}}
if len(long):
    display(figures.headline(long, title="Trained to the end, synthetic sounds"))

# %% tags=["remove-input"]
after, before = (tables.by_setup(paired, name) for name in ("accuracy_long", "accuracy"))


def worth(values, path):
    """What leaks through one path add to accuracy, mean over the other path's states."""
    return estimate(values, lambda means: analysis.mean_gains(means)[path])


added = (after - before).mean()
if len(paired):
    says = [f"Time adds most to {added.idxmax()} ({added.max():+.2f}), least to {added.idxmin()} ({added.min():+.2f})."]
    for path in ("captions", "pre-training"):
        says.append(f"Leaks in the {path} add {worth(before, path)} in the short training, {worth(after, path)} in the long one.")
    display(Markdown(" ".join(says)))

# %% [markdown]
# ## What to notice
#
# - On synthetic sounds the filter takes away {glue:text}`lost` of the pairs. On real ESC-50 clean training ends at an
#   accuracy of {glue:text}`floor:.2f` on average, where guessing gives {glue:text}`guess:.2f`.
# - The paper's design confounds leaks and loss of data. For the captions this control takes them apart; for the
#   pre-training we have no such control.
# - A leak is a pair: a name and a sound that belong together. Neither this control nor the paper's design tells the name
#   from the sound. [Word-clean and truly clean](degrees.ipynb) come nearest to that.
# - What a leaked caption teaches is another question: [which embedding does a leak move?](centroids.ipynb)
#
# ## Exercises
#
# **1. Half of the leaks.** Does a training set with half of the leaks give half of the gain?

# %% tags=["hide-cell"]
def share_of_gain(slug):
    """Share of the gain of all leaks that some of them give."""
    return estimate(accuracy, lambda m: (m[slug] - m["clean-clean"]) / (m["clean-dirty"] - m["clean-clean"]))


half = share_of_gain("clean-leak50")
sure = "the first examples of a name teach most of it", "the later examples of a name teach most of it"
why = sure[0] if half.low > 0.5 else sure[1] if half.high < 0.5 else "whether that is more than half is undecided"
print(f"Half of the leaks give {half} of the gain: {why}.")
pd.Series({slug: str(share_of_gain(slug)) for slug in slugs[1:-1]}).to_frame("share of the gain")

# %% [markdown]
# **2. Who gains most?** With which pre-training does the missing leak cost most points? Think of what the audio
# encoder must already tell apart for a leaked word to help.

# %% tags=["hide-cell"]
analysis.accuracy_drop(ours).groupby("pretraining")[["leakage"]].mean().sort_values("leakage", ascending=False).round(2)

# %% [markdown]
# **3. Could it be the seed?** In how many single runs is a smaller dirty set worse than the whole one, and in how many
# is a clean set worse than that?

# %% tags=["hide-cell"]
for name, runs in (("small network, real sounds", real), ("synthetic sounds", ours)):
    parts = analysis.accuracy_drop(runs).dropna()
    less, leak = (parts["less data"] > 0).sum(), (parts["leakage"] > 0).sum()
    print(f"{name}: less data costs in {less} of {len(parts)} runs, missing leaks in {leak}")

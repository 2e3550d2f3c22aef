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
# # The synthetic sounds of this book
#
# **Question:** what do the sounds of the default profile consist of, and are they as hard to tell apart as real ones?
#
# <span class="synthetic">synthetic</span> Every sound on this page comes from a small synthesiser and one row of a
# table. Names carry the meaning, rows carry the acoustics, and neither is derived from the other.

# %% tags=["remove-input"]
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from clapleak import foley, leakage
from clapleak.book import figures, site, tables
from clapleak.config import Foley, load_profile

pd.set_option("display.max_colwidth", None)  # captions stay whole

# %% tags=["parameters", "remove-input"]
example = "dog"  # class whose row is shown
index = 2000000  # number of the clip of each class that is played; the first of the test
profile = "mini"  # whose front end the spectrograms show

# %% tags=["remove-input"]
classes, audio = foley.classes(), load_profile(profile).audio
targets = sorted(classes.index[classes["target"]])
glue("classes", len(classes), display=False)
glue("targets", len(targets), display=False)

# %% [markdown]
# The data set has {glue:text}`classes` classes. {glue:text}`targets` of them carry the names of ESC-50 and are the test;
# the others are related to them in meaning or in sound, or are not.
#
# ## From a row to a sound
#
# The parameters of one class that are not zero, with their units at the end of each name:

# %% tags=["hide-input"]
row = classes.loc[[example]].T.rename_axis("parameter")
row[(row[example] != 0) & (row[example] != "")]

# %% tags=["hide-input"] mystnb={"figure": {"name": "sounds-example", "caption": "Log-mel spectrograms of four clips of one class: pitch, tempo, timbre, room and background change from clip to clip."}, "image": {"alt": "Four log-mel spectrograms of one synthetic class."}}
figures.spectrograms(
    [f"foley@0/{example}/{index + i}" for i in range(4)],
    [f"{example}, clip {i + 1}" for i in range(4)],
    audio,
)

# %% [markdown]
# ## The fifty targets

# %% tags=["hide-input"] mystnb={"figure": {"name": "sounds-targets", "caption": "One clip of each of the fifty target classes, as log-mel spectrograms (time to the right, frequency upwards)."}, "image": {"alt": "Fifty small log-mel spectrograms, one a target class."}}
figures.spectrograms([f"foley@0/{name}/{index}" for name in targets], targets, audio)

# %% [markdown]
# ## Listen
#
# One clip of every class; the targets come first.

# %% tags=["hide-input"]
names = [*targets, *sorted(set(classes.index) - set(targets))]
cells = [
    f"<figure><figcaption>{name}</figcaption>{site.player(f'foley@0/{name}/{index}', title=name)}</figure>"
    for name in names
]
HTML('<div class="sounds">' + "".join(cells) + "</div>")

# %% [markdown]
# ## Captions
#
# Captions come from many templates; scenes join two events.

# %% tags=["hide-input"]
sizes = Foley(seed=0, pretrain_clips=1, pair_clips=2, test_clips=1, scenes=100, limit_classes=None)
corpus = foley.corpus("pairs", sizes, audio.segment)
shown = corpus.table[["labels", "text"]].sample(12, random_state=0)
shown.assign(labels=shown["labels"].map(", ".join)).style.hide(axis="index")

# %% [markdown]
# ## As hard as real sounds?
#
# The same small network learns the same classes from the same number of clips, once from these sounds and once from real
# ESC-50 clips: silhouette of x_a and accuracy on held-out clips. The spreads within a class were set once by this
# comparison, and not by any result of the paper. `python benchmarks/hardness.py` repeats it.

# %% tags=["hide-input"]
hardness = tables.hardness()
hardness.T.map("{:.3g}".format)

# %% tags=["remove-input"]
easier = (hardness.iloc[0] > hardness.iloc[1])[["silhouette, mean", "accuracy, mean"]].sum()
verdict = {2: "easier than real sounds in both measures", 1: "easier in one measure, harder in the other"}
glue("hardness", verdict.get(int(easier), "harder than real sounds in both measures"), display=False)

# %% [markdown]
# ## What to notice
#
# - Classes near in meaning need not sound alike ("clock alarm", "clock tick"), and strangers may ("can opening", "glass breaking"):
#   [Which classes lie close together, counted](neighbours.ipynb) ranks all pairs.
# - By this comparison synthetic sounds are {glue:text}`hardness`.
# - Synthetic sounds show a mechanism. How large an effect is on real sounds, only real sounds can tell.
#
# ## Exercises
#
# **1. A test for your ears.** Play the three sounds and write down a name for each. Which of them do you name as the
# table of classes does?

# %% tags=["hide-input"]
quiz = [names[number] for number in np.random.default_rng(7).choice(len(targets), 3, replace=False)]
sounds = [site.player(f"foley@0/{name}/{index + 1}", title=f"sound {i}") for i, name in enumerate(quiz, 1)]
HTML("".join(f"<p>{i}: {sound}</p>" for i, sound in enumerate(sounds, 1)))

# %% tags=["hide-cell"]
for number, name in enumerate(quiz, 1):
    print(f"sound {number}: {name}")
print(f"Guessing names one sound in {len(targets)}.")

# %% [markdown]
# **2. What the filter can see.** Captions of one event name it in many ways. Predict in what share of the captions of a
# target sound the filter finds a word of a label.

# %% tags=["hide-cell"]
single = corpus.table[corpus.table["labels"].map(len) == 1]
single = single[single["labels"].map(lambda labels: labels[0] in targets)]
found = leakage.find_leaks(single["text"], targets)["leaks"]
print(f"{found.mean():.2f} of {len(single)} captions; one that it misses: {single.loc[~found, 'text'].iloc[0]!r}")

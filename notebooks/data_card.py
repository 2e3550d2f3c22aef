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
# # Data card: the synthetic sounds
#
# The data set on which this book trains by default. It was made for this reproduction, by a program; nothing in it was
# recorded. [Listen to it](sounds.ipynb). All numbers are computed from the program and its tables.

# %% tags=["remove-input"]
import pandas as pd
from IPython.display import Markdown

from clapleak import foley, leakage
from clapleak.book import degrees, tables
from clapleak.config import load_profile
from clapleak.foley.table import templates

# %% tags=["parameters", "remove-input"]
profile = "mini"  # whose sizes the card shows

# %% tags=["remove-input"]
settings, classes = load_profile(profile), foley.classes()
seconds, targets = settings.audio.segment, sorted(classes.index[classes["target"]])
parts = {part: foley.corpus(part, settings.data.foley, seconds).table for part in ("pretrain", "pairs", "test")}
text = parts["pairs"]["text"]

# %% [markdown]
# ## What it is

# %% tags=["remove-input"]
columns = [name for name in classes if name not in ("target", "noun_phrases", "clauses")]
counts = {kind: len(several) for kind, several in templates().items()}
display(Markdown(
    f"- **{len(classes)} classes**, of which {len(targets)} carry the names of ESC-50 and are the test.\n"
    f"- A class is one row of a table: {len(columns)} acoustic parameters, and the words by which captions name it.\n"
    f"- **{sum(counts.values())} templates** of captions, {counts['at_once'] + counts['in_sequence']} of them for two events.\n"
    f"- {text.nunique()} different captions among {len(text)}; clips of {seconds:g} s; format {foley.FORMAT}."
))  # fmt: skip

# %% tags=["remove-input"]
rows = {}
for table, use in zip(parts.values(), ("labels, before", "captions", "the test"), strict=True):
    two = table["labels"].str.len() > 1
    rows[use] = {"clips": len(table), "of two events": int(two.sum()), "minutes": round(len(table) * seconds / 60)}
pd.DataFrame(rows).T.rename_axis(f"sizes in {profile}")

# %% [markdown]
# ## How it is made
#
# An event is a tone, a band of noise, or both, with onsets, attack, decay and modulation. At times another sound lies
# below it; a background, a room and the colour of a recording always do. Pitch, tempo and timbre are drawn anew for each
# clip, from its name alone: the same name gives the same samples and the same caption on every machine.
#
# Names carry the meaning and rows carry the acoustics. **Neither was derived from the other**, and nothing was set by a
# result of the paper. How much clips of a class differ was set once, by training the same network on both kinds of sounds:

# %% tags=["remove-input"]
hardness = tables.hardness()
easier = int((hardness.iloc[0] > hardness.iloc[1])[["silhouette, mean", "accuracy, mean"]].sum())
word = {2: "easier to tell apart", 1: "in one measure easier to tell apart, in the other harder"}.get(easier, "harder to tell apart")
display(hardness.T.map("{:.2f}".format).replace(r"\.00$", "", regex=True), Markdown(f"By this comparison, among equally many classes, the synthetic sounds are {word} than real ones."))

# %% [markdown]
# ## What it stands for
#
# | part | stands for | what is lacking |
# |---|---|---|
# | clips with labels | AudioSet, of which labels are known | the breadth of the world, wrong labels, many labels a clip |
# | clips with captions | Clotho, AudioCaps, FSD50K and MACS | how people write: everything here is a template |
# | the test | ESC-50 | recordings, and what recordings of one place share |
#
# ## What leaks in it
#
# The program knows what sounds in every clip, which no real collection does. So it can be counted what the paper's word
# rule leaves: pairs in which a test class sounds although no word of a label is in the caption.

# %% tags=["remove-input"]
leaking = leakage.find_leaks(text, targets)["leaks"]
display(Markdown(f"The word rule takes {leaking.mean():.0%} of the captions away."), degrees.what_is_left(settings))

# %% [markdown]
# ## Use
#
# - **For:** learning how leaks work, exercises, tests of code, and methods that need to know what sounds in a clip.
# - **Not for:** a claim about real sounds, about hearing, or about a model of the field. A result on it shows that a
#   mechanism exists and not how large it is.
# - **Not for training what listens in the world**, least of all for alarms: "siren", "crying baby" or "glass breaking"
#   are names of rows here.
# - **Not as a benchmark:** who can read the table can build the perfect model.
# - No person was recorded, no voice was imitated, and there are no personal data in it.
#
# ## How to get it
#
# `clapleak.foley.synthesise("foley@0/dog/17", sample_rate=16000, duration=2.5)` gives one clip, and
# `clapleak.foley.corpus` the list of a part. No audio is stored in the repository. When a change gives other samples for
# the same name, the format's number goes up, and kept clips are made again.
#
# ## Licence
#
# Program, tables and the sounds that they make: MIT. The names of the test classes are those of ESC-50
# {cite:p}`piczak2015esc`; none of its recordings is part of the data set.

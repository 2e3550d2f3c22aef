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
# # Three degrees of clean
#
# **Question:** the paper calls a training set clean when no caption holds a word of a class name. Can a class still be
# heard in it, and how much of the "clean" accuracy comes from that?

# %% tags=["remove-input"]
# %matplotlib inline
from IPython.display import HTML, Markdown
from myst_nb import glue

from clapleak import results
from clapleak.book import degrees, figures, ladder, tables
from clapleak.book.statistics import estimate, of
from clapleak.config import load_profile
from clapleak.setups import CLEANER, PRETRAININGS, SETUPS, SURFACE

# %% tags=["parameters", "remove-input"]
titles_profile = "networks-titles"  # real sounds with the titles that recordists wrote
profile = "mini"  # synthetic sounds, of which the synthesiser knows what sounds in each
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
titles_folder, folder = (results.folder(name, own=own) for name in (titles_profile, profile))
titled = tables.table_or_note(titles_folder, ladder.present(titles_folder))
runs = tables.table_or_note(folder, [*SETUPS, *CLEANER])
slugs = [setup.slug for setup in (*SETUPS, *CLEANER)]
accuracy = tables.by_setup(runs, "accuracy", slugs)

# %% tags=["remove-input"]
pair = ["dirty-clean", "dirty-truly_clean"]
real = tables.by_setup(titled, "accuracy", pair)
left = estimate(real, of(*pair))
word = left.words("leaves leaks", "takes more than leaks", "cannot be shown to leave leaks")
glue("rule", word, display=False)
lines = [f"**Real sounds and titles:** {ladder.title('dirty')} reaches {estimate(real, of(pair[0]))} with word-clean titles. Without any clip of the target classes that changes by {-left:+}: the rule {word}."]
lines += [f"**Synthetic sounds:** {degrees.answer(accuracy, runs['chance'].mean())}"]
display(Markdown("\n".join(f"- {line}" for line in lines)))

# %% [markdown]
# ## Three rules
#
# *Dirty* keeps every pair. *Word-clean* is the paper's rule: no pair whose caption holds a word of a target's name.
# *Truly clean* leaves out every pair in whose sound a target class can be heard, whatever its caption says, which only a
# data set can do that knows what sounds in its clips. Each can go *by pair*, or *by clip*, where all captions of a clip
# go when one of them leaks; the paper's wording allows both. Where every clip has one caption they are the same, and
# only what goes by pair is trained.
#
# ## Real titles: the word rule {glue:text}`rule`
#
# [Networks that others trained](networks.ipynb), with the title that the recordist gave a recording as its caption. A
# title such as "rose_bark" tells that a dog is heard without the word "dog", and the rule keeps it. Ten answers; means
# with intervals of 95 % over class groups and seeds. Truly clean sets are smaller as well, and there is no matched control
# of these networks: the last difference holds leaks and loss of pairs.

# %% tags=["hide-input"]
display(HTML(tables.origin(titles_folder, titled)), ladder.three_degrees(titled))

# %% [markdown]
# ## Synthetic sounds: the rule leaves a target's sound in {glue:text}`left` pairs
#
# A caption may name a target in other words, and a clip may hold a softer sound that its caption leaves out.

# %% tags=["hide-input"]
left = degrees.what_is_left(load_profile(profile))
glue("left", "{with a target's sound} of {pairs}".format(**left.loc["word-clean, by pair"]), display=False)
left

# %% [markdown]
# ## Without those sounds accuracy {glue:text}`worth`

# %% tags=["hide-input"]
if len(runs):
    display(HTML(tables.origin(folder, runs)), degrees.by_rule(accuracy))
lost = estimate(accuracy, lambda m: sum(m[f"{p}-clean"] - m[f"{p}-truly_clean"] for p in PRETRAININGS))
glue("worth", lost.words("is lower", "is higher", "is not shown to be lower"), display=False)

# %% [markdown]
# No control has the size of the truly clean sets. [Matched training sets](controls.ipynb) have that of the word-clean ones,
# and tell leaks and loss of pairs apart for these alone.
#
# ## Two leaks at once
#
# Leaks come in through the labels of pre-training and through the captions. Here a share of each is put back: no leak,
# a quarter, half, three quarters, all.

# %% tags=["hide-input"] mystnb={"figure": {"name": "leak-surface", "caption": "Zero-shot accuracy on synthetic sounds over the share of leaks in the labels of pre-training and in the captions: means over seeds. Not in the paper."}, "image": {"alt": "A grid of five by five cells with the accuracy in each; the numbers stand in the table below."}}
surface = tables.table_or_note(folder, SURFACE)
if len(surface):
    display(figures.surface(degrees.surface(surface)))

# %% tags=["hide-input"]
if len(surface):
    display(HTML(tables.origin(folder, surface)), degrees.surface(surface).round(3))

# %% tags=["remove-input"]
display(Markdown(degrees.together(surface)))

# %% [markdown]
# ## Exercises
#
# **1. One rule for all?** Which pre-training loses most when captions become truly clean?

# %% tags=["hide-cell"]
for p in PRETRAININGS if len(runs) else ():
    pair = [f"{p}-clean", f"{p}-truly_clean"]
    lost = estimate(accuracy[pair], of(*pair))
    print(f"pre-training {p}: {lost}, {lost.words('a loss', 'a gain', 'not told apart from nothing')}")
if lost.low > 0:
    print("A sound without its name still teaches that such sounds go with such texts: a bark in a caption about a park.")

# %% [markdown]
# **2. First or last?** Is the first quarter of the leaks in the captions worth more than the last?

# %% tags=["hide-cell"]
if len(surface):
    steps = degrees.surface(surface).diff(axis=1).iloc[:, 1:]
    early, late = steps.iloc[:, 0].mean(), steps.iloc[:, -1].mean()
    word = "more: the first examples of a name teach most" if early > late else "no more: later examples of a name teach as well"
    print(f"The first quarter adds {early:.3f}, the last {late:.3f}, means over pre-trainings. The first is worth {word}.")
    display(steps.round(3))

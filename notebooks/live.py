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
# # Turn the knobs yourself
#
# **Question:** what changes when you offer other labels, write other prompts, count more neighbours, or leave fewer leaks
# in the captions?
#
# In the book you see still pictures: each shows one position of its knobs. To turn them, open this page with the
# rocket above, on Colab or Binder, or with `make live` on your own machine, and run all cells. The first, third and
# fourth part work at once, from the results that are kept. The second asks a trained network for what is not among
# these. Its weights are fetched where somebody publishes them; if a message says that there are none, set `train = True`
# in the cell of the parameters and run all cells again.

# %% tags=["hide-input"]
# %matplotlib inline
from itertools import product

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from clapleak import metrics, results
from clapleak import runs as conductor
from clapleak.book import figures, live, site, tables
from clapleak.config import ClapleakError, load_profile
from clapleak.setups import FILTERS, SHARES, Setup

# %% tags=["parameters", "hide-input"]
profile = "mini"  # synthetic sounds
seed = 0  # run that answers in the second and third part
train = False  # train the networks of the second part in this kernel, where that is not done yet
own = False  # show the runs of this machine, not the published ones

# %% tags=["hide-input"]
folder = results.folder(profile, own=own)
runs = tables.clouds_or_note(folder)
table, shares = results.table(folder), tables.table_or_note(folder, SHARES)
shown = {run.slug: run for run in runs if run.seed == seed}
classes = [str(name) for name in runs[0].embeddings["classes"]]
slugs = list(shown)
wide, high = {"width": "min(100%, 26em)"}, {"width": "min(100%, 26em)", "height": "12em"}
kept = table.set_index(["setup", "seed"]).index.isin([(run.slug, run.seed) for run in runs])
HTML(tables.origin(folder, table[kept]))

# %% [markdown]
# ## Which labels may be answered?
#
# Zero-shot accuracy depends on the labels that the model may choose from. Choose some (with Ctrl or Shift): only their
# clips are tested, and only they may be answered. It begins with ten animals.

# %% tags=["hide-input"]
animals = ["dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow"]


def among(run, chosen, offered=None):
    """Accuracy of a run over the clips of the chosen labels, when only the offered ones, by default the same, may be answered."""
    keep = np.flatnonzero(np.isin(run.embeddings["classes"], chosen if offered is None else offered))
    labels = run.embeddings["labels"].astype(int)
    mine = np.isin(run.embeddings["classes"][labels], chosen)
    E_a, E_t = (run.embeddings[name].astype("float32") for name in ("E_a", "E_t"))
    return metrics.zero_shot_accuracy(E_a[mine], E_t[keep], np.searchsorted(keep, labels[mine]))


# %% tags=["hide-input"]
def label_set(chosen):
    """The six setups with those labels."""
    if len(chosen) < 2:
        raise ClapleakError("choose two labels at least")
    found = [{"setup": run.slug, "accuracy": among(run, chosen), "chance": 1 / len(chosen)} for run in runs]
    return figures.headline(pd.DataFrame(found), title=f"{len(chosen)} labels to choose from")


# %% mystnb={"figure": {"name": "live-labels", "caption": "Accuracy of the six setups when only ten animals are offered: synthetic sounds. Not in the paper."}, "image": {"alt": "Bars of accuracy of the six setups among ten labels of animals, with a line for guessing."}} tags=["hide-input"]
first = [name for name in animals if name in classes]
chosen = widgets.SelectMultiple(options=classes, value=first, description="labels", layout=high)
live.interact(label_set, chosen=chosen)

# %% [markdown]
# ## Any sound, any prompt
#
# Two setups are given the same sound and compare it with the same prompts, one a line. The nearest prompt is their answer;
# its bar has the colour of the setup. Test clips and labels are known already; your own words or your own sound need
# the trained networks. To train them here (`train = True` above) takes some minutes from nothing, most of them for the
# sounds that the networks learn from. A bare label is put into the sentence of the test; all else is read as you write it.
#
# A sound of your own, recorded or from a file, stays with the kernel that runs this page.


# %% tags=["hide-input"]
def play(label, number, **_):
    """The test clip."""
    clips = shown[slugs[0]].embeddings["clips"][shown[slugs[0]].embeddings["labels"] == classes.index(label)]
    return HTML(site.player(str(clips[number % len(clips)]), title=f"test clip {number} of {label}"))


def rightly(slug, name, number):
    """Whether a setup names a test clip rightly among the prompts."""
    found = shown[slug].embeddings
    E_a = found["E_a"][np.flatnonzero(found["labels"] == classes.index(name))[number]].astype("float32")
    return first[(found["E_t"][[classes.index(label) for label in first]].astype("float32") @ E_a).argmax()] == name


# %% tags=["hide-input"]
# the first clip on which the two setups differ
start = next((clip for clip in product(first, range(10)) if rightly(slugs[0], *clip) > rightly(slugs[-2], *clip)), (first[0], 0))
heard = widgets.ToggleButtons(options=["test clip", "my sound"], description="hear", style={"button_width": "8em"})
label = widgets.Dropdown(options=classes, value=start[0], description="test clip of", layout=wide)
number = widgets.IntSlider(start[1], 0, 9, description="number", continuous_update=False, layout=wide)
sound = live.SoundInput(seconds=load_profile(profile).audio.segment)
source = {"heard": heard, "label": label, "number": number, "sound": sound}
live.interact(play, **source)


# %% tags=["hide-input"]
def answers(left, right, heard, label, number, sound, prompts):
    """Cosine of the sound with each prompt, in both setups."""
    texts = [line.strip() for line in prompts.splitlines() if line.strip()]
    if not texts or (heard == "my sound" and sound is None):
        raise ClapleakError("write a prompt, and record a sound or choose a file")
    cosines = {}
    for slug in (left, right):
        listener = listeners[slug]
        E_a = listener.hear(sound) if heard == "my sound" else listener.clip(label, number)
        cosines[slug] = listener.read(texts) @ E_a
    if heard == "my sound":
        return figures.similarities(cosines, texts, title=sound.name)
    marked = [f"✓ {text}" if label in text else text for text in texts]  # the clip's own class
    return figures.similarities(cosines, marked, title=f"test clip {number} of {label}")


# %% tags=["hide-input"]
left = widgets.Dropdown(options=slugs, value=slugs[0], description="left", layout=wide)
right = widgets.Dropdown(options=slugs, value=slugs[-2], description="right", layout=wide)
prompts = widgets.Textarea("\n".join(first), description="prompts", continuous_update=False, layout=high)
listeners = {slug: live.Listener(run) for slug, run in shown.items()}

# %% mystnb={"figure": {"name": "live-prompts", "caption": "One test clip of the synthetic sounds beside ten prompts, in a setup with leaks and in one without. The coloured bar of each is its answer; ✓ marks the clip's own class."}, "image": {"alt": "Two panels of bars: the cosine of one sound with ten prompts, for two setups; the longest bar of each is coloured."}} tags=["hide-input"]
for slug in (left.value, right.value) if train else ():
    conductor.run(conductor.open_study(load_profile(profile)), Setup.parse(slug), seed=seed)
live.interact(answers, left=left, right=right, prompts=prompts, elsewhere=source)

# %% [markdown]
# ## Slide $k$
#
# $S_k$ is the share of the $k$ nearest classes that two spaces have in common; $S$ is its maximum up to the line that
# you slide. Watch what a wide range does to $S$, and what happens when a class counts among its own neighbours, as
# [Table 3](table3_topology.ipynb) discusses.

# %% tags=["hide-input"]
spaces = {"E_a and E_t": ("E_a", "E_t"), "x_a and E_a": ("x_a", "E_a"), "x_t and E_t": ("x_t", "E_t")}


def neighbours(setup, pair, k, with_itself):
    """S_k of two spaces of one run, a point a class; sounds by the mean of their class."""
    found = shown[setup].embeddings
    clouds = [found[name].astype("float32") for name in spaces[pair]]
    labels = found["labels"].astype(int)
    points = [metrics.class_means(c, labels) if len(c) == len(labels) else c for c in clouds]
    return figures.overlap({pair: tuple(points)}, k_max=k, include_self=with_itself)


# %% mystnb={"figure": {"name": "live-overlap", "caption": "S_k of sound and text in the setup without leaks, with its chance line, the band of unrelated clouds, and the maximum up to the line: synthetic sounds."}, "image": {"alt": "A curve of shared neighbours over k above a grey band of unrelated clouds; a vertical line marks the chosen k and a dot the maximum up to it. The title gives the values."}} tags=["hide-input"]
setup = widgets.Dropdown(options=slugs, value=slugs[-2], description="setup", layout=wide)
pair = widgets.Dropdown(options=list(spaces), description="spaces", layout=wide)
usual, last = round(len(classes) ** 0.5), len(classes) - 1
k = widgets.IntSlider(usual, 1, last, description="k", continuous_update=False, layout=wide)
with_itself = widgets.Checkbox(False, description="a class counts as its own neighbour", layout=wide)
live.interact(neighbours, setup=setup, pair=pair, k=k, with_itself=with_itself)

# %% [markdown]
# ## Slide the share of the leaks
#
# Clean pre-training, and a share of the leaking captions put back: trained beforehand, several seeds each. The page
# [Leakage, or just less data?](controls.ipynb) says what else is in this curve besides leakage.

# %% mystnb={"figure": {"name": "live-shares", "caption": "Accuracy with half of the leaking pairs in training, on the curve of all shares: clean pre-training, synthetic sounds. Not in the paper."}, "image": {"alt": "A curve of accuracy over the share of leaking pairs; the share of one half is marked and its accuracy stands in the title."}} tags=["hide-input"]
options = [(f"{FILTERS[setup.training].share:.0%}", FILTERS[setup.training].share) for setup in SHARES]
share = widgets.SelectionSlider(options=options, value=options[2][1], description="leaks", layout=wide)
live.interact(lambda share: figures.shares(shares, share), share=share)

# %% tags=["remove-input"]
few = pd.Series({slug: among(run, first) for slug, run in shown.items()})
of_all = pd.Series({slug: among(run, first, classes) for slug, run in shown.items()})
glue("higher", f"{(few > of_all).sum()} of {len(few)}", display=False)
glue("gain", float((few - of_all).mean()), display=False)
glue("few", len(first), display=False)
glue("all", len(classes), display=False)

# %% [markdown]
# ## What to notice
#
# - On the clips of these {glue:text}`few` classes, {glue:text}`higher` setups are right more often when only
#   their own labels are offered, by {glue:text}`gain:.2f` on average, than with all {glue:text}`all`. It never hurts: a
#   right answer stays right. Even so, a few labels that are hard to tell apart can have a lower accuracy than a whole
#   test, so compare accuracies only over the same clips and labels, and each with its own guessing line.
# - The nearest prompt is always an answer. Nothing tells you that none of the prompts fits.
# - A wider range of $k$ never makes the maximum smaller; the band of unrelated clouds rises as well.
#
# ## Exercises
#
# **1. A set of your own.** Predict which five labels are hardest to tell apart for dirty-dirty, select them above, and
# compare with these, five that it often confuses with one another.

# %% tags=["hide-cell"]
run = shown[slugs[0]]
answer = (run.embeddings["E_a"].astype("float32") @ run.embeddings["E_t"].astype("float32").T).argmax(1)
labels = run.embeddings["labels"].astype(int)
wrong = np.zeros((len(classes), len(classes)))
np.add.at(wrong, (labels, answer), labels != answer)
mixed = wrong + wrong.T  # (C, C), how often two classes stand for each other
hard = list(np.unravel_index(mixed.argmax(), mixed.shape))
while len(hard) < 5:  # the class that is confused most with those found so far
    gain = mixed[hard].sum(axis=0)
    gain[hard] = -1
    hard.append(int(gain.argmax()))
names = [classes[i] for i in hard]
print(f"{', '.join(names)}: accuracy {among(run, names):.2f}, guessing {1 / len(names):.2f}")

# %% [markdown]
# **2. Two labels side by side.** Which label lies nearest to "dog" among the texts, and where do the clips of "dog" go that
# are named wrongly? Predict for both setups of the second part; then put other pairs of labels on its lines.

# %% tags=["hide-cell"]
for slug in dict.fromkeys((left.value, right.value)):
    here = {name: value.astype("float32") for name, value in shown[slug].embeddings.items() if name in ("E_a", "E_t")}
    texts, dog = here["E_t"] @ here["E_t"].T, classes.index(first[0])
    texts[dog, dog] = -1
    clips = shown[slug].embeddings["labels"] == dog
    given = pd.Series((here["E_a"][clips] @ here["E_t"].T).argmax(1)).map(classes.__getitem__)
    missed = given[given != first[0]].value_counts()
    print(f"{slug}: nearest text {classes[texts[dog].argmax()]}; {len(given) - missed.sum()} of {len(given)} clips right;", "most of the others:", ", ".join(missed.index[:3]) or "none")
print("Where the nearest text is not among the answers, it is no mix-up of neighbouring texts.")

# %% [markdown]
# **3. The largest $k$.** What is $S$ for any setup and any two spaces when $k$ may go up to its end? Slide there before
# you look.

# %% tags=["hide-cell"]
E_a, E_t = metrics.class_means(run.embeddings["E_a"], labels), run.embeddings["E_t"]
print(f"S = {metrics.topological_similarity(E_a, E_t, k_max=last).value:.2f}: all others are neighbours in both spaces")

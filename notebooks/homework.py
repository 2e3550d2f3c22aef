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
# # Homework: what is a zero-shot number worth?
#
# Five tasks of four points each. Paper, a laptop and the book are enough; no task trains anything. For every answer say
# **why** in one or two sentences: a number without its reason earns half of its points. Your lecturer has the key to
# your variant.

# %% tags=["hide-input"]
import textwrap

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from scipy.special import stdtrit

from clapleak import foley, leakage, metrics, results
from clapleak.book import analysis, statistics, tables
from clapleak.config import load_profile
from clapleak.setups import MATCHED, PRETRAININGS, SETUPS

pd.set_option("display.max_colwidth", None)  # captions stay whole

# %% tags=["parameters", "hide-input"]
variant = 0  # another number gives other tasks, and a key of its own
profile = "mini"  # whose published runs the fourth task shows
own = False  # show the runs of this machine, not the published ones

# %% tags=["hide-input"]
rng = np.random.default_rng(variant)
names = ["dog", "rain", "clock tick"]
angles = np.array([0, 40, 100]) + rng.integers(-45, 46, 3), np.array([0, 40, 100])  # degrees: sounds, texts
cosine = np.cos(np.radians(angles[0][:, None] - angles[1])).round(2)  # (3, 3), sound against text
tau = 0.5

# %% [markdown]
# **1. The loss by hand (4 points).** Three sounds (rows) and their three texts (columns); the cosines stand below, and
# the temperature is one half. Compute (a) the softmax of the first row, (b) the loss of the batch over rows and columns,
# (c) the loss of a model for which all cosines are equal, and (d) which sounds get a wrong name.

# %% tags=["hide-input"]
pd.DataFrame(cosine, [f"sound: {name}" for name in names], [f"text: {name}" for name in names])

# %%
# Your answer to 1.

# %% tags=["remove-cell", "answer"]
rows = np.exp(cosine / tau) / np.exp(cosine / tau).sum(axis=1, keepdims=True)
columns = np.exp(cosine / tau) / np.exp(cosine / tau).sum(axis=0, keepdims=True)
loss = -np.mean([np.log(np.diag(rows)), np.log(np.diag(columns))])
wrong = [name for name, best in zip(names, cosine.argmax(axis=1), strict=True) if names[best] != name]
print(f"(a) {rows[0].round(3)}  (b) {loss:.3f}  (c) log 3 = {np.log(3):.3f}  (d) {', '.join(wrong) or 'none'}")
print("Why: each row is a question, 'which text is mine?', and the loss is what the right answers fail to get. Where all")
print("cosines are equal each text gets one third. The loss can fall while a name stays wrong: only the largest counts.")
print("Points: one each; (b) half a point where rows alone are averaged.")

# %% tags=["hide-input"]
sizes = load_profile(profile).data.foley.model_copy(update={"pair_clips": 2, "scenes": 100})
table = foley.corpus("pairs", sizes, 1.0).table.reset_index(drop=True)
targets = sorted(foley.classes().query("target").index)
found = leakage.find_leaks(table["text"], targets)
heard = table["sounds"].map(lambda sounds: sorted(set(sounds) & set(targets)))
kind = found["leaks"].map({True: "goes", False: "stays"}) + heard.map(bool).map({True: ", heard", False: ", not heard"})
chosen = table.groupby(kind).sample(2, random_state=variant).sample(frac=1, random_state=variant).index

# %% [markdown]
# **2. The filter (4 points).** A test has the fifty labels of ESC-50. (a) Which of these captions does the word rule take
# away? The words of the labels stand below. (b) Name a caption that goes although no sound of a test class is in its
# clip, and (c) one that stays although there is one. (d) Which of the two errors makes the clean model look better than
# it is?

# %% tags=["hide-input"]
print("Worth: (a) and (d) one and a half points each, (b) and (c) a half each.")
print(textwrap.fill(" ".join(sorted(leakage.label_words(targets))), 76))
shown = table.loc[chosen, ["text", "sounds"]].assign(sounds=table["sounds"].map(", ".join))
shown.set_axis(["caption", "what sounds"], axis=1).set_axis(range(1, len(chosen) + 1))

# %%
# Your answer to 2.

# %% tags=["remove-cell", "answer"]
key = pd.DataFrame({"word rule": kind[chosen], "words": found.loc[chosen, "words"].map(", ".join)})
display(key.assign(test_class=heard[chosen].map(", ".join)).set_axis(range(1, len(chosen) + 1)))
print("(b) any 'goes, not heard'; (c) any 'stays, heard'; (d) the second: its sound is learnt with a text near its name,")
print("so that the class is not new. The first only costs data, and a model that learns from less looks worse.")
print("Points: (a) one and a half, a half less for each error; (b) and (c) a half each; (d) one and a half, with its reason.")

# %% tags=["hide-input"]
marks = np.array([0, 10, 35, 80, 155])  # degrees; no two differences are equal, so that no neighbours tie
places = [rng.permutation(marks) for _ in range(2)]
five = ["cat", "cow", "siren", "train", "wind"]
clouds = [np.stack([np.cos(np.radians(a)), np.sin(np.radians(a))], axis=1) for a in places]  # (5, 2) each

# %% [markdown]
# **3. Shared neighbours (4 points).** Five classes lie on a circle, once by their sounds and once by their texts. (a) Write
# down the two nearest classes of each, in both spaces, and (b) compute $S_1$ and $S_2$ without the class itself. (c) What
# does chance give at each $k$? (d) What is the maximum of $S_k$ when a class counts as its own neighbour, and why?

# %% tags=["hide-input"]
pd.DataFrame({"sound, degrees": places[0], "text, degrees": places[1]}, five)

# %%
# Your answer to 3.

# %% tags=["remove-cell", "answer"]
nearest = [np.argsort(abs(a[:, None] - a) + 999 * np.eye(5), axis=1)[:, :2] for a in places]
listed = {space: [", ".join(five[i] for i in row) for row in near] for space, near in zip(("sound", "text"), nearest, strict=True)}
display(pd.DataFrame(listed, five))
S = metrics.neighborhood_overlap(*clouds)
print(f"(b) S_1 = {S[0]:.2f}, S_2 = {S[1]:.2f}  (c) one quarter and two quarters  (d) {metrics.neighborhood_overlap(*clouds, include_self=True).max():.0f}")
print("Why: of the four others, k are chosen in each space, so that a neighbour of one is one of the other in k of 4 cases.")
print("With the class itself both sets of one element are equal: the maximum is reached before any neighbour is asked for.")
print("Points: one each; (b) needs both values.")

# %% tags=["hide-input"]
pretraining = PRETRAININGS[variant % len(PRETRAININGS)]
runs = tables.table_or_note(results.folder(profile, own=own), [*SETUPS, *MATCHED])
drop = analysis.accuracy_drop(runs).query("pretraining == @pretraining").droplevel(["pretraining", "group"])
drop = drop.dropna().astype(float)  # seeds that have all three trainings

# %% [markdown]
# **4. Leakage, or just less data? (4 points).** Below is the accuracy of a small model, a line a seed: with all captions
# (*dirty*), with as few as the filter leaves but drawn at random (*matched*), and with the filter (*clean*). (a) Split the
# drop from dirty to clean into two parts. (b) Give each an interval of 95 %: its mean, plus and minus $t s / \sqrt{n}$, with its
# standard deviation $s$ over $n$ seeds and Student's $t$, which stands below. (c) For each part: that it lowers accuracy
# *holds* if its interval lies above zero, is *contradicted* if it lies below, and is else *undecided*; which is it? (d) Why
# is the part called leakage a low estimate?

# %% tags=["hide-input"]
student = stdtrit(max(len(drop) - 1, 1), 0.975)
display(Markdown(f"Synthetic sounds, pre-training *{pretraining}*; t is {student:.2f} for {len(drop)} seeds."))
drop[["dirty", "matched", "clean"]].round(3)

# %%
# Your answer to 4.

# %% tags=["remove-cell", "answer"]
values = drop[["less data", "leakage"]].assign(group=0).set_index("group", append=True).swaplevel()
for name in values if len(values) else ():
    one = statistics.estimate(values[[name]], statistics.of(name))
    print(f"{name}: {one}, {one.verdict}")
print("Why: matched has the size of clean, so that from it to clean only the leaks differ. Its random draw takes some leaks")
print("away as well, and what these cost is counted as less data. t is large for few seeds: their spread is itself uncertain.")
print("Points: one each; (c) follows the student's own interval.")

# %% [markdown]
# **5. A paper of your field (4 points).** Choose a paper with a zero-shot accuracy. Answer for it, each time with the
# place in the paper: (a) which labels and captions has each part of the model seen, (b) by which rule were test classes
# taken out, and what may the rule miss, (c) how many labels were on offer, and what is chance? (d) Write one sentence of
# its abstract again so that it claims no more than the evidence does.

# %%
# Your answer to 5.

# %% tags=["remove-cell", "answer"]
print("Points: one each. (a) needs every part from its first weights on; a part of which the paper says nothing counts as")
print("'not known', not as clean. (b) needs an example of a miss. (d) loses its point where it claims that there is a leak:")
print("the paper's silence is no evidence of one.")

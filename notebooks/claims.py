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
# # What reproduces, claim by claim
#
# **Question:** which statements of the paper hold in its own printed values, on our synthetic sounds, and on real sounds?
#
# | | the paper says | where | more |
# |---|---|---|---|
# | A | as leaks, and then pre-training itself, are taken away, accuracy falls | section 3 | [Table 1](table1_accuracy.ipynb) |
# | B | accuracy correlates with the silhouette of E_a | section 3.1 | [Table 2](table2_silhouette.ipynb) |
# | C | without pre-training the clusters of E_a are the least clear | section 3.1 | [Figure 2](fig2_tsne_audio.ipynb) |
# | D | leaks in the captions make clearer clusters | section 3.1 | [Which embedding does a leak move?](centroids.ipynb) |
# | E | S(E_a, E_t) is below S(x_a, E_a) and S(x_t, E_t) | section 3.2 | [Table 3](table3_topology.ipynb) |
# | F | the logarithm of accuracy correlates with S(E_a, E_t) | section 3.2 | [Table 3](table3_topology.ipynb) |
# | G | projection does not make the clusters of x_a clearer | section 3.3 | [Table 2](table2_silhouette.ipynb) |
# | H | leaks in the pre-training make clearer clusters | section 3.1 | [Which embedding does a leak move?](centroids.ipynb) |
#
# These are the statements that can be put into numbers and signs. Section 3.3 also says the reverse of G, that training
# "can slightly improve the cluster quality"; the printed values speak for G.
# What the paper says about single pairs of classes is [counted on its own page](neighbours.ipynb).

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from clapleak import results
from clapleak.book import analysis, tables

# %% tags=["parameters"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds
own = False  # show the runs of this machine (build/results) instead of the published ones

# %% [markdown]
# ## When a claim counts as holding
#
# All data sets are judged by the same code (`clapleak.book.analysis.judge`), the paper's printed values as if they were a single run. These are rounded, so in
# G a tie counts as not clearer. E is judged by the values of S that are not corrected for chance.
#
# - **A, C, D, E, G, H** compare values, once for every setup or pair of setups that the claim is about. Such a claim
#   *holds* if the mean over runs has the right sign in *all* comparisons, and else *fails*. Beside it stands in how many
#   single runs the sign is right.
# - **B and F** are correlations over the six setups. Such a claim *holds* if the correlation is positive and p is below
#   five per cent; else it is *not shown*.

# %%
folders = {name: results.folder(p, own=own) for name, p in (("synthetic sounds", profile), ("real ESC-50", real_profile))}
printed = pd.DataFrame({column: tables.printed(row) for row, column in tables.ROWS.items()})
data_sets = {"paper": printed.rename_axis("setup").reset_index().assign(seed=0, group=0)}
data_sets |= {name: tables.table_or_note(folder) for name, folder in folders.items()}

# %% [markdown]
# ## The verdicts

# %% tags=["hide-input"]
found = {name: analysis.judge(runs) for name, runs in data_sets.items() if len(runs)}
sign = {"holds": "✓", "fails": "✗", "not shown": "?"}
table = pd.DataFrame({"claim": analysis.CLAIMS})
for name, verdicts in found.items():
    table[name] = [f"<strong>{sign[verdict]} {verdict}</strong><br>{text}" for verdict, text in verdicts.values()]
display(*[HTML(tables.origin(folder, data_sets[name])) for name, folder in folders.items()], HTML(table.to_html(escape=False)))

# %% tags=["remove-input"]
for key, name in (("paper", "paper"), ("ours", "synthetic sounds"), ("real", "real ESC-50")):
    missed = [letter for letter, (verdict, _) in found.get(name, {}).items() if verdict != "holds"]
    glue(f"{key}_holds", len(found.get(name, {})) - len(missed), display=False)
    glue(f"{key}_fails", ", ".join(missed) or "none", display=False)
    glue(f"{key}_all", len(analysis.CLAIMS), display=False)

# %% [markdown]
# ## What to notice
#
# - Of {glue:text}`paper_all` claims {glue:text}`paper_holds` hold in the paper's own values, {glue:text}`ours_holds` on
#   the synthetic sounds and {glue:text}`real_holds` on real sounds. What fails or is not shown: {glue:text}`paper_fails` in
#   the paper, {glue:text}`ours_fails` on synthetic sounds, {glue:text}`real_fails` on real sounds.
# - A claim that fails here need not be wrong. Our networks are small, six setups carry little, and real sounds stand in
#   groups of few classes. [The deviations](../deviations.md) say what differs.
# - A claim that holds need not mean what it seems to. [Less data](controls.ipynb) can lower accuracy as well, and the
#   clusters of the audio embedding are [only half of the task](centroids.ipynb). A tick stands for a sign and not for a size: D may hold by very little.
# - "All comparisons" is strict where there are many and lenient where there are few: exercise 2. One comparison
#   within the spread is enough to fail.
#
# ## Exercises
#
# **1. One run in place of many.** The paper has one run of each setup. Judge the claims on synthetic sounds with one
# seed alone: how many get another verdict than with all seeds?

# %% tags=["hide-cell"]
ours = data_sets["synthetic sounds"]
for seed, runs in ours.groupby("seed"):
    other = [letter for letter, (verdict, _) in analysis.judge(runs).items() if verdict != found["synthetic sounds"][letter][0]]
    print(f"seed {seed:.0f} alone: {len(other)} of {len(analysis.CLAIMS)} verdicts differ", *other)

# %% [markdown]
# **2. How easy is it to hold?** A, C, D and H compare setups. Give the six setups each other's names at random. How often
# does such a claim hold all the same? One that often holds for nonsense says little when it holds.

# %% tags=["hide-cell"]
rng, times = np.random.default_rng(0), 200
held = dict.fromkeys("ACDH", 0)
accuracy, sharp = (tables.by_setup(ours, name) for name in ("accuracy", "silhouette_E_a"))
for _ in range(times if len(ours) else 0):
    names = rng.permutation(tables.SLUGS)
    verdicts = analysis.between_setups(accuracy.set_axis(names, axis=1), sharp.set_axis(names, axis=1))
    held = {letter: count + (verdicts[letter][0] == "holds") for letter, count in held.items()}
(pd.Series(held) / times).map("{:.0%}".format).to_frame("holds with random names")

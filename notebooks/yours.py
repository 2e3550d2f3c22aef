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
# # Your run and ours
#
# **Question:** does a run on your machine give the numbers of this book?
#
# Equal settings do not give equal numbers everywhere: another processor adds up in another order, and training carries
# such differences on. So the question is whether your numbers lie where the published seeds lie. Runs that equal the
# published run of their seed cannot answer it: a mean of published seeds lies in their range, whatever they are.

# %% tags=["remove-input"]
import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from clapleak import results
from clapleak.book import tables

# %% tags=["parameters", "hide-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds
network_profile = "networks"  # real sounds, networks of others
titles_profile = "networks-titles"  # the same with captions that people wrote
long_profile = "mini-long"  # synthetic sounds, trained to the end
base = "mini"  # whose published runs stand beside a profile of your own
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
mine, ours, beside, absent = {}, {}, {}, []
for name in (network_profile, titles_profile, profile, long_profile, real_profile):
    folder = results.folder(name, own=own)
    beside[name] = name if results.folder(name).is_dir() else base
    if tables.is_own(folder):
        mine[name], ours[name] = (tables.table_or_note(one) for one in (folder, results.folder(beside[name])))
    else:
        absent.append(name)

# %% tags=["remove-input"]
def rounded(runs):
    """Setup, group, seed and measures of each run, with as many digits as are published."""
    numbers = runs[["group", "seed", *tables.ROWS.values()]].astype(float).fillna(-1).map("{:.5g}".format)
    return [*map(tuple, numbers.assign(setup=runs["setup"]).to_numpy())]

# %% tags=["remove-input"]
yours, equal = {}, {}
for name, runs in mine.items():
    published = set(rounded(ours[name]))
    known = np.array([run in published for run in rounded(runs)], dtype=bool)
    new = runs[~known] if {*runs["setup"][~known]} == {*tables.SLUGS} else runs  # a comparison needs every setup
    yours[name] = tables.beside_published(new, ours[name])
    so = "their means lie in the published range by themselves"
    if len(new) < len(runs):
        so = "they are left out of the comparison"
    elif known.all():
        so = "the comparison of means says only that this machine gives the same numbers"
    equal[name] = f"{known.sum()} of {len(runs)} runs equal the published run of the same setup and seed in every measure"
    equal[name] += f": {so}" if known.any() else ""

# %% [markdown]
# ## Setup by setup
#
# Means with intervals of 95 % over seeds (and groups of classes, where there are any), the difference of the means, and
# the range of the published seeds, with whether your mean lies *within* it or *outside*.

# %% tags=["hide-input"]
for name, table in yours.items():
    title = f"profile {name}" + ("" if name == beside[name] else f", beside the published runs of {beside[name]}")
    display(HTML(f"<p>{title}: {equal[name]}.</p>"), table)
if absent:
    display(HTML(f"<p>No run of yours is shown for {', '.join(absent)}: the pages of this book show the published results.</p>"))
if not yours:
    display(HTML("<p><code>make book</code> makes your own run of mini and a book that shows it beside the published one, in build/.</p>"))

# %% tags=["remove-input"]
seeds = pd.concat([table["published seeds"] for table in yours.values()]) if yours else pd.Series(dtype=str)
within, outside = (int(seeds.str.endswith(word).sum()) for word in ("within", "outside"))
counts = [f"{within} of {within + outside} means within the published range", *(f"of {name} {text}" for name, text in equal.items())]
glue("yours", "; ".join(counts) if yours else "none is shown here", display=False)

# %% [markdown]
# ## What to notice
#
# - Your run: {glue:text}`yours`.
# - A range of few seeds is narrow, so some means lie outside although nothing is wrong: exercise 1. A mean far outside, or
#   all differences with the same sign, is worth a look at the versions: exercise 2.
#
# ## Exercises
#
# **1. Outside by chance.** A new seed is as likely to have any rank among the published seeds. In what share of the lines
# would one seed of yours lie outside their range although everything is the same? Run one and count; these commands train it
# and show it, without the runs that equal the published ones:

# %% tags=["remove-input"]
published = tables.table_or_note(results.folder(beside[profile]))["seed"]
words = [f"clapleak train --profile {profile} --seed {published.max() + 1:.0f}", *(f"--setup {slug}" for slug in tables.SLUGS)]
train = " \\\n  ".join(words)
show = "clapleak pages --own\nclapleak book --own"
if beside[profile] != profile:  # no page of the book shows it
    show = f"clapleak page yours yours.ipynb -p own true -p profile {profile}"
HTML(f"<pre>{train}\n{show}</pre>")

# %% tags=["hide-cell"]
seeds = published.nunique()
print(f"It is the lowest or the highest of {seeds + 1} seeds in 2 of {seeds + 1} cases: {2 / (seeds + 1):.0%} of the lines.")

# %% [markdown]
# **2. Versions.** Name two things that can differ between two machines which have the same code and settings. Then look
# at what each run has written down.

# %% tags=["hide-cell"]
folders = {"published": results.folder(beside[profile]), "shown in this book": results.folder(profile, own=own)}
pd.DataFrame({name: results.read_runs(folder)[0].metrics["provenance"] for name, folder in folders.items()})

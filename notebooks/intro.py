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
# # What a leaked label is worth
#
# **Question:** a model names sounds of classes that it was "never trained on", and it is often right. Is it clever, or
# has it heard the answers before?
#
# Tavares, Ayres, Wang and Smaragdis asked this about CLAP, a model that matches sounds with sentences
# {cite:p}`tavares2024separability`. They trained it six times. The audio network was **pre-trained** on labels that
# include those of the test (*dirty*), on labels without them (*clean*), or not at all (*none*). The **training** with
# captions then used all captions (*dirty*) or only those without a word of the test labels (*clean*). Their claim:
#
# > A significant part of the measured zero-shot accuracy is inherited from the backbones. It is not learnt in the
# > space that sound and text share.
#
# This book makes the six experiments again, on any laptop, and adds what the paper could not show: [networks that others
# trained](networks.ipynb) on real sounds, with and without the labels.

# %% tags=["remove-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML, Markdown

from clapleak import results
from clapleak.book import figures, ladder, tables

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds, a small network
real_profile = "esc50"  # real sounds, the same small network
network_profile = "networks"  # real sounds, networks of others
titles_profile = "networks-titles"  # the same with captions that people wrote
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
shown = {"real networks": network_profile, "synthetic sounds": profile, "real sounds, small network": real_profile}
columns = {title: tables.columns(name, own=own) for title, name in shown.items()}
first = {title: next(iter(found.values())) for title, found in columns.items()}
networks, ours = first["real networks"], first["synthetic sounds"]

# %% [markdown]
# ## What we found

# %% tags=["remove-input"]
folder = results.folder(network_profile, own=own)
points = ladder.points(ladder.backbones(folder), tables.table_or_note(folder, ladder.present(folder)))
titles_folder = results.folder(titles_profile, own=own)
titled = tables.table_or_note(titles_folder, ladder.present(titles_folder))
lines = ladder.findings(networks, ours, titled, points)
display(Markdown("\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))))

# %% [markdown]
# Whoever reads a zero-shot number should therefore ask two things: did the captions name the classes of the test, and had
# the audio encoder been told them before? [Audit](audit.ipynb) asks them of any model.

# %% tags=["remove-input"] mystnb={"figure": {"name": "headline", "caption": "Zero-shot accuracy of the six setups, named pre-training first, captions second: real networks on real ESC-50 (bars; one dot a run; ten answers), the paper (diamonds; fifty answers) and our small network on synthetic sounds (squares; fifty answers)."}, "image": {"alt": "Zero-shot accuracy of the six setups: real networks, the paper and synthetic sounds. The numbers stand in the table below."}}
marks = {"paper": tables.printed("accuracy"), "synthetic": tables.setup_means(ours, "accuracy")}
figures.headline(networks, marks, title="Zero-shot accuracy of the six setups")

# %% [markdown]
# ## The result in one table
#
# Ours is the mean with its interval of 95 % over seeds and, for real sounds, groups of classes. The last line is what guessing
# would give.

# %% tags=["remove-input"]
table = pd.DataFrame({"paper": tables.printed("accuracy").map("{:.2f}".format)}).rename_axis(None)
for title, found in columns.items():
    for key, runs in found.items():
        name = title if key == "ours" else f"{title}, {key}"
        table[name] = tables.beside_paper({key: runs}, ["accuracy"])["accuracy", key]
        table.loc["guessing", name] = f"{runs['chance'].mean():.2f}".replace("nan", "–")
origins = [tables.origin(results.folder(p, own=own), first[title]) for title, p in shown.items()]
display(HTML("".join(origins)), table.fillna(""))

# %% [markdown]
# The paper's networks are CNN14 and BERT, trained on AudioSet and four corpora of captions. Ours are either networks that
# others trained, which stay as they are, or a narrow CNN14 that a laptop trains; [the deviations](../deviations.md) list
# every difference.
#
# ```{admonition} Two kinds of sounds
# :class: note
# Results marked <span class="synthetic">synthetic</span> rest on sounds that our own synthesiser makes, so that anyone
# can run everything without a download. They show the mechanism. Results marked
# <span class="real">real sounds</span> rest on recordings of ESC-50.
# ```
#
# ## The way through this book
#
# 1. **The question.** [The loss by hand](idea.ipynb), [where leaks come in](leaks.ipynb),
#    [what published models report](published.ipynb) and [the sounds that we learn from](sounds.ipynb).
# 2. **Six setups.** One page each, from [leaks in both trainings](setup_dirty-dirty.ipynb) to
#    [no leak and no pre-training](setup_none-clean.ipynb): training curves, confusions, hits and misses to listen to.
# 3. **Results.** [Real networks on real sounds](networks.ipynb), [Table 1](table1_accuracy.ipynb), [Figure 2](fig2_tsne_audio.ipynb),
#    [Table 2](table2_silhouette.ipynb), [Figure 3](fig3_tsne_text.ipynb), [Table 3](table3_topology.ipynb) and
#    [Figure 4](fig4_backbones.ipynb) of the paper, the tables with theirs beside ours; then
#    [what reproduces, claim by claim](claims.ipynb).
# 4. **Look closer.** [Three degrees of clean](degrees.ipynb), [controls that the paper lacks](controls.ipynb), [which embedding a leak moves](centroids.ipynb), all six
#    maps [to touch and to hear](explorer.ipynb), [what the eye claims, counted](neighbours.ipynb), and
#    [knobs to turn yourself](live.ipynb).
# 5. **Teach.** [A lesson and a short course](../teaching.md), and a [cheat sheet](../cheatsheet.md) to print. Nearly
#    every page has exercises: predict first, then unfold the solution.
# 6. **Behind the results.** [What we did otherwise, and where the paper contradicts itself](../deviations.md), a
#    [glossary](../glossary.md), how to [run it yourself](../run.md), and [your run beside ours](yours.ipynb).
#
# ## What to notice
#
# - The order of the setups matters more than the height of a single bar: see which steps down are as large as the
#   spread, and which are larger.
# - Removing leaks also removes data. Not all of a drop is a leak; see
#   [clean also means less](../deviations.md#clean-also-means-less).
#
# ## Exercises
#
# **1. Do the two kinds of leaks add up?** Removing one kind alone costs accuracy, from dirty-dirty to dirty-clean or to
# clean-dirty. Will removing both cost the sum of the two, more, or less? Say why, then look.

# %% tags=["hide-cell"]
means = {"paper": tables.printed("accuracy")} | {title: tables.setup_means(runs, "accuracy") for title, runs in first.items()}
for name, values in means.items():
    one, other, both = values["dirty-dirty"] - values[["dirty-clean", "clean-dirty", "clean-clean"]]
    if both == both:  # a setup without a run leaves a gap
        print(f"{name}: captions {one:.2f}, pre-training {other:.2f}, together {both:.2f}, sum {one + other:.2f}")
print("Less than the sum: either leak teaches the class, so one can stand in for the other. More: each needs the other.")

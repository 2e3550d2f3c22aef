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
# # How much of zero-shot accuracy is leakage?
#
# A model names sounds of classes that it was "never trained on", and it is often right. Is it clever, or has it met the
# answers before? Tavares, Ayres, Wang and Smaragdis {cite:p}`tavares2024separability` asked this of CLAP, a model that
# matches sounds with sentences. This book makes their experiments again and adds networks that others trained.

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
shown = {"real networks": network_profile, "real networks, titles": titles_profile}
shown |= {"synthetic sounds": profile, "small network, real sounds": real_profile}
columns = {title: tables.columns(name, own=own) for title, name in shown.items()}
first = {title: next(iter(found.values())) for title, found in columns.items()}
networks, ours = first["real networks"], first["synthetic sounds"]

# %% tags=["remove-input"]
folder = results.folder(network_profile, own=own)
points = ladder.points(ladder.backbones(folder), tables.table_or_note(folder, ladder.present(folder)))
titles_folder = results.folder(titles_profile, own=own)
titled = tables.table_or_note(titles_folder, ladder.present(titles_folder))
small = {f"a small network on {kind}": first[name] for kind, name in (("real sounds", "small network, real sounds"), ("synthetic sounds", "synthetic sounds"))}
lines, added = ladder.findings(networks, small, titled, points)
display(Markdown("\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))))

# %% tags=["remove-input"] mystnb={"figure": {"name": "headline", "caption": "Zero-shot accuracy of the six setups, named pre-training first, captions second: real networks on real ESC-50 (bars; one dot a run; ten answers), the paper (diamonds; fifty answers) and our small network on synthetic sounds (squares; fifty answers). The dashed line is guessing among ten answers; among fifty it lies far lower."}, "image": {"alt": "Zero-shot accuracy of the six setups: real networks, the paper and synthetic sounds. The numbers stand in the table below."}}
marks = {"paper": tables.printed("accuracy"), "synthetic": tables.setup_means(ours, "accuracy")}
figures.headline(networks, marks, title="Zero-shot accuracy of the six setups")

# %% [markdown]
# What leaks add to accuracy, with intervals of 95 %; one that holds 0 may be chance. *Labels* are those of the pre-training,
# with clean captions; *captions* that name the classes come with their clips, mean of three pre-trainings:

# %% tags=["remove-input"]
added.map(lambda one: f"{one:+}".replace(", ", ",\u00a0")).rename_axis("data")

# %% [markdown]
# *Real networks* learn from captions that are made from labels: dirty ones give every clip the name of its class, so that
# the test's classes are taught as to a classifier, and clean ones leave out every clip of these classes. *With titles* the
# captions are what recordists wrote, and clean is the paper's rule: no title holds a word of a label.
#
# **If you read a zero-shot number, ask two things:** did the captions name the classes of the test, and had the audio
# encoder been told them before? [The audit](audit.ipynb) asks them of any model.
#
# ## The six experiments
#
# The paper trains one model six times, and concludes that a good part of the measured accuracy is inherited from the
# pre-trained networks and not learnt in the space that sound and text share. The audio network is **pre-trained** on
# labels that include those of the test (*dirty*), on labels without them (*clean*), or not at all (*none*). The
# **training** with captions then uses all captions (*dirty*) or only those without a word of the test labels (*clean*).
# Among our real networks, *dirty* is YAMNet and *clean* is BYOL-A, which saw no label at all.
#
# Means, with intervals of 95 % over seeds and, for real sounds, groups of classes. Columns compare by their order, since
# guessing is right more often among ten answers than among fifty.

# %% tags=["remove-input"]
table = pd.DataFrame({"paper": tables.printed("accuracy").map("{:.2f}".format)}).rename_axis(None)
for title, found in columns.items():
    for key, runs in found.items():
        name = title if key == "ours" else f"{title}, {key}"
        table[name] = tables.beside_paper({key: runs}, ["accuracy"])["accuracy", key]
        table.loc["guessing", name] = f"{runs['chance'].mean():.2f}".replace("nan", "–")
table.loc["guessing", "paper"] = f"{1 / 50:.2f}"
origins = [tables.origin(results.folder(p, own=own), first[title]) for title, p in shown.items()]
display(HTML("".join(origins)), table.fillna(""))

# %% [markdown]
# The paper trains CNN14 and BERT on AudioSet and four corpora of captions. Our networks are those of others, which stay as
# they are, or a narrow CNN14 that a laptop trains; [the deviations](../deviations.md) list every difference.
#
# ```{admonition} Two kinds of sounds
# :class: note
# Results marked <span class="synthetic">synthetic</span> rest on sounds of our own synthesiser: anyone can run them
# without a download, and they show the mechanism. Results marked <span class="real">real sounds</span> rest on
# recordings of ESC-50.
# ```
#
# ## How to read on
#
# - **Ten minutes:** [real networks on real sounds](networks.ipynb), and [what reproduces, claim by claim](claims.ipynb).
# - **An evening:** [the loss by hand](idea.ipynb), [how labels leak](leaks.ipynb), [the sounds](sounds.ipynb) and
#   [the six setups](setups.ipynb); then [Table 1](table1_accuracy.ipynb),
#   [Table 2 with Figure 2](table2_silhouette.ipynb), [Table 3 with Figure 3](table3_topology.ipynb) and
#   [Figure 4](fig4_backbones.ipynb) of the paper.
# - **Beyond the paper:** [three degrees of clean](degrees.ipynb), [leakage or just less data](controls.ipynb),
#   [audio or text embedding](centroids.ipynb), and [your own model, audited](../audit.md).
# - **Try it:** [maps to touch and to hear](explorer.ipynb), [a page with sliders](live.ipynb),
#   [how to run all of it](../run.md). **Teach it:** [a lesson and a course](../teaching.md).
# - **Doubt it:** [what we did otherwise, and where the paper contradicts itself](../deviations.md).

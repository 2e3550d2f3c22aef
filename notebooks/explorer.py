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
# # Look and listen
#
# **Question:** where does a sound stand in each of the six setups, what does each take it for, and what does it sound
# like?
#
# The six maps of E_a are [Figure 2](table2_silhouette.ipynb#figure-2-of-the-paper-what-the-clusters-look-like) again, side by side: point at a clip, and the same clip is
# ringed in all six. Below each map stand the labels nearest to it. A click plays the sound.

# %% tags=["remove-input"]
# %matplotlib inline
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from clapleak import results
from clapleak.book import explorer, figures, site, tables

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
network_profile = "networks"  # real sounds, networks of others
real_profile = "esc50"  # real sounds, a small network
seed = 0  # run that is shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
titles = {profile: "synthetic sounds", network_profile: "real networks, ESC-50"}
titles[real_profile] = "small network, ESC-50, group {}"
shown = {}
for name, title in titles.items():
    runs = [run for run in tables.clouds_or_note(results.folder(name, own=own)) if run.seed == seed]
    for group in dict.fromkeys(run.group for run in runs):
        shown[title.format(group)] = [run for run in runs if run.group == group]
data_sets = [explorer.data_set(runs, title) for title, runs in shown.items()]

# %% [markdown]
# ## Six maps, one clip

# %% tags=["remove-input"]
HTML(explorer.element(data_sets))

# %% tags=["remove-input"] mystnb={"figure": {"name": "explorer-still", "caption": "The six maps as a picture: t-SNE of E_a on synthetic sounds; left dirty training, right clean training."}, "image": {"alt": "Six t-SNE maps of the audio embeddings of all test clips; Figure 2 describes them."}}
figures.six_clouds(shown.get(titles[profile], []))

# %% [markdown]
# ```{admonition} How to use it
# :class: tip
# - **Mouse or finger:** point at a dot to see its clip in all maps, click or tap to keep it and to hear it.
# - **Keys:** tab to a map, move from clip to clip with the arrow keys, hear one with Enter, let go with Escape. With a
#   class singled out the arrow keys stay within it.
# - **Nearest labels:** the closest labels of E_t by cosine. A tick marks the right one; when it comes first, the setup
#   is right. The map of labels first names those that the paper points at, then those nearest to your clip.
# - **Sounds:** choose the real networks to see what others trained; all fifty classes are answers there.
# - **Colours** return after ten classes. Single out a class, or search for one, to see it alone.
# - **To hear:** <span class="synthetic">synthetic</span> ones are made by the build of this book. Recordings of
#   <span class="real">ESC-50</span> are not part of it: their names lead to Freesound.
# ```
#
# ## Where to begin
#
# Clips that only dirty-dirty, the setup with both kinds of leaks, names rightly, and with the widest margin over the next label:

# %% tags=["remove-input"]
def margin(run):
    """Cosine to the right label minus that to the closest other one, (N,); above 0 the answer is right."""
    labels, similarity = run.embeddings["labels"].astype(int), tables.cosines(run.embeddings)
    right = similarity[range(len(labels)), labels]
    similarity[range(len(labels)), labels] = -np.inf
    return right - similarity.max(1)


runs = shown.get(titles[profile], [])
clips = runs[0].embeddings["clips"] if runs else []
margins = pd.DataFrame({run.slug: margin(run) for run in runs}, index=clips).reindex(columns=tables.SLUGS)

# %% tags=["remove-input"]
won = margins.gt(0)
only = margins[won["dirty-dirty"] & (won.sum(axis=1) == 1)].nlargest(6, "dirty-dirty").index
players = [f"<figure><figcaption>{escape(clip.split('/', 1)[1])}</figcaption>{site.player(clip, title=clip)}</figure>" for clip in only]
HTML('<div class="sounds">' + "".join(players) + "</div>")

# %% tags=["remove-input"]
glue("clips", len(margins), display=False)
glue("all_right", int(won.all(axis=1).sum()), display=False)
glue("none_right", int((won.sum(axis=1) == 0).sum()), display=False)
glue("only_dirty", int((won["dirty-dirty"] & (won.sum(axis=1) == 1)).sum()), display=False)
glue("only_clean", int((won["clean-clean"] & ~won["dirty-dirty"]).sum()), display=False)

# %% [markdown]
# ## What to notice
#
# - Of {glue:text}`clips` clips, {glue:text}`all_right` are named rightly by all six setups and {glue:text}`none_right`
#   by none. Listen to some of the latter: would you have known?
# - {glue:text}`only_dirty` clips are named rightly by dirty-dirty alone.
# - {glue:text}`only_clean` clips go the other way: clean-clean names them, dirty-dirty does not. What helps on average
#   need not help with each clip.
# - A clip inside its cluster can still carry the wrong name: the cluster is made by the sounds, the name by the labels
#   beside it.
#
# ## Exercises
#
# **1. One class in six maps.** Single out "mouse click" and play three of its clips. In which setup are most of
# its clips named rightly, and where by the widest margin over the next label? Guess first, then look below.

# %% tags=["hide-cell"]
chosen = "mouse click"
alone = margins[[clip.split("/")[1] == chosen for clip in margins.index]]
pd.DataFrame({"clips named rightly": alone.gt(0).sum(), "mean margin": alone.mean().round(2)})

# %% [markdown]
# **2. Ask all six.** If the six setups vote on each clip, is the vote better than the best of them? Of labels with
# equal votes the first in the alphabet is taken.

# %% tags=["hide-cell"]
if runs:
    votes = pd.DataFrame({run.slug: tables.cosines(run.embeddings).argmax(1) for run in runs})
    labels = runs[0].embeddings["labels"].astype(int)
    best = votes.eq(labels, axis=0).mean()
    print(f"the vote {(votes.mode(axis=1)[0] == labels).mean():.2f}, the best, {best.idxmax()}, {best.max():.2f}")

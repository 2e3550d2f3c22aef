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
# # Figure 2: what the clusters look like
#
# **Question:** can one see a leak in the embeddings alone, without knowing the training data?
#
# The paper flattens E_a, the audio embedding, with t-SNE: one panel a setup.

# %% tags=["hide-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML
from myst_nb import glue
from sklearn.metrics import pairwise_distances

from clapleak import results
from clapleak.book import figures, tables

# %% tags=["parameters", "hide-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
seed = 0  # run that is shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["hide-input"]
folder, real_folder = results.folder(profile, own=own), results.folder(real_profile, own=own)
runs = [run for run in tables.clouds_or_note(folder) if run.seed == seed]
network_runs = [run for run in tables.clouds_or_note(results.folder(network_profile, own=own)) if run.seed == seed]
real_runs = [run for run in tables.clouds_or_note(real_folder) if run.seed == seed and run.group == 0]

# %% [markdown]
# ## Six setups, real networks on real sounds
#
# All fifty classes of ESC-50, clips of folds 4 and 5. [The networks](networks.ipynb) were trained by others and do not
# learn here: what differs from left to right is the projection alone.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig2-networks", "caption": "Paper Figure 2 a to f, with real networks on real ESC-50: t-SNE of E_a. Left: dirty captions; right: clean captions. Top to bottom: YAMNet (dirty), BYOL-A (clean), random weights (none)."}, "image": {"alt": "Six t-SNE maps of audio embeddings of real clips. The silhouette of each stands in its title."}}
if network_runs:
    display(figures.six_clouds(network_runs))

# %% [markdown]
# ## Six setups, synthetic sounds
#
# Fifty classes; colour and shape of a point together stand for its class. The page of each setup has its panel larger
# and with names.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig2", "caption": "Paper Figure 2 a to f, ours: t-SNE of E_a on synthetic sounds. Left: dirty training; right: clean training. Top to bottom: dirty, clean, no pre-training."}, "image": {"alt": "Six t-SNE maps of audio embeddings. The silhouette of each stands in its title and in the table below."}}
figures.six_clouds(runs)

# %% [markdown]
# ## Six setups, real sounds, a small network
#
# The first group of target classes.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig2-real", "caption": "The same on real ESC-50, one group of target classes that a clean model never met."}, "image": {"alt": "Six t-SNE maps of audio embeddings of real clips, with class names."}}
if real_runs:
    display(figures.six_clouds(real_runs))

# %% [markdown]
# ## What the eye sees, counted
#
# A map can mislead. These are the share of clips whose nearest other clip (in all dimensions of E_a) has the same
# class, beside the silhouette.

# %% tags=["hide-input"]
def same_class_neighbour(run):
    """Share of clips whose nearest neighbour in E_a, by cosine, is of their own class."""
    E_a = run.embeddings["E_a"].astype("float32")
    similarity = E_a @ E_a.T
    similarity[range(len(E_a)), range(len(E_a))] = -2  # not itself
    labels = run.embeddings["labels"]
    return float((labels[similarity.argmax(1)] == labels).mean())


table = pd.DataFrame({"setup": [run.slug for run in runs]})
table["neighbour of the same class"] = [same_class_neighbour(run) for run in runs]
table["silhouette of E_a"] = [run.metrics["silhouette"]["E_a"] for run in runs]
table = table.set_index("setup")
display(HTML(tables.origin(folder, tables.table_or_note(folder).query("seed == @seed"))))
table.round(2)

# %% tags=["remove-input"]
glue("clearest", table.iloc[:, 0].idxmax(), display=False)
glue("blurred", table.iloc[:, 0].idxmin(), display=False)
glue("untrained", float(table.iloc[:, 0].get("none-clean", float("nan"))), display=False)
glue("chance", float(runs[0].metrics["chance"]), display=False)

# %% tags=["remove-input"]
right = {run.slug: run.metrics["accuracy"] for run in runs}
for key, slug in (("leak", "dirty-dirty"), ("captions", "dirty-clean"), ("labels", "clean-dirty")):
    glue(f"same_{key}", float(table.iloc[:, 0].get(slug, float("nan"))), display=False)
    glue(f"right_{key}", float(right.get(slug, float("nan"))), display=False)

# %% [markdown]
# ## What to notice
#
# - By that count the clearest map is {glue:text}`clearest` and the most blurred {glue:text}`blurred`.
# - With neither leaks nor pre-training {glue:text}`untrained:.2f` of the clips have a nearest neighbour of their own
#   class, where about {glue:text}`chance:.2f` would by chance.
# - Can one see a leak? From dirty-dirty to dirty-clean the leaks in the captions go: accuracy changes from
#   {glue:text}`right_leak:.2f` to {glue:text}`right_captions:.2f`, the share of neighbours of the same class from
#   {glue:text}`same_leak:.2f` to {glue:text}`same_captions:.2f`. Only the second change can be seen on a map of sounds. From
#   dirty-dirty to clean-dirty the leaks in the pre-training go instead: {glue:text}`right_labels:.2f` and
#   {glue:text}`same_labels:.2f`; [which embedding a leak moves](centroids.ipynb) asks where the difference comes from.
# - Two maps of equal silhouette can look different. t-SNE chooses what to keep.
#
# ## Exercises
#
# **1. Sort the panels.** Cover the titles and sort the six panels by accuracy. How many do you place rightly?

# %% tags=["hide-cell"]
ranked = pd.Series(right).sort_values(ascending=False)
agree = ranked.corr(table.iloc[:, 0].reindex(ranked.index), "spearman")
print(f"Neighbours of the same class give this order with a rank correlation of {agree:.2f}; at 1 it would be the same.")
ranked.round(2).to_frame("accuracy")

# %% [markdown]
# **2. How far can the map be trusted?** Of what share of the clips is the nearest neighbour on the map also the nearest
# one in all dimensions?

# %% tags=["hide-cell"]
def nearest(points):
    """The nearest other point of each, (N,)."""
    distance = pairwise_distances(points.astype("float32"))
    distance[range(len(points)), range(len(points))] = float("inf")  # not itself
    return distance.argmin(1)


kept = {run.slug: (nearest(run.map["E_a"]) == nearest(run.embeddings["E_a"])).mean() for run in runs}
print("On the maps a clip's nearest point is mostly", "its true" if min(kept.values()) > 0.5 else "not its true", "neighbour.")
pd.Series(kept).round(2).to_frame("same nearest clip")

# %% [markdown]
# **3. Two counts, one order?** Neighbours of the same class and silhouettes both measure clusters. Do they put the six
# maps in the same order?

# %% tags=["hide-cell"]
print("Rank correlation of the two counts:", round(table.corr("spearman").iloc[0, 1], 2))
table.rank(ascending=False).astype(int).sort_values(table.columns[0])

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
# # Table 2 and Figure 2: clusters of the audio embedding
#
# **Question:** does a model name sounds well because sound and text agree, or because its audio clusters were good
# already?

# %% tags=["remove-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML, Markdown
from myst_nb import glue
from sklearn.metrics import silhouette_samples

from clapleak import metrics, results
from clapleak.book import analysis, figures, tables

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
titles_profile = "networks-titles"  # the same with captions that people wrote
seed = 0  # run whose maps are shown
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
folder, real_folder, network_folder = (results.folder(p, own=own) for p in (profile, real_profile, network_profile))
columns, real_columns, network_columns = (tables.columns(p, own=own) for p in (profile, real_profile, network_profile))
ours, real, networks = (next(iter(c.values())) for c in (columns, real_columns, network_columns))
titled = tables.table_or_note(results.folder(titles_profile, own=own))
data_sets = {"in the paper's table": analysis.paper_runs(), "with real networks and titles": titled, "with real networks": networks}
data_sets |= {"on synthetic sounds": ours, "on real sounds with a small network": real}

# %% tags=["remove-input"]
judged = {name: analysis.judge(runs) for name, runs in data_sets.items() if len(runs)}
follows = analysis.answer("B", "Accuracy follows the clusters of E_a", judged)
clearer = analysis.answer("G", "Projection does not make the clusters clearer", judged)
display(Markdown(f"{follows}\n\n{clearer}"))

# %% [markdown]
# The silhouette of a clip compares its mean distance to its own class, $a$, with that to the nearest other class, $b$:
# $(b - a) / \max(a, b)$. It is 1 for tight classes far apart, 0 where classes touch, and below 0 inside another class.
# It needs no text at all.


# %% tags=["remove-input"]
def both(table, column):
    """Six means of a silhouette and of accuracy."""
    return tables.setup_means(table, column), tables.setup_means(table, "accuracy")


shown = {"paper": data_sets["in the paper's table"], "real networks, titles": titled, "real networks, templates": networks}
shown |= {"synthetic sounds": ours, "small network, real sounds": real}

# %% tags=["hide-input"] mystnb={"figure": {"name": "corr-silhouette", "caption": "Accuracy over the silhouette of E_a, the audio embedding after the projection. One point is a setup; 'without one' is the range of r when each setup in turn is left out."}, "image": {"alt": "Five scatter plots of accuracy over the silhouette of E_a for the six setups; correlations stand in the titles."}}
points = {name: both(table, "silhouette_E_a") for name, table in shown.items()}
figures.correlation(points, x="silhouette of E_a", y="accuracy")

# %% [markdown]
# ## Table 2 of the paper beside ours
#
# [Networks that others trained](networks.ipynb) on real sounds first, as means with intervals of 95 % over groups of ten
# classes and seeds. These networks do not learn here, so x_a is the same with dirty and with clean captions.

# %% tags=["hide-input"]
display(HTML(tables.origin(network_folder, networks)))
tables.beside_paper(network_columns, ["silhouette x_a", "silhouette E_a"])

# %% [markdown]
# Synthetic sounds and a small network, over seeds:

# %% tags=["hide-input"]
display(HTML(tables.origin(folder, ours)))
tables.beside_paper(columns, ["silhouette x_a", "silhouette E_a"])

# %% [markdown]
# Real sounds and the small network, over groups and seeds. A group has fewer classes, and a silhouette depends on how
# many classes lie around, so only the order compares.

# %% tags=["hide-input"]
display(HTML(tables.origin(real_folder, real)))
tables.beside_paper(real_columns, ["silhouette x_a", "silhouette E_a"])

# %% [markdown]
# Before the projection, the silhouette of x_a tells the same or another story:

# %% tags=["hide-input"] mystnb={"figure": {"name": "corr-silhouette-xa", "caption": "Accuracy over the silhouette of x_a, the audio embedding before the projection."}, "image": {"alt": "Five scatter plots of accuracy over the silhouette of x_a for the six setups; correlations stand in the titles."}}
figures.correlation({name: both(table, "silhouette_x_a") for name, table in shown.items()}, x="silhouette of x_a", y="accuracy")

# %% [markdown]
# ## Figure 2 of the paper: what the clusters look like
#
# E_a, flattened by t-SNE, one panel a setup. First real networks on all fifty classes of ESC-50 (folds 4 and 5): what
# differs from left to right is the projection alone.

# %% tags=["remove-input"]
by_profile = {name: tables.clouds_or_note(place) for name, place in (("networks", network_folder), ("ours", folder), ("real", real_folder))}
maps = {name: [run for run in runs if run.seed == seed and not run.group] for name, runs in by_profile.items()}

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig2-networks", "caption": "Paper Figure 2 with real networks on real ESC-50: t-SNE of E_a. Left: dirty captions; right: clean captions. Top to bottom: YAMNet (dirty), BYOL-A (clean), random weights (none)."}, "image": {"alt": "Six t-SNE maps of audio embeddings of real clips. The silhouette of each stands in its title."}}
if maps["networks"]:
    display(figures.six_clouds(maps["networks"]))

# %% [markdown]
# Synthetic sounds and a small network. The colour and the shape of a point together stand for its class, and the tightest
# classes have their names; the appendix has [each panel larger and with all names](setup_dirty-dirty.ipynb).

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig2", "caption": "Paper Figure 2 on synthetic sounds: t-SNE of E_a. Left: dirty captions; right: clean captions. Top to bottom: dirty, clean, no pre-training."}, "image": {"alt": "Six t-SNE maps of audio embeddings. The silhouette of each stands in its title."}}
figures.six_clouds(maps["ours"])

# %% [markdown]
# Real sounds and the small network, for the first group of target classes:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig2-real", "caption": "The same on real ESC-50, ten target classes that a clean model never met."}, "image": {"alt": "Six t-SNE maps of audio embeddings of real clips, with class names."}}
if maps["real"]:
    display(figures.six_clouds(maps["real"]))

# %% [markdown]
# A map can mislead, so we count as well: the share of clips whose nearest other clip, by cosine in all dimensions of
# E_a, has the same class.


# %% tags=["hide-input"]
def same_class_neighbour(run):
    """Share of clips whose nearest neighbour in E_a, by cosine, is of their own class."""
    E_a = run.embeddings["E_a"].astype("float32")
    similarity = E_a @ E_a.T
    similarity[range(len(E_a)), range(len(E_a))] = -2  # not itself
    labels = run.embeddings["labels"]
    return float((labels[similarity.argmax(1)] == labels).mean())


# %% tags=["hide-input"]
titles = {"networks": "real networks", "ours": "synthetic sounds"}
counted = {
    title: {run.slug: same_class_neighbour(run) for run in maps[name]} for name, title in titles.items() if maps[name]
}
nearest = pd.DataFrame(counted).reindex(tables.SLUGS).rename_axis("setup")
nearest.round(2)

# %% tags=["remove-input"]
right, lines = {}, []
for name, title in titles.items():  # all classes that the map shows are answers
    accuracy = {run.slug: run.metrics.get("all_classes", run.metrics)["accuracy"] for run in maps[name]}
    right[title] = pd.Series(accuracy, dtype=float).reindex(tables.SLUGS)
for title, near in nearest.items():
    lost, blurred = (values["dirty-dirty"] - values["dirty-clean"] for values in (right[title], near))
    sees = "so the map shows less of this leak than the model loses" if lost > blurred else "so the map shows it"
    change = f"accuracy among all classes changes by {-lost:+.2f}, the share of same-class neighbours by {-blurred:+.2f}"
    lines.append(f"- **{title}**: when the leaks in the captions go (dirty-dirty to dirty-clean), {change}, {sees}.")
display(Markdown("Can one see a leak?\n\n" + "\n".join(lines)))

# %% [markdown]
# ## Does the projection help the clusters?
#
# Section 3.3 of the paper says that training with captions can slightly improve clusters; the paper's Table 2 has E_a at
# or below x_a in every setup. So we count the runs:


# %% tags=["hide-input"]
def better(table):
    """Runs in which E_a has the higher silhouette, by setup."""
    higher = (table["silhouette_E_a"] > table["silhouette_x_a"]).groupby(table["setup"]).agg(["sum", "count"])
    return [f"{n} of {total}" for n, total in higher.reindex(tables.SLUGS, fill_value=0).to_numpy()]


change = tables.printed("silhouette E_a") - tables.printed("silhouette x_a")
rises = pd.DataFrame({"paper, E_a minus x_a": tables.difference(change)}, index=tables.SLUGS)
for name, table in list(shown.items())[1:]:
    rises[f"{name}: E_a higher in"] = better(table)
rises.rename_axis("setup")

# %% tags=["remove-input"]
glue("s_paper", analysis.correlation_text(tables.printed("S(E_a,E_t)"), tables.printed("accuracy")), display=False)
for key, table in (("networks", networks), ("ours", ours)):
    glue(f"s_{key}", analysis.correlation_text(*both(table, "S_E_a_E_t")), display=False)

# %% [markdown]
# ## What to notice
#
# - The answer depends on the measure of "sound and text agree". With [S(E_a, E_t)](table3_topology.ipynb) in place of
#   the silhouette the correlation with accuracy is {glue:text}`s_paper` in the paper's table, {glue:text}`s_networks`
#   with real networks and {glue:text}`s_ours` on synthetic sounds.
# - Six points carry little. Look at the ranges without one setup before you believe a second digit.
# - A correlation over setups does not tell which causes which: pre-training changes both.
# - Two maps of equal silhouette can look different, since t-SNE chooses what to keep.
#
# ## Exercises
#
# **1. Sort the panels.** Cover the titles of the synthetic maps and sort the six by accuracy. Then compare with the
# order that same-class neighbours give.

# %% tags=["hide-cell"]
ranked = right["synthetic sounds"].dropna().sort_values(ascending=False)
agree = ranked.corr(nearest["synthetic sounds"].reindex(ranked.index), "spearman")
print(f"Rank correlation of accuracy and same-class neighbours: {agree:.2f}; at 1 the two orders are the same.")
print("Accuracy needs the label in the right place as well, which no map of sounds shows.")
ranked.round(2).to_frame("accuracy")

# %% [markdown]
# **2. The best of six.** A silhouette needs no text. Could one have picked the most accurate setup by the silhouette of
# E_a alone: in the paper, with real networks, on synthetic sounds?

# %% tags=["hide-cell"]
for name, (silhouette, accuracy) in points.items():
    if silhouette.notna().all() and accuracy.notna().all():
        order = silhouette.corr(accuracy, "spearman")
        print(f"{name}: {silhouette.idxmax()} by silhouette, {accuracy.idxmax()} by accuracy; rank correlation of all six {order:.2f}")
print("Where the orders differ, clear clusters were there whose names the text did not find.")

# %% [markdown]
# **3. Fewer classes.** The same clips of ten classes, once among all classes, once alone. Does their silhouette rise or
# fall when the others leave?

# %% tags=["hide-cell"]
run = next(r for r in maps["ours"] if r.slug == "clean-clean")
E_a, labels = run.embeddings["E_a"].astype("float32"), run.embeddings["labels"].astype(int)
few = labels < 10
among_all = silhouette_samples(E_a, labels, metric="cosine")[few].mean()
print(f"among all {among_all:.2f}, alone {metrics.silhouette(E_a[few], labels[few]):.2f}")
print("With fewer classes the nearest other one is farther away, so no clip's silhouette can fall.")

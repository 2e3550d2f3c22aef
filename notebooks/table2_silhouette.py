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
# # Table 2: does accuracy follow the clusters of the audio embedding?
#
# **Question:** does a model name sounds well because text and sound agree, or because its audio clusters are good
# already?
#
# The silhouette of a clip compares its mean distance to its own class, $a$, with that to the nearest other class, $b$:
# $(b - a) / \max(a, b)$. It is 1 for tight classes far apart, 0 where classes touch, below 0 inside another class. It
# needs no text at all.

# %% tags=["hide-input"]
# %matplotlib inline
import pandas as pd
from IPython.display import HTML
from myst_nb import glue
from scipy.stats import pearsonr
from sklearn.metrics import silhouette_samples

from clapleak import metrics, results
from clapleak.book import analysis, figures, tables
from clapleak.book.statistics import correlation

# %% tags=["parameters", "hide-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
own = False  # show the runs of this machine, not the published ones

# %% tags=["hide-input"]
folder, real_folder, network_folder = (results.folder(p, own=own) for p in (profile, real_profile, network_profile))
columns, real_columns, network_columns = (tables.columns(p, own=own) for p in (profile, real_profile, network_profile))
ours, real, networks = (next(iter(c.values())) for c in (columns, real_columns, network_columns))
printed = tables.printed

# %% [markdown]
# ## Ours beside the paper's
#
# [Networks that others trained](networks.ipynb) on real sounds first: means with intervals of 95 % over groups of ten
# classes and seeds. They do not learn here, so x_a is the same with dirty and with clean captions.

# %% tags=["hide-input"]
display(HTML(tables.origin(network_folder, networks)))
tables.beside_paper(network_columns, ["silhouette x_a", "silhouette E_a"])

# %% [markdown]
# Synthetic sounds: means with intervals of 95 % over seeds.

# %% tags=["hide-input"]
display(HTML(tables.origin(folder, ours)))
tables.beside_paper(columns, ["silhouette x_a", "silhouette E_a"])

# %% [markdown]
# Real sounds, a small network: means with intervals of 95 % over groups and seeds. A group has fewer classes, and a silhouette depends on
# how many classes lie around, so compare the order, not the height.

# %% tags=["hide-input"]
display(HTML(tables.origin(real_folder, real)))
tables.beside_paper(real_columns, ["silhouette x_a", "silhouette E_a"])

# %% [markdown]
# The three clean-training setups side by side, real sounds: what the pre-training alone does to x_a.

# %% tags=["hide-input"]
clean = real[real["training"] == "clean"]
clean.groupby("pretraining", sort=False)["silhouette_x_a"].agg(["mean", "std", "min", "max"]).round(2)

# %% [markdown]
# ## The correlation
#
# The paper finds that accuracy and the silhouette of E_a rise together over the six setups. Each panel has six points;
# "without one" is the range of $r$ when each setup in turn is left out.

# %% tags=["hide-input"]
def both(table, column):
    """Six means of a silhouette and of accuracy."""
    return tables.setup_means(table, column), tables.setup_means(table, "accuracy")


# %% tags=["hide-input"] mystnb={"figure": {"name": "corr-silhouette", "caption": "Accuracy over the silhouette of E_a: the paper's printed values, real networks, ours on the synthetic sounds, ours on real ESC-50."}, "image": {"alt": "Four scatter plots of accuracy over the silhouette of E_a for the six setups; correlations stand in the titles."}}
points = {"paper": (printed("silhouette E_a"), printed("accuracy"))}
points |= {"real networks": both(networks, "silhouette_E_a")}
points |= {"synthetic sounds": both(ours, "silhouette_E_a"), "real ESC-50": both(real, "silhouette_E_a")}
figures.correlation(points, x="silhouette of E_a", y="accuracy")

# %% tags=["hide-input"] mystnb={"figure": {"name": "corr-silhouette-xa", "caption": "The same over the silhouette of x_a, before the projection."}, "image": {"alt": "Four scatter plots of accuracy over the silhouette of x_a for the six setups; correlations stand in the titles."}}
points_x = {"paper": (printed("silhouette x_a"), printed("accuracy"))}
points_x |= {"real networks": both(networks, "silhouette_x_a")}
points_x |= {"synthetic sounds": both(ours, "silhouette_x_a"), "real ESC-50": both(real, "silhouette_x_a")}
figures.correlation(points_x, x="silhouette of x_a", y="accuracy")

# %% [markdown]
# ## Does the projection help the clusters?
#
# Section 3.3 says that cross-modal training can slightly improve clusters; the paper's Table 2 has E_a at or below x_a
# in every setup. So we count:

# %% tags=["hide-input"]
def better(table):
    """Runs in which E_a has the higher silhouette, by setup."""
    higher = (table["silhouette_E_a"] > table["silhouette_x_a"]).groupby(table["setup"]).agg(["sum", "count"])
    return [f"{n} of {total}" for n, total in higher.reindex(tables.SLUGS, fill_value=0).to_numpy()]


change = printed("silhouette E_a") - printed("silhouette x_a")
shown = pd.DataFrame({"paper, E_a minus x_a": change.loc[tables.SLUGS].map("{:+.2f}".format)})
shown["real networks: E_a higher in"] = better(networks)
shown["synthetic sounds: E_a higher in"] = better(ours)
shown["real ESC-50: E_a higher in"] = better(real)
shown.rename_axis("setup")

# %% tags=["remove-input"]
for key, (x, y) in zip(("paper", "networks", "ours", "real"), points.values(), strict=True):
    glue(f"r_{key}", analysis.correlation_text(x, y), display=False)
    glue(f"verdict_{key}", correlation(x, y).words("holds", "is contradicted", "is undecided"), display=False)

# %% tags=["remove-input"]
glue("s_paper", analysis.correlation_text(printed("S(E_a,E_t)"), printed("accuracy")), display=False)
for key, table in (("networks", networks), ("ours", ours), ("real", real)):
    glue(f"s_{key}", analysis.correlation_text(*both(table, "S_E_a_E_t")), display=False)
glue("paper_rises", int((change > 0).sum()), display=False)
glue("ours_rises", int((ours["silhouette_E_a"] > ours["silhouette_x_a"]).sum()), display=False)
glue("ours_runs", len(ours), display=False)
glue("real_rises", int((real["silhouette_E_a"] > real["silhouette_x_a"]).sum()), display=False)
glue("real_runs", len(real), display=False)

# %% [markdown]
# ## What to notice
#
# - Accuracy and silhouette of E_a: {glue:text}`r_paper` in the paper's table, {glue:text}`r_networks` with real
#   networks, {glue:text}`r_ours` on synthetic sounds, {glue:text}`r_real` with a small network on real ESC-50. By
#   [Fisher's interval for six points](claims.ipynb) the claim {glue:text}`verdict_networks` with real networks,
#   {glue:text}`verdict_ours` on synthetic sounds and {glue:text}`verdict_real` with a small network on real sounds.
# - The answer to the question above depends on the measure of "text and sound agree". With S(E_a,E_t) of
#   [Table 3](table3_topology.ipynb) accuracy correlates at {glue:text}`s_paper` in the paper's table,
#   {glue:text}`s_networks` with real networks, {glue:text}`s_ours` on synthetic sounds and {glue:text}`s_real` on real ESC-50: compare with the silhouette's values above.
#   [Which embedding does a leak move?](centroids.ipynb) asks the same with an experiment in place of a correlation.
# - The silhouette rises from x_a to E_a in {glue:text}`paper_rises` setups of the paper's table and in
#   {glue:text}`ours_rises` of {glue:text}`ours_runs` runs on synthetic sounds and {glue:text}`real_rises` of
#   {glue:text}`real_runs` on real sounds.
# - Six points carry little. Look at the ranges without one setup before you believe a third digit.
# - A correlation over setups does not tell which causes which: pre-training changes both.
#
# ## Exercises
#
# **1. Six points or all runs.** Would the correlation over single runs, not means of setups, be higher or lower?

# %% tags=["hide-cell"]
r, p = pearsonr(ours["silhouette_E_a"], ours["accuracy"])
print(f"{len(ours)} runs: r = {r:.2f}; six means: {analysis.correlation_text(*points['synthetic sounds'])}")

# %% [markdown]
# **2. The best of six.** A silhouette needs no text. Could one have picked the most accurate setup by the silhouette of
# E_a alone: in the paper, on synthetic sounds, on real sounds?

# %% tags=["hide-cell"]
for name, (silhouette, accuracy) in points.items():
    if silhouette.notna().all() and accuracy.notna().all():
        print(f"{name}: highest silhouette {silhouette.idxmax()}, highest accuracy {accuracy.idxmax()}")

# %% [markdown]
# **3. Fewer classes.** The same clips of ten classes, once among all classes, once alone. Does their silhouette rise or
# fall when the others leave?

# %% tags=["hide-cell"]
run = next(r for r in tables.clouds_or_note(folder) if r.slug == "clean-clean")
E_a, labels = run.embeddings["E_a"].astype("float32"), run.embeddings["labels"].astype(int)
few = labels < 10
among_all = silhouette_samples(E_a, labels, metric="cosine")[few].mean()
print(f"among all {among_all:.2f}, alone {metrics.silhouette(E_a[few], labels[few]):.2f}")
print("With fewer classes the nearest other one is farther away, so no clip's silhouette can fall.")

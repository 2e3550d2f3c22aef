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
# # Slides: what a leaked label is worth
#
# A model names sounds of classes that it was "never trained on". How much of that skill had leaked in before the test?
#
# <div id="slides"></div>
#
# A reproduction of {cite:t}`tavares2024separability`. Every figure, number and verdict on these slides is computed from
# the results that the whole book shows.

# %% tags=["remove-input"]
# %matplotlib inline
# %config InlineBackend.print_figure_kwargs = {"dpi": 220, "bbox_inches": "tight"}
from IPython.display import HTML, Markdown

from clapleak import metrics, results
from clapleak.book import analysis, degrees, figures, ladder, tables
from clapleak.book.statistics import estimate, of
from clapleak.setups import CLEANER, MATCHED, PRETRAININGS, SETUPS

# %% tags=["parameters", "remove-input"]
profile = "mini"  # synthetic sounds
real_profile = "esc50"  # real sounds, a small network
network_profile = "networks"  # real sounds, networks of others
titles_profile = "networks-titles"  # the same with captions that people wrote
own = False  # show the runs of this machine, not the published ones

# %% tags=["remove-input"]
names = {"real networks": network_profile, "real networks and titles": titles_profile}
names |= {"synthetic sounds": profile, "small network, real sounds": real_profile}
folders = {name: results.folder(place, own=own) for name, place in names.items()}
runs = {name: tables.table_or_note(folder, ladder.present(folder) if name == "real networks" else SETUPS)
        for name, folder in folders.items()}
accuracy = {name: tables.by_setup(table, "accuracy") for name, table in runs.items()}


# %% tags=["remove-input"]
def compared(effect, *, says=("more", "less", "undecided")):
    """One line a data set: a difference of accuracies with its interval, and the word that it allows."""
    found = {name: estimate(values, effect) for name, values in accuracy.items()}
    lines = [f"- {name}: **{one:+}**, {one.words(*says)}" for name, one in found.items()]
    display(Markdown("\n".join(lines)))


# %% [markdown]
# ## First, a guess
#
# Fifty kinds of sounds, fifty names to choose from. The model's authors call it *zero-shot*: it was not trained to choose
# among these names. How often is it right? Write a number down before you go on.

# %% [markdown]
# ## What the paper found

# %% tags=["remove-input"]
printed, chance = tables.printed("accuracy"), runs["synthetic sounds"]["chance"].mean()
display(Markdown(
    f"- The usual training, with every label and caption: **{printed['dirty-dirty']:.0%}**\n"
    f"- No text with a word of a test label left: **{printed['clean-clean']:.0%}**\n- Guessing: {chance:.0%}"
))  # fmt: skip

# %% [markdown]
# ## Zero-shot means: the nearest label wins
#
# $$\hat{y}_i = \arg\max_{c} \; E_a^{(i)} \cdot E_t^{(c)}$$
#
# - $E_a$ is a sound and $E_t$ the name of a class, both in one space and of length 1.
# - The nearest label is always an answer, also where no label fits.
# - Nothing in the formula checks that the label is new.

# %% [markdown]
# ## Two leak paths, six setups
#
# | | captions name the test classes | captions do not |
# |---|---|---|
# | **pre-training labels include them** | dirty-dirty | dirty-clean |
# | **pre-training labels do not** | clean-dirty | clean-clean |
# | **no pre-training** | none-dirty | none-clean |
#
# Pre-training is named first, captions second. *Clean* means: no text with a word of a test label is left.

# %% [markdown]
# ## Bet: which leak path adds more?
#
# Take the leaks out of the pre-training labels, or out of the captions. Which costs more accuracy, and why?
#
# Hands up for the labels, then hands up for the captions.

# %% [markdown]
# ## Six setups: the paper, real networks, synthetic sounds

# %% tags=["remove-input"] mystnb={"figure": {"name": "slide-headline", "caption": "Real networks on real ESC-50 (bars; ten answers), the paper (diamonds; fifty answers), our small network on synthetic sounds (squares; fifty answers). The line is guessing among ten: compare the order, not the heights."}, "image": {"alt": "Bars of zero-shot accuracy of the six setups with real networks, and marks for the paper and the synthetic sounds."}}
marks = {"paper": printed, "synthetic": tables.setup_means(runs["synthetic sounds"], "accuracy")}
figures.headline(runs["real networks"], marks, title="Zero-shot accuracy of the six setups")

# %% [markdown]
# ## What names in the captions add
#
# Accuracy with captions that name the test classes, less accuracy with captions that do not; mean of three
# pre-trainings.

# %% tags=["remove-input"]
compared(lambda m: analysis.mean_gains(m)["captions"])

# %% [markdown]
# ## What labels heard before add
#
# Both models get clean captions. One audio network has seen labels of the test classes in pre-training, the other has
# not.

# %% tags=["remove-input"]
compared(of("dirty-clean", "clean-clean"))

# %% [markdown]
# ## Audio networks of others, and random weights

# %% tags=["remove-input"] mystnb={"figure": {"name": "slide-ladder", "caption": "Accuracy among ten answers with captions that name the classes (dirty) and captions that do not (clean), real ESC-50."}, "image": {"alt": "Two dots with intervals for each network: accuracy with dirty and with clean captions."}}
table = runs["real networks"]
every = tables.by_setup(table, "accuracy", list(table["setup"].unique()))
figures.ladder(ladder.by_captions(every), chance=float(table["chance"].mean()))

# %% [markdown]
# ## Leakage, or just less data?
#
# <span class="synthetic">synthetic</span> A filter removes leaks *and* data. The control *matched* is as small as clean, drawn at random, and still leaks.

# %% tags=["remove-input"]
matched = tables.table_or_note(folders["synthetic sounds"], [*SETUPS, *MATCHED])
drop = analysis.accuracy_drop(matched)
wide = drop.reset_index().assign(group=0).groupby(["group", "seed"])[["less data", "leakage"]].mean()
parts = {name: estimate(wide[[name]], of(name)) for name in wide}
words = {name: one.words("above 0", "below 0", "undecided") for name, one in parts.items()}
lines = [f"- {name} costs **{one}**: {words[name]}" for name, one in parts.items()]
display(Markdown("\n".join(lines)))

# %% tags=["remove-input"] mystnb={"figure": {"name": "slide-matched", "caption": "All pairs, fewer pairs that still leak, equally few that do not: synthetic sounds."}, "image": {"alt": "Bars of accuracy for dirty, matched and clean training, grouped by pre-training."}}
slugs = [f"{p}-{t}" for p in PRETRAININGS for t in ("dirty", "matched", "clean")]
figures.headline(matched, slugs=slugs, title="Three trainings, synthetic sounds")

# %% [markdown]
# ## How clean is clean?
#
# <span class="synthetic">synthetic</span> *Word-clean* is the paper's rule. *Truly clean* leaves out every clip in which a test class sounds.

# %% tags=["remove-input"]
cleaner = tables.table_or_note(folders["synthetic sounds"], [*SETUPS, *CLEANER])
rules = tables.by_setup(cleaner, "accuracy", [s.slug for s in (*SETUPS, *CLEANER)])
display(Markdown(degrees.answer(rules, cleaner["chance"].mean())), degrees.by_rule(rules).xs("accuracy", axis=1, level=1))

# %% [markdown]
# ## Do sound and text share neighbours?
#
# <span class="synthetic">synthetic</span> $S_k$ is the share of the $k$ nearest classes that both have in common.

# %% tags=["remove-input"]
shares = tables.by_setup(runs["synthetic sounds"], "S_E_a_E_t_corrected")
S = {slug: estimate(shares[[slug]], of(slug)) for slug in ("dirty-dirty", "clean-clean")}
says = {slug: one.words("more than unrelated clouds", "less than unrelated clouds", "undecided") for slug, one in S.items()}
display(Markdown("S, corrected for chance: " + "; ".join(f"{slug} **{one}**, {says[slug]}" for slug, one in S.items()) + "."))

# %% tags=["remove-input"] mystnb={"figure": {"name": "slide-overlap", "caption": "Chance is the broken line; unrelated clouds lie in the band."}, "image": {"alt": "Curves of neighbourhood overlap over k with chance lines and bands, for two setups."}}
clouds = {}
for run in tables.clouds_or_note(folders["synthetic sounds"]):
    if run.slug in ("dirty-dirty", "clean-clean"):
        E_a, E_t = (run.embeddings[name].astype("float32") for name in ("E_a", "E_t"))
        clouds[run.slug] = metrics.class_means(E_a, run.embeddings["labels"].astype(int)), E_t
figures.overlap(clouds)

# %% [markdown]
# ## What reproduces, claim by claim
#
# A claim *holds* (✓) if every interval of 95 % is on its side, is *contradicted* (✗) if one is on the other side, and is
# else *undecided* (?). On real sounds there are ten answers, in the paper fifty; E and G are no test of networks that do
# not learn. Titles are filtered by the paper's word rule, the other captions on real sounds by class.

# %% tags=["remove-input"]
ten = {name: table.query("setup in @tables.SLUGS") for name, table in runs.items()}
HTML(tables.html_table(analysis.signs({name: analysis.judge(table) for name, table in ten.items() if len(table)})))

# %% [markdown]
# ## Five questions to any zero-shot number
#
# 1. Which labels and captions did each part of the model see?
# 2. By which rule were test classes taken out, and what does the rule miss?
# 3. Do recordings stand in training and in test?
# 4. What does a control with as few data, but with leaks, reach?
# 5. How many labels were on offer, what is chance, and how far do seeds spread?

# %% [markdown]
# ## What these slides rest on

# %% tags=["remove-input"]
display(HTML("".join(tables.origin(folders[name], table) for name, table in runs.items())))

# %% [markdown]
# - Synthetic sounds show a mechanism; how large an effect is, only real sounds can tell.
# - [What we did otherwise](../deviations.md), and [every result with its code](table1_accuracy.ipynb).
# - Code under the MIT licence. Cite the paper, and this reproduction where you use it.

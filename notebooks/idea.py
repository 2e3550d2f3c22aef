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
# # The idea: contrastive learning by hand
#
# **Question:** how can a model name sounds of a class for which it was never given a label, and what limits it?
#
# We work with four sounds, four sentences and a joint space of two dimensions, so that every number can be checked
# on paper. The four "sounds" here are only directions that we chose; nothing is recorded and nothing is trained
# beforehand.

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from myst_nb import glue

from clapleak.metrics import zero_shot_accuracy
from clapleak.models import contrastive_loss

# %% tags=["parameters", "hide-input"]
temperature = 0.2  # tau, divides every similarity: the smaller, the stricter the comparison
steps = 200  # of gradient descent in the last experiment

# %% [markdown]
# ## Two branches that meet
#
# A sound and a sentence each pass through a *backbone*, which was trained before on its own kind of data, and then
# through a *projector*, which is new. Both projectors end in the same space. There, and only there, can a sound be
# compared with a sentence.

# %% tags=["hide-input"]
BOX = {"boxstyle": "round,pad=0.35", "facecolor": "white", "linewidth": 1.6}
MIDDLE = {"ha": "center", "va": "center", "fontsize": 12}


def branch(ax, y, kind, backbone, letter, colour):
    """Draw one row of Figure 1, from the batch to the arrow that enters the loss."""
    for x, name in zip((0, 1.45, 3.15), ("batch", backbone, "projector"), strict=True):
        ax.text(x, y, f"{kind}\n{name}", bbox=BOX | {"edgecolor": colour}, **MIDDLE)
    arrows = ((0.38, 1.0, ""), (1.92, 2.52, f"$x_{letter}$"), (3.78, 4.45, f"$E_{letter}$"))
    for start, end, name in arrows:
        tip = (end, y + (0.5 - y) * 0.6 * (start > 3))  # the last arrow leans towards the loss
        ax.annotate("", tip, (start, y), arrowprops={"arrowstyle": "->"})
        ax.text((start + end) / 2, y + 0.2 * (2 * y - 1), name, **MIDDLE)


# %% mystnb={"figure": {"name": "paper-figure-1", "caption": "Paper Figure 1, redrawn: two branches, one loss. The backbones come trained; the projectors start from nothing."}, "image": {"alt": "Block diagram. Upper row: audio batch, audio backbone CNN14, audio projector. Lower row: text batch, text backbone BERT, text projector. Both rows end in one box, the CLIP loss. The arrows carry x_a and E_a above, x_t and E_t below."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6.4, 2.5))
branch(ax, 1, "Audio", "CNN14", "a", "#0072B2")
branch(ax, 0, "Text", "BERT", "t", "#D55E00")
ax.text(4.85, 0.5, "CLIP\nloss", bbox=BOX | {"edgecolor": "black"}, **MIDDLE)
ax.set(xlim=(-0.5, 5.3), ylim=(-0.45, 1.45))
ax.axis("off")
plt.show()

# %% [markdown]
# ## Symbols, before the formula
#
# | symbol | shape | meaning |
# |---|---|---|
# | $B$ | | pairs in a batch; here 4 |
# | $D$ | | dimensions of the joint space; here 2 |
# | $x_a$, $x_t$ | one row a pair | what the backbones say about a sound and about a text |
# | $E_a$, $E_t$ | $(B, D)$ | what the projectors make of them; every row has length 1 |
# | $\tau$ | number | temperature; the model learns $s = \log(1/\tau)$ |
# | $C$ | $(B, B)$ | logits, $C_{ij} = E_a^{(i)} \cdot E_t^{(j)} / \tau$: sound $i$ against text $j$ |
#
# Rows of length 1 make $E_a^{(i)} \cdot E_t^{(j)}$ the cosine of the angle between two arrows: 1 for the same
# direction, 0 for a right angle, -1 for opposite ones. In two dimensions an arrow is an angle. These are ours:

# %% tags=["hide-input"]
pairs = ["dog", "rain", "crackling fire", "mouse click"]
angle_a = np.array([10.0, 95.0, 205.0, 212.0])  # degrees; fire and click sound alike, as the paper observed
angle_t = np.array([20.0, 80.0, 170.0, 300.0])  # degrees; their texts mean different things


def directions(angle):
    """Angles in degrees (B,) to rows of length 1 (B, 2)."""
    return np.stack([np.cos(np.radians(angle)), np.sin(np.radians(angle))], axis=1)


E_a, E_t = directions(angle_a), directions(angle_t)  # (B, D) each


# %% tags=["hide-input"]
def circle(ax, angle_a, angle_t, title):
    """Draw sounds (full arrows) and texts (hollow arrows) on the unit circle."""
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8"))
    arrow = {"arrowstyle": "->", "lw": 2}
    for (x, y), name in zip(directions(angle_a), pairs, strict=True):
        ax.annotate("", (x, y), (0, 0), arrowprops=arrow | {"color": "#0072B2"})
        ax.text(1.1 * x, 1.1 * y, name, ha="left" if x > 0 else "right", va="center")
    for (x, y), name in zip(0.82 * directions(angle_t), pairs, strict=True):
        ax.annotate("", (x, y), (0, 0), arrowprops=arrow | {"color": "#D55E00", "ls": "--"})
        ax.text(1.12 * x, 1.12 * y, name[0].upper(), color="#D55E00", **MIDDLE)
    ax.set(xlim=(-1.9, 1.7), ylim=(-1.2, 1.2), aspect="equal", title=title)
    ax.axis("off")


# %% mystnb={"figure": {"name": "idea-circle", "caption": "Four sounds (full blue arrows, named) and four texts (broken orange arrows, first letter) as directions in a joint space of two dimensions."}, "image": {"alt": "Unit circle with eight arrows. The sounds crackling fire and mouse click point almost the same way; the texts F and M are far apart."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 4))
circle(ax, angle_a, angle_t, "before training")
plt.show()

# %% [markdown]
# **Predict, then run.** Which of the four sounds has a wrong text as its nearest one? Look at the arrows and decide
# before you go on.
#
# ## The matrix of similarities
#
# Sixteen cosines. Sound and text of the same pair stand on the diagonal.

# %%
similarity = E_a @ E_t.T  # (B, B)
sounds, texts = [f"sound: {p}" for p in pairs], [f"text: {p}" for p in pairs]
pd.DataFrame(similarity, sounds, texts).round(2)

# %% [markdown]
# Check one by hand: the sound of the dog points to 10 degrees and the text to 20, so the first entry is
# $\cos(10^\circ)$.
#
# ## Softmax over a row, softmax over a column
#
# Divide by the temperature, take exponentials, and let each row sum to one. Row $i$ then answers "which text belongs
# to sound $i$?" with probabilities. Each column answers the reverse question, "which sound belongs to text $j$?".
#
# $$
# \begin{aligned}
# P^{\mathrm{row}}_{ij} &= \frac{\exp C_{ij}}{\sum_{m} \exp C_{im}} \\
# P^{\mathrm{col}}_{ij} &= \frac{\exp C_{ij}}{\sum_{m} \exp C_{mj}}
# \end{aligned}
# $$

# %%
C = similarity / temperature  # (B, B)
first = np.exp(C[0])  # the row of the dog, one step at a time
steps_of_row = {"cosine": similarity[0], "C": C[0]}
steps_of_row |= {"exp C": first, "share": first / first.sum()}
pd.DataFrame(steps_of_row, pairs).round(3)

# %%
rows = np.exp(C) / np.exp(C).sum(axis=1, keepdims=True)
columns = np.exp(C) / np.exp(C).sum(axis=0, keepdims=True)  # all sum to 1

# %% mystnb={"figure": {"name": "idea-softmax", "caption": "The two readings of the same matrix. The diagonal should be 1 in both."}, "image": {"alt": "Two heat maps of four by four probabilities. In the left one, rows sum to one; the row of mouse click puts most of its weight on the text crackling fire. In the right one, columns sum to one."}} tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(6.2, 3.4), sharey=True, layout="constrained")
for ax, P, title in zip(axes, (rows, columns), ("each row sums to 1", "each column sums to 1"), strict=True):
    ax.imshow(P, cmap="Blues", vmin=0, vmax=1)
    for (i, j), p in np.ndenumerate(P):
        ax.text(j, i, f"{p:.2f}", ha="center", va="center", fontsize=11, color="white" if p > 0.6 else "black")
    ax.set_xticks(range(4), pairs, rotation=35, ha="right")
    ax.set_yticks(range(4), pairs)
    ax.set(title=title, xlabel="text")
axes[0].set_ylabel("sound")
plt.show()

# %% [markdown]
# ## The loss
#
# The model should put probability 1 on the diagonal. It pays $-\log$ of what it puts there, averaged over rows, over
# columns, and over both:
#
# $$
# L = -\frac{1}{2B} \sum_{i=1}^{B} \left( \log P^{\mathrm{row}}_{ii} + \log P^{\mathrm{col}}_{ii} \right).
# $$
#
# This is the CLIP loss {cite}`radford2021clip`, which CLAP took over for sound {cite}`elizalde2023clap`.

# %%
cost_rows, cost_columns = (-np.log(np.diag(m)) for m in (rows, columns))
cost = {"sound → text": cost_rows, "text → sound": cost_columns}
cost = pd.DataFrame(cost, pairs)
loss_by_hand = cost.to_numpy().mean()
cost.round(3)

# %% [markdown]
# Mouse click pays most: its sound lies nearer to another text than to its own. Now the same with the function that
# trains every model of this book. It receives $s = \log(1/\tau)$, and limits $C$ to [-100, 100] as the paper does.

# %% tags=["hide-input"]
s = torch.tensor(-np.log(temperature))
loss_of_package = contrastive_loss(torch.tensor(E_a), torch.tensor(E_t), s).item()
assert np.isclose(loss_by_hand, loss_of_package)
print(f"by hand {loss_by_hand:.6f}, package {loss_of_package:.6f}")

# %% tags=["remove-input"]
glue("idea_loss", float(loss_by_hand), display=False)

# %% [markdown]
# Both give {glue:text}`idea_loss:.3f`.
#
# **Predict, then run.** What is the loss of a model that knows nothing, so that all sixteen similarities are equal?
# Think of the four probabilities in a row first.

# %% tags=["hide-cell"]
nothing = torch.zeros(4, 4, dtype=torch.float64)  # all similarities 0: every probability is 1/4
print(f"loss {contrastive_loss(nothing, nothing, s).item():.4f} = log 4 = {np.log(4):.4f}")

# %% [markdown]
# A loss near $\log B$ therefore means "nothing learnt yet", in our four pairs as in the paper's batches of 128.
#
# ## Zero-shot classification: the nearest label
#
# At test time the texts are the names of the classes. A sound gets the class whose text is nearest:
#
# $$\hat{y}_i = \arg\max_{c} \; E_a^{(i)} \cdot E_t^{(c)}.$$
#
# It is called *zero-shot* when no sound of that class was seen in training with its name. The formula cannot tell
# whether this was so. That is what this book is about.

# %%
labels = np.arange(len(pairs))  # sound i belongs to class i
nearest = similarity.argmax(axis=1)
print(f"accuracy {zero_shot_accuracy(E_a, E_t, labels):.2f}")
pd.DataFrame({"sound of": pairs, "is taken for": [pairs[c] for c in nearest]})

# %% [markdown]
# ## What training can and cannot repair
#
# Suppose that the audio encoder cannot tell fire from click, and that the arrows of the sounds stay where they are.
# Only the texts may move. We follow the slope of the loss downhill.

# %%
def move_texts(E_a, angle_t):
    """Angles of the texts after gradient descent, and the loss at each step."""
    theta = torch.tensor(np.radians(angle_t), requires_grad=True)  # (B,), all that learns
    optimiser = torch.optim.Adam([theta], lr=0.05)
    history = []
    for _ in range(steps):
        E_t = torch.stack([theta.cos(), theta.sin()], dim=1)
        loss = contrastive_loss(torch.tensor(E_a), E_t, s)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    return np.degrees(theta.detach().numpy()) % 360, history


# %% tags=["hide-input"]
better_encoder = directions(np.array([10.0, 95.0, 205.0, 290.0]))  # fire and click sound different
angle_trained, history = move_texts(E_a, angle_t)
_, history_better = move_texts(better_encoder, angle_t)

# %% [markdown]
# **Predict, then run.** The accuracy can become 1: each text only has to move a little. But what happens to the
# probabilities of fire and click, and can the loss come as low as for a better audio encoder?

# %% mystnb={"figure": {"name": "idea-trained", "caption": "The texts have moved to their sounds, but fire and click cannot be told apart with confidence: the loss stays above that of a better audio encoder."}, "image": {"alt": "Left: unit circle after training; the texts F and M lie on both sides of the two sounds. Right: two curves of the loss over the steps; the one for sounds that coincide levels off well above the one for sounds that differ, which comes near 0."}} tags=["hide-input"]
fig, (left, right) = plt.subplots(1, 2, figsize=(6.6, 3.2), width_ratios=(1.4, 1), layout="constrained")
circle(left, angle_a, angle_trained, "after training the texts")
right.plot(history, color="#0072B2", lw=2, label="fire like click")
right.plot(history_better, color="#009E73", lw=2, ls="--", label="a better encoder")
right.set(xlabel="step", ylabel="loss", title="loss", ylim=(0, None))
right.legend(frameon=False)
right.spines[["top", "right"]].set_visible(False)
plt.show()

# %% tags=["hide-input"]
P = np.exp(E_a @ directions(angle_trained).T / temperature)
P /= P.sum(axis=1, keepdims=True)
pd.DataFrame({"probability of its own text": np.diag(P)}, pairs).round(2)

# %% tags=["remove-input"]
glue("idea_loss_trained", history[-1], display=False)
glue("idea_loss_better", history_better[-1], display=False)
glue("idea_click", float(P[3, 3]), display=False)
glue("idea_dog", float(P[0, 0]), display=False)

# %% [markdown]
# The loss falls to {glue:text}`idea_loss_trained:.2f` and stays there; with the better encoder it reaches
# {glue:text}`idea_loss_better:.2f`. The dog finds its text with probability {glue:text}`idea_dog:.2f`, the mouse click
# with {glue:text}`idea_click:.2f` only.
#
# All four answers are right, since two single arrows are never quite the same. But a real class is a cloud of clips. Where
# the clouds of two classes overlap, the same place holds clips of both, and neither a text nor a temperature can name them
# all rightly.
#
# This is the paper's claim: *zero-shot accuracy depends on the clusters that the audio backbone brings along*. One that was
# trained **with the labels of the test** brings along exactly the clusters that the test asks for.
#
# ## What to notice
#
# - The loss compares within a batch. It needs pairs, not classes.
# - Zero-shot classification is a search for the nearest label. Nothing in it checks that the label is new.
# - Where clips of two classes coincide in $x_a$, no text can separate them.
# - So there are two leak paths: a test label may have been among the labels of a backbone's **pre-training**, or in the
#   captions of the **cross-modal training**. The next page looks for [leaks on both paths](leaks.ipynb).
#
# ## Exercises
#
# **1. Shuffle the batch.** If sounds and texts are permuted *together*, what happens to the loss? And if only the
# texts are permuted?

# %% tags=["hide-cell"]
order = [2, 0, 3, 1]
together = contrastive_loss(torch.tensor(E_a[order]), torch.tensor(E_t[order]), s).item()
texts_only = contrastive_loss(torch.tensor(E_a), torch.tensor(E_t[order]), s).item()
print(f"together {together:.3f}: unchanged, a batch has no order")
print(f"texts only {texts_only:.3f}: every sound now has a wrong partner")

# %% [markdown]
# **2. Turn the temperature.** Take $\tau$ ten times as large. Does the accuracy change? Does the loss?

# %% tags=["hide-cell"]
for tau in (temperature, 10 * temperature):
    loss = contrastive_loss(torch.tensor(E_a), torch.tensor(E_t), torch.tensor(-np.log(tau))).item()
    print(f"tau {tau:.2f}: loss {loss:.3f}, accuracy {zero_shot_accuracy(E_a, E_t, labels):.2f}")
print("The nearest text stays the nearest: accuracy does not depend on tau. The loss moves towards log 4.")

# %% [markdown]
# **3. A better audio encoder.** The sound of the mouse click moves from 212 to 290 degrees, as if a backbone had learnt to tell
# it from fire. What is the accuracy *before* any training of the texts?

# %% tags=["hide-cell"]
print(f"accuracy {zero_shot_accuracy(better_encoder, E_t, labels):.2f}, with the same texts as at the start")

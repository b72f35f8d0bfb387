# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Ensembles of reward models
#
# [Coste, Anwar, Kirk and Krueger 2023](https://arxiv.org/abs/2310.02743). Reward models that differ
# only in their seed make different mistakes. Can a policy be optimized against several of them at
# once, so that no single one's mistakes are there to be found?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("coste2023", *stored)

# %% [markdown]
# ## Three ways to combine members
#
# For members $R_1 \dots R_M$, each brought to mean 0 and SD 1 under the initial policy:
#
# $$\text{mean}: \frac1M \sum_i R_i \qquad
# \text{WCO}: \min_i R_i \qquad
# \text{UWO}: \frac1M \sum_i R_i - \lambda \,\mathrm{var}_i R_i$$
#
# The mean removes what is *independent* in the members' errors: its variance falls as $1/M$. The
# worst case (WCO) and the uncertainty weight (UWO) do more: they turn away from responses about
# which members disagree. All three are blind to what members *share*, such as flaws of the labels
# that all of them learned from.

# %% [markdown]
# ## When disagreement helps, and when not
#
# A list of 4,000 responses for each of 40 prompts. Gold is normal. A member's error is small on
# most responses and six times larger on the strangest twentieth. In the first panel errors are
# independent between members; in the second, nine tenths of their variance is shared. Best-of-n is
# summed exactly over the list.

# %%
rng = np.random.default_rng(0)
B, R, M = 40, 4000, 5
n_K = np.unique(np.rint(2.0 ** np.linspace(0, 11, 30)))
p_KR = np.diff((np.arange(R + 1) / R)[None] ** n_K[:, None], axis=1)
gold = rng.normal(size=(B, R))
scale = np.where(rng.uniform(size=(B, R)) < 0.05, 3.0, 0.5)
own, common = rng.normal(size=(M, B, R)), rng.normal(size=(B, R))
canvas, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for axis, shared in zip(axes, (0.0, 0.9), strict=True):
    members = gold + scale * (np.sqrt(1 - shared) * own + np.sqrt(shared) * common)
    members /= members.std(axis=-1, keepdims=True)
    systems = {
        "single": members[0],
        "mean": members.mean(axis=0),
        "wco": members.min(axis=0),
        "uwo": members.mean(axis=0) - 0.5 * members.var(axis=0),
    }
    for label, score in systems.items():
        sorted_gold = np.take_along_axis(gold, np.argsort(score, axis=1), axis=1)
        axis.plot(n_K, p_KR @ sorted_gold.mean(axis=0), label=label)
    axis.set(xscale="log", xlabel="n", title=f"shared part of the error: {shared:.0%}")
axes[0].set_ylabel("gold (SDs)")
axes[0].legend()
plt.show()

# %% [markdown]
# Left, the single model is led to its own strange responses and loses most of its gain; averaging
# removes much of that, and the two careful rules more. Right, five members are hardly more than
# one: what they share is what is exploited. Whether ensembles help is thus a question about *where
# errors come from*: initialization and order of data (independent), or the comparisons (shared).
#
# ## Verdicts

# %%
display(judged)

# %% [markdown]
# ## Figures
#
# The paper has a quarter of the labels flipped, and so has this grid. Its released code plots k2 as
# KL under PPO.

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# The same systems with clean labels, from the committed results: best-of-n, with peaks and ends.

# %%
overopt.plot_curves("../results/reviews/bon/knob-e55df09622", seeds=False)

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - None of the 14 claims is resolved, neither for the paper nor against it. A claim here has
#   several parts, all of which must hold, and the verdict is corrected for 14 claims. What follows
#   are mostly single parts, before that correction.
# - Some point against the paper. Under PPO with a penalty of 0.01 gold of WCO falls after its peak
#   by 0.88 SD [0.49, 1.27], where the paper sees no fall. A penalty is a price in SDs of the proxy
#   here, so that its 0.01 is not the paper's.
# - Under best-of-n without label noise the mean of an ensemble falls by 0.39 SD [0.18, 0.61], where
#   the paper finds averaging alone to be safe. A guess: members of one seed see the same
#   comparisons, of a rule that small models cannot represent in full, so that their misfit is
#   shared, as in the right panel above.
# - At the end of best-of-n with flipped labels WCO is ahead of a single proxy by 0.11 SD
#   [-0.26, 0.48]. The paper reports gains of up to 75 %. To tell a lead as small as this one takes
#   dozens of seeds.
# - Others agree with the paper. Over 100 seeds the accuracy of a single proxy hardly goes with its
#   fall: the rank correlation is 0.10 [-0.10, 0.29], which alone would be reproduced. A fifth
#   member changes gold by less than 0.1 SD, as in the paper, but a fourth one is not seen to help
#   either.
# - In the paper, best-of-n goes to $n = 12{,}500$, here to 1,024. Runs of PPO that may take
#   2,000 steps end at the last KL budget long before that, so that they say nothing of longer
#   training.
#
# **To try:** give `shared` more values between 0 and 0.9. How much independence does WCO need
# before it helps?

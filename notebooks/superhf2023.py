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
# # SuperHF: filter, learn, repeat
#
# [Mukobi et al. 2023](https://arxiv.org/abs/2310.16763). Sample some responses, keep the one that
# the reward model likes best, learn it by plain likelihood, and stay near the start by a prior. No
# policy gradient at all. Is it as good at reward as PPO, and does the prior prevent hacking?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("superhf2023", *stored)

# %% [markdown]
# ## The fixed point
#
# With the best of $S$ samples kept and a prior of weight $c$, the loss is
#
# $$L = -\log \pi(y_{\mathrm{best}}) + c\,\mathrm{KL}(\pi_0 \| \pi).$$
#
# Let $q_\pi$ be the law of the best of $S$ samples of $\pi$. The mean gradient in the logits of a
# policy that is a list is $(\pi - q_\pi) + c\,(\pi - \pi_0)$, which vanishes where
#
# $$\pi = \frac{q_\pi + c\,\pi_0}{1 + c} .$$
#
# So the method mixes best-of-$S$ of *itself* with the initial policy. Without a prior, $c = 0$,
# it goes on to the response with the highest proxy. The prior's KL is the forward one,
# $\mathrm{KL}(\pi_0 \| \pi)$: a policy may not drop what the initial policy does, and may add as it
# likes.

# %%
rng = np.random.default_rng(0)
B, R, S = 50, 800, 4
gold = rng.normal(size=(B, R))
proxy = gold + 0.8 * rng.standard_t(3, size=(B, R))
order = np.argsort(proxy, axis=1)
gold, proxy = (np.take_along_axis(one, order, axis=1) for one in (gold, proxy))
proxy = (proxy - proxy.mean()) / proxy.std()


def best_of(policy: np.ndarray, count: int) -> np.ndarray:
    """Law of the best of some samples; responses are in ascending order of the proxy."""
    below = policy.cumsum(axis=1)
    return np.diff((below / below[:, -1:]) ** count, axis=1, prepend=0.0)


rows = []
for c in (0.0, 0.1, 0.3, 1.0, 2.0, 3.5):
    policy, path = np.full((B, R), 1 / R), []
    for _ in range(120):  # damped steps toward the right-hand side
        log = np.log(np.maximum(policy * R, 1e-300))
        path.append([(policy * one).sum(axis=1).mean() for one in (log, proxy, gold)])
        policy = policy + 0.1 * ((best_of(policy, S) + c / R) / (1 + c) - policy)
    kl, of_proxy, of_gold = np.array(path).T
    plt.plot(kl, of_gold, label=f"c = {c:g}")
    plt.plot(kl[-1], of_gold[-1], "k.")
    rows.append((c, kl[-1], of_proxy[-1], of_gold[-1]))
plt.xlabel("KL (nats)")
plt.ylabel("gold (SDs)")
plt.legend()
pd.DataFrame(rows, columns=["c", "KL", "proxy", "gold"]).round(3)

# %% [markdown]
# The dots are where each run has come to. A prior decides *where a run ends*. Whether it also
# changes gold at equal KL is seen from how the curves lie over each other: ending earlier on one
# curve is early stopping, lying above it is more. Here a stronger prior even lies lower: it mixes a
# few extreme responses with many ordinary ones, which costs KL and brings less gold than moving all
# of them a bit.
#
# For the best of $S$ near the initial policy, where each top response has little probability,
# $q_\pi$ multiplies it by about $S$: a prior of $c > S - 1$ holds it down.
#
# ## Verdicts

# %%
display(judged)

# %% [markdown]
# ## Figures

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# With clean labels, SuperHF and PPO from the committed results. They decide no claim.

# %%
overopt.plot_curves(["../results/reviews/superhf", "../results/reviews/ppo"], noise="0")

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - None of the four claims is resolved. After equal numbers of samples SuperHF's reward is 1.51 SD
#   below PPO's, with an interval of [-3.40, 0.38]; more gold at equal reward and better calibration
#   are not shown either.
# - Gold at the end rises with the weight of the prior, which is a part of shf-03. The other part is
#   not shown: the default weight, 0.1, is ahead of no prior by 0.08 SD [-0.05, 0.22]. Weights up to
#   0.1 do not hold a run, which ends at the last KL budget as without a prior; a weight of 1 keeps
#   it within 2 nats. What rises is thus mostly how early a run ends, as with the dots above.
# - Rewards and gold at large KL differ by more than an SD between seeds. To tell the two methods
#   apart takes more seeds, or runs that are held at a smaller KL.
# - Calibration is that of a choice between the two responses of a held-out pair; the paper's is of
#   answers to questions with several choices.
# - The paper looks for hacking by METEOR, by its code the likeness of completions of one model to
#   each other. It is judged by gold here.

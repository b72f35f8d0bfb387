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
# # Iterated RLHF
#
# [Wolf et al. 2025](https://arxiv.org/abs/2505.18126). A policy is optimized, its new samples are
# compared, a reward model is trained anew, and the policy is optimized again. Which choices make
# overoptimization shrink over rounds: which comparisons are kept, and where a round starts?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("iterated2025", *stored)

# %% [markdown]
# ## Why a new round could help
#
# A proxy is good where its comparisons were. Optimization leads elsewhere, to where the proxy is
# high by mistake. New comparisons *there* show the mistake. What a round changes:
#
# - **data**: comparisons of all rounds, or of the last one only;
# - **start**: the initial policy in every round, or the policy that the last round ended with.
#
# ## Four rounds on a list
#
# 1,500 responses with 6 features, gold not quite linear in them. The proxy is a logistic regression
# on linear and squared features with 60 comparisons a round. A round ends at a tilt of the initial
# policy, or of the last one, that lies 2.5 nats from where it started. Mean over 30 repetitions.

# %%
R, D = 1500, 6


def tilt(base: np.ndarray, score: np.ndarray, nats: float) -> np.ndarray:
    """base exp(strength score), at a KL from base that bisection finds."""
    low, high = 0.0, 60.0
    for _ in range(25):
        strength = (low + high) / 2
        policy = base * np.exp(strength * (score - score.max()))
        policy /= policy.sum()
        kl = policy @ np.log(np.maximum(policy, 1e-300) / np.maximum(base, 1e-300))
        low, high = (strength, high) if kl < nats else (low, strength)
    return policy


def rounds(seed: int, keep: str, start: str) -> np.ndarray:
    """Proxy and gold at the end of each of four rounds, SDs under the initial policy."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(R, D))
    gold = x @ rng.normal(size=D) - 0.6 * (x**2) @ np.abs(rng.normal(size=D))
    gold = (gold - gold.mean()) / gold.std()
    seen = np.concatenate([x, x**2 - 1], axis=1)
    initial = policy = np.full(R, 1 / R)
    held, labels, path = np.empty((0, 2), int), np.empty(0), []
    for _ in range(4):
        new = rng.choice(R, size=(60, 2), p=policy)
        margin = 2 * (gold[new[:, 0]] - gold[new[:, 1]])
        label = (margin + rng.logistic(size=len(new)) > 0) * 1.0
        held = np.concatenate([held, new]) if keep == "all" else new
        labels = np.concatenate([labels, label]) if keep == "all" else label
        difference = seen[held[:, 0]] - seen[held[:, 1]]
        w = np.zeros(2 * D)
        for _ in range(8):
            p = 1 / (1 + np.exp(-difference @ w))
            hessian = (difference * (p * (1 - p))[:, None]).T @ difference + np.eye(2 * D)
            w -= np.linalg.solve(hessian, difference.T @ (p - labels) + w)
        proxy = seen @ w
        proxy = (proxy - proxy.mean()) / proxy.std()
        policy = tilt(initial if start == "initial" else policy, proxy, 2.5)
        path.append((policy @ proxy, policy @ gold))
    return np.array(path)


designs = [("all", "initial"), ("last", "initial"), ("all", "last")]
for color, (keep, start) in enumerate(designs):
    mean = np.mean([rounds(seed, keep, start) for seed in range(30)], axis=0)
    label = f"{keep} comparisons, start: {start} policy"
    plt.plot(range(1, 5), mean[:, 1], f"C{color}o-", label=f"gold; {label}")
    plt.plot(range(1, 5), mean[:, 0], f"C{color}--", linewidth=0.9)
plt.xticks(range(1, 5))
plt.xlabel("round")
plt.ylabel("SDs; proxy dashed")
plt.legend(fontsize=7)
plt.show()

# %% [markdown]
# With all comparisons and a fresh start the gap between dashed and solid shrinks round by round,
# and most at first. Comparisons of the last round alone describe one corner and forget the rest.
# The third design goes *further*, since every round adds its own distance: its gold cannot be
# compared with the others at equal KL, and a claim about starts has to say at which KL it compares.
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
# ## What shows up here and what does not, and why
#
# - One claim is contradicted (it-09): the distance between the distributions of proxy and gold does
#   not fall before it rises. It grows from the start, in all four rounds. A guess: scores are in
#   SDs of the initial policy here. Were they standardized anew at each policy, the distance would
#   be another one, and which of the two the paper does was not verified.
# - That gold still falls after four rounds would be reproduced alone, and is not after the
#   correction for 10 claims. The fall is 2.20 SD [1.00, 3.40], where the paper's is small.
# - The other eight are not resolved, and their intervals are half an SD to one and a half wide to
#   either side. Most arms are compared at the largest KL that all reach, far beyond the peak, where
#   gold differs between seeds by about two SDs. More seeds would help, and so would reading gold at
#   a small KL, which would be another claim.
# - That later rounds do not visibly help may be due to where they sample: earlier rounds run
#   without a penalty to 12 nats and more, and the comparisons added come from there. This is a
#   guess.
# - Policies that go on from the last round end below the initial policy's gold, as the paper has
#   it. That fresh starts end above them is not shown: in round 3 the difference, fresh starts less
#   these, is -0.88 SD [-2.29, 0.53].
# - Among the ways to keep comparisons, sampling from past ones is not here, so that the order of
#   designs is judged on three of the paper's four. The paper's share of interpolated starts was not
#   verified; here it is one half.

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
# # Constraints in place of weights
#
# [Moskovitz et al. 2023](https://arxiv.org/abs/2310.04373). A reward is often a weighted sum of
# several models. Each is a useful proxy up to some point and misleads beyond. Instead of weighing
# them, hold each *at* the point where it stops being useful.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("moskovitz2023", *stored)

# %% [markdown]
# ## Two ways to combine components
#
# Fixed weights maximize $\sum_k a_k J_k - \beta\,\mathrm{KL}$, with $J_k$ the mean of component
# $k$. Constraints minimize KL with $J_k \ge \theta_k$ ($\mu$), or $J_k = \theta_k$ ($\xi$). The
# Lagrangian has a multiplier for each component,
#
# $$\min_\pi \max_\lambda \;\; \mathrm{KL}(\pi \| \pi_0) + \sum_k \lambda_k\,(\theta_k - J_k),
# \qquad \pi \propto \pi_0 \exp\Bigl(\sum_k \lambda_k r_k\Bigr).$$
#
# It is a weighted sum again, whose weights are *found*. Under $\xi$ a multiplier may be negative: a
# component that overshoots is pulled back. KL keeps a policy near its start wherever the
# constraints do not ask for more.
#
# ## On a list
#
# 2,000 responses with two correlated components. Gold is best at 1.2 SDs of the first and 0.2 of
# the second. Thresholds are put at half of that point, at it, and beyond it. The multipliers of
# $\xi$ are found by Newton's method: the derivative of the $J_k$ in $\lambda$ is the components'
# covariance under $\pi$.

# %%
rng = np.random.default_rng(0)
shared = rng.normal(size=2000)
parts = np.sqrt(0.4) * shared[:, None] + np.sqrt(0.6) * rng.normal(size=(2000, 2))
parts = (parts - parts.mean(axis=0)) / parts.std(axis=0)
point = np.array([1.2, 0.2])
gold = -((parts - point) ** 2).sum(axis=1)
gold = (gold - gold.mean()) / gold.std()


def tilt(multipliers: np.ndarray) -> np.ndarray:
    logits = parts @ multipliers
    policy = np.exp(logits - logits.max())
    return policy / policy.sum()


def read(policy: np.ndarray) -> tuple[float, ...]:
    kl = policy @ np.log(np.maximum(policy * 2000, 1e-300))
    return (kl, *(policy @ parts), policy @ gold)


strengths = np.linspace(0, 4, 60)
for label, weights in (("first alone", (1, 0)), ("equal", (0.5, 0.5)), ("4 : 1", (0.8, 0.2))):
    curve = np.array([read(tilt(s * np.array(weights))) for s in strengths])
    plt.plot(curve[:, 0], curve[:, 3], label=f"weights: {label}")
rows = []
for scale in (0.5, 1.0, 1.5):
    multipliers = np.zeros(2)
    for _ in range(30):
        policy = tilt(multipliers)
        mean = policy @ parts
        covariance = (parts - mean).T @ ((parts - mean) * policy[:, None])
        multipliers += 0.7 * np.linalg.solve(covariance, scale * point - mean)
    rows.append((scale, *multipliers, *read(policy)))
    plt.plot(rows[-1][3], rows[-1][6], "k*")
    plt.annotate(f" {scale:g}", (rows[-1][3], rows[-1][6]))
plt.xlabel("KL (nats)")
plt.ylabel("gold (SDs)")
plt.xlim(0, 4)
plt.legend(fontsize=8)
columns = ["share of the point", "lambda 1", "lambda 2", "KL", "J 1", "J 2", "gold"]
pd.DataFrame(rows, columns=columns).round(3)

# %% [markdown]
# Stars: constrained policies, by the share of the point. They stop by themselves; weighted rewards
# go on along their curves. The second multiplier is negative: since the components correlate,
# raising the first would carry the second beyond its threshold. Only $\xi$ can hold it back; $\mu$,
# whose multipliers are positive, would leave it alone, and so would any positive weights.
# Everything hangs on the thresholds: one has to know where gold turns, *over all components at
# once*, since correlated components have a joint best point that is not that of each alone.
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
# - None of the nine claims is resolved. Single seeds make the intervals wide. In one of five $\mu$,
#   $\xi$ and PPO all run on to the last KL budget and lose gold, in another $\mu$ alone loses it:
#   $\xi$ ends 0.27 SD [-0.73, 1.27] above $\mu$. It takes more seeds, or constraints that hold in
#   all of them.
# - Nearest to a verdict is that thresholds from the joint best point beat those from single
#   components (mos-08): 1.28 SD [0.25, 2.31], alone reproduced, and not after the correction for
#   nine claims. Those points were found by gold, on other seeds but on the same prompts.
# - Under $\xi$ components should end within 5 % of their threshold, 1 SD. They are not shown to do
#   so: the first ends at 0.59 SD [0.08, 1.09]. That 400 steps are few for the multipliers to settle
#   is a guess.
# - A threshold is 1 SD of the initial policy for every component in this project. The paper finds
#   them where gold is highest. Such points are found here over best-of-n by weighted sums of the
#   components, on seeds that no claim is judged by; two runs are held to them, one to the joint
#   point and one to those of single components.
# - Two of the paper's baselines are not here, so that constrained PPO is judged against PPO on
#   fixed weights alone. These weights are equal, where the paper's were tuned. $\xi$ ends above it,
#   by 0.21 SD in a single part of mos-03; that $\mu$ does is not shown.

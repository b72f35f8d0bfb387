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
# # Is best-of-N the best of them?
#
# [Huang et al. 2025](https://arxiv.org/abs/2503.21878). Best-of-N trusts an estimated reward more,
# the more samples it draws. Inference-time pessimism bounds how far a response may be favored over
# the reference, so that more samples cannot hurt.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt
from overopt.methods.selection import bon, itp
from overopt.papers.enumerated import regret

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("itp2025", *stored)

# %% [markdown]
# ## The optimum under a chi² penalty
#
# Maximize $E_\pi[\hat r] - \frac{\beta}{2} \chi^2(\pi \| \pi_{\mathrm{ref}})$ with $\chi^2 =
# E_{\mathrm{ref}}[(\pi/\pi_{\mathrm{ref}})^2] - 1$. Setting the derivative for $\pi(y)$ to the
# multiplier of $\sum \pi = 1$ gives
#
# $$\pi(y) = \pi_{\mathrm{ref}}(y) \left[\frac{\hat r(y) - \lambda}{\beta}\right]_+ ,$$
#
# with $\lambda$ such that the bracket averages 1 under the reference. A huge $\beta$ is the
# reference, a tiny one the response with the best estimate. No weight can exceed $(\max \hat r -
# \lambda)/\beta$, so that one mistaken response cannot take everything. Best-of-N's weights are
# bounded by $N$ instead: it is the number of samples that regularizes it.
#
# ## Both, against a mistaken reward
#
# A hundred prompts with 1,000 listed responses each; the estimate adds t-distributed error with 3
# degrees of freedom, in two sizes. Left: gold along KL. Right: gold by the parameter of each rule.

# %%
rng = np.random.default_rng(0)
B, R = 100, 1000
gold = rng.normal(size=(B, R))
error = rng.standard_t(3, size=(B, R)) / np.sqrt(3)


def pessimist(score: np.ndarray, beta: float) -> np.ndarray:
    """Weights over the list, their mean 1: lambda by the sorted list, as in a projection."""
    high = -np.sort(-score, axis=1)
    above = np.arange(1, R + 1)
    cuts = (high.cumsum(axis=1) - beta * R) / above  # lambda if the k best are above it
    k = (high > cuts).sum(axis=1)
    return np.maximum(score - cuts[np.arange(B), k - 1][:, None], 0) / beta


def read(weights: np.ndarray) -> tuple[float, float]:
    log = np.log(np.maximum(weights, 1e-300))
    return float((weights * log).mean()), float((weights * gold).mean())


betas, counts = np.geomspace(0.005, 20, 30), np.unique(np.rint(2.0 ** np.linspace(0, 12, 25)))
canvas, axes = plt.subplots(1, 2, figsize=(9, 3.3), sharey=True)
best = []
for size in (1.0, 2.0):
    score = gold + size * error
    rank = (score.argsort(axis=1).argsort(axis=1) + 1) / R
    of_n = np.array([read(R * (rank**n - (rank - 1 / R) ** n)) for n in counts])
    of_beta = np.array([read(pessimist(score, b)) for b in betas])
    best.append((size, of_n[:, 1].max(), of_beta[:, 1].max(), betas[of_beta[:, 1].argmax()]))
    axes[0].plot(of_n[:, 0], of_n[:, 1], label=f"best-of-N, error {size:g}")
    axes[0].plot(of_beta[:, 0], of_beta[:, 1], "--", label=f"pessimism, error {size:g}")
    axes[1].plot(counts, of_n[:, 1])
    axes[1].plot(1 / betas, of_beta[:, 1], "--")
axes[0].set(xlabel="KL (nats)", ylabel="gold (SDs)")
axes[1].set(xlabel="N, or 1 / beta (dashed)", xscale="log")
axes[0].legend()
columns = ["error", "best-of-N at its best N", "pessimism at its best beta", "that beta"]
pd.DataFrame(best, columns=columns).round(3)

# %% [markdown]
# Both fall if they are pushed too far: pessimism is safe in the number of *samples at a fixed
# beta*, not for every $\beta$. The best $\beta$ grows with the error, which is what the theory
# says.
#
# ## How fast regret falls with the error
#
# Best-of-N may miss a good response, and it may draw one that is overestimated. Let half of the
# prompts have a good response, prompts with a rarer one being rarer themselves, so that $N$ draws
# miss it in a share $1/N$ of them. On the other half all responses are good but for bad ones that
# look the better the rarer they are, each with the same part of the mean squared error
# $\varepsilon^2$, so that the worst of $N$ costs $\varepsilon \sqrt N$. The sum is least at
# $N = \varepsilon^{-2/3}$, and there it is $\varepsilon^{2/3}$.
# Pessimism weighs a response by how far its estimate exceeds $\lambda$, not by its rank: however
# rare, bad responses that look equally good share the weight with the good one by their
# probabilities, and their part of the regret stays in proportion to $\varepsilon$.

# %%
instance = regret.draw(0)
for label, policy, knobs in (
    ("best-of-N, at its best N", lambda pool, n: bon.weights(bon.Config(), pool, n), regret.N),
    (
        "pessimism, at its best beta",
        lambda pool, b: itp.weights(itp.Config(), pool, b),
        regret.BETA,
    ),
):
    least = [regret.best_regret(instance, error, policy, knobs) for error in regret.ERRORS]
    slope = np.polyfit(np.log(regret.ERRORS), np.log(least), 1)[0]
    plt.loglog(regret.ERRORS, least, "o-", label=f"{label}: exponent {slope:.2f}")
plt.xlabel("error of the estimated reward")
plt.ylabel("least regret")
plt.legend()
plt.show()

# %% [markdown]
# These prompts are made for both of best-of-N's costs to bind, each on its own half: on one prompt,
# a bad response that does little harm would spare the cost of missing the good one. With one good
# response of one probability, missing it dies off exponentially in $N$, and both rules lose alike.
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
# Clean labels, from the committed results, along KL:

# %%
overopt.plot_curves(
    ["../results/reviews/itp", "../results/reviews/bon/knob-e55df09622"],
    noise="0",
    proxy="single",
)

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - The algorithm's limits are computed and hold. The exponent of the best $\beta$ in the error is
#   judged against its *sign*, which is reproduced; the value that it came to, 1.8 [1.7, 1.9], is
#   not the 1 that a rule of thumb from the theorem would give. The instances are random, not the
#   paper's worst cases.
# - Along the number of samples pessimism does not fall: the policy comes to rest, and its KL with
#   it, since more samples bring it nearer to its target and no farther from the initial policy. The
#   claim (itp-01) is not resolved all the same, because that best-of-n falls is a part of it: the
#   fall is 0.33 SD [-0.08, 0.73]. Along KL, where pessimism moves along its $\beta$, it may fall as
#   any rule does. The $\beta$ of the curve along $n$ is 0.5 SD.
# - That binary rewards bring the two closer is not resolved. In the world of reviews the lead of
#   pessimism at equal KL is -0.003 SD [-0.046, 0.041], so that there is none to shrink. With gold
#   that is mostly right or wrong, in the world of sums, pessimism is a little ahead. Alone that
#   would contradict the claim, corrected for four claims it does not. The paper compares at equal
#   $N$, which may matter.
# - The regret rates are those of instances of ours, on which both costs of best-of-n bind at every
#   $N$: good responses that are rare in prompts that are rare, and bad ones that look the better
#   the rarer they are. With one good response of one probability, both lose alike. On these
#   instances the claim is reproduced: the exponents are 0.32 [0.30, 0.34] apart.

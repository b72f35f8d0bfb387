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
# # Scaling laws of overoptimization
#
# [Gao, Schulman and Hilton 2022](https://arxiv.org/abs/2210.10760). A proxy reward model is learned
# from labels of a gold reward, a policy is optimized against the proxy, and gold is watched. How
# does gold depend on how far the policy has gone?
#
# This page teaches the subject by a list of responses small enough to enumerate, and then shows
# what this project's committed runs say about the paper's claims. Nothing is trained here.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("gao2022", *stored)

# %% [markdown]
# ## The setting
#
# Distance is measured by the KL divergence of the policy from the initial one, and its square root
# $d = \sqrt{\mathrm{KL}}$ is the axis. The paper proposes one form for each way to optimize:
#
# $$R_{\mathrm{bon}}(d) = d\,(\alpha - \beta d), \qquad
# R_{\mathrm{RL}}(d) = d\,(\alpha - \beta \log d).$$
#
# $\beta$ is what bends gold down. $\alpha$ is the slope at which it rises first under best-of-n;
# under RL that slope has no bound, and $\alpha$ is gold at $d = 1$. Best-of-n draws $n$
# responses and keeps the one that the proxy likes best. Without ties its KL is close to $\log n -
# (n-1)/n$; on a finite list the exact value is smaller.
#
# Why may gold fall at all? Take a proxy $\hat X = X + Z$, gold plus an independent error, both
# normal. Conditioning on a high proxy then gives
#
# $$E[X \mid \hat X = s] = E[X] + (s - E[X] - E[Z])
# \,\frac{\mathrm{Var} X}{\mathrm{Var} X + \mathrm{Var} Z},$$
#
# a fixed share of every gain in the proxy. This is *regressional* Goodhart: gold is disappointing,
# but it never falls. For a fall the error must be worse than that where the proxy is high.

# %% [markdown]
# ## Best-of-n on a list
#
# A hundred prompts with 2,000 equally likely responses each. Sorted by proxy, the k-th of $R$
# responses is the best of $n$ with probability $(k/R)^n - ((k-1)/R)^n$, so that gold and KL of
# best-of-n are sums, without any sampling. Two errors: normal, and Student's t with 2.5 degrees of
# freedom, whose largest values are nearly all error.

# %%
rng = np.random.default_rng(0)
B, R = 100, 2000
n_K = np.unique(np.rint(2.0 ** np.linspace(0, 11, 34)))
cdf = np.arange(R + 1) / R
p_KR = np.diff(cdf[None] ** n_K[:, None], axis=1)  # of the k-th in ascending order
with np.errstate(divide="ignore", invalid="ignore"):
    kl_K = np.where(p_KR > 0, p_KR * np.log(p_KR * R), 0.0).sum(axis=1)
gold_BR = rng.normal(size=(B, R))
errors = {"normal error": rng.normal(size=(B, R)), "t error": rng.standard_t(2.5, size=(B, R))}
d_K, found = np.sqrt(np.maximum(kl_K, 0.0)), {}
for label, error_BR in errors.items():
    order = np.argsort(gold_BR + error_BR, axis=1)
    found[label] = p_KR @ np.take_along_axis(gold_BR, order, axis=1).mean(axis=0)
    plt.plot(d_K, found[label], "o", markersize=3, label=f"gold, {label}")
    near = d_K <= 1.6
    form = np.stack([d_K, -(d_K**2)], axis=1)
    (alpha, beta), *_ = np.linalg.lstsq(form[near], found[label][near], rcond=None)
    plt.plot(d_K, form @ [alpha, beta], label=f"alpha {alpha:.2f}, beta {beta:.2f}")
plt.axvline(1.6, color="gray", linewidth=0.5)
plt.xlabel("√ KL (√ nats)")
plt.ylabel("gold (SDs)")
plt.legend()
plt.show()

# %%
pd.DataFrame({"n": n_K, "log n - (n-1)/n": np.log(n_K) - (n_K - 1) / n_K, "exact KL": kl_K})[
    ::4
].round(4)

# %% [markdown]
# The lines are fitted left of the gray mark only; what lies to the right is a prediction. Compare
# the two: how good it is depends on the error, and a form that fits where it was fitted has shown
# little yet. That is why this project asks for the error on a far end that the fit did not see.
#
# ## Verdicts
#
# Each claim has a rule that was fixed before anything ran ([how](../bench/overopt/docs/papers.md)).
# The interval is for 95 %, over seeds, and over prompts where they were stored. A claim that says
# several things is reproduced where all of them are. The effect shown is that of the part on which
# the verdict hangs, and verdicts are corrected for the number of claims.

# %%
display(judged)

# %% [markdown]
# ## Figures
#
# The paper's figures, drawn from committed runs. Where KL is an axis, it is by our estimator and,
# beside it, by the paper's.

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# The standard grid's runs have a quarter of the labels flipped. Committed beside them are runs with
# clean labels, which are another setting and so decide no claim: best-of-n and PPO against one
# proxy. The star is the peak, chosen on other data than it is read on.

# %%
overopt.plot_curves(
    ["../results/reviews/bon/knob-e55df09622", "../results/reviews/ppo"], noise="0", proxy="single"
)

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - The identity (gao-19) holds, one claim is contradicted and 17 are not resolved. Contradicted is
#   gao-13: gold of PPO peaks 0.26 SD [0.19, 0.33] *below* that of best-of-n, where the paper has RL
#   peak higher. Why is not known.
# - Two claims would be reproduced if they stood alone and are not after the correction for 18
#   claims: PPO spends more KL than best-of-n for the same gold (0.81 [0.16, 1.45] in log KL, about
#   twice as much), and its KL grows like the step to the power of 1.9 [1.7, 2.2].
# - The laws in the proxy's *size* and *data* were looked for over 5 widths, 8 to 128, and 7 numbers
#   of comparisons, 64 to 4,096. Five seeds tell no slope from 0: that of $\beta$ of best-of-n over
#   log width is 0.03 [-0.05, 0.12], where the paper has $\beta$ fall. "Not resolved" speaks of
#   that, not of the law. Widths a factor of 16 apart are no 3 million and 3 billion parameters.
# - The form of best-of-n, fitted up to $n = 1{,}000$, misses gold by 0.17 SD [0.04, 0.30] up to
#   $n = 60{,}000$ and more. That it stays within 0.1 SD, as the rule asks, is not shown, nor that
#   it predicts better than the form of RL.
# - That a KL penalty leaves gold at equal KL as it is takes an interval within 0.1 SD of 0. Those
#   of five seeds are wider than that: more seeds would have to show it.
# - The paper's gold is itself a large reward model without label noise. Here gold is a rule of a
#   synthetic world, and a quarter of the labels is flipped. Signs and shapes may carry over,
#   coefficients do not.
#
# **To try:** change the degrees of freedom of the t error above. From where on does gold fall
# within $n \le 2048$? The page on catastrophic Goodhart says why.

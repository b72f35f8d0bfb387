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
# The interval is for 95 %, over seeds, and over prompts where they were stored. Below the judged
# claims are those that were not run, with what they wait for.

# %%
display(judged)

# %% [markdown]
# ## Figures
#
# The paper's figures that committed runs have a curve of, with our estimator of KL and, beside it,
# the paper's.

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
# ## What does not show up here, and why
#
# - The laws in the proxy's *size* and *data* need a sweep of 5 widths and 7 numbers of comparisons.
#   Where they are listed as not run, nothing is known, for or against.
# - In the enumerated world intervals of the fitted forms are wide: three seeds, and KL up to 4 nats
#   there. "Not resolved" speaks of that, not of the law.
# - Two reward models a factor of 16 apart in width are no 3 million and 3 billion parameters. Signs
#   and shapes may carry over, coefficients do not.
# - The paper's gold is itself a large reward model without label noise. Here gold is a rule of a
#   synthetic world.
#
# **To try:** change the degrees of freedom of the t error above. From where on does gold fall
# within $n \le 2048$? The page on catastrophic Goodhart says why.

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
# # Which KL penalty? k1, k3, Rao-Blackwell; in the reward or in the loss
#
# A study of this project. Libraries put different estimators of KL into different places, and their
# users ask which is right ([Liu et al. 2025](https://arxiv.org/abs/2510.01555) prove part of the
# answer). What a penalty *is* is decided by its gradient, not by its value.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("kl-estimators", *stored)

# %% [markdown]
# ## Values
#
# For a response sampled from the policy let $\delta = \log \pi(y) - \log \pi_{\mathrm{ref}}(y)$.
#
# $$k_1 = \delta, \qquad k_2 = \tfrac12 \delta^2, \qquad k_3 = e^{-\delta} - 1 + \delta .$$
#
# $k_1$ and $k_3$ have mean $\mathrm{KL}(\pi \| \pi_{\mathrm{ref}})$, $k_2$ only nearly. The
# Rao-Blackwellized estimate sums, over the tokens of a sampled response, the *exact* KL of the next
# token's distribution. Mean and SD over a list of one-token responses, exactly:

# %%
rng = np.random.default_rng(0)
reference = rng.dirichlet(np.ones(6))
rows = []
for strength in (0.1, 0.5, 2.0):
    policy = reference * np.exp(strength * rng.normal(size=6))
    policy /= policy.sum()
    delta = np.log(policy / reference)
    row = {"KL": policy @ delta}
    for name, k in (("k1", delta), ("k2", delta**2 / 2), ("k3", np.expm1(-delta) + delta)):
        mean = policy @ k
        row |= {f"{name} mean": mean, f"{name} SD": np.sqrt(policy @ (k - mean) ** 2)}
    rows.append(row)
pd.DataFrame(rows).round(4)

# %% [markdown]
# For one token the Rao-Blackwellized estimate is the KL itself, its SD is 0.
#
# ## Gradients
#
# An estimator **in the reward** multiplies the score function, $k(y)\,\nabla \log \pi(y)$. One **in
# the loss** is differentiated as it stands, $\nabla k(y)$, and the fact that $y$ was sampled from
# $\pi$ is forgotten, unless a ratio puts it back. Mean gradients in the logits, exactly, and which
# gradient they are:

# %%
score = np.eye(6) - policy  # row i: gradient of log pi(i)
reverse = policy * (delta - policy @ delta)  # of KL(pi || reference)
forward = policy - reference  # of KL(reference || pi)
forms = {
    "k1 in the reward": (policy * delta) @ score,
    "k1 in the loss": policy @ score,
    "k2 in the loss": (policy * delta) @ score,
    "k3 in the loss": (policy * -np.expm1(-delta)) @ score,
    "k3 in the loss, with its ratio": (policy * (np.expm1(-delta) + delta - np.expm1(-delta)))
    @ score,
}
rows = [
    (name, np.abs(g).max(), np.abs(g - reverse).max(), np.abs(g - forward).max())
    for name, g in forms.items()
]
columns = ["form", "largest entry", "off reverse KL's", "off forward KL's"]
pd.DataFrame(rows, columns=columns).round(6)

# %% [markdown]
# - $k_1$ in the loss has mean gradient 0: it is no penalty at all, only noise.
# - $k_3$ in the loss is the *forward* KL's gradient, although its value estimates the reverse KL.
#   Which of the two is larger depends on where the policy is: where $\pi$ has nearly all of its
#   probability on one response, the reverse KL's gradient in the logits goes to 0 and $\pi -
#   \pi_{\mathrm{ref}}$ does not.
# - With the ratio kept in the graph $k_3$ becomes right, and $k_2$ in the loss is right by chance.
#
# That is the mean over samples. What it does to a run is a question for runs.
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
# - The gradients are settled above and by enumeration of longer responses in the tests: kl-01 is
#   reproduced.
# - The three claims on runs are not resolved. That the form of a penalty leaves gold at equal KL
#   within 0.1 SD is nearly shown: two of three forms pass, and $k_3$ with the token's ratio is at
#   0.03 SD [-0.03, 0.10], just too wide.
# - Runs with $k_1$ in the loss, which is no penalty, take 10 steps [-1, 21] more to the same KL
#   than runs without one; the rule allows 10 either way. Nor is gold shown to be the same within
#   0.1 SD. That $k_3$ in the loss holds back less than with the token's ratio is open: the
#   difference is -18 steps [-47, 12], so that not even the sign is known. The sign had been fixed
#   before the runs. Steps differ much between seeds, and only more seeds will tell.
# - There is one weight, 0.1. A larger one might set the forms further apart.
# - Sums over a response's tokens, as here, and means over tokens, as in several libraries, are
#   different penalties at the same coefficient.

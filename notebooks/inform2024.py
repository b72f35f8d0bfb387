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
# # A reward read through a bottleneck
#
# [Miao et al. 2024](https://arxiv.org/abs/2402.09345) (InfoRM). If a reward model may only use a
# few bits about a response, will it keep what preference depends on and drop the rest? And do
# hacked responses stand out in what it keeps?

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("inform2024", *stored)

# %% [markdown]
# ## The bottleneck
#
# An encoder gives each response a mean $\mu$ and a variance $v$ for $d$ latents. In training the
# reward is read from a noisy latent, in scoring from its mean:
#
# $$s = \mu + \sqrt{v}\,\epsilon, \qquad r = w \cdot s, \qquad
# L = -\log \sigma(r_w - r_l) + b
# \,\mathrm{KL}\bigl(\mathcal N(\mu, v) \,\|\, \mathcal N(0, 1)\bigr),$$
#
# where for each latent $\mathrm{KL} = \frac12 (\mu^2 + v - 1 - \log v)$. Being sharp ($v$ small)
# and being far out ($\mu^2$ large) both cost. The weight $b$ says how much.
#
# ## What gets through
#
# One latent, responses whose true quality is a standard normal $q$, $\mu = a q$. For each $b$ the
# best $a$, $v$ and $w$ are found on a grid. The loss over noise is an average over quadrature
# nodes: the difference of two noisy rewards is normal with variance $2 w^2 v$ around $w a (q_w -
# q_l)$.

# %%
nodes, weights = np.polynomial.hermite_e.hermegauss(24)
weights = weights / weights.sum()
gap = np.sqrt(2) * nodes  # q1 - q2 of two responses
prefer = 1 / (1 + np.exp(-2 * gap))  # labels follow Bradley-Terry with a scale of 2
a, v, w = np.meshgrid(
    np.linspace(0, 2, 21), np.geomspace(1e-4, 1, 30), np.linspace(0, 6, 25), indexing="ij"
)
loss = np.zeros_like(a)
for g, p, of_g in zip(gap, prefer, weights, strict=True):
    for e, of_e in zip(nodes[::2], weights[::2] / weights[::2].sum(), strict=True):
        margin = w * (a * g + np.sqrt(2 * v) * e)
        loss += of_g * of_e * (p * np.logaddexp(0, -margin) + (1 - p) * np.logaddexp(0, margin))
kl = 0.5 * (a**2 + v - 1 - np.log(v))  # mean over q, whose square averages 1
rows = []
for b in (0.001, 0.01, 0.03, 0.1, 0.3, 1.0):
    best = np.unravel_index((loss + b * kl).argmin(), loss.shape)
    rows.append((b, a[best], v[best], w[best], kl[best], loss[best]))
columns = ["b", "a", "v", "w", "information (nats)", "loss on pairs"]
pd.DataFrame(rows, columns=columns).round(3)

# %% [markdown]
# With a small $b$ the latent is sharp and the loss near its floor. As $b$ grows, information is
# bought less, and at some $b$ nothing gets through: $a = 0$, the reward is constant, and the loss
# is $\log 2$. That happens at an ordinary-looking weight, so that $b$ must be chosen with the
# number of latents and with how their KL is added up in mind: a sum over latents is a stronger
# price than a mean.
#
# ## Outliers
#
# A tilt $\pi \propto \mathrm{base}\, e^{\mu / \tau}$ moves the latents of sampled responses out.
# Their Mahalanobis distance to the base policy's latents is a number that needs no gold:

# %%
rng = np.random.default_rng(0)
latents = rng.normal(size=(20_000, 3))
score = latents[:, 0] + 0.5 * latents[:, 1]
distance = np.sqrt(np.einsum("nd,de,ne->n", latents, np.linalg.inv(np.cov(latents.T)), latents))
rows = []
for strength in (0.0, 0.5, 1.0, 2.0):
    weight = np.exp(strength * score)
    weight /= weight.sum()
    far = weight @ (distance > np.quantile(distance, 0.99))
    rows.append((strength, weight @ score, weight @ distance, far))
pd.DataFrame(
    rows, columns=["strength", "proxy", "mean distance", "beyond the base policy's 99 %"]
).round(3)

# %% [markdown]
# Distance grows with *any* strong optimization in latents that the reward uses, whether gold goes
# along or not. To tell hacking, it must jump where gold turns, which is the paper's finding, and
# which the two columns above cannot show.
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
# - One claim is contradicted (inf-01): gold against InfoRM falls late, too, by 1.82 SD
#   [0.90, 2.74], about as much as against a plain model.
# - InfoRM does not win more often than its rivals in these runs. Its last policy wins 0.30
#   [0.14, 0.45] less often than that of a plain model with a KL penalty, which alone would be
#   contradicted and corrected for the claims is not resolved. The penalized runs end at a few nats
#   in most seeds, the others at the last KL budget, so that this may say more of the penalty than
#   of reward models. Against an ensemble and WARM no difference is seen.
# - The claims on outliers are not resolved. They read the separation index of every policy along a
#   run, in the latents of an InfoRM that learned from the same comparisons. In at least one run
#   against a plain model the index never rises, so that there is no jump to compare with gold's
#   peak, and that it stays lower for InfoRM is not shown. The index is read at the KL budgets, few
#   of which lie near the peak. That it takes a finer look is a guess.
# - This project's price of a nat is lower than the paper's: with the paper's, summed over latents,
#   nothing gets through here, as in the last rows of the first table.
# - Two descriptions of the paper's win rates disagree, so that claims are taken in sign only.

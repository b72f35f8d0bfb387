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
# # Correlated proxies and the chi² penalty
#
# [Laidlaw, Singhal and Dragan 2024](https://arxiv.org/abs/2403.03185). When is a reward a *proxy*
# of another one, when is it hacked, and what should be held small so that it cannot be?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("correlated-proxies2024", *stored)

# %% [markdown]
# ## Definitions
#
# Under a base policy, gold and proxy are standardized, and they correlate by $r > 0$: that makes
# one a proxy of the other *there*. Hacking is a policy with more proxy and less gold than the base
# policy. Elsewhere the correlation may be gone, and the base policy's says nothing of that.
#
# ## A bound, by Cauchy-Schwarz
#
# Split the proxy into what goes with gold and the rest, $P = r\,G + \sqrt{1 - r^2}\,E$, where $E$
# has mean 0 and SD 1 under the base policy and does not correlate with $G$. For any policy $\pi$
# with $\chi^2 = E_{\mathrm{base}}[(\pi/\mathrm{base})^2] - 1$, Cauchy-Schwarz gives $E_\pi[E] \le
# \sqrt{\chi^2}$, and therefore
#
# $$E_\pi[G] \;\ge\; \frac{E_\pi[P] - \sqrt{(1 - r^2)\,\chi^2}}{r} .$$
#
# So one should maximize proxy less $\sqrt{1 - r^2}\sqrt{\chi^2}$. No such bound holds with KL in
# place of $\chi^2$: see the page on catastrophic Goodhart.

# %% [markdown]
# ## KL and chi² on one list
#
# 5,000 equally likely responses, a proxy with a heavy-tailed error. The optimum under a KL penalty
# is an exponential tilt, that under a $\chi^2$ penalty is linear and cut off: $\pi \propto
# \mathrm{base}\,\max(0,\, P - \lambda)$. Both are followed from weak to strong.

# %%
rng = np.random.default_rng(2)
R = 5000
gold = rng.normal(size=R)
proxy = gold + rng.standard_t(2.5, size=R)
gold, proxy = ((one - one.mean()) / one.std() for one in (gold, proxy))
r = (gold * proxy).mean()
kl_tilts = [np.exp((proxy - proxy.max()) / b) for b in np.geomspace(0.1, 30, 80)]
chi_tilts = [np.maximum(proxy - cut, 0) for cut in np.linspace(-40, proxy.max() * 0.98, 300)]
canvas, axes = plt.subplots(1, 2, figsize=(9, 3.3), sharey=True)
slack = []
for label, tilts in (("KL penalty", kl_tilts), ("chi² penalty", chi_tilts)):
    policies = np.stack([tilt / tilt.sum() for tilt in tilts])
    chi2 = R * (policies**2).sum(axis=1) - 1
    bound = (policies @ proxy - np.sqrt((1 - r**2) * chi2)) / r
    slack.append((policies @ gold - bound).min())
    axes[0].plot(policies @ proxy, policies @ gold, label=label)
    axes[1].plot(np.sqrt(chi2), policies @ gold, label=label)
    axes[1].plot(np.sqrt(chi2), bound, ":", color=axes[1].lines[-1].get_color())
axes[0].set(xlabel="proxy (SDs)", ylabel="gold (SDs)", xlim=(0, 8), ylim=(-1, 1.5))
axes[1].set(xlabel="√ chi²", xlim=(0, 8))
axes[0].legend()
print(f"r = {r:.2f}; smallest slack of the bound: {min(slack):.3f}")

# %% [markdown]
# Right, dotted: the bound of each policy. It never fails, and it is loose where a policy has moved
# far. Left: gold that each penalty buys at equal proxy. The tilt puts its mass on the single
# largest errors early; the cut-off optimum spreads it over all that is above a threshold.
#
# ## Verdicts
#
# In RLHF a response is one action, so that the paper's occupancy measures are the policy's own
# probabilities.

# %%
display(judged)

# %% [markdown]
# ## Figures

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# Clean labels, from the committed results: RL without a penalty and with the root of $\chi^2$ in
# the reward. It decides no claim, which all speak of flipped labels here.

# %%
overopt.plot_curves(
    ["../results/reviews/chi2-rl", "../results/reviews/rloo/step-d50e3b2b74"],
    noise="0",
    proxy="single",
)

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - Four of the five claims are reproduced. Two of them are computed. The other two are measured:
#   along RL without a penalty the proxy's ranking accuracy falls by 0.21 [0.13, 0.29], and where
#   runs end gold lies 1.51 SD [0.52, 2.50] below the initial policy's.
# - That $\chi^2$ beats KL, each at its own best coefficient, is the paper's main claim for
#   practice. It is not resolved: $\chi^2$ is ahead by 0.39 SD, with an interval of [-0.46, 1.24].
#   The lead comes from one seed, in which none of the four KL coefficients holds the run and the
#   larger $\chi^2$ ones do. In the other four seeds both end about alike. How often such a seed
#   comes up is what more seeds would tell.
# - The penalties differ from the paper's: they are in the reward, where its code has them in the
#   loss, the policy gradient has a leave-one-out baseline in place of PPO, and both penalties share
#   one list of coefficients. Whether that matters was not tested.
# - Two penalties that stop at the same KL are hard to tell apart along KL: a penalty then acts as
#   early stopping. A claim about *ends* is another one than about curves.

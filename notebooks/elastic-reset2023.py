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
# # Elastic Reset
#
# [Noukhovitch et al. 2023](https://arxiv.org/abs/2312.07551). Reward and drift both grow while a
# policy is trained. Put the policy back to a lagging average of itself now and then: does it lose
# drift faster than reward?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("elastic-reset2023", *stored)

# %% [markdown]
# ## The method
#
# Beside the policy's weights $\theta$ a moving average is kept, $\bar\theta \leftarrow
# d\,\bar\theta + (1-d)\,\theta$ in every step. Every $T$ steps
#
# $$\theta \leftarrow \bar\theta, \qquad \bar\theta \leftarrow \theta_0 ,$$
#
# so that the policy falls back to its own past, and the average starts over at the initial policy.
# There is no price of KL in this. If the average never moves ($d = 1$), each reset is one to the
# initial policy.
#
# ## An exact run
#
# 300 responses to one prompt, logits linear in 20 features, a proxy that errs on some. The policy
# climbs its exact policy gradient. Drift (KL) and reward are sums over the list.

# %%
rng = np.random.default_rng(0)
features = rng.normal(size=(300, 20))
gold = features @ rng.normal(size=20) / np.sqrt(20)
proxy = gold + features @ rng.normal(size=20) / np.sqrt(20) + rng.normal(size=300)
proxy = (proxy - proxy.mean()) / proxy.std()


def probabilities(theta: np.ndarray) -> np.ndarray:
    logits = features @ theta
    weight = np.exp(logits - logits.max())
    return weight / weight.sum()


def climb(decay: float, period: int, beta: float, steps: int = 400) -> np.ndarray:
    """KL, proxy and gold after each step."""
    theta, average, path = np.zeros(20), np.zeros(20), []
    for step in range(1, steps + 1):
        policy = probabilities(theta)
        log_ratio = np.log(np.maximum(policy * 300, 1e-300))
        path.append((policy @ log_ratio, policy @ proxy, policy @ gold))
        reward = proxy - beta * log_ratio
        theta = theta + 0.03 * features.T @ (policy * (reward - policy @ reward))
        average = decay * average + (1 - decay) * theta
        if period and step % period == 0:
            theta, average = average, np.zeros(20)
    return np.array(path)


runs = {
    "no penalty, no reset": climb(0.98, 0, 0.0),
    "Elastic Reset": climb(0.98, 48, 0.0),
    "reset to the initial policy": climb(1.0, 48, 0.0),
    "KL penalty 0.2": climb(0.98, 0, 0.2),
}
canvas, axes = plt.subplots(1, 3, figsize=(12, 3.3))
for label, path in runs.items():
    axes[0].plot(path[:, 0], label=label)
    axes[1].plot(path[:, 0], path[:, 1], ".", markersize=2)
    axes[2].plot(path[:, 0], path[:, 2], ".", markersize=2)
axes[0].set(xlabel="step", ylabel="KL (nats)")
axes[1].set(xlabel="KL (nats)", ylabel="proxy (SDs)")
axes[2].set(xlabel="KL (nats)", ylabel="gold (SDs)")
axes[0].legend(fontsize=7)
plt.show()

# %% [markdown]
# Left: the sawtooth. KL is bounded by how far one period goes from where the average was, without a
# price on it. Middle: reward at equal KL is where the method has to show a gain. In an exact
# little problem like this the ways lie close together. What a reset might remove is drift
# that brought no reward, and exact gradients hardly make any: noise of sampled gradients, and
# clipped steps, do.
#
# ## Verdicts
#
# Reward is the proxy's; gold is this project's addition.

# %%
display(judged)

# %% [markdown]
# ## Figures

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# With clean labels, Elastic Reset and PPO from the committed results. They decide no claim.

# %%
overopt.plot_curves(["../results/reviews/elastic-reset", "../results/reviews/ppo"], noise="0")

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - Two claims are contradicted. At equal KL the resets bring 0.11 SD [0.05, 0.17] *less* reward
#   than PPO with a penalty of 0.1; against penalties of 0.02 and 0.05 no difference is seen. And
#   the reward is regained after 0.81 [0.77, 0.85] of a period, not within half of one, although a
#   reset does take KL away.
# - One is reproduced: late in training KL stands still under the resets, and grows under PPO by
#   16 nats [11, 20] in a hundred steps. That resets to the average beat those to the initial policy
#   is not resolved: 0.017 SD [-0.004, 0.039].
# - The paper resets every few hundred steps, this project's runs are a few hundred steps long. A
#   period is therefore 48 steps here, and the average forgets accordingly. Regaining the reward
#   takes about 39 steps, and half of the paper's period of 260 is 130. Whether the share is smaller
#   in longer periods was not tried.
# - The paper keeps a small penalty beside the resets. Here resets stand alone, so that what is seen
#   is theirs.

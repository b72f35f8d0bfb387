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
# # Averaging the weights of policies
#
# [Ramé et al. 2024](https://arxiv.org/abs/2406.16768) (WARP). Three uses of weight averaging on the
# way through RLHF: as the anchor of the KL penalty, to merge several runs, and to walk back toward
# the start.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("warp2024", *stored)

# %% [markdown]
# ## The three stages
#
# 1. **A moving anchor.** Maximize $r - \beta \log(\pi / \pi_{\mathrm{ema}})$, where the anchor is a
# moving average of the policy's own weights. A fixed anchor bounds how far the policy goes; a
# moving one only slows it. 2. **SLERP.** Task vectors $\Delta_m = \theta_m - \theta_0$ of two runs
# are merged along the sphere,
#
# $$\Delta = \frac{\sin((1-\lambda)\Omega)}{\sin \Omega}\,\Delta_1 +
# \frac{\sin(\lambda\Omega)}{\sin\Omega}\,\Delta_2, \qquad \Omega \text{ the angle between them.}$$
#
# 3. **Toward the start.** $\theta = \theta_0 + \eta\,\Delta$ for $\eta$ from 0 to 1 traces a front
# of reward against KL from one merged policy.
#
# ## Why the sphere
#
# Two independent runs share a signal and have noise of their own. In many dimensions noise is
# nearly orthogonal. The straight average (LERP) then keeps the signal and halves the noise's
# square, and so the vector gets *shorter*: by $1/\sqrt2$ where the two are orthogonal. SLERP
# restores the length, which scales the signal up.

# %%
rng = np.random.default_rng(0)
D, R = 200, 3000
features = rng.normal(size=(R, D)) / np.sqrt(D)
signal = rng.normal(size=D)
signal /= np.linalg.norm(signal)
reward = features @ signal * np.sqrt(D)


def read(vector: np.ndarray) -> tuple[float, float]:
    """KL and reward of the policy with these weights; the start is uniform over the list."""
    logits = features @ vector
    policy = np.exp(logits - logits.max())
    policy /= policy.sum()
    return float(policy @ np.log(np.maximum(policy * R, 1e-300))), float(policy @ reward)


def slerp(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    angle = np.arccos(cosine)
    return (np.sin((1 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)


runs = []
for _ in range(2):  # a run: some signal, and noise that moves the weights without reward
    noise = rng.normal(size=D)
    runs.append(14 * signal + 24 * noise / np.linalg.norm(noise))
angle = np.degrees(np.arccos(runs[0] @ runs[1] / np.linalg.norm(runs[0]) / np.linalg.norm(runs[1])))
merged = {"run 1": runs[0], "run 2": runs[1], "LERP": (runs[0] + runs[1]) / 2}
merged["SLERP"] = slerp(*runs, 0.5)
for label, vector in merged.items():
    front = np.array([read(eta * vector) for eta in np.linspace(0, 1.6, 40)])
    plt.plot(front[:, 0], front[:, 1], "--" if label == "SLERP" else "-", label=label)
    plt.plot(*read(vector), "k.")
plt.xlabel("KL (nats)")
plt.ylabel("reward (SDs)")
plt.legend()
print(f"angle between the task vectors: {angle:.0f} degrees")
pd.DataFrame(
    [(label, np.linalg.norm(vector), *read(vector)) for label, vector in merged.items()],
    columns=["policy", "length", "KL", "reward"],
).round(3)

# %% [markdown]
# Dots: the policies themselves ($\eta = 1$); lines: scaled toward the start and beyond. LERP and
# SLERP of two vectors of about equal length point in the same direction, so that they lie on the
# *same* front, at different places: SLERP is farther. The merged front lies above those of the
# single runs, because noise has been averaged away. A comparison of SLERP and LERP at their own KL
# is a comparison of places on a front.
#
# None of this looks at gold. If part of the *signal* is the proxy's error, merging keeps it, since
# all runs share it.
#
# ## Verdicts
#
# The paper has no reward beside the one that is optimized: claims are judged on the proxy.

# %%
display(judged)

# %% [markdown]
# ## Figures
#
# Dashed: gold, which is this project's addition.

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# With clean labels, WARP and RL without an anchor from the committed results. They decide no claim.

# %%
overopt.plot_curves(
    ["../results/reviews/warp", "../results/reviews/rloo/step-d50e3b2b74"],
    noise="0",
    proxy="single",
)

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - Contradicted is that task vectors of two runs are nearly orthogonal (warp-04): their angle is 15
#   degrees [14, 17]. A guess: both runs climb the same proxy from the same start for 100 steps, the
#   paper's for thousands, and small models have fewer directions for noise. With so small an angle
#   there is hardly any noise to average away, which fits that SLERP, LERP and single runs are not
#   told apart (warp-03).
# - A moving anchor has more reward at equal KL than no anchor or a weak one at 1 nat and where both
#   end, by 0.04 to 0.15 SD. Against the strongest anchor, and at 0.5 nats, no difference is shown,
#   so that the claim, which asks for all, is not resolved.
# - That longer training is better even at 1 nat points the other way, -0.043 SD [-0.068, -0.018]:
#   alone it would be contradicted, corrected for seven claims it is not. Later iterations do not
#   visibly improve the front, and in two of the four steps it gets lower, before the correction.
#   Lengths here are 100 and 300 steps, the paper's 3,000 to 9,000, and all iterations are of equal
#   length.
# - Fronts above those of the runs they come from are out of reach: the claim compares at 9 nats,
#   too, and some merged policies end at 5.5. It takes longer runs. Whether more merged policies
#   help is not seen either: one policy more changes reward by less than 0.005 SD.
# - Without an anchor runs end with far more KL, as claimed, but not with visibly more reward.
#   Reward is read on held-out prompts.

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
# # Catastrophic Goodhart: what tails do
#
# [Kwa, Thomas and Garriga-Alonso 2024](https://arxiv.org/abs/2407.14503). A KL penalty is meant to
# keep a policy where the proxy can be trusted. If the proxy's error has heavy tails, it may not: a
# policy can have any amount of proxy, next to no KL, and no more utility than before.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

import overopt

stored = [f"../results/{name}" for name in ("grids", "matrix", "reviews")]
judged = overopt.judge("catastrophic-goodhart2024", *stored)

# %% [markdown]
# ## The setting
#
# The proxy is $U = V + X$: utility and an independent error. Optimizing picks responses with large
# $U$. Was $U$ large because of $V$ or because of $X$? That is decided by the tails:
#
# - Both normal: of every unit of $U$ a fixed share is $V$, so $E[V \mid U = u]$ grows with $u$.
# - $X$ heavy-tailed, $V$ light: a huge $U$ is nearly certainly a huge $X$. As $u \to \infty$, $E[V
#   \mid U = u] \to E[V]$, and all that was gained is lost again.

# %% [markdown]
# ## Best-of-n, by error
#
# 200,000 responses in one list, sorted by $U$. The k-th is the best of $n$ with probability
# $(k/N)^n - ((k-1)/N)^n$. As long as $n$ is far below the length of the list, this is the
# distribution's own curve.

# %%
rng = np.random.default_rng(0)
N = 200_000
n_K = np.unique(np.rint(10.0 ** np.linspace(0, 3.5, 25)))
rank = np.arange(1, N + 1) / N
utility = rng.normal(size=N)
errors = {
    "normal": rng.normal(size=N),
    "t, 5 degrees": rng.standard_t(5, size=N),
    "t, 3 degrees": rng.standard_t(3, size=N),
    "lognormal": rng.lognormal(size=N),
    "Levy": 1 / rng.normal(size=N) ** 2,
}
for label, error in errors.items():
    best_first = utility[np.argsort(utility + error)]
    plt.plot(n_K, [np.diff(rank**n, prepend=0) @ best_first for n in n_K], label=label)
plt.xscale("log")
plt.xlabel("n")
plt.ylabel("E[V] of the best of n")
plt.legend()
plt.show()

# %% [markdown]
# Under normal error $E[V]$ goes on rising. Under the others it turns; where depends on the error's
# bulk and scale as much as on its tail: the lognormal, all of whose moments exist, turns before the
# t of three degrees of freedom, whose tail is heavier. (Toward the right end a single list's luck
# begins to show; the verdicts below use densities.) Even under the Levy error, whose mean is
# infinite, best of two gains a little before everything is lost: an independent error cannot make
# the better of two responses worse on average.
#
# ## Little KL, much proxy
#
# Let the error be Pareto, $P(X > t) = t^{-3/2}$. Move a share $\epsilon = t^{-1/2}$ of the policy
# to responses beyond $t$. The two cells "beyond" and "not beyond" hold all of the KL:
#
# $$\mathrm{KL} = q \log \frac{q}{p} + (1-q) \log \frac{1-q}{1-p},
# \qquad q = \epsilon + (1-\epsilon)\,p .$$
#
# It vanishes as $t$ grows, and the proxy's mean grows without bound. $V$ is independent of $X$ and
# stays as it was.

# %%
t = 10.0 ** np.arange(1, 13)
p, share = t**-1.5, t**-0.5
q = share + (1 - share) * p
pd.DataFrame(
    {
        "t": t,
        "share moved": share,
        "KL (nats)": q * np.log(q / p) + (1 - q) * (np.log1p(-q) - np.log1p(-p)),
        "gain in E[U]": (q - p) / (1 - p) * (3 * t - 3),
        "gain in E[V]": 0.0,
    }
)

# %% [markdown]
# So no budget of KL is small enough. It takes tails of the proxy *under the initial policy*,
# though, and whether real reward models have them is a matter of measurement.
#
# ## Verdicts
#
# Everything exact here is computed from densities, not from lists as above.

# %%
display(judged)

# %% [markdown]
# ## Figures
#
# Computed from the same densities.

# %%
for name in judged.figures:
    display(Markdown(judged.caption(name)), judged.draw(name))

# %% [markdown]
# ## What shows up here and what does not, and why
#
# - Four of the five computed claims hold: with a normal error utility never falls, with a
#   heavy-tailed one it turns in all six pairs, a small KL is no bound on the proxy, and light tails
#   gain utility as the penalty shrinks. Where the six turn is told and not judged: at n = 7 to 240
#   here, at 100 and more in the paper. Its scales could not be seen.
# - "With a Levy error utility never rises" is contradicted as it was written down for this project:
#   the best of two samples gains 0.17, where the rule allows 0.10, as the curve above shows, and it
#   is back at nothing by large $n$. The figure that the paper shows for this case could not be
#   checked, and may leave the first steps out.
# - Whether scores of random texts under public reward models have heavy tails is the one claim that
#   was not run. It needs those models.
# - The worlds of this project have a gold that is a bounded rule, and small proxies, whose scores
#   have light tails. The falls that other pages show are therefore *not* this mechanism: their
#   errors depend on the response, and grow where optimization leads.

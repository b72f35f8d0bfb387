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
# # Overoptimization in a minute
#
# A small world in which every response is listed, so that KL and gold are exact. Best-of-n and
# RLOO walk away from the initial policy, each against its proxy reward model. The settings below
# are smaller than the task's own, so that this page runs in seconds; its numbers are no results.

# %%
# %matplotlib inline
import overopt

# %% [markdown]
# ## Run
#
# The keywords are the options of `bench run`. Finished stages are kept in the store, so that the
# second time costs nothing.

# %%
folders = overopt.run(
    ["bon", "rloo"],
    task="tabular",
    seeds=2,
    kl_grid=[0.25, 0.5, 1],
    settings={
        "policy.examples": 2048,
        "rollout.max_steps": 30,
        "evaluation.samples_per_prompt": 32,
        "evaluation.pool_samples_per_prompt": 256,
    },
    out="quickstart-results",
    quiet=True,
)
[folder.parent.name for folder in folders]

# %% [markdown]
# ## Read
#
# One row per seed and place along KL. A budget that a seed did not reach has the status
# `unreached` and no numbers.

# %%
points = overopt.load_results(folders)
columns = ["method", "seed", "status", "kl_target_nats", "kl_nats", "gold_mean", "proxy_mean"]
points[columns].round(3)

# %% [markdown]
# ## Draw
#
# Gold against the square root of KL. Star: the peak, chosen on other data than it is read on.
# Bar: the last budget that every seed reached. With two seeds the bands are wide.

# %%
overopt.plot_curves(folders)

# %% [markdown]
# The proxy goes on climbing where gold no longer does.

# %%
overopt.plot_curves(folders, quantity="proxy")

"""A reward whose proxies are trained again while a policy is optimized against them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.labeling import prefer_a
from overopt.artifacts.preferences import load_preferences
from overopt.artifacts.proxy import read_pairs
from overopt.artifacts.proxy_loss import open_loss
from overopt.artifacts.randomness import derived_seed, numpy_rng
from overopt.artifacts.reward import SystemReward
from overopt.artifacts.tables import read_json
from overopt.models.rewards.refitting import restart, train_told_fresh
from overopt.models.rewards.reward import score
from overopt.models.rewards.reward_fitting import train_reward
from overopt.spec.noise import NoiseSpec
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens, concatenate


class RefitReward(SystemReward):
    """Proxies that learn from fresh samples, which gold labels through the run's noise.

    Neighboring samples of a prompt are compared. Each time the members learn from their start, over
    the preference data and all fresh comparisons so far, and are brought to mean 0 and SD 1 under
    the initial policy anew.

    Args:
        inputs: of the run: proxies, and by the roles ``refit.*`` labels, gold and pool, and the
            initial policy where members start from it.
        params: of the run: ``proxy``, ``noise``, ``seed``.
        spec: the system.
        world: of the run.
    """

    def __init__(
        self,
        inputs: dict[str, Path],
        params: Mapping[str, Any],
        spec: ProxySystemSpec,
        world: World,
    ) -> None:
        super().__init__(inputs, spec, world)
        self._refit = self._system.refit()
        self._gold = load_gold(inputs["refit.gold"], world)
        self._sd = float(read_json(inputs["refit.pool"] / "summary.json")["gold_sd"])
        labels = inputs["refit.labels"]
        self._data = load_preferences(labels, world).preferences
        self._heldout = load_preferences(labels, world, "heldout").preferences
        proxy = ProxySpec.model_validate(params["proxy"])
        self._training = proxy.training
        self._restart = partial(restart, proxy, inputs.get("refit.initial"), world)
        self._noise, self._seed = NoiseSpec.model_validate(params["noise"]), int(params["seed"])
        self._loss = open_loss(inputs, spec.to_json()) if spec.own_loss else None
        self._old = self._data.rows()
        self._rollouts = 0
        self.labels_asked = 0

    def observe(self, prompts: Tokens, responses: Tokens) -> None:
        """Count a rollout; at every ``every``-th one label some of it, and train the members.

        Raises:
            ValueError: a member now gives all held-out responses the same score.
        """
        self._rollouts += 1
        if self._rollouts % self._refit.every:
            return
        rng = numpy_rng(self._seed, "refit", self._rollouts)
        fresh = self._label(prompts, responses, rng)
        self._data = Preferences(
            *(concatenate(list(both)) for both in zip(self._data, fresh, strict=True))
        )
        for number, member in enumerate(self._members):
            self._restart(member.model, derived_seed(self._seed, "proxy", number, "weights"))
            data = read_pairs(self._data, member.reading)
            heldout = read_pairs(self._heldout, member.reading)
            if self._loss is None:
                train_reward(member.model, data, heldout, self._training, rng)
            else:
                told = (self._old, self._loss, self._training, rng)
                train_told_fresh(member.model, data, heldout, *told)
            sides = (heldout.chosen, heldout.rejected)
            score_N = np.concatenate([score(member.model, heldout.prompts, side) for side in sides])
            member.mean, member.sd = float(score_N.mean()), float(score_N.std(ddof=1))
            if not member.sd > 0:
                raise ValueError("a refitted proxy gives all held-out responses the same score")

    def _label(self, prompts: Tokens, responses: Tokens, rng: np.random.Generator) -> Preferences:
        """Some of the rollout's pairs of neighbors, labeled."""
        first_Q = np.arange(0, responses.rows() - 1, 2)
        same_Q = (prompts.ids_NT[first_Q] == prompts.ids_NT[first_Q + 1]).all(axis=1)
        first_Q = rng.permutation(first_Q[same_Q])[: self._refit.pairs]
        a, b, asked = responses.take(first_Q), responses.take(first_Q + 1), prompts.take(first_Q)
        self.labels_asked += len(first_Q)
        difference_P = (self._gold(asked, a) - self._gold(asked, b)) / self._sd
        first_P = prefer_a(difference_P, self._noise, rng)
        both, row_P = concatenate([a, b]), np.arange(len(first_Q))
        other_P = row_P + len(first_Q)
        return Preferences(
            asked,
            both.take(np.where(first_P, row_P, other_P)),
            both.take(np.where(first_P, other_P, row_P)),
        )


def open_refit(
    inputs: dict[str, Path], params: Mapping[str, Any], system: Mapping[str, object], world: World
) -> RefitReward:
    """The reward of a run, by its parameters and the JSON of the system's specification."""
    return RefitReward(inputs, params, ProxySystemSpec.model_validate(system), world)

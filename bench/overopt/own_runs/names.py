"""What trainers call the columns of their logs, and which KL each name stands for.

Read in the sources: TRL 1.16.0 (``trainer/grpo_trainer.py``, ``rloo_trainer.py``,
``kto_trainer.py``, ``dpo_trainer.py``, ``experimental/online_dpo``); OpenRLHF
(``trainer/ppo_trainer.py`` at 0082bf1, ``ppo_utils/experience_maker.py`` at 01359b4); verl
(``trainer/ppo/ray_trainer.py`` at 0094eb2, ``metric_utils.py`` at 01bd7e8, ``config/actor`` at
018f23b). Not verified in a source: ``ppo/mean_scores`` and ``tokens/responses_len_mean`` of TRL
before 0.12, ``critic/kl`` of early verl, and the names that trackers export.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from overopt.report.stored.schema import ESTIMATORS

Per = Literal["response", "token", "unknown"]


class KLName(NamedTuple):
    """What the name of a KL column says about it.

    Attributes:
        estimator: k1, k2, k3, rb or exact; empty where the name does not tell.
        per: whether it is a sum over a response, or a mean over its tokens.
        source: which trainer, and what it computes.
    """

    estimator: str
    per: Per
    source: str


class KLColumn(NamedTuple):
    """What is known of a KL column.

    Attributes:
        name: the column.
        estimator: k1, k2, k3, rb or exact, or empty where it is unknown.
        per: what the values are per, as they are used here.
        from_tokens: whether they were means over tokens times the mean length.
        told_by: what says so.
    """

    name: str
    estimator: str
    per: Per
    from_tokens: bool
    told_by: str

    @property
    def shown(self) -> str:
        """What an axis calls it."""
        if not self.estimator:
            return "estimator unknown"
        named = ESTIMATORS[self.estimator]
        return f"{named}, token by token" if self.from_tokens or self.per == "token" else named

    @property
    def unit(self) -> str:
        """The unit of its values."""
        return {"response": "nats per response", "token": "nats per token"}.get(
            self.per, "nats; per token or response unknown"
        )


ENTROPY = "entropy_nats"
"""Entropy of a response as our callback logs it; what trainers log is per token."""

KL_NAMES: dict[str, KLName] = {
    "kl_nats": KLName("", "response", "overopt"),
    "objective/kl": KLName("k1", "response", "TRL: log p/q summed over the response"),
    "kl": KLName(
        "",
        "token",
        "TRL's GRPO logs k3, its RLOO k1, OpenRLHF what --kl_estimator says (k1 by default); all "
        "are means over tokens",
    ),
    "actor/kl_loss": KLName(
        "k3", "token", "verl: mean over tokens of kl_loss_type, low_var_kl = k3 by default"
    ),
    "actor/reward_kl_penalty": KLName(
        "k1", "token", "verl: mean over tokens of kl_penalty, kl = k1 by default"
    ),
    "critic/kl": KLName("k1", "token", "early verl: mean over tokens"),
}
"""The KL from the reference policy, by the names that trainers give it; the first one is taken."""

UPDATE_KL = (
    "actor/ppo_kl",
    "ppo_kl",
    "approx_kl",
    "approxkl",
    "policy/approxkl_avg",
    "ppo/policy/approxkl",
    "ppo/policy/policykl",
    "sampling/sampling_logp_difference/mean",
)
"""Distances between two consecutive policies of an update: never the KL from the reference."""

PROXY_NAMES = (
    "proxy",
    "proxy_mean",
    "objective/scores",
    "reward",
    "critic/score/mean",
    "critic/rewards/mean",
    "ppo/mean_scores",
)
PENALIZED = {
    "critic/rewards/mean": "critic/score/mean",
    "objective/rlhf_reward": "objective/scores",
}
"""Rewards that a KL penalty was taken off, and the column without it."""

GOLD_NAMES = ("gold", "gold_mean", "gold_reward", "eval_gold", "rewards/gold/mean")
STEP_NAMES = ("step", "global_step", "training/global_step", "trainer/global_step", "_step")
LENGTH_NAMES = (
    "length_mean",
    "completions/mean_length",
    "response_length",
    "response_length/mean",
    "tokens/responses_len_mean",
)
IMPLICIT = ("rewards/chosen", "rewards/rejected")
"""Implicit rewards of DPO-like trainers on training pairs: not a reward of the policy's samples."""

PREFIXES = ("", "train/")
"""What trackers put before a trainer's names."""


def find_name(names: Iterable[str], known: Iterable[str]) -> str | None:
    """The first known name that a log has, with or without the prefix of a tracker."""
    have = set(names)
    wanted = (prefix + name for name in known for prefix in PREFIXES)
    return next((name for name in wanted if name in have), None)


def bare(name: str) -> str:
    """A column's name as the trainer gave it."""
    return name.removeprefix("train/")

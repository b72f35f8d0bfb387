"""What the file of a method or proxy declares: settings with bounds and units, knob, family."""

from __future__ import annotations

from dataclasses import MISSING, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Family = Literal["pairs", "rollout", "iterative", "selection", "merge"]
OF_FAMILY = "family:"
"""Before a family's name, where names of methods are asked for: all methods of that family."""

TRAINING_FAMILIES: tuple[Family, ...] = ("pairs", "rollout", "iterative")
"""Families whose policies are trained: another value of their knob means another run."""


PROXY_BLIND: tuple[Family, ...] = ("pairs",)
"""Families that learn from the preference data itself: their engine is handed no proxy, but for
methods that ask for what it says (``OF_PROXY``)."""


GoldUse = Literal["none", "selection", "training"]


MethodInput = Literal[
    "policy_states",
    "reference_states",
    "forward_kl",
    "reverse_kl",
    "collision_logp",
    "sampled_logp",
    "mismatched",
    "reference_samples",
    "anchor_samples",
    "mixture_samples",
    "greedy_samples",
    "revised_samples",
    "searched_samples",
    "opponents_now",
    "demonstrations",
    "member_rewards",
    "step_rewards",
    "second_initial",
    "revisions",
    "reference_logp",
    "features",
    "answers",
    "proxy_scores",
    "reference_scores",
    "listed",
    "step_pairs",
    "degraded",
    "random_batches",
    "novelty",
]
"""What a method may ask the engine to compute besides log-probabilities.

policy_states, reference_states: hidden states of the policy or the reference, for the method's own
module (one of the two). forward_kl: KL(pi_ref || pi) of the next token at every position.
reverse_kl: KL(pi || pi_ref) of it.
collision_logp: log of the chance that two draws of the next token are the same, at every position.
sampled_logp: log-probabilities under the policy that drew the response. mismatched: a reading of
responses after other pairs' prompts. reference_samples, anchor_samples, mixture_samples: opponents,
as many samples of each prompt from another policy (one of the three); greedy_samples: instead of
them, the policy's own likeliest tokens, one response to each prompt; revised_samples: the policy's
own revision of each sample; searched_samples: the nodes of a tree that the policy searches for each
prompt (``contract.trees.Tree``). opponents_now: the opponents
as the policy reads them in a step, with gradient. demonstrations: a reference text of the world for
each prompt. member_rewards: the scores of each of the proxy's members. step_rewards: the score of
each step, of a proxy that scores steps. second_initial: a second initial policy, out of which
``first_anchor`` makes the anchor. revisions: both responses as revisions of each of the two.
Of a method that selects from a pool: reference_logp: log-probability of each response under the
initial policy. features: how alike the responses of a draw are. answers: the final answer of each.
novelty: how badly a predictor of the method's own foretells each.
Of preference pairs: proxy_scores: the proxy's score of both responses. reference_scores: its scores
of samples of the initial policy to each pair's prompt, as many as ``Config.samples`` says. listed:
these samples and both responses as one list, read by the policy and scored by the proxy.
step_pairs: the pairs are of steps after what precedes them, a better one and the worst of the
rejected response, by Monte-Carlo values of the proxy; ``Config.samples`` says of how many
continuations. degraded: both responses with a share of their least expected tokens left out, in
``Config.degrees`` degrees. random_batches: pairs share a batch whatever their lengths, for a loss
in which the pairs of a batch depend on each other; who asks for mismatched, or has
``observe_pairs``, gets it unasked. The batches of all others hold pairs of similar length.
"""

OPPONENTS: tuple[MethodInput, ...] = (
    "reference_samples",
    "anchor_samples",
    "mixture_samples",
    "greedy_samples",
    "revised_samples",
    "searched_samples",
)

NEEDS: tuple[MethodInput, ...] = (
    "mixture_samples",
    "revised_samples",
    "searched_samples",
    "demonstrations",
    "step_rewards",
    "second_initial",
    "revisions",
    "reference_logp",
    "features",
    "answers",
    "proxy_scores",
    "reference_scores",
    "listed",
    "step_pairs",
    "novelty",
)
"""Inputs that come from further artifacts, by code that is loaded for them alone, or from tasks and
proxies of some kinds only."""

ANY_ENGINE: tuple[MethodInput, ...] = (
    "policy_states",
    "reference_states",
    "forward_kl",
    "collision_logp",
    "reference_logp",
    "features",
    "answers",
    "random_batches",
    "novelty",
)
"""Inputs that every engine serves, or that need none; the others are the native engine's."""

OF_PROXY: tuple[MethodInput, ...] = ("proxy_scores", "reference_scores", "listed", "step_pairs")
"""Inputs for which the engine of a family that is blind to it is handed the proxy."""

COUNTED: dict[MethodInput, str] = {
    "reference_scores": "samples",
    "listed": "samples",
    "step_pairs": "samples",
    "degraded": "degrees",
}
"""Inputs of which a field of Config says how many there are; a whole number from 1."""

NATIVE_FUNCTIONS = (
    "after_round",
    "before_steps",
    "observe",
    "observe_gold",
    "observe_pairs",
    "perturb",
    "mixture",
    "temperature",
)
"""Functions of methods that only the native engine calls."""

INPUT_FAMILIES: dict[MethodInput, tuple[Family, ...]] = {
    "sampled_logp": ("iterative",),
    "mismatched": ("pairs",),
    "revisions": ("pairs",),
    "degraded": ("pairs",),
    "random_batches": ("pairs",),
    **dict.fromkeys(OPPONENTS, ("rollout", "iterative")),
    "revised_samples": ("rollout",),
    "searched_samples": ("iterative",),
    "opponents_now": ("rollout",),
    "demonstrations": ("iterative",),
    "member_rewards": ("rollout", "iterative"),
    "step_rewards": ("rollout", "iterative"),
    "second_initial": ("rollout", "iterative"),
    "reference_logp": ("selection",),
    "features": ("selection",),
    "answers": ("selection",),
    **dict.fromkeys(OF_PROXY, ("pairs",)),
    "novelty": ("selection",),
}
"""Families that serve an input, where not all that train do. A rollout method has
``sampled_logp`` as ``step.rollout.sampled.policy_logp``; preference pairs are from elsewhere. Of an
iterative method, opponents and demonstrations are rows that ``build`` may name."""


def param(
    default: Any = MISSING,
    *,
    help: str,
    unit: str = "",
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    one_of: tuple[str, ...] = (),
    later: bool = False,
) -> Any:
    """Declare one field of a method's or proxy's ``Config``: default, meaning, unit and bounds.

    All arguments must be literals, because the catalog reads declarations without running them.

    Args:
        default: value used when the user gives none; required when left out.
        help: one line that says what the field does.
        unit: its unit, such as ``"nats"`` or ``"1/nats"``; empty for a pure number.
        above: exclusive lower bound.
        at_least: inclusive lower bound.
        at_most: inclusive upper bound.
        one_of: the words that a field of type str may be; empty for any.
        later: whether runs were stored before the field was there: a specification in which it has
            its default does not name it, and is that of those runs.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "above": above,
        "at_least": at_least,
        "at_most": at_most,
        "one_of": one_of,
        "later": later,
    }
    return field(default=default, metadata=metadata)


class Knob(BaseModel):
    """What moves a method along KL.

    ``low`` and ``high`` bound the search in log knob; ``raises_kl`` says whether a larger value
    means a larger KL (best-of-n: yes; a KL penalty: no); ``whole`` that only whole numbers are
    values of it. ``also`` names values that have a point whatever their KL, of a method of the
    family selection: where KL comes to rest, budgets do not show what the knob does beyond.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: str
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    raises_kl: bool
    whole: bool = Field(default=False, exclude_if=lambda whole: not whole)
    also: tuple[float, ...] = Field(default=(), exclude_if=lambda also: not also)

    @model_validator(mode="after")
    def _also_in_range(self) -> Self:
        if any(not self.low <= value <= self.high for value in self.also):
            raise ValueError(f"also = {self.also} leaves the range from {self.low} to {self.high}")
        if self.whole and any(value != int(value) for value in self.also):
            raise ValueError(f"also = {self.also} are not whole, as the knob's values are")
        return self


def knob(
    name: str,
    *,
    low: float,
    high: float,
    raises_kl: bool,
    whole: bool = False,
    also: tuple[float, ...] = (),
) -> Knob:
    """Declare a method's knob; all arguments must be literals (see ``param``)."""
    return Knob(name=name, low=low, high=high, raises_kl=raises_kl, whole=whole, also=also)

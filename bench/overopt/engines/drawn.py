"""Fresh samples of a policy, scored, with the passes of policy and reference over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.learner import Learner
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.models.logprobs import Prediction, choose_logps, rao_blackwell_kl, response_logps
from overopt.models.sampling import sample, stop_ids
from overopt.models.sequences import Batch, align, join, take_rows
from overopt.worlds.tokens import Tokens


class DrawnSamples(NamedTuple):
    """B prompts with N samples each, R = B x N rows, prompt-major.

    rollout: what the method sees of them, without gradient.
    responses: R of them. reading: the policy's, (R, T), with gradient if they were drawn so.
    batch: the joined rows. reference: the reference's pass over them.
    kl_nats: Rao-Blackwellized KL(policy || reference), mean over the responses.
    entropy_nats: entropy of the policy, summed over tokens, mean over the responses.
    length_mean: response tokens. tokens_R: prompt and response tokens of each row; 0 of one that
        nobody drew, in the place of a node that a tree has not.
    opponents: samples of another policy, read by the same two; None unless asked for.
    demonstrations: one reference text of each prompt, read likewise; None unless asked for.
    """

    rollout: Rollout
    responses: Tokens
    reading: Reading
    batch: Batch
    reference: Prediction
    kl_nats: float
    entropy_nats: float
    length_mean: float
    tokens_R: npt.NDArray[np.int64]
    opponents: DrawnSamples | None = None
    demonstrations: DrawnSamples | None = None

    @property
    def rows(self) -> int:
        """Samples drawn, opponents among them."""
        others = 0 if self.opponents is None else self.opponents.rows
        return int((self.tokens_R > 0).sum()) + others

    @property
    def tokens(self) -> int:
        """Prompt and response tokens of what was read: samples, opponents and reference texts."""
        beside = (self.opponents, self.demonstrations)
        others = sum(one.tokens for one in beside if one is not None)
        return int(self.tokens_R.sum()) + others

    def repeat(self, prompts: Tokens) -> Tokens:
        """The prompt of each row."""
        return prompts.take(np.arange(len(self.tokens_R)) // self.rollout.reward_BN.shape[1])

    def read(self, learner: Learner, row_K: Tensor, control_K: Tensor | None = None) -> Reading:
        """Some of the rows as the policy reads them now, with gradient.

        Args:
            learner: the policy.
            row_K: which rows.
            control_K: bool, those whose prompt starts with the control token instead: the one that
                ends responses, with which no prompt starts.

        Raises:
            ValueError: rows are controlled, and there is no such token.
        """
        before = self.reading.map(Tensor.detach).take(row_K)
        batch = take_rows(self.batch, row_K)
        if control_K is not None:
            batch = _after_control(batch, control_K, stop_ids(learner.policy))
        return learner.run(batch, before, _take(self.reference, row_K)).reading


def draw_samples(
    learner: Learner,
    prompts: Tokens,
    samples: int,
    max_new_tokens: int,
    reward: Reward,
    generator: torch.Generator,
    with_gradient: bool,
    sampler: PreTrainedModel | None = None,
    temperature: float = 1.0,
) -> DrawnSamples:
    """Sample every prompt's group, score it, and run both policies over it.

    Args:
        learner: policy, reference and method.
        prompts: B prompts.
        samples: N, of each prompt.
        max_new_tokens: limit of a response's length.
        reward: the proxy.
        generator: source of the samples.
        with_gradient: whether ``reading`` carries one, for a step that is taken on all rows.
        sampler: draws the samples; the policy by default.
        temperature: at which they are drawn; 0: the likeliest tokens. KL and entropy are means over
            the samples, so that they are estimates of the policy's at 1 only.

    Raises:
        FloatingPointError: if a reward is not finite.
    """
    source = learner.policy if sampler is None else sampler
    drawn = sample(source, prompts, samples, max_new_tokens, generator, temperature=temperature)
    return read_responses(
        learner, prompts, drawn.responses, reward, drawn.logp_NT, with_gradient=with_gradient
    )


def read_responses(
    learner: Learner,
    prompts: Tokens,
    responses: Tokens,
    reward: Reward,
    sampled_logp_RT: npt.NDArray[np.float32] | None = None,
    with_gradient: bool = False,
) -> DrawnSamples:
    """Score responses and run both policies over them.

    Args:
        learner: policy, reference and method.
        prompts: B prompts.
        responses: N of each, prompt-major.
        reward: the proxy.
        sampled_logp_RT: of each token when it was drawn; where nobody drew it, what the policy
            says of it now takes its place.
        with_gradient: whether ``reading`` carries one.

    Raises:
        FloatingPointError: if a reward is not finite.
    """
    samples = responses.rows() // prompts.rows()
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), samples))
    reward_R = np.asarray(reward(repeated, responses), np.float64)
    if not np.isfinite(reward_R).all():
        step = learner.optimizer.steps_taken + 1
        raise FloatingPointError(f"{learner.name}: a reward of step {step} is not finite")
    batch = join(repeated, responses, learner.policy.device)
    reference = learner.run_reference(batch)
    before = _before(learner, batch, reference)
    with torch.set_grad_enabled(with_gradient):
        reading, prediction = learner.run(batch, before, reference)
    sampled_logp = reading.policy_logp.detach()
    if sampled_logp_RT is not None:
        sampled_logp = torch.from_numpy(sampled_logp_RT).to(sampled_logp)
    if "sampled_logp" in learner.inputs:
        reading = reading._replace(sampled_logp=sampled_logp)
    sampled = reading.map(Tensor.detach)._replace(policy_logp=sampled_logp).group(samples)
    logp_RKV = prediction.logp_BKV.detach()
    kl_RT = align(rao_blackwell_kl(logp_RKV, reference.logp_BKV), batch)
    entropy_RT = align(-(logp_RKV.exp() * logp_RKV).sum(-1), batch)
    return DrawnSamples(
        rollout=Rollout(torch.from_numpy(reward_R).to(before.mask).view(-1, samples), sampled),
        responses=responses,
        reading=reading,
        batch=batch,
        reference=reference,
        kl_nats=kl_RT.sum(-1).mean().item(),
        entropy_nats=entropy_RT.sum(-1).mean().item(),
        length_mean=float(responses.length_N.mean()),
        tokens_R=(repeated.length_N + responses.length_N).astype(np.int64),
    )


def _before(learner: Learner, batch: Batch, reference: Prediction) -> Reading:
    """What is known of responses before the policy has read them; its own part is made up."""
    reference_logp_RT = choose_logps(reference.logp_BKV, batch)
    anchor_logp_RT: Tensor | None = None
    if learner.anchor is not None:
        with torch.no_grad():
            anchor_logp_RT = response_logps(learner.anchor, batch)
    return Reading(
        policy_logp=reference_logp_RT,
        reference_logp=reference_logp_RT,
        mask=batch.mask_BT.to(reference_logp_RT),
        anchor_logp=anchor_logp_RT,
    )


def _after_control(batch: Batch, control_K: Tensor, stops: list[int]) -> Batch:
    """The rows with the control token in place of the first one where they are controlled.

    Raises:
        ValueError: no token ends responses, or prompts start with it, so that it tells nothing.
    """
    if not stops or bool((batch.ids_BL[:, 0] == stops[0]).any()):
        raise ValueError(
            "control tokens need a token that ends responses and that no prompt starts with; this "
            "policy has none"
        )
    ids_BL = batch.ids_BL.clone()
    ids_BL[control_K.to(ids_BL.device), 0] = stops[0]
    return batch._replace(ids_BL=ids_BL)


def _take(prediction: Prediction, row_K: Tensor) -> Prediction:
    """Some rows of a pass."""
    states = prediction.states_LBJD
    return Prediction(
        prediction.logp_BKV[row_K],
        None if states is None else tuple(layer[row_K] for layer in states),
    )

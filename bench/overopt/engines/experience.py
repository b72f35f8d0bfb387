"""Fresh samples of a policy, scored and judged: what rollouts and rounds both start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.engines.forward import Judged
from overopt.engines.kl_walk import RolloutRow
from overopt.engines.learner import Learner
from overopt.methods.contract.rollout import Rollout
from overopt.methods.contract.training import Training
from overopt.models.logprobs import Prediction, choose_logps, rao_blackwell_kl, response_logps
from overopt.models.sampling import sample
from overopt.models.sequences import Batch, align, join, take_rows
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens

RewardFunction = Callable[[Tokens, Tokens], npt.NDArray[np.float64]]
"""Proxy reward of each response to its prompt, shape (N,), in SDs of the initial policy."""


class Experience(NamedTuple):
    """B prompts with N samples each, R = B x N rows, prompt-major, and what is said of them.

    batch: the joined rows. reference: the reference's pass over them.
    judged: the policy's, with gradient if it was collected so.
    kl_nats: Rao-Blackwellised KL(policy || reference), mean over the responses.
    entropy_nats: entropy of the policy, summed over tokens, mean over the responses.
    length_mean: response tokens. tokens_R: prompt and response tokens of each row.
    """

    rollout: Rollout
    batch: Batch
    reference: Prediction
    judged: Judged
    kl_nats: float
    entropy_nats: float
    length_mean: float
    tokens_R: npt.NDArray[np.int64]

    def judge(self, learner: Learner, row_K: Tensor) -> Judged:
        """The policy's pass, now and with gradient, over some of the rows."""
        return learner.judge(take_rows(self.batch, row_K), take_prediction(self.reference, row_K))

    def tokens(self, row_K: Tensor) -> int:
        """Prompt and response tokens of some of the rows."""
        return int(self.tokens_R[row_K.cpu().numpy()].sum())

    def row(self, step: int, loss: float | None, gradient_norm: float | None) -> RolloutRow:
        """What a trajectory records of these samples, and of what was learned from them."""
        return RolloutRow(
            step=step,
            kl_nats=self.kl_nats,
            loss=loss,
            gradient_norm=gradient_norm,
            reward_mean=self.rollout.reward_BN.mean().item(),
            length_mean=self.length_mean,
            entropy_nats=self.entropy_nats,
        )


def collect(
    learner: Learner,
    prompts: Tokens,
    reward: RewardFunction,
    settings: RolloutSpec,
    max_new_tokens: int,
    generator: torch.Generator,
    with_gradient: bool,
) -> Experience:
    """Sample every prompt's group, score it, and run both policies over it.

    Args:
        learner: policy, reference and method.
        prompts: B prompts.
        reward: the proxy.
        settings: samples per prompt.
        max_new_tokens: limit of a response's length.
        generator: source of the samples.
        with_gradient: whether ``judged`` carries one, for a step that is taken on all rows.

    Raises:
        FloatingPointError: if a reward is not finite.
    """
    samples = settings.samples_per_prompt
    drawn = sample(learner.policy, prompts, samples, max_new_tokens, generator)
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), samples))
    reward_R = np.asarray(reward(repeated, drawn.responses), np.float64)
    if not np.isfinite(reward_R).all():
        raise FloatingPointError(
            f"{learner.name}: a reward of step {learner.descent.steps + 1} is not finite"
        )
    batch = join(repeated, drawn.responses, learner.policy.device)
    reference = learner.consult(batch)
    with torch.set_grad_enabled(with_gradient):
        judged = learner.judge(batch, reference)
    logp_RKV = judged.prediction.logp_BKV.detach()
    kl_RT = align(rao_blackwell_kl(logp_RKV, reference.logp_BKV), batch)
    entropy_RT = align(-(logp_RKV.exp() * logp_RKV).sum(-1), batch)
    grouped = (prompts.rows(), samples, -1)
    logp_RT = judged.logp_RT.detach()
    anchor_logp_BNT: Tensor | None = None
    if learner.anchor is not None:
        with torch.no_grad():
            anchor_logp_BNT = response_logps(learner.anchor, batch).view(grouped)
    output_RTC = judged.output_RTC
    rollout = Rollout(
        reward_BN=torch.from_numpy(reward_R).to(logp_RT).view(grouped[:2]),
        sampled_logp_BNT=torch.from_numpy(drawn.logp_NT).to(logp_RT).view(grouped),
        reference_logp_BNT=choose_logps(reference.logp_BKV, batch).view(grouped),
        mask_BNT=batch.mask_BT.to(logp_RT).view(grouped),
        anchor_logp_BNT=anchor_logp_BNT,
        output_BNTC=None if output_RTC is None else group(output_RTC.detach(), samples),
    )
    return Experience(
        rollout=rollout,
        batch=batch,
        reference=reference,
        judged=judged,
        kl_nats=kl_RT.sum(-1).mean().item(),
        entropy_nats=entropy_RT.sum(-1).mean().item(),
        length_mean=float(drawn.responses.length_N.mean()),
        tokens_R=(repeated.length_N + drawn.responses.length_N).astype(np.int64),
    )


def group(value_RT: Tensor, samples: int) -> Tensor:
    """Rows (B x N, ...) as groups (B, N, ...)."""
    return value_RT.view(-1, samples, *value_RT.shape[1:])


def take_prediction(prediction: Prediction, row_K: Tensor) -> Prediction:
    """Some rows of a pass."""
    states = prediction.states_LBJD
    return Prediction(
        prediction.logp_BKV[row_K],
        None if states is None else tuple(layer[row_K] for layer in states),
    )


def prompt_batches(
    prompts: int, settings: RolloutSpec, generator: torch.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of the prompts of one step after another, epoch after epoch, for ever."""
    size = min(settings.prompts_per_step, prompts)
    while True:
        order = torch.randperm(prompts, generator=generator).numpy()
        yield from order[: prompts // size * size].reshape(-1, size)


def deal(items: int, training: Training, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of one minibatch after another, over the method's inner epochs.

    A single minibatch holds everything in order and draws no random number.
    """
    for _ in range(training.epochs):
        if training.minibatches == 1:
            yield torch.arange(items)
        else:
            order = torch.randperm(items, generator=generator)
            yield from (part for part in order.chunk(training.minibatches) if len(part))


def steps_dealt(items: int, training: Training) -> int:
    """How many minibatches ``deal`` yields, of one item or more."""
    return training.epochs * len(torch.arange(items).chunk(training.minibatches))
